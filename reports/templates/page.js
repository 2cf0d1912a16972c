"use strict";
// Enhancement only: without it, every row still opens, and every link still leads to its place.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const reveal = () => {
    const at = document.getElementById(location.hash.slice(1));
    if (!at) return;
    for (let up = at; up; up = up.parentElement) {
      if (up.tagName === "DETAILS") { up.open = true; up.hidden = false; }
    }
    at.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", reveal);
  reveal();

  const tools = document.getElementById("ui-tools");
  if (!tools) return;
  tools.hidden = false;
  const [search, outcome, level, surprising, expand, found] = ["search", "outcome", "level", "surprising", "expand", "found"]
    .map((id) => document.getElementById("ui-" + id));
  const backend = document.getElementById("ui-backend");
  const good = new Set(["pass", "lenient"]);
  const rows = all("details.row");
  const backends = all(".heads .target").map((head) => head.dataset.backend);

  // What is searched, read once and only when somebody searches: a check is a <details>, or a table's row with one
  // outcome a column.
  const outcomeOf = (cell) => cell.firstElementChild?.className.slice("outcome is-".length);
  const read = (row) => ({
    row,
    group: row.closest(".group"),
    text: (row.querySelector(".feature").textContent + " " + row.id).toLowerCase(),
    checks: all("details.check, tr[data-level]", row).map((check) => ({
      check,
      text: ((check.matches("tr") ? check.cells[0] : check.firstElementChild).textContent + " " + check.id).toLowerCase(),
      level: check.dataset.level,
      outcomes: check.matches("tr") ? [...check.cells].slice(1).map(outcomeOf) : [check.dataset.outcome],
    })),
  });
  let known;

  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [sheet];
  const columns = () => {
    const left = backends.flatMap((name, n) => (!backend?.value || name === backend.value ? [] : [n + 2]));
    const rules = left.map((n) => `.line > :nth-child(${n}), .scroll tr > :nth-child(${n}) { display: none }`);
    sheet.replaceSync(rules.join("\n"));
    if (backends.length) document.getElementById("ui-matrix").style.setProperty("--columns", backends.length - left.length);
  };

  const filter = () => {
    known ||= rows.map(read);
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (text) => words.every((word) => text.includes(word));
    const narrowed = Boolean(words.length || outcome.value || level.value || surprising.checked);
    const counts = (kind, n) => (!backend?.value || backends[n] === backend.value)
      && (outcome.value === "!" ? Boolean(kind) && !good.has(kind) : kind === outcome.value);
    const groups = new Set();
    let shown = 0;
    for (const { row, group, text, checks } of known) {
      const named = has(text);
      let any = false;
      for (const one of checks) {
        const fits = (!outcome.value || one.outcomes.some(counts))
          && (!level.value || one.level === level.value)
          && (named || has(one.text));
        if (one.check.hidden === fits) one.check.hidden = !fits;
        any ||= fits;
      }
      const open = any || (named && !outcome.value && !level.value);
      row.hidden = !open || (surprising.checked && !("surprising" in row.dataset));
      shown += !row.hidden;
      if (!row.hidden) groups.add(group);
    }
    for (const group of all(".group")) group.hidden = !groups.has(group);
    found.textContent = narrowed ? `${shown} rows` : "";
  };
  backend?.addEventListener("input", () => { columns(); filter(); });
  for (const input of [search, outcome, level, surprising]) input.addEventListener("input", filter);
  tools.addEventListener("submit", (event) => event.preventDefault());
  // A browser that comes back to the page keeps what was chosen.
  if (search.value || outcome.value || level.value || surprising.checked || backend?.value) { columns(); filter(); }

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
