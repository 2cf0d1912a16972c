"""The words that read an answer: right for every legal form, and a verdict where something is missing."""

from __future__ import annotations

import pytest

from conformance.answers import Missing, Refused
from conformance.outcomes import Blocked, Fail, NotRun, Outcome, TimedOut
from tests.made import answer, chat_body, chunk, refusal, streamed


def piece(index: int, name: str | None = None, arguments: str = "", **more: str) -> dict[str, object]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function, **more}


def test_plain_and_streamed_read_the_same() -> None:
    plain = answer(chat_body("1, 2", "length"))
    stream = streamed(
        chunk({"role": "assistant", "content": ""}),
        chunk({"content": "1,"}),
        chunk({"content": " 2"}),
        chunk({}, "length"),
        {**chunk({}), "choices": [], "usage": {"completion_tokens": 2}},
    )
    for read in (plain, stream):
        assert (read.text, read.finish_reason, read.tokens("completion")) == ("1, 2", "length", 2)
        assert read.choice.role == "assistant"


def test_streamed_tool_calls_are_put_together_by_index() -> None:
    read = streamed(
        chunk({"tool_calls": [piece(1, "b", "{", id="2", type="function")]}),
        chunk({"tool_calls": [piece(0, "a", '{"x"', id="1", type="function"), piece(1, arguments="}")]}),
        chunk({"tool_calls": [piece(0, arguments=": 1}")]}),
    )
    assert [(c.id, c.name, c.args) for c in read.tool_calls] == [("1", "a", {"x": 1}), ("2", "b", {})]


def test_choices_are_ordered_by_index() -> None:
    read = streamed(chunk({"content": "b"}, index=1), chunk({"content": "a"}))
    assert [c.text for c in read.choices] == ["a", "b"]


@pytest.mark.parametrize(
    "broken",
    [
        answer(b"<html>"),
        answer([]),
        answer({"choices": []}),
        answer({"choices": None}),
        answer({"choices": [{"message": {"content": "x"}}]}),
        answer({"choices": [{"index": True, "message": {"content": "x"}}]}),
        answer({"choices": [{"index": 0, "message": {"content": 7}}]}),
        answer({"choices": [{"index": 0, "message": None}]}),
        answer(chat_body(tool_calls=[{"function": {"name": "f", "arguments": {}}}])),
        answer(chat_body(tool_calls=[{"function": {"arguments": "{}"}}])),
        answer(chat_body(), error="closed", error_detail="peer went away"),
        streamed(chunk({"tool_calls": [{"function": {"arguments": "{}"}}]})),
        streamed({"error": {"message": "out of memory"}}),
        answer(chat_body(), sent={"stream": True}),
        answer(b"data: {oops\n\n", sent={"stream": True}, content_type="text/event-stream"),
    ],
)
def test_malformed_answers_fail_instead_of_crashing(broken: object) -> None:
    with pytest.raises(Fail):
        _ = broken.text  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (400, refusal(), Outcome.REJECTED),
        (501, refusal(), Outcome.REJECTED),
        (400, {"detail": "no"}, Outcome.FAIL),
        (400, {"error": "no"}, Outcome.FAIL),
        (400, b"no", Outcome.FAIL),
        (500, refusal(), Outcome.FAIL),
        (302, b"", Outcome.FAIL),
    ],
)
def test_reading_a_refusal_is_rejected_only_if_it_is_clean(status: int, body: object, outcome: Outcome) -> None:
    with pytest.raises(Refused) as refused:
        _ = answer(body, status=status).text
    assert refused.value.outcome is outcome


def test_no_answer() -> None:
    with pytest.raises(TimedOut):
        _ = answer(b"", status=None, error="timeout").text
    with pytest.raises(Blocked):
        _ = answer(b"", status=None, error="unreachable").text
    with pytest.raises(Fail, match="closed the connection without an answer"):
        _ = answer(b"", status=None, error="closed").text


def test_what_was_not_sent_ends_the_check_however_it_is_read() -> None:
    blocked, not_run = Missing("m", "no vision model", blocked=True), Missing("m", "not recorded", blocked=False)
    with pytest.raises(Blocked, match="no vision model"):
        _ = blocked.text
    with pytest.raises(NotRun):
        _ = not_run[0]
    with pytest.raises(NotRun):
        list(not_run)
