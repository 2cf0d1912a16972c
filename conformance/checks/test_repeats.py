"""Repeats: fields that servers send twice or in the wrong place, which clients then count or join."""

import json
import re
from typing import Any

from conformance.kit import (
    MAY,
    SHOULD,
    Chat,
    Every,
    Generated,
    assert_equal,
    assert_none_of,
    check,
    inconclusive_unless,
)

DELTA = "openapi:ChatCompletionMessageToolCallChunk"
FIELD = "de-facto:reasoning_content or reasoning holds what the model wrote before its answer"
A_COUNT = re.compile(r"\W*1\W+2\W+3\W+4\W+5\W+6\W+7\W+8\W+9\W+10\W*")


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse has no error")
def test_a_good_response_has_no_error(every: Every) -> None:
    """A plain 2xx response has no `error` field, not even null: clients take its presence for an error."""
    for answer in every.accepted(Generated, streamed=False, malformed=True):
        assert_none_of([key for key in answer.body if key == "error"], "`error` beside `choices`")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse has no error")
def test_a_good_chunk_has_no_error(every: Every) -> None:
    """A chunk has no `error` field, not even null: clients take its presence for an error."""
    for answer in every.accepted(Generated, streamed=True):
        assert_none_of([chunk["error"] for chunk in answer.chunks if "error" in chunk], "`error` of chunks")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.usage")
def test_usage_is_in_one_chunk(every: Every) -> None:
    """At most one chunk of any stream has a `usage`: clients that add them up would count twice."""
    for answer in every.accepted(Generated, streamed=True):
        counted = [chunk["usage"] for chunk in answer.chunks if chunk.get("usage")]
        assert_none_of(counted[1:], "further chunks with `usage`")


@check("tools", SHOULD, "openapi:ChatCompletionStreamResponseDelta.tool_calls")
def test_deltas_have_no_empty_list_of_calls(every: Every) -> None:
    """A delta without tool calls has no `tool_calls`: some clients take an empty array for a call."""
    for answer in every.accepted(Chat, streamed=True):
        for choice in answer.choices:
            empty = [delta for delta in answer.deltas(choice.index) if delta.get("tool_calls") == []]
            assert_none_of(empty[:1], "deltas with `tool_calls: []`")


@check("tools", SHOULD, f"{DELTA}.id")
def test_later_pieces_have_no_identity(every: Every) -> None:
    """After the first delta of a tool call, `id` and `function.name` are absent, not empty strings."""
    calls = False
    for answer in every.accepted(Chat, streamed=True):
        for choice in answer.choices:
            for at, pieces in answer.call_deltas(choice.index).items():
                calls = True
                later = [{"id": p.get("id"), "name": (p.get("function") or {}).get("name")} for p in pieces[1:]]
                named = [said for said in later if set(said.values()) != {None}]
                assert_none_of(named[:1], f"`id` or `function.name` in later deltas of tool call {at}")
    inconclusive_unless(calls, "no tool was called in a stream")


@check("tools", SHOULD, "openapi:ChatCompletionResponseMessage.tool_calls")
def test_a_call_is_not_its_own_text(every: Every) -> None:
    """`content` does not repeat the calls of `tool_calls` as JSON."""
    calls = False
    for answer in every.accepted(Chat):
        for choice in answer.choices:
            calls = calls or bool(choice.tool_calls)
            names = {call.name for call in choice.tool_calls}
            twice = [one for one in _objects_in(choice.text) if one.get("name") in names]
            assert_none_of(twice, f"calls in `content` of {answer.name}")
    inconclusive_unless(calls, "no tool was called")


@check("reasoning", MAY, FIELD)
def test_reasoning_is_in_one_field(every: Every) -> None:
    """Reasoning is in `reasoning_content` or in `reasoning`, not in both: clients that read both would join them."""
    reasoned = False
    for answer in every.accepted(Chat):
        for one in answer.objects:
            for choice in one["choices"]:
                said = choice.get("message") or choice.get("delta") or {}
                fields = [name for name in ("reasoning_content", "reasoning") if said.get(name)]
                reasoned = reasoned or bool(fields)
                assert_none_of(fields[1:], "further fields with the reasoning")
    inconclusive_unless(reasoned, "the model did not reason")


@check("reasoning", SHOULD, FIELD)
def test_the_answer_is_in_content(count: Chat, count_streamed: Chat) -> None:
    """The answer of a model that does not reason is in `content`, and not in a field for reasoning."""
    for answer in (count, count_streamed):
        inconclusive_unless(answer.said, "the model wrote nothing")
        if not answer.text:
            inconclusive_unless(A_COUNT.fullmatch(answer.reasoning), "the model was truncated before its answer")
            assert_equal(answer.text, answer.reasoning, f"`content` of {answer.name}")


@check("errors", SHOULD, "openapi:Error.message a human-readable description")
def test_the_message_is_no_json(every: Every) -> None:
    """`error.message` is a sentence for people, and not a JSON object in a string."""
    for answer in every.rejected():
        nested = _object_in(answer.error_message)
        assert_none_of(nested, f"JSON in `error.message` of {answer.name}")


def _objects_in(text: str) -> list[dict[str, Any]]:
    """The objects that a text is, if it is nothing but JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, dict)]


def _object_in(message: str) -> list[str]:
    """The beginning of a message that is JSON itself: an object or an array of objects."""
    try:
        value = json.loads(message)
    except (ValueError, RecursionError):
        return []
    return [message[:100]] if isinstance(value, dict | list) else []
