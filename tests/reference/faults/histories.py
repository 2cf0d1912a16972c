"""Faults of what is made of histories: fields, parts, ids and items that clients send back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import request

CHAT, RESPONSES = "chat", "responses"
Item = dict[str, Any]


def items(body: Any, *kinds: str) -> Iterator[Item]:
    """The input items of these types."""
    found = body.get("input") if isinstance(body, dict) else None
    yield from (
        (item for item in found if isinstance(item, dict) and item.get("type") in kinds)
        if isinstance(found, list)
        else ()
    )


def without(body: Any, key: str, unwanted: Any) -> None:
    """Take entries out of an array of the body."""
    if isinstance(body, dict) and isinstance(body.get(key), list):
        kept = [one for one in body[key] if not (isinstance(one, dict) and unwanted(one))]
        if len(kept) < len(body[key]):
            body[key] = kept


@request(CHAT)
def reasoning_content_unread(body: Any, _call: Call) -> None:
    """`reasoning_content` of earlier messages is not read, but `reasoning` is."""
    for message in messages(body):
        message.pop("reasoning_content", None)


@request(CHAT)
def reasoning_unread(body: Any, _call: Call) -> None:
    """`reasoning` of earlier messages is not read, but `reasoning_content` is."""
    for message in messages(body):
        message.pop("reasoning", None)


@request(CHAT)
def reasoning_of_history_lost(body: Any, _call: Call) -> None:
    """No reasoning of earlier messages is read in chat."""
    for message in messages(body):
        message.pop("reasoning_content", None)
        message.pop("reasoning", None)


@request(RESPONSES)
def reasoning_items_lost(body: Any, _call: Call) -> None:
    """Reasoning items are accepted and dropped."""
    without(body, "input", lambda item: item.get("type") == "reasoning")


@request(RESPONSES)
def empty_reasoning_refused(body: Any, _call: Call) -> None:
    """A reasoning item without content is rejected."""
    for item in items(body, "reasoning"):
        if not item.get("content"):
            raise ApiError("item['content'] is not an array", param="input")


@request(RESPONSES)
def summaries_refused(body: Any, _call: Call) -> None:
    """A reasoning item with a summary is rejected."""
    for item in items(body, "reasoning"):
        if item.get("summary"):
            raise ApiError("Summaries are not supported.", param="input")


@request(CHAT)
def text_beside_reasoning_lost(body: Any, _call: Call) -> None:
    """The text of a message with reasoning and calls is dropped."""
    for message in messages(body):
        if message.get("tool_calls") and (message.get("reasoning_content") or message.get("reasoning")):
            message["content"] = None


@request(CHAT)
def reasoning_beside_calls_refused(body: Any, _call: Call) -> None:
    """A message with both calls and reasoning is rejected."""
    for message in messages(body):
        if message.get("tool_calls") and (message.get("reasoning_content") or message.get("reasoning")):
            raise ApiError("Reasoning is not accepted beside 'tool_calls'.", param="messages")


@request(CHAT)
def reasoning_alone_crashes(body: Any, _call: Call) -> None:
    """A message that has only reasoning gets a 500."""
    for message in messages(body):
        empty = not message.get("content") and not message.get("tool_calls")
        if empty and (message.get("reasoning_content") or message.get("reasoning")):
            raise ApiError("Unable to render the template.", status=500)


@request(CHAT)
def parts_become_messages(body: Any, _call: Call) -> None:
    """Each text part of a message becomes a message of its own."""
    made: list[Any] = []
    for message in messages(body):
        parts = message.get("content")
        texts = isinstance(parts, list) and all(isinstance(p, dict) and p.get("type") == "text" for p in parts)
        if texts and message.get("role") in ("system", "user", "assistant"):
            made += [{**message, "content": [part]} for part in parts or []]
        else:
            made.append(message)
    if len(made) > len(messages(body)) > 0:
        body["messages"] = made


@request(CHAT)
def old_rounds_forgotten(body: Any, _call: Call) -> None:
    """Of a long history, only the first message and the last forty are read."""
    found = messages(body)
    if len(found) > 41:
        body["messages"] = [found[0], *found[-40:]]


@request(CHAT)
def ids_must_begin_with_call(body: Any, _call: Call) -> None:
    """Calls whose ids do not have the form of the server's own ids are rejected."""
    for message in messages(body):
        if message.get("role") == "tool" and not re.fullmatch(r"call_\w+", str(message.get("tool_call_id"))):
            raise ApiError("The id of a tool call must begin with `call_`.", param="messages")


@request(CHAT)
def results_kept_by_id(body: Any, _call: Call) -> None:
    """If two calls have the same id, both get the result of the first one."""
    kept: dict[Any, Any] = {}
    for message in messages(body):
        if message.get("role") == "tool":
            message["content"] = kept.setdefault(str(message.get("tool_call_id")), message.get("content"))


def _drop_parts(body: Any, key: str, kind: str) -> None:
    for message in body.get(key) if isinstance(body, dict) and isinstance(body.get(key), list) else []:
        if isinstance(message, dict):
            without(message, "content", lambda part: part.get("type") == kind)


@request(CHAT)
def audio_dropped(body: Any, _call: Call) -> None:
    """Audio in a message is silently dropped."""
    _drop_parts(body, "messages", "input_audio")


@request(CHAT)
def files_dropped(body: Any, _call: Call) -> None:
    """Files in a message are silently dropped."""
    _drop_parts(body, "messages", "file")


@request(RESPONSES)
def input_files_dropped(body: Any, _call: Call) -> None:
    """Files in the input of a response are silently dropped."""
    _drop_parts(body, "input", "input_file")


@request(RESPONSES)
def strings_of_the_assistant_refused(body: Any, _call: Call) -> None:
    """An assistant message without a type is rejected."""
    for item in body.get("input") if isinstance(body.get("input"), list) else []:
        if isinstance(item, dict) and item.get("role") == "assistant" and not item.get("type"):
            raise ApiError("Cannot determine type of 'item'", param="input")


@request(RESPONSES)
def outputs_taken_in_order(body: Any, _call: Call) -> None:
    """Results of parallel calls are assigned in the order of the calls, whatever their ids are."""
    ids = [item.get("call_id") for item in items(body, "function_call")]
    outputs = list(items(body, "function_call_output"))
    if len(ids) == len(outputs):
        for item, call_id in zip(outputs, ids, strict=True):
            item["call_id"] = call_id


@request(RESPONSES)
def second_output_lost(body: Any, _call: Call) -> None:
    """Of the results of parallel calls, only the first is read."""
    for item in list(items(body, "function_call_output"))[1:]:
        item["output"] = ""


@request(RESPONSES)
def first_part_of_an_output_only(body: Any, _call: Call) -> None:
    """Of the parts of a result, only the first is read."""
    for item in items(body, "function_call_output"):
        if isinstance(item.get("output"), list):
            item["output"] = item["output"][:1]


@request(RESPONSES)
def images_of_outputs_lost(body: Any, _call: Call) -> None:
    """Images in results are silently dropped."""
    for item in items(body, "function_call_output"):
        without(item, "output", lambda part: part.get("type") == "input_image")


@request(RESPONSES)
def custom_tools_dropped(body: Any, _call: Call) -> None:
    """Custom tools are silently dropped."""
    without(body, "tools", lambda tool: tool.get("type") == "custom")


@request(RESPONSES)
def custom_results_dropped(body: Any, _call: Call) -> None:
    """Calls of custom tools and their results are silently dropped."""
    without(body, "input", lambda item: str(item.get("type")).startswith("custom_tool_call"))
