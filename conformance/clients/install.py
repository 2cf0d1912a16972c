"""Clients are installed on demand, in the user's cache, from lock files that have the hash of each package."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backends import node
from conformance.clients.data import Client

SECONDS = 900
"""For one client: the largest has 430 MB."""

COMMAND = "openai-conformance clients install"


class CannotInstall(Exception):
    """`str()` says why, in one sentence."""


def directory(client: Client) -> Path:
    """Where the client is, or would be: one directory for each lock file, and for each Python."""
    lock = hashlib.sha256(client.lock.read_bytes()).hexdigest()[:8]
    python = f"-py{sys.version_info.major}.{sys.version_info.minor}" if client.language == "python" else ""
    return node.user_cache() / "clients" / f"{client.name}-{client.version}-{lock}{python}"


def lacking(client: Client) -> str:
    """Why the client cannot run here, in one sentence with what to do; empty if it can."""
    if client.language == "node" and (old := _lacks_node(client)):
        return old
    if not (directory(client) / "installed.json").exists():
        return f"{client.title} is not installed: `{COMMAND} {client.name}`"
    return ""


def facts(client: Client) -> dict[str, Any]:
    """What its installation took: `seconds`, `mb`; empty if it is not installed."""
    file = directory(client) / "installed.json"
    return dict(json.loads(file.read_bytes())) if file.exists() else {}


def install(client: Client, say: Callable[[str], None]) -> Path:
    """Install the client, unless it is there. Raises CannotInstall."""
    made = directory(client)
    if (made / "installed.json").exists():
        say(f"{client.name} {client.version} is installed ({made})")
        return made
    if client.language == "node" and (old := _lacks_node(client)):
        raise CannotInstall(old)
    say(f"installing {client.name} {client.version} …")
    made.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{made.name}-", dir=made.parent))
    begun = time.monotonic()
    try:
        (_npm if client.language == "node" else _pip)(client, fresh)
        size = sum(file.lstat().st_size for file in fresh.rglob("*") if file.is_file() and not file.is_symlink())
        took = {"seconds": round(time.monotonic() - begun, 1), "mb": round(size / 1e6)}
        (fresh / "installed.json").write_text(json.dumps(took))
        if not made.exists():  # Else another process was faster.
            fresh.rename(made)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    say(f"{client.name} {client.version}: {took['mb']} MB in {took['seconds']:.0f} s ({made})")
    return made


def _lacks_node(client: Client) -> str:
    program = shutil.which("node")
    if program is None:
        return f"there is no node on PATH: {client.title} needs Node.js {client.node} or later"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=20).stdout
    found = re.match(r"v(\d+)", said)
    if not found or int(found[1]) < client.node:
        return f"{client.title} needs Node.js {client.node} or later, and {program} is {said.strip()}"
    return ""


def _npm(client: Client, fresh: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstall(f"there is no npm on PATH: install it for {client.title}")
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(client.directory / name, fresh / name)
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    _run([npm, "ci", "--prefix", str(fresh), *options], fresh, f"npm cannot install {client.name}")


def _pip(client: Client, fresh: Path) -> None:
    _run([sys.executable, "-m", "venv", str(fresh)], fresh, "Python cannot make an environment")
    pip = [str(fresh / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--require-hashes", "--only-binary=:all:", "--no-deps", "-r", str(client.lock)]
    _run([*pip, *options], fresh, f"pip cannot install {client.name}")


def _run(command: list[str], directory: Path, otherwise: str) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise CannotInstall(f"{otherwise} within {SECONDS // 60} minutes.") from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()] or ["no reason given"]
        errors = [line for line in said if line.startswith("ERROR")] or said
        raise CannotInstall(f"{otherwise}: {errors[0].removeprefix('ERROR: ')[:300]}")
