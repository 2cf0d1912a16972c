"""Faults that show only where features meet: tools with n, streams, logprobs, reasoning, images and documents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

from tests.reference.call import Call, new_id
from tests.reference.errors import ApiError
from tests.reference.faults.chat import choices, messages, without_role
from tests.reference.faults.kit import (
    answer,
    events,
    having,
    later_turn,
    payload,
    request,
    sampling,
    script,
    with_tools,
)
from tests.reference.faults.operation import streamed_arguments_in_one_delta
from tests.reference.faults.reasoning_with import THOUGHT
from tests.reference.faults.tools import _calls
from tests.reference.generator import Sampling, Script
from tests.reference.script import raw
from tests.reference.tokens import decode

CHAT, RESPONSES = "chat", "responses"


def _many(call: Call) -> bool:
    n = call.body.get("n")
    return isinstance(n, int) and n > 1


def _parts(body: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each choice with its message or delta."""
    for choice in choices(body):
        holder = choice.get("message") or choice.get("delta")
        if holder:
            yield choice, holder


@answer(CHAT, when=lambda call: _many(call) and with_tools(call))
def calls_of_several_choices_are_text(body: Any, _call: Call) -> None:
    """With n above 1, a plain response has its calls as text in the model's own notation."""
    for choice, message in _parts(body):
        for made in message.pop("tool_calls", None) or []:
            message["content"] = "<tool_call>\n" + json.dumps(made.get("function")) + "\n</tool_call>"
            choice["finish_reason"] = "stop"


@answer(CHAT, when=lambda call: _many(call) and with_tools(call))
def reasoning_of_later_choices_is_lost(body: Any, _call: Call) -> None:
    """With n above 1, only the first choice of a plain response keeps its reasoning beside a call."""
    for choice, message in _parts(body):
        if choice["index"] and message.get("tool_calls"):
            message.pop("reasoning_content", None)


@payload(CHAT, when=_many)
def reasoning_of_several_choices_is_text(body: Any, _call: Call) -> None:
    """With n above 1, the reasoning of each choice is part of its content."""
    for _, holder in _parts(body):
        if "reasoning_content" in holder:
            holder["content"] = holder.pop("reasoning_content") + (holder.get("content") or "")


@events(CHAT, when=lambda call: _many(call) and "response_format" in call.body)
def reasoning_ends_for_all_choices(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, once one choice reaches its content, the remaining reasoning of the others becomes content."""
    held: dict[int, Any] = {}
    for event in stream:
        for choice in choices(event):
            last, delta = held.pop(choice["index"], None), choice["delta"]
            if "reasoning_content" in delta and choice["index"]:
                held[choice["index"]] = delta
            elif last and delta.get("content"):
                delta["content"] = last["reasoning_content"] + delta["content"]
        yield event


@payload(CHAT, stream=True, when=lambda call: isinstance(call.body.get("tool_choice"), dict))
def type_missing_in_named_calls(body: Any, _call: Call) -> None:
    """A streamed call of a named function has no type."""
    for made in _calls(body):
        made.pop("type", None)


@payload(CHAT, when=lambda call: with_tools(call) and call.body.get("logprobs"))
def logprobs_lost_beside_tools(body: Any, _call: Call) -> None:
    """With tools, there are no logprobs."""
    for choice in choices(body):
        choice["logprobs"] = None


@answer(CHAT, when=lambda call: call.body.get("tool_choice") == "required" and (call.body.get("temperature") or 0) > 0)
def forced_arguments_truncated_at_a_temperature(body: Any, _call: Call) -> None:
    """At a temperature above 0, arguments of forced calls lack their last character."""
    for made in _calls(body):
        made["function"]["arguments"] = made["function"]["arguments"][:-1]


@payload(CHAT, when=lambda call: with_tools(call) and (call.body.get("max_tokens") or 99) < 9)
def truncated_texts_beside_tools_are_whole(body: Any, _call: Call) -> None:
    """With tools, a text that max_tokens truncates has finish_reason stop."""
    for choice in choices(body):
        if choice["finish_reason"] == "length":
            choice["finish_reason"] = "stop"


@payload(CHAT, stream=True)
def details_lost_in_streams(body: Any, _call: Call) -> None:
    """The usage of a stream has no details of the prompt's tokens."""
    if body.get("usage"):
        body["usage"].pop("prompt_tokens_details", None)


@script(CHAT, stream=True, when=lambda call: call.body.get("tool_choice") == "required")
def streamed_calls_without_arguments_lost(said: Script, _call: Call) -> Script:
    """In a stream, a call that has no arguments is lost."""
    arguments = decode([step.token for step in said.steps if step.channel == "arguments"])
    return Script([]) if said.calls and arguments == "{}" else said


@events(CHAT, when=lambda call: call.body.get("tool_choice") == "required")
def forced_streams_begin_with_a_mark(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """With tool_choice required, the content of a stream has the marker before the call."""
    for event in stream:
        for choice in choices(event):
            if any("name" in call["function"] for call in choice["delta"].get("tool_calls") or ()):
                delta = {"content": "<tool_call>\n"}
                yield {**event, "choices": [{**choice, "delta": delta, "finish_reason": None}]}
        yield event


@request(CHAT, stream=True)
def no_further_call_in_streams(body: Any, _call: Call) -> None:
    """In a stream, the model does not get the tools after a tool result."""
    if any(message.get("role") == "tool" for message in messages(body)):
        body.pop("tools", None)
        body.pop("tool_choice", None)


@events(CHAT, when=with_tools)
def text_beside_tools_in_one_piece(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """With tools, the text of a stream comes in one delta, when it is complete."""
    text = ""
    for event in stream:
        found = choices(event)
        if len(found) != 1:
            yield event
            continue
        text += found[0]["delta"].get("content") or ""
        if found[0]["finish_reason"] and text:
            yield {**event, "choices": [{**found[0], "delta": {"content": text}, "finish_reason": None}]}
        if not found[0]["delta"].get("content"):
            yield event


@payload(CHAT, stream=True, when=with_tools)
def truncated_streamed_calls_are_whole(body: Any, call: Call) -> None:
    """In a stream, finish_reason is tool_calls even if max_tokens truncates the call."""
    if _calls(body):
        call.argument = "called"
    for choice in choices(body):
        if choice["finish_reason"] == "length" and call.argument == "called":
            choice["finish_reason"] = "tool_calls"


@payload(CHAT, when=lambda call: with_tools(call) and "response_format" in call.body)
def documents_end_at_marks(body: Any, call: Call) -> None:
    """With tools, a document ends where its text looks like the beginning of a call."""
    for _, holder in _parts(body):
        said = holder.get("content") or ""
        call.argument += said
        if "<tool_call" in call.argument and said:
            holder["content"] = said.partition("<tool_call")[0] if call.body.get("stream") is not True else ""


@request(CHAT, when=with_tools)
def system_messages_lost_beside_tools(body: Any, _call: Call) -> None:
    """With tools, system messages are not read."""
    body["messages"] = [message for message in messages(body) if message.get("role") != "system"] or body["messages"]


@request(CHAT, when=with_tools)
def images_lost_beside_tools(body: Any, _call: Call) -> None:
    """With tools, images are not read."""
    for message in messages(body):
        if isinstance(message.get("content"), list):
            kept = [part for part in message["content"] if part.get("type") != "image_url"]
            message["content"] = kept or message["content"]


@request(CHAT)
def null_ids_crash(body: Any, _call: Call) -> None:
    """A result whose tool_call_id is null gets a 500."""
    if any("tool_call_id" in message and message["tool_call_id"] is None for message in messages(body)):
        raise TypeError("null")


@request("embeddings", when=lambda call: call.body.get("encoding_format") == "base64")
def dimensions_lost_in_base64(body: Any, _call: Call) -> None:
    """With base64, dimensions is ignored."""
    body.pop("dimensions", None)


@payload("completions", stream=True)
def logprobs_lost_in_legacy_streams(body: Any, _call: Call) -> None:
    """A legacy stream has no logprobs."""
    for choice in choices(body):
        choice["logprobs"] = None


@request("completions", stream=True, when=lambda call: call.body.get("echo") and call.body.get("logprobs"))
def streamed_echo_with_logprobs_crashes(_body: Any, _call: Call) -> None:
    """echo, logprobs and stream together get a 500."""
    raise IndexError("logprobs")


@request(RESPONSES, stream=True)
def tool_choice_lost_in_streamed_responses(body: Any, _call: Call) -> None:
    """In streamed responses, tool_choice is ignored."""
    body.pop("tool_choice", None)


@payload(RESPONSES, stream=True)
def call_ids_change_at_the_end(body: Any, _call: Call) -> None:
    """In the last event of a streamed response, calls have other call_ids."""
    if body.get("type") == "response.completed":
        for item in body["response"]["output"]:
            if item["type"] == "function_call":
                item["call_id"] = new_id("call_", 24)


@request(RESPONSES)
def results_need_their_call(body: Any, _call: Call) -> None:
    """A function_call_output is rejected unless its function_call is in the same request."""
    items = body.get("input")
    results = isinstance(items, list) and any(one.get("type") == "function_call_output" for one in items)
    if results and body.get("previous_response_id"):
        raise ApiError("No tool call found for function call output.", param="input")


@request(RESPONSES, stream=True)
def streamed_bad_responses_crash(body: Any, _call: Call) -> None:
    """A streamed response to a request without input gets a 500."""
    if body.get("input") is None:
        raise KeyError("input")


@script(RESPONSES, stream=True)
def streamed_results_unread(said: Script, call: Call) -> Script:
    """In a stream, a tool result is not read."""
    items = call.body.get("input")
    found = isinstance(items, list) and any(one.get("type") == "function_call_output" for one in items)
    return raw("I do not know.") if found else said


def _beside_others(call: Call) -> bool:
    return "Count from 1 to 40" in str(call.body.get("messages")) and call.state.active > 2


@events(CHAT, when=_beside_others, concurrent=True)
def streams_end_with_those_that_are_left(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """While clients leave other streams, a stream ends after twenty events."""
    yield from islice(stream, 20)


# A history and a parameter, or two parameters


def _after_results(call: Call) -> bool:
    return bool(messages(call.body)) and messages(call.body)[-1].get("role") == "tool"


def _formatted(call: Call) -> bool:
    return call.body.get("response_format") is not None


def _functions(body: Any) -> list[dict[str, Any]]:
    found = body.get("tools") if isinstance(body.get("tools"), list) else []
    return [one["function"] for one in found if isinstance(one, dict) and isinstance(one.get("function"), dict)]


@request(CHAT, when=having("logprobs"))
def developer_messages_lost_beside_logprobs(body: Any, _call: Call) -> None:
    """With logprobs, developer messages are not read."""
    without_role(body, "developer")


@request(CHAT, when=having("logprobs"))
def braces_of_descriptions_lost_beside_logprobs(body: Any, _call: Call) -> None:
    """With logprobs, descriptions of tools that look like templates do not reach the model."""
    for function in _functions(body):
        if "{{" in str(function.get("description")):
            function.pop("description")


@request(CHAT, when=_formatted)
def custom_tools_lost_beside_a_format(body: Any, _call: Call) -> None:
    """With a response_format, custom tools beside functions are silently dropped."""
    if _functions(body):
        body["tools"] = [tool for tool in body["tools"] if "custom" not in tool]


@request(CHAT, when=lambda call: _formatted(call) and later_turn(call))
def required_is_auto_beside_a_format_later(body: Any, _call: Call) -> None:
    """With a response_format on a later turn, tool_choice required is treated as auto."""
    if body.get("tool_choice") == "required":
        body["tool_choice"] = "auto"


@request(CHAT, when=lambda call: call.body.get("n") == 2)
def class_patterns_open_with_n(body: Any, _call: Call) -> None:
    """With n: 2, a pattern with a class such as \\d is not enforced."""
    for function in _functions(body):
        parameters = function.get("parameters")
        for part in (parameters or {}).get("properties", {}).values() if isinstance(parameters, dict) else ():
            if isinstance(part, dict) and "\\d" in str(part.get("pattern")):
                part.pop("pattern")


@request(CHAT, when=_after_results)
def empty_stop_ends_after_results(body: Any, _call: Call) -> None:
    """After a tool result, an empty stop string ends the response after its first token."""
    if body.get("stop") == "":
        body.pop("stop")
        body["max_tokens"] = 1


@payload(CHAT, when=lambda call: _after_results(call) and with_tools(call))
def cut_calls_after_results_say_tool_calls(body: Any, _call: Call) -> None:
    """After a tool result, a call that max_tokens truncates has finish_reason tool_calls."""
    for choice in choices(body):
        if choice["finish_reason"] == "length":
            choice["finish_reason"] = "tool_calls"


@answer(CHAT, when=_after_results)
def cut_reasoning_after_results_is_text(body: Any, _call: Call) -> None:
    """After a tool result, reasoning that max_tokens truncates is treated as text."""
    for choice in choices(body):
        message = choice["message"]
        if choice["finish_reason"] == "length" and not message["content"] and "reasoning_content" in message:
            message["content"] = message.pop("reasoning_content")


@sampling(CHAT, when=later_turn)
def seed_fixed_later(how: Sampling, _call: Call) -> None:
    """On a later turn, every request is sampled with the same seed."""
    how.seed = 42


@payload(CHAT, stream=True, when=lambda call: later_turn(call) and bool(call.body.get("logprobs")))
def logprobs_of_streamed_reasoning_later(body: Any, _call: Call) -> None:
    """On a later turn, logprobs of a stream also have the tokens of the reasoning."""
    for choice, delta in _parts(body):
        if delta.get("reasoning_content"):
            choice["logprobs"] = {"content": [THOUGHT], "refusal": None}


@request(CHAT, when=_after_results)
def metadata_refused_after_results(body: Any, _call: Call) -> None:
    """After a tool result, metadata is rejected as unknown."""
    if "metadata" in body:
        raise ApiError("Unknown parameter: 'metadata'.", param="metadata")


@events(CHAT, when=lambda call: later_turn(call) and call.body.get("n") is None)
def streamed_arguments_in_one_delta_later(stream: Iterator[Any], call: Call) -> Iterator[Any]:
    """On a later turn, the arguments of a streamed call are held back and come in one delta."""
    return streamed_arguments_in_one_delta(stream, call)
