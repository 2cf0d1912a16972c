"""Every check of the suite, without running pytest."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping

from conformance.outcomes import Outcome
from conformance.requirements.check import CHECKS, Check
from conformance.results import CheckResult
from fixtures import scenario


def load() -> dict[str, Check]:
    """Import every module of `conformance.checks`, and return `CHECKS`."""
    from conformance import checks

    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    return CHECKS


def results(outcomes: Mapping[str, Outcome], target: str = "") -> list[CheckResult]:
    """The results of checks of which only the outcome is kept, by id; checks that are gone are left out."""
    checks, scenarios = load(), scenario.load()
    found = []
    for id in outcomes:
        if id not in checks:
            continue
        of = checks[id]
        sent = [name for name in of.scenarios if name in scenarios]
        found.append(
            CheckResult(
                id=id,
                target=target,
                feature=of.feature,
                level=of.level,
                core=of.core,
                source=of.source,
                requirement=of.requirement,
                outcome=outcomes[id],
                exchanges=sent,
                controls=[name for name in sent if scenarios[name].control],
            )
        )
    return found
