"""pytest-html's report as the debug log of a run; every cell is escaped here, because it does not do that itself."""

from __future__ import annotations

import html
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from reports.hostile import cut, visible

NAME = "debug.html"


def ask_for(config: pytest.Config, directory: Path) -> None:
    """Let pytest-html write into the directory, unless the user chose another file or pytest-html is not installed."""
    if getattr(config.option, "htmlpath", "no such option") is None:
        config.option.htmlpath = str(directory / NAME)
        config.option.self_contained_html = True


class EscapedCells:
    """pytest-html's hooks. What it puts into its page is HTML to it, whoever wrote it."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """The log may not fit on the disk; the results are more important."""
        try:
            yield
        except OSError as problem:
            terminal = session.config.pluginmanager.get_plugin("terminalreporter")
            if terminal is not None:
                terminal.write_line(f"{session.config.option.htmlpath}: cannot write there ({problem.strerror}).")

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: Any) -> None:
        report.title = "Debug log"

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        cells[3] = "<th>Requirement and reason</th>"

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        line = getattr(report, "conformance", None) or {}
        result = line.get("outcome", report.outcome)
        name = line.get("id") or (report.nodeid if report.when == "call" else f"{report.nodeid}::{report.when}")
        if "target" in line:
            name += f" [{line['target']}]"
        said = "\n".join(filter(None, (line.get("requirement"), line.get("message"))))
        cells[0] = f'<td class="col-result">{escaped(result)}</td>'
        cells[1] = f'<td class="col-testId">{escaped(name)}</td>'
        cells[3] = f'<td class="col-links">{escaped(said)}</td>'

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        """The log is escaped already; its control characters are not, and its length has no end."""
        data[:] = [cut(visible(part)) for part in data]


def escaped(text: str) -> str:
    """Text that is only text in HTML, in attributes too."""
    return html.escape(visible(cut(text)))
