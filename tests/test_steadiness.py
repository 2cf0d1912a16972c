"""Texts that begin alike accuse no target whose own repeats do no more; anything else is judged as ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from conformance.answers import Chat
from conformance.answers.recording import Recording
from conformance.kit.steadiness import (
    assert_mostly_same,
    assert_same_calls,
    assert_same_text,
    beginning,
    reproduced,
    reproduced_at_most,
    says,
    unsteady,
)
from conformance.outcomes import Fail, Inconclusive, Outcome, ignored_unless
from conformance.outcomes.notes import Drift, tolerant
from conformance.run.judge import Judge
from fixtures import scenario
from tests.made import answer, chat_body, exchange, refusal
from tests.test_judging import CHECK


def said(*texts: str) -> list[Chat]:
    return [answer(chat_body(text)) for text in texts]


class Source:
    """A target that answers the controls so."""

    def __init__(self, greedy: list[str], seeds: list[str] | None, counts: tuple[str, str] = ("1, 2", "1, 2")) -> None:
        scenario.load()
        alone, together = counts
        self._answers = {
            "greedy": greedy,
            "counts_alone": ["7", alone],
            "counts_together": ["7", together],
            "seeds_together": seeds,
        }

    def recording(self, name: str) -> Recording:
        texts = self._answers.get(name)
        if texts is None:
            return Recording(unsent="the recording has no exchange of this name")
        made = [exchange(chat_body(t)) if t else exchange(refusal(), status=400) for t in texts]
        return Recording(exchanges=[one.to_json() for one in made], single=False)


EVEN = ["a red house", "a red house", "the blue sea", "the blue sea"]
STEADY = Source(["one way", "one way"], EVEN)
LATE = Source(["one way", "one way"], ["a red house", "a red horse", *EVEN[2:]])
EARLY = Source(["one way", "another"], EVEN)
LATELY = Drift(("seeds_together",), early=False)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("abc", "abd", "ab"),
        ("abc", "ab", "ab"),
        ("ab", "abc", "ab"),
        ("abc", "abc", "abc"),
        ("", "a", ""),
        ("x", "y", ""),
    ],
)
def test_what_two_texts_begin_with(one: str, other: str, both: str) -> None:
    assert beginning(one, other) == both


def test_an_answer_comes_again_if_its_text_does() -> None:
    drawn = said("a red house", "a blue sea", "the sun")
    assert reproduced(drawn, said("a red horse", "a blue sea", "the sun"), drawn) == 2


def test_tolerantly_it_may_part_later_than_different_draws() -> None:
    drawn = said("a red house", "a blue sea", "the sun")  # at most "a " is alike
    with tolerant(LATELY):
        assert reproduced(drawn, said("a red horse", "a blue sky", "the sun"), drawn) == 3
        assert reproduced(drawn, said("a green tree", "the sea", "the sun"), drawn) == 1
        assert reproduced(drawn, said("a b", "a r", "t"), drawn, said("no", "yes")) == 0
        assert reproduced(said("abcde"), said("abcdf"), said("abcd-", "abcd+")) == 0  # as alike as others are
        assert reproduced(said("abc"), said("abd"), said("x", "y")) == 0  # too little to count


def test_one_of_the_tries_stands_for_all() -> None:
    tries = said("odd one", "a red house", "a red horse", "a red house")
    assert reproduced_at_most(tries, tries, said("a", "the")) == 2
    with tolerant(LATELY):
        assert reproduced_at_most(tries, tries, said("a", "the")) == 3
    assert reproduced_at_most(said("u"), tries, said("a", "b")) == 0


def test_the_same_text_passes_and_another_fails() -> None:
    assert_same_text("Paris", "Paris")
    with pytest.raises(Fail, match='expected "is" after "Par", got "ma"') as failed:
        assert_same_text("Parma", "Paris")
    assert (failed.value.actual, failed.value.expected) == ("Parma", "Paris")


def test_one_answer_of_a_list_may_differ_and_the_worst_of_two_decides() -> None:
    assert_mostly_same(said("one way", "b", "c"), said("one path", "b", "c"))
    with pytest.raises(Fail, match="at the beginning"):
        assert_mostly_same(said("one way", "b", "c"), said("one path", "x", "c"))
    with tolerant(LATELY), pytest.raises(Fail, match="at the beginning"):
        assert_mostly_same(said("one way", "b", "c"), said("one path", "x", "c"))
    with tolerant(LATELY), pytest.raises(Inconclusive, match='after "a re"'):
        assert_mostly_same(said("a real one", "a red one"), said("a real two", "a reed"))


@pytest.mark.parametrize(
    ("source", "shows"),
    [
        (STEADY, None),
        (LATE, LATELY),
        (Source(["one way", *["one path"], *["one way"] * 8], EVEN), Drift(("greedy",), early=True)),
        (Source(["one way", "one path", "one road"], EVEN), Drift(("greedy",), early=True)),
        (EARLY, Drift(("greedy",), early=True)),
        (Source(["one way"], ["a red house", "a blue sea", "the sun", "no sun"]), None),  # seeds without effect
        (Source(["one way"], ["a red house", "a red sea", "a red sun", "a red sun"]), None),  # as alike as others are
        (Source(["one way"], EVEN, ("1, 2, 3", "1, 2, 4")), Drift(("counts_alone", "counts_together"), early=False)),
        (Source(["one way"], EVEN, ("1, 2, 3", "1, 2")), None),  # ended early
        (Source(["one way"], EVEN, ("1, 2", "3, 4")), None),
        (Source(["one way"], None), None),
        (Source(["one way", ""], EVEN), None),
    ],
)
def test_a_target_is_unsteady_if_identical_requests_get_different_responses(source: Any, shows: Drift | None) -> None:
    assert unsteady(source) == shows


def test_calls_are_compared_whole() -> None:
    tokyo, japan = (
        answer(chat_body(None, tool_calls=[call(place)])) for place in ('{"a": "Tokyo"}', '{"a": "Tokyo, Japan"}')
    )
    again = answer(chat_body(None, tool_calls=[call('{ "a":"Tokyo" }')]))
    assert_same_calls(again, tokyo)
    with pytest.raises(Fail, match="expected the tool calls of"):
        assert_same_calls(japan, tokyo)
    with tolerant(LATELY), pytest.raises(Inconclusive, match="expected the tool calls of"):
        assert_same_calls(japan, tokyo)


def call(arguments: str) -> dict[str, Any]:
    return {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}


def test_two_empty_texts_show_nothing() -> None:
    with pytest.raises(Inconclusive, match="two empty strings"):
        assert_same_text("", "")


def repeats(subject: Chat) -> None:
    """It is so."""
    assert_same_text(subject.text, "Paris is the capital")


def varies(subject: Chat) -> None:
    """It is so."""
    ignored_unless(reproduced([subject], said("Paris is the capital"), said("a", "b")), "nothing came again")


def is_short(subject: Chat) -> None:
    """It is so."""
    assert len(subject.text) < 5


@pytest.mark.parametrize(
    ("check", "text", "source", "outcome"),
    [
        (repeats, "Paris is the capital", STEADY, Outcome.PASS),
        (repeats, "Paris is a city", STEADY, Outcome.FAIL),
        (repeats, "Paris is a city", LATE, Outcome.INCONCLUSIVE),
        (repeats, "London", LATE, Outcome.FAIL),
        (repeats, "London", EARLY, Outcome.INCONCLUSIVE),
        (repeats, "Par", LATE, Outcome.FAIL),  # too little to say that it began alike
        (repeats, "Paris is a city", None, Outcome.FAIL),
        (varies, "Paris is a city", STEADY, Outcome.IGNORED),
        (varies, "Paris is a city", LATE, Outcome.PASS),
        (varies, "London", LATE, Outcome.IGNORED),
        (is_short, "Paris is a city", LATE, Outcome.FAIL),
    ],
)
def test_only_an_unsteady_target_is_judged_tolerantly(check: Any, text: str, source: Any, outcome: Outcome) -> None:
    judge, arguments, problem = Judge(), {"subject": said(text)[0]}, None
    try:
        check(**arguments)
    except Exception as raised:
        problem = raised
    declared = replace(CHECK, function=check)
    result = judge.result(declared, target="t", problem=problem, arguments=arguments, duration=0, source=source)
    assert result.outcome is outcome
    anew = source is LATE and check is not is_short
    assert ("seeds_together" in result.controls) is anew
    assert outcome is not Outcome.INCONCLUSIVE or "identical requests also get different responses" in result.message


def uses_fewer_tokens(subject: Chat, control: Chat) -> None:
    """Compares what was generated without a word of `conformance/kit/steadiness.py`."""
    assert subject.tokens("completion") < control.tokens("completion"), "expected fewer tokens"


def is_never_long(subject: Chat, control: Chat) -> None:
    """Reads one response only."""
    assert control.status == 200, "expected 200"
    assert len(subject.text) < 3, "expected a short text"


@pytest.mark.parametrize(
    ("check", "source", "outcome"),
    [
        (uses_fewer_tokens, STEADY, Outcome.FAIL),
        (uses_fewer_tokens, LATE, Outcome.FAIL),
        (uses_fewer_tokens, EARLY, Outcome.INCONCLUSIVE),
        (is_never_long, EARLY, Outcome.FAIL),
    ],
)
def test_what_several_responses_have_may_be_by_chance(check: Any, source: Any, outcome: Outcome) -> None:
    judge = Judge()
    arguments = {name: answer(chat_body("Paris"), name=name) for name in ("subject", "control")}
    with pytest.raises(AssertionError) as problem:
        check(**arguments)
    made = replace(CHECK, scenarios=tuple(arguments), function=check)
    found = judge.result(made, target="t", problem=problem.value, arguments=arguments, duration=0, source=source)
    assert found.outcome is outcome


def test_words_that_are_missing_may_be_by_chance() -> None:
    rome = said("Rome")[0]
    assert says(rome, "Rome")
    assert not says(rome, "Paris")
    with tolerant(LATELY):
        assert not says(rome, "Paris")
    with tolerant(replace(LATELY, early=True)), pytest.raises(Inconclusive, match='expected "Paris", got "Rome"'):
        says(rome, "Paris")
