"""Directories for what is needed only while a run goes on. A run that was killed leaves its own to the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_PREFIX = "openai-conformance-"


def prefix() -> str:
    """How the names of this process's directories begin."""
    return f"{_PREFIX}{os.getpid()}-"


def clear() -> None:
    """Remove the directories of processes that are gone."""
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*-*"):
        pid = directory.name.removeprefix(_PREFIX).partition("-")[0]
        if pid.isdecimal() and not _runs(int(pid)):
            shutil.rmtree(directory, ignore_errors=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
