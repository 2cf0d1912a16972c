"""`seed`: the same seed gives the same answer, another a different one.

OpenAI promises its best effort: one answer of three or four may differ, and others may part late, where batching
changes the last bits of a sum.
"""

from conformance.kit import (
    SHOULD,
    Chat,
    assert_mostly_same,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    reproduced,
    reproduced_at_most,
)

REQUEST = "openapi:CreateChatCompletionRequest.seed"
NOT_REPEATED = "the same seed does not give the same answer"


@check("seed", SHOULD, REQUEST, core=True)
def test_repeats_the_answer(hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat]) -> None:
    """The same seed gives the same answer where answers vary without it."""
    repeated = reproduced(sampled, sampled_again, sampled, hot)
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    ignored_unless(repeated >= 3, f"only {repeated} of 4 answers came again with the same seed")


@check("seed", SHOULD, REQUEST)
def test_others_give_other_answers(hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat]) -> None:
    """Different seeds give different answers."""
    repeated = reproduced(sampled, sampled_again, sampled, hot)
    varied = {t.text for t in sampled}
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    ignored_unless(len(varied) > 1, "four seeds give one answer")
    inconclusive_unless(repeated >= 3, NOT_REPEATED)


@check("seed", SHOULD, REQUEST)
def test_same_in_streams(
    hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat], sampled_streamed: list[Chat]
) -> None:
    """A stream gives the same answer to a seed as a plain request."""
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    inconclusive_unless(reproduced(sampled, sampled_again, sampled, hot) >= 3, NOT_REPEATED)
    assert_mostly_same(sampled_streamed, sampled)


@check("seed", SHOULD, REQUEST)
def test_0_is_a_seed(hot: list[Chat], seed_zero: list[Chat]) -> None:
    """0 is a seed like any other."""
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    ignored_unless(reproduced_at_most(seed_zero, seed_zero, hot) >= 3, "seed 0 gave several answers")


@check("seed", SHOULD, REQUEST)
def test_may_be_negative(hot: list[Chat], seed_negative: list[Chat]) -> None:
    """A negative number is a seed like any other."""
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    first, again = seed_negative[:3], seed_negative[3:]
    ignored_unless(reproduced(first, again, first, again, hot) >= 2, "the same negative seeds gave other answers")


@check("seed", SHOULD, REQUEST)
def test_may_be_large(hot: list[Chat], seed_large: list[Chat]) -> None:
    """A number of more than 32 bits is a seed like any other."""
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    first, again = seed_large[:3], seed_large[3:]
    ignored_unless(reproduced(first, again, first, again, hot) >= 2, "the same seeds of 41 bits gave other answers")


@check("seed", SHOULD, REQUEST)
def test_text_is_refused(bad_seed_text: Chat) -> None:
    """A seed that is a text is refused."""
    expect_rejection(bad_seed_text)


@check("seed", SHOULD, REQUEST)
def test_fraction_is_refused(bad_seed_fraction: Chat) -> None:
    """A seed that is no integer is refused."""
    expect_rejection(bad_seed_fraction)
