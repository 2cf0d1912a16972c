"""The same requests without the gateway: a check that also does not pass there does not count against the gateway."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backends.target import Target
from backends.wire import Exchange
from conformance.answers.absence import given
from conformance.kit.every import Every, Recorded
from conformance.outcomes import Outcome
from conformance.requirements.check import Check
from conformance.results import CheckResult
from conformance.run.judge import Judge, problem_of
from conformance.run.recorder import Recorder
from fixtures import scenario

EVERY = "every"


class Direct:
    """A separate reference, to which requests of failed checks are sent. `target` starts it when it is first needed."""

    def __init__(
        self, target: Callable[[], Target | None], directory: Path, timeout: float, needed: Sequence[str]
    ) -> None:
        self._target = target
        self._directory = directory / "direct"
        self._timeout = timeout
        self._needed = needed
        self._recorder: Recorder | None = None
        self._responses: Recorded | None = None

    def settle(self, check: Check, result: CheckResult) -> CheckResult:
        """The result, or `blocked` if the check does not pass without the gateway either."""
        source = self._source()
        if not result.outcome.bad or source is None:
            return result
        arguments: dict[str, Any] = {}
        judge = Judge()
        problem: BaseException | None = None
        try:
            arguments = {
                name: self._every(source) if name == EVERY else given(source, name) for name in check.scenarios
            }
        except Exception as unmet:
            problem = unmet
        direct = judge.result(
            check, target=result.target, problem=problem or problem_of(check, arguments), arguments=arguments,
            duration=0.0, source=source,
        )  # fmt: skip
        if direct.outcome.good:
            return result
        why = (
            f"not judged: without the gateway, the check is also {direct.outcome} ({direct.message}); {result.message}"
        )
        return replace(result, outcome=Outcome.BLOCKED, message=why, breaks=[], expected="", actual="")

    def exchange(self, name: str) -> Exchange | None:
        """An exchange by its name, `stop_many[2]`; None if there is none."""
        wanted, _, number = name.partition("[")
        source = self._source()
        exchanges = source.recording(wanted).exchanges if source else []
        at = int(number.rstrip("]") or 1) - 1
        return exchanges[at] if at < len(exchanges) else None

    def close(self) -> None:
        """Send nothing more."""
        if self._recorder:
            self._recorder.close()

    def _source(self) -> Recorder | None:
        if self._recorder is None and (target := self._target()):
            self._recorder = Recorder(target, self._directory, timeout=self._timeout)
        return self._recorder

    def _every(self, source: Recorder) -> Every:
        if self._responses is None:
            self._responses = Recorded(source, scenario.with_needs(self._needed or scenario.SCENARIOS))
        return Every.of_recorded(self._responses)
