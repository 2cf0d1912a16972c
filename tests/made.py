"""Exchanges made by hand, for tests of what reads them."""

from __future__ import annotations

import json
from typing import Any

from backends.wire import Exchange, Request
from conformance.answers import view


def exchange(
    body: Any,
    *,
    status: int = 200,
    path: str = "/chat/completions",
    method: str = "POST",
    sent: dict[str, Any] | None = None,
    content_type: str = "application/json",
    **more: Any,
) -> Exchange:
    """An exchange whose answer is `body`: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Exchange(
        request=Request(method=method, path=path, body=sent or {"model": "m"}),
        status=status,
        headers=(("Content-Type", content_type),),
        body=raw,
        reads=((0.01, len(raw)),),
        **more,
    )


def stream(*chunks: Any, done: bool = True) -> bytes:
    """The chunks as server-sent events."""
    events = [f"data: {json.dumps(c)}\n\n" for c in chunks] + (["data: [DONE]\n\n"] if done else [])
    return "".join(events).encode()


def answer(body: Any, *, name: str = "made", control: bool = False, **more: Any) -> Any:
    """The same as an answer that checks can read."""
    made = exchange(body, **more)
    return view(made.request.path)(name, made, control)


def streamed(*chunks: Any, **more: Any) -> Any:
    """A streamed chat answer."""
    return answer(stream(*chunks), content_type="text/event-stream", sent={"model": "m", "stream": True}, **more)


def chat_body(text: str | None = "Paris", finish: str | None = "stop", **message: Any) -> dict[str, Any]:
    """A plain chat completion."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": text, **message}, "finish_reason": finish}
        ],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> dict[str, Any]:
    """A chunk with one choice."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
    }


def refusal(message: str = "no") -> dict[str, Any]:
    """The error object."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def replaced(value: Any, odd: Any, depth: int) -> Any:
    """A value with `odd` in the place of all that stands at a depth."""
    if depth == 0:
        return odd
    if isinstance(value, dict):
        return {key: replaced(one, odd, depth - 1) for key, one in value.items()}
    return [replaced(one, odd, depth - 1) for one in value] if isinstance(value, list) else value
