"""What each version of a server changed, and since which version a check or a cell has its present outcome."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

from markupsafe import Markup

from backends.suite import ROOT
from conformance.outcomes import Outcome
from conformance.requirements import matrix
from conformance.requirements.check import Check
from conformance.results import CheckResult
from conformance.results.grading import Status, grade
from conformance.results.versions import DECIDED, in_order, load, outcomes
from conformance.run import catalogue
from reports import words
from reports.diff import Kind, check_kind
from reports.history import Point, sparkline

FILES = ROOT / "docs" / "versions"
"""Where the measured versions of each backend are, as NAME.json."""


@dataclass(frozen=True, kw_only=True)
class Story:
    """How a check, or a cell, ended on each version that decided it, oldest first; there is at least one."""

    points: tuple[Point, ...]

    @property
    def picture(self) -> Markup:
        """A bar for each version; nothing if all are the same, of which a page has hundreds."""
        return sparkline(self.points) if self.since.before else Markup("")

    @property
    def since(self) -> Since:
        """Since when it has its present outcome."""
        streaks = [list(same) for _, same in groupby(self.points, lambda point: point.word)]
        now = streaks[-1][0]
        before = streaks[-2][-1] if len(streaks) > 1 else None
        return Since(
            word=now.word,
            version=now.version,
            before=before.word if before else "",
            until=before.version if before else "",
        )


@dataclass(frozen=True, kw_only=True)
class Since:
    """A word, the version that brought it, and what was before it and until when; nothing was before the oldest."""

    word: str
    version: str
    before: str
    until: str

    def __str__(self) -> str:
        glyph = {**words.OUTCOME, **words.STATUS}[self.word]
        if not self.before:
            return f"{glyph} {self.word} since {self.version}, the oldest that was measured"
        return f"{glyph} {self.word} since {self.version}; {self.before} until {self.until}"


@dataclass(frozen=True, kw_only=True)
class Change:
    """A check that a version brought or broke; `check` is None if the suite has it no more."""

    id: str
    check: Check | None
    before: Outcome
    after: Outcome
    kind: Kind | None


@dataclass(frozen=True, kw_only=True)
class Version:
    """One version: how all checks ended on it, the words of its cells, and what it changed. `measured`: Unix time."""

    name: str
    suite: str
    measured: float
    outcomes: dict[str, Outcome]
    cells: dict[str, str]
    changes: tuple[Change, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many checks ended how."""
        counted = Counter(self.outcomes.values())
        return {str(outcome): counted[outcome] for outcome in Outcome if counted[outcome]}

    def of(self, kind: Kind) -> list[Change]:
        """The changes of a kind."""
        return [change for change in self.changes if change.kind is kind]


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """The measured versions of a backend, oldest first."""

    backend: str
    versions: tuple[Version, ...]

    def check(self, id: str) -> Story | None:
        """The story of a check; None if no version decided it."""
        return self._story({v.name: v.outcomes[id] for v in self.versions if v.outcomes.get(id) in DECIDED})

    def cell(self, feature: str) -> Story | None:
        """The story of a row's cell."""
        words = {v.name: v.cells.get(feature, Status.UNKNOWN) for v in self.versions}
        return self._story({name: word for name, word in words.items() if word != Status.UNKNOWN})

    def _story(self, words: Mapping[str, str]) -> Story | None:
        points = tuple(
            Point(started=v.measured, version=v.name, suite=v.suite.partition("+")[0], word=str(words[v.name]))
            for v in self.versions
            if v.name in words
        )
        return Story(points=points) if points else None


def timeline(kept: Mapping[str, Any], backend: str) -> Timeline:
    """The versions of a file. A check changed if its outcome differs from that in the last version that decided it.

    Cells are graded by the checks that all versions were measured by, with the levels of today.
    """
    checks = catalogue.load()
    before: dict[str, Outcome] = {}
    made = []
    had = [{id for id, _ in outcomes(kept, name)} for name in kept["versions"]]
    common = set.intersection(*had) if had else set()
    for name in in_order(kept["versions"]):
        one, now = kept["versions"][name], dict(outcomes(kept, name))
        decided = {id: outcome for id, outcome in now.items() if outcome in DECIDED}
        changes = tuple(
            Change(
                id=id,
                check=checks.get(id),
                before=before[id],
                after=outcome,
                kind=check_kind(before[id], outcome),
            )
            for id, outcome in sorted(decided.items())
            if before.get(id, outcome) is not outcome
        )
        made.append(
            Version(
                name=name,
                suite=one["suite"],
                measured=one["measured"],
                outcomes=now,
                cells=_cells({id: outcome for id, outcome in now.items() if id in common}),
                changes=changes,
            )
        )
        before |= decided
    return Timeline(backend=backend, versions=tuple(made))


@cache
def of_backend(backend: str) -> Timeline | None:
    """The measured versions of a backend; None if there are none."""
    # A backend's name comes from a results file, and becomes part of a path.
    file = FILES / f"{backend}.json"
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", backend) or not file.exists():
        return None
    return timeline(load(file), backend)


def measured() -> list[Timeline]:
    """Every backend of which versions were measured."""
    return [found for file in sorted(FILES.glob("*.json")) if (found := of_backend(file.stem))]


def markdown(found: Timeline) -> str:
    """What each version changed, newest first."""
    suites = sorted({version.suite for version in found.versions})
    said = [
        f"# {found.backend} by version",
        "",
        f"Made by `python -m reports versions {found.backend}` from `{found.backend}.json`; measured by "
        f"{', '.join(suites)}. A change is a check that ended better or worse than on the last version that "
        "decided it.",
    ]
    for version in reversed(found.versions):
        counts = ", ".join(f"{number} {word}" for word, number in version.counts.items())
        said += ["", f"## {version.name}", "", f"{counts}."]
        lines = [
            f"- {word}: `{change.id}` ({change.before} → {change.after})"
            for kind, word in ((Kind.REGRESSION, "Regressed"), (Kind.FIX, "Fixed"))
            for change in version.of(kind)
        ]
        said += ["", *lines] if lines else []
    return "\n".join(said) + "\n"


def _cells(ended: Mapping[str, Outcome]) -> dict[str, str]:
    """The status of each row."""
    rows: dict[str, list[CheckResult]] = {}
    for result in catalogue.results(ended):
        rows.setdefault(result.feature, []).append(result)
    return {row: str(grade(of, matrix.features()[row].cores).status) for row, of in rows.items()}
