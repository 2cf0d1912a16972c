"""Servers of our own: what is started, what is said when that cannot be, and an Ollama with models made for it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from backends import find, launch, process, wire
from backends.errors import CannotStart
from backends.target import Running, Wanted
from conformance import results
from tests.test_bad_input import measure

ROOT = Path(__file__).parent.parent


def started(**wanted: str) -> Running:
    return find.run(Wanted(runtime="process", **wanted))  # type: ignore[arg-type]


def test_missing_program_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        CannotStart, match=r"^No Ollama found: install ollama, or name a running server with --base-url"
    ):
        started(backend="ollama")


def test_everything_that_was_tried_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9")
    with pytest.raises(CannotStart, match=r"No Ollama found.*nothing answers at http://127.0.0.1:9"):
        find.run(Wanted(backend="ollama"))


def test_missing_server_binary_is_one_sentence() -> None:
    with pytest.raises(CannotStart, match="--server-binary /no/such is not a program that can be run"):
        started(backend="llamacpp", server_binary="/no/such")


def test_python_as_server_binary_has_the_module() -> None:
    made = process.program(Wanted(backend="vllm", server_binary=sys.executable), find.backends()["vllm"])
    assert made.command[:3] == [sys.executable, "-m", "vllm.entrypoints.openai.api_server"]


def test_missing_model_file_is_one_sentence(tmp_path: Path) -> None:
    data = find.backends()["llamacpp"]
    data = {**data, "deploy": {**data["deploy"], "chat": {**data["deploy"]["chat"], "file": "no/such.gguf"}}}
    with pytest.raises(CannotStart, match=r"no/such.gguf is missing: bring it back with `git checkout"):
        process.with_models(data, Wanted(backend="llamacpp"))
    with pytest.raises(CannotStart, match="The model llama9 is not a file: give a path to a GGUF file"):
        process.with_models(data, Wanted(backend="llamacpp", models={"chat": "llama9"}))


def test_the_users_model_file_is_served(tmp_path: Path) -> None:
    mine = tmp_path / "mine.gguf"
    mine.write_bytes((ROOT / "fixtures/probe_model/probe-f16.gguf").read_bytes())
    running = find.run(Wanted(backend="llamacpp", models={"chat": str(mine)}))
    running.stop()
    assert running.target.deployments[0].model == "mine"
    assert "chat: mine.gguf" in running.target.details["model file"]


def test_the_users_chat_template_is_used(tmp_path: Path) -> None:
    template = tmp_path / "my {template}.jinja"
    template.write_text("{% for message in messages %}<{{ message.role }}> {{ message.content }}\n{% endfor %}")
    running = find.run(Wanted(backend="llamacpp", chat_template=template))
    try:
        chat, embedding, vision = running.target.deployments
        with wire.client(10, running.target.access) as http:
            ask = wire.Request(method="GET", path="/../props")
            asked = [wire.send(ask, one.base_url, model="", http=http) for one in (chat, embedding, vision)]
    finally:
        running.stop()
    used = [json.loads(one.body)["chat_template"].strip() for one in asked]
    texts = [one == template.read_text().strip() for one in used]
    assert texts == [True, False, True]


@pytest.mark.parametrize(
    ("backend", "file", "sentence"),
    [
        ("llamacpp", "none.jinja", "none.jinja is not a file"),
        ("ollama", "", "is started without one; start it yourself"),
    ],
)
def test_a_chat_template_that_cannot_be_used(backend: str, file: str, sentence: str, tmp_path: Path) -> None:
    wanted = Wanted(backend=backend, chat_template=tmp_path / file)
    with pytest.raises(CannotStart, match=sentence):
        process.with_models(find.backends()[backend], wanted)


def test_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
        server = launch.start(command, port, tmp_path / "x")
        with pytest.raises(CannotStart, match=f"127.0.0.1:{port}: another program took that port"):
            server.wait_until_healthy("/", 20)


def test_a_server_that_ends_tells_its_last_words(tmp_path: Path) -> None:
    server = launch.start([sys.executable, "-c", "print('no memory'); raise SystemExit(3)"], 9, tmp_path / "x")
    with pytest.raises(CannotStart, match=r"(?s)ended before it answered\. Its log is .*no memory"):
        server.wait_until_healthy("/", 20)


GRANDCHILD = """
import os, signal, time
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open({file!r}, "w").write(str(os.getpid()))
time.sleep(99)
"""
"""A child that left the server's group and does not hear SIGTERM."""


def with_grandchild(directory: Path) -> tuple[launch.Process, Path]:
    """A guarded server with such a child; also the child's directory in /proc."""
    file = directory / "child"
    code = GRANDCHILD.format(file=str(file))
    parent = f"import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', {code!r}]); time.sleep(99)"
    server = launch.start([sys.executable, "-c", parent], 9, directory / "x")
    while not file.exists() or not file.read_text():
        assert server.guard.poll() is None
    return server, Path("/proc") / file.read_text()


def test_what_a_server_started_ends_with_it(tmp_path: Path) -> None:
    server, child = with_grandchild(tmp_path)
    server.stop()
    assert not child.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and Linux's signal at a parent's death")
@pytest.mark.parametrize("killed", ["outer", "inner"])
def test_a_killed_guard_ends_what_the_server_started(tmp_path: Path, killed: str) -> None:
    server, child = with_grandchild(tmp_path)
    outer = server.guard.pid
    (inner,) = Path(f"/proc/{outer}/task/{outer}/children").read_text().split()
    parent = child / "stat"
    (program,) = Path(f"/proc/{inner}/task/{inner}/children").read_text().split()
    assert parent.read_text().split()[3] == program
    os.kill(outer if killed == "outer" else int(inner), signal.SIGKILL)
    deadline = time.monotonic() + 60
    pids = [Path("/proc") / pid for pid in (inner, program, child.name)]
    while any(_lives(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    server.guard.wait(60)
    assert [pid for pid in pids if _lives(pid)] == []


def _lives(process: Path) -> bool:
    """Whether a process is there and more than a zombie, which this test's own parent may not have collected."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def ollama(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on PATH with a stand-in `ollama`."""
    program = tmp_path / "bin" / "ollama"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "tests/fake_ollama.py"} "$@"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "the-users"))
    return program


@pytest.mark.parametrize(
    ("blind", "paths"), [(False, ["GGUF template", "Modelfile template"]), (True, ["Modelfile template"])]
)
def test_ollama_gets_models_of_its_own(
    ollama: Path, tmp_path: Path, blind: bool, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if blind:
        monkeypatch.setenv("FAKE_OLLAMA_BLIND", "1")
    running = started(backend="ollama")
    try:
        target = running.target
        base_url = target.deployments[0].base_url
        again = find.run(Wanted(backend="ollama", base_url=base_url)).target
        named = find.run(Wanted(backend="ollama", base_url=base_url, models={"chat": "probe:latest"})).target
    finally:
        running.stop()
    assert {d.role: d.model for d in target.deployments} == {
        "chat": "probe:latest",
        "embedding": "probe-embedding:latest",
        "vision": "probe-vision:latest",
    }
    assert target.missing == {}
    assert (target.version, target.found) == ("0.33.0-rc2", f"started from {ollama}, with a model store of its own")
    assert {d.role: d.model for d in again.deployments}["embedding"] == "probe-embedding:latest"
    assert "tools" in again.details["roles"]
    assert not (tmp_path / "the-users").exists()
    columns = [target, *running.others]
    assert [(one.name, one.code_path) for one in columns] == [(f"ollama ({path})", path) for path in paths]
    assert named.name == f"ollama@{base_url[7:-3]} ({paths[0]})"
    if not blind:
        assert columns[1].deployments[0].model == "probe-modelfile:latest"
        assert "OLLAMA_GO_TEMPLATE=1" in columns[1].details["environment"]


def test_two_targets_in_one_run(ollama: Path, tmp_path: Path) -> None:
    with_both = ["--backend", "llamacpp", "--backend", "ollama", "--runtime", "process", "--fail-on", "never"]
    code, output = measure(tmp_path, *with_both, "-v")
    assert code == pytest.ExitCode.OK, output
    assert "measuring: llamacpp xllamacpp" in output
    assert "measuring: ollama (GGUF template) 0.33.0-rc2" in output
    assert "measuring: ollama (Modelfile template) 0.33.0-rc2" in output
    kept = results.read(tmp_path / "run" / "results.jsonl")
    assert {c.target for c in kept.checks} == {"llamacpp", "ollama (GGUF template)", "ollama (Modelfile template)"}
    assert len(kept.checks) == 3 * len(kept.header["selected"])


def test_the_same_server_twice_is_refused(tmp_path: Path) -> None:
    code, output = measure(tmp_path, "--backend", "llamacpp", "--backend", "llamacpp")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "name each server once" in output


def test_a_server_binary_is_for_one_backend(tmp_path: Path) -> None:
    both = ["--backend=llamacpp", "--backend=vllm", "--server-binary=llama-server"]
    code, output = measure(tmp_path, *both)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "--server-binary llama-server is one program, but llamacpp and vllm would be started: measure one" in output
    code, output = measure(tmp_path, both[0], "--backend=vllm@http://127.0.0.1:9/v1", both[2])
    assert code != pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        (["--base-url=http://127.0.0.1:9/v1"], "--base-url"),
        (["--server-binary=llama-server"], "--server-binary"),
        (["--backend=llamacpp", "--backend=vllm"], "llamacpp and vllm"),
    ],
)
def test_a_server_version_is_of_one_server(more: list[str], left_out: str, tmp_path: Path) -> None:
    code, output = measure(tmp_path, "--server-version=1.0", *more)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert f"--server-version is the version of one server that is started; leave out {left_out}." in output


def test_the_command_starts_the_server_again_and_has_no_key() -> None:
    words = [sys.executable, "-m", "server", "--kwargs", '{"a": 1}']
    assert process._shell(words, {"SLOTS": "4 5"}, ["SERVER_KEY"]) == (
        """SLOTS='4 5' SERVER_KEY="$OPENAI_API_KEY" python -m server --kwargs '{"a": 1}'"""
    )
