"""`max_tokens` and its newer name `max_completion_tokens`: the most tokens that a response may have."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_at_most,
    assert_equal,
    assert_same_text,
    check,
    entries,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    shown,
    spelled,
    whole,
)

OLD = "openapi:CreateChatCompletionRequest.max_tokens"
AT_LEAST_1 = "de-facto:OpenAI answers integer below minimum value"
NEW = "openapi:CreateChatCompletionRequest.max_completion_tokens"
REASON = "openapi:CreateChatCompletionResponse.choices.finish_reason"

CONTENT = "`choices[0].message.content`"
STREAMED = "`choices[0].delta.content`, joined"
FINISH_REASON = "`choices[0].finish_reason`"
COMPLETION_TOKENS = "`usage.completion_tokens`"
NO_EFFECT = "`max_tokens` has no effect"


@check("max_tokens", MUST, OLD, core=True)
def test_cuts_the_answer(count: Chat, count_max_tokens: Chat) -> None:
    """`max_tokens` truncates `content` to the beginning of the `content` without this limit."""
    ignored_unless(count_max_tokens.said != count.said, f"{CONTENT} is as long as with a larger `max_tokens`")
    assert_same_text(count_max_tokens.said, count.said[: len(count_max_tokens.said)], f"{CONTENT} with `max_tokens: 4`")


@check("max_tokens", MUST, REASON)
def test_finish_reason_is_length(count_max_tokens: Chat) -> None:
    """`finish_reason` is `length` when `max_tokens` truncates the response."""
    assert_equal(count_max_tokens.finish_reason, "length", FINISH_REASON)


@check("max_tokens", MUST, OLD)
def test_counts_tokens(count_logprobs: Chat, count_max_tokens: Chat) -> None:
    """`content` has at most `max_tokens` tokens: the first ones of the `content` without this limit."""
    inconclusive_unless(
        not count_max_tokens.reasoning, "the tokens belong to the reasoning, which has no entries in `logprobs`"
    )
    allowed = spelled(entries(count_logprobs)[:4], "")
    where = f"{CONTENT}, compared with the first 4 tokens in `logprobs`"
    text = whole(count_max_tokens.text)
    if len(text) > len(allowed):
        assert_same_text(text, allowed, where)
    assert_same_text(text, allowed[: len(text)], where)


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens")
def test_usage_is_the_limit(count: Chat, count_max_tokens: Chat, count_max_tokens_1: Chat) -> None:
    """`usage.completion_tokens` of a truncated response is at most `max_tokens`."""
    inconclusive_unless(count_max_tokens.said != count.said, NO_EFFECT)
    assert_at_most(count_max_tokens.tokens("completion"), 4, f"{COMPLETION_TOKENS} with `max_tokens: 4`")
    assert_at_most(count_max_tokens_1.tokens("completion"), 1, f"{COMPLETION_TOKENS} with `max_tokens: 1`")


@check("max_tokens", MUST, OLD)
def test_may_be_1(count_max_tokens: Chat, count_max_tokens_1: Chat) -> None:
    """`max_tokens: 1` gives the first token of the `content` without this limit, with `finish_reason` `length`."""
    inconclusive_unless(
        not count_max_tokens.reasoning or count_max_tokens_1.said,
        f"the only token begins the reasoning ({CONTENT} is empty)",
    )
    assert_same_text(
        count_max_tokens_1.said,
        count_max_tokens.said[: len(count_max_tokens_1.said)],
        f"{CONTENT} with `max_tokens: 1`",
    )
    assert count_max_tokens_1.said not in ("", count_max_tokens.said), (
        f"expected the first token of {shown(count_max_tokens.said)}, got {shown(count_max_tokens_1.said)} ({CONTENT})"
    )
    assert_equal(count_max_tokens_1.finish_reason, "length", FINISH_REASON)


@check("max_tokens", MUST, OLD)
def test_same_in_streams(count_max_tokens: Chat, count_max_tokens_streamed: Chat) -> None:
    """`max_tokens` truncates a stream at the same place, with `finish_reason` `length`."""
    assert_same_text(count_max_tokens_streamed.said, count_max_tokens.said, STREAMED)
    assert_equal(count_max_tokens_streamed.finish_reason, "length", f"{FINISH_REASON} of the streamed response")


@check("max_tokens", MUST, OLD)
def test_ample_limit_changes_nothing(count: Chat, count_max_tokens: Chat, count_max_tokens_ample: Chat) -> None:
    """A `max_tokens` that is not reached does not change `content`, and `finish_reason` is `stop`."""
    inconclusive_unless(count_max_tokens.said != count.said, NO_EFFECT)
    assert_same_text(
        count_max_tokens_ample.text[: len(count.text)], count.text, f"{CONTENT} with a larger `max_tokens`"
    )
    inconclusive_unless(
        count_max_tokens_ample.tokens("completion") < 500, f"the response reached `max_tokens` ({COMPLETION_TOKENS})"
    )
    assert_equal(count_max_tokens_ample.finish_reason, "stop", FINISH_REASON)


@check("max_tokens", SHOULD, "de-facto:the limit is optional")
def test_default_is_no_limit(count_max_tokens_ample: Chat, count_without_limit: Chat) -> None:
    """Without `max_tokens`, the response ends by itself: `finish_reason` is `stop`."""
    inconclusive_unless(
        count_max_tokens_ample.finish_reason != "length",
        "the response is truncated even by an ample `max_tokens` (`finish_reason` is `length`)",
    )
    assert_same_text(
        count_without_limit.text[: len(count_max_tokens_ample.text)],
        count_max_tokens_ample.text,
        f"{CONTENT} without `max_tokens`",
    )
    assert_equal(count_without_limit.finish_reason, "stop", f"{FINISH_REASON} without `max_tokens`")


@check("max_tokens", MAY, AT_LEAST_1)
def test_0_is_refused(bad_max_tokens_0: Chat) -> None:
    """`max_tokens: 0` is rejected with 400."""
    expect_rejection(bad_max_tokens_0)


@check("max_tokens", MAY, AT_LEAST_1)
def test_negative_is_refused(bad_max_tokens_negative: Chat) -> None:
    """A negative `max_tokens` is rejected with 400."""
    expect_rejection(bad_max_tokens_negative)


@check("max_tokens", SHOULD, OLD)
def test_text_is_refused(bad_max_tokens_text: Chat) -> None:
    """A string as `max_tokens` is rejected with 400."""
    expect_rejection(bad_max_tokens_text)


@check("max_completion_tokens", MUST, NEW, core=True)
def test_completion_cuts_the_answer(count: Chat, count_max_completion_tokens: Chat) -> None:
    """`max_completion_tokens` truncates `content` to the beginning of the `content` without this limit."""
    ignored_unless(
        count_max_completion_tokens.said not in (count.said, ""),
        f"{CONTENT} is as long as without `max_completion_tokens`, or empty",
    )
    assert_same_text(
        count_max_completion_tokens.said,
        count.said[: len(count_max_completion_tokens.said)],
        f"{CONTENT} with `max_completion_tokens: 4`",
    )


@check("max_completion_tokens", MUST, NEW)
def test_completion_counts_tokens(count: Chat, count_max_tokens: Chat, count_max_completion_tokens: Chat) -> None:
    """`max_completion_tokens` truncates where `max_tokens` does, with `finish_reason` `length`."""
    cut = count_max_completion_tokens.said == count_max_tokens.said
    ignored_unless(
        cut or count_max_completion_tokens.finish_reason == "length",
        f"{CONTENT} is longer than with `max_tokens: 4`, and {FINISH_REASON} is not `length`",
    )
    inconclusive_unless(cut or count_max_tokens.said != count.said, NO_EFFECT)
    assert_same_text(
        count_max_completion_tokens.said, count_max_tokens.said, f"{CONTENT} with `max_completion_tokens: 4`"
    )
    assert_equal(count_max_completion_tokens.finish_reason, "length", FINISH_REASON)


@check("max_completion_tokens", MUST, NEW)
def test_completion_same_in_streams(
    count: Chat, count_max_completion_tokens: Chat, count_max_completion_tokens_streamed: Chat
) -> None:
    """`max_completion_tokens` truncates a stream at the same place, with `finish_reason` `length`."""
    cut = count_max_completion_tokens_streamed.finish_reason == "length"
    ignored_unless(
        cut or count_max_completion_tokens_streamed.said != count.said,
        f"{STREAMED}, is as long as without `max_completion_tokens`",
    )
    assert_same_text(count_max_completion_tokens_streamed.said, count_max_completion_tokens.said, STREAMED)
    assert_equal(
        count_max_completion_tokens_streamed.finish_reason, "length", f"{FINISH_REASON} of the streamed response"
    )


@check("max_completion_tokens", MUST, NEW)
def test_completion_limits_thoughts(think_max_completion_tokens: Chat) -> None:
    """`max_completion_tokens` includes reasoning: `usage.completion_tokens` never exceeds it."""
    inconclusive_unless(
        think_max_completion_tokens.reasoning or "<think>" in think_max_completion_tokens.text,
        f"the response has no `reasoning_content`, and no `<think>` in {CONTENT}",
    )
    assert_at_most(think_max_completion_tokens.tokens("completion"), 8, COMPLETION_TOKENS)
    assert_equal(think_max_completion_tokens.finish_reason, "length", FINISH_REASON)


@check("max_completion_tokens", MAY, NEW)
def test_completion_beside_max_tokens(count_both_limits: Chat) -> None:
    """`max_completion_tokens` with a larger `max_tokens` is the limit, or the request is rejected, as by OpenAI."""
    if not count_both_limits.cleanly_refused:
        assert_at_most(count_both_limits.tokens("completion"), 4, COMPLETION_TOKENS)


@check("max_completion_tokens", MAY, AT_LEAST_1)
def test_completion_below_1_is_refused(bad_max_completion_tokens: list[Chat]) -> None:
    """A `max_completion_tokens` of 0 or less is rejected with 400."""
    for answer in bad_max_completion_tokens:
        expect_rejection(answer)


@check("max_completion_tokens", SHOULD, NEW)
def test_completion_text_is_refused(bad_max_completion_tokens_text: Chat) -> None:
    """A string as `max_completion_tokens` is rejected with 400."""
    expect_rejection(bad_max_completion_tokens_text)
