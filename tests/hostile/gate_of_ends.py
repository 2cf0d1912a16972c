"""How a run ends when it is killed or interrupted, when the disk is full, and when a connection is slow to begin."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hostile.gate_of_hostile_servers import EVERY, ROOT, Ended, ran
from tests.hostile.mode import FEW, KEY
from tests.hostile.server import serving
from tests.test_backends_kill import marked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")

GONE = 120.0
"""Seconds for a run to end by itself after one of its processes was killed, on a busy machine."""

KILLED = 15.0
"""Seconds for all other processes to end after the main one was killed."""


def kind(pid: int, main: int) -> str:
    """Which process of a run it is."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return "ended"
    if pid == main:
        return "main"
    if "backends.guard" in command:
        return "guard"
    if "sys.stdin.readline" in command:
        return "worker"
    return "server" if "-m tests.reference" in command else "starting"


KILLS = [
    (whom, number, workers)
    for workers in (0, 2)
    for whom in ("main", "guard", "server", "worker")
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    if workers or whom != "worker"
]


@pytest.mark.parametrize(("whom", "number", "workers"), KILLS[::EVERY])
def test_a_killed_process_leaves_no_other(whom: str, number: signal.Signals, workers: int, tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    report = tmp_path / "report"
    command = [sys.executable, "-m", "pytest", "-q", "--backend=reference", f"--report={report}", *FEW]
    command += ["-n", str(workers)] if workers else []
    with (tmp_path / "output").open("wb") as output:
        run = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "KILLED_RUN": mark},
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        victim = wait_for(whom, mark, run)
        os.kill(victim, number)
        begun = time.monotonic()
        limit = KILLED if whom == "main" and number != signal.SIGINT else GONE
        while (left := marked(f"KILLED_RUN={mark}")) and time.monotonic() - begun < limit:
            run.poll()
            time.sleep(0.1)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        run.wait()
    said = (tmp_path / "output").read_text(errors="replace")
    assert left == []
    assert "INTERNALERROR" not in said
    assert "Traceback" not in said.replace("ends:\nTraceback", "")  # In the log of a server that was interrupted.


def wait_for(whom: str, mark: str, run: subprocess.Popen[bytes]) -> int:
    """A process of this kind, once the run has it."""
    deadline = time.monotonic() + GONE
    while run.poll() is None and time.monotonic() < deadline:
        for pid in marked(f"KILLED_RUN={mark}"):
            if kind(pid, run.pid) == whom and (whom != "worker" or is_at_work(pid)):
                return pid
        time.sleep(0.02)
    raise AssertionError(f"the run had no {whom}")


def is_at_work(worker: int) -> bool:
    """Whether a worker has begun: execnet has started its threads. Before, it is an interpreter that starts."""
    try:
        return len(list(Path(f"/proc/{worker}/task").iterdir())) > 1
    except FileNotFoundError:
        return False


STAGES = {
    "finding the server": "waiting for",
    "recording": "results.jsonl",
    "programs": "program",
    "judging": "check",
    "writing the page": "footer",
}


@pytest.mark.parametrize("stage", list(STAGES)[::EVERY])
def test_ctrl_c_in_each_stage_is_no_traceback(stage: str, tmp_path: Path) -> None:
    report, sign = tmp_path / "report", STAGES[stage]
    select = ["conformance/checks/test_examples.py"] if stage == "programs" else list(FEW)
    command = [sys.executable, "-m", "pytest", "--backend=reference", f"--report={report}", *select]
    with (tmp_path / "output").open("w+b") as output:
        run = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + GONE
        results = report / "results.jsonl"
        while run.poll() is None and time.monotonic() < deadline:
            written = results.read_text(errors="replace") if results.exists() else ""
            shown = (tmp_path / "output").read_text(errors="replace")
            if (
                sign in shown
                or (sign == "results.jsonl" and results.exists())
                or (sign == "program" and written.count('"kind": "check"') > 1)
                or f'"kind": "{sign}"' in written
            ):
                break
            time.sleep(0.005)
        run.send_signal(signal.SIGINT)
        run.wait(GONE)
    said = (tmp_path / "output").read_text(errors="replace")
    assert "INTERNALERROR" not in said
    assert "Traceback" not in said
    assert stage in ("finding the server", "writing the page") or (report / "results.jsonl").exists()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of 100 kB."""
    small = tmp_path / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("may not mount")
    yield small
    subprocess.run(["umount", "--lazy", small], check=True)


def test_a_full_disk_is_one_sentence(full: Path, tmp_path: Path) -> None:
    select = ["conformance/checks/test_chat.py", "conformance/checks/test_wire.py"]
    whole = ran("--backend=reference", *select, report=tmp_path / "report", seconds=60)
    assert whole.code in (0, 1)
    results = str(tmp_path / "report" / "results.jsonl")
    runs = [
        ["pytest", "-q", "--backend=reference", *select, f"--report={full}/report"],
        ["reports", "build", results, f"--out={full}/page"],
        ["reports", "export", results, "--format=junit", f"--out={full}/junit"],
        ["reports", "diff", results, results, f"--html={full}/diff.html"],
        ["reports", "keep", str(tmp_path), f"{full}/kept"],
    ]
    for words in runs:
        done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True)
        said = done.stdout + done.stderr
        assert done.returncode not in (0, 1), words
        assert "No space left on device" in said
        assert "Traceback" not in said
        assert "INTERNALERROR" not in said
        assert "None" not in said


@contextlib.contextmanager
def trickling(first: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """A server that takes connections and sends a byte at a time; yields its port, and what it got first."""
    got: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection:
            got.append(connection.recv(4096))
            for byte in first * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.2)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listener:
        yield listener.getsockname()[1], got


def measured(report: Path, *args: str, **environment: str) -> Ended:
    """A run in which the environment has these variables."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        return ran(*args, *FEW, report=report, seconds=60)


def test_a_slow_handshake_ends_in_time(tmp_path: Path) -> None:
    with trickling(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03") as (port, got):
        ended = measured(tmp_path / "report", f"--base-url=https://127.0.0.1:{port}/v1")
    assert got
    assert ended.code == 11
    assert "Traceback" not in ended.output
    assert re.search(r"Stopped: https://127\.0\.0\.1:\d+/v1 accepts connections but does not answer", ended.output)
    assert KEY not in ended.output
    assert not any(KEY.encode() in one for one in got)


def test_a_proxy_of_the_environment_is_not_asked(tmp_path: Path) -> None:
    with trickling(b"HTTP/1.1 200 Connection established\r\n") as (port, got), serving({}) as (origin, _):
        proxy = f"http://127.0.0.1:{port}"
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        ended = measured(
            tmp_path / "report",
            f"--base-url={origin}/v1",
            "conformance/checks/test_examples.py",
            **dict.fromkeys(names, proxy),
        )
    assert got == []
    assert ended.code in (0, 1)
    assert "Traceback" not in ended.output
