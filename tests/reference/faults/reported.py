"""Faults of public bug reports that no check noticed at first: parameters beside each other, later, or null."""

from __future__ import annotations

import json
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.kit import add, answer, payload, request, script, with_tools
from tests.reference.faults.state import IN_ORDER
from tests.reference.generator import Script
from tests.reference.script import written
from tests.reference.tokens import encode

CHAT, COMPLETIONS, RESPONSES = "chat", "completions", "responses"


@request(CHAT, stream=True, when=lambda call: with_tools(call) and call.body.get("logprobs"))
def streamed_tools_with_logprobs_refused(_body: Any, _call: Call) -> None:
    """Tools, a stream and logprobs are rejected together."""
    raise ApiError("logprobs cannot be streamed with tools.", param="logprobs")


@script(CHAT, when=lambda call: call.body.get("tool_choice") == "required")
def required_calls_never_end(said: Script, _call: Call) -> Script:
    """After required calls, the grammar allows endless white space, which the model writes."""
    return Script([*said.steps, *written(encode("\n" * 400), "hidden", 0, True)], said.calls)


@request(COMPLETIONS, when=lambda call: call.body.get("echo") and (call.body.get("n") or 1) > 1)
def echo_with_n_crashes(_body: Any, _call: Call) -> None:
    """echo and several choices together get a 500."""
    raise KeyError("prompt_logprobs")


@answer(COMPLETIONS, when=lambda call: (call.body.get("n") or 1) > 1)
def echo_of_the_first_choice_alone(body: Any, call: Call) -> None:
    """With several choices, only the first has the echoed prompt."""
    prompt = call.body.get("prompt")
    if call.body.get("echo") and isinstance(prompt, str):
        for choice in choices(body)[1:]:
            choice["text"] = choice["text"].removeprefix(prompt)


@request(COMPLETIONS)
def null_limit_crashes_completions(body: Any, _call: Call) -> None:
    """max_tokens that is null gets a 500 in legacy completions."""
    if "max_tokens" in body and body["max_tokens"] is None:
        raise TypeError("max_tokens")


@request(CHAT, stream=True, when=with_tools)
def unknown_names_accepted_in_streams(body: Any, _call: Call) -> None:
    """In a stream, a tool_choice that names no tool is ignored."""
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and isinstance(choice.get("function"), dict):
        offered = [tool["function"].get("name") for tool in body["tools"] if isinstance(tool.get("function"), dict)]
        if choice["function"].get("name") not in offered:
            body.pop("tool_choice")


@answer(CHAT)
def calls_are_text_after_some_rounds(body: Any, call: Call) -> None:
    """After three tool results, calls of a plain response are text."""
    if sum(message.get("role") == "tool" for message in messages(call.body)) >= 3:
        for choice in choices(body):
            for made in choice["message"].pop("tool_calls", None) or []:
                choice["message"]["content"] = "[Calling tool: " + json.dumps(made.get("function")) + "]"
                choice["finish_reason"] = "stop"


@script(CHAT, stream=True)
def empty_answers_end_streams(said: Script, call: Call) -> Script:
    """After an empty earlier assistant message, a stream ends at once."""
    found = messages(call.body)
    empty = any(one.get("role") == "assistant" and one.get("content") == "" for one in found)
    return Script([]) if empty and not said.calls else said


@payload(RESPONSES)
def items_of_truncated_responses_completed(body: Any, _call: Call) -> None:
    """The item that max_output_tokens truncates has the status completed."""
    response = body.get("response") or body
    for item in [*(response.get("output") or []), *([body["item"]] if "item" in body else [])]:
        if item.get("status") == "incomplete":
            item["status"] = "completed"


def _without_calls(body: Any, call: Call) -> None:
    kept = call.state.responses.get(body.get("previous_response_id"))
    items = body.get("input")
    if kept and isinstance(items, list):
        kept["history"] = [one for one in kept["history"] if not one.get("tool_calls")]
        body["input"] = [
            {"role": "user", "content": str(item["output"])} if item.get("type") == "function_call_output" else item
            for item in items
        ]


add(
    Fault(
        name="calls-lost-from-stored-responses",
        sentence="Calls are not stored: previous_response_id restores only texts.",
        area="reported",
        hooks={"request": _without_calls},
        on=frozenset([RESPONSES]),
    )
)


def _effort_stays(body: Any, call: Call) -> None:
    found = messages(body)
    about = f"effort {found[-1].get('content') if found else ''}"
    if "Count from 14" in about:
        if body.get("reasoning_effort"):
            call.state.kept[about] = body["reasoning_effort"]
        elif about in call.state.kept:
            body["reasoning_effort"] = call.state.kept.pop(about)


add(
    Fault(
        name="effort-stays",
        sentence="reasoning_effort also affects the next request with the same question.",
        area="reported",
        hooks={"request": _effort_stays, **IN_ORDER},
        on=frozenset([CHAT]),
    )
)
