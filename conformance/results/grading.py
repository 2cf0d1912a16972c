"""The status of a cell of the matrix, from the outcomes of its checks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Protocol

from conformance.outcomes import Level, Outcome
from conformance.requirements.musts import by_check, label, of_model


class Status(StrEnum):
    """The status of a cell (feature x target)."""

    YES = "yes"
    PARTIAL = "partial"
    IGNORED = "ignored"
    NO = "no"
    UNKNOWN = "unknown"


class Graded(Protocol):
    """The fields of a check's result that grading reads."""

    @property
    def id(self) -> str: ...
    @property
    def level(self) -> Level: ...
    @property
    def core(self) -> bool: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def exchanges(self) -> list[str]: ...
    @property
    def controls(self) -> list[str]: ...
    @property
    def cause(self) -> str: ...
    @property
    def message(self) -> str: ...


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A status, and in a few words what fails for a user, or what a `yes` does not cover; may be empty."""

    status: Status
    because: str = ""


_COUNTED = re.compile(r"(\d+) of (\d+) responses: ")
"""The beginning of the message of a rule over every exchange."""

_UNMET = {Outcome.FAIL, Outcome.REJECTED, Outcome.IGNORED}
_BAD_INPUT = "bad input not rejected"
_ABSENT, _NEEDS_ABSENT = "endpoint absent", "needs an absent endpoint"


def status(results: Iterable[Graded]) -> Status:
    """The status alone, by the rules of `grade`."""
    return grade(results).status


def grade(results: Iterable[Graded], cores: Mapping[str, str] | None = None) -> Grade:
    """Grade one cell; `cores` names the row's core checks by their ids.

    If some core checks passed and others failed, were ignored or rejected: `partial`. If none passed: `ignored` if one
    was ignored, else `no`. If one was not decided, or there is none: `unknown`. If all passed: `partial` if a MUST
    failed, was ignored or rejected; else `unknown` if a MUST was not decided; else `yes`.

    Two things never lower a cell: accepted bad input, unless the row is about bad input; and a clean rejection of
    parameters that the document leaves to the model.
    """
    results = sorted(results, key=_rank)
    core = [r for r in results if r.core]
    musts = [r for r in results if r.core or r.level is Level.MUST]
    about_bad_input = any(map(_judges_bad_input, core))
    unmet = [
        r
        for r in musts
        if r.outcome in _UNMET and not _left_to_model(r) and (about_bad_input or not _judges_bad_input(r))
    ]
    unmet_core = [r for r in unmet if r.core]
    undecided = [r for r in musts if not r.outcome.good and r.outcome not in _UNMET]
    if unmet_core and any(r.outcome.good for r in core):
        return Grade(status=Status.PARTIAL, because=_each(core, cores or {}))
    if unmet_core:
        ignored = any(r.outcome is Outcome.IGNORED for r in unmet_core)
        rejected = all(r.outcome is Outcome.REJECTED for r in unmet_core)
        why = "rejected with an error" if rejected else "" if ignored else label(unmet_core[0].id)
        why = _ABSENT if rejected and any(r.cause for r in unmet_core) else why
        return Grade(status=Status.IGNORED if ignored else Status.NO, because=why)
    if not core or not all(r.outcome.good for r in core):
        why = _rejected(musts) if any(map(_left_to_model, core)) else _not_decided(undecided)
        return Grade(status=Status.UNKNOWN, because=why)
    if unmet:
        return Grade(status=Status.PARTIAL, because=_fails(unmet[0]))
    if undecided:
        return Grade(status=Status.UNKNOWN, because=_not_decided(undecided))
    accepted = any(r.outcome.bad and r.level is not Level.MAY and _judges_bad_input(r) for r in results)
    return Grade(status=Status.YES, because=_rejected(musts) or (_BAD_INPUT if accepted else ""))


def _rank(result: Graded) -> tuple[int, str]:
    """The order of `musts.toml`: what hurts users most comes first."""
    return _order().get(result.id, len(_order())), result.id


@cache
def _order() -> dict[str, int]:
    return {id: at for at, id in enumerate(by_check())}


def _fails(result: Graded) -> str:
    """What fails for a user: in how many responses, if not in all; and whether the server rejects it cleanly, which
    the client learns."""
    said, counted = label(result.id), _COUNTED.match(result.message)
    if result.outcome is Outcome.REJECTED and "reject" not in said:
        return f"{said} (rejected)"
    return f"{said} ({counted[1]} of {counted[2]})" if counted and counted[1] != counted[2] else said


def _judges_bad_input(result: Graded) -> bool:
    """Whether a check judged only invalid requests, whose names begin with `bad_`."""
    judged = [name for name in result.exchanges if name not in result.controls]
    return bool(judged) and all(name.startswith("bad_") for name in judged)


def _left_to_model(result: Graded) -> bool:
    return result.outcome is Outcome.REJECTED and of_model(result.id) and not result.cause


def _not_decided(musts: Iterable[Graded]) -> str:
    """How many checks of a cell that is unknown were not decided, by outcome, or that the server lacks an endpoint."""
    musts = list(musts)
    if any(r.outcome is Outcome.BLOCKED and r.cause for r in musts):
        return _NEEDS_ABSENT
    counts = Counter(str(r.outcome) for r in musts).most_common(2)
    return "not decided: " + ", ".join(f"{number} {outcome}" for outcome, number in counts) if counts else ""


def _rejected(results: Iterable[Graded]) -> str:
    """Says which field the model rejects, of those that the document leaves to the model."""
    names = (re.search(r"`([^`:]+)", label(r.id)) for r in results if _left_to_model(r))
    name = next(filter(None, names), None)
    return f"this model rejects `{name[1]}`" if name else ""


def _each(core: list[Graded], cores: Mapping[str, str]) -> str:
    """How each core check ended, in the order of the row."""
    names = {**cores, **{r.id: label(r.id) for r in core if r.id not in cores}}
    marks = {r.id: "✓" if r.outcome.good else "✕" if r.outcome in _UNMET else "?" for r in core}
    return " ".join(f"{name} {marks[id]}" for id, name in names.items() if id in marks)


class Agreement(StrEnum):
    """A document's claim compared with the measurement."""

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
