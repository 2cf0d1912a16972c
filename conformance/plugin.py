"""The pytest plugin: options, marks, a fixture for each scenario, and the run that does the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.answers.absence import given
from conformance.kit.every import Every
from conformance.outcomes import Level
from conformance.requirements import matrix
from conformance.run import options
from conformance.run.main import MainRun
from conformance.run.process import Run, WorkerRun
from fixtures import scenario

CHECKS_DIRECTORY = Path(__file__).parent / "checks"


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
    if not _measures(config):
        return
    scenario.load()
    asked = options.parse(config)
    worker = getattr(config, "workerinput", None)
    run = MainRun(config, asked) if worker is None else WorkerRun(config, asked, worker["conformance"])
    config.pluginmanager.register(run, "conformance-run")
    config.pluginmanager.register(_scenario_fixtures(run), "conformance-scenarios")


def _measures(config: pytest.Config) -> bool:
    """Whether the arguments select checks; `pytest tests` starts no server."""
    asked = config.option
    if asked.help or asked.version or getattr(asked, "showfixtures", False) or getattr(asked, "markers", False):
        return False
    paths = [Path(config.invocation_params.dir, arg.partition("::")[0]).resolve() for arg in config.args]
    return any(CHECKS_DIRECTORY.is_relative_to(p) or p.is_relative_to(CHECKS_DIRECTORY) for p in paths)


def _scenario_fixtures(run: Run) -> object:
    """A plugin with a fixture for each scenario: that is how a check's parameters find their answers."""

    def make(name: str) -> Callable[..., Any]:
        def answer(self: object, target: str) -> Any:
            return given(run.source(target), name)

        return pytest.fixture(name=name)(answer)

    class ScenarioFixtures:
        @pytest.fixture
        def every(self, target: str) -> Every:
            """All recorded answers."""
            return run.every(target)

    for name in scenario.SCENARIOS:
        setattr(ScenarioFixtures, name, make(name))
    return ScenarioFixtures()
