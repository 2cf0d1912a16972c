"""What changed between two runs of a target: its cells and its checks that regressed, were fixed, are new or gone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from conformance.outcomes import Level, Outcome
from conformance.requirements.matrix import Feature
from conformance.requirements.revisions import KEYS
from conformance.results import CheckResult
from conformance.results.clients import ClientResult
from conformance.results.grading import Status, status
from reports.table import Cell, Column, Table


class Kind(StrEnum):
    """How a check or a cell changed."""

    REGRESSION = "regression"
    FIX = "fix"
    NEW = "new"
    GONE = "gone"
    OTHER = "other"


_WORTH = {Outcome.PASS: 3, Outcome.LENIENT: 3, Outcome.REJECTED: 2}
_WORTH |= {Outcome.FAIL: 1, Outcome.IGNORED: 1, Outcome.TIMEOUT: 1}
"""A clean rejection is better than a wrong response.

Outcomes that are not listed were not decided, and prove nothing.
"""

_WORTH_OF_CELL = {Status.YES: 4, Status.PARTIAL: 3, Status.NO: 2, Status.IGNORED: 1}
_LEVELS = list(Level)


@dataclass(frozen=True, kw_only=True)
class CheckChange:
    """A check before and after; `before` is None for a new one, `after` for one that is gone.

    `relevelled`: its level is another one, so the suite changed. A requirement that is only worded differently is the
    same check, and `reworded` says so.
    """

    kind: Kind
    before: CheckResult | None
    after: CheckResult | None

    @property
    def check(self) -> CheckResult:
        """The newer of both."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def reworded(self) -> bool:
        """Whether its sentence, source or row is another one."""
        if not (self.before and self.after):
            return False
        return any(
            getattr(self.before, key) != getattr(self.after, key) for key in ("requirement", "source", "feature")
        )

    @property
    def relevelled(self) -> bool:
        """Whether its level is another one."""
        return bool(self.before and self.after and self.before.level is not self.after.level)


@dataclass(frozen=True, kw_only=True)
class CellChange:
    """A cell before and after, as words; `only_new_checks`: only new or changed requirements explain it."""

    kind: Kind
    feature: Feature
    before: str
    after: str
    only_new_checks: bool = False


@dataclass(frozen=True, kw_only=True)
class ClientChange:
    """A task of a real client that ran in both runs, and ended otherwise.

    If the client's version is another one, it may be the reason, and the kind is `other`.
    """

    kind: Kind
    before: ClientResult
    after: ClientResult

    @property
    def what(self) -> str:
        """`OpenCode 1.18.33, responses, tools`."""
        versions = dict.fromkeys((self.before.version, self.after.version))
        return f"{self.after.title} {' → '.join(versions)}, {self.after.api}, {self.after.task}"

    @property
    def why(self) -> str:
        """What is said of it now."""
        return self.after.cause or self.after.message


@dataclass(frozen=True, kw_only=True)
class TargetDiff:
    """What changed for one target; one of `old` and `new` is None if it is new or gone.

    `flaky` are checks that change from run to run, by id, each with a sentence that says so; only a series shows it.
    """

    old: Column | None
    new: Column | None
    cells: tuple[CellChange, ...]
    checks: tuple[CheckChange, ...]
    clients: tuple[ClientChange, ...] = ()
    flaky: dict[str, str] = field(default_factory=dict)

    @property
    def column(self) -> Column:
        """The newer of both."""
        found = self.new or self.old
        assert found is not None
        return found

    @property
    def requirements(self) -> tuple[str, str] | None:
        """The revisions of requirements, old and new, if they differ."""
        if self.old is None or self.new is None:
            return None
        old, new = (column.requirements or "unknown" for column in (self.old, self.new))
        return (old, new) if old != new else None

    @property
    def suites(self) -> tuple[str, str] | None:
        """The suite's versions, old and new, if they differ."""
        if self.old is None or self.new is None:
            return None
        old, new = (str(c.results.header["suite"]) for c in (self.old, self.new))
        return (old, new) if old != new else None

    def cells_of(self, kind: Kind) -> list[CellChange]:
        """The cells that changed in this way."""
        return [c for c in self.cells if c.kind is kind]

    def checks_of(self, kind: Kind) -> list[CheckChange]:
        """The checks that changed in this way, MUST first."""
        return [c for c in self.checks if c.kind is kind]

    def clients_of(self, kind: Kind) -> list[ClientChange]:
        """The tasks of clients of which this became."""
        return [c for c in self.clients if c.kind is kind]

    @property
    def quiet(self) -> bool:
        """Whether nothing changed."""
        return not self.cells and not self.checks and not self.clients

    @property
    def counts(self) -> dict[Kind, int]:
        """How many checks of which kind; those without any are left out."""
        return {kind: len(found) for kind in Kind if (found := self.checks_of(kind))}


@dataclass(frozen=True, kw_only=True)
class Diff:
    """What changed for every target, in the order of the new run; then those that are gone."""

    targets: tuple[TargetDiff, ...]

    @property
    def regressed(self) -> bool:
        """Whether any check, cell or client regressed."""
        bad = Kind.REGRESSION
        return any(t.checks_of(bad) or t.cells_of(bad) or t.clients_of(bad) for t in self.targets)


def diff(old: Table, new: Table) -> Diff:
    """Compare two tables, target by target: those of the same name and backend; if there is one on each side, those."""
    if len(old.columns) == len(new.columns) == 1:
        return Diff(targets=(compare(old, new, old.columns[0], new.columns[0]),))
    left = list(old.columns)
    found = []
    for column in new.columns:
        same = next((c for c in left if (c.name, c.backend) == (column.name, column.backend)), None)
        if same:
            left.remove(same)
        found.append(compare(old, new, same, column))
    return Diff(targets=(*found, *(compare(old, new, column, None) for column in left)))


def check_kind(before: Outcome, after: Outcome) -> Kind | None:
    """How a check changed; None if its outcome is the same. An undecided outcome proves nothing."""
    if before is after:
        return None
    one, other = _WORTH.get(before), _WORTH.get(after)
    if one is None or other is None or one == other:
        return Kind.OTHER
    return Kind.REGRESSION if other < one else Kind.FIX


def compare(old: Table, new: Table, before: Column | None, after: Column | None) -> TargetDiff:
    """Compare a column of the old table with one of the new; None: there is none."""
    if before is None or after is None:
        return TargetDiff(old=before, new=after, cells=(), checks=())
    was, now = ({check.id: check for check in column.checks} for column in (before, after))
    checks = [_check(was.get(id), now.get(id)) for id in {**now, **was}]
    cells = []
    old_cells = {row.feature.id: _of(row.cells, before) for row in old.rows}
    for row in new.rows:
        if cell := _cell(old_cells.get(row.feature.id), _of(row.cells, after)):
            cells.append(cell)
    changed = sorted((c for c in checks if c), key=lambda c: (_LEVELS.index(c.check.level), c.check.id))
    return TargetDiff(old=before, new=after, cells=tuple(cells), checks=tuple(changed), clients=_clients(before, after))


def _clients(before: Column, after: Column) -> tuple[ClientChange, ...]:
    """Of the tasks that clients did in both runs; which clients run is the user's choice."""
    was, now = ({c.id: c for c in column.results.clients if c.target == column.name} for column in (before, after))
    found = []
    for id in (id for id in now if id in was):
        if kind := check_kind(was[id].outcome, now[id].outcome):
            kind = kind if was[id].version == now[id].version else Kind.OTHER
            found.append(ClientChange(kind=kind, before=was[id], after=now[id]))
    return tuple(found)


def _of(cells: Sequence[Cell], column: Column) -> Cell:
    return next(cell for cell in cells if cell.column is column)


def _check(before: CheckResult | None, after: CheckResult | None) -> CheckChange | None:
    if before is None or after is None:
        return CheckChange(kind=Kind.NEW if before is None else Kind.GONE, before=before, after=after)
    kind = check_kind(before.outcome, after.outcome)
    return CheckChange(kind=kind, before=before, after=after) if kind else None


def _cell(before: Cell | None, after: Cell) -> CellChange | None:
    """The change of a cell, judged by the checks that both runs have, with the levels that they have now."""
    was = before.word if before else "not measured"
    if was == after.word:
        return None

    def of(kind: Kind, only_new_checks: bool = False) -> CellChange:
        return CellChange(
            kind=kind, feature=after.feature, before=was, after=after.word, only_new_checks=only_new_checks
        )

    if before is None or not before.checks:
        return of(Kind.NEW)
    if not after.checks:
        return of(Kind.GONE)
    now = {check.id: check for check in after.checks}
    both = [replace(check, **_required(now[check.id])) for check in before.checks if check.id in now]
    one, other = status(both), _status(after.checks, {check.id for check in both})
    if one is other:
        return of(Kind.OTHER, only_new_checks=True)
    if one not in _WORTH_OF_CELL or other not in _WORTH_OF_CELL:
        return of(Kind.OTHER)
    return of(Kind.REGRESSION if _WORTH_OF_CELL[other] < _WORTH_OF_CELL[one] else Kind.FIX)


def _required(check: CheckResult) -> dict[str, Any]:
    return {key: getattr(check, key) for key in KEYS}


def _status(checks: Iterable[CheckResult], common: set[str]) -> Status:
    return status(check for check in checks if check.id in common)
