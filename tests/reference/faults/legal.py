"""Legal variations: other wires for the same answers. A check that one of them flips is too strict."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import headers, payload, timing, wire

Chunks = Iterator[bytes]


@wire(stream=True, legal=True)
def crlf(chunks: Chunks, _call: Call) -> Chunks:
    """Lines of a stream end with CRLF (WHATWG HTML, server-sent events)."""
    return (chunk.replace(b"\n", b"\r\n") for chunk in chunks)


@wire(stream=True, legal=True)
def comments_and_pings(chunks: Chunks, _call: Call) -> Chunks:
    """Comment lines and blank lines stand between the events."""
    yield b": welcome\n\n"
    for chunk in chunks:
        yield chunk
        yield b": ping\n\n"


@wire(stream=True, legal=True)
def data_without_space(chunks: Chunks, _call: Call) -> Chunks:
    """No space follows `data:`."""
    return (chunk.replace(b"data: ", b"data:", 1).replace(b"event: ", b"event:", 1) for chunk in chunks)


@wire(stream=True, legal=True)
def retry_and_ids(chunks: Chunks, _call: Call) -> Chunks:
    """Events have `id:` and the stream a `retry:` line."""
    for number, chunk in enumerate(chunks):
        yield (b"" if number else b"retry: 3000\n") + b"id: %d\n" % number + chunk


@wire(stream=True, legal=True)
def one_byte_chunks(chunks: Chunks, _call: Call) -> Chunks:
    """The body is written a byte at a time."""
    return (bytes([byte]) for chunk in chunks for byte in chunk)


@wire(stream=True, legal=True)
def two_events_a_write(chunks: Chunks, _call: Call) -> Chunks:
    """Two events share a write."""
    held = b""
    for chunk in chunks:
        if held:
            yield held + chunk
            held = b""
        else:
            held = chunk
    if held:
        yield held


@wire(stream=True, legal=True)
def all_in_one_chunk(chunks: Chunks, _call: Call) -> Chunks:
    """A whole stream is written at once (flips what asks for increments, by intent)."""
    yield b"".join(chunks)


@payload(legal=True)
def extra_fields(body: Any, _call: Call) -> None:
    """Answers have fields that the API does not name."""
    if isinstance(body, dict):
        body["x_timings"] = {"predicted_ms": 1.5}
        for choice in choices(body):
            choice["x_token_ids"] = None


@payload(legal=True)
def key_order_reversed(body: Any, _call: Call) -> Any:
    """Keys of objects come in reverse order."""
    return _reversed(body)


def _reversed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _reversed(value[key]) for key in reversed(value)}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


@payload(legal=True)
def absent_optional_fields(body: Any, _call: Call) -> None:
    """Fields that the API marks as optional are absent."""
    if not isinstance(body, dict):
        return
    for name in ("system_fingerprint", "service_tier"):
        body.pop(name, None)
    for choice in choices(body):
        choice.get("message", {}).pop("annotations", None)
    usage = body.get("usage")
    if isinstance(usage, dict) and "prompt_tokens_details" in usage:
        del usage["prompt_tokens_details"]["audio_tokens"]


@payload(("chat", "completions"), legal=True)
def other_id_alphabet(body: Any, call: Call) -> None:
    """Ids have dashes and hexadecimal digits, as UUIDs have."""
    head = body["id"].partition("-")[0]
    tail = f"{call.created:08x}-{id(call) & 0xFFFF:04x}"
    body["id"] = f"{head}-{tail}"
    for choice in choices(body):
        for message in (choice.get("message"), choice.get("delta")):
            for made in (message or {}).get("tool_calls") or []:
                if "id" in made:
                    made["id"] = "toolu_" + secrets.token_hex(8)


@timing(legal=True)
def slow_answers(seconds: float, _call: Call) -> float:
    """Events come five times slower, plain answers after 50 ms."""
    return seconds * 5 or 0.05


@headers(legal=True)
def connection_close(head: dict[str, str], _call: Call) -> None:
    """The connection is closed after each answer."""
    head["connection"] = "close"


@headers(legal=True)
def content_type_with_charset(head: dict[str, str], _call: Call) -> None:
    """The content type of JSON names its charset; that of a stream does not."""
    kind = head["content-type"]
    head["content-type"] = "text/event-stream" if kind.startswith("text/event") else "application/json; charset=utf-8"


@payload("chat", legal=True)
def finish_reason_tool_calls_for_named(body: Any, call: Call) -> None:
    """A call of a named tool ends with tool_calls, as some versions of OpenAI's models have it."""
    if isinstance(call.body.get("tool_choice"), dict):
        for choice in choices(body):
            if choice["finish_reason"] == "stop":
                choice["finish_reason"] = "tool_calls"
