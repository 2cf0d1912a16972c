"""Faults of reasoning together with something else: readers of a model's text that know only one of both."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.behaviours import _rewritten
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import answer, events, having, payload, request, script
from tests.reference.generator import Script
from tests.reference.script import written
from tests.reference.tokens import decode, encode


def _thinks(call: Call) -> bool:
    """Whether the model is asked to think first, and may."""
    asked = str(call.body.get("messages") or call.body.get("input"))
    return "Think first" in asked and call.body.get("reasoning_effort") != "none"


def _of(name: str, value: Any = None) -> Any:
    """Requests to think first that have this parameter."""
    return lambda call: _thinks(call) and (call.body.get(name) == value if value else call.body.get(name) is not None)


@script(("chat", "responses"), when=_of("tools"))
def calls_stay_in_the_reasoning(said: Script, _call: Call) -> Script:
    """A call after reasoning is treated as part of it, so the response has neither call nor text."""
    if not said.calls:
        return said
    text = decode([step.token for step in said.steps])
    return Script(written(encode(text), "reasoning"))


@events("chat", when=_of("tools"))
def streamed_calls_lost_after_reasoning(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, the first delta of a call after reasoning is lost."""
    thought = False
    for event in stream:
        deltas = [choice["delta"] for choice in choices(event)]
        if thought and any(delta.get("tool_calls") for delta in deltas):
            thought = False
            continue
        thought = thought or any("reasoning_content" in delta for delta in deltas)
        yield event


@request("chat", when=_of("tool_choice", "required"))
def required_ignored_with_reasoning(body: dict[str, Any], _call: Call) -> None:
    """If the model reasons, tool_choice required is ignored."""
    body.pop("tool_choice")
    body.pop("parallel_tool_calls", None)


@request("chat", when=_of("response_format"))
def formats_ignored_with_reasoning(body: dict[str, Any], _call: Call) -> None:
    """If the model reasons, response_format is ignored."""
    body.pop("response_format")


@request("responses", when=_of("text"))
def response_formats_ignored_with_reasoning(body: dict[str, Any], _call: Call) -> None:
    """If the model reasons, text.format is ignored."""
    body.pop("text")


@script("chat", when=having("response_format"))
def formats_turn_reasoning_off(said: Script, _call: Call) -> Script:
    """A grammar allows no reasoning before the document."""
    return Script([step for step in said.steps if step.call >= 0 and step.channel != "reasoning"], said.calls)


@script("chat", when=_of("response_format"))
def documents_stay_in_the_reasoning(said: Script, _call: Call) -> Script:
    """A document after reasoning is treated as part of it, so the content is empty."""
    steps = [step._replace(channel="reasoning") if step.channel == "content" else step for step in said.steps]
    return Script(steps, said.calls)


@request("chat", when=lambda call: call.body.get("reasoning_effort") == "none")
def formats_ignored_without_reasoning(body: dict[str, Any], _call: Call) -> None:
    """If reasoning is turned off, response_format is ignored: the grammar waits for the end of reasoning."""
    body.pop("response_format", None)


@answer("chat", when=lambda call: call.body.get("reasoning_effort") == "none" and call.body.get("tools"))
def calls_are_text_without_reasoning(body: dict[str, Any], _call: Call) -> None:
    """If reasoning is turned off, calls are in the content in the model's own notation."""
    for choice in choices(body):
        if choice["message"].pop("tool_calls", None):
            choice["message"]["content"] = "<tool_call>"
            choice["finish_reason"] = "stop"


@events("chat", when=lambda call: call.body.get("reasoning_effort") == "none" and call.body.get("tools"))
def streamed_calls_lost_without_reasoning(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """If reasoning is turned off, streamed calls are lost."""
    for event in stream:
        if not any(choice["delta"].get("tool_calls") for choice in choices(event)):
            yield event


@payload("chat", when=lambda call: _thinks(call) and (call.body.get("messages") or [{}])[-1].get("role") == "tool")
def reasoning_after_results_is_text(body: Any, _call: Call) -> None:
    """After tool results, reasoning is part of the content."""
    for choice in choices(body):
        for holder in (choice.get("message"), choice.get("delta")):
            if holder and "reasoning_content" in holder:
                holder["content"] = holder["reasoning_content"] + (holder.get("content") or "")


@script("chat")
def stop_ends_reasoning(said: Script, call: Call) -> Script:
    """A stop string in the reasoning ends the response."""
    stops = call.body.get("stop") or []
    reasoning = decode([step.token for step in said.steps if step.channel == "reasoning"])
    found = [stop for stop in ([stops] if isinstance(stops, str) else stops) if stop in reasoning]
    if not found:
        return said
    return Script(written(encode(reasoning.partition(found[0])[0]), "reasoning"))


@payload("chat")
def reasoning_of_later_choices_is_text(body: Any, _call: Call) -> None:
    """The reasoning of all choices but the first is part of their content."""
    for choice in choices(body):
        for holder in (choice.get("message"), choice.get("delta")):
            if choice["index"] and holder and "reasoning_content" in holder:
                holder["content"] = holder.pop("reasoning_content") + (holder.get("content") or "")


THOUGHT = {"token": "The", "logprob": -0.1, "bytes": [84, 104, 101], "top_logprobs": []}


@answer("chat")
def logprobs_of_reasoning(body: dict[str, Any], _call: Call) -> None:
    """logprobs also have the tokens of the reasoning."""
    for choice in choices(body):
        if choice.get("logprobs") and choice["message"].get("reasoning_content"):
            choice["logprobs"]["content"] = [THOUGHT, *choice["logprobs"]["content"]]


@payload("chat", stream=True)
def logprobs_of_streamed_reasoning(body: Any, call: Call) -> None:
    """In streams, logprobs also have the tokens of the reasoning."""
    for choice in choices(body):
        if call.body.get("logprobs") and choice["delta"].get("reasoning_content"):
            choice["logprobs"] = {"content": [THOUGHT], "refusal": None}


@payload("chat", stream=True, when=_thinks)
def streamed_reasoning_uncounted(body: Any, _call: Call) -> None:
    """The usage of a stream counts no reasoning tokens."""
    if isinstance(body, dict) and body.get("usage"):
        body["usage"]["completion_tokens_details"]["reasoning_tokens"] = 0


@payload("chat", stream=True, when=lambda call: _thinks(call) and call.body.get("max_tokens", 99) < 9)
def truncated_streamed_reasoning_is_text(body: Any, _call: Call) -> None:
    """In streams, reasoning that max_tokens truncates is content."""
    for choice in choices(body):
        if "reasoning_content" in choice["delta"]:
            choice["delta"]["content"] = choice["delta"].pop("reasoning_content")


@answer("chat")
def no_content_beside_reasoning(body: dict[str, Any], _call: Call) -> None:
    """A message with only reasoning has no content."""
    for choice in choices(body):
        if choice["message"].get("reasoning_content") and not choice["message"].get("content"):
            choice["message"].pop("content", None)


@request("chat")
def newer_efforts_crash(body: dict[str, Any], _call: Call) -> None:
    """Values of reasoning_effort that are newer than the server get a 500."""
    _ = {"none": 0, "low": 1, "medium": 2, "high": 3}[body.get("reasoning_effort") or "none"]


@payload("chat", stream=True)
def streamed_reasoning_twice(body: Any, _call: Call) -> None:
    """Streamed reasoning is also in the content."""
    for choice in choices(body):
        if "reasoning_content" in choice["delta"]:
            choice["delta"]["content"] = choice["delta"]["reasoning_content"]


@events("chat")
def streamed_reasoning_in_one_delta(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Streamed reasoning is held back and sent in one delta."""
    held: dict[str, Any] = {}
    for event in stream:
        deltas = [choice["delta"] for choice in choices(event)]
        if len(deltas) == 1 and "reasoning_content" in deltas[0]:
            if held:
                held["choices"][0]["delta"]["reasoning_content"] += deltas[0]["reasoning_content"]
            else:
                held = event
            continue
        if held:
            yield held
            held = {}
        yield event


@answer("chat", when=_of("tools"))
def end_of_reasoning_before_calls(body: dict[str, Any], _call: Call) -> None:
    """The marker that ends reasoning is left in the content before a call."""
    for choice in choices(body):
        if choice["message"].get("tool_calls") and choice["message"].get("reasoning_content"):
            choice["message"]["content"] = "</think>"


@answer("responses", when=_of("tools"))
def response_reasoning_after_calls(body: dict[str, Any], _call: Call) -> None:
    """The reasoning item comes after the function calls."""
    body["output"].sort(key=lambda item: item["type"] == "reasoning")


@script("responses", stream=True, when=_of("tools"))
def streamed_response_calls_change_after_reasoning(said: Script, _call: Call) -> Script:
    """In a stream, a call after reasoning has its arguments in lower case."""
    return _rewritten(said, str.lower)
