"""Directories of killed runs are removed by the next run; those of others are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from backends import scratch

ROOT = Path(__file__).parent.parent


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_only_directories_of_processes_that_are_gone_are_removed(temporary: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    others = [f"{os.getpid()}-a", f"{os.getppid()}-a", "1-a", "12345678", "none-a", "-a"]
    own = scratch.prefix().removeprefix("openai-conformance-")
    others += [f"{own}a", f"{os.getpid()}--a"]
    for name in (*others, f"{gone.pid}-a", f"{'9' * 40}-a", f"{os.getpid()}-1@another-boot-a"):
        (temporary / f"openai-conformance-{name}" / "llamacpp").mkdir(parents=True)
    scratch.clear()
    assert {path.name for path in temporary.iterdir()} == {f"openai-conformance-{name}" for name in others}


def test_the_next_run_removes_what_a_killed_one_left(temporary: Path) -> None:
    asked = ["--base-url=http://127.0.0.1:9/v1", "--runtime=attach", f"--report={temporary / 'report'}"]
    command = [sys.executable, "-m", "pytest", "-q", "-k", "lists_the_model", *asked]
    waits = "import time\ndef pytest_collection_finish(): time.sleep(60)\n"
    (temporary / "waiting.py").write_text(waits)
    environment = {**os.environ, "PYTHONPATH": str(temporary)}
    killed = subprocess.Popen(
        [*command, "-p", "waiting"], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while not list(temporary.glob("openai-conformance-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    (left,) = temporary.glob("openai-conformance-*")
    assert left.name.startswith(f"openai-conformance-{killed.pid}-")
    subprocess.run(command, cwd=ROOT, capture_output=True, timeout=120)
    assert list(temporary.glob("openai-conformance-*")) == []
