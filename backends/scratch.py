"""Directories for files that are needed only during a run. A run that was killed leaves its own to the next one."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "openai-conformance-"


def prefix() -> str:
    """How the names of this process's directories begin."""
    return f"{PREFIX}{os.getpid()}-{born(os.getpid())}-"


def make() -> Path:
    """A new directory of this process."""
    return Path(tempfile.mkdtemp(prefix=prefix()))


def clear() -> None:
    """Remove the directories of processes that are gone."""
    for directory in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid, _, rest = directory.name.removeprefix(PREFIX).partition("-")
        if pid.isdecimal() and not alive(pid, rest.rpartition("-")[0]):
            shutil.rmtree(directory, ignore_errors=True)


def alive(pid: str, since: str) -> bool:
    """Whether the process is the one that started at this time: another process may have the same number by now."""
    if not pid.isdecimal():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return not _is_zombie(int(pid)) and (not since or born(int(pid)) in ("", since))


def _is_zombie(pid: int) -> bool:
    """Whether the process has ended, and its parent has not noticed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def born(pid: int) -> str:
    """When a process was started, in ticks since the machine was, and which boot that was; empty if unknown."""
    try:
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
        return f"{ticks}@{Path('/proc/sys/kernel/random/boot_id').read_text().strip()}"
    except OSError:
        return ""
