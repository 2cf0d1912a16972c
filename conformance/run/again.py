"""Judge recorded responses without pytest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from conformance.answers.absence import given
from conformance.answers.recording import Source
from conformance.kit.every import Every, Recorded
from conformance.outcomes import Outcome
from conformance.requirements.check import Check
from conformance.results import CheckResult
from conformance.run import catalogue
from conformance.run.judge import Judge
from conformance.run.process import replayed
from fixtures import scenario


def judged(check: Check, source: Source, scenarios: Iterable[str], target: str) -> CheckResult:
    """The result of a check on the responses of `source`; a rule over every exchange judges those of `scenarios`."""
    judge = Judge()
    judge.begin()
    arguments: dict[str, Any] = {}
    problem: Exception | None = None
    try:
        for name in check.scenarios:
            every = name == "every"
            arguments[name] = Every.of_recorded(Recorded(source, scenarios)) if every else given(source, name)
        check.function(**arguments)
    except Exception as raised:
        problem = raised
    return judge.result(check, target=target, problem=problem, arguments=arguments, duration=0, source=source)


def outcomes(file: Path) -> dict[tuple[str, str], Outcome]:
    """The outcome of every check on the exchanges of a results file, by target and check. Raises BadResults."""
    checks = catalogue.load()
    scenario.load()
    _, sources, _ = replayed(file)
    return {
        (name, check.id): judged(check, source, scenario.SCENARIOS, name).outcome
        for name, source in sources.items()
        for check in checks.values()
    }
