"""`top_p`: only the most likely tokens that together have this probability.

Each answer of a list is a try of the same request.
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


@check("top_p", MUST, REQUEST, core=True)
def test_tiny_is_greedy(greedy: list[Chat], hot: list[Chat], hot_top_p_tiny: list[Chat]) -> None:
    """A top_p near 0 leaves only the likeliest token, whatever the temperature."""
    # Three of four suffice, since batching may break a tie; without top_p, three come by chance in 1 of 10,000 runs.
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    ignored_unless(reproduced_at_most(greedy, hot_top_p_tiny, hot) >= 3, "answers vary as without top_p")


@check("top_p", MUST, REQUEST)
def test_same_in_streams(greedy: list[Chat], hot: list[Chat], hot_top_p_tiny_streamed: list[Chat]) -> None:
    """A top_p near 0 has the same effect in a stream."""
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    ignored_unless(reproduced_at_most(greedy, hot_top_p_tiny_streamed, hot) >= 3, "streams vary as without top_p")


@check("top_p", SHOULD, REQUEST)
def test_0_is_greedy(greedy: list[Chat], hot: list[Chat], hot_top_p_0: list[Chat]) -> None:
    """The least value, 0, is accepted and leaves only the likeliest token."""
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    ignored_unless(reproduced_at_most(greedy, hot_top_p_0, hot) >= 3, "answers vary as without top_p")


@check("top_p", MUST, REQUEST)
def test_1_leaves_all_tokens(
    greedy: list[Chat], hot: list[Chat], hot_top_p_tiny: list[Chat], hot_top_p_1: list[Chat]
) -> None:
    """The greatest value, 1, keeps every token: answers vary as without top_p."""
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    inconclusive_unless(reproduced_at_most(greedy, hot_top_p_tiny, hot) >= 3, "`top_p` has no effect")
    assert len({t.text for t in hot_top_p_1}) > 1


@check("top_p", SHOULD, REQUEST)
def test_above_1_is_refused(bad_top_p_high: Chat) -> None:
    """A top_p above 1 is refused."""
    expect_rejection(bad_top_p_high)


@check("top_p", SHOULD, REQUEST)
def test_negative_is_refused(bad_top_p_negative: Chat) -> None:
    """A top_p below 0 is refused."""
    expect_rejection(bad_top_p_negative)


@check("top_p", SHOULD, REQUEST)
def test_text_is_refused(bad_top_p_text: Chat) -> None:
    """A top_p that is no number is refused."""
    expect_rejection(bad_top_p_text)
