"use strict";
// Enhancement only: without it, every row still opens, and every link still leads to its place.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const reveal = () => {
    const at = document.getElementById(location.hash.slice(1));
    if (!at) return;
    for (let up = at; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
    at.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", reveal);
  reveal();

  const tools = document.getElementById("ui-tools");
  if (!tools) return;
  tools.hidden = false;
  const [search, outcome, level, surprising, expand, found] = ["search", "outcome", "level", "surprising", "expand", "found"]
    .map((id) => document.getElementById("ui-" + id));
  const rows = all("details.row");
  const good = new Set(["pass", "lenient"]);

  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (text) => words.every((word) => text.includes(word));
    const narrowed = Boolean(words.length || outcome.value || level.value || surprising.checked);
    let shown = 0, checks = 0;
    for (const row of rows) {
      const named = has(row.querySelector(".feature").textContent.toLowerCase() + " " + row.id);
      let any = false;
      for (const check of all("details.check", row)) {
        const kind = check.dataset.outcome;
        const fits = (!outcome.value || (outcome.value === "!" ? !good.has(kind) : kind === outcome.value))
          && (!level.value || check.dataset.level === level.value)
          && (named || has((check.firstElementChild.textContent + " " + check.id).toLowerCase()));
        check.hidden = !fits;
        any ||= fits;
        checks += fits;
      }
      const open = any || (named && !outcome.value && !level.value);
      row.hidden = !open || (surprising.checked && !("surprising" in row.dataset));
      shown += !row.hidden;
    }
    for (const group of all(".group")) group.hidden = !all("details.row:not([hidden])", group).length;
    found.textContent = narrowed ? `${shown} rows` : "";
  };
  for (const input of [search, outcome, level, surprising]) input.addEventListener("input", filter);
  tools.addEventListener("submit", (event) => event.preventDefault());
  filter();

  expand.addEventListener("click", () => {
    const open = expand.textContent === "Expand rows";
    for (const row of rows) if (!row.hidden) row.open = open;
    expand.textContent = open ? "Fold rows" : "Expand rows";
  });
  // "/" goes to the search, as on many reference pages.
  addEventListener("keydown", (event) => {
    if (event.key === "/" && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
      event.preventDefault();
      search.focus();
    }
  });
  for (const opened of all("details.row, details.check")) {
    opened.firstElementChild.addEventListener("click", () => {
      if (!opened.open) history.replaceState(null, "", "#" + opened.id);
    });
  }
})();
