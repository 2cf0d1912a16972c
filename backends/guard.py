"""Run a program that must not outlive its starter: `python -m backends.guard LOG -- PROGRAM ARGS...`.

The guard reads its standard input: it ends when the starter closes it or dies, however it dies. Then the program and
all that it started are asked to stop and, after `GRACE` seconds, killed. If the guard itself is killed, the kernel
(Linux) kills the program. The starter writes a byte before it closes the input; without that byte it died, and the
guard also removes the directory of the log, which nobody will read.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

GRACE = 5.0
"""Seconds between asking and killing; servers free their memory well within it."""

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def _die_with_guard() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(argv: list[str]) -> int:
    """Run until standard input ends or the program does; the exit code is the program's."""
    log, separator, *command = argv
    if separator != "--":
        raise SystemExit(__doc__)
    if sys.platform == "linux":
        # What the program started becomes our child when the program ends, and is found then.
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    with Path(log).open("ab") as sink:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_guard,
        )
    starter_died = threading.Event()

    def wait_for_starter() -> None:
        said = b""
        with contextlib.suppress(OSError):
            while piece := os.read(0, 1024):
                said += piece
        if not said:
            starter_died.set()
        _stop(program)

    threading.Thread(target=wait_for_starter, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: threading.Thread(target=_stop, args=(program,), daemon=True).start())
    code = program.wait()
    _end_the_rest(program.pid)
    if starter_died.is_set():
        directory = Path(log).parent
        shutil.rmtree(directory, ignore_errors=True)
        with contextlib.suppress(OSError):
            directory.parent.rmdir()
    return code


def _stop(program: subprocess.Popen[bytes]) -> None:
    """Ask the program's group to stop; after `GRACE` seconds kill it. `main` then goes on."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        while program.returncode is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if program.returncode is None:
            os.killpg(program.pid, signal.SIGKILL)


def _end_the_rest(group: int) -> None:
    """Kill what the program left behind: its group, and what became our child because its parent is gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    deadline = time.monotonic() + 1.0
    while (children := _children()) and time.monotonic() < deadline:
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(child, 0)


def _children() -> list[int]:
    """The processes whose parent we are (Linux; elsewhere none are found)."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # PID (NAME) STATE PARENT ..., and a name may hold spaces and brackets.
            if stat.read_text(errors="replace").rpartition(")")[2].split()[1] == str(os.getpid()):
                found.append(int(stat.parent.name))
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
