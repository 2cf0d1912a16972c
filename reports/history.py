"""The runs of a directory as series: what one target was, run after run.

A series is one column of the published matrix. Files belong to the same series if they are of a target of the same
name and lie in the same directory; a directory that only holds the `results.jsonl` of one run does not count, so
`llamacpp-rocm/2026-11-23.jsonl`, `llamacpp-rocm/2026-11-24/results.jsonl` are one series, and what
`pytest` leaves in `reports/runs/` is one series for each target's name.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from markupsafe import Markup, escape

from conformance.results import BadResults, Results, read
from reports import words
from reports.hostile import visible
from reports.merge import runs
from reports.table import Table, count, slug, table

SHOWN = 60
"""Runs that a sparkline shows: two months of nights."""

_HEIGHT = {"yes": 14, "partial": 10, "pass": 14, "lenient": 14, "rejected": 10}
_LOW = 6
"""Pixels of a bar; the colour, the title and the words beside it say which of the low ones it is."""

_UNDECIDED = ("blocked", "error", "not-run")
"""Outcomes of a check that say nothing of the server: with them, nothing has changed."""


@dataclass(frozen=True, kw_only=True)
class Point:
    """A cell, or a check, in one run; `suite` is its version without the commit."""

    started: float
    version: str
    suite: str
    word: str


@dataclass(frozen=True, kw_only=True)
class Series:
    """The runs of one column, oldest first; each has one target."""

    name: str
    runs: tuple[Results, ...]

    @property
    def newest(self) -> float:
        """When the newest run started, in Unix time."""
        return float(self.runs[-1].header["started"])

    @cached_property
    def tables(self) -> tuple[Table, ...]:
        """The table of each run."""
        return tuple(table([run]) for run in self.runs)

    @cached_property
    def _words(self) -> list[dict[str, str]]:
        return [{row.feature.id: row.cells[0].word for row in shown.rows if row.measured} for shown in self.tables]

    @cached_property
    def _outcomes(self) -> list[dict[str, str]]:
        return [{check.id: str(check.outcome) for check in shown.columns[0].checks} for shown in self.tables]

    def points(self, feature: str) -> list[Point]:
        """A cell in each run that measured it."""
        return self._points(feature, self._words)

    def check(self, id: str) -> list[Point]:
        """A check in each run that selected it."""
        return self._points(id, self._outcomes)

    def flaky(self) -> dict[str, str]:
        """The newest run's checks that change from run to run, each with a sentence that says so."""
        said = {id: flaky(self.check(id)) for id in self._outcomes[-1]}
        return {id: sentence for id, sentence in said.items() if sentence}

    def _points(self, of: str, words: list[dict[str, str]]) -> list[Point]:
        return [
            Point(
                started=float(run.header["started"]),
                version=str(run.targets[0].get("version") or "version unknown"),
                suite=str(run.header["suite"]).partition("+")[0],
                word=words_of[of],
            )
            for run, words_of in zip(self.runs, words, strict=True)
            if of in words_of
        ]


@dataclass(frozen=True, kw_only=True)
class History:
    """The history of a check, for its page; `flaky` is empty, or says that the check changes from run to run."""

    picture: Markup
    summary: str
    flaky: str


def series(directory: Path) -> list[Series]:
    """Every series below a directory: by backend, then by name. Raises BadResults."""
    found: dict[tuple[str, str, str], list[Results]] = {}
    for file in sorted(directory.rglob("*.jsonl")):
        folder = file.parent.parent if file.name == "results.jsonl" else file.parent
        inside = folder.relative_to(directory).as_posix() if folder.is_relative_to(directory) else "."
        for run in runs([read(file)]):
            target = run.targets[0]
            found.setdefault((target["backend"], "" if inside == "." else inside, target["name"]), []).append(run)
    if not found:
        raise BadResults(f"No results file below {directory}: name a directory that has some.")
    made = []
    for (_, inside, name), of in sorted(found.items()):
        in_order = sorted(runs(of), key=lambda run: float(run.header["started"]))
        made.append(Series(name=inside or name, runs=tuple(in_order)))
    return made


def streak(points: Sequence[Point]) -> Point | None:
    """The first of the last points that all say the same."""
    first = None
    for point in reversed(points):
        if first is not None and point.word != first.word:
            break
        first = point
    return first


def sparkline(points: Sequence[Point]) -> Markup:
    """The points as bars, oldest first, each with a title that says what and when."""
    shown = points[-SHOWN:]
    bars = []
    for _, same in groupby(enumerate(shown), lambda one: (one[1].word, one[1].version, one[1].suite)):
        of = list(same)
        high = _HEIGHT.get(of[0][1].word, _LOW)
        drawn = "".join(f"M{number * 6} 14v-{high}h5v{high}z" for number, _ in of)
        bars.append(
            Markup('<path class="is-{}" d="{}"><title>{}</title></path>').format(
                slug(of[0][1].word), drawn, _title(of[0][1], of[-1][1])
            )
        )
    counted = [f"{len(list(same))} {word}" for word, same in groupby(point.word for point in shown)]
    label = escape(f"{len(shown)} runs, oldest first: {', '.join(counted)}")
    return Markup('<svg width="{0}" height="14" viewBox="0 0 {0} 14" role="img" aria-label="{1}">{2}</svg>').format(
        max(6 * len(shown) - 1, 5), label, Markup("").join(bars)
    )


def flaky(points: Sequence[Point]) -> str:
    """That a check changes from run to run: it did so, and back, with one version and suite, the newest
    with which it did. Empty if it did not."""
    said = ""
    decided = [point for point in points[-SHOWN:] if point.word not in _UNDECIDED]
    for (version, _), same in groupby(decided, lambda point: (point.version, point.suite)):
        outcomes = [word for word, _ in groupby(point.word for point in same)]
        if len(outcomes) > 2:
            changes = f"{len(outcomes) - 1} times with {version}"
            said = f"Changes from run to run: {changes}, {' and '.join(dict.fromkeys(outcomes))}."
    return said


def summary(points: Sequence[Point]) -> str:
    """`✓ yes since 2026-11-20 (b1), 12 runs`."""
    since = streak(points)
    if since is None:
        return "never measured"
    glyph = {**words.OUTCOME, **words.STATUS}[since.word]
    return f"{glyph} {since.word} since {day(since.started)} ({since.version}), {count(len(points), 'run')}"


def day(started: float) -> str:
    """The date of a run, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(started))


def _title(first: Point, last: Point) -> str:
    days = " to ".join(dict.fromkeys((day(first.started), day(last.started))))
    return visible(f"{days} {first.word}: {first.version}, suite {first.suite}")
