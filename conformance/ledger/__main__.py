"""python -m conformance.ledger [--json FILE]: write docs/coverage.md, the ledger as a page, and docs/census.md.

With `--json` only FILE is written: the ledger as JSON, for pages and for other suites.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.ledger import TITLES, Row, census, coverage, general, resolve
from conformance.requirements import sources
from conformance.run import catalogue

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
STATES = ("covered", "excluded", "open")
FEW = 4
"""Checks of one area that are named one by one; of more, only their number."""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def data() -> dict[str, Any]:
    """The ledger as JSON data: each name with its checks or the reason why there is none, and each check's source."""
    checks = catalogue.load().values()
    return {
        "names": [
            {"endpoint": row.endpoint, "name": row.name, "state": row.state, "checks": [*row.checks], "why": row.why}
            for row in coverage()
        ],
        "checks": {
            one.id: {"level": str(one.level), "requirement": one.requirement, "source": one.source} for one in checks
        },
        "general": {about: [*resolve(checks)] for about, checks in general().items()},
    }


def _lines() -> Iterator[str]:
    rows = coverage()
    yield "# Which parts of OpenAI's API are covered"
    yield ""
    yield "Every parameter, field, event and error of these endpoints in OpenAI's OpenAPI document, with the checks"
    yield "that cover it, or the reason why none does. Below them are the names that only OpenAI's Python SDK has."
    yield "Made by `python -m conformance.ledger` from `conformance/ledger/`; with `--json FILE` as data."
    yield ""
    yield "| endpoint | names | covered | excluded | open |"
    yield "|---|--:|--:|--:|--:|"
    for endpoint, title in TITLES.items():
        of = [row for row in rows if row.endpoint == endpoint]
        yield f"| {title} | {len(of)} | {' | '.join(_counts(of))} |"
    yield f"| all | {len(rows)} | {' | '.join(_counts(rows))} |"
    for endpoint, title in TITLES.items():
        of = [row for row in rows if row.endpoint == endpoint]
        yield from ("", f"## {title}", "", "| name | checks |", "|---|---|")
        for row in of:
            if row.state != "excluded":
                yield f"| `{row.name}` | {_shortened(row.checks) or '**open**'} |"
        yield from ("", "Not covered:", "")
        for why in dict.fromkeys(row.why for row in of if row.why):
            yield f"* {why} {', '.join(f'`{row.name}`' for row in _topmost([r for r in of if r.why == why]))}"
    yield from ("", "## Rules that are not about a name", "")
    for about, checks in general().items():
        yield f"* {about}: {_shortened(resolve(checks))}"
    yield from ("", "## Sources", "", "Where each requirement comes from.", "", "| source | checks |", "|---|---|")
    of_source: dict[str, list[str]] = defaultdict(list)
    for check in catalogue.load().values():
        of_source[check.source].append(check.id)
    for source in sorted(of_source):
        link = sources.url(source)
        named = f"[`{source}`]({link})" if link else f"`{source}`"
        yield f"| {named} | {_shortened(tuple(of_source[source]))} |"


def _counts(rows: tuple[Row, ...] | list[Row]) -> list[str]:
    counted = Counter(row.state for row in rows)
    return [str(counted[state]) for state in STATES]


def _shortened(checks: tuple[str, ...]) -> str:
    areas = Counter(check.partition(".")[0] for check in checks)
    named = [f"`{check}`" for check in checks if areas[check.partition(".")[0]] <= FEW]
    return ", ".join(named + [f"`{area}` ({count} checks)" for area, count in areas.items() if count > FEW])


def _topmost(rows: list[Row]) -> list[Row]:
    """The rows that are not below another one."""
    return [row for row in rows if not any(row.name.startswith(f"{other.name}.") for other in rows)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m conformance.ledger", description="Write the ledger.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the ledger as JSON to FILE, and nothing else")
    options = parser.parse_args()
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(data(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    census.PAGE.write_text(census.page(), encoding="utf-8")


if __name__ == "__main__":
    main()
