"""What a server says of itself may be anything: attaching and doctor end with a target or with one sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from backends import doctor, find
from backends.attach import attach
from backends.errors import CannotMeasure
from backends.target import Wanted
from tests.fake import Reply, serving
from tests.made import replaced

MESSAGE = {"role": "assistant", "content": "Hi", "tool_calls": [{"function": {"name": "get_weather"}}]}
PAGES: dict[str, Any] = {
    "/v1/models": {"object": "list", "data": [{"id": "m"}, {"id": "n"}]},
    "/v1/chat/completions": {
        "choices": [{"message": MESSAGE, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3},
    },
    "/v1/embeddings": {"data": [{"embedding": [0.5]}]},
    "/api/version": {"version": "1"},
    "/api/tags": {"models": [{"name": "m", "digest": "d"}]},
    "/api/show": {"capabilities": ["completion", "tools"], "details": {"family": "f", "quantization_level": "F16"}},
    "/api/ps": {"models": [{"name": "m", "size_vram": 1, "size": 1}]},
    "/props": {
        "default_generation_settings": {},
        "build_info": "b1",
        "total_slots": 1,
        "model_path": "/proc/self/mem",
        "model_ftype": "F16",
        "chat_template_caps": {"supports_tools": True},
    },
    "/openapi.json": {"info": {"title": "T", "version": "1"}},
}
ODD: dict[str, Any] = {
    "null": None,
    "number": 5,
    "string": "x",
    "array": [5],
    "object": {"x": []},
    "lone surrogate": "\ud800",
    "NUL and escapes": "\0\x1b[31m\n",
    "long": "x" * 100_000,
    "true": True,
    "empty": "",
    "negative": -1,
    "not a number": float("nan"),
    "4000 digits": 10**4000,
    "many": ["x"] * 10_000,
}
DEEP = b"[" * 100_000


def odd_pages() -> Iterator[tuple[str, bytes]]:
    """Each page as a body that is odd as a whole, or whose values all are."""
    for path, page in PAGES.items():
        yield path, DEEP
        yield path, b"\xff\xfe"
        yield path, b'\xef\xbb\xbf{"id": "\0"}'
        yield path, b'{"data": ' + b"9" * 100_000 + b"}"
        for odd in ODD.values():
            yield path, json.dumps(odd).encode()
            for depth in (1, 2, 3, 4):
                yield path, json.dumps(replaced(page, odd, depth)).encode()


@pytest.mark.parametrize(
    ("backend", "own"), [("url", ("/v1", "/openapi", "/api/version")), ("ollama", ("/api",)), ("llamacpp", ("/props",))]
)
def test_odd_answers_are_one_sentence(backend: str, own: tuple[str, ...]) -> None:
    now: dict[str, bytes] = {}

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        known = json.dumps(PAGES[path]).encode() if path in PAGES else b"{}"
        return 200 if path in PAGES else 404, {"Content-Type": "application/json"}, now.get(path, known)

    wrong = []
    with serving(reply) as origin:
        for path, body in dict.fromkeys(page for page in odd_pages() if page[0].startswith(own)):
            now.clear()
            now[path] = body
            for ended in (_attach, _examine):
                if problem := ended(backend, origin + "/v1"):
                    wrong.append(f"{path} {body[:80]!r}: {problem}")
    assert wrong == []


def _attach(backend: str, base_url: str) -> str:
    """What is wrong with how attaching ended."""
    try:
        target = attach(
            Wanted(backend=backend, base_url=base_url, timeout=5, slots=1), base_url, find.backends()[backend]
        )
        json.dumps(target.to_json()).encode()
    except CannotMeasure as problem:
        return "" if problem.exit_code in (12, 13) else f"exit code {problem.exit_code}: {problem}"
    except Exception as problem:
        return f"attach: {problem!r}"
    return ""


def _examine(backend: str, base_url: str) -> str:
    """What is wrong with how doctor ended."""
    try:
        return "" if [str(finding) for finding in doctor.examine(backend, base_url)] else "no finding"
    except Exception as problem:
        return f"doctor: {problem!r}"
