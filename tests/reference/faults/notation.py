"""Faults of reading a model's notation of tool calls: what only runs with `--dialect` are there to find."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.kit import answer, request
from tests.reference.faults.tools import _calls


def _each_argument(body: Any, change: Callable[[Any], Any]) -> None:
    for call in _calls(body):
        values = json.loads(call["function"]["arguments"])
        call["function"]["arguments"] = json.dumps({name: change(value) for name, value in values.items()})


@answer("chat", when=lambda call: "then call" in json.dumps(call.body["messages"]))
def text_before_a_call_lost(body: dict[str, Any], _call: Call) -> None:
    """The text before a call is dropped with the mark of the call."""
    for choice in choices(body):
        if choice["message"].get("tool_calls"):
            choice["message"]["content"] = None


@answer("chat", when=lambda call: "Add 3" in json.dumps(call.body["messages"]))
def integers_are_strings(body: dict[str, Any], _call: Call) -> None:
    """Raw text of an argument stays a string, although the schema says integer."""
    _each_argument(body, lambda value: str(value) if isinstance(value, int) else value)


@answer("chat", when=lambda call: "set_label" in json.dumps(call.body["messages"]))
def digits_are_numbers(body: dict[str, Any], _call: Call) -> None:
    """Raw text of an argument is a number if it looks like one, whatever the schema says."""
    _each_argument(body, lambda value: int(value) if isinstance(value, str) and value.isdigit() else value)


@answer("chat")
def hyphens_end_a_name(body: dict[str, Any], _call: Call) -> None:
    """A name ends at its hyphen."""
    for call in _calls(body):
        call["function"]["name"] = call["function"]["name"].partition("-")[0]


@answer("chat", when=lambda call: "get-weather" in json.dumps(call.body.get("tools") or []))
def unknown_names_stay_in_content(body: dict[str, Any], _call: Call) -> None:
    """A call whose name has a hyphen is not found: its JSON stays in the content."""
    for choice in choices(body):
        calls = choice["message"].pop("tool_calls", None) or []
        if calls:
            called = {"name": calls[0]["function"]["name"], "parameters": {}}
            choice["message"]["content"], choice["finish_reason"] = json.dumps(called), "stop"


@request("chat")
def marks_in_a_question_crash(body: dict[str, Any], _call: Call) -> None:
    """A mark of calls in a user's text is read as one."""
    if any(
        message.get("role") == "user" and "[TOOL_CALLS]" in str(message.get("content")) for message in messages(body)
    ):
        raise ApiError("unexpected token [TOOL_CALLS]", status=500)
