"""What the suite itself is: its version, the commit that runs, and the SDKs that it uses."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import tomllib
from functools import cache
from pathlib import Path

from backends import node

ROOT = Path(__file__).parent.parent

started_as: list[str] = []
"""The command line if it was not pytest's: the command `openai-conformance` puts its own here."""


@cache
def suite_version() -> str:
    """The version, and the commit of a git checkout: `0.1.0+g1ce7bfe0a1b2`, with `.dirty` if files were changed."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    if commit is None or _git("rev-parse", "--show-prefix") != "":
        return release()
    dirty = ".dirty" if _git("status", "--porcelain", "--untracked-files=no") else ""
    return f"{release()}+g{commit}{dirty}"


@cache
def release() -> str:
    """The version without the commit: of the installed package or, in a bare clone, of pyproject.toml."""
    try:
        return importlib.metadata.version("openai-conformance")
    except importlib.metadata.PackageNotFoundError:
        pyproject = ROOT / "pyproject.toml"
        return str(tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["version"])


def sdk_versions() -> dict[str, str]:
    """The versions of OpenAI's SDKs: of the installed Python SDK, and of the Node SDK that is installed on demand."""
    return {"openai-python": importlib.metadata.version("openai"), "openai-node": node.SDK}


def _git(*arguments: str) -> str | None:
    """What git prints about the suite's directory; None if it is no checkout, or there is no git.

    Variables such as GIT_DIR, which git sets for its hooks, may name another repository.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "-C", ROOT, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
