"""Judge recorded responses without pytest."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from backends.redaction import Secrets
from conformance.answers.absence import given
from conformance.answers.recording import Source
from conformance.kit.every import Every, Recorded
from conformance.outcomes import Outcome
from conformance.requirements.check import Check
from conformance.results import CheckResult
from conformance.run import catalogue
from conformance.run.judge import Judge
from conformance.run.replaying import replayed
from fixtures import scenario


def judged(
    check: Check, argument: Callable[[str], Any], target: str, source: Source | None = None, hidden: Secrets = ()
) -> CheckResult:
    """The result of a check; `argument` gives what it gets for the parameter of a name, or raises its verdict."""
    judge = Judge(hidden)
    judge.begin()
    arguments: dict[str, Any] = {}
    problem: Exception | None = None
    try:
        for name in check.scenarios:
            arguments[name] = argument(name)
        check.function(**arguments)
    except Exception as raised:
        problem = raised
    return judge.result(check, target=target, problem=problem, arguments=arguments, duration=0, source=source)


def recorded(source: Source, every: Recorded, name: str, known: Recorded | None = None) -> Any:
    """What a check gets for a parameter; a rule over every exchange judges the responses of `every`, and may compare
    them with those that are `known`."""
    return Every.of_recorded(every, known) if name == "every" else given(source, name)


def outcomes(file: Path) -> dict[tuple[str, str], Outcome]:
    """The outcome of every check on the exchanges of a results file, by target and check. Raises BadResults."""
    checks = catalogue.load()
    scenario.load()
    _, sources, _ = replayed(file)
    return {
        (name, check.id): judged(check, partial(recorded, source, every), name, source).outcome
        for name, source in sources.items()
        for every in [Recorded(source, scenario.SCENARIOS)]
        for check in checks.values()
    }
