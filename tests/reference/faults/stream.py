"""Faults of streams: framing, order, what a chunk holds, how a stream ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.reference.call import DONE, Call, Gone, new_id
from tests.reference.errors import ApiError
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import events, headers, payload, request, timing, wire

CHATTY = ("chat", "completions")
Events = Iterator[Any]


@request("chat", when=lambda call: "stop" in call.body)
def chat_streams_by_default(body: dict[str, Any], _call: Call) -> None:
    """A chat completion with `stop` is streamed unless `stream` is false."""
    body.setdefault("stream", True)


@events(CHATTY)
def no_done_sentinel(stream: Events, _call: Call) -> Events:
    """A stream ends without [DONE]."""
    return (event for event in stream if event != DONE)


@events(CHATTY)
def done_twice(stream: Events, _call: Call) -> Events:
    """[DONE] comes twice."""
    yield from stream
    yield DONE


@events(CHATTY)
def done_is_json(stream: Events, _call: Call) -> Events:
    """The last event is {"done": true} instead of [DONE]."""
    return ({"done": True} if event == DONE else event for event in stream)


@events("chat")
def id_changes_mid_stream(stream: Events, _call: Call) -> Events:
    """Every chunk has a different id."""
    for event in stream:
        yield event if event == DONE else {**event, "id": new_id("chatcmpl-")}


@events("chat")
def role_in_every_delta(stream: Events, _call: Call) -> Events:
    """Each delta has the role."""
    for event in stream:
        for choice in choices(event):
            choice["delta"]["role"] = "assistant"
        yield event


@events("chat")
def role_never(stream: Events, _call: Call) -> Events:
    """No delta has the role."""
    for event in stream:
        for choice in choices(event):
            choice["delta"].pop("role", None)
        yield event


@events("chat")
def finish_reason_twice(stream: Events, _call: Call) -> Events:
    """The chunk with the finish_reason comes twice."""
    for event in stream:
        yield event
        if any(choice["finish_reason"] for choice in choices(event)):
            yield event


@events("chat")
def text_after_finish(stream: Events, _call: Call) -> Events:
    """A choice continues after its finish_reason."""
    for event in stream:
        yield event
        for choice in choices(event):
            if choice["finish_reason"]:
                late = {**choice, "delta": {"content": "!"}, "finish_reason": None}
                yield {**event, "choices": [late]}


@payload("chat", stream=True)
def chunk_is_a_completion(body: dict[str, Any], _call: Call) -> None:
    """`object` of chunks is chat.completion."""
    body["object"] = "chat.completion"


@payload("chat", stream=True)
def delta_named_message(body: dict[str, Any], _call: Call) -> None:
    """The delta of a chunk is called message."""
    for choice in choices(body):
        choice["message"] = choice.pop("delta")


@events("chat")
def text_repeated_cumulatively(stream: Events, _call: Call) -> Events:
    """Each delta repeats all text so far."""
    sofar: dict[int, str] = {}
    for event in stream:
        for choice in choices(event):
            if choice["delta"].get("content"):
                text = sofar.get(choice["index"], "") + choice["delta"]["content"]
                sofar[choice["index"]] = choice["delta"]["content"] = text
        yield event


@wire(CHATTY, stream=True)
def sent_at_the_end(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """The stream is held back until it is complete, and then sent at once."""
    yield b"".join(chunks)


@wire(CHATTY, stream=True)
def multi_byte_split_in_stream(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """Characters of several bytes are split between deltas, and arrive as U+FFFD."""
    for chunk in chunks:
        yield "".join(c if ord(c) < 128 else "\ufffd\ufffd" for c in chunk.decode()).encode()


@wire(stream=True)
def sse_without_blank_lines(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """Events end with only one line end, so they run into each other."""
    return (chunk.replace(b"\n\n", b"\n") for chunk in chunks)


@wire(CHATTY, stream=True)
def sse_bare_json_lines(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """Events are JSON lines without `data:`, as in some native APIs."""
    return (chunk.removeprefix(b"data: ").replace(b"\n\n", b"\n") for chunk in chunks)


@wire(CHATTY, stream=True)
def sse_json_over_lines(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """JSON is written over several lines, but only the first begins with `data:`."""
    for chunk in chunks:
        data = chunk.removeprefix(b"data: ").strip()
        spread = json.dumps(json.loads(data), indent=1).encode() if data.startswith(b"{") else data
        yield b"data: " + spread + b"\n\n"


@headers(stream=True)
def stream_content_type_json(head: dict[str, str], _call: Call) -> None:
    """A stream's content type is application/json."""
    head["content-type"] = "application/json"


@wire(CHATTY, stream=True)
def connection_cut_mid_stream(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """The connection is closed after five chunks."""
    for number, chunk in enumerate(chunks):
        if number == 5:
            raise Gone
        yield chunk


@events(CHATTY)
def error_ends_the_stream_silently(stream: Events, _call: Call) -> Events:
    """After five chunks, an error comes as an event, and [DONE] follows as usual."""
    for number, event in enumerate(stream):
        if number == 5:
            yield {"error": {"message": "out of memory", "type": "server_error", "param": None, "code": None}}
            yield DONE
            return
        yield event


@request(CHATTY)
def stream_ignored(body: dict[str, Any], _call: Call) -> None:
    """stream: true is ignored, and the response is plain."""
    body["stream"] = False
    body.pop("stream_options", None)


@events("chat")
def n_streamed_one_after_another_without_index(stream: Events, _call: Call) -> Events:
    """All streamed choices have index 0."""
    for event in stream:
        for choice in choices(event):
            choice["index"] = 0
        yield event


@events("chat")
def created_counts_up(stream: Events, _call: Call) -> Events:
    """`created` increases by ten seconds with each chunk."""
    for number, event in enumerate(stream):
        yield event if event == DONE else {**event, "created": event["created"] + 10 * number}


@events("chat")
def model_changes_mid_stream(stream: Events, _call: Call) -> Events:
    """Only the first chunk lacks the model."""
    for number, event in enumerate(stream):
        yield event if event == DONE or number else {**event, "model": "default"}


@events("chat")
def first_chunk_has_no_choices(stream: Events, _call: Call) -> Events:
    """A stream begins with a chunk without choices."""
    for number, event in enumerate(stream):
        if number == 0:
            yield {**event, "choices": []}
        yield event


@events("chat")
def first_text_lost(stream: Events, _call: Call) -> Events:
    """The first delta with text is lost."""
    seen = False
    for event in stream:
        texts = [choice["delta"].get("content") for choice in choices(event)]
        if any(texts) and not seen:
            seen = True
            continue
        yield event


@events(CHATTY)
def last_text_lost(stream: Events, _call: Call) -> Events:
    """The last delta with text is lost."""
    held: Any = None
    for event in stream:
        if held and not any(choice["finish_reason"] for choice in choices(event)):
            yield held
        held = event
    yield held


@events("chat")
def finish_reason_never_streamed(stream: Events, _call: Call) -> Events:
    """The chunk with the finish_reason is missing."""
    for event in stream:
        if not any(choice["finish_reason"] for choice in choices(event)):
            yield event


@events("chat")
def finish_reason_on_every_chunk(stream: Events, _call: Call) -> Events:
    """Every chunk has finish_reason stop."""
    for event in stream:
        for choice in choices(event):
            choice["finish_reason"] = choice["finish_reason"] or "stop"
        yield event


@payload("chat", stream=True)
def finish_reason_empty_in_chunks(body: dict[str, Any], _call: Call) -> None:
    """finish_reason is an empty string before the end."""
    for choice in choices(body):
        choice["finish_reason"] = choice["finish_reason"] or ""


@payload("chat", stream=True)
def finish_reason_length_never_streamed(body: dict[str, Any], _call: Call) -> None:
    """Streams truncated by max_tokens end with stop."""
    for choice in choices(body):
        if choice["finish_reason"] == "length":
            choice["finish_reason"] = "stop"


@payload("chat", stream=True)
def delta_null_at_the_end(body: dict[str, Any], _call: Call) -> None:
    """The last chunk has delta null."""
    for choice in choices(body):
        choice["delta"] = choice["delta"] or None


@payload("chat", stream=True)
def chunks_without_choices_key(body: dict[str, Any], _call: Call) -> None:
    """The chunk with the usage has no `choices`."""
    if body.get("choices") == []:
        del body["choices"]


@payload("completions", stream=True)
def completion_chunks_of_chat(body: dict[str, Any], _call: Call) -> None:
    """`object` of legacy chunks is that of chat chunks."""
    body["object"] = "chat.completion.chunk"


@wire("chat", stream=True)
def events_in_wrong_order(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """The fourth and fifth events are swapped."""
    held = b""
    for number, chunk in enumerate(chunks):
        if number == 3:
            held = chunk
        elif number == 4:
            yield chunk + held
            held = b""
        else:
            yield chunk
    if held:
        yield held


@wire(CHATTY, stream=True)
def done_in_the_same_event(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """[DONE] follows the last chunk without a blank line."""
    held = b""
    for chunk in chunks:
        yield held.replace(b"\n\n", b"\n") if b"[DONE]" in chunk else held
        held = chunk
    yield held


@events("chat")
def usage_before_the_end(stream: Events, _call: Call) -> Events:
    """The chunk with the usage comes before the finish_reason."""
    held: list[Any] = []
    for event in stream:
        if any(choice["finish_reason"] for choice in choices(event)):
            held.append(event)
        elif event == DONE:
            yield from held
            yield event
        else:
            yield event


@timing("chat", stream=True, when=lambda call: "stop" in call.body)
def streams_stall(seconds: float, call: Call) -> float:
    """A stream with a stop string stalls for an hour after its third event."""
    return 3600.0 if call.pulled == 3 else seconds


@wire("completions", stream=True)
def mark_before_the_stream(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """A byte order mark stands before the stream: legal, but the Python SDK loses the first event."""
    yield "\ufeff".encode()
    yield from chunks


@request("chat", stream=True, when=lambda call: bool(call.body.get("tools")))
def streams_with_tools_refused(_body: dict[str, Any], _call: Call) -> None:
    """A stream with tools is rejected, as by servers whose tool parser needs the complete response."""
    raise ApiError("Tools cannot be streamed.", param="stream")


@events("chat")
def text_in_one_piece(stream: Events, _call: Call) -> Events:
    """All text comes in one delta, when it is complete."""
    text: dict[int, str] = {}
    for event in stream:
        for choice in choices(event):
            text[choice["index"]] = text.get(choice["index"], "") + (choice["delta"].pop("content", None) or "")
            if choice["finish_reason"] and text[choice["index"]]:
                choice["delta"]["content"] = text[choice["index"]]
        if not choices(event) or any(choice["delta"] or choice["finish_reason"] for choice in choices(event)):
            yield event


@events("chat")
def stream_forgets_after_25_pieces(stream: Events, _call: Call) -> Events:
    """In a stream, the text after the 25th delta is lost."""
    for number, event in enumerate(stream):
        if number < 25 or not any(choice["delta"].get("content") for choice in choices(event)):
            yield event


@events("chat")
def last_thought_after_the_text(stream: Events, _call: Call) -> Events:
    """The last delta of the reasoning is sent after the text."""
    held: list[Any] = []
    for event in stream:
        if any(choice["delta"].get("reasoning_content") for choice in choices(event)):
            yield from held
            held = [event]
        elif any(choice["finish_reason"] for choice in choices(event)):
            yield from [*held, event]
        else:
            yield event
