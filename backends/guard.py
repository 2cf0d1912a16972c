"""Run a program that must not outlive its starter: `python -m backends.guard LOG -- PROGRAM ARGS...`.

The guard reads its standard input, which nobody writes to: it ends when the starter closes it or dies, however it dies.
Then the program's process group is asked to stop and, after `GRACE` seconds, killed. If the guard itself is killed,
the kernel (Linux) sends the program the same signal.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

GRACE = 5.0
"""Seconds between asking and killing; servers free their memory well within it."""

_PR_SET_PDEATHSIG = 1


def _die_with_guard() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main(argv: list[str]) -> int:
    """Run until standard input ends or the program does; the exit code is the program's."""
    log, separator, *command = argv
    if separator != "--":
        raise SystemExit(__doc__)
    with Path(log).open("ab") as sink:
        program = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_guard,
        )

    def wait_for_starter() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1024):
                pass
        _stop(program)

    threading.Thread(target=wait_for_starter, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: _stop(program))
    return program.wait()


def _stop(program: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(program.pid, signal.SIGTERM)
        try:
            program.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
