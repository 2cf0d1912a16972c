"""The workflow files, and that everything that they call is a command that runs here as well."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from reports.__main__ import _parser
from tests.reference.app import create_app
from tests.reference.server import running
from tests.reports_data import check, target, wire, write

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted(set((ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml")) - {ROOT / ".github/ISSUE_TEMPLATE/config.yml"})
yaml = pytest.importorskip("ruamel.yaml", reason="check-jsonschema is not installed: pip install '.[test]'")


def loaded(path: Path) -> dict[str, Any]:
    return dict(yaml.YAML(typ="safe").load(path.read_text()))


def commands() -> list[tuple[str, str]]:
    """Every line that a job runs, with the name of its file."""
    files = {path.name: loaded(path) for path in WORKFLOWS}
    steps = [(name, step) for name, file in files.items() for job in file["jobs"].values() for step in job["steps"]]
    steps += [("action.yml", step) for step in loaded(ROOT / "action.yml")["runs"]["steps"]]
    return [(name, line) for name, step in steps for line in step.get("run", "").splitlines()]


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.github-actions", [ROOT / "action.yml"]),
        ("vendor.dependabot", [ROOT / ".github/dependabot.yml"]),
        ("vendor.github-issue-config", [ROOT / ".github/ISSUE_TEMPLATE/config.yml"]),
        ("vendor.github-issue-forms", FORMS),
    ],
)
def test_the_files_fit_their_schema(schema: str, files: list[Path]) -> None:
    pytest.importorskip("check_jsonschema", reason="check-jsonschema is not installed: pip install '.[test]'")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_jobs_run_commands_and_no_scripts_of_their_own() -> None:
    """One command a step: whatever is more than that is a command of ours, with a test."""
    found = commands()
    assert len(found) > 10
    programs = r"(\.ci/|\.github/|\$GITHUB_ACTION_PATH/\.github/|\.venv/bin/|python3 -m venv |pip |sudo )"
    assert [line for _, line in found if not re.match(programs, line)] == []


def test_commands_of_reports_exist() -> None:
    lines = [line for _, line in commands()] + (ROOT / ".github/site").read_text().splitlines()
    called = [line for line in lines if " -m reports " in line]
    assert len(called) >= 4
    for line in called:
        _parser().parse_args(shlex.split(line.partition(" >> ")[0].partition(" -m reports ")[2]))


def test_scripts_exist_and_are_bash() -> None:
    scripts = {found for _, line in commands() for found in re.findall(r"\.(?:ci|github)/[\w-]+(?![\w.-])", line)}
    scripts |= {".ci/run", ".ci/vllm"}
    for script in sorted(scripts - {".ci/"}):
        assert os.access(ROOT / script, os.X_OK), script
        assert subprocess.run(["bash", "-n", ROOT / script]).returncode == 0, script


def test_what_ci_installs_is_pinned() -> None:
    """Each dependency, in a version that pyproject.toml allows, and wherever CI installs the suite."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins = dict(line.split("==") for line in (ROOT / ".ci/constraints.txt").read_text().splitlines() if "==" in line)
    extras = [
        one for name, some in project["optional-dependencies"].items() if name != "probe-training" for one in some
    ]
    for needed in map(Requirement, [*project["dependencies"], *extras]):
        assert needed.specifier.contains(pins.get(needed.name.lower(), "0")), f"{needed}: run .ci/lock with Python 3.11"
    lines = [line for _, line in commands()] + (ROOT / ".ci/run").read_text().splitlines()
    installs = [line for line in lines if "pip install" in line]
    assert len(installs) >= 5
    newest = ".venv/bin/pip install -q --upgrade openai"  # Each night: its new names are what is asked for.
    assert [line for line in installs if "-c .ci/constraints.txt" not in line] == [newest]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, ""),
        ({"v1.2.3": "v1.2.4"}, "The tag is v1.2.4, but pyproject.toml has version 1.2.3"),
        ({"2026-11-29": "unreleased"}, 'CHANGELOG.md has no heading "## 1.2.3 (YYYY-MM-DD)"'),
    ],
    ids=["right", "another tag", "no date"],
)
def test_a_release_has_its_version_in_tag_and_changelog(tmp_path: Path, changes: dict[str, str], says: str) -> None:
    """What `.ci/wheel` checks before it builds; the build itself needs the network."""

    def changed(text: str) -> str:
        for old, new in changes.items():
            text = text.replace(old, new)
        return text

    (tmp_path / ".ci").mkdir()
    script = (ROOT / ".ci/wheel").read_text().partition("work=$(mktemp")[0]
    (tmp_path / ".ci/wheel").write_text(script)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    (tmp_path / "CHANGELOG.md").write_text(changed("# Changelog\n\n## 1.2.3 (2026-11-29)\n"))
    command = ["bash", str(tmp_path / ".ci/wheel"), changed("v1.2.3")]
    done = subprocess.run(command, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True)
    assert (done.returncode == 0, done.stderr.startswith(says)) == (not says, True), done.stderr


def test_each_part_of_the_repository_has_an_owner() -> None:
    assert re.search(r"^\* @[\w/-]+$", (ROOT / ".github/CODEOWNERS").read_text(), re.MULTILINE)


def test_the_changelog_has_the_present_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \((unreleased|\d{4}-\d\d-\d\d)\)", one) for one in headings)
    assert headings[0].startswith(f"{version} (")


def test_no_text_of_strangers_reaches_a_shell() -> None:
    """An expression in a command is replaced before the shell reads it: only the matrix, which is ours, may be one."""
    used = {found for _, line in commands() for found in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", line)}
    assert all(name.startswith("matrix.") for name in used), used


def test_rights_are_the_least() -> None:
    for path in WORKFLOWS:
        assert loaded(path)["permissions"] == {"contents": "read"}, path


# .github/data-branch


def git(directory: Path, *arguments: str) -> str:
    identity = {f"GIT_{who}_{what}": "t@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environment = {**os.environ, **identity, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", *arguments], cwd=directory, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(tmp_path, "clone", "-q", "origin.git", "clone")
    git(tmp_path / "clone", "commit", "-q", "--allow-empty", "-m", "first")
    git(tmp_path / "clone", "push", "-q", "origin", "HEAD:refs/heads/main")
    return tmp_path / "clone"


def data_branch(clone: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / ".github" / "data-branch"
    return subprocess.run([script, *arguments], cwd=clone, capture_output=True, text=True)


def test_the_data_branch_keeps_a_directory(clone: Path) -> None:
    done = data_branch(clone, "pull", "data")
    assert (done.returncode, done.stdout) == (0, "There is no branch data yet.\n")
    for number in (1, 2):
        (clone / "data" / "llamacpp").mkdir(exist_ok=True)
        (clone / "data" / "llamacpp" / f"{number}.jsonl").write_text(f"{number}\n")
        assert data_branch(clone, "push", "data").returncode == 0
    done = data_branch(clone, "pull", "again")
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (clone / "again" / "llamacpp").iterdir()) == ["1.jsonl", "2.jsonl"]
    assert git(clone, "rev-list", "--count", "FETCH_HEAD").strip() == "1"
    assert git(clone, "status", "--short", "--untracked-files=no") == ""


def test_an_unreachable_origin_is_no_empty_history(clone: Path) -> None:
    git(clone, "remote", "set-url", "origin", str(clone / "nowhere"))
    assert data_branch(clone, "pull", "data").returncode not in (0, 2)


# .github/measure


@pytest.mark.slow
def test_the_action_measures_and_leaves_a_report(tmp_path: Path) -> None:
    """What the action's one step does, with a recording in the place of the server."""
    columns = [target("llamacpp")]
    old = write(tmp_path / "old.jsonl", [check()], {"count": wire("{}")}, targets=columns)
    environment = {
        **os.environ,
        "VENV": str(Path(sys.executable).parent.parent),
        "BACKEND": "llamacpp",
        "ARGUMENTS": f"--replay={old}\n-m stop\n--name *\n\n",
        "FAIL_ON": "must",
        "REPORT": "report",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "OPENAI_API_KEY": "",
    }
    script = ROOT / ".github" / "measure"
    done = subprocess.run([script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
    assert "--name '*': a name has up to 60 letters" in done.stderr + done.stdout  # And not the names of files.
    (tmp_path / "known.toml").write_text('[[flaky]]\nchecks = ["stop.ends_the_text"]\nreason = "a test"\n')
    (tmp_path / "gh").write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    (tmp_path / "gh").chmod(0o755)
    environment["PATH"] = f"{tmp_path}{os.pathsep}{environment['PATH']}"
    environment |= {"BACKEND": "url", "ARGUMENTS": "-k test_ends_the_text\n\n", "KNOWN": "known.toml"}
    environment |= {"BASELINE": "old.jsonl", "PULL_REQUEST": "7", "GH_TOKEN": "a token"}
    with running(create_app(faults=["stop-ignored"], delay=0)) as url:
        environment["BASE_URL"] = f"{url}/v1"
        done = subprocess.run([script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 1, done.stdout + done.stderr
        assert f"1 of the 1 entries in {tmp_path}/known.toml apply" in done.stdout
        left = {path.name for path in (tmp_path / "report").iterdir()}
        assert {"index.html", "results.jsonl", "junit.xml", "capabilities.json", "badge.svg"} <= left
        body = tmp_path / "report" / "comment.md"
        assert "| MUST | `stop.ends_the_text` | ✓ pass → ⊘ ignored (requirement changed) |" in body.read_text()
        asked = f"pr comment 7 --edit-last --create-if-none --body-file {body}\n"
        assert (tmp_path / "asked").read_text() == asked
        summary = (tmp_path / "summary.md").read_text()
        assert summary.startswith(body.read_text())
        assert "| stop |" in summary
        # What a server did before as well fails no job.
        shutil.copy(tmp_path / "report" / "results.jsonl", tmp_path / "before.jsonl")
        environment |= {"BASELINE": "before.jsonl", "KNOWN": ""}
        done = subprocess.run([script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert "1 ignored" in done.stdout
        assert (done.returncode, "Regressions" in body.read_text()) == (0, False), done.stdout + done.stderr
        # A revision of the requirements is pinned, and one that does not exist is one sentence.
        environment |= {"BASELINE": "", "REQUIREMENTS": "2026-11"}
        done = subprocess.run([script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        header = json.loads((tmp_path / "report" / "results.jsonl").read_text().partition("\n")[0])
        assert (done.returncode, header["requirements"]) == (1, "2026-11"), done.stdout + done.stderr
        environment["REQUIREMENTS"] = "1999-01"
        done = subprocess.run([script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert "1999-01" in done.stdout + done.stderr
        assert (done.returncode, "Traceback" in done.stderr) == (4, False)
