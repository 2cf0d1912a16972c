"""What a run reports about itself: what it will cost and, on a terminal, how far it is."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from backends import suite
from conformance.run import cost
from conformance.run.sending import Budget

ENOUGH = 20
"""Recorded scenarios after which the rest can be estimated, if they are also `SHARE` of the work."""

SHARE = 0.05

LARGE = 100
"""A run with at least this many requests says what it costs."""

OFTEN = 0.5
"""Seconds between two updates of how far the run is."""


class Progress:
    """How far the recording is, by the files that all processes of the run write, in `directory/TARGET/`.

    `slots` has each target with the number of its slots. `quick` are the scenarios of the profile `core`, where the
    run has more than these.
    """

    def __init__(
        self,
        config: pytest.Config,
        directory: Path,
        slots: Mapping[str, int],
        names: Iterable[str],
        quick: Iterable[str],
        checks: int,
        budget: Budget | None,
    ) -> None:
        self._terminal = config.pluginmanager.get_plugin("terminalreporter")
        self._writer = config.get_terminal_writer()
        self._directory = directory
        self._checks = checks
        self._budget = budget
        names, quick = list(names), list(quick)
        self._cost = cost.of(names * len(slots))
        self._work = {(t, name): cost.work(name, number) for t, number in slots.items() for name in names}
        self._quick = sum(cost.work(name, number) for number in slots.values() for name in quick)
        self._begun = self._looked = time.monotonic()
        self._done: set[tuple[str, str]] = set()
        self._said = self._cost.requests < LARGE
        self._live = bool(self._terminal) and config.option.verbose == 0 and sys.stdout.isatty()
        if self._terminal and (self._live or suite.started_as):  # Files of an installed suite tell a user nothing.
            self._terminal.showfspath = False

    @property
    def live(self) -> bool:
        """Whether one line of the terminal shows how far the run is, and not a letter for each check."""
        return self._live

    def look(self, judged: int, violations: int) -> None:
        """Say what there is to say, now that so many checks are judged."""
        if self._terminal is None or (time.monotonic() - self._looked < OFTEN and judged < self._checks):
            return
        self._looked = time.monotonic()
        if not self._said or self._live:
            self._done = {key for key in self._work if (self._file(*key)).exists()}
        if not self._said and self._knows():
            self._said = True
            self.before_line()
            self._terminal.write_line(self._whole())
        if self._live:
            words = [f"{judged} of {self._checks} checks"]
            words += [f"{violations} violation{'s' * (violations != 1)}"] if violations else []
            if (left := self._seconds_left(judged)) is not None:
                words.append(f"about {shown(left)} left")
            self._terminal.rewrite(", ".join(words), erase=True)

    def before_line(self) -> None:
        """Make room for another line of text."""
        if self._live and self._terminal:
            self._terminal.rewrite("", erase=True)
            self._terminal.rewrite("")
        elif self._writer.width_of_current_line:
            self._writer.line()

    def _file(self, target: str, name: str) -> Path:
        return self._directory / target.replace("/", "_") / f"{name}.json"

    def _worked(self) -> float:
        return sum(self._work[key] for key in self._done)

    def _knows(self) -> bool:
        """Whether enough is recorded to estimate the rest."""
        return len(self._done) >= ENOUGH and self._worked() >= SHARE * sum(self._work.values())

    def _seconds(self, work: float) -> float:
        """How long some work takes, by what was done up to now."""
        return (self._looked - self._begun) * work / self._worked()

    def _seconds_left(self, judged: int) -> float | None:
        if judged == self._checks or not (self._knows() or (self._done and len(self._done) == len(self._work))):
            return None
        if judged and len(self._done) == len(self._work):  # All is recorded, and judging takes its time.
            return (self._looked - self._begun) * (self._checks - judged) / judged
        left = self._seconds(sum(self._work.values()) - self._worked())
        return min(left, max(0.0, self._budget.end - self._looked)) if self._budget else left

    def _whole(self) -> str:
        """What the whole run costs: known requests and tokens, scaled by what this server's model has written."""
        told = cost.of(name for _, name in self._done).tokens
        wrote = sum(cost.generated(json.loads(self._file(*key).read_bytes())) for key in self._done)
        tokens = self._cost.tokens * (wrote / told if told else 1)
        first = shown(self._looked - self._begun)
        words = [
            f"cost: about {rounded(self._cost.requests)} requests and {rounded(tokens)} generated tokens, "
            f"about {shown(self._seconds(sum(self._work.values())))} with this server "
            f"(its first {len(self._done)} scenarios took {first})"
        ]
        if self._budget:
            words.append(f"it stops after --budget={self._budget.text}")
        elif self._quick:
            words.append(f"--profile=core takes about {shown(self._seconds(self._quick))}")
        return "; ".join(words)


def shown(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def rounded(number: float) -> str:
    """Two digits of a number, and zeros."""
    whole = round(number)
    return f"{round(whole, 2 - len(str(whole))):,}"
