"""The matrix as data: columns, rows, cells and claims, from results files. Every page and the terminal read this."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from markupsafe import Markup

from conformance.outcomes import Level, Outcome
from conformance.requirements import matrix
from conformance.requirements.matrix import Feature
from conformance.results import CheckResult, Results
from conformance.results.causes import Cause, causes
from conformance.results.gateways import Gateway
from conformance.results.grading import Agreement, Grade, Status, agreement, grade
from reports.known import applying

OTHER = "Rows of other suite versions"
"""The group of features that results have and `matrix.toml` does not."""

QUICK = "A quick look (--profile=core): only the most important checks of the rows in the guide's tables."

_LEVELS = list(Level)
_WORST_FIRST = [
    Outcome.ERROR,
    Outcome.IGNORED,
    Outcome.FAIL,
    Outcome.TIMEOUT,
    Outcome.REJECTED,
    Outcome.INCONCLUSIVE,
    Outcome.BLOCKED,
    Outcome.NOT_RUN,
    Outcome.LENIENT,
    Outcome.PASS,
]


@dataclass(frozen=True, kw_only=True)
class Column:
    """A target of a results file. `key` is unique in the table and fit for links and file names.

    `checks` are in the grade; `later` are those that the run's revision of requirements lacks. `recorded` keeps
    exchanges, and `rendered` what pages made of them, by scenario and number.
    """

    key: str
    number: int
    target: dict[str, Any]
    results: Results
    checks: tuple[CheckResult, ...]
    later: tuple[CheckResult, ...] = ()
    recorded: dict[str, dict[str, Any] | None] = field(default_factory=dict, compare=False, repr=False)
    rendered: dict[tuple[str, int], Markup] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The target's name, as the run called it."""
        return str(self.target["name"])

    @property
    def backend(self) -> str:
        """The kind of server."""
        return str(self.target["backend"])

    @property
    def version(self) -> str:
        """The server's version, or that it is unknown."""
        return str(self.target.get("version") or "version unknown")

    @property
    def requirements(self) -> str:
        """The revision of requirements that the run judged by; empty in old files."""
        return str(self.results.header.get("requirements", ""))

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many checks ended how, worst first; those without any are left out."""
        return tally(self.checks)

    @cached_property
    def causes(self) -> list[Cause]:
        """Why checks did not pass, by `conformance.results.causes`; clean rejections are left out."""
        findings = [found for found in self.results.findings if found.target == self.name]
        changes = [change for one in self.gateways for change in one.changes]
        return [cause for cause in causes(self.checks, findings, applying(self), changes) if cause.told]

    @property
    def gateways(self) -> list[Gateway]:
        """How it changed requests and responses, if it is a gateway with the reference behind it."""
        return [one for one in self.results.gateways if one.target == self.name]

    @property
    def not_run(self) -> dict[str, int]:
        """Why checks did not run, with how many, most first."""
        return dict(Counter(c.message for c in self.checks if c.outcome is Outcome.NOT_RUN).most_common())

    @property
    def stopped(self) -> bool:
        """Whether the server is gone: the run had started it."""
        return str(self.target["found"]).startswith("started ")

    @property
    def restart(self) -> str:
        """The command that starts it again, if there is one."""
        return str(self.target["details"].get("command", ""))

    def restarts(self, url: str) -> bool:
        """Whether that command starts the server that answered there: a process has one role, containers have all."""
        deployments = self.target["deployments"]
        own = not deployments or url.startswith(str(deployments[0]["base_url"]))
        return own or "in a container" in self.target["found"]

    @property
    def trouble(self) -> str | None:
        """Why this column is not a complete run: it was interrupted, stopped, or only a quick look.

        None for a complete run.
        """
        footer = self.results.footer
        if footer is None:
            return "Incomplete: the run was interrupted, and its results file has no end."
        stopped = footer.get("stopped")
        return f"Stopped: {stopped}" if stopped else QUICK if self.quick else None

    @property
    def quick(self) -> bool:
        """Whether the run was to measure only the profile `core`."""
        return bool(self.results.header.get("profile") == "core")

    def exchanges(self, scenario: str) -> dict[str, Any] | None:
        """What was recorded of a scenario, as the results file has it."""
        if scenario not in self.recorded:
            self.recorded[scenario] = self.results.exchanges.get((self.name, scenario))
        return self.recorded[scenario]

    def forget(self) -> None:
        """Forget the rendered exchanges, because all of them would need too much memory."""
        self.recorded.clear()
        self.rendered.clear()


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a document says of a cell, beside the measurement."""

    source: str
    says: str
    agreement: Agreement

    @property
    def wrong(self) -> bool:
        """Whether the measurement contradicts it."""
        return self.agreement in (Agreement.OVERCLAIMED, Agreement.UNDERCLAIMED)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A feature on a target: its checks, worst first, their status, and the claims. Without checks: not measured."""

    column: Column
    feature: Feature
    checks: tuple[CheckResult, ...]

    @cached_property
    def grade(self) -> Grade:
        """The status and why, by `conformance.results.grading`."""
        return grade(self.checks, self.feature.cores)

    @property
    def status(self) -> Status:
        """The status."""
        return self.grade.status

    @property
    def because(self) -> str:
        """What fails for a user, or what a `yes` does not cover, in a few words; may be empty."""
        return self.grade.because if self.checks else ""

    @property
    def word(self) -> str:
        """The status in a word."""
        return str(self.status) if self.checks else "not measured"

    @property
    def outcomes(self) -> dict[Outcome, int]:
        """How many checks ended how, worst first."""
        return tally(self.checks)

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The claims of each document that has one."""
        said = ((s, self.feature.claim(s, self.column.backend)) for s in matrix.CLAIM_SOURCES)
        return tuple(
            Claim(source=source, says=says, agreement=self._modest(found))
            for source, says in said
            if says and (found := agreement(says, self.status))
        )

    def _modest(self, found: Agreement) -> Agreement:
        """A quick look shows that a document claims too much, but never that it claims too little."""
        return Agreement.UNVERIFIED if self.column.quick and found is Agreement.UNDERCLAIMED else found

    @property
    def surprising(self) -> bool:
        """Whether the measurement contradicts a claim."""
        return any(claim.wrong for claim in self.claims)

    @property
    def said(self) -> list[tuple[Claim, list[str]]]:
        """The claims, each with all the sources that say the same."""
        sources: dict[str, list[str]] = {}
        for claim in self.claims:
            sources.setdefault(claim.says, []).append(claim.source)
        return [(next(c for c in self.claims if c.says == says), of) for says, of in sources.items()]

    def claim(self, source: str) -> Claim | None:
        """The claim of one document."""
        return next((c for c in self.claims if c.source == source), None)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A feature on every target."""

    feature: Feature
    cells: tuple[Cell, ...]

    @property
    def measured(self) -> bool:
        """Whether any target has a check of it."""
        return any(c.checks for c in self.cells)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The whole matrix."""

    columns: tuple[Column, ...]
    groups: dict[str, tuple[Row, ...]]

    @property
    def rows(self) -> list[Row]:
        """Every row."""
        return [row for rows in self.groups.values() for row in rows]

    @property
    def disagreements(self) -> dict[Agreement, list[tuple[Cell, Claim, list[str]]]]:
        """The claims that the measurement contradicts, with the sources that say the same: over-, then underclaims."""
        said = [(c, claim, of) for row in self.rows for c in row.cells for claim, of in c.said]
        kinds = (Agreement.OVERCLAIMED, Agreement.UNDERCLAIMED)
        found = {kind: [one for one in said if one[1].agreement is kind] for kind in kinds}
        return {kind: some for kind, some in found.items() if some}

    @property
    def violations(self) -> list[CheckResult]:
        """The checks that are a reason to fail a run: MUST first, then in the order of the matrix."""
        order = {row.feature.id: number for number, row in enumerate(self.rows)}
        bad = [c for column in self.columns for c in column.checks if c.outcome.bad]
        return sorted(bad, key=lambda c: (_LEVELS.index(c.level), order[c.feature], c.id))


def table(results: Sequence[Results]) -> Table:
    """Put results files side by side: a column for each target of each, in the order given."""
    columns: list[Column] = []
    taken: set[str] = set()
    for one in results:
        checks = one.with_not_run()
        for target in one.targets:
            columns.append(
                Column(
                    key=_unique(slug(str(target["name"])), taken),
                    number=len(columns) + 1,
                    target=target,
                    results=one,
                    checks=tuple(c for c in checks if c.target == target["name"] and not c.later),
                    later=tuple(c for c in checks if c.target == target["name"] and c.later),
                )
            )
    rows = {feature.id: _row(feature, columns) for feature in _features(columns)}
    groups: dict[str, tuple[Row, ...]] = {}
    for row in rows.values():
        groups[row.feature.group] = (*groups.get(row.feature.group, ()), row)
    return Table(columns=tuple(columns), groups=groups)


def tally(checks: Iterable[CheckResult]) -> dict[Outcome, int]:
    """How many checks ended how, worst first."""
    counted = Counter(c.outcome for c in checks)
    return {outcome: counted[outcome] for outcome in _WORST_FIRST if counted[outcome]}


def count(number: int, thing: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


@lru_cache(maxsize=10_000)
def slug(name: str) -> str:
    """A name fit for file names and fragments of links."""
    return re.sub(r"[^A-Za-z0-9._@-]", "_", name)[:120].strip(".") or "_"


def _unique(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name.lower() in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name.lower())
    return name


def _features(columns: Iterable[Column]) -> list[Feature]:
    known = matrix.features()
    others = dict.fromkeys(c.feature for column in columns for c in column.checks if c.feature not in known)
    return [
        *known.values(),
        *(Feature(id=other, title=other, group=OTHER, what="", also=(), cores={}, claims={}) for other in others),
    ]


def _row(feature: Feature, columns: Iterable[Column]) -> Row:
    def worst_first(check: CheckResult) -> tuple[int, int, str]:
        return _WORST_FIRST.index(check.outcome), _LEVELS.index(check.level), check.id

    return Row(
        feature=feature,
        cells=tuple(
            Cell(
                column=column,
                feature=feature,
                checks=tuple(sorted((c for c in column.checks if c.feature == feature.id), key=worst_first)),
            )
            for column in columns
        ),
    )
