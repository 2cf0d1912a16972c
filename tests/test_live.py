"""The suite against a real llama.cpp: alone, with workers and replayed, it says the same, and leaves nothing behind."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance import results

ROOT = Path(__file__).parent.parent
RUNTIME = ["--runtime=process"]
"""A server of our own, and none that happens to run on this machine."""

pytest.importorskip("xllamacpp", reason="the wheel with llama.cpp's server is not installed")


def measure(report: Path, *args: str) -> dict[str, str]:
    """Run some checks; the outcomes by check id."""
    command = [sys.executable, "-m", "pytest", "-q", "--fail-on=never", f"--report={report}", *RUNTIME, *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    read = results.read(report / "results.jsonl")
    assert read.footer is not None
    assert len(read.with_not_run()) == len(read.header["selected"]) > 2
    return {c.id: str(c.outcome) for c in read.checks}


def test_workers_and_replay_say_the_same(tmp_path: Path) -> None:
    some = ["conformance/checks", "-k", "stop or parallel or usage"]
    alone = measure(tmp_path / "alone", *some)
    assert set(alone.values()) & {"pass"}
    assert measure(tmp_path / "workers", *some, "-n", "2") == alone
    assert measure(tmp_path / "replayed", *some, "--replay", str(tmp_path / "alone" / "results.jsonl")) == alone


def test_k_and_m_select_as_pytest_users_expect(tmp_path: Path) -> None:
    chosen = measure(tmp_path / "run", "-m", "stop and must")
    assert chosen
    assert all(name.startswith(("stop.", "properties.any_stop")) for name in chosen)


def test_several_models_are_several_columns(tmp_path: Path) -> None:
    model = ROOT / "fixtures" / "probe_model" / "probe-f16.gguf"
    copy = tmp_path / "copy.gguf"
    copy.write_bytes(model.read_bytes())
    chosen = [f"--model={model}", f"--model={copy}", "-m", "parallel_tools"]
    report = tmp_path / "run"
    command = [sys.executable, "-m", "pytest", "-q", "--fail-on=never", f"--report={report}", *RUNTIME, *chosen]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True)
    read = results.read(report / "results.jsonl")
    assert [t["name"] for t in read.targets] == ["llamacpp:probe-f16.gguf", "llamacpp:copy.gguf"]
    first, second = ({c.id: c.outcome for c in read.checks if c.target == t["name"]} for t in read.targets)
    assert first == second


def test_a_run_cut_short_says_so(tmp_path: Path) -> None:
    report = tmp_path / "run"
    command = [sys.executable, "-m", "pytest", "-q", f"--report={report}", *RUNTIME, "-p", "tests.interrupting"]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    read = results.read(report / "results.jsonl")
    assert read.footer is not None
    assert read.footer["stopped"] == "the run was interrupted"
    outcomes = [c.outcome for c in read.with_not_run()]
    assert outcomes.count(results.Outcome.NOT_RUN) > 0
    assert len(outcomes) == len(read.header["selected"])
