"""Legal layouts of streams: what a chunk has, and in which order the chunks of several choices come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import events, payload
from tests.reference.faults.legal_fields import calls_of, messages_of

Events = Iterator[Any]


def _alone(event: Any) -> dict[str, Any] | None:
    """The choice of a chunk that has exactly one."""
    found = choices(event)
    return found[0] if len(found) == 1 else None


def _says_nothing(choice: dict[str, Any]) -> bool:
    """Whether a choice's part of a chunk adds neither text nor a call."""
    return not any((choice.get("delta") or {}).values()) and not choice.get("text")


@events(("chat", "completions"), legal=True)
def finish_with_the_last_text(stream: Events, _call: Call) -> Events:
    """`finish_reason` is in the chunk with the last text, or the last piece of a call."""
    held: dict[int, Any] = {}
    for event in stream:
        choice = _alone(event)
        if choice is None:
            yield from held.values()
            held.clear()
            yield event
            continue
        before: Any = held.pop(choice["index"], None)
        if before and choice["finish_reason"] and _says_nothing(choice):
            before["choices"][0]["finish_reason"] = choice["finish_reason"]
            yield before
            continue
        if before:
            yield before
        held[choice["index"]] = event
    yield from held.values()


@events("chat", legal=True)
def short_calls_in_one_chunk(stream: Events, _call: Call) -> Events:
    """The calls of a choice come in one chunk, with their arguments up to 60 characters."""
    held: dict[int, Any] = {}
    for event in stream:
        choice = _alone(event)
        if choice and (pieces := choice["delta"].get("tool_calls")):
            if choice["index"] in held:
                known = choices(held[choice["index"]])[0]["delta"]["tool_calls"]
                for piece in pieces:
                    _put(known, piece)
                if any(len((made.get("function") or {}).get("arguments") or "") > 60 for made in known):
                    yield held.pop(choice["index"])
                continue
            held[choice["index"]] = event
            continue
        if choice and choice["index"] in held:
            yield held.pop(choice["index"])
        yield event


def _put(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    """Join a piece with the call that it belongs to."""
    known = next((made for made in calls if made["index"] == piece["index"]), None)
    if known is None:
        calls.append(piece)
        return
    for kind, member in (("function", "arguments"), ("custom", "input")):
        if kind in piece:
            known[kind][member] = known[kind].get(member, "") + piece[kind][member]


@events(("chat", "completions"), legal=True)
def choices_share_chunks(stream: Events, _call: Call) -> Events:
    """With `n`, a chunk has a part of each choice."""
    held: Any = None
    for event in stream:
        choice = _alone(event)
        if held and choice and choice["index"] not in [one["index"] for one in held["choices"]]:
            held["choices"].append(choice)
            continue
        if held:
            yield held
        held = event if choice else None
        if not choice:
            yield event
    if held:
        yield held


@events(("chat", "completions"), legal=True)
def choices_one_after_the_other(stream: Events, _call: Call) -> Events:
    """With `n`, each choice comes as a whole before the next one begins."""
    later: dict[int, list[Any]] = {}
    for event in stream:
        choice = _alone(event)
        if choice and choice["index"]:
            later.setdefault(choice["index"], []).append(event)
            continue
        if not choice:
            for _, waiting in sorted(later.items()):
                yield from waiting
            later.clear()
        yield event


@events("chat", legal=True)
def a_character_a_chunk(stream: Events, _call: Call) -> Events:
    """Each chunk has one character of the text; logprobs come with the first one of their token."""
    for event in stream:
        choice = _alone(event)
        text = choice["delta"].get("content") if choice and set(choice["delta"]) == {"content"} else None
        if not choice or not text:
            yield event
            continue
        for at, character in enumerate(text):
            part = {**choice, "delta": {"content": character}, "logprobs": None if at else choice["logprobs"]}
            yield {**event, "choices": [part]}


@events("chat", legal=True)
def text_lags_behind_logprobs(stream: Events, _call: Call) -> Events:
    """A chunk with logprobs may have no text yet; that of two tokens comes with the second one."""
    held: dict[int, str] = {}
    for event in stream:
        choice = _alone(event)
        if choice and choice.get("logprobs") and choice["delta"].get("content"):
            before = held.pop(choice["index"], "")
            text = before + choice["delta"]["content"]
            choice["delta"]["content"] = text if before else ""
            if not before:
                held[choice["index"]] = text
        elif choice and (text := held.pop(choice["index"], "")):
            late = {**choice, "delta": {"content": text}, "logprobs": None, "finish_reason": None}
            yield {**event, "choices": [late]}
        yield event


@payload("chat", stream=True, legal=True)
def role_alone(body: Any, _call: Call) -> None:
    """The first delta of a choice has `role` alone."""
    for message in messages_of(body):
        if "role" in message:
            for name in ("content", "refusal"):
                message.pop(name, None)


@payload("chat", stream=True, legal=True)
def null_where_no_text(body: Any, _call: Call) -> None:
    """`content` and `refusal` are null in each delta that has no text, also in the last one."""
    for message in messages_of(body):
        message["content"] = message.get("content") or None
        message["refusal"] = message.get("refusal")


@payload("chat", stream=True, legal=True)
def calls_begin_without_arguments(body: Any, _call: Call) -> None:
    """The first piece of a call has no `arguments`."""
    for made in calls_of(body):
        if made.get("id") and (made.get("function") or {}).get("arguments") == "":
            del made["function"]["arguments"]


@events("chat", legal=True)
def empty_pieces_of_calls(stream: Events, _call: Call) -> Events:
    """After each piece of a call comes one whose `arguments` are an empty string."""
    for event in stream:
        yield event
        choice = _alone(event)
        if choice is None:
            continue
        for piece in choice["delta"].get("tool_calls") or []:
            if "function" in piece:
                empty = {"index": piece["index"], "function": {"arguments": ""}}
                yield {**event, "choices": [{**choice, "delta": {"tool_calls": [empty]}}]}
