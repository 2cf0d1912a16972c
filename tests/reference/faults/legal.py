"""Legal variations: other wires for the same answers. A check that one of them flips is too strict."""

from __future__ import annotations

import json
import secrets
import time
import uuid
from collections.abc import Iterator
from typing import Any

from tests.reference import raw
from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import answer, error, events, headers, hook, payload, request, script, timing, wire
from tests.reference.generator import Script
from tests.reference.tokens import TOKEN_BYTES, encode

Chunks = Iterator[bytes]
TEXT = ("chat", "completions", "responses")


def _streams(call: Call) -> bool:
    """Whether a stream is sent, not a refusal of one."""
    return call.stream and call.status < 300


@wire(stream=True, when=_streams, legal=True)
def crlf(chunks: Chunks, _call: Call) -> Chunks:
    """Lines of a stream end with CRLF (WHATWG HTML, server-sent events)."""
    return (chunk.replace(b"\n", b"\r\n") for chunk in chunks)


@wire(stream=True, when=_streams, legal=True)
def lines_end_with_cr(chunks: Chunks, _call: Call) -> Chunks:
    """Lines of a stream end with CR alone (WHATWG HTML allows all three line ends)."""
    return (chunk.replace(b"\n", b"\r") for chunk in chunks)


@wire(stream=True, when=_streams, legal=True)
def comments_and_pings(chunks: Chunks, _call: Call) -> Chunks:
    """Comment lines and blank lines stand between the events."""
    yield b": welcome\n\n"
    for chunk in chunks:
        yield chunk
        yield b": ping\n\n"


@wire(stream=True, when=_streams, legal=True)
def data_without_space(chunks: Chunks, _call: Call) -> Chunks:
    """No space follows `data:`."""
    return (chunk.replace(b"data: ", b"data:", 1).replace(b"event: ", b"event:", 1) for chunk in chunks)


@wire(stream=True, when=_streams, legal=True)
def retry_and_ids(chunks: Chunks, _call: Call) -> Chunks:
    """Events have `id:` and the stream a `retry:` line."""
    for number, chunk in enumerate(chunks):
        yield (b"" if number else b"retry: 3000\n") + b"id: %d\n" % number + chunk


@wire(stream=True, when=_streams, legal=True)
def data_over_lines(chunks: Chunks, _call: Call) -> Chunks:
    """JSON is written over several lines, each of which begins with `data:`."""
    for chunk in chunks:
        head, _, data = chunk.partition(b"data: ")
        if data.startswith(b"{"):
            data = (
                json.dumps(json.loads(data), indent=1, ensure_ascii=False).replace("\n", "\ndata: ").encode() + b"\n\n"
            )
        yield head + b"data: " + data


@wire(legal=True, when=lambda call: call.status != 204)
def escaped_json(chunks: Chunks, _call: Call) -> Chunks:
    """Characters beyond ASCII are escaped in JSON."""
    for chunk in chunks:
        yield "".join(c if ord(c) < 128 else json.dumps(c)[1:-1] for c in chunk.decode()).encode()


@answer(legal=True)
def json_over_lines(body: Any, _call: Call) -> bytes:
    """Plain responses are JSON with spaces and line ends."""
    return json.dumps(body, indent=2, ensure_ascii=False).encode()


@wire(stream=True, when=_streams, legal=True)
def one_byte_chunks(chunks: Chunks, _call: Call) -> Chunks:
    """The body is written a byte at a time; of a long one, the first 4 kB."""
    left = 4000
    for chunk in chunks:
        yield from (bytes([byte]) for byte in chunk[:left])
        if chunk[left:]:
            yield chunk[left:]
        left = max(0, left - len(chunk))


@wire(stream=True, when=_streams, legal=True)
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


@wire(stream=True, when=_streams, legal=True)
def short_streams_at_once(chunks: Chunks, _call: Call) -> Chunks:
    """The first kilobyte of a stream is one write, as a proxy's buffer makes it."""
    held: bytes | None = b""
    for chunk in chunks:
        if held is not None and len(held) < 1000:
            held += chunk
        else:
            yield (held or b"") + chunk
            held = None
    if held:
        yield held


@payload(legal=True)
def extra_fields(body: Any, _call: Call) -> None:
    """Responses have fields that the API does not name."""
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
    head, _, random = body["id"].partition("-")
    body["id"] = f"{head}-{uuid.uuid5(uuid.NAMESPACE_OID, random)}"
    for choice in choices(body):
        for message in (choice.get("message"), choice.get("delta")):
            for made in (message or {}).get("tool_calls") or []:
                if "id" in made:
                    made["id"] = "toolu_" + secrets.token_hex(8)


@timing(legal=True)
def slow_answers(seconds: float, call: Call) -> float:
    """Headers come after 50 ms, and each event takes five times as long, at least 2 ms."""
    return max(seconds * 5, 0.05 if call.pulled < 0 else 0.002)


@headers(legal=True)
def connection_close(head: dict[str, str], _call: Call) -> None:
    """The connection is closed after each answer, and the answer says so."""
    head["connection"] = "close"


@headers(legal=True)
def header_names_in_capitals(head: dict[str, str], _call: Call) -> None:
    """Names of headers are written with capitals (RFC 9110: their case does not matter)."""
    for name in list(head):
        head[name.title()] = head.pop(name)


@hook("raw", legal=True)
def http_1_0(pieces: Chunks, call: Call) -> Chunks:
    """Responses are HTTP/1.0: their end is the end of the connection."""
    head = next(pieces).replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    lines = [line for line in head.split(b"\r\n") if not line.startswith((b"transfer-encoding", b"content-length"))]
    yield b"\r\n".join([lines[0], b"connection: close", *lines[1:]])
    for piece in pieces:
        yield raw.unframed(piece) if call.stream else piece


@hook("raw", legal=True)
def early_hints(pieces: Chunks, call: Call) -> Chunks:
    """A 103 comes before the answer (RFC 8297); not for HTTP/1.0, which has none (RFC 9110, 15.2)."""
    if call.http_version == "1.0":
        yield from pieces
        return
    yield b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n"
    yield next(pieces).replace(b"\r\n", b"\r\nconnection: close\r\n", 1)
    yield from pieces


@headers(legal=True)
def content_type_with_charset(head: dict[str, str], _call: Call) -> None:
    """The content type of JSON names its charset; that of a stream does not."""
    kind = head["content-type"]
    head["content-type"] = "text/event-stream" if kind.startswith("text/event") else "application/json; charset=utf-8"


@payload("chat", legal=True)
def finish_reason_tool_calls_for_named(body: Any, call: Call) -> None:
    """A call of a named tool ends with tool_calls, as some versions of OpenAI's models have it."""
    wanted = call.body.get("tool_choice")
    if isinstance(wanted, dict) and wanted.get("type") != "allowed_tools":
        for choice in choices(body):
            if choice["finish_reason"] == "stop":
                choice["finish_reason"] = "tool_calls"


@payload(TEXT, legal=True)
def model_with_version(body: Any, _call: Call) -> None:
    """The answer names the model with its version."""
    whole = body.get("response", body)
    if whole.get("model"):
        whole["model"] += "-2026-01-01"


@payload(TEXT, stream=True, legal=True)
def created_when_sent(body: dict[str, Any], _call: Call) -> None:
    """Each chunk has the second in which it was made."""
    if "created" in body:
        body["created"] = int(time.time())


@payload("chat", legal=True)
def absent_null_fields(body: Any, _call: Call) -> None:
    """Fields of chunks that would be null or an empty list are absent (official clients cope)."""
    for choice in choices(body):
        for holder in (choice, choice.get("delta", {})):
            for name in ("logprobs", "refusal", "annotations"):
                if not holder.get(name) and body["object"].endswith("chunk"):
                    holder.pop(name, None)


@events("chat", legal=True)
def role_with_the_first_text(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """The first chunk of a choice has the role and the first piece of its text."""
    held: dict[int, Any] = {}
    for event in stream:
        for choice in choices(event):
            if "role" in choice["delta"]:
                held[choice["index"]] = choice["delta"]
                break
        else:
            for choice in choices(event):
                choice["delta"] = {**held.pop(choice["index"], {}), **choice["delta"]}
            yield event


@payload("chat", stream=True, legal=True)
def empty_text_with_the_finish(body: Any, _call: Call) -> None:
    """The last chunk of a choice has an empty text instead of an empty delta."""
    for choice in choices(body):
        if choice["finish_reason"] == "stop":
            choice["delta"].setdefault("content", "")


@payload("chat", stream=True, legal=True)
def type_in_every_tool_delta(body: Any, _call: Call) -> None:
    """A streamed call has `type` again in each piece of its arguments."""
    for choice in choices(body):
        for made in choice["delta"].get("tool_calls") or []:
            made["type"] = "function"


@answer("chat", legal=True)
def arguments_with_spaces(body: dict[str, Any], _call: Call) -> None:
    """Arguments of calls are JSON with spaces and line ends."""
    for choice in choices(body):
        for made in choice["message"].get("tool_calls") or []:
            if "function" not in made:
                continue
            text = made["function"]["arguments"]
            if choice["finish_reason"] != "length":
                made["function"]["arguments"] = json.dumps(json.loads(text), indent=1, ensure_ascii=False)


@error(legal=True)
def errors_with_more_fields(body: dict[str, Any], _call: Call) -> None:
    """Errors have fields that the API does not name."""
    body["error"]["innererror"] = {"code": "x"}
    body["request_id"] = "req_1"


@payload("chat", legal=True)
def usage_without_details(body: Any, _call: Call) -> None:
    """Usage does not tell details of the completion where no tokens were thoughts."""
    usage = body.get("usage")
    if usage and not usage["completion_tokens_details"]["reasoning_tokens"]:
        del usage["completion_tokens_details"]


@payload("chat", legal=True)
def fingerprint_null(body: dict[str, Any], _call: Call) -> None:
    """system_fingerprint is null."""
    body["system_fingerprint"] = None


@script(TEXT, legal=True, when=lambda call: not call.body.get("logprobs"))
def last_bits_differ(said: Script, call: Call) -> None:
    """Sometimes two tokens are almost equally likely, and the last bits of a sum choose between them."""
    free = [at for at, step in enumerate(said.steps) if step.channel == "content" and not step.forced]
    for at in free[8:]:
        if TOKEN_BYTES[said.steps[at].token].isascii() and call.chance.random() < 0.05:
            other = encode(f" or {call.chance.randbytes(4).hex()} instead")
            said.steps[at:] = [said.steps[at]._replace(token=token) for token in other]
            return


@request("chat", legal=True)
def remote_images_refused(body: dict[str, Any], _call: Call) -> None:
    """Images are taken as data URLs only."""
    if '"url": "http' in json.dumps(body.get("messages")):
        raise ApiError("Only data URLs are taken.", param="messages")


@answer("responses", legal=True)
def logprobs_of_responses_have_the_end(body: Any, _call: Call) -> None:
    """In plain responses, logprobs have an entry for the end token; those of the deltas in streams have none."""
    for item in body.get("output") or []:
        for part in item.get("content") or [] if item.get("type") == "message" else []:
            if part.get("logprobs"):
                token = "<|im_end|>"
                entry = {**part["logprobs"][-1], "token": token, "bytes": list(token.encode())}
                part["logprobs"].append(entry)


@request("chat", legal=True)
def text_parts_on_lines_of_their_own(body: Any, _call: Call) -> None:
    """Each text part of a message begins a line, also an empty one, as Transformers joins them."""
    messages = body.get("messages") if isinstance(body, dict) else None
    for one in messages if isinstance(messages, list) else []:
        parts = one.get("content") if isinstance(one, dict) else None
        texts = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
        if isinstance(parts, list) and 1 < len(parts) == len(texts) and all(isinstance(text, str) for text in texts):
            one["content"] = "\n".join(texts)
