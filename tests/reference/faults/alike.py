"""Faults that act only beside something else: what a parameter does alone, it does not do there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.kit import add, answer, events, ignored, payload, request, script, with_tools
from tests.reference.faults.tool_schemas import _parts, _schemas
from tests.reference.generator import Sampling, Script
from tests.reference.tokens import TOKEN_BYTES

CHAT, COMPLETIONS, RESPONSES = "chat", "completions", "responses"

ignored("tool_choice", on=RESPONSES, where="beside instructions", when=lambda call: call.body.get("instructions"))
ignored("text", on=RESPONSES, where="beside instructions", when=lambda call: call.body.get("instructions"))
ignored("tool_choice", on=CHAT, where="with n", when=lambda call: (call.body.get("n") or 1) > 1)
ignored("parallel_tool_calls", on=CHAT, where="in streams", stream=True)
ignored("response_format", on=CHAT, where="beside penalties", when=lambda call: call.body.get("presence_penalty"))
ignored("logprobs", on=CHAT, where="with a format", when=lambda call: call.body.get("response_format"))
ignored("n", on=CHAT, where="with logprobs", when=lambda call: call.body.get("logprobs"))


def _items(body: Any) -> list[dict[str, Any]]:
    found = body.get("input")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


# What reaches the model


@request(CHAT, when=lambda call: call.body.get("seed") is not None)
def first_message_lost_with_a_seed(body: Any, _call: Call) -> None:
    """With a seed, the first of several messages is lost."""
    if len(messages(body)) > 2:
        body["messages"] = body["messages"][1:]


@request(RESPONSES, stream=True)
def instructions_come_twice_in_streams(body: Any, _call: Call) -> None:
    """In streams, instructions are part of the prompt twice."""
    if isinstance(body.get("instructions"), str):
        body["instructions"] *= 2


# What comes back


@payload(CHAT, stream=True, concurrent=True, when=lambda call: call.state.active > 3)
def streamed_calls_empty_under_load(body: Any, _call: Call) -> None:
    """While other requests are under way, the deltas of streamed calls have no function."""
    for choice in choices(body):
        for call in choice["delta"].get("tool_calls") or []:
            call.pop("function", None)


@answer(COMPLETIONS, when=lambda call: call.body.get("logprobs") and (call.body.get("n") or 1) > 1)
def later_choices_begin_without_space(body: Any, _call: Call) -> None:
    """With logprobs, legacy choices after the first have no space at their beginning."""
    for choice in choices(body)[1:]:
        choice["text"] = choice["text"].lstrip()


@events(RESPONSES, when=lambda call: call.body.get("store") is False)
def unstored_streams_lose_a_delta(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """With store false, a stream loses the first delta of each item that has several."""
    held: Any = None
    for event in stream:
        if event["type"].endswith(".delta") and held is None:
            held = event
            continue
        if held and not event["type"].endswith(".delta"):
            yield held
        if not event["type"].endswith(".delta"):
            held = None
        yield event


@payload(CHAT, when=lambda call: (call.body.get("n") or 1) > 1 and not call.body.get("logprobs"))
def logprobs_come_with_n(body: Any, _call: Call) -> None:
    """With several choices, logprobs come although nobody asked for them."""
    for choice in choices(body):
        if "logprobs" in choice:
            choice["logprobs"] = {"content": [{"token": " ", "logprob": -1.0, "bytes": [32], "top_logprobs": []}]}


@payload(CHAT, when=lambda call: (call.body.get("n") or 1) > 1)
def calls_of_choices_say_stop(body: Any, _call: Call) -> None:
    """With several choices, finish_reason of those with calls is stop."""
    for choice in choices(body):
        if choice["finish_reason"] == "tool_calls":
            choice["finish_reason"] = "stop"


@script(CHAT)
def developer_messages_silence_the_model(_said: Script, call: Call) -> Script | None:
    """After a message of the developer, nothing is generated."""
    return Script([]) if any(one.get("role") == "developer" for one in messages(call.body)) else None


# Schemas


def _after_maps_dropped(body: Any, _call: Call) -> None:
    for part in [part for schema in _schemas(body) for part in _parts(schema)]:
        properties = part.get("properties")
        if isinstance(properties, dict) and isinstance(part.get("required"), list):
            maps = [key for key, one in properties.items() if isinstance(one, dict) and _is_map(one)]
            for key in list(properties)[list(properties).index(maps[0]) + 1 :] if maps else []:
                del properties[key]
                part["required"] = [name for name in part["required"] if name != key]


def _is_map(schema: dict[str, Any]) -> bool:
    return isinstance(schema.get("additionalProperties"), dict)


add(
    Fault(
        name="keys-after-maps-dropped",
        sentence="Keys that a schema has after one with a schema as additionalProperties are dropped.",
        area="alike",
        hooks={"request": _after_maps_dropped},
        on=frozenset([CHAT]),
    )
)


# What is refused


@request(CHAT)
def logprobs_need_top_logprobs(body: Any, _call: Call) -> None:
    """logprobs without top_logprobs is rejected."""
    if body.get("logprobs") is True and body.get("top_logprobs") is None:
        raise ApiError("'logprobs' needs 'top_logprobs'.", param="logprobs")


@request(CHAT, when=lambda call: call.body.get("reasoning_effort") not in (None, "none"))
def forced_calls_refused_with_an_effort(body: Any, _call: Call) -> None:
    """A call cannot be forced while the model reasons: the request is rejected."""
    if body.get("tool_choice") == "required" or isinstance(body.get("tool_choice"), dict):
        raise ApiError("'tool_choice' cannot force a call in thinking mode.", param="tool_choice")


@request(CHAT)
def parts_beside_calls_refused(body: Any, _call: Call) -> None:
    """Text in parts is also rejected in a message that has calls."""
    if any(isinstance(one.get("content"), list) and one.get("tool_calls") for one in messages(body)):
        raise ApiError("cannot unmarshal array into messages.content of type string", param="messages")


@request(RESPONSES, when=lambda call: call.body.get("tools") and call.body.get("instructions"))
def developers_refused_beside_instructions(body: Any, _call: Call) -> None:
    """With tools and instructions, a developer's message in the input is rejected, as some chat templates do."""
    if any(item.get("role") == "developer" for item in _items(body)):
        raise ApiError("System message must be at the beginning.", param="input")


@request(CHAT)
def escapes_in_earlier_calls_crash(body: Any, _call: Call) -> None:
    """Earlier arguments with an escaped character are a server error."""
    made = [call for one in messages(body) for call in one.get("tool_calls") or [] if isinstance(call, dict)]
    if any("\\u" in str((call.get("function") or {}).get("arguments")) for call in made):
        raise ValueError("invalid escape")


@request(CHAT, stream=True)
def unknown_roles_crash_streams(body: Any, _call: Call) -> None:
    """In a stream, an unknown role is a server error."""
    roles = ("system", "user", "assistant", "tool", "developer", "function")
    if any(one.get("role") not in roles for one in messages(body)):
        raise KeyError("role")


# tool_choice, state and stop


@request(CHAT, when=with_tools)
def names_need_a_fitting_question(body: Any, _call: Call) -> None:
    """A name as tool_choice is treated as auto where the question has nothing to do with the function."""
    if isinstance(body.get("tool_choice"), dict) and "capital" in str(messages(body)[-1:]):
        body["tool_choice"] = "auto"


@request(RESPONSES, stream=True)
def streams_are_not_stored(body: Any, _call: Call) -> None:
    """A response that is streamed is not stored."""
    body["store"] = False


def _remember(how: Sampling, call: Call) -> None:
    call.state.kept["how"] = how


def _drop(said: Script, call: Call) -> None:
    """Drop the stop strings that do not end where a token of the text ends."""
    how = call.state.kept.pop("how", None)
    text, ends = b"", set()
    for step in said.steps:
        if step.channel == "content":
            text += TOKEN_BYTES[step.token]
            ends.add(len(text))
    for stop in list(how.stop if how else []):
        at = text.find(stop.encode())
        if at >= 0 and at + len(stop.encode()) not in ends:
            how.stop.remove(stop)


add(
    Fault(
        name="stop-counts-at-ends-of-tokens",
        sentence="A stop string counts only if a token ends with it.",
        area="alike",
        hooks={"sampling": _remember, "script": _drop},
        on=frozenset([CHAT]),
    )
)
