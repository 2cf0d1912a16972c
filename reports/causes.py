"""What a page shows of a cause: where its evidence is, and its checks."""

from __future__ import annotations

from typing import NamedTuple

from conformance.outcomes import Level
from conformance.results import CheckResult
from conformance.results.causes import Cause
from reports.table import Column, slug


class Link(NamedTuple):
    """A name, and where the page has what it names: a page's address (empty: this one) with a fragment."""

    name: str
    page: str
    anchor: str


def by_level(column: Column) -> dict[Level, list[Cause]]:
    """The causes of a column by level; levels without any are left out."""
    found = {level: [cause for cause in column.causes if cause.level is level] for level in Level}
    return {level: some for level, some in found.items() if some}


def evidence_of(column: Column, cause: Cause) -> list[Link]:
    """Where the first exchanges of a cause are shown: below a check of it that judged them."""
    return [link for name in cause.evidence if (link := _shown(column, cause, name))]


def check_of(column: Column, check: CheckResult) -> Link:
    """Where a check's verdict is shown."""
    return Link(check.id, _page(column, check), f"{column.key}/{slug(check.id)}")


def _shown(column: Column, cause: Cause, name: str) -> Link | None:
    scenario, _, number = name.partition("[")
    check = next((check for check in cause.checks if scenario in check.exchanges), None)
    several = len((column.exchanges(scenario) or {}).get("exchanges", []))
    if check is None or not several:
        return None
    shown = scenario if several == 1 else f"{scenario}[{number.rstrip(']') or 1}]"
    return Link(name, _page(column, check), f"wire/{column.key}/{slug(check.feature)}/{slug(shown)}")


def _page(column: Column, check: CheckResult) -> str:
    return f"evidence/{column.key}/{slug(check.feature)}.html"
