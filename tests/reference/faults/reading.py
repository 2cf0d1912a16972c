"""Faults of reading a model's own notation: what real servers get wrong, a line or two for each.

They act on the models that write a dialect, and `reading.toml` declares what notices them in which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from fixtures.dialects import vocabulary
from tests.reference import notation
from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import hook, read, reader, request
from tests.reference.generator import Event
from tests.reference.messages import Message
from tests.reference.reader import Reader

Events = Iterator[Event]
SPECIAL = re.compile("|".join(map(re.escape, vocabulary())))


def in_dialect(call: Call) -> bool:
    """Whether the model writes a family's notation."""
    return notation.of_model(call.body.get("model")) is not None


# Calls


@reader("chat")
def no_call_is_found(reader: Reader, _call: Call) -> None:
    """The notation is not known: calls stay in `content`."""
    reader.tools = {}


@read("chat")
def last_brace_lost(events: Events, _call: Call) -> Events:
    """The arguments end before their last brace."""
    return (event._replace(text=event.text[:-1]) if event.channel == "arguments" else event for event in events)


@read("chat")
def second_call_dropped(events: Events, _call: Call) -> Events:
    """Only the first of several calls is read."""
    return (event for event in events if event.call == 0)


@read("chat")
def calls_swapped(events: Events, _call: Call) -> Events:
    """The last call comes first."""
    found = list(events)
    last = max((event.call for event in found), default=0)
    yield from (event for event in found if event.channel in ("content", "reasoning"))
    calls = [event._replace(call=last - event.call) for event in found if event.channel in ("call", "arguments")]
    yield from sorted(calls, key=lambda event: event.call)


@read("chat")
def empty_arguments_are_an_empty_string(events: Events, _call: Call) -> Events:
    """A call without arguments has an empty string as arguments, instead of `{}`."""
    return (
        event._replace(text="") if event.text == "{}" and event.channel == "arguments" else event for event in events
    )


@read("chat")
def hyphens_end_a_name(events: Events, _call: Call) -> Events:
    """A function's name ends at its hyphen."""
    return (event._replace(text=event.text.split("-")[0]) if event.channel == "call" else event for event in events)


@reader("chat")
def hyphens_are_in_no_name(reader: Reader, _call: Call) -> None:
    """A call whose name has a hyphen is not found."""
    reader.name = r"\w+"


@reader("chat")
def raw_values_stay_strings(reader: Reader, _call: Call) -> None:
    """Raw text of an argument is a string, although the schema says integer."""
    reader.typed = lambda text, _schema: text


@reader("chat")
def digits_are_numbers(reader: Reader, _call: Call) -> None:
    """Raw text of an argument is a number if it looks like one, whatever the schema says."""
    reader.typed = lambda text, _schema: int(text) if text.isdigit() else text


@request("chat", when=in_dialect)
def own_ids_rejected(body: dict[str, Any], _call: Call) -> None:
    """Ids must have nine letters or digits, but the server itself makes longer ones."""
    ids = [str(message.get("tool_call_id")) for message in messages(body) if message.get("role") == "tool"]
    if any(one.startswith(("call_", "functions.")) for one in ids):
        raise ApiError("Tool call ids should be alphanumeric strings with length 9!", status=400)


# Text


@read("chat")
def text_before_a_call_lost(events: Events, _call: Call) -> Events:
    """The text before a call is dropped with the marker of the call."""
    found = list(events)
    first = next((at for at, event in enumerate(found) if event.channel == "call"), 0)
    return (event for at, event in enumerate(found) if at >= first or event.channel != "content")


@read("chat")
def text_after_a_call_lost(events: Events, _call: Call) -> Events:
    """Everything after a call is dropped, except further calls."""
    called = False
    for event in events:
        called = called or event.channel == "call"
        if not (called and event.channel == "content"):
            yield event


@reader("chat")
def split_marks_leak(reader: Reader, _call: Call) -> None:
    """A marker that arrives in several pieces is not found, because text is not held back."""
    reader.held = lambda _text, _marks: 0


@reader("chat")
def truncated_calls_are_shown(reader: Reader, _call: Call) -> None:
    """A truncated call is content."""
    reader.shown = str


@read("chat", stream=True)
def streams_lose_the_last_call(events: Events, _call: Call) -> Events:
    """In a stream the last call is not sent."""
    found = list(events)
    last = max((event.call for event in found if event.channel == "call"), default=-1)
    return (event for event in found if event.channel in ("content", "reasoning") or event.call != last)


@read("chat", stream=True)
def streams_lose_text_beside_calls(events: Events, _call: Call) -> Events:
    """In a stream there is no content if there are calls."""
    found = list(events)
    called = any(event.channel == "call" for event in found)
    return (event for event in found if not (called and event.channel == "content"))


# Reasoning


@reader("chat")
def calls_in_reasoning_are_obeyed(reader: Reader, _call: Call) -> None:
    """A call in reasoning becomes a tool call, and the text after it content."""
    reader.thinks = False


@read("chat")
def the_mark_after_reasoning_leaks(events: Events, call: Call) -> Events:
    """The content begins with the marker that ends reasoning."""
    written = notation.of_model(call.body["model"])
    before = ""
    for event in events:
        if before == "reasoning" and event.channel != "reasoning":
            yield Event("content", written.thought[1] if written else "")
        before = event.channel
        yield event


# Marks in a user's text


@request("chat", when=in_dialect)
def marks_in_a_question_crash(body: dict[str, Any], _call: Call) -> None:
    """A user's text that has a marker of the notation gets a 500."""
    written = notation.of_model(body["model"])
    marks = [mark.rstrip("[") for mark in (written.section[0], written.call[0], written.thought[0])] if written else []
    if any(
        mark in str(message.get("content"))
        for mark in filter(None, marks)
        for message in messages(body)
        if message.get("role") == "user"
    ):
        raise ApiError("unexpected mark of a call", status=500)


@hook("history", "chat", when=in_dialect)
def special_tokens_in_a_text_are_read(history: list[Message], _call: Call) -> list[Message]:
    """The name of a special token in a text is read as the token, and is missing from the text."""
    return [replace(message, text=SPECIAL.sub("", message.text)) for message in history]


# What is legal


@read("chat", legal=True)
def white_space_stays_before_a_call(events: Events, _call: Call) -> Events:
    """The line break between a text and a call is content."""
    before = ""
    for event in events:
        if event.channel == "call" and before == "content":
            yield Event("content", "\n")
        before = event.channel
        yield event


@read("chat", legal=True)
def arguments_come_by_characters(events: Events, _call: Call) -> Events:
    """In a stream, arguments come one character at a time."""
    for event in events:
        yield from (event._replace(text=one) for one in event.text) if event.channel == "arguments" else [event]


@read("chat", legal=True)
def ids_are_made_by_the_server(events: Events, _call: Call) -> Events:
    """The ids that the model writes are not used."""
    return (event._replace(id="") for event in events)


@read("chat", legal=True)
def all_comes_at_once(events: Events, _call: Call) -> Events:
    """Nothing is sent before the text is complete."""
    yield from list(events)
