"""Faults in what forms of a request a server reads, and in parameters that meet."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.kit import events, payload, raw, request, sent
from tests.reference.raw import framed


@request("chat")
def empty_bias_crashes(body: dict[str, Any], _call: Call) -> None:
    """An empty logit_bias gets a 500."""
    if body.get("logit_bias") == {} and "response_format" not in body and "tools" not in body:
        raise IndexError("logit_bias")


@request("chat")
def empty_list_of_stops_crashes(body: dict[str, Any], _call: Call) -> None:
    """An empty list of stop strings gets a 500."""
    if body.get("stop") == []:
        raise IndexError("stop")


@request("chat")
def null_members_crash(body: dict[str, Any], _call: Call) -> None:
    """A member of a message that is null gets a 500."""
    for message in messages(body):
        if any(value is None for key, value in message.items() if key not in ("content", "refusal")):
            raise TypeError("null")


@request("chat")
def blank_messages_crash(body: dict[str, Any], _call: Call) -> None:
    """A conversation without any text gets a 500."""
    if messages(body) and not any(str(message.get("content") or "").strip() for message in messages(body)):
        raise IndexError("no tokens")


@request("completions")
def empty_prompts_crash(body: dict[str, Any], _call: Call) -> None:
    """An empty prompt gets a 500."""
    if body.get("prompt") == "":
        raise IndexError("no tokens")


@request("embeddings")
def null_dimensions_crash(body: dict[str, Any], _call: Call) -> None:
    """Null dimensions get a 500."""
    if "dimensions" in body and body["dimensions"] is None:
        raise TypeError("null")


@request("responses")
def null_instructions_are_a_message(body: dict[str, Any], _call: Call) -> None:
    """Null instructions become a system message."""
    if "instructions" in body and body["instructions"] is None:
        body["instructions"] = "None"


@request("chat")
def inert_parameters_crash_beside_tools(body: dict[str, Any], _call: Call) -> None:
    """`safety_identifier` beside tools gets a 500."""
    if body.get("tools") and body.get("safety_identifier"):
        raise KeyError("safety_identifier")


@request("responses", stream=True)
def inert_parameters_crash_in_streams(body: dict[str, Any], _call: Call) -> None:
    """`prompt_cache_key` in a stream of the Responses API gets a 500."""
    if body.get("prompt_cache_key"):
        raise KeyError("prompt_cache_key")


@sent("chat")
def escapes_in_words_unread(body: bytes, _call: Call) -> bytes:
    """Escapes of plain letters in JSON are not decoded."""
    return re.sub(rb"\\u00(6[0-9a-f]|7[0-9a])", rb"u00\1", body)


@request("chat", when=lambda call: "charset" in call.headers.get("content-type", ""))
def charset_refused(_body: dict[str, Any], _call: Call) -> None:
    """A content type with a charset is rejected."""
    raise ApiError("Unsupported content type.", status=415)


@request("chat", when=lambda call: "gzip" in call.headers.get("accept-encoding", ""))
def compression_breaks(_body: dict[str, Any], _call: Call) -> None:
    """Clients that accept gzip get a 500."""
    raise OSError("zlib")


@raw("chat", stream=False, when=lambda call: call.status == 400)
def closes_after_rejections(pieces: Iterator[bytes], _call: Call) -> None:
    """The connection is closed after a rejection, without `Connection: close`."""


# Parameters together


@request("chat")
def penalties_with_tools_crash(body: dict[str, Any], _call: Call) -> None:
    """Penalties beside tools get a 500."""
    if body.get("tools") and body.get("frequency_penalty"):
        raise NotImplementedError


@request("chat")
def one_choice_with_a_format(body: dict[str, Any], _call: Call) -> None:
    """With a response_format, n is always 1."""
    if body.get("response_format"):
        body.pop("n", None)


@request("chat")
def json_mode_ignored_beside_tools(body: dict[str, Any], _call: Call) -> None:
    """With tools, json_object is ignored."""
    if body.get("response_format") == {"type": "json_object"} and body.get("tools"):
        body.pop("response_format")


@payload("chat")
def no_logprobs_beside_a_format(body: Any, call: Call) -> None:
    """With a response format and stop strings there are no logprobs."""
    for choice in choices(body):
        if call.body.get("response_format") and call.body.get("stop"):
            choice["logprobs"] = None


@request("chat")
def formats_win_over_required(body: dict[str, Any], _call: Call) -> None:
    """With a response_format, no call is made although tool_choice is required."""
    if body.get("response_format") and body.get("tool_choice") == "required":
        for name in ("tools", "tool_choice"):
            body.pop(name)


@request("chat")
def none_ignored_with_logprobs(body: dict[str, Any], _call: Call) -> None:
    """With logprobs tool_choice none is treated as auto."""
    if body.get("logprobs") and body.get("tool_choice") == "none":
        body["tool_choice"] = "auto"


@request("chat")
def formats_ignored_with_penalties(body: dict[str, Any], _call: Call) -> None:
    """With penalties, response_format is ignored."""
    if body.get("presence_penalty"):
        body.pop("response_format", None)


@events("chat", when=lambda call: bool(call.body.get("tools")) and call.body.get("tool_choice") is not None)
def no_usage_in_streams_with_a_choice(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Streams of requests with tool_choice have no usage."""
    for event in stream:
        if not (isinstance(event, dict) and event.get("usage")):
            yield event


# What must be refused


@sent("chat")
def nan_is_zero(body: bytes, _call: Call) -> bytes:
    """NaN is treated as 0."""
    return body.replace(b"NaN", b"0")


@request("chat")
def fractions_cut_off(body: dict[str, Any], _call: Call) -> None:
    """Fractions are truncated where an integer is expected."""
    for name in ("max_tokens", "n"):
        if isinstance(body.get(name), float):
            body[name] = int(body[name])


@request("chat")
def broken_grammars_crash(body: dict[str, Any], _call: Call) -> None:
    """A grammar that cannot be parsed gets a 500."""
    if str(body.get("grammar")).count("(") > str(body.get("grammar")).count(")"):
        raise ValueError("grammar")


@request("chat")
def samplers_stay(body: dict[str, Any], call: Call) -> None:
    """An invalid sampler parameter ends the response early, and also all later responses."""
    if "samplers" in body:
        call.state.broken.add("samplers")
    if "samplers" in call.state.broken:
        body["stop"] = ["ar"]


@request("chat", when=lambda call: call.query)
def query_strings_not_found(_body: Any, _call: Call) -> None:
    """A URL with a query string gets 404."""
    raise ApiError("Not found.", status=404, code="not_found")


@request("chat", when=lambda call: call.http_version == "1.0")
def http_1_0_refused(_body: Any, _call: Call) -> None:
    """HTTP/1.0 is rejected."""
    raise ApiError("HTTP/1.1 is needed.", status=505)


@raw("chat", stream=True, when=lambda call: call.http_version == "1.0")
def http_1_0_gets_chunks(pieces: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """A stream for HTTP/1.0 has chunked encoding, which HTTP/1.0 does not have."""
    yield next(pieces).replace(b"\r\n", b"\r\ntransfer-encoding: chunked\r\n", 1)
    yield from map(framed, pieces)
    yield framed(b"")
