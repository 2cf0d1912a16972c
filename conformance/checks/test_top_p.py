"""`top_p`: only the most likely tokens that together have this probability.

A list of responses is to the same request, repeated.
"""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    reproduced_at_most,
)

REQUEST = "openapi:CreateChatCompletionRequest.top_p"
SAME = "expected responses that vary without `top_p`, got the same one each time"
VARIES = "expected the likeliest response at least 3 times, got responses that vary as without `top_p`"


@check("top_p", MUST, REQUEST, core=True)
def test_tiny_is_greedy(greedy: list[Chat], hot: list[Chat], hot_top_p_tiny: list[Chat]) -> None:
    """`top_p` near 0 leaves only the likeliest token, whatever the `temperature`."""
    # Three of four suffice, since batching may break a tie; without top_p, three come by chance in 1 of 10,000 runs.
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    ignored_unless(reproduced_at_most(greedy, hot_top_p_tiny, hot) >= 3, VARIES)


@check("top_p", MUST, REQUEST)
def test_same_in_streams(greedy: list[Chat], hot: list[Chat], hot_top_p_tiny_streamed: list[Chat]) -> None:
    """In a stream, `top_p` near 0 leaves only the likeliest token."""
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    ignored_unless(reproduced_at_most(greedy, hot_top_p_tiny_streamed, hot) >= 3, VARIES)


@check("top_p", SHOULD, REQUEST)
def test_0_is_greedy(greedy: list[Chat], hot: list[Chat], hot_top_p_0: list[Chat]) -> None:
    """`top_p: 0`, the lowest value, is accepted and leaves only the likeliest token."""
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    ignored_unless(reproduced_at_most(greedy, hot_top_p_0, hot) >= 3, VARIES)


@check("top_p", MUST, REQUEST)
def test_1_leaves_all_tokens(
    greedy: list[Chat], hot: list[Chat], hot_top_p_tiny: list[Chat], hot_top_p_1: list[Chat]
) -> None:
    """`top_p: 1`, the highest value, keeps every token: responses vary as without it."""
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    inconclusive_unless(reproduced_at_most(greedy, hot_top_p_tiny, hot) >= 3, VARIES)
    assert len({t.text for t in hot_top_p_1}) > 1, "expected responses that vary at `top_p: 1`, got the same each time"


@check("top_p", SHOULD, REQUEST)
def test_above_1_is_refused(bad_top_p_high: Chat) -> None:
    """`top_p` above 1 is rejected with 400."""
    expect_rejection(bad_top_p_high)


@check("top_p", SHOULD, REQUEST)
def test_negative_is_refused(bad_top_p_negative: Chat) -> None:
    """`top_p` below 0 is rejected with 400."""
    expect_rejection(bad_top_p_negative)


@check("top_p", SHOULD, REQUEST)
def test_text_is_refused(bad_top_p_text: Chat) -> None:
    """`top_p` that is not a number is rejected with 400."""
    expect_rejection(bad_top_p_text)
