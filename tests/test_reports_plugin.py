"""What a run leaves behind: summary, page, debug log; judged from a recording, so that no server is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import pytest

from backends.wire import Request
from conformance.outcomes import Level
from fixtures.scenario import SCENARIOS
from fixtures.scenarios.stop import count_stop
from tests.made import answer as made_answer
from tests.made import chat_body
from tests.reports_data import HOSTILE, check, lines, stream, target, wire, write
from tests.test_reports_schema import errors

ROOT = Path(__file__).parent.parent
NAME = "llamacpp"


def run(tmp_path: Path, *args: str, plugin: str = "") -> tuple[Path, int, str]:
    """Judge a hostile recording with the checks of `stop`; the report's directory, exit code and output."""
    answer = '{"object": "chat.completion", "choices": [{"message": {"content": %s}}]}'
    text = '"' + HOSTILE.replace("\x1b", "\\u001b").replace("\x00", "\\u0000").replace('"', "'") + '"'
    name = count_stop.__name__
    sent = {"count": wire(answer % text), name: wire(answer % text), f"{name}_streamed": stream(text)}
    for name, exchange in sent.items():  # A replay takes only what asks the same as today's scenario.
        needed = [made_answer(chat_body(json.loads(text))) for _ in SCENARIOS[name].needs]
        built = SCENARIOS[name].build(*needed)
        assert isinstance(built, Request)
        exchange["request"]["body"] = built.with_model("m").body
    column = target(NAME, version="b1 <script>")
    file = write(tmp_path / "old.jsonl", [check(level=Level.MAY)], sent, targets=[column])
    report = tmp_path / "report"
    command = [sys.executable, "-m", "pytest", "conformance/checks/test_stop.py", f"--replay={file}"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "100"}
    if plugin:
        (tmp_path / "breaking.py").write_text(plugin)
        command += ["-p", "breaking"]
    done = subprocess.run(
        [*command, f"--report={report}", *args], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    return report, done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """A run with -q."""
    return run(tmp_path_factory.mktemp("quiet"), "-q")


@pytest.mark.parametrize("args", [["-q"], ["-n", "2"]], ids=["q", "n2"])
def test_a_run_is_shown_and_kept(tmp_path: Path, args: list[str], quiet: tuple[Path, int, str]) -> None:
    report, _, output = quiet if args == ["-q"] else run(tmp_path, *args)
    assert "Sampling parameters" in output
    assert re.search(r"What was found \(\d+ causes? of \d+ violations?, MUST first\)", output)
    assert f"Report: {report / 'index.html'}" in output
    assert "\x1b" not in output.replace("\x1b[", "")
    page = (report / "index.html").read_text()
    assert "b1 &lt;script&gt;" in page
    assert "Incomplete" not in page
    assert lines(report / "results.jsonl")[-1]["kind"] == "footer"


def test_results_fit_their_schema(quiet: tuple[Path, int, str]) -> None:
    report, _, _ = quiet
    found = lines(report / "results.jsonl")
    assert {line["kind"] for line in found} == {"header", "exchange", "check", "footer"}
    assert [e for line in found for e in errors(line)] == []


def test_the_debug_log_is_escaped(quiet: tuple[Path, int, str]) -> None:
    report, _, _ = quiet
    html = (report / "debug.html").read_text()
    [blob] = re.findall(r'data-jsonblob="([^"]*)"', html)
    cells = unescape(blob)
    assert "stop.ends_the_text" in cells
    assert "<script" not in cells
    assert "<img" not in cells
    assert "\\u001b" not in cells
    assert "\\u0000" not in cells


def test_cells_are_escaped_whatever_they_hold() -> None:
    from reports.debug_log import EscapedCells

    class Report:
        outcome = when = nodeid = HOSTILE
        conformance = check(outcome="fail", target=HOSTILE, message=HOSTILE, requirement=HOSTILE, id=HOSTILE).to_json()

    cells = ["", "", "", ""]
    EscapedCells().pytest_html_results_table_row(Report(), cells)  # type: ignore[arg-type]
    assert not re.search(r"<(?!/?td)", "".join(cells))
    assert "\x1b" not in "".join(cells)


def test_a_broken_page_loses_no_results(tmp_path: Path, quiet: tuple[Path, int, str]) -> None:
    plugin = "import reports.page\ndef build(*_): raise RuntimeError('no page today')\nreports.page.build = build\n"
    _, healthy, _ = quiet
    report, code, output = run(tmp_path, "-q", plugin=plugin)
    assert code == healthy
    assert "The report could not be made (RuntimeError: no page today)." in output
    assert f"Results: {report / 'results.jsonl'}" in output
    assert lines(report / "results.jsonl")[-1]["kind"] == "footer"


def test_an_interrupted_run_has_a_page_that_says_so(tmp_path: Path) -> None:
    plugin = "def pytest_runtest_teardown(): raise KeyboardInterrupt\n"
    report, code, _ = run(tmp_path, "-q", plugin=plugin)
    assert code == pytest.ExitCode.INTERRUPTED
    assert "Stopped: the run was interrupted" in (report / "index.html").read_text()


def test_only_collecting_leaves_no_page(tmp_path: Path) -> None:
    report, _, _ = run(tmp_path, "--collect-only", "-q")
    assert not (report / "index.html").exists()
    assert not (report / "debug.html").exists()


def test_latest_is_the_last_run_that_measured_anything(tmp_path: Path) -> None:
    latest = tmp_path / "latest"
    plugin = f"import pathlib, reports.plugin\nreports.plugin.LATEST = pathlib.Path({str(latest)!r})\n"
    report, _, _ = run(tmp_path, "-q", plugin=plugin)
    assert latest.resolve() == report
    for number, args in enumerate((["-k", "number_is_refused"], ["-k", "nothing_of_this_name"]), start=1):
        other = tmp_path / f"other{number}"
        _, _, output = run(tmp_path, "-q", f"--report={other}", *args, plugin=plugin)
        assert other.is_dir(), output
        assert latest.resolve() == report
