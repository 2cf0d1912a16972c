"""How a server is found and identified, and which of its models play which role."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from backends import find, gguf, identify, listening, patience, roles
from backends.access import Access
from backends.attach import attach
from backends.errors import CannotStart, NoModel
from backends.room import QUESTIONS
from backends.target import Target, Wanted
from tests import made
from tests.fake import Reply, as_json, error, serving

PROBE = Path(__file__).parent.parent / "fixtures/probe_model"
HELLO_BODY = {"choices": [{"message": {"role": "assistant", "content": "Hi"}}]}
HELLO = as_json(HELLO_BODY)
PROPS = as_json({"default_generation_settings": {}, "build_info": "b7-x", "total_slots": 3, "model_ftype": "Q4_K_M"})


def listing(*models: str) -> Reply:
    return as_json({"object": "list", "data": [{"id": m, "object": "model"} for m in models]})


# Where


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", "http://127.0.0.1:11434/v1"),
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        (":8888", "http://127.0.0.1:8888/v1"),
        ("gpu-box:8888", "http://gpu-box:8888/v1"),
        ("http://gpu-box", "http://gpu-box:11434/v1"),
    ],
)
def test_ollama_host_is_respected(value: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", value)
    assert listening.usual_urls(find.backends()["ollama"]) == [url]


def test_vllm_port_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_PORT", "8123")
    assert listening.usual_urls(find.backends()["vllm"]) == ["http://127.0.0.1:8123/v1"]


def usually_at(origin: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "usual_urls", lambda data: ["http://127.0.0.1:9/v1", origin + "/v1"])


def llama(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
    return {"/props": PROPS, "/v1/models": listing("m")}.get(path, HELLO)


def test_a_server_that_answers_is_recognised_and_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(llama) as origin:
        usually_at(origin, monkeypatch)
        running = find.run(Wanted(backend="llamacpp"))
    target = running.target
    assert running.servers == []
    assert f"attached to {origin}/v1, where llama.cpp answered already" in target.found
    assert (target.version, target.slots, target.details["quantisation"]) == ("b7-x", 3, "Q4_K_M")


def test_a_server_of_another_kind_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(llama) as origin:
        usually_at(origin, monkeypatch)
        with pytest.raises(CannotStart, match=f"what answers at {origin} is not vLLM"):
            find.run(Wanted(backend="vllm", runtime="attach"))


def test_what_answers_at_a_usual_address_gets_no_secret_before_it_is_recognised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    def stranger(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        seen.append((path, headers))
        return llama(method, path, body, headers) if path == "/v1/models" else error(401, "a key, please")

    access = Access(key="sk-canary/1234", headers=(("x-secret", "canary-2"),), query="token=canary-3")
    with serving(stranger) as origin:
        usually_at(origin, monkeypatch)
        with pytest.raises(CannotStart, match="does not say without a key what it is; add --base-url="):
            find.run(Wanted(backend="llamacpp", runtime="attach", access=access))
    assert len(seen) > 1
    assert "canary" not in str(seen)


def test_a_process_is_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(llama) as origin:
        usually_at(origin, monkeypatch)
        running = find.run(Wanted(backend="llamacpp", runtime="process"))
        running.stop()
    assert running.target.found == "started from the xllamacpp wheel"
    assert running.directory is not None
    assert not running.directory.exists()


# Roles


def attached(can: dict[str, str], backend: str = "url", **wanted: Any) -> tuple[Target, list[str]]:
    """Attach to a server with models that can do, by word, `chat`, `embed`, `see`; the target and what was asked.

    `drop` takes images and drops them, `read` reads their data as text, `same` gives all texts one vector.
    """
    asked = []

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        if path.endswith("/models"):
            return listing(*can)
        sent = json.loads(body or b"{}")
        able = can[sent["model"]].split() if body else []
        if not body:
            return error(404, "not here")
        if path == "/api/show":
            words = {"chat": "completion", "embed": "embedding", "see": "vision", "call": "tools"}
            return as_json({"capabilities": [words[w] for w in able]})
        if path.endswith("/embeddings"):
            asked.append(f"embed {sent['model']}")
            vector = {"embedding": [1.0 if "same" in able else float(len(sent["input"])), 2.0]}
            return as_json({"data": [vector]}) if {"embed", "same"} & set(able) else error(400, "cannot embed")
        image = b"image_url" in body
        asked.append(f"{'see' if image else 'chat'} {sent.get('model')}")
        if "chat" not in able or (image and not {"see", "drop", "read"} & set(able)):
            return error(400, f"{sent.get('model')} cannot do that")
        tokens = 9 + 64 * (image and "see" in able) + len(body) // 3 * (image and "read" in able)
        return as_json({**HELLO_BODY, "usage": {"prompt_tokens": tokens}})

    with serving(reply) as origin:
        to = Wanted(backend=backend, base_url=origin + "/v1", timeout=5, slots=4, **wanted)
        return attach(to, origin + "/v1", find.backends()[backend]), asked


def played(target: Target) -> dict[str, str]:
    return {d.role: d.model for d in target.deployments}


def test_roles_are_found_by_asking() -> None:
    target, _ = attached({"nomic": "embed", "llama": "chat", "eyes": "chat see"})
    assert played(target) == {"chat": "llama", "embedding": "nomic", "vision": "eyes"}
    assert "chat: llama, number 2 of 3 tried" in target.details["roles"]


def test_roles_are_found_by_capabilities_with_few_questions() -> None:
    models = {"nomic": "embed", "small": "chat", "caller": "chat call", "eyes": "chat see"}
    target, asked = attached(models, "ollama")
    assert played(target) == {"chat": "caller", "embedding": "nomic", "vision": "eyes"}
    assert list(dict.fromkeys(asked)) == ["chat caller", "embed nomic", "see eyes", "chat eyes"]


def test_capabilities_are_asked_of_few_models() -> None:
    shown = []

    def can(model: str) -> list[str]:
        shown.append(model)
        return ["completion"]

    roles.cast(lambda *_: made.exchange(HELLO_BODY), [f"m{n}" for n in range(500)], {}, can, {"chat": ["completion"]})
    assert len(shown) == roles.ASKED


def test_tries_are_bounded() -> None:
    target, asked = attached({f"m{n}": "chat" for n in range(30)})
    assert played(target) == {"chat": "m0"}
    assert len(asked) == 1 + 8 + 8 + len(QUESTIONS)
    assert "nor are 7 others that were tried" in target.missing["vision"]


def test_named_models_are_taken_unasked() -> None:
    target, asked = attached({"a": "chat", "b": "embed"}, models={"chat": "a", "embedding": "b", "vision": "a"})
    assert played(target) == {"chat": "a", "embedding": "b", "vision": "a"}
    assert asked.count("see a") == asked.count("embed b") == 0


@pytest.mark.parametrize(
    ("can", "role", "why"),
    [
        ({"m": "chat drop"}, "vision", "an image changes neither the answer nor `usage.prompt_tokens`"),
        ({"m": "chat read"}, "vision", "the server puts the image's data into the prompt as text"),
        ({"m": "chat same"}, "embedding", "two texts have the same embedding"),
        ({"m": "embed"}, "chat", "the server answered 400: m cannot do that"),
    ],
)
def test_a_role_is_absent_unless_it_has_an_effect(can: dict[str, str], role: str, why: str) -> None:
    target, _ = attached(can)
    assert role not in played(target)
    assert why in target.missing[role]  # type: ignore[index]


def test_an_ollama_with_only_embedding_models_is_measured() -> None:
    target, _ = attached({"nomic": "embed"}, "ollama")
    assert played(target) == {"embedding": "nomic"}
    assert target.missing["chat"] == "the server lists no model for it"


# Identity


def test_an_ollama_without_models_is_told_to_pull_one() -> None:
    """A fresh Ollama lists `data: null`."""

    def fresh(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        return as_json({"object": "list", "data": None}) if path == "/v1/models" else error(404, "model not found")

    with serving(fresh) as origin:
        url = origin + "/v1"
        with pytest.raises(NoModel) as no_model:
            attach(Wanted(backend="ollama", base_url=url), url, find.backends()["ollama"])
    assert str(no_model.value).startswith(
        f"{url} lists no model: load one with `ollama pull llama3.1` (in a container: "
    )
    assert no_model.value.exit_code == 13


def test_gguf_header_is_read() -> None:
    header = gguf.read(PROBE / "probe-f16.gguf")
    assert header.values["general.architecture"] == "qwen3"
    assert header.values["tokenizer.ggml.tokens"] == 1024
    assert header.quantisation == "F16"
    assert sum(header.tensors.values()) == 984_448


def test_gguf_gets_a_value(tmp_path: Path) -> None:
    before = PROBE / "probe-f16.gguf"
    after = tmp_path / "pooled.gguf"
    after.write_bytes(gguf.with_number(before, "qwen3.pooling_type", 1))
    old, new = gguf.read(before), gguf.read(after)
    assert new.values == {**old.values, "qwen3.pooling_type": 1}
    tail = before.read_bytes()[-1_900_000:]
    assert after.read_bytes().endswith(tail)
    assert (after.stat().st_size - new.tensors_end) // 32 == (before.stat().st_size - old.tensors_end) // 32


@pytest.mark.parametrize("raw", [b"", b"GGUF", b"GGML" + bytes(99), (PROBE / "probe-f16.gguf").read_bytes()[:500]])
def test_what_is_no_gguf_is_said(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(raw)
    with pytest.raises(gguf.NotGGUF):
        gguf.read(tmp_path / "x.gguf")
    assert identify.quantisation(tmp_path / "x.gguf") == "unknown"


def test_models_are_told_apart_by_hash(tmp_path: Path) -> None:
    digests = dict(reversed(line.split()) for line in (PROBE / "SHA256SUMS").read_text().splitlines())
    assert identify.described(PROBE / "probe-f16.gguf") == f"probe-f16.gguf (sha256 {digests['probe-f16.gguf'][:12]})"
    assert identify.described(PROBE / "probe").startswith("probe/ (sha256 of 5 files ")
    assert identify.quantisation(PROBE / "probe") == "bfloat16"


@pytest.mark.parametrize(
    ("headers", "pages", "version"),
    [
        ({"x-litellm-version": "1.108.0", "Server": "uvicorn"}, {}, "litellm 1.108.0"),
        ({"Server": "uvicorn"}, {}, None),
        ({"Server": "nginx/1.22"}, {"/version": {"version": "0.30.1"}}, "0.30.1"),
        ({"Server": "llama.cpp"}, {}, "llama.cpp"),
        (
            {"x-api-version": "2"},
            {"/openapi.json": {"info": {"title": "Infinity", "version": "0.0.78"}}},
            "Infinity 0.0.78",
        ),
        ({}, {"/openapi.json": {"info": {"title": "FastAPI", "version": "0.1.0"}}}, None),
    ],
)
def test_the_version_is_the_servers_own(headers: dict[str, str], pages: dict[str, Any], version: str | None) -> None:
    def reply(method: str, path: str, body: bytes, _: dict[str, str]) -> Reply:
        if path in pages:
            return as_json(pages[path])
        status, own, content = listing("m") if path == "/v1/models" else HELLO if body else error(404, "no")
        return status, {**own, **headers}, content

    with serving(reply) as origin:
        target = attach(Wanted(backend="url", base_url=origin + "/v1", slots=2), origin + "/v1", {})
    assert target.version == version


def test_roles_survive_refusals_in_passing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.01,) * 4)
    asked = 0

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        nonlocal asked
        asked += bool(body)
        if body and asked % 2:
            return 503, {"Retry-After": "0"}, b"<html>"
        return listing("m") if path == "/v1/models" else HELLO if b"messages" in body else error(404, "no")

    with serving(reply) as origin:
        target = attach(Wanted(backend="url", base_url=origin + "/v1", slots=2), origin + "/v1", {})
    assert played(target)["chat"] == "m"


def test_a_circuit_breaker_that_our_questions_open_hides_no_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.01,) * 4)
    opened = 0.0

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        nonlocal opened
        if path == "/v1/models":
            return listing("m")
        if time.monotonic() < opened + 0.3:
            return error(503, "all circuits open")
        if path == "/v1/embeddings":
            opened = time.monotonic()
            return error(400, "no embeddings")
        return as_json({**HELLO_BODY, "usage": {"prompt_tokens": 9 + 64 * (b"image_url" in body)}})

    with serving(reply) as origin:
        target = attach(Wanted(backend="url", base_url=origin + "/v1", slots=2), origin + "/v1", {})
    assert played(target) == {"chat": "m", "vision": "m"}
    assert "400: no embeddings" in target.missing["embedding"]


def test_a_server_that_always_streams_chats() -> None:
    body = made.stream(made.chunk({"content": "Hi"}), made.chunk({}, "stop"))
    always: Reply = (200, {"Content-Type": "text/event-stream"}, body)
    with serving(lambda _m, path, body, _h: always if body else listing("m")) as origin:
        target = attach(Wanted(backend="url", base_url=origin + "/v1", slots=2), origin + "/v1", {})
    assert played(target) == {"chat": "m"}
