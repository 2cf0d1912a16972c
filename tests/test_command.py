"""The command `openai-conformance`, from a clone and from the wheel, in a directory of the user's."""

from __future__ import annotations

import compileall
import importlib.util
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import find, process
from backends.errors import CannotStart
from backends.target import Wanted
from conformance import results
from conformance.requirements import matrix
from openai_conformance.__main__ import OF_REPORTS
from reports.__main__ import _parser
from tests.reference.app import create_app
from tests.reference.server import running

ROOT = Path(__file__).parent.parent
SOME = ["-q", "-k", "stop and ends"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running(create_app(delay=0)) as url:
        yield f"{url}/v1"


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the wheel puts into site-packages, not compiled, as uv leaves it."""
    pytest.importorskip("hatchling", reason="hatchling is not installed: pip install '.[test]'")
    built, site = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(built)]
    subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        wheel.extractall(site)
    return site


def command(
    *arguments: str, cwd: Path, site: Path = ROOT, program: str = "openai_conformance"
) -> subprocess.CompletedProcess[str]:
    """Run the command with the modules of a directory: of the clone, or of an installed wheel."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPATH": str(site), "COLUMNS": "100", "XDG_CACHE_HOME": f"{cwd}/cache"}
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


def header(directory: Path) -> dict[str, str]:
    """What the only run below a directory says of itself."""
    (file,) = directory.glob("openai-conformance/runs/*/results.jsonl")
    return results.read(file).header


def test_the_wheel_has_all_in_one_directory(installed: Path) -> None:
    tops = {path.name for path in installed.iterdir()}
    assert {name.partition("-")[0] for name in tops} == {"openai_conformance"}
    suite = installed / "openai_conformance"
    kept = ["requirements/matrix.toml", "results/results.schema.json", "run/costs.json", "checks/test_stop.py"]
    assert all((suite / "conformance" / name).is_file() for name in kept)
    assert (suite / "fixtures/probe_model/probe-f16.gguf").is_file()
    assert (suite / "backends/ollama/known.toml").is_file()
    assert (suite / "docs/versions/llamacpp.json").is_file()
    assert (suite / "reports/templates/index.html.j2").is_file()
    left_out = ["tests", "backends/reference", "fixtures/probe_model/training", "reports/runs", "reports/latest"]
    assert not [name for name in left_out if (suite / name).exists()]


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "n2"])
@pytest.mark.parametrize("compiled", [True, False], ids=["by pip", "by uv"])
def test_an_installed_suite_writes_only_into_the_current_directory(
    tmp_path: Path, installed: Path, server: str, workers: list[str], compiled: bool
) -> None:
    """uv does not compile what it installs; then compiled modules go into the user's cache."""
    site = shutil.copytree(installed, tmp_path / "site")
    compileall.compile_dir(site if compiled else site / "openai_conformance", quiet=2, maxlevels=10 if compiled else 0)
    before = sorted(site.rglob("*"))
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    (cwd / "conftest.py").write_text("raise RuntimeError('a conftest.py of the user is not ours to load')")
    (cwd / "reports.py").write_text("raise RuntimeError('nor is a module of the same name')")
    done = command(server, *SOME, *workers, cwd=cwd, site=site)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(site.rglob("*")) == before
    left = {"conftest.py", "reports.py", "openai-conformance", *([] if compiled else ["cache"])}
    assert {path.name for path in cwd.iterdir()} == left
    assert (cwd / "openai-conformance/latest/index.html").is_file()
    assert header(cwd)["command"] == " ".join(["openai-conformance", server, "-q", "-k", "'stop and ends'", *workers])
    assert "warning" not in done.stdout


def test_a_file_of_checks_is_an_argument(tmp_path: Path, server: str) -> None:
    done = command(server, "-q", "test_stop.py::test_ends_the_text", "test_seed.py", "-k", "ends", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [one["id"] for one in header(tmp_path)["selected"]] == ["stop.ends_the_text"]  # type: ignore[index]


def test_pytest_takes_a_url_too(tmp_path: Path, server: str) -> None:
    done = command(server, *SOME, f"--report={tmp_path}", cwd=ROOT, program="pytest")
    assert done.returncode == 0, done.stdout + done.stderr
    assert results.read(tmp_path / "results.jsonl").targets[0]["deployments"][0]["base_url"] == server


@pytest.mark.parametrize("more", [["http://127.0.0.1:2/v1"], ["--base-url=http://127.0.0.1:2/v1"]])
def test_more_than_one_url_is_refused(tmp_path: Path, more: list[str]) -> None:
    done = command("http://127.0.0.1:1/v1", *more, cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr == "ERROR: expected one URL; to measure several servers, give each as --backend=NAME@URL.\n\n"


def test_an_address_without_a_scheme_is_refused_in_a_sentence(tmp_path: Path) -> None:
    done = command("127.0.0.1:8000", cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "begin with http:// or https://, e.g. http://127.0.0.1:8000." in done.stderr


def test_the_other_commands_are_those_of_the_rooms(tmp_path: Path) -> None:
    of_backends = command("compose", "llamacpp", "--device=cpu", cwd=tmp_path)
    assert 'image: "ghcr.io/ggml-org/llama.cpp' in of_backends.stdout
    assert of_backends.stdout == command("compose", "llamacpp", "--device=cpu", cwd=ROOT, program="backends").stdout
    named = re.findall(r"^    ([a-z]+) ", _parser().format_help(), re.MULTILINE)
    assert sorted(named) == sorted(OF_REPORTS)
    of_reports = command("export", "nowhere.jsonl", "--format=badge", cwd=tmp_path)
    assert (of_reports.returncode, of_reports.stderr.count("\n")) == (2, 1)
    for name in ("doctor", "known", "replay-request", *OF_REPORTS):
        helped = command(name, "--help", cwd=tmp_path)
        assert helped.stdout.startswith(f"usage: openai-conformance {name} "), helped.stderr


def test_help_and_version(tmp_path: Path) -> None:
    helped = command("--help", cwd=tmp_path).stdout
    assert helped.startswith("usage: openai-conformance [URL]")
    assert all(option in helped for option in ("--backend=NAME", "--profile", "--budget", "--report=DIR"))
    assert "--setup-show" not in helped  # One of pytest's.
    version = command("--version", cwd=tmp_path).stdout
    assert version.startswith("openai-conformance 0.")


def test_without_an_engine_a_sentence_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "xllamacpp" else there(name))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    llamacpp = find.backends()["llamacpp"]
    with pytest.raises(CannotStart, match=r"^No llama.cpp found: .*pip install 'openai-conformance\[xllamacpp\]'"):
        process.program(Wanted(backend="llamacpp"), llamacpp)


def test_the_core_profile_measures_the_rows_of_the_guide(tmp_path: Path, server: str) -> None:
    done = command(server, "-q", "--profile=core", f"--report={tmp_path}", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    read = results.read(tmp_path / "results.jsonl")
    assert read.header["profile"] == "core"
    assert {one.feature for one in read.checks} == {f.id for f in matrix.features().values() if "guide" in f.claims}
    assert {str(one.outcome) for one in read.checks} == {"pass"}
    assert "A quick look (--profile=core)" in done.stdout
    assert "A quick look (--profile=core)" in (tmp_path / "index.html").read_text()
    assert "\ncost: about 130 requests and " in done.stdout


@pytest.mark.parametrize("workers", [[], ["-n", "2"]], ids=["alone", "n2"])
def test_what_does_not_fit_the_budget_is_not_run(tmp_path: Path, server: str, workers: list[str]) -> None:
    done = command(server, *SOME, "--budget=0.001s", f"--report={tmp_path}", *workers, cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr
    read = results.read(tmp_path / "results.jsonl")
    assert {one.message for one in read.checks} == {"the budget was used up (--budget=0.001s)"}
    assert {str(one.outcome) for one in read.checks} == {"not-run"}
    assert "Stopped: the budget was used up (--budget=0.001s)" in done.stdout
    assert "Stopped: the budget was used up (--budget=0.001s)" in (tmp_path / "index.html").read_text()


def test_a_terminal_shows_how_far_the_run_is(tmp_path: Path, server: str) -> None:
    ours, theirs = pty.openpty()
    arguments = [server, "-m", "stop", "--color=no", f"--report={tmp_path}"]
    run = subprocess.Popen(
        [sys.executable, "-m", "openai_conformance", *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", "TERM": "xterm"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen = b""
    try:
        while data := os.read(ours, 4096):
            seen += data
    except OSError:  # How Linux says that the other side is closed.
        pass
    assert run.wait(60) == 0, seen.decode()
    number = len(json.loads((tmp_path / "results.jsonl").read_text().partition("\n")[0])["selected"])
    assert f"\r{number} of {number} checks" in seen.decode()
    assert "test_stop.py" not in seen.decode()
