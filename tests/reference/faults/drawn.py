"""Faults of public bug reports: one feature in one endpoint, mode or order of requests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.combined import _many
from tests.reference.faults.kit import (
    add,
    events,
    history,
    payload,
    request,
    sent,
    with_tools,
)
from tests.reference.faults.state import IN_ORDER
from tests.reference.faults.tool_schemas import _parts, _schemas
from tests.reference.faults.tools import _calls
from tests.reference.faults.vision import _change_images
from tests.reference.generator import Sampling, Script
from tests.reference.messages import Message
from tests.reference.tokens import TOKEN_BYTES

CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS = "chat", "completions", "responses", "embeddings"


# Streams


def _first_after_reasoning(stream: Iterator[Any], change: Callable[[str], str | None]) -> Iterator[Any]:
    """The stream, with the first text after the reasoning of each choice changed."""
    thinking: set[int] = set()
    for event in stream:
        for choice in choices(event):
            if choice["delta"].get("reasoning_content"):
                thinking.add(choice["index"])
            elif choice["delta"].get("content") and choice["index"] in thinking:
                thinking.remove(choice["index"])
                choice["delta"]["content"] = change(choice["delta"]["content"])
        yield event


@events(CHAT)
def streamed_text_begins_with_breaks_after_reasoning(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, the text after reasoning begins with the line breaks that follow the end mark."""
    yield from _first_after_reasoning(stream, lambda text: f"\n\n{text}")


@events(CHAT)
def first_text_after_reasoning_lost(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, the first token of the text after reasoning has a logprob but no content."""
    yield from _first_after_reasoning(stream, lambda _text: None)


@request(COMPLETIONS, stream=True)
def streamed_echo_refused(body: Any, _call: Call) -> None:
    """echo is rejected in a stream."""
    if body.get("echo"):
        raise ApiError("'echo' cannot be streamed.", param="echo")


@events(CHAT, when=_many)
def only_the_last_choice_ends(stream: Iterator[Any], call: Call) -> Iterator[Any]:
    """In a stream with n above 1, only the choice that ends last has a finish_reason."""
    ended = 0
    for event in stream:
        for choice in choices(event):
            if choice["finish_reason"]:
                ended += 1
                if ended < call.body["n"]:
                    choice["finish_reason"] = None
        yield event


# Calls


@payload(CHAT, stream=True)
def later_streamed_calls_unnamed(body: Any, _call: Call) -> None:
    """In a stream, calls after the first have no id, type and name."""
    for made in _calls(body):
        if made.get("index"):
            made.pop("id", None)
            made.pop("type", None)
            made["function"].pop("name", None)


@request(CHAT, when=with_tools)
def patterns_need_anchors(body: Any, _call: Call) -> None:
    """A pattern without ^ and $ is rejected, whether or not a call is required."""
    for part in [part for schema in _schemas(body) for part in _parts(schema)]:
        pattern = part.get("pattern")
        if isinstance(pattern, str) and not (pattern.startswith("^") and pattern.endswith("$")):
            raise ApiError("Pattern must start with '^' and end with '$'", param="tools")


def _before_the_end_of_calls(stream: Iterator[Any], delta: dict[str, Any]) -> Iterator[Any]:
    """The stream, with one delta more before the end of each choice that has calls."""
    called: set[int] = set()
    for event in stream:
        for choice in choices(event):
            if choice["delta"].get("tool_calls"):
                called.add(choice["index"])
            if choice["finish_reason"] and choice["index"] in called:
                yield {**event, "choices": [{**choice, "delta": delta, "finish_reason": None}]}
        yield event


@events(CHAT, when=lambda call: bool(call.body.get("stop")))
def ends_of_calls_are_text_beside_stop(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """With stop, a stream that ends with a call has the end of its markup as text."""
    yield from _before_the_end_of_calls(stream, {"content": "all>"})


# Responses


@events(RESPONSES)
def content_index_goes_on(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, content_index of a later item goes on from that of the item before."""
    items: list[str] = []
    for event in stream:
        if "content_index" in event:
            if event["item_id"] not in items:
                items.append(event["item_id"])
            event["content_index"] = items.index(event["item_id"])
        yield event


@events(RESPONSES, when=with_tools)
def streamed_responses_with_calls_only_end(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """A streamed response with calls has only its last event."""
    made = list(stream)
    output = made[-1].get("response", {}).get("output", [])
    yield from made[-1:] if any(item["type"] == "function_call" for item in output) else made


def _response_tools(body: Any) -> list[dict[str, Any]]:
    found = body.get("tools")
    return [tool for tool in found if isinstance(tool, dict)] if isinstance(found, list) else []


@request(RESPONSES)
def empty_parameters_refused_in_responses(body: Any, _call: Call) -> None:
    """A function whose parameters are an empty object is rejected."""
    if any(tool.get("parameters") == {} for tool in _response_tools(body)):
        raise ApiError("Invalid input", param="tools.0", code="custom")


@request(RESPONSES)
def null_parameters_refused_in_responses(body: Any, _call: Call) -> None:
    """A function whose parameters are null is rejected."""
    if any("parameters" in tool and tool["parameters"] is None for tool in _response_tools(body)):
        raise ApiError("Invalid input", param="tools.0.parameters", code="invalid_type")


@payload(RESPONSES)
def logprobs_of_responses_empty(body: Any, _call: Call) -> None:
    """Logprobs that include asks for are an empty array."""
    parts = [body, body.get("part")]
    for item in [body.get("item"), *((body.get("response") or body).get("output") or [])]:
        parts += (item or {}).get("content") or []
    for part in parts:
        if isinstance(part, dict) and "logprobs" in part:
            part["logprobs"] = []


@events(RESPONSES, when=with_tools)
def calls_break_off_after_reasoning(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """After reasoning, a stream ends at the end of a call's arguments, with a further item that has no name."""
    thought, held = False, None
    for event in stream:
        thought = thought or event["type"] == "response.reasoning_text.delta"
        if held and event["type"] == "response.function_call_arguments.done":
            item = {
                "id": "fc_1",
                "type": "function_call",
                "status": "in_progress",
                "call_id": "call_1",
                "arguments": "",
            }
            where = {"output_index": held["output_index"] + 1, "sequence_number": held["sequence_number"]}
            yield {"type": "response.output_item.added", **where, "item": item}
            return
        if held:
            yield held
            held = None
        if thought and event["type"] == "response.function_call_arguments.delta":
            held = event
        else:
            yield event


# Formats and stop


def _remember(how: Sampling, call: Call) -> None:
    call.state.kept["drawn how"] = how


def _drop_early(said: Script, call: Call) -> None:
    how = call.state.kept.pop("drawn how", None)
    text = b"".join(TOKEN_BYTES[step.token] for step in said.steps if step.channel == "content")[:8].decode(
        "utf-8", "ignore"
    )
    for stop in list(how.stop if how else []):
        if stop in text:
            how.stop.remove(stop)


add(
    Fault(
        name="early-stop-unseen-in-json-streams",
        sentence="In a stream in JSON mode, a stop string in the first eight characters is not seen.",
        area="drawn",
        hooks={"sampling": _remember, "script": _drop_early},
        on=frozenset([CHAT]),
        stream=True,
        when=lambda call: bool(call.body.get("response_format")),
    )
)


# Sampling


def _without_a_seed(how: Sampling, call: Call) -> None:
    now, kept = time.monotonic(), call.state.kept
    if how.seed is None:
        kept["unseeded at"] = now
    elif now - kept.get("unseeded at", -1) < 0.3 and call.state.active > 1:
        how.seed = None


add(
    Fault(
        name="seed-ignored-beside-others",
        sentence="While a request without a seed is under way, seed is ignored.",
        area="drawn",
        hooks={"sampling": _without_a_seed, "timing": lambda s, c: 0.1 if c.pulled < 0 else s},
        on=frozenset([CHAT]),
        concurrent=True,
    )
)


@request((CHAT, COMPLETIONS), when=_many)
def several_greedy_choices_refused(body: Any, _call: Call) -> None:
    """n above 1 with temperature 0 is rejected."""
    if body.get("temperature") == 0:
        raise ApiError("When n > 1, temperature must be greater than 0.", param="n")


# Logprobs and usage


@events(COMPLETIONS, when=lambda call: call.body.get("echo") and call.body.get("logprobs") is not None)
def streamed_offsets_leave_out_the_echo(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream with echo, text_offset leaves out the prompt after the first chunk."""
    lengths: dict[int, int] = {}
    for event in stream:
        for choice in choices(event):
            known = lengths.setdefault(choice["index"], len(choice["text"]))
            if (
                choice["logprobs"]
                and choice["logprobs"]["text_offset"]
                and choice["logprobs"]["text_offset"][0] >= known
            ):
                choice["logprobs"]["text_offset"] = [at - known for at in choice["logprobs"]["text_offset"]]
        yield event


@payload(COMPLETIONS)
def completion_logprob_tokens_lose_their_space(body: Any, _call: Call) -> None:
    """Tokens of legacy logprobs have no space at their beginning."""
    for choice in choices(body):
        if found := choice.get("logprobs"):
            found["tokens"] = [token.removeprefix(" ") for token in found["tokens"]]
            found["top_logprobs"] = [
                top and {token.removeprefix(" "): value for token, value in top.items()}
                for top in found["top_logprobs"]
            ]


@payload(CHAT)
def cached_tokens_are_not_counted(body: Any, _call: Call) -> None:
    """prompt_tokens leaves out the tokens that were cached."""
    if counts := body.get("usage"):
        cached = counts["prompt_tokens_details"]["cached_tokens"]
        counts["prompt_tokens"] -= cached
        counts["total_tokens"] -= cached


# What one request leaves


def _has_image(body: Any) -> bool:
    return any(
        isinstance(part, dict) and part.get("type") == "image_url"
        for message in messages(body)
        for part in (message.get("content") if isinstance(message.get("content"), list) else ())
    )


def _with_another_question(said: Script, call: Call) -> Script | None:
    found = messages(call.body)
    if len(found) != 2 or found[0].get("role") != "system":
        return None
    about, question = f"system {json.dumps(found[0])}", json.dumps(found[1])
    first = call.state.kept.setdefault(about, question)
    return None if first == question else Script(said.steps[:1])


add(
    Fault(
        name="known-system-messages-end-texts",
        sentence="When a system message comes again with another question, the response ends after one token.",
        area="drawn",
        hooks={"script": _with_another_question, **IN_ORDER},
        on=frozenset([CHAT]),
    )
)


# Long prompts, images and limits


@request(CHAT)
def only_the_last_image(body: dict[str, Any], _call: Call) -> None:
    """Of several images in a message, only the last is seen."""
    _change_images(body, lambda images: images[-1:])


# Errors and models


@sent(CHAT)
def bodies_that_are_no_objects_crash(body: bytes, _call: Call) -> None:
    """A body that is JSON but no object gets a 500."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return
    if not isinstance(found, dict):
        raise AttributeError("'str' object has no attribute 'get'")


@request(CHAT)
def strings_have_default_values(body: Any, _call: Call) -> None:
    """A stream or max_tokens that is a string is accepted as false or as no limit."""
    for name in ("stream", "max_tokens", "max_completion_tokens"):
        if isinstance(body.get(name), str):
            body.pop(name)


def _is_with_slash(call: Call) -> bool:
    return call.area == "models" and "/" in call.argument


add(
    Fault(
        name="model-ids-with-slash-not-found",
        sentence="/models/{id} does not find an id with a slash.",
        area="drawn",
        hooks={
            "status": lambda value, call: 404 if _is_with_slash(call) else value,
            "answer": lambda body, call: b"404 page not found" if _is_with_slash(call) else body,
        },
        on=frozenset(["models"]),
    )
)


# Found after the others


@payload(CHAT)
def first_calls_share_an_id(body: Any, _call: Call) -> None:
    """The first call of each response has the same id."""
    for made in _calls(body):
        if made.get("id") and not made.get("index"):
            made["id"] = "call_first"
            return


@history(CHAT)
def calls_lost_beside_images(history: list[Message], _call: Call) -> list[Message]:
    """Beside an image, an earlier message that has only calls is dropped."""
    seen = any(message.images for message in history)
    return [message for message in history if not (seen and message.calls and not message.text)]


@events(CHAT, when=with_tools)
def streamed_arrays_of_arguments_lose_characters(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, arguments that have an array of objects lose a delta."""
    text: dict[tuple[int, int], str] = {}
    lost: set[tuple[int, int]] = set()
    for event in stream:
        for choice in choices(event):
            for made in choice["delta"].get("tool_calls") or []:
                place = (choice["index"], made.get("index", 0))
                arguments = made.get("function", {}).get("arguments") or ""
                if "[{" in text.get(place, "").replace(" ", "") and place not in lost and arguments.isalnum():
                    lost.add(place)
                    made["function"]["arguments"] = ""
                text[place] = text.get(place, "") + arguments
        yield event


@events(CHAT, when=with_tools)
def streams_of_calls_end_with_null(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """A stream with calls has a last delta whose arguments are null."""
    yield from _before_the_end_of_calls(stream, {"tool_calls": [{"index": 0, "function": {"arguments": None}}]})


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


@payload(CHAT, when=with_tools)
def cut_after_a_call_says_tool_calls(body: Any, call: Call) -> None:
    """A response that max_tokens truncates after its first call has finish_reason tool_calls."""
    for made in _calls(body):
        if not made.get("index"):
            call.argument += made["function"].get("arguments") or ""
    for choice in choices(body):
        if choice["finish_reason"] == "length" and _is_json(call.argument):
            choice["finish_reason"] = "tool_calls"


@request(RESPONSES)
def parts_of_the_assistant_need_an_id(body: Any, _call: Call) -> None:
    """A message of the assistant in parts is rejected without id and status."""
    items = body.get("input")
    for item in items if isinstance(items, list) else []:
        parts = isinstance(item, dict) and item.get("role") == "assistant" and isinstance(item.get("content"), list)
        if parts and not (item.get("id") and item.get("status")):
            raise ApiError("Input should be a valid string", param="input")


@events(CHAT, when=with_tools)
def streamed_calls_without_arguments_have_no_member(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, a call whose arguments are empty has no arguments."""
    held: list[Any] = list(stream)
    text: dict[tuple[int, int], str] = {}
    places = [
        ((choice["index"], made.get("index", 0)), made)
        for event in held
        for choice in choices(event)
        for made in choice["delta"].get("tool_calls") or []
        if "function" in made
    ]
    for place, made in places:
        text[place] = text.get(place, "") + (made["function"].get("arguments") or "")
    for place, made in places:
        if text[place] == "{}":
            made["function"].pop("arguments", None)
    yield from held


@request(CHAT)
def images_of_two_messages_crash(body: Any, _call: Call) -> None:
    """Images in two messages are a server error."""
    if sum(_has_image({"messages": [message]}) for message in messages(body)) > 1:
        raise ValueError("Image features and image tokens do not match")


@history(CHAT)
def later_images_are_the_first(history: list[Message], _call: Call) -> None:
    """The image of a later turn is treated as that of the first."""
    seen = [message for message in history if message.images]
    for message in seen[1:]:
        message.images = seen[0].images[:1]


@request(CHAT)
def empty_answers_refused(body: Any, _call: Call) -> None:
    """An earlier message of the assistant whose content is empty is rejected."""
    for message in messages(body):
        if message.get("role") == "assistant" and message.get("content") == "" and not message.get("tool_calls"):
            raise ApiError("Invalid assistant message", param="messages")


@request(CHAT)
def last_question_lost_after_system(body: Any, _call: Call) -> None:
    """A question after a system message and an earlier response does not reach the model."""
    roles = [message.get("role") for message in messages(body)]
    if roles == ["system", "user", "assistant", "user"]:
        body["messages"] = body["messages"][:-1]


@request(CHAT)
def messages_without_a_user_break(body: Any, _call: Call) -> None:
    """Messages of which none is the user's get a 500."""
    roles = {message.get("role") for message in messages(body)}
    if roles and roles <= {"system", "assistant"}:
        raise RuntimeError("list index out of range")
