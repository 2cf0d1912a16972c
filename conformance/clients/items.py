"""The tasks of the chosen clients as items of pytest, with `--clients`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from backends.printable import printable
from conformance.clients.data import Row
from conformance.clients.measure import Reference, measure, unmeasured
from conformance.outcomes import Outcome
from conformance.results.clients import ClientResult

MARK = "clients"


class ClientItem(pytest.Item):
    """One task of a client with a target. Its report has the result and the exchanges as `client`."""

    def __init__(self, *, row: Row, task: str, target: str, run: Any, **more: Any) -> None:
        super().__init__(**more)
        self._row, self._task, self._target, self._run = row, task, target, run
        self.add_marker(MARK)
        self.measured: tuple[ClientResult, dict[str, Any]] | None = None

    def runtest(self) -> None:
        nothing = unmeasured(self._row, self._task, self._target)
        if (stopped := self._run.stopped) is not None:
            self.measured = replace(nothing, outcome=Outcome.NOT_RUN, message=stopped), {"unsent": stopped}
            return
        try:
            self.measured = measure(self._row, self._task, self._run.targets[self._target], self._run.reference)
        except Exception as problem:
            why = f"a defect of the suite: {type(problem).__name__}: {problem}"
            self.measured = replace(nothing, outcome=Outcome.ERROR, message=why), {"unsent": why, "broken": True}

    def reportinfo(self) -> tuple[Any, None, str]:
        return self.path, None, self.name


def collect(session: pytest.Session, rows: Iterable[Row], targets: Iterable[str], run: Any) -> list[pytest.Item]:
    """An item for each task of each client with each target. `run` has the targets, the reference, and why the run
    cannot measure anything."""
    return [
        ClientItem.from_parent(
            session, name=name, nodeid=f"clients::{name}", row=row, task=task, target=target, run=run
        )
        for row in rows
        for task in row.client.tasks
        for target in targets
        for name in [f"{row.id}.{task}[{target}]"]
    ]


def report_of(item: pytest.Item, report: pytest.TestReport) -> pytest.TestReport:
    """The report of an item with its result, and with the outcome that pytest shows."""
    if not isinstance(item, ClientItem) or item.measured is None:
        return report
    result, recording = item.measured
    outcome = result.outcome
    report.outcome = "passed" if outcome.good else "failed" if outcome.bad else "skipped"
    cause = f" ({result.cause}: {', '.join(result.checks)})" if result.cause else ""
    text = printable(f"{outcome.upper()} {result.client}.{result.api}.{result.task}: {result.message}{cause}")
    report.longrepr = None if report.passed else ("clients", 0, text) if report.skipped else text
    report.client = {"result": result.to_json(), "recording": recording}  # type: ignore[attr-defined]
    return report


__all__ = ["MARK", "ClientItem", "Reference", "collect", "report_of"]
