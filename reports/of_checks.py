"""The pages of a site that stand still: one for each row, one for each check, one for the versions of each backend."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conformance.results import CheckResult, renamed
from conformance.results.curl import WHOLE, curl
from reports import page
from reports.table import Cell, Row, Table, slug

Found = list[tuple[Cell, CheckResult]]
"""A check in each column that has it."""


def write(shown: Table, site: page.Site, out: Path) -> None:
    """Write them into `rows/`, `checks/` and `versions/` of a directory; a renamed check is at its old address, too."""
    for folder in ("rows", "checks", "versions"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    old_names = {new: old for old, new in renamed().items()}
    pages = set()
    for row in shown.rows:
        path = out / "rows" / f"{slug(row.feature.id)}.html"
        path.write_bytes(page.rendered("row.html.j2", row=row, site=site, root="../"))
        for id, found in by_id(row).items():
            pages.add(id)
            for name in filter(None, (id, old_names.get(id))):
                (out / "checks" / f"{slug(name)}.html").write_bytes(_check(row, found, site))
    for timeline in site.timelines:
        text = page.rendered("versions.html.j2", timeline=timeline, rows=shown.rows, pages=pages, root="../")
        (out / "versions" / f"{timeline.backend}.html").write_bytes(text)


def by_id(row: Row) -> dict[str, Found]:
    """The checks of a row, each in every column that has it."""
    found: dict[str, Found] = {}
    for cell in row.cells:
        for check in cell.checks:
            found.setdefault(check.id, []).append((cell, check))
    return found


def _check(row: Row, found: Found, site: page.Site) -> bytes:
    return page.rendered(
        "check.html.j2",
        row=row,
        found=found,
        one=found[0][1],
        ended=[str(check.outcome) for _, check in found],
        curl=next(_requests(found), ""),
        site=site,
        root="../",
    )


def _requests(found: Found) -> Iterator[str]:
    """The commands that send what a check judges, which comes last; a server that does not pass shows it best."""
    for cell, check in sorted(found, key=lambda one: one[1].outcome.good):
        for scenario in (name for name in reversed(check.exchanges) if name not in check.controls):
            for exchange in (cell.column.exchanges(scenario) or {}).get("exchanges", []):
                command = curl(exchange["request"], recorded_as=None)
                if len(command) <= WHOLE:
                    yield command
