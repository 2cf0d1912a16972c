"""The kill matrix as a page: which fault flips which checks, or areas, as kills.toml and reading.toml declare.

python -m tests.reference.killmatrix --out FILE.html
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from html import escape
from pathlib import Path

from conformance.requirements.check import Check
from conformance.run import catalogue
from tests.reference import kills, readings
from tests.reference.fault import Fault
from tests.reference.faults import FAULTS
from tests.reference.kills import Declared

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8dde6, #39414d); --soft: light-dark(#5b6572, #a3adba); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: auto; padding: 1rem;
  background: light-dark(#fff, #14181d); color: light-dark(#1a1f26, #e6e9ee); overflow-wrap: anywhere; }
dl.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: .5rem; margin: 1rem 0; }
dl.figures div { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .75rem; }
dl.figures dt, p, small { color: var(--soft); } dl.figures dd { margin: 0; font-size: 1.5rem; font-weight: 600; }
details { border-top: 1px solid var(--line); padding: .4rem 0; } summary { cursor: pointer; }
ul { margin: .3rem 0 .6rem; padding-left: 1.2rem; } code { font-size: .9em; }
.fail, .timeout { color: light-dark(#b3261e, #ff8a80); } .ignored { color: light-dark(#8a4b00, #ffb95c); }
"""

_SCRIPT = """
const open = () => { const at = document.getElementById(location.hash.slice(1)); if (at) at.open = true; };
addEventListener("hashchange", open); open();
"""
"""A link to a check or a fault opens it."""


def page() -> str:
    """The whole page, with nothing outside it."""
    declared = kills.declared(kills.FILE.read_text(encoding="utf-8"))
    for name, cells in readings.declared(readings.FILE.read_text(encoding="utf-8")).items():
        if name != readings.NONE:
            declared[name] = Declared(rows={check: seen for rows in cells.values() for check, seen in rows.items()})
    checks = catalogue.load()
    wrong = [fault for fault in FAULTS.values() if not (fault.legal or fault.model)]
    legal = [fault for fault in FAULTS.values() if fault.legal]
    killers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    broad: dict[str, list[str]] = defaultdict(list)
    for name, entry in declared.items():
        for check, outcome in entry.rows.items():
            killers[check].append((name, outcome))
        for area in entry.areas:
            broad[area].append(name)
    figures = {
        "checks": len(checks),
        "faults": len(wrong),
        "of these broad": sum(bool(entry.areas) for entry in declared.values()),
        "checks without a killer": len(set(checks) - set(killers)),
        "faults that nothing catches": sum(fault.name not in declared for fault in wrong),
        "legal variations": len(legal),
    }
    shown = "".join(f"<div><dt>{escape(name)}</dt><dd>{count}</dd></div>" for name, count in figures.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Kill matrix</title>'
        f"<style>{_STYLE}</style><h1>Kill matrix</h1>"
        "<p>A fault is one deviation of a correct reference server. The gate runs every check against every fault. "
        f"Each fault must flip exactly the checks below. A broad one flips more than {kills.MOST} checks, "
        "some in each of the areas below. Legal variations must flip no check.</p>"
        f'<dl class="figures">{shown}</dl>'
        f"<h2>Checks and what flips them</h2>{''.join(_check(c, killers[c.id]) for c in checks.values())}"
        f"<h2>Areas and the broad faults they catch</h2>{''.join(_area(a, broad[a]) for a in sorted(broad))}"
        f"<h2>Faults and what they flip</h2>{''.join(_fault(f, declared.get(f.name, Declared())) for f in wrong)}"
        f"<h2>Legal variations, which flip nothing</h2><ul>{''.join(_legal(f) for f in legal)}</ul>"
        f"<script>{_SCRIPT}</script></html>\n"
    )


def _check(check: Check, killers: list[tuple[str, str]]) -> str:
    rows = "".join(
        f'<li><span class="{escape(outcome)}">{escape(outcome)}</span> {_link(name)}</li>'
        for name, outcome in sorted(killers)
    )
    head = f"<code>{escape(check.id)}</code> <small>{escape(check.level)}, {len(killers)} faults</small>"
    return (
        f'<details id="{escape(check.id)}"><summary>{head}<br>{escape(check.requirement)}</summary>'
        f"<ul>{rows}</ul></details>"
    )


def _area(area: str, names: list[str]) -> str:
    head = f"<code>{escape(area)}</code> <small>{len(names)} broad faults</small>"
    rows = "".join(f"<li>{_link(name)}</li>" for name in names)
    return f'<details id="area-{escape(area)}"><summary>{head}</summary><ul>{rows}</ul></details>'


def _link(fault: str) -> str:
    return f'<a href="#{escape(fault)}" title="{escape(FAULTS[fault].sentence)}">{escape(fault)}</a>'


def _fault(fault: Fault, entry: Declared) -> str:
    rows = "".join(
        f'<li><span class="{escape(outcome)}">{escape(outcome)}</span> '
        f'<a href="#{escape(check)}"><code>{escape(check)}</code></a></li>'
        for check, outcome in entry.rows.items()
    )
    rows += "".join(
        f'<li>checks of <a href="#area-{escape(area)}"><code>{escape(area)}</code></a></li>' for area in entry.areas
    )
    size = f"more than {kills.MOST}" if entry.areas else len(entry.rows)
    head = f"<code>{escape(fault.name)}</code> <small>{size} checks</small>"
    return (
        f'<details id="{escape(fault.name)}"><summary>{head}<br>{escape(fault.sentence)}</summary>'
        f"<ul>{rows}</ul></details>"
    )


def _legal(fault: Fault) -> str:
    return f"<li><code>{escape(fault.name)}</code> {escape(fault.sentence)}</li>"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reference.killmatrix", description="Write the kill matrix.")
    parser.add_argument("--out", type=Path, required=True, help="the HTML file")
    out: Path = parser.parse_args().out
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
