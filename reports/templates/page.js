"use strict";
// Enhancement only: without it, every row still opens, and every link still leads to its place.
(() => {
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const rows = all("details.row");
  // With many columns the checks of a row are in a noscript element, quick to load, for it is mere text. They become
  // elements when the row opens or is searched for, or as soon as the browser has time.
  const kept = (row) => row.querySelector("noscript");
  const fill = (row) => { if (kept(row)) kept(row).outerHTML = kept(row).textContent; };
  // Rows that are open only while a search lasts, because it found something in them.
  const lent = new Set();
  const reveal = () => {
    const id = location.hash.slice(1);
    if (id && !document.getElementById(id)) rows.filter((row) => kept(row)?.textContent.includes(`id="${id}"`)).forEach(fill);
    const at = document.getElementById(id);
    if (!at) return;
    for (let up = at; up; up = up.parentElement) {
      if (up.tagName === "DETAILS") { up.open = true; up.hidden = false; lent.delete(up); }
    }
    at.scrollIntoView({ block: "start" });
  };
  addEventListener("hashchange", reveal);
  reveal();

  if (navigator.clipboard) {
    document.documentElement.classList.add("copies");
    const said = document.getElementById("ui-said");
    addEventListener("click", async ({ target: button }) => {
      if (!button.matches?.(".copy")) return;
      const pre = button.parentElement.nextElementSibling;
      try {
        await navigator.clipboard.writeText(pre.textContent);
        button.textContent = said.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(pre);
        said.textContent = "The browser does not allow copying here; the command is selected.";
      }
      setTimeout(() => { button.textContent = "Copy"; said.textContent = ""; }, 2000);
    });
  }

  document.addEventListener("toggle", ({ target }) => { if (target.open) fill(target); }, true);
  const idle = window.requestIdleCallback || setTimeout;
  const fillNext = () => {
    const row = rows.find(kept);
    if (row) { fill(row); idle(fillNext); }
  };
  idle(fillNext);

  const tools = document.getElementById("ui-tools");
  if (!tools) return;
  tools.hidden = false;
  // On a narrow screen the search and the rows come before what is long and stands above them.
  const narrow = matchMedia("(max-width: 56rem)");
  const above = all(".about, .level-of[open], .surprises[open]");
  const fold = () => { for (const one of above) one.open = !narrow.matches; };
  fold();
  narrow.addEventListener("change", fold);
  const [search, outcome, level, surprising, expand, found] = ["search", "outcome", "level", "surprising", "expand", "found"]
    .map((id) => document.getElementById("ui-" + id));
  const backend = document.getElementById("ui-backend");
  const good = new Set(["pass", "lenient"]);
  const backends = all(".heads .target").map((head) => head.dataset.backend);

  // What is searched, read once and only when somebody searches: a check is a <details>, or a table's row with one
  // outcome a column.
  const outcomeOf = (cell) => cell.firstElementChild?.className.slice("outcome is-".length);
  const read = (row) => (fill(row), {
    row,
    group: row.closest(".group"),
    text: (row.querySelector(".feature").textContent + " " + row.id).toLowerCase(),
    checks: all("details.check, tr[data-level]", row).map((check) => ({
      check,
      text: ((check.matches("tr") ? check.cells[0] : check.firstElementChild).textContent + " " + check.id).toLowerCase(),
      level: check.dataset.level,
      // Only a filter asks for these, and reading those of fifty columns takes a while.
      get outcomes() { return check.matches("tr") ? [...check.cells].slice(1).map(outcomeOf) : [check.dataset.outcome]; },
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
    const words = search.value.toLowerCase().split(/[^\p{L}\p{N}_]+/u).filter(Boolean);
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
          && (named || has(text + " " + one.text));
        if (one.check.hidden === fits) one.check.hidden = !fits;
        any ||= fits;
      }
      const open = any || (named && !outcome.value && !level.value);
      row.hidden = !open || (surprising.checked && !("surprising" in row.dataset));
      shown += !row.hidden;
      if (!row.hidden) groups.add(group);
      const lend = words.length && any && !named && !row.hidden;
      if (lend && !row.open) { row.open = true; lent.add(row); }
      if (!lend && lent.delete(row)) row.open = false;
    }
    for (const group of all(".group")) group.hidden = !groups.has(group);
    found.textContent = !narrowed ? ""
      : shown ? `${shown} ${shown === 1 ? "row matches" : "rows match"}`
      : "No row matches: all words must be in a row or in one of its checks.";
  };
  backend?.addEventListener("input", () => { columns(); filter(); });
  for (const input of [search, outcome, level, surprising]) input.addEventListener("input", filter);
  tools.addEventListener("submit", (event) => event.preventDefault());
  // A browser that comes back to the page keeps what was chosen.
  if (search.value || outcome.value || level.value || surprising.checked || backend?.value) { columns(); filter(); }

  expand.addEventListener("click", () => {
    const open = expand.textContent === "Expand rows";
    for (const row of rows) if (!row.hidden) { row.open = open; lent.delete(row); }
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
      lent.delete(opened);
      if (!opened.open) history.replaceState(null, "", "#" + opened.id);
    });
  }
})();
