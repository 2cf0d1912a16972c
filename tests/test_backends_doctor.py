"""What the doctor says of healthy and of broken set-ups."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from backends import doctor, launch, listening
from backends.__main__ import main
from tests.fake import Reply, as_json, error, serving

ROOT = Path(__file__).parent.parent
PROBE = "fixtures/probe_model/probe-f16.gguf"
NO_PARSER = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'


def problems(backend: str, base_url: str | None = None, model: str | None = None) -> dict[str, str]:
    """What the doctor finds wrong, by what it looked at."""
    return {f.what: str(f) for f in doctor.examine(backend, base_url, model) if f.state == "problem"}


@contextmanager
def llama(directory: Path, *args: str) -> Iterator[str]:
    """A real llama.cpp; yields its base URL."""
    port = launch.free_port()
    import sys

    command = [sys.executable, "-m", "backends.llamacpp.serve", "-m", PROBE, "--port", str(port), "-c", "4096", *args]
    server = launch.start(command, port, directory / "server")
    try:
        server.wait_until_healthy("/health", 20)
        yield server.origin + "/v1"
    finally:
        server.stop()


def said(content: str | None = "Hi", **more: Any) -> Reply:
    return as_json({"choices": [{"message": {"role": "assistant", "content": content, **more}}]})


def server(
    chat: Callable[[dict[str, Any]], Reply], pages: dict[str, Any] | None = None, model: str = "m"
) -> Callable[..., Reply]:
    """A server with one model, whose answers to chats `chat` makes."""

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        if path == "/v1/models":
            return as_json({"object": "list", "data": [{"id": model, "owned_by": "vllm"}]})
        if path == "/v1/chat/completions":
            return chat(json.loads(body))
        found = {"/health": {}, "/version": {"version": "0.32.0"}, **(pages or {})}.get(path)
        return error(404, "Not Found") if found is None else as_json(found)

    return reply


def test_nothing_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "llamacpp", "--base-url", "http://127.0.0.1:9/v1"]) == 1
    out = capsys.readouterr().out
    assert "problem running: nothing answers at http://127.0.0.1:9 → start it: docker-compose -f" in out


def test_what_pytest_would_do_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "usual_urls", lambda data: ["http://127.0.0.1:9/v1"])
    first = next(iter(doctor.examine("llamacpp")))
    assert (first.what, first.state) == ("running", "unclear")
    assert "nothing answers at http://127.0.0.1:9; pytest would start one itself, started from" in first.seen
    assert first.do.startswith("to measure yours, start it: docker-compose")
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    running, pytest_would, *_ = doctor.examine("llamacpp")
    assert (running.what, running.state) == ("running", "problem")
    assert "it would try a container (--runtime=container): No llama.cpp found" in str(pytest_would)


def test_http_where_https_was_asked() -> None:
    with serving(lambda *_: said()) as origin:
        found = problems("llamacpp", origin.replace("http:", "https:") + "/v1")
    assert f"the server speaks http → try --base-url={origin}/v1" in found["running"]


def test_a_key_that_no_header_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-can\rary")
    (only,) = doctor.examine("llamacpp", "http://127.0.0.1:9/v1")
    assert (only.what, only.state) == ("API key", "problem")
    assert "sk-can" not in str(only)


def test_healthy_llama(tmp_path: Path) -> None:
    with llama(tmp_path, "-np", "4", "--jinja", "--embeddings", "--pooling", "mean") as url:
        assert problems("llamacpp", url) == {}
        assert any("calls get_weather" in str(f) for f in doctor.examine("llamacpp", url))


def test_llama_without_jinja_and_with_one_slot(tmp_path: Path) -> None:
    with llama(tmp_path, "-np", "1") as url:
        found = problems("llamacpp", url)
    assert set(found) == {"tools", "parallel slots"}
    assert "tools param requires --jinja flag → start llama-server with --jinja" in found["tools"]
    assert "PARALLEL_SLOTS=4" in found["parallel slots"]


def test_template_without_tools() -> None:
    props = {"default_generation_settings": {}, "total_slots": 4, "chat_template_caps": {"supports_tools": False}}
    with serving(server(lambda _: said(), {"/props": props})) as origin:
        assert "llama.cpp says that m has none" in problems("llamacpp", origin + "/v1")["tools"]


def test_vllm_without_a_parser() -> None:
    with serving(server(lambda asked: error(400, NO_PARSER) if "tools" in asked else said())) as origin:
        found = problems("vllm", origin + "/v1")
    assert set(found) == {"tools"}
    assert "--enable-auto-tool-choice" in found["tools"]


def test_vllm_with_the_wrong_parser() -> None:
    text = '<tool_call>\n{"name": "get_weather"}\n</tool_call>'
    with serving(server(lambda asked: said(text if "tools" in asked else "Hi"))) as origin:
        assert "the call came as text" in problems("vllm", origin + "/v1")["tools"]


def test_server_for_embeddings_only() -> None:
    with serving(server(lambda _: error(404, "Not Found"), {"/v1/embeddings": {"data": []}})) as origin:
        assert "only makes embeddings" in problems("vllm", origin + "/v1")["chat"]


def test_model_without_tools_and_too_few_bits() -> None:
    pages = {
        "/api/version": {"version": "0.33.0"},
        "/api/tags": {"models": []},
        "/api/show": {"capabilities": ["completion"], "details": {"quantization_level": "Q3_K_M", "family": "llama"}},
        "/api/ps": {"models": [{"name": "llama3.2:3b", "size": 4, "size_vram": 1}]},
    }
    with serving(server(lambda _: said(), pages, model="llama3.2:3b")) as origin:
        found = problems("ollama", origin + "/v1")
    assert "ollama pull llama3.1" in found["tools"]
    assert "Q3_K_M is too low for tools → load one of Q4_K_M or higher" in found["quantisation"]
    assert "Llama 3.2: No tool support" in found["guide"]
    assert "25% of the model is on it" in found["GPU"]


def test_the_embedding_model_is_asked_for_embeddings() -> None:
    """Ollama lists an embedding model first; another one chats."""
    able = {"embedder": ["embedding"], "m": ["completion", "tools"]}

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        if path == "/v1/models":
            return as_json({"object": "list", "data": [{"id": id, "object": "model"} for id in able]})
        asked = json.loads(body) if body else {}
        if path == "/api/show":
            return as_json({"capabilities": able[asked["model"]], "details": {}})
        if path == "/v1/embeddings":
            return as_json({"data": []}) if asked["model"] == "embedder" else error(400, "not with this model")
        if path == "/v1/chat/completions":
            return said() if asked["model"] == "m" else error(400, "not with this model")
        return as_json({"version": "0.33.0", "models": []})

    with serving(reply) as origin:
        found = {f.what: str(f) for f in doctor.examine("ollama", origin + "/v1")}
    assert found["chat"] == "ok      chat: m answers"
    assert found["embeddings"] == "ok      embeddings: embedder makes them"


def test_other_kind_and_unknown_model() -> None:
    with serving(server(lambda _: said())) as origin:
        found = problems("ollama", origin + "/v1", "llama9")
    assert "it is not Ollama" in found["kind"]
    assert "llama9 is not listed; there are m" in found["model"]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("llama3.1:8b", "Llama 3.1 / 3.3"),
        ("meta-llama/Llama-3.3-70B-Instruct", "Llama 3.1 / 3.3"),
        ("Llama-3.2-3B-Instruct-Q4_K_M.gguf", "Llama 3.2"),
        ("mistral-nemo", "Mistral Nemo"),
        ("Qwen/Qwen2.5-7B-Instruct", "Qwen 2.5"),
        ("qwen2.5vl:7b", None),
        ("NousResearch/Hermes-3-Llama-3.1-8B", "Hermes 2/3"),
        ("meetkai/functionary-small-v3.2", "Functionary v3.1/v3.2"),
        ("firefunction-v2", "Firefunction v2"),
        ("granite4:micro", "Granite 4.0"),
        ("probe", None),
    ],
)
def test_models_of_the_guide(name: str, title: str | None) -> None:
    row = doctor.claimed(name)
    assert (row and row["title"]) == title
