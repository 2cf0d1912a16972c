"""The kill matrix as a page: which fault flips which check, from the declared matrix (kills.toml) that the gate proves.

python -m tests.reference.killmatrix --out FILE.html
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from html import escape
from pathlib import Path

from conformance import catalogue
from conformance.check import Check
from tests.reference.fault import Fault
from tests.reference.faults import FAULTS, kills

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
    declared = kills()
    checks = catalogue.load()
    wrong = [fault for fault in FAULTS.values() if not fault.legal]
    legal = [fault for fault in FAULTS.values() if fault.legal]
    killers: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, flipped in declared.items():
        for check, outcome in flipped.items():
            killers[check].append((name, outcome))
    figures = {
        "checks": len(checks),
        "faults": len(wrong),
        "checks without a killer": len(set(checks) - set(killers)),
        "faults that nothing catches": sum(not declared.get(fault.name) for fault in wrong),
        "legal variations": len(legal),
    }
    shown = "".join(f"<div><dt>{escape(name)}</dt><dd>{count}</dd></div>" for name, count in figures.items())
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Kill matrix</title>'
        f"<style>{_STYLE}</style><h1>Kill matrix</h1>"
        "<p>A fault is one deviation of a correct reference server. The gate runs every check against every fault. "
        "Each fault must flip exactly the checks below, and legal variations must flip none.</p>"
        f'<dl class="figures">{shown}</dl>'
        f"<h2>Checks and what flips them</h2>{''.join(_check(c, killers[c.id]) for c in checks.values())}"
        f"<h2>Faults and what they flip</h2>{''.join(_fault(f, declared.get(f.name, {})) for f in wrong)}"
        f"<h2>Legal variations, which flip nothing</h2><ul>{''.join(_legal(f) for f in legal)}</ul>"
        f"<script>{_SCRIPT}</script></html>\n"
    )


def _check(check: Check, killers: list[tuple[str, str]]) -> str:
    rows = "".join(
        f'<li><span class="{escape(outcome)}">{escape(outcome)}</span> '
        f'<a href="#{escape(name)}" title="{escape(FAULTS[name].sentence)}">{escape(name)}</a></li>'
        for name, outcome in sorted(killers)
    )
    head = f"<code>{escape(check.id)}</code> <small>{escape(check.level)}, {len(killers)} faults</small>"
    return (
        f'<details id="{escape(check.id)}"><summary>{head}<br>{escape(check.requirement)}</summary>'
        f"<ul>{rows}</ul></details>"
    )


def _fault(fault: Fault, flipped: dict[str, str]) -> str:
    rows = "".join(
        f'<li><span class="{escape(outcome)}">{escape(outcome)}</span> '
        f'<a href="#{escape(check)}"><code>{escape(check)}</code></a></li>'
        for check, outcome in flipped.items()
    )
    head = f"<code>{escape(fault.name)}</code> <small>{len(flipped)} checks</small>"
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
