"""`max_tokens` and its newer name `max_completion_tokens`: the most tokens that an answer may have."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    tokens,
)

OLD = "openapi:CreateChatCompletionRequest.max_tokens"
AT_LEAST_1 = "de-facto:OpenAI answers integer below minimum value"
NEW = "openapi:CreateChatCompletionRequest.max_completion_tokens"
REASON = "openapi:CreateChatCompletionResponse.choices.finish_reason"


@check("max_tokens", MUST, OLD, core=True)
def test_cuts_the_answer(count: Chat, count_max_tokens: Chat) -> None:
    """The answer ends early, and is the beginning of the longer one."""
    ignored_unless(count_max_tokens.said != count.said, "the answer is as long as without the limit")
    assert_same_text(count.said[: len(count_max_tokens.said)], count_max_tokens.said)


@check("max_tokens", MUST, REASON)
def test_finish_reason_is_length(count_max_tokens: Chat) -> None:
    """An answer that was cut has finish_reason `length`."""
    assert count_max_tokens.finish_reason == "length"


@check("max_tokens", MUST, OLD)
def test_counts_tokens(count_logprobs: Chat, count_max_tokens: Chat) -> None:
    """The text is at most the first `max_tokens` tokens of the longer one."""
    inconclusive_unless(
        not count_max_tokens.reasoning, "the tokens are those of the reasoning, which logprobs do not name"
    )
    allowed = "".join(tokens(count_logprobs)[:4])
    if len(count_max_tokens.text) > len(allowed):
        assert_same_text(count_max_tokens.text, allowed)
    assert_same_text(count_max_tokens.text, allowed[: len(count_max_tokens.text)])


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens")
def test_usage_is_the_limit(count: Chat, count_max_tokens: Chat, count_max_tokens_1: Chat) -> None:
    """`usage.completion_tokens` of a truncated response is at most `max_tokens`."""
    inconclusive_unless(count_max_tokens.said != count.said, "`max_tokens` has no effect")
    assert count_max_tokens.tokens("completion") <= 4
    assert count_max_tokens_1.tokens("completion") <= 1


@check("max_tokens", MUST, OLD)
def test_may_be_1(count_max_tokens: Chat, count_max_tokens_1: Chat) -> None:
    """A limit of 1 gives the first token."""
    inconclusive_unless(
        not count_max_tokens.reasoning or count_max_tokens_1.said, "the token only begins the reasoning"
    )
    assert_same_text(count_max_tokens.said[: len(count_max_tokens_1.said)], count_max_tokens_1.said)
    assert count_max_tokens_1.said not in ("", count_max_tokens.said)
    assert count_max_tokens_1.finish_reason == "length"


@check("max_tokens", MUST, OLD)
def test_same_in_streams(count_max_tokens: Chat, count_max_tokens_streamed: Chat) -> None:
    """A stream is cut at the same place, and says so."""
    assert_same_text(count_max_tokens_streamed.said, count_max_tokens.said)
    assert count_max_tokens_streamed.finish_reason == "length"


@check("max_tokens", MUST, OLD)
def test_ample_limit_changes_nothing(count: Chat, count_max_tokens: Chat, count_max_tokens_ample: Chat) -> None:
    """A limit that is not reached leaves the answer as it is, with finish_reason `stop`."""
    inconclusive_unless(count_max_tokens.said != count.said, "`max_tokens` has no effect")
    assert_same_text(count_max_tokens_ample.text[: len(count.text)], count.text)
    inconclusive_unless(count_max_tokens_ample.tokens("completion") < 500, "the answer reached the limit")
    assert count_max_tokens_ample.finish_reason == "stop"


@check("max_tokens", SHOULD, "de-facto:the limit is optional")
def test_default_is_no_limit(count_max_tokens_ample: Chat, count_without_limit: Chat) -> None:
    """Without a limit an answer comes to its end."""
    inconclusive_unless(count_max_tokens_ample.finish_reason != "length", "the answer does not come to its end")
    assert_same_text(count_without_limit.text[: len(count_max_tokens_ample.text)], count_max_tokens_ample.text)
    assert count_without_limit.finish_reason == "stop"


@check("max_tokens", SHOULD, AT_LEAST_1)
def test_0_is_refused(bad_max_tokens_0: Chat) -> None:
    """A limit of 0 is refused."""
    expect_rejection(bad_max_tokens_0)


@check("max_tokens", SHOULD, AT_LEAST_1)
def test_negative_is_refused(bad_max_tokens_negative: Chat) -> None:
    """A negative limit is refused."""
    expect_rejection(bad_max_tokens_negative)


@check("max_tokens", SHOULD, OLD)
def test_text_is_refused(bad_max_tokens_text: Chat) -> None:
    """A limit that is a text is refused."""
    expect_rejection(bad_max_tokens_text)


@check("max_completion_tokens", MUST, NEW, core=True)
def test_completion_cuts_the_answer(count: Chat, count_max_completion_tokens: Chat) -> None:
    """The answer ends early, and is the beginning of the longer one."""
    ignored_unless(
        count_max_completion_tokens.said not in (count.said, ""), "the answer is as long as without the limit"
    )
    assert_same_text(count.said[: len(count_max_completion_tokens.said)], count_max_completion_tokens.said)


@check("max_completion_tokens", MUST, NEW)
def test_completion_counts_tokens(count: Chat, count_max_tokens: Chat, count_max_completion_tokens: Chat) -> None:
    """`max_completion_tokens` truncates where `max_tokens` does, with `finish_reason` `length`."""
    cut = count_max_completion_tokens.said == count_max_tokens.said
    ignored_unless(
        cut or count_max_completion_tokens.finish_reason == "length", "the answer is longer, and came to its end"
    )
    inconclusive_unless(cut or count_max_tokens.said != count.said, "`max_tokens` has no effect")
    assert_same_text(count_max_completion_tokens.said, count_max_tokens.said)
    assert count_max_completion_tokens.finish_reason == "length"


@check("max_completion_tokens", MUST, NEW)
def test_completion_same_in_streams(
    count: Chat, count_max_completion_tokens: Chat, count_max_completion_tokens_streamed: Chat
) -> None:
    """A stream is cut at the same place, and says so."""
    cut = count_max_completion_tokens_streamed.finish_reason == "length"
    ignored_unless(
        cut or count_max_completion_tokens_streamed.said != count.said, "the answer is as long as without the limit"
    )
    assert_same_text(count_max_completion_tokens_streamed.said, count_max_completion_tokens.said)
    assert count_max_completion_tokens_streamed.finish_reason == "length"


@check("max_completion_tokens", MUST, NEW)
def test_completion_limits_thoughts(think_max_completion_tokens: Chat) -> None:
    """Thoughts count: an answer that is cut in them has no more tokens than allowed."""
    inconclusive_unless(
        think_max_completion_tokens.reasoning or "<think>" in think_max_completion_tokens.text,
        "the model did not think",
    )
    assert think_max_completion_tokens.tokens("completion") <= 8
    assert think_max_completion_tokens.finish_reason == "length"


@check("max_completion_tokens", MAY, NEW)
def test_completion_beside_max_tokens(count_both_limits: Chat) -> None:
    """Beside a larger max_tokens it is refused, as OpenAI does, or holds."""
    assert count_both_limits.cleanly_refused or count_both_limits.tokens("completion") <= 4


@check("max_completion_tokens", SHOULD, AT_LEAST_1)
def test_completion_below_1_is_refused(bad_max_completion_tokens: list[Chat]) -> None:
    """A limit of 0 and a negative one are refused."""
    for answer in bad_max_completion_tokens:
        expect_rejection(answer)


@check("max_completion_tokens", SHOULD, NEW)
def test_completion_text_is_refused(bad_max_completion_tokens_text: Chat) -> None:
    """A limit that is a text is refused."""
    expect_rejection(bad_max_completion_tokens_text)
