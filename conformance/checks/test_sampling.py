"""What holds for all sampling parameters."""

from conformance.kit import (
    MUST,
    Chat,
    assert_equal,
    check,
)


@check("chat", MUST, "openapi:CreateChatCompletionRequest")
def test_null_is_as_not_given(capital: Chat, all_null: Chat, all_null_streamed: Chat) -> None:
    """An optional sampling parameter that is `null` has the same effect as one that is absent."""
    for answer in (all_null, all_null_streamed):
        assert_equal(len(answer.choices), len(capital.choices), "length of `choices`")
        assert_equal(len(capital.choices), 1, "length of `choices` without the parameters")
        assert answer.text, "expected a string with text, got an empty one (`choices[0].message.content`)"
        assert_equal(answer.choice.logprobs, None, "`choices[0].logprobs`")
