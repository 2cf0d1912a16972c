"""`temperature`: 0 repeats itself, more varies. Each answer of a list is a try of the same request."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    certainty,
    check,
    entries,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    reproduced,
    reproduced_at_most,
)

REQUEST = "openapi:CreateChatCompletionRequest.temperature"


@check("temperature", MUST, REQUEST, core=True)
def test_0_repeats_and_more_varies(greedy: list[Chat], hot: list[Chat]) -> None:
    """Answers vary at a high temperature, and repeat at 0."""
    # Six tries are the same by chance in 2 of a million runs. At 0 two of three suffice: batching may break a tie.
    ignored_unless(len({t.said for t in hot}) > 1, "all answers at temperature 1.5 are the same")
    ignored_unless(reproduced([greedy[0]] * 2, greedy[1:], hot), "all answers at temperature 0 differ")


@check("temperature", MUST, REQUEST)
def test_same_in_streams(greedy: list[Chat], greedy_streamed: list[Chat], hot_streamed: list[Chat]) -> None:
    """Streams vary at a high temperature, and at 0 they repeat the plain answer."""
    ignored_unless(len({t.said for t in hot_streamed}) > 1, "all streams at temperature 1.5 are the same")
    ignored_unless(reproduced_at_most(greedy, greedy_streamed, hot_streamed), "no stream at 0 is like a plain answer")


@check("temperature", SHOULD, "de-facto:temperature 0 is greedy")
def test_0_takes_the_likeliest_token(things_likely: Chat) -> None:
    """At temperature 0 every token is the likeliest one."""
    told = entries(things_likely)
    inconclusive_unless(all(entry["top_logprobs"] for entry in told), "no alternatives came")
    for entry in told:
        assert entry["logprob"] >= max(t["logprob"] for t in entry["top_logprobs"]) - 0.01


@check("temperature", SHOULD, REQUEST)
def test_near_0_is_almost_greedy(things_likely: Chat, hot: list[Chat], lukewarm: list[Chat]) -> None:
    """The scale is continuous: near 0, the likeliest tokens are as good as certain."""
    # At 0.01 a gap of 0.2 makes the likeliest token e^20 times as likely: 32 tokens err in 1 of 10 million tries.
    inconclusive_unless(certainty(things_likely) > 0.2, "two tokens are almost as likely as each other")
    ignored_unless(reproduced([things_likely] * 3, lukewarm, hot), "no answer at 0.01 is the likeliest one")


@check("temperature", MUST, REQUEST)
def test_2_is_accepted(hottest: Chat) -> None:
    """The highest temperature, 2, gives an answer."""
    assert hottest.finish_reason in ("stop", "length")


@check("temperature", SHOULD, REQUEST)
def test_negative_is_refused(bad_temperature_negative: Chat) -> None:
    """A temperature below 0 is refused."""
    expect_rejection(bad_temperature_negative)


@check("temperature", SHOULD, REQUEST)
def test_above_2_is_refused(bad_temperature_high: Chat) -> None:
    """A temperature above 2 is refused."""
    expect_rejection(bad_temperature_high)


@check("temperature", SHOULD, REQUEST)
def test_text_is_refused(bad_temperature_text: Chat) -> None:
    """A temperature that is no number is refused."""
    expect_rejection(bad_temperature_text)
