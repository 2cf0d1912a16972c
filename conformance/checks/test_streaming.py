"""Streaming: the response comes in chunks, as server-sent events, while it is generated."""

from typing import Any

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Every,
    Generated,
    assert_at_least,
    assert_at_most,
    assert_equal,
    assert_none_of,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    shown,
)

DELTAS = 4
"""The fewest deltas of a response of over 100 tokens. A server may put some tokens into one chunk, but not a third."""

SPREAD = 0.2
"""The least part of a stream's time in which its events must arrive. Reading a prompt of a dozen tokens takes far less
time than generating a hundred; if a server generates everything before it sends it, all events arrive at the end."""

MEASURABLE = 0.25
"""Seconds that a stream must take before its spread counts: on a busy machine, shorter ones tell nothing."""

SHORT = "expected more than 100 characters of content, got fewer"


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream", core=True)
def test_text_is_that_of_the_plain_answer(count: Chat, count_streamed: Chat) -> None:
    """The concatenated `content` of all deltas equals the `content` of the plain response."""
    assert_same_text(count_streamed.text, count.text, "`choices[0].delta.content`, joined")


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream", core=True)
def test_text_comes_in_pieces(long_streams: list[Chat]) -> None:
    """The `content` of a long response comes in several deltas."""
    for answer in long_streams:
        inconclusive_unless(len(answer.text) > 100, SHORT, actual=answer.text)
        written = [delta["content"] for delta in answer.deltas() if delta.get("content")]
        assert_at_least(len(written), DELTAS, f"number of deltas with `content`, for {len(answer.text)} characters")


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_pieces_arrive_while_they_are_made(long_streams: list[Chat]) -> None:
    """The first chunks of a stream arrive long before the last, not all at the end."""
    inconclusive_unless(all(len(answer.text) > 100 for answer in long_streams), SHORT)
    times = [(answer.arrivals[0], answer.arrivals[-1]) for answer in long_streams]
    spread = max(1 - first / last for first, last in times)
    at_once = all(len(set(answer.arrivals)) < DELTAS for answer in long_streams)
    inconclusive_unless(
        spread >= SPREAD or at_once or min(last for _, last in times) > MEASURABLE,
        "expected streams that take more than 0.25 s, got faster ones",
    )
    assert spread >= SPREAD, (
        f"expected chunks during at least {SPREAD:.0%} of the stream's time, got all within its last {spread:.0%}"
    )


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_no_stream_unless_asked(stream_off: list[Chat]) -> None:
    """With `stream: false` or `stream: null`, the response is one JSON object, not an event stream."""
    for answer in stream_off:
        message = answer.choice.raw.get("message")
        assert isinstance(message, dict), f"expected an object, got {shown(message)} (`choices[0].message`)"
        assert not answer.unasked, f"{answer.name}: expected a JSON object, got an event stream (`Content-Type` header)"


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_only_when_asked(every: Every) -> None:
    """Without `stream: true`, the response is one JSON object, not an event stream."""
    for answer in every.of(Generated, lambda a: a.ok and a.asks_for_none, what="accepted plain"):
        assert not answer.unasked, f"{answer.name}: expected a JSON object, got an event stream"


@check("streaming", MUST, "openapi:ChatCompletionStreamOptions.include_usage [DONE]")
def test_done_is_the_last_event(every: Every) -> None:
    """The last event of a stream is `[DONE]`, which comes exactly once."""
    for answer in every.accepted(Generated, streamed=True, malformed=True):
        assert_equal(answer.data[-1:], ["[DONE]"], "data of the last event")
        assert "[DONE]" not in answer.data[:-1], "expected `[DONE]` in the last event only, got it before (event data)"


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.id")
def test_chunks_have_one_id(every: Every) -> None:
    """All chunks of a stream have the same `id`."""
    for answer in every.accepted(Generated, streamed=True):
        assert len(answer.values("id")) == 1, (
            f"expected one value, got {shown(answer.values('id'))} (`id` of the chunks)"
        )


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.created")
def test_chunks_have_one_time(every: Every) -> None:
    """`created` is the same in all chunks of a stream, or differs by at most the duration of the stream."""
    for answer in every.accepted(Chat, streamed=True):
        times = [float(created) for created in answer.values("created")]
        took = 1 + answer.arrivals[-1]
        assert_at_most(
            max(times) - min(times), took, "seconds between the least and the greatest `created` of the chunks"
        )


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.model")
def test_chunks_have_one_model(every: Every) -> None:
    """All chunks of a stream have the same `model`."""
    for answer in every.accepted(Chat, streamed=True):
        names = answer.values("model")
        assert len(names) == 1, f"expected one value, got {shown(names)} (`model` of the chunks)"


@check("streaming", MUST, "sdk:openai-node ChatCompletionStream wants a role for each choice")
def test_role_is_assistant(every: Every) -> None:
    """`delta.role` is `assistant` for each choice of a stream."""
    for answer in every.accepted(Chat, streamed=True):
        for choice in answer.choices:
            assert_equal(choice.role, "assistant", f"`choices[{choice.index}].delta.role`")


@check("streaming", SHOULD, "sdk:openai-python accumulate_delta joins what is repeated to assistantassistant")
def test_role_is_said_once(every: Every) -> None:
    """Only the first delta of a choice has a `role`."""
    for answer in every.accepted(Chat, streamed=True):
        for choice in answer.choices:
            again = [delta["role"] for delta in answer.deltas(choice.index)[1:] if delta.get("role")]
            assert_none_of(again, f"`choices[{choice.index}].delta.role` after the first delta")


def says_something(raw: dict[str, Any]) -> bool:
    """Whether the entry of a choice has text, a call or its end: an empty one beside `usage` is judged with `usage`."""
    delta = raw.get("delta") or {}
    members = [raw.get("finish_reason"), raw.get("text"), *(delta.values() if isinstance(delta, dict) else [delta])]
    return any(members)


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.choices.finish_reason")
def test_one_finish_reason(every: Every) -> None:
    """Each choice of a stream has exactly one `finish_reason`."""
    for answer in every.accepted(Generated, streamed=True):
        for choice in answer.choices:
            reasons = [raw["finish_reason"] for raw in answer.pieces(choice.index) if raw.get("finish_reason")]
            assert len(reasons) == 1, (
                f"expected exactly one, got {shown(reasons)} (`choices[{choice.index}].finish_reason`)"
            )


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.choices.finish_reason")
def test_nothing_after_the_finish_reason(every: Every) -> None:
    """The chunk with the `finish_reason` is the last one of its choice."""
    for answer in every.accepted(Generated, streamed=True):
        for choice in answer.choices:
            ended = [bool(raw.get("finish_reason")) for raw in answer.pieces(choice.index) if says_something(raw)]
            assert True not in ended[:-1], (
                "expected nothing after the `finish_reason`, "
                f"got {len(ended) - 1 - ended.index(True)} more chunks (`choices[{choice.index}]`)"
            )


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.choices")
def test_only_the_usage_chunk_has_no_choices(every: Every) -> None:
    """`choices` of a chunk is empty only if the chunk has `usage`: clients read `choices[0]`."""
    for answer in every.accepted(Chat, streamed=True):
        empty = [chunk for chunk in answer.chunks if not chunk.get("choices") and not chunk.get("usage")]
        assert_none_of(empty, "chunks with neither `choices` nor `usage`")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.finish_reason")
def test_finish_reason_is_length(count_streamed: Chat, count_max_tokens_streamed: Chat) -> None:
    """`finish_reason` is `length` in a stream that `max_tokens` truncates."""
    inconclusive_unless(
        count_max_tokens_streamed.said != count_streamed.said,
        "expected `max_tokens` to shorten the stream, got the same content",
    )
    assert_equal(count_max_tokens_streamed.finish_reason, "length", "`choices[0].finish_reason`")


@check("streaming", MUST, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_comes_last(count_with_usage: Chat) -> None:
    """With `include_usage`, the last chunk has `usage`, and its `choices` is empty."""
    counted = [chunk for chunk in count_with_usage.chunks if chunk.get("usage")]
    ignored_unless(counted, "expected a chunk with `usage`, got none")
    last = count_with_usage.chunks[-1]
    assert last.get("usage"), "expected an object, got nothing (`usage` of the last chunk)"
    assert_equal(last.get("choices"), [], "`choices` of the last chunk")


@check("streaming", MUST, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_comes_once(count_with_usage: Chat) -> None:
    """With `include_usage`, exactly one chunk has `usage`: clients that add them up would count twice."""
    counted = [chunk["usage"] for chunk in count_with_usage.chunks if chunk.get("usage")]
    assert_equal(len(counted), 1, "number of chunks with `usage`")


@check("streaming", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_is_null_before(count_with_usage: Chat) -> None:
    """With `include_usage`, `usage` is null in all chunks but the last."""
    for number, chunk in enumerate(count_with_usage.chunks[:-1]):
        got = shown(chunk["usage"]) if "usage" in chunk else "nothing"
        assert got == "null", f"expected null, got {got} (`usage` of chunk {number})"


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.usage")
def test_no_usage_unless_asked(count_streamed: Chat) -> None:
    """Without `include_usage`, no chunk has `usage`."""
    counted = [chunk["usage"] for chunk in count_streamed.chunks if chunk.get("usage")]
    assert_none_of(counted, "`usage` of the chunks without `include_usage`")


@check("streaming", SHOULD, "openapi:ChatCompletionStreamOptions")
def test_refuses_stream_options_alone(bad_stream_options: Chat) -> None:
    """`stream_options` without `stream: true` is rejected with 400."""
    expect_rejection(bad_stream_options, 400)


@check("streaming", SHOULD, "docs:guides/error-codes")
def test_refuses_with_a_status(bad_streamed_messages: Chat) -> None:
    """An invalid request with `stream: true` is rejected with 400 and a JSON body, not with a stream."""
    expect_rejection(bad_streamed_messages, 400)
    assert_equal(bad_streamed_messages.content_type, "application/json", "`Content-Type` header")


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse.choices.delta.content")
def test_characters_stay_whole(emoji: Chat, emoji_streamed: Chat) -> None:
    """`delta.content` never splits a character of several bytes: no delta has U+FFFD in its place."""
    inconclusive_unless(
        "😀" in emoji.text and "\ufffd" not in emoji.text,
        "expected '😀' in the content, got a response without it",
        actual=emoji.text,
    )
    broken = [delta["content"] for delta in emoji_streamed.deltas() if "\ufffd" in (delta.get("content") or "")]
    assert_none_of(broken, "`delta.content` with U+FFFD")
    assert_same_text(emoji_streamed.text, emoji.text, "`choices[0].delta.content`, joined")
