"""Node.js with OpenAI's official SDK: found on PATH, and installed on demand outside the repository."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

PINNED = Path(__file__).parent / "node_sdk"
"""What npm installs: a package.json, and a lock file with the hash of what it may get."""

SDK: str = json.loads((PINNED / "package.json").read_bytes())["dependencies"]["openai"]
"""The version of the npm package `openai`: the last that runs on Node.js 20."""

SECONDS = 60
"""Seconds for npm to install it. It takes seven seconds, and longer only if the registry is unreachable."""


class NoNode(Exception):
    """There is no Node.js, or its SDK cannot be had; `str()` says so in one sentence, and what to do."""


def sdk() -> Path:
    """The directory whose `node_modules` has the SDK; installs it if it is not there yet. Raises NoNode."""
    found = _sdk()
    if isinstance(found, NoNode):
        raise found
    return found


def node() -> str:
    """The program. Raises NoNode."""
    found = shutil.which("node")
    if found is None:
        raise NoNode("there is no node on PATH: install Node.js 20 or later")
    return found


@cache
def _sdk() -> Path | NoNode:
    """Tried only once, because an unreachable registry costs a whole timeout."""
    try:
        return installed(PINNED, f"openai-node-{SDK}")
    except NoNode as problem:
        return NoNode(f"{problem}; the rows of the Node SDK need it")


def installed(pinned: Path, name: str) -> Path:
    """A directory with the packages of the lock file in `pinned`. npm brings them. Raises NoNode."""
    lock = hashlib.sha256((pinned / "package-lock.json").read_bytes()).hexdigest()
    directory = user_cache() / f"{name}-{lock[:8]}"
    if not (directory / "node_modules").exists():
        _install(pinned, directory)
    return directory


def _install(pinned: Path, directory: Path) -> None:
    """Install into a new directory and then rename it, so that no other worker sees a partial installation."""
    node()
    npm = shutil.which("npm")
    if npm is None:
        raise NoNode("there is no npm on PATH: install it")
    directory.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f"{directory.name}-", dir=directory.parent))
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "--fetch-retries=1"]
    try:
        for file in ("package.json", "package-lock.json"):
            shutil.copyfile(pinned / file, fresh / file)
        subprocess.run(
            [npm, "ci", "--prefix", str(fresh), *options],
            cwd=fresh,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        if not directory.exists():
            fresh.rename(directory)
    except subprocess.CalledProcessError as problem:
        why = (problem.stderr.strip().splitlines() or ["no reason given"])[0]
        raise NoNode(f"npm cannot install {directory.name}: {why}") from None
    except subprocess.TimeoutExpired:
        raise NoNode(f"npm needs over {SECONDS} s for {directory.name}") from None
    except OSError:
        if not directory.exists():  # Else another worker was faster.
            raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def user_cache() -> Path:
    """The suite's directory in the user's cache; there may be none yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "openai-conformance"
