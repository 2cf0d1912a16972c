"""Runs that are killed at random moments leave no process behind.

`python -m tests.test_backends_kill 20` does it as many times as one likes, and prints what was left each time.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import pytest

from tests.fake import Reply, serving
from tests.test_bad_input import HELLO, MODELS

ROOT = Path(__file__).parent.parent
KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL)
STAGES = (1, 3, 5, 8, 10)
"""Processes that a run has as it goes on: pytest, and a guard of two and a server for each of three models."""

PATIENCE = 120.0
"""Seconds for the guards to end their servers (`backends.guard.GRACE`) and, after Ctrl-C, for pytest to write its
report first, which takes 3 to 6 on an idle machine, and 40 where many others work."""

SLOW = 60.0
"""Seconds in which a run has all its processes, on a busy machine; on an idle one it takes 0.7."""


def killed_run(number: signal.Signals, stage: int, later: float, *args: str) -> tuple[int, float]:
    """Start a run, kill it `later` seconds after it has `stage` processes; how many it had by then, and after how many
    seconds it had none (inf: never)."""
    mark = f"KILLED_RUN={uuid.uuid4()}"
    name, _, value = mark.partition("=")
    with tempfile.TemporaryDirectory() as report:
        command = [sys.executable, "-m", "pytest", "-q", "--runtime=process", f"--report={report}", *args]
        run = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, name: value}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + SLOW
        while (alive := len(marked(mark))) < stage and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(later)
        run.send_signal(number)
        begun = time.monotonic()
        while (left := marked(mark)) and time.monotonic() - begun < PATIENCE:
            run.poll()
            time.sleep(0.05)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        run.wait()
    return alive, float("inf") if left else time.monotonic() - begun


def marked(mark: str) -> list[int]:
    """The processes that have the mark in their environment."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environ.read_bytes():
                found.append(int(environ.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_run_leaves_no_process(stage: int) -> None:
    moment = random.uniform(0.0, 0.3)
    print(f"killed {moment:.3f} s after it had {stage} processes")  # pytest shows it if the test fails.
    alive, gone_after = killed_run(KILLS[STAGES.index(stage)], stage, moment)
    assert alive >= stage
    assert gone_after < PATIENCE, f"expected no process of the run {PATIENCE:g} s after it was killed"


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize(("number", "args"), [(signal.SIGKILL, ["-n", "2"]), (signal.SIGINT, [])])
def test_a_run_ends_although_its_server_keeps_silent(number: signal.Signals, args: list[str], tmp_path: Path) -> None:
    """At once: the workers of a run that was killed, and a run that was interrupted."""
    mark = f"KILLED_RUN={uuid.uuid4()}"
    silent, over = threading.Event(), threading.Event()

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        if silent.is_set():
            over.wait(2 * PATIENCE)
        return MODELS if path.endswith("/models") else HELLO

    try:
        with serving(reply) as origin:
            where = [f"--base-url={origin}/v1", f"--timeout={2 * PATIENCE:.0f}", f"--report={tmp_path}"]
            environment = {**os.environ, "KILLED_RUN": mark.partition("=")[2]}
            out = subprocess.DEVNULL
            run = subprocess.Popen(
                [sys.executable, "-m", "pytest", "-q", *where, *args], cwd=ROOT, env=environment, stdout=out, stderr=out
            )
            deadline = time.monotonic() + SLOW
            while not (tmp_path / "results.jsonl").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            silent.set()
            time.sleep(1)
            assert len(marked(mark)) >= (3 if args else 1)
            run.send_signal(number)
            begun = time.monotonic()
            while (left := marked(mark)) and time.monotonic() - begun < PATIENCE:
                run.poll()
                time.sleep(0.05)
            over.set()
            assert not left
    finally:
        over.set()
        for pid in marked(mark):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    for turn in range(int(sys.argv[1])):
        kind, moment = random.choice(KILLS), random.uniform(0.0, 3.0)
        before, seconds = killed_run(kind, random.choice(STAGES), moment, *sys.argv[2:])
        print(f"{turn + 1:3} {kind.name}: {before} processes, none after {seconds:.2f} s", flush=True)
