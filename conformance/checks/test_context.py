"""The context's limit: a prompt is read in full, or the request is rejected; it is never truncated silently.

This needs neither the limit nor the tokenizer: each word of the prompt is a token or more. A server whose
`usage.prompt_tokens` is smaller than the number of words has not read them all.
"""

from conformance.answers import Chat, Completion
from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    assert_at_least,
    assert_equal,
    check,
    expect_rejection,
    inconclusive_unless,
    shown,
    too_long,
)

ACCEPTED = "the server accepted the prompt, so it may fit into the context"


def assert_read_in_full_or_rejected(answer: Chat | Completion) -> None:
    """End the check unless the request was cleanly rejected, or each word is among the tokens that were read."""
    if too_long(answer):
        return
    sent = answer.sent.get("prompt") or " ".join(message["content"] for message in answer.sent["messages"])
    assert_at_least(
        answer.tokens("prompt"), len(str(sent).split()), "`usage.prompt_tokens`: a token or more for each word"
    )


@check("context", MUST, "openapi:CreateChatCompletionRequest.messages", core=True)
def test_prompt_is_never_cut(overflow: Chat) -> None:
    """`messages` are read in full, or the request is rejected; they are never truncated silently."""
    assert_read_in_full_or_rejected(overflow)


@check("context", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_streamed_prompt_is_never_cut(overflow_streamed: Chat) -> None:
    """With `stream: true`, `messages` are read in full, or the request is rejected; nothing is truncated silently."""
    assert_read_in_full_or_rejected(overflow_streamed)


@check("context", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_history_is_never_cut(two_turns: Chat, longer_first_question: Chat, overflow_history: Chat) -> None:
    """All turns in `messages` are read, or the request is rejected; earlier turns are never left out."""
    if overflow_history.ok:
        inconclusive_unless(
            longer_first_question.tokens("prompt") > two_turns.tokens("prompt"),
            "a longer earlier turn does not raise `usage.prompt_tokens`, even in a short conversation",
        )
    assert_read_in_full_or_rejected(overflow_history)


@check("context", MUST, "openapi:CreateCompletionRequest.max_tokens")
def test_legacy_prompt_is_never_cut(overflow_completion: Completion) -> None:
    """The `prompt` of `POST /completions` is read in full, or the request is rejected."""
    assert_read_in_full_or_rejected(overflow_completion)


@check("context", SHOULD, "docs:guides/error-codes context_length_exceeded")
def test_overflow_has_status_400(overflow: Chat) -> None:
    """`messages` that exceed the context are rejected with 400."""
    inconclusive_unless(not overflow.ok, ACCEPTED)
    expect_rejection(overflow, 400, or_leniently=(413, 422))


@check("context", SHOULD, "docs:guides/error-codes context_length_exceeded")
def test_streamed_overflow_has_status_400(overflow_streamed: Chat) -> None:
    """With `stream: true`, `messages` that exceed the context are rejected with 400 before the stream begins."""
    inconclusive_unless(not overflow_streamed.ok, ACCEPTED)
    expect_rejection(overflow_streamed, 400, or_leniently=(413, 422))


@check("context", MAY, "de-facto:OpenAI names it; clients shorten the prompt when they see the code")
def test_overflow_has_the_code(overflow: Chat) -> None:
    """`error.code` is `context_length_exceeded` when `messages` exceed the context."""
    inconclusive_unless(not overflow.ok, ACCEPTED)
    named = overflow.error.get("param")
    other = named in overflow.sent and named != "messages" and str(overflow.error.get("code")).startswith("unsupported")
    inconclusive_unless(not other, f"expected a rejection of the length, got one of {shown(named)} (`error.param`)")
    assert_equal(overflow.error.get("code"), "context_length_exceeded", "`error.code`")
