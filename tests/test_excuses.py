"""What a model did is told apart from what the server did."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.answers import Answer, view
from conformance.run.excuses import excuse, no_end
from fixtures.requests import chat
from tests.made import chat_body, exchange


def made(
    content: str | None, *, finish: str = "stop", tokens: int | None = 1, limit: int | None = None, **more: Any
) -> Answer:
    """A response whose request leaves room for 48 tokens, or sets this limit."""
    body = chat_body(content, **more)
    body["choices"][0]["finish_reason"] = finish
    body.pop("usage", None)
    if tokens is not None:
        body["usage"] = {"prompt_tokens": 3, "completion_tokens": tokens, "total_tokens": 3 + tokens}
    request = chat("Hello") if limit is None else chat("Hello", max_tokens=limit)
    return view(request.path)("capital", replace(exchange(body), request=request.with_model("m")), False)


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
    ],
)
def test_what_a_model_did_explains_an_outcome(answer: Answer, why: str | None) -> None:
    found = excuse([answer])
    assert found is None if why is None else why in (found or "")


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
