"""No file that somebody changed breaks a command: what cannot be read is refused in one sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from fixtures import scenario
from tests import fuzz_results
from tests.test_bad_input import measure

COUNT = int(os.environ.get("FUZZ", "2000"))
"""How many changed files; each is given to one of the commands."""


def test_no_changed_file_breaks_a_command(tmp_path: Path) -> None:
    scenario.load()
    text = fuzz_results.valid(tmp_path / "valid.jsonl").read_text()
    found: Counter[str] = Counter()
    wrong = [one for seed in range(COUNT) for one in fuzz_results.trial(seed, text, tmp_path, found, only=seed)]
    assert not wrong, "\n".join(wrong)
    assert min(found["read"], found["refused"]) > COUNT / 10  # Both ways are tried.


def test_every_command_reads_the_file_that_is_changed(tmp_path: Path) -> None:
    scenario.load()
    (tmp_path / "in").mkdir()
    file = fuzz_results.valid(tmp_path / "in" / "results.jsonl")
    fuzz_results.valid(tmp_path / "valid.jsonl")
    assert {name: run() for name, run in fuzz_results.commands(file, tmp_path / "out").items() if run()} == {}


@pytest.mark.parametrize(
    ("good", "bad", "sentence"),
    [
        ('"outcome": "fail"', '"outcome": 5', 'line 5: outcome: must be "pass" or'),
        ('"method": "POST"', '"method": null', "line 2: exchanges[0].request.method: must be of type string"),
        ('"body": {"text": ', '"body": {"base64": ', "line 2: exchanges[0].response.body.base64: must be base64"),
        ('"name": "llamacpp", ', "", "line 1: targets[0].name: is required"),
    ],
)
def test_a_replay_refuses_a_damaged_file(tmp_path: Path, good: str, bad: str, sentence: str) -> None:
    file = fuzz_results.valid(tmp_path / "x.jsonl")
    assert good in file.read_text()
    file.write_text(file.read_text().replace(good, bad, 1))
    code, output = measure(tmp_path, "--replay", str(file))
    assert code == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: --replay: {file}, {sentence}" in output
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "reports", "build", "/dev/zero", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "/dev/zero is no regular file" in done.stderr
