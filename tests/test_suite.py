"""What a results file says of the suite: its version, and the commit of a git checkout."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import suite


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory in the place of the suite's own."""
    suite.suite_version.cache_clear()
    monkeypatch.setattr(suite, "ROOT", tmp_path / "suite")
    (tmp_path / "suite").mkdir()
    yield tmp_path / "suite"
    suite.suite_version.cache_clear()


def git(directory: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "commit.gpgsign=false"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit(directory: Path) -> str:
    git(directory, "init", "-q")
    (directory / "file").write_text("one\n")
    git(directory, "add", "file")
    git(directory, "commit", "-q", "-m", "first")
    return git(directory, "rev-parse", "--short=12", "HEAD")


def test_a_checkout_has_its_commit(checkout: Path) -> None:
    made = commit(checkout)
    (checkout / "untracked").write_text("a report\n")
    assert suite.suite_version() == f"{suite.release()}+g{made}"


def test_a_changed_file_makes_it_dirty(checkout: Path) -> None:
    made = commit(checkout)
    (checkout / "file").write_text("two\n")
    assert suite.suite_version() == f"{suite.release()}+g{made}.dirty"


def test_a_copy_without_git_has_its_version(checkout: Path) -> None:
    assert suite.suite_version() == suite.release()
    assert re.fullmatch(r"\d+\.\d+\.\d+.*", suite.release())


def test_a_copy_in_another_repository_has_its_version(checkout: Path) -> None:
    commit(checkout.parent)
    assert suite.suite_version() == suite.release()


def test_variables_of_git_hooks_name_no_other_repository(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = commit(checkout)
    monkeypatch.setenv("GIT_DIR", str(checkout.parent / "elsewhere"))
    assert suite.suite_version() == f"{suite.release()}+g{made}"


def test_without_git_it_has_its_version(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit(checkout)
    monkeypatch.setenv("PATH", str(checkout))
    assert suite.suite_version() == suite.release()
