"""Texts that begin alike accuse no target whose own repeats do no more; anything else is judged as ever."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.answers import Chat
from conformance.judge import Judge
from conformance.outcomes import Fail, Outcome
from conformance.recording import Recording
from conformance.steadiness import Differs, as_one, beginning, came_again, same_text, unsteady
from fixtures import scenario
from tests.made import answer, chat_body, exchange, refusal
from tests.test_judging import CHECK


def said(*texts: str) -> list[Chat]:
    return [answer(chat_body(text)) for text in texts]


class Source:
    """A target that answers the controls so."""

    def __init__(self, greedy: list[str], together: list[str] | None) -> None:
        scenario.load()
        self._answers = {"greedy": greedy, "seeds_together": together}

    def recording(self, name: str) -> Recording:
        texts = self._answers[name]
        if texts is None:
            return Recording(unsent="the recording has no exchange of this name")
        made = [exchange(chat_body(t)) if t else exchange(refusal(), status=400) for t in texts]
        return Recording(exchanges=[one.to_json() for one in made], single=False)


EVEN = ["a red house", "a red house", "the blue sea", "the blue sea"]
STEADY = Source(["one way", "one way"], EVEN)
LATE = Source(["one way", "one way"], ["a red house", "a red horse", *EVEN[2:]])


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


def test_an_answer_comes_again_if_it_parts_later_than_different_draws() -> None:
    drawn = said("a red house", "a blue sea", "the sun")  # at most "a " is alike
    assert came_again(drawn, said("a red horse", "a blue sky", "the sun"), drawn) == 3
    assert came_again(drawn, said("a green tree", "the sea", "the sun"), drawn) == 1
    assert came_again(drawn, said("a b", "a r", "t"), drawn, said("no", "yes")) == 0


def test_one_of_the_tries_stands_for_all() -> None:
    assert as_one(said("odd one", "a red house", "a red horse", "a red house"), said("a", "the")) == 3
    assert as_one(said("u", "v", "w"), said("a", "b")) == 1


def test_the_same_text_passes_and_another_fails() -> None:
    assert same_text("Paris", "Paris")
    with pytest.raises(Fail, match="differ after 'Par'") as failed:
        same_text("Parma", "Paris")
    assert (failed.value.actual, failed.value.expected) == ("Parma", "Paris")


@pytest.mark.parametrize(
    ("source", "shows"),
    [
        (STEADY, []),
        (LATE, ["seeds_together"]),
        (Source(["one way", "one path"], EVEN), ["greedy"]),
        (Source(["one way", "another"], EVEN), []),  # not alike: something else is wrong
        (Source(["one way"], ["a red house", "a blue sea", "the sun", "no sun"]), []),  # seeds without effect
        (Source(["one way"], ["a red house", "a red sea", "a red sun", "a red sun"]), []),  # as alike as others are
        (Source(["one way"], None), []),
        (Source(["one way", ""], EVEN), []),
    ],
)
def test_a_target_is_unsteady_if_its_repeats_begin_alike(source: Any, shows: list[str]) -> None:
    assert unsteady(source) == shows


@pytest.mark.parametrize(
    ("text", "source", "outcome"),
    [
        ("Paris is a city", STEADY, Outcome.FAIL),
        ("Paris is a city", LATE, Outcome.INCONCLUSIVE),
        ("London", LATE, Outcome.FAIL),
        ("Par", LATE, Outcome.FAIL),  # too little to say that it began alike
        ("Paris is a city", None, Outcome.FAIL),
    ],
)
def test_only_an_unsteady_target_may_part(text: str, source: Any, outcome: Outcome) -> None:
    problem = Differs(text, "Paris is the capital")
    result = Judge().result(CHECK, target="t", problem=problem, arguments={}, duration=0, source=source)
    assert result.outcome is outcome
    assert ("seeds_together" in result.controls) is (outcome is Outcome.INCONCLUSIVE)
    assert ("gets two texts" in result.message) is (outcome is Outcome.INCONCLUSIVE)


def test_what_else_fails_on_an_unsteady_target_is_a_violation() -> None:
    result = Judge().result(CHECK, target="t", problem=Fail("no"), arguments={}, duration=0, source=LATE)
    assert result.outcome is Outcome.FAIL
