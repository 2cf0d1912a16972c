"""How a run ends: its exit code, by its results."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from conformance.outcomes import Level, Outcome
from conformance.results import CheckResult
from conformance.results.clients import ClientResult

_UNMEASURED = (Outcome.BLOCKED, Outcome.NOT_RUN)


def nothing_judged(checks: Sequence[CheckResult], clients: Sequence[ClientResult]) -> bool:
    """Whether there are results, and all of them are blocked or not-run."""
    outcomes = [*(one.outcome for one in checks), *(one.outcome for one in clients)]
    return bool(outcomes) and all(outcome in _UNMEASURED for outcome in outcomes)


def exit_code(
    pytests: int, checks: Sequence[CheckResult], clients: Sequence[ClientResult], fail_on: Level | None
) -> int:
    """pytest's exit code, but what fails a run is a violation of at least the level `fail_on`, and, with `--known`,
    only one that is not listed; a run that judged nothing has the code of a run without tests."""
    if not (checks or clients) or pytests not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
        return pytests
    if nothing_judged(checks, clients):
        return int(pytest.ExitCode.NO_TESTS_COLLECTED)
    failed = any(_fails(one, fail_on) for one in checks) or (fail_on and any(one.outcome.bad for one in clients))
    return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)


def _fails(result: CheckResult, fail_on: Level | None) -> bool:
    if result.known == "known" or result.later:
        return False
    order = list(Level)
    counts = fail_on is not None and order.index(result.level) <= order.index(fail_on)
    return result.outcome is Outcome.ERROR or result.known == "stale" or (result.outcome.bad and counts)
