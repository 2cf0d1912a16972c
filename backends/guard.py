"""Run a program that must not outlive its starter: `python -m backends.guard LOG -- PROGRAM ARGS...`.

The guard reads its standard input: it ends when the starter closes it or dies, however it dies. Then the program and
all that it started are asked to stop and, after `GRACE` seconds, killed. The starter writes a byte before it closes the
input; without that byte it died, and the guard also removes the directory of the log, which nobody will read.

The guard is two processes (Linux), because either may be killed. The outer one waits for the inner one, which runs
the program. If the inner one is killed, the kernel kills the program and gives what that had started to the outer one,
which kills it. If the outer one is killed, the kernel asks the inner one to stop.
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

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


def main(argv: list[str]) -> int:
    """Run until standard input ends or the program does; the exit code is the program's."""
    log, separator, *command = argv
    if separator != "--":
        raise SystemExit(__doc__)
    if sys.platform != "linux":
        return _run(log, command, None)
    _adopt_orphans()
    outer = os.getpid()
    inner = os.fork()
    if inner == 0:
        _adopt_orphans()
        return _run(log, command, outer)

    def ask_to_stop(*_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(inner, signal.SIGTERM)

    for number in _ENDING:
        signal.signal(number, ask_to_stop)
    os.close(0)  # The inner one alone reads what the starter says.
    _, status = os.waitpid(inner, 0)
    _end_the_rest()
    return os.waitstatus_to_exitcode(status)


def _adopt_orphans() -> None:
    """What our children started becomes our child when its parent ends, and is found then."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _receive_at_death_of(parent: int, number: int) -> None:
    """Have the kernel send a signal to this process when its parent dies, or send it now if that is so already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def _run(log: str, command: list[str], outer: int | None) -> int:
    """Run the program until it ends, or until it must; its exit code. `outer` is the process that waits for us."""
    inner = os.getpid()
    with Path(log).open("ab") as sink:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=lambda: _receive_at_death_of(inner, signal.SIGKILL) if outer else None,
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
    for number in _ENDING:
        signal.signal(number, lambda *_: threading.Thread(target=_stop, args=(program,), daemon=True).start())
    if outer:
        _receive_at_death_of(outer, signal.SIGTERM)
    code = program.wait()
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, signal.SIGKILL)
    _end_the_rest()
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


def _end_the_rest() -> None:
    """Kill what became our child because its parent is gone, and what becomes one meanwhile."""
    deadline = time.monotonic() + GRACE
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
