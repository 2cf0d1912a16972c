"""`seed`: the same seed gives the same response, another seed another one.

OpenAI promises its best effort: one response of three or four may differ, and others may diverge late, because batching
changes how sums are rounded.
"""

from conformance.kit import (
    SHOULD,
    Chat,
    assert_mostly_same,
    check,
    expect_rejection,
    ignored_unless,
    ignored_unless_varied,
    inconclusive_unless,
    reproduced,
    reproduced_at_most,
)

REQUEST = "openapi:CreateChatCompletionRequest.seed"
NOT_REPEATED = "expected the same response to the same `seed`, got another"
UNSEEDED, SEEDED = 6, 8
"""Requests to the same prompt without a seed, and with different seeds."""
SAME = "expected responses that vary without `seed`, got the same one each time"


@check("seed", SHOULD, REQUEST, core=True)
def test_repeats_the_answer(hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat]) -> None:
    """The same `seed` gives the same response, where responses vary without it."""
    repeated = reproduced(sampled, sampled_again, sampled, hot)
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    ignored_unless(
        repeated >= 3, f"expected the same response to the same `seed` at least 3 times of 4, got it {repeated} times"
    )


@check("seed", SHOULD, REQUEST)
def test_others_give_other_answers(hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat]) -> None:
    """Different `seed`s give different responses."""
    repeated = reproduced(sampled, sampled_again, sampled, hot)
    varied = {t.text for t in sampled}
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    ignored_unless(len(varied) > 1, "expected different responses to 4 different `seed`s, got one response")
    inconclusive_unless(repeated >= 3, NOT_REPEATED)


@check("seed", SHOULD, REQUEST)
def test_without_it_responses_vary(
    sampled: list[Chat], hot: list[Chat], hot_streamed: list[Chat], hot_top_p_1: list[Chat]
) -> None:
    """Without `seed`, responses vary, as those to different `seed`s do: the server has no fixed `seed`."""
    drawn = [answer for some in (hot, hot_streamed, hot_top_p_1) for answer in some]
    unseeded = [answer.said for answer in drawn if answer.sent.get("seed") is None]
    seeded = {answer.sent["seed"]: answer.said for answer in (*hot, *sampled) if answer.sent.get("seed") is not None}
    # If one response had a probability of 0.3, six were the same in 1 of 400 runs, and eight all different in 1 of 4.
    inconclusive_unless(len(unseeded) >= UNSEEDED and len(seeded) >= SEEDED, "too few requests were accepted")
    inconclusive_unless(len(set(seeded.values())) == len(seeded), "the model's responses hardly vary")
    ignored_unless_varied(len(set(unseeded)) > 1, SAME)


@check("seed", SHOULD, REQUEST)
def test_same_in_streams(
    hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat], sampled_streamed: list[Chat]
) -> None:
    """With the same `seed`, a stream has the same content as a plain response."""
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    inconclusive_unless(reproduced(sampled, sampled_again, sampled, hot) >= 3, NOT_REPEATED)
    assert_mostly_same(sampled_streamed, sampled)


@check("seed", SHOULD, REQUEST)
def test_0_is_a_seed(hot: list[Chat], seed_zero: list[Chat]) -> None:
    """`seed: 0` is a seed like any other: its responses are reproduced."""
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    ignored_unless(
        reproduced_at_most(seed_zero, seed_zero, hot) >= 3,
        "expected the same response to `seed: 0` at least 3 times, got different ones",
    )


@check("seed", SHOULD, REQUEST)
def test_may_be_negative(hot: list[Chat], seed_negative: list[Chat]) -> None:
    """`seed` may be negative, and its responses are reproduced."""
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    first, again = seed_negative[:3], seed_negative[3:]
    ignored_unless(
        reproduced(first, again, first, again, hot) >= 2,
        "expected the same responses to the same negative `seed`s, got different ones",
    )


@check("seed", SHOULD, REQUEST)
def test_may_be_large(hot: list[Chat], seed_large: list[Chat]) -> None:
    """`seed` may have more than 32 bits, and its responses are reproduced."""
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    first, again = seed_large[:3], seed_large[3:]
    ignored_unless(
        reproduced(first, again, first, again, hot) >= 2,
        "expected the same responses to the same `seed`s of 41 bits, got different ones",
    )


@check("seed", SHOULD, REQUEST)
def test_text_is_refused(bad_seed_text: Chat) -> None:
    """A string as `seed` is rejected with 400."""
    expect_rejection(bad_seed_text)


@check("seed", SHOULD, REQUEST)
def test_fraction_is_refused(bad_seed_fraction: Chat) -> None:
    """`seed` that is not an integer is rejected with 400."""
    expect_rejection(bad_seed_fraction)


@check("seed", SHOULD, REQUEST)
def test_repeats_the_answer_beside_other_parameters(
    hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat], seeded_beside: list[Chat]
) -> None:
    """The same `seed` gives the same response also with a JSON schema, with tools, and after a tool's result."""
    repeated = reproduced(sampled, sampled_again, sampled, hot)
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    inconclusive_unless(repeated >= 3, NOT_REPEATED)
    accepted = [four for four in zip(*[iter(seeded_beside)] * 4, strict=True) if all(one.ok for one in four)]
    inconclusive_unless(accepted, "none of these requests was accepted")
    for one, other, one_again, other_again in accepted:
        ignored_unless(
            one.said == one_again.said or other.said == other_again.said,
            f"expected the same response to the same `seed`, got another for both seeds ({one_again.name})",
        )
