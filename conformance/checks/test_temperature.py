"""`temperature`: 0 gives the same response, more varies it. A list of responses is to the same request, repeated."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_at_least,
    assert_in,
    certainty,
    check,
    entries,
    expect_rejection,
    ignored_unless,
    ignored_unless_varied,
    inconclusive_unless,
    reproduced,
    reproduced_at_most,
)
from fixtures.scenarios.sampling import HOT

REQUEST = "openapi:CreateChatCompletionRequest.temperature"


@check("temperature", MUST, REQUEST, core=True)
def test_0_repeats_and_more_varies(greedy: list[Chat], hot: list[Chat]) -> None:
    """Responses vary at a high `temperature`, and are the same at 0."""
    # Six tries are the same by chance in 2 of a million runs. At 0 two of three suffice: batching may break a tie.
    ignored_unless_varied(
        len({t.said for t in hot}) > 1,
        f"expected responses that vary at `temperature: {HOT}`, got the same one each time",
    )
    ignored_unless(
        reproduced([greedy[0]] * 2, greedy[1:], hot),
        "expected the same response at `temperature: 0`, got different ones",
    )


@check("temperature", MUST, REQUEST)
def test_same_in_streams(greedy: list[Chat], greedy_streamed: list[Chat], hot_streamed: list[Chat]) -> None:
    """Streams vary at a high `temperature`, and at 0 they have the content of the plain response."""
    ignored_unless_varied(
        len({t.said for t in hot_streamed}) > 1,
        f"expected streams that vary at `temperature: {HOT}`, got the same one each time",
    )
    ignored_unless(
        reproduced_at_most(greedy, greedy_streamed, hot_streamed),
        "expected streams with the content of the plain response at `temperature: 0`, got different content",
    )


@check("temperature", SHOULD, "de-facto:temperature 0 is greedy")
def test_0_takes_the_likeliest_token(things_likely: Chat) -> None:
    """With `temperature: 0`, every token is the likeliest one."""
    told = entries(things_likely)
    inconclusive_unless(
        all(entry["top_logprobs"] for entry in told), "expected alternatives, got none (`top_logprobs`)"
    )
    for entry in told:
        best = max(t["logprob"] for t in entry["top_logprobs"])
        assert_at_least(entry["logprob"], best - 0.01, "`logprob` of a token at `temperature: 0`")


@check("temperature", SHOULD, REQUEST)
def test_near_0_is_almost_greedy(things_likely: Chat, hot: list[Chat], lukewarm: list[Chat]) -> None:
    """A `temperature` near 0 gives the response of `temperature: 0`, unless two tokens are almost equally likely."""
    # At 0.01 a gap of 0.2 makes the likeliest token e^20 times as likely: 32 tokens err in 1 of 10 million tries.
    inconclusive_unless(
        certainty(things_likely) > 0.2,
        "expected tokens of which the model is sure, got two that are almost equally likely",
    )
    ignored_unless(
        reproduced([things_likely] * 3, lukewarm, hot),
        "expected the response of `temperature: 0` near 0, got different ones",
    )


@check("temperature", MUST, REQUEST)
def test_2_is_accepted(hottest: Chat) -> None:
    """`temperature: 2`, the highest value, is accepted."""
    assert_in(hottest.finish_reason, ("stop", "length"), "`choices[0].finish_reason`")


@check("temperature", SHOULD, REQUEST)
def test_negative_is_refused(bad_temperature_negative: Chat) -> None:
    """`temperature` below 0 is rejected with 400."""
    expect_rejection(bad_temperature_negative)


@check("temperature", SHOULD, REQUEST)
def test_above_2_is_refused(bad_temperature_high: Chat) -> None:
    """`temperature` above 2 is rejected with 400."""
    expect_rejection(bad_temperature_high)


@check("temperature", SHOULD, REQUEST)
def test_text_is_refused(bad_temperature_text: Chat) -> None:
    """`temperature` that is not a number is rejected with 400."""
    expect_rejection(bad_temperature_text)
