"""Agreement: the same request, plain and as a stream, has the same answer (at temperature 0)."""

from conformance.kit import (
    MUST,
    SHOULD,
    Answer,
    Chat,
    Every,
    Generated,
    assert_same_calls,
    assert_same_text,
    check,
    inconclusive_unless,
)


@check("streaming", SHOULD, "de-facto:both modes are one endpoint")
def test_same_status(every: Every) -> None:
    """A request is refused as a stream exactly if it is refused without, with the same status."""
    accepted = False
    for plain, streamed in every.pairs(Answer, accepted=False):
        assert streamed.status == plain.status
        accepted = accepted or plain.ok
    inconclusive_unless(accepted, "every request was rejected")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.delta.content")
def test_same_texts(every: Every) -> None:
    """The choices of a stream have the texts of the plain answer."""
    for plain, streamed in every.pairs(Generated):
        for one, other in zip(streamed.choices, plain.choices, strict=False):
            if one.text or other.text:
                assert_same_text(one.text, other.text)
        assert len(streamed.choices) == len(plain.choices)


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.finish_reason")
def test_same_finish_reasons(every: Every) -> None:
    """The choices of a stream end for the reasons of the plain answer."""
    for plain, streamed in every.pairs(Generated):
        if _said(streamed) != _said(plain):
            continue  # Two texts end each in its way; that they differ is judged above.
        assert [c.finish_reason for c in streamed.choices] == [c.finish_reason for c in plain.choices]


@check("reasoning", SHOULD, "de-facto:reasoning_content")
def test_same_thoughts(every: Every) -> None:
    """The choices of a stream have the thoughts of the plain answer."""
    pairs = list(every.pairs(Chat))
    inconclusive_unless(
        any(one.reasoning for both in pairs for answer in both for one in answer.choices), "the model did not think"
    )
    for plain, streamed in pairs:
        for one, other in zip(streamed.choices, plain.choices, strict=False):
            if one.reasoning or other.reasoning:
                assert_same_text(one.reasoning, other.reasoning)


@check("tools", SHOULD, "openapi:ChatCompletionMessageToolCallChunk")
def test_same_tool_calls(every: Every) -> None:
    """The pieces of a stream's tool calls join to the names and arguments of the plain answer."""
    pairs = list(every.pairs(Chat))
    inconclusive_unless(
        any(one.tool_calls for both in pairs for answer in both for one in answer.choices), "no tool was called"
    )
    for plain, streamed in pairs:
        assert_same_calls(streamed, plain)


@check("usage", MUST, "openapi:ChatCompletionStreamOptions.include_usage")
def test_same_usage(every: Every) -> None:
    """The usage of a stream that was asked for one is that of the plain answer."""
    for plain, streamed in every.pairs(Generated, _asks_for_usage):
        assert streamed.tokens("prompt") == plain.tokens("prompt")
        if _said(streamed) == _said(plain):
            assert streamed.tokens("completion") == plain.tokens("completion")


def _said(answer: Generated) -> list[tuple[str, str, list[str]]]:
    return [(choice.reasoning, choice.text, [c.arguments for c in choice.tool_calls]) for choice in answer.choices]


def _asks_for_usage(answer: Generated) -> bool:
    return bool((answer.sent.get("stream_options") or {}).get("include_usage"))
