"""Legal servers: gateways, proxies and servers of other makers that do all that is asked in a form of their own."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterator
from typing import Any

from tests.reference import raw
from tests.reference.call import Call
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import events, headers, hook, payload, request, wire
from tests.reference.faults.legal import Chunks, _streams


@wire(("chat", "completions"), stream=True, when=_streams, legal=True)
def event_lines(chunks: Chunks, _call: Call) -> Chunks:
    """Each event of a stream has the line `event: message`, which is the default."""
    return (b"event: message\n" + chunk for chunk in chunks)


def _merged(stream: Iterator[Any], size: int) -> Iterator[Any]:
    """The stream with the text of up to `size` chunks of a choice in one."""
    held: Any = None
    count = 0
    for event in stream:
        now = choices(event)
        text = len(now) == 1 and now[0].get("finish_reason") is None and set(now[0].get("delta") or {}) == {"content"}
        same = text and held and held["choices"][0]["index"] == now[0]["index"] and count < size
        if same:
            before = held["choices"][0]
            before["delta"]["content"] += now[0]["delta"]["content"]
            if (now[0].get("logprobs") or {}).get("content"):
                entries = before.get("logprobs") or {"content": [], "refusal": None}
                before["logprobs"] = {**entries, "content": entries["content"] + now[0]["logprobs"]["content"]}
            count += 1
            continue
        if held:
            yield held
        held, count = (event, 1) if text else (None, 0)
        if not text:
            yield event
    if held:
        yield held


@events("chat", legal=True)
def twelve_tokens_a_chunk(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """A chunk has up to twelve tokens."""
    return _merged(stream, 12)


@events("chat", legal=True)
def empty_chunks_between(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """After each chunk comes one with an empty string as `content`."""
    for event in stream:
        yield event
        for choice in choices(event):
            if choice.get("finish_reason") is None:
                yield {**event, "choices": [{**choice, "delta": {"content": ""}, "logprobs": None}]}


@payload(legal=True)
def extra_fields_everywhere(body: Any, _call: Call) -> None:
    """Every object of a response has fields that the API does not name."""
    _extend(body)


def _extend(value: Any) -> None:
    if isinstance(value, list):
        for one in value:
            _extend(one)
    elif isinstance(value, dict):
        for key, one in list(value.items()):
            if key not in (
                "metadata",
                "schema",
                "parameters",
                "tools",
                "text",
                "format",
                "tool_choice",
                "top_logprobs",
            ):
                _extend(one)
        value["x_extra"] = {"why": ["because"], "n": 1.5}


@payload(("chat", "completions"), legal=True)
def ids_are_uuids(body: Any, call: Call) -> None:
    """Ids are UUIDs without a prefix."""
    kept = call.state.kept.setdefault("uuids", {})
    if isinstance(body, dict) and isinstance(body.get("id"), str):
        body["id"] = kept.setdefault(body["id"], str(uuid.uuid4()))
    for choice in choices(body):
        for message in (choice.get("message"), choice.get("delta")):
            for made in (message or {}).get("tool_calls") or []:
                if made.get("id"):
                    made["id"] = kept.setdefault(made["id"], str(uuid.uuid4()))


@payload("chat", legal=True)
def no_optional_fields(body: Any, _call: Call) -> None:
    """A response has only the fields that the API requires."""
    for name in ("system_fingerprint", "service_tier"):
        body.pop(name, None)
    if isinstance(body.get("usage"), dict):
        body["usage"].pop("completion_tokens_details", None)
    for choice in choices(body):
        if "message" in choice:
            choice["message"].pop("annotations", None)


@headers(legal=True)
def headers_of_a_proxy(head: dict[str, str], _call: Call) -> None:
    """A proxy adds headers of its own."""
    head |= {
        "via": "1.1 proxy.example (squid/6.6)",
        "x-cache": "MISS",
        "alt-svc": 'h3=":443"; ma=86400',
        "strict-transport-security": "max-age=31536000",
        "set-cookie": "route=a1; Path=/; HttpOnly",
        "server": "openresty",
        "server-timing": "upstream;dur=12",
        "vary": "Accept-Encoding, Origin",
        "x-accel-buffering": "no",
    }


@hook("raw", legal=True)
def plain_answers_are_chunked(pieces: Chunks, call: Call) -> Chunks:
    """Plain responses come in chunks, without their length."""
    head = next(pieces)
    if call.stream or call.http_version == "1.0" or b"\r\ncontent-length" not in head:
        yield head.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
        yield from pieces
        return
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    yield b"\r\n".join([lines[0], b"connection: close", b"transfer-encoding: chunked", *lines[1:]])
    if call.method != "HEAD":
        whole = b"".join(pieces)
        for at in range(0, len(whole), 100):
            yield raw.framed(whole[at : at + 100])
        yield raw.framed(b"")


@hook("raw", legal=True)
def gzipped(pieces: Chunks, call: Call) -> Chunks:
    """Plain responses are compressed where the client accepts that."""
    head = next(pieces)
    if call.stream or "gzip" not in call.headers.get("accept-encoding", "") or call.method == "HEAD":
        yield head.replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
        yield from pieces
        return
    whole = gzip.compress(b"".join(pieces))
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"content-length")]
    yield b"\r\n".join(
        [lines[0], b"connection: close", b"content-encoding: gzip", b"content-length: %d" % len(whole), *lines[1:]]
    )
    yield whole


@request(("chat", "completions"), legal=True)
def limits_are_clamped(body: Any, _call: Call) -> None:
    """A limit of tokens above 2,000 counts as 2,000."""
    for name in ("max_tokens", "max_completion_tokens"):
        if isinstance(body, dict) and isinstance(body.get(name), int) and body[name] > 2000:
            body[name] = 2000


@request(("chat", "completions", "responses"), legal=True)
def greedy_by_default(body: Any, _call: Call) -> None:
    """Temperature is 0 where a request does not say otherwise."""
    if isinstance(body, dict) and body.get("temperature") is None:
        body["temperature"] = 0
