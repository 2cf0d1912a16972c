"""The results file of a run while the run goes on: each result when it comes, each exchange once."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from backends.errors import CannotWrite
from backends.redaction import Secrets
from backends.target import Target
from conformance import results
from conformance.results import CheckResult
from conformance.results.clients import ClientResult
from conformance.results.gateways import Gateway
from conformance.run import findings
from fixtures import scenario

Recorded = Callable[[str, str], str | dict[str, Any] | None]
"""What was recorded of a target's scenario, as an object or as its JSON; None if nothing was."""


class ResultsFile:
    """What a run has to show. Before it has begun, nothing is kept. All that write raise CannotWrite, and then it has
    not begun: there is nothing to be shown."""

    def __init__(self, recorded: Recorded) -> None:
        self.checks: list[CheckResult] = []
        self.clients: list[ClientResult] = []
        self._recorded = recorded
        self._writer: results.Writer | None = None
        self._written: set[tuple[str, str]] = set()

    @property
    def begun(self) -> bool:
        """Whether this run writes its file; one of an earlier run with the same `--report` may be there."""
        return self._writer is not None

    def begin(self, path: Path, hidden: Secrets, **header: Any) -> None:
        """Write the first line, as `results.Writer.header` has it."""
        self._writer = results.Writer(path, hidden)
        with self._writing() as writer:
            writer.header(**header)

    def check(self, result: CheckResult) -> None:
        """Write the exchanges that show a verdict, and the verdict."""
        if self.begun:
            self.checks.append(result)
            for name in scenario.with_needs(result.exchanges):
                if (result.target, name) not in self._written:
                    self._exchange(result.target, name, self._recorded(result.target, name))
            with self._writing() as writer:
                writer.check(result)

    def client(self, measured: dict[str, Any]) -> None:
        """Write what a real client did: its `result`, and the `recording` that its relay made."""
        if self.begun:
            result = ClientResult.from_json(measured["result"])
            self.clients.append(result)
            with self._writing() as writer:
                writer.exchange(result.target, result.id, measured["recording"])
                writer.client(result)

    def rest(self, targets: Mapping[str, Target]) -> None:
        """Write what is known only at the end: the exchanges that no check read, and the findings."""
        for name, target in targets.items():
            told: dict[str, dict[str, Any]] = {}
            for one in scenario.SCENARIOS:
                if recording := self._recorded(name, one):
                    self._exchange(name, one, recording)
                    told[one] = findings.told(json.loads(recording) if isinstance(recording, str) else recording)
            for found in findings.findings(target.to_json(), told):
                with self._writing() as writer:
                    writer.finding(found)

    def gateway(self, found: Gateway) -> None:
        """Write what a gateway did to what went through it."""
        with self._writing() as writer:
            writer.gateway(found)

    def end(self, *, duration: float, exit_code: int, stopped: str | None) -> None:
        """Write the last line, as `results.Writer.footer` has it."""
        with self._writing() as writer:
            writer.footer(duration=duration, exit_code=exit_code, stopped=stopped)

    def _exchange(self, target: str, name: str, recording: str | dict[str, Any] | None) -> None:
        if recording and (target, name) not in self._written:
            self._written.add((target, name))
            with self._writing() as writer:
                writer.exchange(target, name, recording)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[results.Writer]:
        assert self._writer is not None
        try:
            yield self._writer
        except CannotWrite:
            self._writer = None
            raise
