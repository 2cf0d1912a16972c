"""Agreement of both modes: at temperature 0, a request gets the same response plain and streamed."""

from conformance.kit import (
    MUST,
    SHOULD,
    Answer,
    Chat,
    Every,
    Generated,
    assert_equal,
    assert_same_calls,
    assert_same_text,
    check,
    inconclusive_unless,
)


@check("streaming", SHOULD, "de-facto:both modes are one endpoint")
def test_same_status(bad_streams: list[Chat], every: Every) -> None:
    """A request gets the same HTTP status with `stream: true` as without it."""
    accepted = False
    for plain, streamed in every.pairs(Answer, accepted=False):
        if streamed.cleanly_refused and str(streamed.error.get("param")).startswith("stream"):
            continue  # The server has no streams, or no `stream_options`, as other checks tell.
        assert_equal(streamed.status, plain.status, "HTTP status with `stream: true`, compared with the plain response")
        accepted = accepted or plain.ok
    inconclusive_unless(accepted, "the server rejected every request that was sent both plain and streamed")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.delta.content")
def test_same_texts(every: Every) -> None:
    """The concatenated deltas of each choice equal `content` of the plain response (in `/completions`, `text`)."""
    for plain, streamed in every.pairs(Generated):
        for one, other in zip(streamed.choices, plain.choices, strict=False):
            if one.text or other.text:
                assert_same_text(one.text, other.text, f"text of `choices[{one.index}]` in the stream, joined")
        assert_equal(len(streamed.choices), len(plain.choices), "number of choices in the stream")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.finish_reason")
def test_same_finish_reasons(every: Every) -> None:
    """Each choice of a stream has the same `finish_reason` as in the plain response."""
    for plain, streamed in every.pairs(Generated):
        if _said(streamed) != _said(plain):
            continue  # Different texts may end for different reasons; `same_texts` judges the texts.
        assert_equal(
            [c.finish_reason for c in streamed.choices],
            [c.finish_reason for c in plain.choices],
            "`choices[].finish_reason` of the streamed response, compared with the plain one",
        )


@check("reasoning", SHOULD, "de-facto:reasoning_content")
def test_same_thoughts(every: Every) -> None:
    """The concatenated `reasoning_content` (or `reasoning`) deltas of each choice equal that of the plain response."""
    reasoned = False
    for plain, streamed in every.pairs(Chat):
        reasoned = reasoned or any(one.reasoning for answer in (plain, streamed) for one in answer.choices)
        for one, other in zip(streamed.choices, plain.choices, strict=False):
            if one.reasoning or other.reasoning:
                assert_same_text(
                    one.reasoning, other.reasoning, f"`reasoning_content` of `choices[{one.index}]` in the stream"
                )
    inconclusive_unless(reasoned, "no response has `reasoning_content` or `reasoning`")


@check("tools", SHOULD, "openapi:ChatCompletionMessageToolCallChunk")
def test_same_tool_calls(every: Every) -> None:
    """The concatenated `tool_calls` deltas of a stream have the names and arguments of the plain response."""
    called = False
    for plain, streamed in every.pairs(Chat):
        if any(one.tool_calls for answer in (plain, streamed) for one in answer.choices):
            called = True
            assert_same_calls(streamed, plain)
    inconclusive_unless(called, "no response has `tool_calls`")


@check("usage", MUST, "openapi:ChatCompletionStreamOptions.include_usage")
def test_same_usage(every: Every) -> None:
    """With `stream_options.include_usage`, a stream has the same `usage` as the plain response."""
    for plain, streamed in every.pairs(Generated, _asks_for_usage):
        assert_equal(
            streamed.tokens("prompt"), plain.tokens("prompt"), "`usage.prompt_tokens` of the streamed response"
        )
        if _said(streamed) == _said(plain):
            assert_equal(
                streamed.tokens("completion"),
                plain.tokens("completion"),
                "`usage.completion_tokens` of the streamed response",
            )


def _said(answer: Generated) -> list[tuple[str, str, list[str]]]:
    return [(choice.reasoning, choice.text, [c.arguments for c in choice.tool_calls]) for choice in answer.choices]


def _asks_for_usage(answer: Generated) -> bool:
    return bool((answer.sent.get("stream_options") or {}).get("include_usage"))
