"""Python programs in processes that are forked from one that has imported OpenAI's SDK, which takes most of a second.

This module imports little, because each of these processes imports it.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import threading
from multiprocessing.connection import wait
from pathlib import Path

OUTPUT, ERRORS = "output.txt", "errors.txt"

LOST = 255
"""The exit code that multiprocessing gives a process of which it knows nothing any more."""

_EXIT_CODES = threading.Lock()
"""Held while exit codes are read. Starting a process reads those of all others, too, and one that two threads read at
once is lost."""

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["openai", "pytest"])  # The main module, which is pytest's, is imported as well.


def run(file: Path, environ: dict[str, str], seconds: float) -> tuple[int | None, str, str]:
    """Run a Python file in its directory, with this environment: its exit code (None: it was stopped after `seconds`),
    and what it printed as output and as errors."""
    output, errors = (file.with_name(name) for name in (OUTPUT, ERRORS))
    output.touch()
    errors.touch()
    child = _FORKING.Process(target=_be, args=(file, environ), daemon=True)
    with _EXIT_CODES:
        child.start()
    wait([child.sentinel], seconds)
    with _EXIT_CODES:
        code = child.exitcode
        if code is None:
            child.kill()
            child.join()
    return code, output.read_text(encoding="utf-8", errors="replace"), errors.read_text("utf-8", errors="replace")


def _be(file: Path, environ: dict[str, str]) -> None:
    os.chdir(file.parent)
    os.environ.clear()
    os.environ.update(environ)
    for number, name in ((1, OUTPUT), (2, ERRORS)):
        os.dup2(os.open(name, os.O_WRONLY), number)
    runpy.run_path(file.name, run_name="__main__")
