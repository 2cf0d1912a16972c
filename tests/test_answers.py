"""The words that read an answer: right for every legal form, and a verdict where something is missing."""

from __future__ import annotations

import base64
import struct
from dataclasses import replace
from typing import Any

import pytest

from conformance.answers import Answer, Embeddings, Missing, Models, Refused, Response, view
from conformance.outcomes import Blocked, Fail, NotRun, Outcome, TimedOut
from tests.made import answer, chat_body, chunk, refusal, stream, streamed


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
    assert [c.type for c in read.tool_calls] == ["function", "function"]


def test_choices_are_ordered_by_index() -> None:
    read = streamed(chunk({"content": "b"}, index=1), chunk({"content": "a"}))
    assert [c.text for c in read.choices] == ["a", "b"]
    assert read.text == "a"


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
        streamed(7),
        streamed(chunk({"content": "x"}), {"choices": None}),
    ],
)
def test_malformed_answers_fail_instead_of_crashing(broken: object) -> None:
    with pytest.raises(Fail):
        _ = broken.text  # type: ignore[attr-defined]


BARE = "was rejected without an error object"


@pytest.mark.parametrize(
    ("status", "body", "outcome", "how"),
    [
        (400, refusal(), Outcome.REJECTED, "was rejected: 400 no"),
        (499, refusal(), Outcome.REJECTED, "was rejected: 499 no"),
        (501, refusal(), Outcome.REJECTED, "was rejected: 501 no"),
        (400, {"detail": "no"}, Outcome.FAIL, BARE + """: 400 '{"detail": "no"}'"""),
        (400, {"error": "no"}, Outcome.FAIL, BARE + """: 400 '{"error": "no"}'"""),
        (400, {"error": {"message": 7}}, Outcome.FAIL, BARE + """: 400 '{"error": {"message": 7}}'"""),
        (400, b"no", Outcome.FAIL, BARE + ": 400 'no'"),
        (500, b"no", Outcome.FAIL, "failed: 500 'no'"),
        (500, refusal(), Outcome.FAIL, "failed: 500 '{"),
        (502, refusal(), Outcome.FAIL, "failed: 502 '{"),
        (399, refusal(), Outcome.FAIL, "failed: 399 '{"),
        (300, b"", Outcome.FAIL, "failed: 300 ''"),
        (199, b"", Outcome.FAIL, "failed: 199 ''"),
    ],
)
def test_reading_a_refusal_is_rejected_only_if_it_is_clean(status: int, body: Any, outcome: Outcome, how: str) -> None:
    read = answer(body, status=status)
    with pytest.raises(Refused) as refused:
        _ = read.text
    assert refused.value.outcome is outcome
    assert str(refused.value).startswith(f"made {how}")
    assert not read.ok
    assert not read.readable


@pytest.mark.parametrize("body", [{"error": [None]}, {"error": 7}, -1.5, b"", b"\xff"])
def test_an_odd_rejection_of_a_long_request_says_nothing_of_the_context(body: Any) -> None:
    read = answer(body, status=400, sent={"model": "m", "max_tokens": 10_000})
    assert not read.does_not_fit


@pytest.mark.parametrize("status", [200, 201, 299])
def test_any_2xx_is_accepted(status: int) -> None:
    read = answer(chat_body(), status=status)
    assert read.ok
    assert read.readable
    with pytest.raises(Fail, match="was accepted"):
        _ = read.error


def test_no_answer() -> None:
    with pytest.raises(TimedOut):
        _ = answer(b"", status=None, error="timeout").text
    with pytest.raises(Blocked):
        _ = answer(b"", status=None, error="unreachable").text
    with pytest.raises(Fail, match="expected an HTTP response, got a closed connection"):
        _ = answer(b"", status=None, error="closed").text


def test_what_was_not_sent_ends_the_check_however_it_is_read() -> None:
    blocked, not_run = Missing("m", "no vision model", blocked=True), Missing("m", "not recorded", blocked=False)
    with pytest.raises(Blocked, match="no vision model"):
        _ = blocked.text
    with pytest.raises(NotRun):
        _ = not_run[0]
    with pytest.raises(NotRun):
        list(not_run)
    with pytest.raises(NotRun):
        len(not_run)
    with pytest.raises(AttributeError):
        _ = not_run._private


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/models", Models),
        ("/models/org/name", Models),
        ("/responses/resp_1/input_items", Response),
        ("/modelsx", Answer),
        ("/nothing", Answer),
    ],
)
def test_a_path_below_a_known_one_has_its_words(path: str, kind: type[Answer]) -> None:
    assert view(path) is kind


def test_a_body_that_is_no_object_has_nothing_sent() -> None:
    assert answer(chat_body(), sent={"model": "x"}).sent == {"model": "x"}
    bare = answer(chat_body(), sent=b"{")
    assert (bare.sent, bare.streamed, bare.asks_clearly) == ({}, False, True)
    assert [answer(b"", sent={"stream": one}).asks_clearly for one in (True, False, None, "yes")] == [True] * 3 + [
        False
    ]


def test_a_body_that_we_cut_ourselves_is_whole() -> None:
    made = answer(chat_body(), error="closed").exchange
    cut = replace(made, request=replace(made.request, hang_up_after=1))
    assert view("/chat/completions")("cut", cut).text == "Paris"


# Streams


def test_a_stream_in_its_pieces() -> None:
    one, other = chunk({"role": "assistant", "content": "1"}), chunk({"content": "2"}, index=1)
    read = streamed(one, other, {"choices": [], "usage": {"total_tokens": 3}}, chunk({"content": "3"}))
    assert [len(read.chunks), read.data[-1], len(read.arrivals)] == [4, "[DONE]", 5]
    assert read.deltas() == [{"role": "assistant", "content": "1"}, {"content": "3"}]
    assert read.deltas(1) == [{"content": "2"}]
    assert [one["delta"] for one in read.pieces()] == read.deltas()
    assert read.values("object") == ["chat.completion.chunk", None]
    assert read.tokens("total") == 3


def test_a_last_event_without_its_blank_line_is_read() -> None:
    raw = stream(chunk({"content": "x"})).removesuffix(b"\n\n")
    read = answer(raw, sent={"stream": True}, content_type="Text/Event-Stream; charset=utf-8")
    assert (read.text, read.data[1:], len(read.arrivals)) == ("x", ["[DONE]"], 1)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
def test_a_stream_says_that_it_is_one(content_type: str) -> None:
    with pytest.raises(Fail, match="expected text/event-stream"):
        _ = answer(stream(chunk({})), sent={"stream": True}, content_type=content_type).events


def test_an_error_beside_choices_is_a_chunk() -> None:
    with pytest.raises(Fail, match="event 0: expected an object"):
        _ = streamed(7).chunks
    assert streamed({**chunk({"content": "x"}), "error": None}).text == "x"
    with pytest.raises(Fail, match="event 1: expected JSON"):
        _ = answer(b"data: {}\n\ndata: {\n\n", sent={"stream": True}, content_type="text/event-stream").chunks


def test_chunks_that_differ_in_text_alone_are_judged_once() -> None:
    chunks = [chunk({"content": one}) for one in ("a", 'b "c"\\')]
    others = [chunk({"content": ""}), chunk({"reasoning": "a"}), chunk({"content": "a"}, "stop")]
    assert streamed(*chunks, *others).distinct_chunks == [chunks[0], *others]


def test_the_last_usage_of_a_stream_counts() -> None:
    counts: list[Any] = [{"total_tokens": 1}, {"total_tokens": 2}, None]
    assert streamed(*({**chunk({}), "usage": one} for one in counts)).tokens("total") == 2
    for usage in (None, 7, {"total_tokens": 2.5}, {"total_tokens": True}):
        with pytest.raises(Fail, match="usage"):
            answer({**chat_body(), "usage": usage}).tokens("total")
    with pytest.raises(Fail) as failed:
        _ = answer({"choices": []}).choices
    assert failed.value.actual == '{"choices": []}'


def test_pieces_of_calls_are_found_by_the_calls_index() -> None:
    first, second, third = piece(0, "a"), piece(1, "b"), piece(0, arguments="{}")
    read = streamed(chunk({"tool_calls": [first, second]}), chunk({"tool_calls": None}), chunk({"tool_calls": [third]}))
    assert read.call_deltas() == {0: [first, third], 1: [second]}
    assert read.call_deltas(1) == {}


@pytest.mark.parametrize("key", ["reasoning", "reasoning_content"])
def test_thoughts_have_either_name(key: str) -> None:
    assert answer(chat_body("x", **{key: "Hm."})).reasoning == "Hm."
    assert streamed(chunk({key: "H"}), chunk({"content": "x", key: None}), chunk({key: "m."})).reasoning == "Hm."


# What a choice holds


STRICT = {"model": "m", "tools": [{"type": "function", "function": {"name": "f", "strict": True}}]}


@pytest.mark.parametrize("text", ["{", "", "Paris"])
def test_text_and_strict_arguments_that_are_not_json_fail(text: str) -> None:
    with pytest.raises(Fail, match="`content`: expected JSON"):
        _ = answer(chat_body(text)).document
    called = chat_body(tool_calls=[piece(0, "f", text)])
    with pytest.raises(Fail, match="`arguments` of `f`: expected a JSON object"):
        _ = answer(called, sent=STRICT).tool_calls[0].args


def test_json_in_text_and_arguments_is_read() -> None:
    read = answer(chat_body("[1]", tool_calls=[piece(0, "f", '{"a": 1}', id="1", type="function")]))
    assert (read.document, read.calls) == ([1], [("f", {"a": 1})])
    assert (read.tool_calls[0].id, read.tool_calls[0].type) == ("1", "function")
    with pytest.raises(Fail, match="`arguments` of `f`: expected an object"):
        _ = answer(chat_body(tool_calls=[piece(0, "f", "[]")]), sent=STRICT).tool_calls[0].args


def with_logprobs(entries: Any) -> Any:
    body = chat_body()
    body["choices"][0]["logprobs"] = {"content": entries}
    return answer(body)


TOKEN = {"token": "a", "logprob": -0.5, "top_logprobs": [{"token": "b", "logprob": -0.5}]}


def test_logprobs_are_read_entry_by_entry() -> None:
    (entry,) = with_logprobs([TOKEN]).logprobs
    assert (entry["token"], entry["logprob"], entry["top_logprobs"][0]["token"]) == ("a", -0.5, "b")
    two = [{**chunk({"content": "a"})} for _ in range(2)]
    for one in two:
        one["choices"][0]["logprobs"] = {"content": [TOKEN]}
    assert [one["token"] for one in streamed(*two, chunk({})).logprobs] == ["a", "a"]
    assert with_logprobs([]).logprobs == []


@pytest.mark.parametrize("broken", [[7], None, {}, [{}], [{"top_logprobs": [7]}], [{"top_logprobs": []}]])
def test_logprobs_that_lack_something_fail(broken: Any) -> None:
    with pytest.raises(Fail, match=r"logprobs|alternative|top_logprobs"):
        _ = with_logprobs(broken).logprobs[0]["top_logprobs"][0]["zoo"]


# Other endpoints


def completed(*bodies: Any) -> Any:
    """A legacy completion; of several bodies, a stream."""
    choices = [{"choices": [{"index": 0, **one}]} for one in bodies]
    more = {"sent": {"stream": True}, "content_type": "text/event-stream"} if len(bodies) > 1 else {}
    return answer(stream(*choices) if more else choices[0], path="/completions", **more)


def test_legacy_completions_read_the_same_plain_and_streamed() -> None:
    plain = completed({"text": "1, 2", "finish_reason": "stop"})
    pieces = completed({"text": "1,"}, {"text": None}, {"text": " 2", "finish_reason": "stop"}, {"text": ""})
    assert (plain.text, plain.finish_reason) == (pieces.text, pieces.finish_reason) == ("1, 2", "stop")
    with pytest.raises(Fail):
        _ = completed({"text": None}).text


def test_only_the_first_of_the_legacy_logprobs_may_be_null() -> None:
    read = completed({"text": "x", "logprobs": {"one": [None, -1, -0.5], "two": [-1.5, -2], "three": [-1, None]}})
    assert read.legacy("one", float, null_first=True) == [-1, -0.5]
    assert read.legacy("two", float) == [-1.5, -2]
    for key, null_first in (("one", False), ("two", True), ("three", False), ("four", False)):
        with pytest.raises(Fail, match=f"logprobs.{key}"):
            read.legacy(key, float, null_first=null_first)
    assert completed({"text": "x", "logprobs": {"none": []}}).legacy("none", float) == []


def embedded(*vectors: Any, **more: Any) -> Any:
    """Embeddings with these vectors, the last one first."""
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)][::-1]
    return answer({"data": data, "usage": {"prompt_tokens": 3}}, path="/embeddings", **more)


@pytest.mark.parametrize(
    ("sent", "texts"),
    [("a", 1), (["a"], 1), (["a", "b"], 2), ([1, 2, 3], 1), ([[1, 2], [3]], 2)],
)
def test_each_text_has_one_embedding(sent: Any, texts: int) -> None:
    vectors = [[1, 0.5], [2, 0.25], [3, 0.125]]
    read = embedded(*vectors[:texts], sent={"input": sent})
    assert (read.each, read.vector, read.tokens("prompt")) == (vectors[:texts], [1, 0.5], 3)
    with pytest.raises(Fail, match="embeddings, got"):
        _ = embedded(*vectors[: texts + 1], sent={"input": sent}).each
    with pytest.raises(Fail, match="embeddings, got"):
        _ = embedded(*vectors[: texts - 1], sent={"input": sent}).each


@pytest.mark.parametrize("broken", [embedded(), embedded([True]), embedded(["1"]), embedded("AAAA"), embedded(None)])
def test_embeddings_that_are_no_numbers_fail(broken: Embeddings) -> None:
    with pytest.raises(Fail):
        _ = broken.vector


def test_packed_embeddings_are_unpacked() -> None:
    packed = base64.b64encode(struct.pack("<2f", 0.5, -2)).decode()
    assert embedded(packed).decoded == [0.5, -2]
    for broken in (embedded(), embedded([0.5]), embedded(packed[:-4]), embedded(f"{packed} "), embedded("é")):
        with pytest.raises(Fail):
            _ = broken.decoded


def test_models_are_listed() -> None:
    assert answer({"data": [{"id": "a"}, {}]}, path="/models").ids == ["a", None]
    with pytest.raises(Fail, match="data"):
        _ = answer({"data": ["a"]}, path="/models").ids
