"""The status of a cell of the matrix, from the outcomes of its checks."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Protocol

from conformance.outcomes import Level, Outcome


class Status(StrEnum):
    """What a cell (feature x target) says."""

    YES = "yes"
    PARTIAL = "partial"
    IGNORED = "ignored"
    NO = "no"
    UNKNOWN = "unknown"


class Graded(Protocol):
    """What grading reads of a check's result."""

    @property
    def level(self) -> Level: ...
    @property
    def core(self) -> bool: ...
    @property
    def outcome(self) -> Outcome: ...


_UNMET = {Outcome.FAIL, Outcome.REJECTED, Outcome.IGNORED}
_UNDECIDED = {Outcome.INCONCLUSIVE, Outcome.BLOCKED, Outcome.NOT_RUN, Outcome.TIMEOUT, Outcome.ERROR}


def status(results: Iterable[Graded]) -> Status:
    """Grade one cell.

    `ignored` if a core check was ignored, else `no` if one failed or was rejected, else `unknown` if one was not
    decided or there is none. With every core check passed: `partial` if a MUST failed, was ignored or rejected, else
    `unknown` if a MUST was not decided (what did not run is never green, and accuses nobody), else `yes`.
    """
    results = list(results)
    core = {r.outcome for r in results if r.core}
    musts = {r.outcome for r in results if r.core or r.level is Level.MUST}
    if Outcome.IGNORED in core:
        return Status.IGNORED
    if core & _UNMET:
        return Status.NO
    if not core or core & _UNDECIDED:
        return Status.UNKNOWN
    if musts & _UNMET:
        return Status.PARTIAL
    return Status.UNKNOWN if musts & _UNDECIDED else Status.YES


class Agreement(StrEnum):
    """A document's claim beside the measurement."""

    CONFIRMED = "confirmed"
    OVERCLAIMED = "overclaimed"
    UNDERCLAIMED = "underclaimed"
    UNVERIFIED = "unverified"


_WORTH = {"yes": 2, "partial": 1, "ignored": 0, "no": 0}


def agreement(claim: str | None, measured: Status) -> Agreement | None:
    """Compare a claim (`yes`, `partial` or `no`) with a status; None where nothing is claimed."""
    if claim is None:
        return None
    if measured is Status.UNKNOWN:
        return Agreement.UNVERIFIED
    difference = _WORTH[claim] - _WORTH[measured]
    if difference == 0:
        return Agreement.CONFIRMED
    return Agreement.OVERCLAIMED if difference > 0 else Agreement.UNDERCLAIMED
