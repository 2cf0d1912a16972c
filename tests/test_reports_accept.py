"""What keeps a contributed results file from becoming a column."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends.suite import suite_version
from conformance.run import catalogue
from reports import accept
from reports.__main__ import main
from tests.reference.app import create_app
from tests.reference.server import running

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """The lines of a run of the checks of `stop`."""
    directory = tmp_path_factory.mktemp("measured")
    with running(create_app()) as url:
        command = [sys.executable, "-m", "pytest", "-q", "-m", "stop", f"--base-url={url}", f"--report={directory}"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=300)
    return [json.loads(line) for line in (directory / "results.jsonl").read_text().splitlines()]


@pytest.fixture(autouse=True)
def only_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the suite had no other checks."""
    few = {id: check for id, check in catalogue.load().items() if check.feature == "stop"}
    monkeypatch.setattr(catalogue, "load", lambda: few)


def written(
    lines: list[dict[str, Any]], directory: Path, change: Callable[[dict[str, Any]], Any] | None = None
) -> Path:
    """A results file of an unchanged suite, with each line changed by `change`."""
    copies = json.loads(json.dumps(lines))
    copies[0]["suite"] = suite_version().removesuffix(".dirty")
    copies[0]["targets"][0]["version"] = "1.0"
    for line in copies if change else ():
        change(line)
    file = directory / "results.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in copies if line))
    return file


def test_whole_results_are_accepted(
    measured: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accept", str(written(measured, tmp_path))]) == 0
    assert "every outcome follows from the file's own exchanges" in capsys.readouterr().out


def no_footer(line: dict[str, Any]) -> None:
    if line["kind"] == "footer":
        line.clear()


def header(**changes: Any) -> Callable[[dict[str, Any]], None]:
    def change(line: dict[str, Any]) -> None:
        if line["kind"] == "header":
            line |= changes

    return change


def no_version(line: dict[str, Any]) -> None:
    if line["kind"] == "header":
        line["targets"][0]["version"] = None


def all_pass(line: dict[str, Any]) -> None:
    """As somebody would write who wants a better column."""
    if line["kind"] == "check":
        line["outcome"] = "pass" if line["id"] != "stop.ends_the_text" else "fail"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (no_footer, "The run was interrupted"),
        (header(suite="0.1.0+g123456789abc.dirty"), "had uncommitted changes"),
        (header(suite="0.1.0+g123456789abc"), "check out its commit"),
        (header(selected=[]), "checks were not selected"),
        (no_version, "has no version"),
        (all_pass, "give other outcomes for stop.ends_the_text (fail, now pass)"),
    ],
)
def test_what_is_not_accepted(
    change: Callable[[dict[str, Any]], Any], sentence: str, measured: list[dict[str, Any]], tmp_path: Path
) -> None:
    [said] = accept.problems(written(measured, tmp_path, change))
    assert sentence in said
