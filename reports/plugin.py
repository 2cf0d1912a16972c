"""The pytest plugin that shows a run: the matrix in the terminal, then the page, however the run ended."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol, cast

import pytest

from conformance.outcomes import Outcome
from conformance.results import read
from conformance.run.options import HOME
from reports import debug_log, page, terminal
from reports.table import table

LATEST = HOME / "latest"
"""A link to the directory of the last run below `HOME` that measured anything; one with a report elsewhere does not
move it."""


class _Run(Protocol):
    """What is used of the run that `conformance.plugin` registers in the main process."""

    stopped: str | None

    @property
    def results_file(self) -> Path: ...
    @property
    def has_results(self) -> bool: ...


def pytest_configure(config: pytest.Config) -> None:
    run = config.pluginmanager.get_plugin("conformance-run")
    if run is None or not hasattr(run, "results_file") or config.option.collectonly:
        return
    config.pluginmanager.register(_Show(config, cast(_Run, run)), "conformance-report")


class _Show:
    """Shows the run once, after its results have their footer."""

    def __init__(self, config: pytest.Config, run: _Run) -> None:
        self._run = run
        self._done = False
        self._verbose = config.option.verbose > 0
        debug_log.ask_for(config, run.results_file.parent)
        config.pluginmanager.register(debug_log.EscapedCells())

    # The summary is asked for after every pytest_sessionfinish, so after the footer; ours comes before what others add.
    @pytest.hookimpl(tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        def show(text: str) -> None:
            terminalreporter.ensure_newline()
            terminalreporter.write(text if text.endswith("\n") else text + "\n")

        writer = config.get_terminal_writer()
        self._show(show, writer.fullwidth, writer.hasmarkup)

    def pytest_unconfigure(self) -> None:
        """After an internal error, or with --no-summary, pytest requests no summary; the page is written anyway."""
        self._show(lambda text: None, 80, False)

    def _show(self, show: Any, width: int, colour: bool) -> None:
        if self._done:
            return
        self._done = True
        if not self._run.has_results:
            return
        results_file = self._run.results_file
        try:
            results = read(results_file)
            show("\n" + terminal.text(table([results]), width=width, colour=colour, verbose=self._verbose))
            show(f"\nReport: {page.build([results], results_file.parent)}")
            if any(check.outcome is not Outcome.NOT_RUN for check in results.checks):
                _point_latest_at(results_file.parent)
        except (
            Exception
        ) as problem:  # Whatever is wrong with a page, the results are there, and the run's exit code stands.
            show(f"\nThe report could not be made ({type(problem).__name__}: {problem}).\nResults: {results_file}")


def _point_latest_at(directory: Path) -> None:
    """Best effort: not every file system has links."""
    if not directory.resolve().is_relative_to(LATEST.parent.resolve()):
        return
    try:
        fresh = LATEST.with_name(f".latest-{os.getpid()}")
        fresh.symlink_to(directory.resolve(), target_is_directory=True)
        fresh.replace(LATEST)
    except OSError:
        pass
