"""Known deviations for pages: the reason and the link that `backends/NAME/known.toml` has for a check's outcome."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from backends import known
from conformance.results import CheckResult

if TYPE_CHECKING:
    from reports.table import Column


def deviations(column: Column, check: CheckResult) -> list[known.Deviation]:
    """What is listed for a check that ended as it is listed, on this version."""
    about = column.target.get("version"), column.target.get("code_path")
    return [
        one
        for one in _listed(column.backend).get(check.id, [])
        if one.outcome == check.outcome and one.applies_to(*about)
    ]


def linked(column: Column, check: CheckResult) -> known.Deviation | None:
    """The first of them that has a link."""
    if check.outcome.good:
        return None
    return next((one for one in deviations(column, check) if one.link.startswith("https://")), None)


def applying(column: Column) -> list[known.Deviation]:
    """All deviations that are listed for a column's version and code path."""
    about = column.target.get("version"), column.target.get("code_path")
    some = {id(one): one for listed in _listed(column.backend).values() for one in listed}
    return [one for one in some.values() if one.applies_to(*about)]


@cache
def _listed(backend: str) -> dict[str, list[known.Deviation]]:
    """The deviations of a backend by check. An unusable file counts as empty: a page cannot report this error."""
    # A backend's name comes from a results file, and becomes part of a path.
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", backend):
        return {}
    try:
        found = known.read(backend)
    except known.BadKnown:
        return {}
    by_check: dict[str, list[known.Deviation]] = {}
    for one in found:
        for id in one.checks:
            by_check.setdefault(id, []).append(one)
    return by_check
