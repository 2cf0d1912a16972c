"""The context's limit: a prompt is read in full or refused, and never cut in silence.

Nobody needs to know the limit, or the tokenizer: of a prompt of many words each is a token or more, so a server that
counts fewer has not read them all.
"""

from conformance.answers import Chat, Completion
from conformance.kit import MUST, SHOULD, check, expect_rejection, inconclusive_unless


def read_in_full(answer: Chat | Completion) -> bool:
    """Whether each word of the prompt is among the tokens that were read."""
    sent = answer.sent.get("prompt") or " ".join(message["content"] for message in answer.sent["messages"])
    return answer.tokens("prompt") >= len(str(sent).split())


@check("context", MUST, "openapi:CreateChatCompletionRequest.messages", core=True)
def test_prompt_is_never_cut(overflow: Chat) -> None:
    """A prompt is read in full or refused."""
    assert overflow.cleanly_refused or read_in_full(overflow)


@check("context", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_streamed_prompt_is_never_cut(overflow_streamed: Chat) -> None:
    """The prompt of a stream is read in full or refused."""
    assert overflow_streamed.cleanly_refused or read_in_full(overflow_streamed)


@check("context", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_history_is_never_cut(two_turns: Chat, longer_first_question: Chat, overflow_history: Chat) -> None:
    """A conversation is read in full or refused: old turns are not left out to make it fit."""
    if overflow_history.ok:
        inconclusive_unless(
            longer_first_question.tokens("prompt") > two_turns.tokens("prompt"), "earlier turns are never read"
        )
    assert overflow_history.cleanly_refused or read_in_full(overflow_history)


@check("context", MUST, "openapi:CreateCompletionRequest.max_tokens")
def test_legacy_prompt_is_never_cut(overflow_completion: Completion) -> None:
    """The prompt of a legacy completion is read in full or refused."""
    assert overflow_completion.cleanly_refused or read_in_full(overflow_completion)


@check("context", SHOULD, "docs:guides/error-codes context_length_exceeded")
def test_overflow_has_status_400(overflow: Chat) -> None:
    """A prompt that does not fit is refused with 400."""
    inconclusive_unless(not overflow.ok, "the prompt was accepted")
    expect_rejection(overflow, 400, or_leniently=(413, 422))


@check("context", SHOULD, "docs:guides/error-codes context_length_exceeded")
def test_streamed_overflow_has_status_400(overflow_streamed: Chat) -> None:
    """A stream whose prompt does not fit is refused before it begins, with 400."""
    inconclusive_unless(not overflow_streamed.ok, "the prompt was accepted")
    expect_rejection(overflow_streamed, 400, or_leniently=(413, 422))


@check("context", SHOULD, "de-facto:clients shorten the prompt when they see the code")
def test_overflow_has_the_code(overflow: Chat) -> None:
    """The error's code is `context_length_exceeded`."""
    inconclusive_unless(not overflow.ok, "the prompt was accepted")
    assert overflow.error.get("code") == "context_length_exceeded"
