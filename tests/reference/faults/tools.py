"""Faults of tool calls, the class that users report most."""

from __future__ import annotations

import json
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.kit import answer, ignored, payload, request, script
from tests.reference.generator import Script

ignored("tool_choice", "parallel_tool_calls", on=("chat", "responses"))


def _calls(body: Any) -> list[dict[str, Any]]:
    """The tool calls of an answer or of a stream event."""
    messages = [choice.get("message") or choice.get("delta") or {} for choice in choices(body)]
    return [call for message in messages for call in message.get("tool_calls") or []]


@request(("chat", "responses"))
def tools_ignored(body: dict[str, Any], _call: Call) -> None:
    """Tools are accepted and never called."""
    for name in ("tools", "tool_choice", "parallel_tool_calls"):
        body.pop(name, None)


@answer("chat")
def tool_arguments_as_object(body: dict[str, Any], _call: Call) -> None:
    """Arguments are an object instead of a JSON string."""
    for call in _calls(body):
        text = call["function"]["arguments"]
        call["function"]["arguments"] = json.loads(text) if text.endswith("}") else {}


@answer("chat")
def tool_arguments_encoded_twice(body: dict[str, Any], _call: Call) -> None:
    """Arguments are a JSON string within a JSON string."""
    for call in _calls(body):
        call["function"]["arguments"] = json.dumps(call["function"]["arguments"])


@answer("chat")
def tool_arguments_cut(body: dict[str, Any], _call: Call) -> None:
    """Arguments miss their last character."""
    for call in _calls(body):
        call["function"]["arguments"] = call["function"]["arguments"][:-1]


@payload("chat", stream=True)
def index_missing_in_tool_delta(body: Any, _call: Call) -> None:
    """A streamed call has no index."""
    for call in _calls(body):
        call.pop("index")


@payload("chat", stream=True)
def index_always_zero_in_tool_delta(body: Any, _call: Call) -> None:
    """All streamed calls have index 0."""
    for call in _calls(body):
        call["index"] = 0


@payload("chat", stream=True)
def index_as_string_in_tool_delta(body: Any, _call: Call) -> None:
    """The index of a streamed call is a string."""
    for call in _calls(body):
        call["index"] = str(call["index"])


@payload("chat", stream=True)
def name_in_every_tool_delta(body: Any, _call: Call) -> None:
    """Each delta of a call has id and name, so that clients which join them get nonsense."""
    for call in _calls(body):
        call.update(id=call.get("id") or "call_1", type="function")
        call["function"].setdefault("name", "get_weather")


@payload("chat")
def parallel_calls_share_id(body: Any, _call: Call) -> None:
    """All calls have the same id."""
    for call in _calls(body):
        if "id" in call:
            call["id"] = "call_1"


@payload("chat")
def tool_call_id_empty(body: Any, _call: Call) -> None:
    """The id of a call is empty."""
    for call in _calls(body):
        if "id" in call:
            call["id"] = ""


@payload("chat")
def tool_call_type_missing(body: Any, _call: Call) -> None:
    """A call has no type."""
    for call in _calls(body):
        call.pop("type", None)


@payload("chat")
def finish_reason_stop_on_tool_calls(body: Any, _call: Call) -> None:
    """An answer with calls has finish_reason stop."""
    for choice in choices(body):
        if choice["finish_reason"] == "tool_calls":
            choice["finish_reason"] = "stop"


@answer("chat")
def tool_call_markup_in_content(body: dict[str, Any], _call: Call) -> None:
    """Calls stay in the content as the model wrote them."""
    for choice in choices(body):
        calls = choice["message"].pop("tool_calls", None)
        if calls:
            lines = [f"<tool_call>\n{json.dumps(call['function'])}\n</tool_call>" for call in calls]
            choice["message"]["content"], choice["finish_reason"] = "\n".join(lines), "stop"


@answer("chat")
def tool_call_markup_beside_calls(body: dict[str, Any], _call: Call) -> None:
    """Calls are right, but their markup is in the content too."""
    for choice in choices(body):
        if choice["message"].get("tool_calls"):
            choice["message"]["content"] = "<tool_call>"


@answer("chat")
def tool_calls_empty_list(body: dict[str, Any], _call: Call) -> None:
    """Answers without calls have `tool_calls: []`."""
    for choice in choices(body):
        choice["message"].setdefault("tool_calls", [])


@script(("chat", "responses"))
def only_the_first_call(plan: Script, _call: Call) -> None:
    """Of parallel calls only the first is made."""
    if len(plan.calls) > 1:
        last = max(i for i, step in enumerate(plan.steps) if step.call == 0)
        del plan.steps[last + 1 :], plan.calls[1:]


@request(("chat", "responses"))
def required_is_auto(body: dict[str, Any], _call: Call) -> None:
    """tool_choice required is taken for auto."""
    if body.get("tool_choice") == "required":
        body["tool_choice"] = "auto"


@request("chat")
def named_choice_is_auto(body: dict[str, Any], _call: Call) -> None:
    """A named tool_choice is taken for auto."""
    if isinstance(body.get("tool_choice"), dict):
        body["tool_choice"] = "auto"


@request("chat")
def none_is_auto(body: dict[str, Any], _call: Call) -> None:
    """tool_choice none is taken for auto."""
    if body.get("tool_choice") == "none":
        body["tool_choice"] = "auto"


@request("chat")
def tool_results_ignored(body: dict[str, Any], _call: Call) -> None:
    """Tool messages and the calls before them are dropped."""
    kept = [m for m in messages(body) if not (m.get("role") == "tool" or m.get("tool_calls"))]
    if kept and len(kept) < len(messages(body)):
        body["messages"] = kept


@request("chat")
def wrong_tool_call_id_accepted(body: dict[str, Any], _call: Call) -> None:
    """The id of a tool message is not looked at."""
    ids: list[Any] = []
    for message in messages(body):
        if isinstance(message.get("tool_calls"), list):
            ids = [call.get("id") for call in message["tool_calls"] if isinstance(call, dict)]
        elif message.get("role") == "tool" and ids:
            message["tool_call_id"] = ids.pop(0)
