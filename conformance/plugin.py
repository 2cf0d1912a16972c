"""The pytest plugin: options, marks, a fixture for each scenario, and the run that does the rest."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from conformance.answers.absence import given
from conformance.clients import items as clients
from conformance.outcomes import Level
from conformance.requirements import matrix
from conformance.run import internals, options
from conformance.run.main import MainRun
from conformance.run.process import Run, WorkerRun
from fixtures import scenario

EVERY = "every"
"""The parameter of a check that judges all recorded answers."""


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    options.add(parser)
    config = pluginmanager.get_plugin("pytestconfig")
    options.suggest(parser, map(str, config.invocation_params.args) if config else ())


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for level in Level:
        config.addinivalue_line("markers", f"{level.lower()}: checks of this level")
    for feature in matrix.features().values():
        config.addinivalue_line("markers", f"{feature.id}: checks of the row {feature.title}")
    config.addinivalue_line("markers", f"{clients.MARK}: real clients, with --clients")
    options.take_urls(config)
    if not _measures(config):
        return
    scenario.load()
    asked = options.parse(config)
    worker = getattr(config, "workerinput", None)
    run = MainRun(config, asked) if worker is None else WorkerRun(config, asked, worker["conformance"])
    config.pluginmanager.register(run, "conformance-run")
    answers = internals.fixtures([EVERY, *scenario.SCENARIOS], partial(_answer, run))
    config.pluginmanager.register(answers, "conformance-scenarios")


def _measures(config: pytest.Config) -> bool:
    """Whether the arguments select checks; `pytest tests` starts no server."""
    asked = config.option
    if asked.help or asked.version or getattr(asked, "showfixtures", False) or getattr(asked, "markers", False):
        return False
    paths = [Path(config.invocation_params.dir, arg.partition("::")[0]).resolve() for arg in config.args]
    return any(options.CHECKS.is_relative_to(p) or p.is_relative_to(options.CHECKS) for p in paths)


def _answer(run: Run, name: str, target: str) -> Any:
    """What a check gets for its parameter `name`."""
    return run.every(target) if name == EVERY else given(run.source(target), name)
