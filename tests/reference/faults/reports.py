"""Faults of public bug reports, most of which show only beside something else, or after something else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from tests.reference.call import Call
from tests.reference.fault import Fault
from tests.reference.faults.behaviours import _rewritten
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.kit import add, answer, events, history, payload, sampling, script, with_tools
from tests.reference.faults.tools import _calls, _functions
from tests.reference.generator import Sampling, Script
from tests.reference.messages import Message, render
from tests.reference.script import raw
from tests.reference.tokens import decode, encode

CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS = "chat", "completions", "responses", "embeddings"


def _run(call: Call) -> str:
    """The run of the gate that a request belongs to: what one run leaves has no effect on another."""
    return call.headers.get("x-chance", "").rpartition("#")[2]


ALL = {"timing": lambda seconds, _call: seconds}
"""A hook that does nothing, so that the gate sends all requests again, also those that only leave something."""


def _planned(said: Script, call: Call) -> None:
    call.argument = decode([step.token for step in said.steps if step.channel == "content"])


# Streams


@events(CHAT)
def truncated_reasoning_has_a_notice(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream whose reasoning `max_tokens` truncates, a notice of the server comes as content."""
    last: dict[int, str] = {}
    for event in stream:
        for choice in choices(event):
            for kind in ("content", "reasoning_content"):
                if choice["delta"].get(kind):
                    last[choice["index"]] = kind
            if choice["finish_reason"] == "length" and last.get(choice["index"]) == "reasoning_content":
                delta = {"content": "[Reasoning truncated: increase max_tokens]"}
                yield {**event, "choices": [{**choice, "delta": delta, "finish_reason": None}]}
        yield event


def _drop_what_was_held(stream: Iterator[Any], call: Call) -> Iterator[Any]:
    held: dict[int, Any] = {}
    text: dict[int, str] = {}
    for event in stream:
        for choice in choices(event):
            index = choice["index"]
            ended = choice["finish_reason"] == "stop" and len(text.get(index, "")) < len(call.argument)
            due = choice["delta"].get("content") or choice["finish_reason"]
            if due and (before := held.pop(index, None)) and not ended:
                yield before
            if choice["delta"].get("content"):
                text[index] = text.get(index, "") + choice["delta"]["content"]
                held[index] = event
        if not any(choice["delta"].get("content") for choice in choices(event)):
            yield event


add(
    Fault(
        name="held-text-lost-at-a-stop-beside-tools",
        sentence="With tools, a stream that a stop string ends has lost its last delta.",
        area="reports",
        hooks={"script": _planned, "events": _drop_what_was_held},
        on=frozenset([CHAT]),
        stream=True,
        when=lambda call: with_tools(call) and bool(call.body.get("stop")),
    )
)


@events(CHAT, when=with_tools)
def truncated_streamed_calls_are_dropped(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, a call that max_tokens truncates is dropped, and finish_reason is stop."""
    made = list(stream)
    cut = {choice["index"] for event in made for choice in choices(event) if choice["finish_reason"] == "length"}
    called = {c["index"] for event in made for c in choices(event) if c["delta"].get("tool_calls")}
    for event in made:
        for choice in choices(event):
            if choice["index"] in cut & called:
                choice["delta"].pop("tool_calls", None)
                choice["finish_reason"] = choice["finish_reason"] and "stop"
        yield event


@events(CHAT, when=lambda call: call.body.get("reasoning_effort") == "none")
def several_calls_are_reasoning_without_reasoning(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """With reasoning_effort none, a stream has several calls as reasoning; one call is right."""
    made = list(stream)
    several = any(call.get("index") for event in made for call in _calls(event))
    for event in made:
        for choice in choices(event) if several else ():
            if calls := choice["delta"].pop("tool_calls", None):
                choice["delta"]["reasoning_content"] = "".join(
                    f"{one['function'].get('name', '')}{one['function'].get('arguments') or ''}" for one in calls
                )
            choice["finish_reason"] = choice["finish_reason"] and "stop"
        yield event


@payload(COMPLETIONS, stream=True)
def legacy_streams_add_up_counts(body: Any, _call: Call) -> None:
    """completion_tokens of a legacy stream adds up what each chunk had counted."""
    if counts := body.get("usage"):
        made = counts["completion_tokens"]
        counts["completion_tokens"] = made * (made + 1) // 2
        counts["total_tokens"] = counts["prompt_tokens"] + counts["completion_tokens"]


@events(CHAT)
def text_after_reasoning_in_one_piece(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In a stream, text that follows reasoning comes in one delta, with the logprobs of all of it."""
    thinking: set[int] = set()
    held: dict[int, Any] = {}
    for event in stream:
        keep = True
        for choice in choices(event):
            index = choice["index"]
            if choice["delta"].get("reasoning_content"):
                thinking.add(index)
            elif choice["delta"].get("content") and index in thinking:
                keep = False
                if index in held:
                    before = held[index]["choices"][0]
                    before["delta"]["content"] += choice["delta"]["content"]
                    if choice["logprobs"]:
                        before["logprobs"]["content"] += choice["logprobs"]["content"]
                else:
                    held[index] = event
            if choice["finish_reason"] and index in held:
                yield held.pop(index)
        if keep:
            yield event


@events(COMPLETIONS)
def legacy_streams_come_in_one_piece(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """A stream of /completions has the whole text of each choice in its last chunk."""
    held: dict[int, str] = {}
    for event in stream:
        for choice in choices(event):
            text = held.pop(choice["index"], "") + choice["text"]
            choice["text"] = text if choice["finish_reason"] else ""
            if not choice["finish_reason"]:
                held[choice["index"]] = text
        yield event


@answer(CHAT, when=lambda call: len(json.dumps(call.body.get("tools"))) > 1_000)
def long_descriptions_give_nothing(body: Any, _call: Call) -> None:
    """With long descriptions of tools, the plain response is empty instead of a call."""
    for choice in choices(body):
        choice["message"].pop("tool_calls", None)
        choice["message"]["content"] = ""
        choice["finish_reason"] = "stop"


@events(CHAT, when=lambda call: bool(call.body.get("stop")))
def held_text_comes_twice(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """With stop, text that was held back as the possible beginning of a stop string comes twice."""
    for event in stream:
        for choice in choices(event):
            ids = encode(choice["delta"].get("content") or "")
            if len(ids) > 1:
                delta = {"content": decode(ids[:-1])}
                yield {**event, "choices": [{**choice, "delta": delta, "logprobs": None}]}
        yield event


# Stop, limits and counts


def _stop_of(text: str, call: Call) -> str:
    """The stop string that ended the text, if one did."""
    stop = call.body.get("stop")
    found = [stop] if isinstance(stop, str) else stop or []
    return next((one for one in found if one and call.argument.startswith(text + one)), "")


def _score_the_stop(body: Any, call: Call) -> None:
    for choice in choices(body):
        if choice.get("logprobs") and choice["finish_reason"] == "stop":
            text = choice["message"]["content"] or ""
            for token in encode(_stop_of(text, call)):
                shown = {"token": decode([token]), "logprob": -0.1, "bytes": list(decode([token]).encode())}
                choice["logprobs"]["content"].append({**shown, "top_logprobs": []})


add(
    Fault(
        name="stop-strings-have-logprobs",
        sentence="With stop, logprobs have the tokens of the stop string.",
        area="reports",
        hooks={"script": _planned, "answer": _score_the_stop},
        on=frozenset([CHAT]),
        stream=False,
        when=lambda call: bool(call.body.get("stop")),
    )
)


@history(CHAT)
def large_limits_truncate_the_prompt(history: list[Message], call: Call) -> list[Message]:
    """The beginning of the prompt is dropped until it leaves room for max_tokens."""
    limit = call.body.get("max_tokens") or call.body.get("max_completion_tokens")
    if not isinstance(limit, int):
        return history
    room = max(call.state.context - limit, 16)
    while len(history) > 1 and len(render(history, call.body.get("tools") or [])) > room:
        history = history[1:]
    if (over := len(render(history, call.body.get("tools") or [])) - room) > 0:
        history[0].text = decode(encode(history[0].text)[over:])
    return history


@payload(CHAT)
def truncated_responses_count_one_less(body: Any, call: Call) -> None:
    """completion_tokens is one too few where max_tokens truncates the response."""
    if any(choice["finish_reason"] == "length" for choice in choices(body)):
        call.argument = "cut"
    if body.get("usage") and call.argument == "cut":
        body["usage"]["completion_tokens"] -= 1
        body["usage"]["total_tokens"] -= 1


@answer(CHAT)
def cached_tokens_null_in_plain_responses(body: Any, _call: Call) -> None:
    """cached_tokens of plain responses is null."""
    if body.get("usage"):
        body["usage"]["prompt_tokens_details"]["cached_tokens"] = None


# What one request leaves


def _emptied(said: Script, call: Call) -> Script | None:
    seen: set[str] = call.state.kept.setdefault(f"prompts {_run(call)}", set())
    prompt = json.dumps(call.body.get("prompt"))
    if prompt in seen:
        return Script([])
    seen.add(prompt)
    return None


add(
    Fault(
        name="known-legacy-prompts-get-nothing",
        sentence="A legacy prompt that was sent before gets an empty text.",
        area="reports",
        hooks={"script": _emptied, **ALL},
        on=frozenset([COMPLETIONS]),
    )
)


def _uncached(history: list[Message], call: Call) -> None:
    call.state = replace(call.state, prompts=set(call.state.prompts))


add(
    Fault(
        name="streams-leave-no-cache",
        sentence="The prompt of a stream is not kept in the cache.",
        area="reports",
        hooks={"history": _uncached, **ALL},
        on=frozenset([CHAT]),
        stream=True,
    )
)


PLAIN = {"model", "messages", "temperature", "max_tokens"}


def _one_token(said: Script, call: Call) -> Script | None:
    seen: set[str] = call.state.kept.setdefault(f"asked {_run(call)}", set())
    asked = json.dumps(call.body)
    if asked in seen and not said.calls:
        return raw("!" * 24)
    seen.add(asked)
    return None


add(
    Fault(
        name="repeated-requests-get-one-token",
        sentence="A request to count that was sent before gets one token again and again.",
        area="reports",
        hooks={"script": _one_token, **ALL},
        on=frozenset([CHAT]),
        stream=False,
        when=lambda call: set(call.body) <= PLAIN and "Count from" in json.dumps(call.body.get("messages")),
    )
)


@sampling(CHAT)
def no_seed_is_seed_0(how: Sampling, _call: Call) -> None:
    """Without a seed, the seed is 0."""
    how.seed = how.seed or 0


# Calls


def _in_calls(change: Callable[[Any, dict[str, Any]], Any]) -> Callable[[Script, Call], Script]:
    """A hook that changes each value of the arguments of calls, given the schema of its parameter."""

    def changed(said: Script, call: Call) -> Script:
        schemas = {one.get("name"): one.get("parameters") for one in _functions(call.body)}
        wanted = [schemas.get(name) for name in said.calls]
        known: dict[str, Any] = {}
        for schema in wanted:
            known |= (schema or {}).get("properties", {}) if isinstance(schema, dict) else {}

        def rewrite(text: str) -> str:
            try:
                found = json.loads(text)
            except ValueError:
                return text
            if not isinstance(found, dict):
                return text
            made = {key: change(value, known.get(key) or {}) for key, value in found.items()}
            return text if made == found else json.dumps(made, ensure_ascii=False)

        return _rewritten(said, rewrite) if said.calls else said

    return changed


def _text_of_nullable_arrays(value: Any, schema: dict[str, Any]) -> Any:
    kinds = schema.get("type")
    return json.dumps(value) if isinstance(value, list) and isinstance(kinds, list) and "array" in kinds else value


add(
    Fault(
        name="nullable-arrays-are-strings",
        sentence="Arguments whose type is an array or null are strings of JSON.",
        area="reports",
        hooks={"script": _in_calls(_text_of_nullable_arrays)},
        on=frozenset([CHAT]),
    )
)


def _text_of_references(value: Any, schema: dict[str, Any]) -> Any:
    indirect = {"$ref", "anyOf", "oneOf"} & schema.keys()
    return json.dumps(value) if indirect and not isinstance(value, str) else value


add(
    Fault(
        name="values-of-references-are-strings",
        sentence="Arguments whose schema is a reference or a union are strings.",
        area="reports",
        hooks={"script": _in_calls(_text_of_references)},
        on=frozenset([CHAT]),
    )
)


@history(CHAT)
def calls_without_content_dropped(history: list[Message], call: Call) -> list[Message]:
    """An earlier message with calls is dropped if its content is null."""
    null = {at for at, one in enumerate(messages(call.body)) if one.get("tool_calls") and one.get("content") is None}
    return [message for at, message in enumerate(history) if at not in null]


@history(CHAT)
def earlier_calls_dropped(history: list[Message], _call: Call) -> None:
    """Calls of earlier messages do not reach the model."""
    for message in history:
        message.calls = []


def _called_before(call: Call) -> bool:
    return any(message.get("tool_calls") for message in messages(call.body))


@script(CHAT, when=_called_before)
def later_arguments_are_a_key(said: Script, _call: Call) -> Script:
    """After an earlier call, arguments are an object whose key is the JSON of the arguments."""
    return _rewritten(said, lambda text: json.dumps({text: ""})) if said.calls else said


# Images, legacy prompts and embeddings


@history(CHAT)
def fifth_image_is_an_earlier_one(history: list[Message], _call: Call) -> None:
    """With five images in a conversation, the last one is treated as an earlier one."""
    shown = [(message, at) for message in history for at in range(len(message.images))]
    if len(shown) >= 5:
        message, at = shown[-1]
        earlier, place = shown[-3]
        message.images[at] = earlier.images[place]


@answer(EMBEDDINGS)
def large_batches_are_inexact(body: Any, _call: Call) -> None:
    """Embeddings of sixteen texts and more at once differ from those of single texts."""
    vectors = body.get("data") or []
    for entry in vectors if len(vectors) >= 16 else ():
        if isinstance(entry["embedding"], list):
            entry["embedding"] = [value + 0.02 * (-1) ** at for at, value in enumerate(entry["embedding"])]


# Responses


def _reasons(event: Any) -> bool:
    return isinstance(event, dict) and (event.get("item") or {}).get("type") == "reasoning"


@events(RESPONSES)
def responses_after_reasoning_never_complete(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """A stream with reasoning and text ends without its last event."""
    thought = said = False
    for event in stream:
        thought = thought or _reasons(event)
        said = said or event.get("type") == "response.output_text.delta"
        if not (thought and said and event.get("type") == "response.completed"):
            yield event


@events(RESPONSES)
def messages_after_reasoning_are_item_0(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """output_index of a streamed message after reasoning is 0."""
    thought = False
    for event in stream:
        thought = thought or _reasons(event)
        about = (event.get("item") or {}).get("type") or event.get("item_id", "")
        if thought and "output_index" in event and about.startswith(("message", "msg_")):
            event["output_index"] = 0
        yield event
