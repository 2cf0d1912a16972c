"""Streaming: the answer comes in pieces, as server-sent events, while it is made."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Every,
    Generated,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
)

PIECES = 4
"""Fewest pieces of an answer of over a hundred tokens. A server may put some tokens into one event, but not a third."""

SPREAD = 0.2
"""Least part of a stream's time in which its events arrive. Reading a prompt of a dozen tokens takes far less time than
writing a hundred; where everything is written first and sent then, all events arrive at the very end."""

MEASURABLE = 0.25
"""Seconds that a stream must take for its spread to count against a server: in less, a busy machine can hide it."""


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream", core=True)
def test_text_is_that_of_the_plain_answer(count: Chat, count_streamed: Chat) -> None:
    """The pieces joined are the text of the plain answer."""
    assert_same_text(count_streamed.text, count.text)


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream", core=True)
def test_text_comes_in_pieces(long_streams: list[Chat]) -> None:
    """A long answer comes in several pieces."""
    for answer in long_streams:
        inconclusive_unless(len(answer.text) > 100, "the model gave no long answer", actual=answer.text)
        pieces = [delta["content"] for delta in answer.deltas() if delta.get("content")]
        assert len(pieces) >= PIECES


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_pieces_arrive_while_they_are_made(long_streams: list[Chat]) -> None:
    """The first pieces arrive long before the last, not all at the end."""
    inconclusive_unless(all(len(answer.text) > 100 for answer in long_streams), "the model gave no long answer")
    times = [(answer.arrivals[0], answer.arrivals[-1]) for answer in long_streams]
    spread = max(1 - first / last for first, last in times)
    at_once = all(len(set(answer.arrivals)) < PIECES for answer in long_streams)
    inconclusive_unless(
        spread >= SPREAD or at_once or min(last for _, last in times) > MEASURABLE,
        "the answers came too fast to tell",
    )
    assert spread >= SPREAD


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_no_stream_unless_asked(stream_off: list[Chat]) -> None:
    """`stream` false or null gives the plain answer."""
    for answer in stream_off:
        assert isinstance(answer.choice.raw.get("message"), dict)
        assert not answer.unasked


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_only_when_asked(every: Every) -> None:
    """Without `stream: true` the response is one JSON object, not an event stream."""
    for answer in every.of(Generated, lambda a: a.ok and a.asks_for_none, what="accepted plain"):
        assert not answer.unasked, f"{answer.name}: expected a JSON object, got an event stream"


@check("streaming", MUST, "openapi:ChatCompletionStreamOptions.include_usage [DONE]")
def test_done_is_the_last_event(every: Every) -> None:
    """The last event of a stream is `[DONE]`, and no other is."""
    for answer in every.accepted(Generated, streamed=True, malformed=True):
        assert answer.data[-1:] == ["[DONE]"]
        assert "[DONE]" not in answer.data[:-1]


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.id")
def test_chunks_have_one_id(every: Every) -> None:
    """All chunks of a stream have the same id."""
    for answer in every.accepted(Generated, streamed=True):
        assert len(answer.values("id")) == 1, answer.values("id")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.created")
def test_chunks_have_one_time(every: Every) -> None:
    """All chunks of a stream have the same `created`, or at most each its own time."""
    for answer in every.accepted(Chat, streamed=True):
        times = [float(created) for created in answer.values("created")]
        assert max(times) - min(times) <= 1 + answer.arrivals[-1]


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.model")
def test_chunks_have_one_model(every: Every) -> None:
    """All chunks of a stream name the same model."""
    for answer in every.accepted(Chat, streamed=True):
        assert len(answer.values("model")) == 1, answer.values("model")


@check("streaming", MUST, "sdk:openai-node ChatCompletionStream wants a role for each choice")
def test_role_is_assistant(every: Every) -> None:
    """The deltas of each choice say that its role is `assistant`."""
    for answer in every.accepted(Chat, streamed=True):
        for choice in answer.choices:
            assert choice.role == "assistant"


@check("streaming", SHOULD, "sdk:openai-python accumulate_delta joins what is repeated to assistantassistant")
def test_role_is_said_once(every: Every) -> None:
    """No delta but the first of a choice has the role."""
    for answer in every.accepted(Chat, streamed=True):
        for choice in answer.choices:
            assert [delta["role"] for delta in answer.deltas(choice.index)[1:] if delta.get("role")] == []


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.choices.finish_reason")
def test_one_finish_reason(every: Every) -> None:
    """Each choice of a stream has exactly one finish_reason."""
    for answer in every.accepted(Generated, streamed=True):
        for choice in answer.choices:
            reasons = [raw["finish_reason"] for raw in answer.pieces(choice.index) if raw.get("finish_reason")]
            assert len(reasons) == 1, reasons


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.choices.finish_reason")
def test_nothing_after_the_finish_reason(every: Every) -> None:
    """No choice goes on after the chunk with its finish_reason."""
    for answer in every.accepted(Generated, streamed=True):
        for choice in answer.choices:
            ended = [bool(raw.get("finish_reason")) for raw in answer.pieces(choice.index)]
            assert True not in ended[:-1]


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.choices")
def test_only_the_usage_chunk_has_no_choices(every: Every) -> None:
    """Each chunk has a choice, except the one with the usage: clients read `choices[0]`."""
    for answer in every.accepted(Chat, streamed=True):
        assert [chunk for chunk in answer.chunks if not chunk.get("choices") and not chunk.get("usage")] == []


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.finish_reason")
def test_finish_reason_is_length(count_streamed: Chat, count_max_tokens_streamed: Chat) -> None:
    """A stream that max_tokens cut ends with finish_reason `length`."""
    inconclusive_unless(count_max_tokens_streamed.said != count_streamed.said, "`max_tokens` has no effect")
    assert count_max_tokens_streamed.finish_reason == "length"


@check("streaming", MUST, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_comes_last(count_with_usage: Chat) -> None:
    """With include_usage, the last chunk has the usage and no choices."""
    ignored_unless([chunk for chunk in count_with_usage.chunks if chunk.get("usage")], "no chunk has the usage")
    last = count_with_usage.chunks[-1]
    assert last.get("usage")
    assert last.get("choices") == []


@check("streaming", MUST, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_comes_once(count_with_usage: Chat) -> None:
    """With include_usage, one chunk has the usage: clients that add up would count twice."""
    assert len([chunk["usage"] for chunk in count_with_usage.chunks if chunk.get("usage")]) == 1


@check("streaming", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_is_null_before(count_with_usage: Chat) -> None:
    """With include_usage, all chunks but the last have `usage: null`."""
    for chunk in count_with_usage.chunks[:-1]:
        assert chunk.get("usage", "absent") is None


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.usage")
def test_no_usage_unless_asked(count_streamed: Chat) -> None:
    """Without include_usage no chunk has a usage."""
    assert [chunk["usage"] for chunk in count_streamed.chunks if chunk.get("usage")] == []


@check("streaming", SHOULD, "openapi:ChatCompletionStreamOptions")
def test_refuses_stream_options_alone(bad_stream_options: Chat) -> None:
    """`stream_options` without `stream: true` is refused with 400."""
    expect_rejection(bad_stream_options, 400)


@check("streaming", SHOULD, "docs:guides/error-codes")
def test_refuses_with_a_status(bad_streamed_messages: Chat) -> None:
    """A bad request for a stream is refused with 400 and a JSON body, not with a stream."""
    expect_rejection(bad_streamed_messages, 400)
    assert bad_streamed_messages.content_type == "application/json"


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.choices.delta.content")
def test_characters_stay_whole(emoji: Chat, emoji_streamed: Chat) -> None:
    """A character of several bytes is never cut: no piece has U+FFFD in its place."""
    inconclusive_unless(
        "😀" in emoji.text and "\ufffd" not in emoji.text, "the model did not write the emoji", actual=emoji.text
    )
    assert [delta["content"] for delta in emoji_streamed.deltas() if "\ufffd" in (delta.get("content") or "")] == []
    assert_same_text(emoji_streamed.text, emoji.text)
