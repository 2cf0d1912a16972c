"""Any JSON value in any field of an answer ends a check with a verdict, never with another exception."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.answers import Answer, Chat
from conformance.kit.certainty import certainty, tokens
from conformance.kit.refusals import expect_rejection
from conformance.outcomes import Verdict
from conformance.sdk.reading import reading
from tests.made import answer, chat_body, chunk, refusal, stream
from tests.test_response_answers import EVENTS, WHOLE

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
LOGPROBS = {"content": [{"token": "a", "logprob": -0.5, "top_logprobs": [{"token": t, "logprob": -1} for t in "ab"]}]}
LEGACY = {"index": 0, "text": "[1]", "finish_reason": "stop", "logprobs": {"tokens": ["a"]}}
PACKED = base64.b64encode(struct.pack("<f", 0.5)).decode()
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}


def chat() -> dict[str, Any]:
    body = chat_body("[1]", reasoning="Hm.", reasoning_content="Hm.", tool_calls=[CALL])
    body["choices"][0]["logprobs"] = LOGPROBS
    return body


CHUNKS = [
    chunk({"role": "assistant", "content": "[1]", "reasoning": "Hm.", "reasoning_content": "Hm."}),
    chunk({"tool_calls": [CALL]}),
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "logprobs": LOGPROBS}], "usage": USAGE},
]
ANSWERS: list[tuple[str, int, Any]] = [
    ("/chat/completions", 200, chat()),
    ("/chat/completions", 200, CHUNKS),
    ("/chat/completions", 400, refusal()),
    ("/completions", 200, {"choices": [LEGACY], "usage": USAGE}),
    ("/completions", 200, [{"choices": [LEGACY]}, {"choices": [], "usage": USAGE}]),
    ("/embeddings", 200, {"data": [{"index": 0, "embedding": [0.5, 1]}], "usage": USAGE}),
    ("/embeddings", 200, {"data": [{"index": 0, "embedding": PACKED}], "usage": USAGE}),
    ("/models", 200, {"data": [{"id": "m"}]}),
    ("/responses", 200, WHOLE),
    ("/responses", 200, EVENTS),
    ("/nothing", 400, refusal()),
]
"""Path, status and body; a list is a stream."""

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "held": ("response.output_item.added", "item"),
    "item_of": ({},),
    "items": ("message",),
    "joined": ("response.output_text.delta",),
    "legacy": ("tokens", str),
    "tokens": ("total",),
    "typed": ("response.completed",),
    "values": ("usage",),
}
"""Of words that are no properties and need some."""

any_json: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=3,
)
odd: st.SearchStrategy[Any] = (
    st.sampled_from(["missing", None, True, 5, 0.5, "x", "{", [], {}, [5], ["x"], [{}], {"x": 5}, [None]]) | any_json
)


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The keys that lead to each value in a JSON value."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (key,)
        if isinstance(inner, dict | list):
            yield from ((key, *rest) for rest in places(inner))


def changed(value: Any, place: tuple[Any, ...], new: Any) -> Any:
    """The same with another value in a place, or without it."""
    value = deepcopy(value)
    inside = value
    for key in place[:-1]:
        inside = inside[key]
    if new == "missing":
        del inside[place[-1]]
    else:
        inside[place[-1]] = new
    return value


def received(path: str, status: int, body: Any) -> Answer:
    if isinstance(body, list):
        return answer(  # type: ignore[no-any-return]
            stream(*body), path=path, status=status, sent={"stream": True}, content_type="text/event-stream"
        )
    return answer(body, path=path, status=status)  # type: ignore[no-any-return]


def read_everything(read: Answer) -> None:
    """Use every word on an answer."""
    for word in (name for name in dir(type(read)) if not name.startswith("_") and name != "arrivals"):
        ends(opened, read, word)
    for kit_word in (expect_rejection, reading, *((certainty, tokens) if isinstance(read, Chat) else ())):
        ends(kit_word, read)


def opened(read: Answer, word: str) -> None:
    found = getattr(read, word)
    if callable(found):
        found = found(*ARGUMENTS.get(word, ()))
    for one in found if isinstance(found, list) else [found]:
        for inner in ("document", "asks"):
            ends(getattr, one, inner, None)


def ends(read: Callable[..., Any], *arguments: Any) -> None:
    """Read; a verdict is an end, and any other exception fails the test."""
    with suppress(Verdict):
        read(*arguments)


@pytest.mark.parametrize("at", range(len(ANSWERS)), ids=[f"{p[1:]}-{i}" for i, (p, _, _) in enumerate(ANSWERS)])
def test_any_value_in_any_field_ends_in_a_verdict_or_a_value(at: int) -> None:
    path, status, body = ANSWERS[at]
    fields = list(places(body))
    assert received(path, status, body).readable is (status == 200)

    @settings(max_examples=40)
    @given(st.sampled_from(fields), odd)
    def holds(place: tuple[Any, ...], new: Any) -> None:
        read_everything(received(path, status, changed(body, place, new)))

    holds()


@pytest.mark.parametrize("depth", [*range(900, 1000, 5), 100_000])
def test_json_too_deep_to_read_ends_in_a_verdict(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    read_everything(answer(deep))
    read_everything(answer(b"data: %b\n\n" % deep, sent={"stream": True}, content_type="text/event-stream"))
