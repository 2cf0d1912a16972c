"""What holds for all parameters of sampling."""

from conformance.kit import MUST, Chat, check


@check("chat", MUST, "openapi:CreateChatCompletionRequest")
def test_null_is_as_not_given(capital: Chat, all_null: Chat, all_null_streamed: Chat) -> None:
    """Each optional parameter of sampling may be null, which is the same as to leave it out."""
    for answer in (all_null, all_null_streamed):
        assert len(answer.choices) == len(capital.choices) == 1
        assert answer.text
        assert answer.choice.logprobs is None
