"""Faults of what is said twice, or in the wrong place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tests.reference.call import DONE, Call
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import answer, error, events, payload

COUNT = "Count from 1 to 10"
CHATTY = ("chat", "completions")


@answer(CHATTY)
def error_null_in_responses(body: Any, _call: Call) -> None:
    """Good responses have `error: null`."""
    if isinstance(body, dict):
        body["error"] = None


@payload(CHATTY, stream=True)
def error_null_in_chunks(body: Any, _call: Call) -> None:
    """Each chunk has `error: null`."""
    body["error"] = None


@events("chat", when=lambda call: bool(call.body.get("tools")))
def usage_in_each_chunk_with_tools(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """With tools, each chunk has a usage."""
    for event in stream:
        if event != DONE and not event.get("usage"):
            event["usage"] = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
        yield event


@payload("chat", stream=True)
def empty_calls_in_deltas(body: Any, _call: Call) -> None:
    """Each delta without calls has an empty array of them."""
    for choice in choices(body):
        choice["delta"].setdefault("tool_calls", [])


def _later_pieces(body: Any) -> Iterator[dict[str, Any]]:
    for choice in choices(body):
        yield from (piece for piece in choice["delta"].get("tool_calls") or [] if not piece.get("id"))


@payload("chat", stream=True)
def empty_id_in_later_pieces(body: Any, _call: Call) -> None:
    """All deltas of a call but the first have an empty id."""
    for piece in _later_pieces(body):
        piece["id"] = ""


@payload("chat", stream=True)
def empty_name_in_later_pieces(body: Any, _call: Call) -> None:
    """All deltas of a call but the first have an empty name."""
    for piece in _later_pieces(body):
        piece["function"]["name"] = ""


def _messages(body: Any) -> Iterator[dict[str, Any]]:
    for choice in choices(body):
        yield choice.get("message") or choice.get("delta") or {}


@answer("chat")
def calls_in_the_text_too(body: Any, _call: Call) -> None:
    """A call comes in `tool_calls`, and as JSON in `content`."""
    for message in _messages(body):
        if message.get("tool_calls"):
            message["content"] = json.dumps([call.get("function") for call in message["tool_calls"]])


@payload("chat")
def reasoning_in_both_fields(body: Any, _call: Call) -> None:
    """Reasoning comes in `reasoning_content` and in `reasoning`."""
    for message in _messages(body):
        if message.get("reasoning_content"):
            message["reasoning"] = message["reasoning_content"]


@payload("chat", stream=True, when=lambda call: call.body.get("messages") == [{"role": "user", "content": COUNT}])
def counts_are_taken_for_reasoning(body: Any, _call: Call) -> None:
    """A stream without a marker for the end of reasoning has only reasoning."""
    for message in _messages(body):
        if message.get("content"):
            message["reasoning_content"], message["content"] = message["content"], None


@error()
def json_in_the_message(body: Any, _call: Call) -> None:
    """The message of an error is the error object of another server, as a string."""
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body["error"]["message"] = json.dumps({"error": {"message": body["error"].get("message")}})
