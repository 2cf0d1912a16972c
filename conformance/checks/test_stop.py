"""`stop`: generation ends at a given text, which is not part of the answer."""

from conformance.kit import MUST, Chat, check, effect


@check("stop", MUST, "openapi:CreateChatCompletionRequest.stop", core=True)
def test_ends_the_text(count: Chat, count_stop: Chat) -> None:
    """Generation ends before the stop string, which is not part of the text."""
    effect(count_stop.text != count.text, "the text is the same as without stop")
    assert count_stop.text == count.text.partition(count_stop.sent["stop"])[0]


@check("stop", MUST, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_finish_reason_is_stop(count_stop: Chat) -> None:
    """A choice that ended at a stop string has finish_reason `stop`."""
    assert count_stop.finish_reason == "stop"


@check("stop", MUST, "openapi:CreateChatCompletionRequest.stop")
def test_streamed_text_is_the_same(count_stop: Chat, count_stop_streamed: Chat) -> None:
    """A stream ends at the same place as the plain answer."""
    assert count_stop_streamed.text == count_stop.text
