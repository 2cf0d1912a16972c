"""What a model did is told apart from what the server did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.answers import Answer, view
from conformance.answers.recording import Recording
from conformance.outcomes import Fail, Marked, Unreadable
from conformance.run.excuses import excuse, frame, no_end, of_the_model, refused_for
from fixtures import scenario
from fixtures.requests import chat
from fixtures.tools import WEATHER
from tests.made import chat_body, exchange

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": '{"location": "To'}}


def made(
    content: str | None, *, finish: str = "stop", tokens: int | None = 1, limit: int | None = None, **more: Any
) -> Answer:
    """A response whose request leaves room for 48 tokens, or sets this limit."""
    body = chat_body(content, **more)
    body["choices"][0]["finish_reason"] = finish
    body.pop("usage", None)
    if tokens is not None:
        body["usage"] = {"prompt_tokens": 3, "completion_tokens": tokens, "total_tokens": 3 + tokens}
    asked = {"tools": [WEATHER]} if content and content.startswith("<tool_call>") else {}
    request = chat("Hello", **asked) if limit is None else chat("Hello", max_tokens=limit)
    return view(request.path)("capital", replace(exchange(body), request=request.with_model("m")), False)


def test_a_call_that_a_stop_string_truncates_is_the_servers() -> None:
    cut = made('<tool_call>{"name": "f", "arguments": {"a": "', tokens=20)
    stopped = replace(cut.exchange, request=replace(cut.exchange.request, body={**cut.sent, "stop": "Tokyo"}))
    assert "cannot be read" in (excuse([cut]) or "")
    assert excuse([view("/chat/completions")("capital", stopped, False)]) is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (made("Paris", tokens=2), None),
        (made(None, refusal="I must not."), "the model refused"),
        (made("", tokens=0), "wrote nothing"),
        (made("", tokens=1), "wrote nothing"),
        (made("", tokens=29), None),  # The server lost the text.
        (made("", tokens=48, finish="length", reasoning_content="hm"), "did not reach its answer"),
        (made("a b c", tokens=48, finish="length"), None),  # There is a text to judge.
        (
            made("", tokens=5, finish="length", reasoning_content="hm"),
            None,
        ),  # The limit was not reached, whatever finish_reason says.
        (made("", tokens=None, finish="length", reasoning_content="a" * 60), "did not reach its answer"),
        (made("", tokens=None, finish="length", reasoning_content="hm"), None),
        (made("", tokens=4, finish="length", limit=4, reasoning_content="hm"), None),  # This limit is what is judged.
        (made("<tool_call>\n{'name': 'f', 'arguments': {}}\n</tool_call>", tokens=20), "cannot be read"),
        (made('<tool_call>{"name": "f", "arguments": ["Tokyo"]}</tool_call>', tokens=20), "cannot be read"),
        (made('<tool_call>{"name": "f", "arguments": {}}</tool_call>', tokens=20), None),  # The server did not read it.
        (made('<tool_call>{"name": "f", "argum', tokens=48, finish="length"), None),  # A truncated call is no text.
        (made("The first <tool_call> of all", tokens=20), None),
        (made(None, tokens=48, finish="length", tool_calls=[CALL]), "did not end within"),
        (made(None, tokens=12, finish="length", tool_calls=[CALL]), None),
    ],
)
def test_what_a_model_did_explains_an_outcome(answer: Answer, why: str | None) -> None:
    found = excuse([answer])
    assert found is None if why is None else why in (found or "")


class Controls:
    """A target whose responses to a short and a long question have these texts and numbers of tokens."""

    def __init__(self, short: tuple[str, int], long: tuple[str, int]) -> None:
        scenario.load()
        self._made = {"capital": short, "count": long}

    def recording(self, name: str) -> Recording:
        text, tokens = self._made[name]
        return Recording(exchanges=[made(text, tokens=tokens).exchange.to_json()], single=True)


@pytest.mark.parametrize(
    ("short", "long", "tokens"),
    [
        (("Paris", 1), ("1, 2, 3", 8), 1),
        (("Paris", 5), ("1, 2, 3", 12), 4),  # Four tokens stand around it.
        (("The capital of France is Paris, as you know.", 30), ("1, 2, 3", 12), 8),
        (("", 4), ("", 4), 4),
        (("", 4), ("", 19), 1),  # The server lost both texts.
        (("", 4), ("1, 2, 3", 12), 1),
        (("", 200), ("", 200), 8),
    ],
)
def test_a_notation_may_have_tokens_around_nothing(short: Any, long: Any, tokens: int) -> None:
    assert frame(Controls(short, long)) == tokens


def test_a_model_may_begin_all_texts_as_reasoning() -> None:
    assert of_the_model(Marked(""), Controls(("<think>Paris", 9), ("<think>1", 9)))
    assert not of_the_model(Marked(""), Controls(("Paris", 9), ("<think>1", 9)))
    assert not of_the_model(Fail(""), Controls(("<think>Paris", 9), ("<think>1", 9)))


class StrictCalls:
    """A target whose strict functions are called with these arguments, or not at all."""

    def __init__(self, arguments: str | None, finish: str = "tool_calls") -> None:
        scenario.load()
        called = [] if arguments is None else [CALL | {"function": {"name": "f", "arguments": arguments}}]
        self._body = chat_body("Hm." if arguments is None else None, finish, tool_calls=called)

    def recording(self, name: str) -> Recording:
        if name != "weather_strict":
            return Recording(unsent="not sent")
        return Recording(exchanges=[exchange(self._body).to_json()], single=False)


@pytest.mark.parametrize(
    ("strict", "is_of_the_model"),
    [
        (StrictCalls('{"a": 1}'), True),
        (StrictCalls(None), True),
        (StrictCalls('{"a": 1'), False),  # The server broke what it must enforce.
        (StrictCalls(""), False),
        (StrictCalls("[1]"), False),
        (StrictCalls('{"a": 1', "length"), True),
    ],
)
def test_arguments_are_the_models_unless_those_of_strict_functions_break_too(
    strict: StrictCalls, is_of_the_model: bool
) -> None:
    assert bool(of_the_model(Unreadable(""), strict)) == is_of_the_model


def late(**asked: Any) -> Answer:
    """A response that is not complete in time."""
    request = replace(chat("Hello"), body={"model": "m", "messages": [], **asked})
    return view(request.path)("late", replace(exchange(""), request=request, error="timeout", status=None), False)


def test_a_model_without_end_explains_a_timeout_of_a_request_without_limit() -> None:
    endless, ending = made("a b", finish="length"), made("a b")
    assert "sets no limit" in (no_end(late(), endless) or "")
    assert "sets no limit" in (no_end(late(max_tokens=None), endless) or "")
    assert no_end(late(max_tokens=9), endless) is None
    assert no_end(late(), ending) is None
    assert no_end(late(), None) is None


def test_one_response_among_others_is_enough() -> None:
    assert excuse([made("Paris", tokens=2), made(None, refusal="No.")])
    assert excuse([]) is None


def rejected(error: dict[str, Any], **asked: Any) -> Answer:
    request = chat("Hello", **asked).with_model("m")
    return view(request.path)("r", replace(exchange({"error": error}, status=400), request=request), False)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (rejected({"message": "No.", "param": "temperature"}), "temperature"),
        (rejected({"message": "'temperature' does not support 0 with this model."}), "temperature"),
        (rejected({"message": "Use max_completion_tokens, not max_tokens.", "param": "max_tokens"}), "max_tokens"),
        (rejected({"message": "No max_tokens."}, max_tokens=4), None),  # This limit is what is judged.
        (rejected({"message": "No temperature."}, temperature=2), None),
        (rejected({"message": "No tools.", "param": "tools"}, tools=[WEATHER]), "tools"),
        (rejected({"message": "Cannot use tools with stream."}, tools=[WEATHER], stream=True), None),
        (rejected({"message": "No.", "param": "messages"}), None),
    ],
)
def test_a_rejection_may_be_about_another_parameter(answer: Answer, name: str | None) -> None:
    assert refused_for(answer) == name
