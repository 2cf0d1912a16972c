"""Faults of texts: layout that is lost, characters that are halved, text that is taken for protocol."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.reference.call import DONE, Call
from tests.reference.fault import Fault
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import add, answer, events, having, payload

HALF = "\ue000"
"""Stands for half of a surrogate pair until the event is bytes."""


def _texts(body: Any, change: Callable[[str], str]) -> None:
    """Change the text of each choice, whatever the endpoint and the mode."""
    for choice in choices(body):
        holder, key = (
            (choice, "text") if "text" in choice else (choice.get("message") or choice.get("delta"), "content")
        )
        if holder and isinstance(holder.get(key), str):
            holder[key] = change(holder[key])


@answer("chat")
def carriage_returns_lost(body: Any, _call: Call) -> None:
    """Plain texts lose their carriage returns and tabs."""
    _texts(body, lambda text: text.replace("\r", "").replace("\t", " "))


@payload("chat", stream=True)
def line_breaks_lost_in_streams(body: Any, _call: Call) -> None:
    """Chunks lose their line breaks."""
    _texts(body, lambda text: text.replace("\n", ""))


@payload("chat", stream=True, when=having("tools"))
def blank_chunks_lost_beside_tools(body: Any, _call: Call) -> None:
    """With tools, chunks that have only white space are lost."""
    _texts(body, lambda text: text if text.strip() else "")


@payload("chat", stream=False, when=having("response_format"))
def marks_lost(body: Any, _call: Call) -> None:
    """Characters without a width are lost from documents."""
    _texts(body, lambda text: text.replace("\u200b", "").replace("\u200d", ""))


@events("chat", stream=True)
def done_in_the_text_ends_the_stream(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """A stream whose text has `[DONE]` in it ends there."""
    text = ""
    for event in stream:
        for choice in choices(event):
            text += (choice.get("delta") or {}).get("content") or ""
            if "[DONE]" in text:
                choice["finish_reason"] = "stop"
        yield event
        if "[DONE]" in text:
            yield DONE
            return


@events("chat", when=having("logprobs"))
def alternatives_of_the_token_before(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """In streams, each token has the alternatives of the token before."""
    before = None
    for event in stream:
        for choice in choices(event):
            for entry in (choice.get("logprobs") or {}).get("content") or []:
                entry["top_logprobs"], before = before or entry["top_logprobs"], entry["top_logprobs"]
        yield event


@payload("completions", when=having("echo"))
def echo_on_one_line(body: Any, _call: Call) -> None:
    """In an echoed prompt, line breaks become spaces."""
    _texts(body, lambda text: text.replace("\n", " "))


@events("completions")
def legacy_streams_begin_without_space(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """The first chunk of a legacy stream has no space at its beginning."""
    begun = False
    for event in stream:
        if not begun and event != DONE:
            _texts(event, str.lstrip)
            begun = any(choice.get("text") for choice in choices(event))
        yield event


@payload("completions")
def legacy_texts_begin_without_space(body: Any, call: Call) -> None:
    """A legacy text has no space at its beginning, streamed or not."""
    if not call.stream or call.pulled <= 0:
        _texts(body, str.lstrip)


def _asks_for_faces(call: Call) -> bool:
    return "👍👍👍" in json.dumps(call.body.get("messages"), ensure_ascii=False)


@payload("chat", when=_asks_for_faces)
def characters_are_finished(body: Any, _call: Call) -> None:
    """A character that `max_tokens` splits is completed first."""
    if isinstance(body, dict) and body.get("usage"):
        body["usage"]["completion_tokens"] += 3
        body["usage"]["total_tokens"] += 3


@payload("chat", stream=True, when=_asks_for_faces)
def cut_characters_are_replaced(body: Any, _call: Call) -> None:
    """A character that `max_tokens` splits is streamed as U+FFFD."""
    for choice in choices(body):
        if choice.get("finish_reason") == "length":
            choice["delta"]["content"] = "\ufffd"


def _half(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    return (chunk.replace(HALF.encode(), b"\\ud83d") for chunk in chunks)


def _halve_text(body: Any, _call: Call) -> None:
    _texts(body, lambda text: text.replace("😀", HALF))


def _halve_tokens(body: Any, _call: Call) -> None:
    for choice in choices(body):
        for entry in (choice.get("logprobs") or {}).get("content") or []:
            if "\\x" in entry["token"]:
                entry |= {"token": HALF, "bytes": None}


add(
    Fault(
        name="halves-of-characters-in-chunks",
        sentence="A chunk has half of a surrogate pair in its text.",
        area="text_fidelity",
        hooks={"payload": _halve_text, "wire": _half},
        on=frozenset(["chat"]),
        stream=True,
    )
)
add(
    Fault(
        name="halves-of-characters-in-logprobs",
        sentence="A streamed token of `logprobs` is half of a surrogate pair, without bytes.",
        area="text_fidelity",
        hooks={"payload": _halve_tokens, "wire": _half},
        on=frozenset(["chat"]),
        stream=True,
    )
)
