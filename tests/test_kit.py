"""The small words of the kit: what logprobs tell, whether answers moved, what fits, what is markup."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from conformance.answers.recording import Recording
from conformance.kit import (
    Answer,
    Chat,
    Embeddings,
    Fail,
    Models,
    assert_matches_schema,
    assert_unmarked,
    certainty,
    changed_seeded,
    joined,
    markup_in,
    spelled,
    tokens,
)
from conformance.kit.every import Every, Recorded
from conformance.outcomes import Blocked, Inconclusive, Marked, Unreadable
from fixtures import scenario
from tests.made import answer, chat_body, chunk, stream


def sure(*tops: list[float]) -> Chat:
    """An answer with these logprobs for the alternatives of its tokens."""
    body = chat_body()
    body["choices"][0]["logprobs"] = {
        "content": [
            {"token": f"t{at}", "logprob": top[0], "top_logprobs": [{"token": "t", "logprob": p} for p in top]}
            for at, top in enumerate(tops)
        ]
    }
    return answer(body)  # type: ignore[no-any-return]


def texts(*said: str) -> list[Chat]:
    return [answer(chat_body(f"{one}.")) for one in said]


def test_tokens_are_those_of_the_logprobs() -> None:
    assert tokens(sure([-0.1], [-0.2])) == ["t0", "t1"]


@pytest.mark.parametrize("word", [tokens, certainty])
def test_without_logprobs_nothing_can_be_judged(word: Any) -> None:
    with pytest.raises(Inconclusive, match="expected logprobs, got none"):
        word(answer(chat_body()))


def test_the_least_sure_token_counts_in_any_order() -> None:
    assert certainty(sure([-4, -0.5, -9], [-0.25, -1.5, -1.75])) == 1.25
    with pytest.raises(Inconclusive, match="expected at least 2 alternatives"):
        certainty(sure([-0.5, -4], [-0.5]))


@pytest.mark.parametrize(
    ("pieces", "text", "whole"),
    [
        (["Pa", "ris"], "Paris", "Paris"),
        (["Pa", "ris", "</s>"], "Paris", "Paris"),
        (["Pa", "ris", "!"], "Pa", "Paris!"),
        ([b"Pa", b"ris", b""], b"Paris", b"Paris"),
        ([], "", ""),
    ],
)
def test_only_an_entry_for_the_end_may_be_too_many(pieces: Any, text: Any, whole: Any) -> None:
    assert joined(pieces, text) == whole


@pytest.mark.parametrize(
    ("told", "text", "spells"),
    [
        (["Pa", "ris"], "Paris", "Paris"),
        (["bytes:\\xc8", "bytes:\\x9d"], "ȝ", "ȝ"),
        (["a", "bytes: \\xf0\\x9f", "bytes:\\xa6\\x8a"], "a 🦊", "a 🦊"),
        ([{"token": "\\xc8", "bytes": [200]}, {"token": "\\x9d", "bytes": [157]}], "ȝ", "ȝ"),
        ([{"token": "\ufffd", "bytes": [200]}, {"token": "\ufffd", "bytes": [157]}], "ȝ", "ȝ"),
        ([{"token": "a", "bytes": [98]}], "a", "a"),  # Other checks judge `bytes`.
        ([{"token": "a", "bytes": None}, {"token": "\\xc8", "bytes": [200]}], "a\ufffd", "a"),
        ([{"token": "a", "bytes": [97]}, {"token": "</s>", "bytes": [60]}], "a", "a"),
        ([{"token": "b", "bytes": [98]}], "a", "b"),
    ],
)
def test_parts_of_a_character_are_put_together(told: Any, text: str, spells: str) -> None:
    assert spelled(told, text) == spells


@pytest.mark.parametrize(
    ("arguments", "strict", "ends"),
    [
        ('{"a": 1}', False, None),
        ("{'a': 1}", False, Unreadable),
        ("null", False, Unreadable),
        ("", False, Fail),  # No model writes nothing for `{}`.
        ('{"a": 1', True, Fail),
        ("[1]", True, Fail),
    ],
)
def test_only_a_strict_function_must_have_arguments_that_are_json(arguments: str, strict: bool, ends: Any) -> None:
    function = {"name": "f", "arguments": arguments}
    sent = {"tools": [{"type": "function", "function": {"name": "f", "strict": strict}}]}
    call = answer(chat_body(None, tool_calls=[{"id": "1", "type": "function", "function": function}]), sent=sent)
    if ends is None:
        assert call.tool_calls[0].args == {"a": 1}
    else:
        with pytest.raises(Fail) as raised:
            call.tool_calls[0].args  # noqa: B018
        assert raised.type is ends
        assert call.calls == [("f", arguments)]


@pytest.mark.parametrize(
    ("again", "after", "says"),
    [
        ("ab", "ab", False),
        ("ab", "ac", True),
        ("ab", "aa", True),
        ("ax", "ac", False),  # what does not come again by itself shows nothing
        ("aa", "ac", False),
        ("ax", "ca", True),
    ],
)
def test_only_answers_that_come_again_can_move(again: str, after: str, says: bool) -> None:
    assert changed_seeded(texts(*"ab"), texts(*again), texts(*after)) is says


def test_answers_that_do_not_come_again_show_nothing() -> None:
    with pytest.raises(Inconclusive, match="same `seed`"):
        changed_seeded(texts(*"abc"), texts(*"axy"), texts(*"dbc"))
    with pytest.raises(ValueError, match="shorter"):
        changed_seeded(texts(*"ab"), texts(*"ab"), texts("c"))


PERSON = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["name", "age", "born"]}


@pytest.mark.parametrize(
    ("value", "schema", "message"),
    [
        ({"name": "A", "born": 1}, PERSON, r"`age` is required, got nothing$"),
        ({}, PERSON, r"`name` is required, got nothing \(and 2 more\)$"),
        ({"name": "A"}, PERSON, r"`age` is required, got nothing \(and 1 more\)$"),
        ([], PERSON, r"`\$` must be an object, got \[\]$"),
        ([], "chat.completion", r"`\$` must be an object"),
    ],
)
def test_what_does_not_fit_fails_with_its_first_problem(value: object, schema: Any, message: str) -> None:
    with pytest.raises(Fail, match=message) as failed:
        assert_matches_schema(value, schema)
    assert failed.value.actual == ("[]" if value == [] else "nothing")


def test_what_fits_passes() -> None:
    assert_matches_schema({"name": "A", "age": 1, "born": 1}, PERSON)
    assert_matches_schema(chat_body(), "chat.completion")


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("<think>\nHm.</think>Paris", ["<think>", "</think>"]),
        ('<tool_call name="f">{}</tool_call>', ['<tool_call name="f">', "</tool_call>"]),
        ("<function=f>{}", ["<function=f>"]),
        ("<|tool_call|><｜tool▁calls▁begin｜>", ["<|tool_call|>", "<｜tool▁calls▁begin｜>"]),
        ("[TOOL_CALLS][/TOOL_RESULTS]", ["[TOOL_CALLS]", "[/TOOL_RESULTS]"]),
        ("<|im_end|>\n<|im_start|>user<|eot_id|>", []),  # turns, as a model writes them that has no tokens for them
        ("1 < 2, a <b>thinking</b> <thinker>, [tool_calls], a <|> b", []),
    ],
)
def test_marks_are_found_and_prose_is_left_alone(text: str, marks: list[str]) -> None:
    assert markup_in(text) == marks


@pytest.mark.parametrize(
    ("text", "reasoning", "ends"),
    [
        ("Paris", "", None),
        ("<think>Hm.</think>Paris", "", Marked),
        ("<think>Hm.</think>Paris", "Well.", None),  # The server took reasoning out, and the model wrote this as well.
        ("</think>Paris", "Hm.", Marked),  # The server left the mark that ends the reasoning.
        ("<tool_call>{}", "Hm.", Fail),
    ],
)
def test_marks_of_reasoning_may_be_text(text: str, reasoning: str, ends: Any) -> None:
    said = answer(chat_body(text, reasoning_content=reasoning))
    if ends is None:
        assert_unmarked(said, "marks")
    else:
        with pytest.raises(ends):
            assert_unmarked(said, "marks")


# All exchanges of a run

COLD = {"model": "m", "temperature": 0}


def plain(name: str = "plain", **more: Any) -> Any:
    return answer(chat_body(), **{"name": name, "sent": COLD, **more})


def twin(name: str = "twin", **more: Any) -> Any:
    """A stream; `sent` is what its request has besides `stream`."""
    sent = {**more.pop("sent", COLD), "stream": True}
    raw = more.pop("raw", stream(chunk({"content": "Paris"}, "stop")))
    return answer(raw, name=name, content_type="text/event-stream", sent=sent, **more)


def named(answers: Iterable[Answer]) -> list[str]:
    return [one.name for one in answers]


@pytest.mark.parametrize(
    "broken",
    [{"status": None, "error": "timeout"}, {"error": "closed"}, {"status": 400}, {"status": 302}],
)
def test_only_whole_2xx_answers_are_accepted(broken: dict[str, Any]) -> None:
    every = Every([plain("a"), plain("b", **broken), plain("c")])
    assert named(every.accepted(Chat)) == ["a", "c"]
    assert named(every.accepted(Chat, malformed=True)) == ["a", "c"]


@pytest.mark.parametrize("left", [{"hang_up_after": 1}, {"hang_up_in": 0.1}])
def test_responses_whose_client_left_are_not_judged(left: dict[str, Any]) -> None:
    gone = plain("gone")
    begun = replace(gone.exchange, request=replace(gone.exchange.request, **left), body=b"")
    every = Every([plain(), Chat("gone", begun)])
    assert named(every.accepted(Chat, malformed=True)) == ["plain"]


def test_unreadable_answers_are_judged_only_where_shapes_are() -> None:
    every = Every([answer({"choices": []}, name="unreadable"), plain()])
    assert named(every.accepted(Chat)) == ["plain"]
    assert named(every.accepted(Chat, malformed=True)) == ["unreadable", "plain"]


def test_answers_that_we_hung_up_on_or_asked_for_unclearly_are_left_out() -> None:
    left = plain().exchange
    hung_up = Chat("hung up", replace(left, request=replace(left.request, hang_up_after=1)))
    unclear = plain("unclear", sent={**COLD, "stream": "yes"})
    assert named(Every([hung_up, unclear, plain()]).accepted(Chat)) == ["plain"]


def test_answers_are_chosen_by_kind_and_form() -> None:
    every = Every([plain(), twin(), answer({"data": []}, name="vectors", path="/embeddings")])
    assert named(every.accepted(Chat)) == ["plain", "twin"]
    assert named(every.accepted(Chat, streamed=True)) == ["twin"]
    assert named(every.accepted(Answer, streamed=False)) == ["plain", "vectors"]
    with pytest.raises(Blocked, match="expected a recorded accepted streamed Embeddings exchange"):
        list(every.accepted(Embeddings, streamed=True))
    with pytest.raises(Blocked, match="expected a recorded accepted Models exchange"):
        list(every.accepted(Models))
    with pytest.raises(Blocked, match="expected a recorded Models exchange"):
        list(every.of(Models))


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_answers_that_have_no_body_by_their_method_are_left_out(method: str) -> None:
    made = plain().exchange
    bare = Chat("bare", replace(made, request=replace(made.request, method=method)))
    assert named(Every([bare, plain()]).of(Chat)) == ["plain"]


def test_refusals_are_whole_4xx_and_5xx() -> None:
    ends = [(399, None), (400, None), (500, None), (400, "closed"), (None, "timeout"), (None, None)]
    every = Every([plain(f"{status} {error}", status=status, error=error) for status, error in ends])
    assert named(every.rejected()) == ["400 None", "500 None"]
    with pytest.raises(Blocked, match="expected a recorded rejected exchange"):
        next(Every([]).rejected())


HOT, COLDER = {**COLD, "temperature": 1}, {**COLD, "temperature": -1}
OPTIONS = {**COLD, "stream_options": {"include_usage": True}}


@pytest.mark.parametrize(
    "others",
    [
        [plain(sent=HOT), twin(sent=HOT)],
        [plain(sent=COLDER), twin(sent=COLDER)],
        [twin(sent={**COLD, "n": 2})],  # not asked plainly
        [twin(error="closed")],
        [twin(raw=stream(chunk({"content": "x"}), {"choices": None}))],
        [twin(status=400)],
        [plain(error="closed")],
        [plain(sent=OPTIONS)],
        [answer({"data": []}, path="/embeddings", sent=COLD)],
    ],
)
def test_pairs_differ_in_nothing_but_the_stream(others: list[Any]) -> None:
    pairs = Every([twin("one"), plain(), twin("two", sent=OPTIONS), *others]).pairs(Chat)
    assert [named(pair) for pair in pairs] == [["plain", "one"], ["plain", "two"]]


def test_pairs_are_readable_both_unless_refusals_count_too() -> None:
    every = Every([plain(status=400), twin(), twin("cut", error="closed")])
    with pytest.raises(Blocked, match="expected a recorded plain and streamed Chat exchange"):
        next(every.pairs(Chat))
    assert [named(pair) for pair in every.pairs(Chat, accepted=False)] == [["plain", "twin"]]
    both = Every([plain(), twin("one"), twin("two", sent=OPTIONS)])
    chosen = both.pairs(Chat, lambda answer: "stream_options" in answer.sent, accepted=False)
    assert [named(pair) for pair in chosen] == [["plain", "two"]]


class Sent:
    """A source with one exchange of each scenario, but of those that were not sent."""

    def recording(self, name: str) -> Recording:
        sent = [] if name == "capital" else [plain().exchange.to_json()] * 2
        return Recording(exchanges=sent, single=name == "count", unsent="no model")


def test_what_was_not_sent_and_what_shared_a_connection_is_left_out() -> None:
    scenario.load()
    every = Every.of_recorded(Recorded(Sent(), ["capital", "capital_after_stream", "count", "count_streamed"]))
    assert named(every.of(Chat)) == ["count", "count_streamed[1]", "count_streamed[2]"]
