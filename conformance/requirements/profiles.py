"""The profile `core`: a quick look at the rows of the guide's tables."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.outcomes import Level
from conformance.requirements import matrix
from conformance.requirements.check import Check
from conformance.requirements.musts import by_check

FIRST = 4
"""Checks of each row: its core checks, then the MUSTs that hurt users most, by the order of `musts.toml`."""


def core(checks: Iterable[Check]) -> set[str]:
    """The ids of the first checks of each row for which the guide claims anything."""
    order = {id: number for number, id in enumerate(by_check())}
    rows: dict[str, list[Check]] = {row.id: [] for row in matrix.features().values() if "guide" in row.claims}
    for check in checks:
        if check.feature in rows and not check.later and (check.core or check.level is Level.MUST):
            rows[check.feature].append(check)
    ranked = [sorted(row, key=lambda one: (not one.core, order.get(one.id, len(order)))) for row in rows.values()]
    return {check.id for row in ranked for check in row[:FIRST]}
