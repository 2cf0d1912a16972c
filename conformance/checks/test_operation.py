"""Operation: cached tokens, fingerprints, and chunks that arrive in time."""

from conformance.kit import (
    MAY,
    SHOULD,
    Chat,
    Every,
    assert_at_least,
    assert_at_most,
    assert_none_of,
    check,
    ignored_unless,
    inconclusive_unless,
    shown,
)

CACHED = "openapi:CompletionUsage.prompt_tokens_details.cached_tokens"
PIECES = 3
SEVERAL = 10
"""Responses of which two must come from the same machine."""


def cached(answer: Chat) -> int:
    """How many tokens of the prompt came from the cache, as the usage says."""
    found = (answer.usage.get("prompt_tokens_details") or {}).get("cached_tokens")
    inconclusive_unless(isinstance(found, int), "`usage` has no `cached_tokens`")
    return int(found or 0)


@check("usage", MAY, CACHED)
def test_a_repeated_prompt_is_cached(long_prompt_again: list[Chat]) -> None:
    """`cached_tokens` counts most of a prompt of a thousand tokens that was sent before."""
    _, again, _ = long_prompt_again
    inconclusive_unless(again.tokens("prompt") >= 1024, "the prompt has fewer than 1,024 tokens")
    ignored_unless(2 * cached(again) > again.tokens("prompt"), "a repeated prompt is not cached (`cached_tokens`)")


@check("usage", MAY, CACHED)
def test_a_continued_prompt_is_cached(long_prompt_again: list[Chat]) -> None:
    """`cached_tokens` counts most of a conversation whose beginning was sent before."""
    first, _, longer = long_prompt_again
    inconclusive_unless(first.tokens("prompt") >= 1024, "the prompt has fewer than 1,024 tokens")
    ignored_unless(2 * cached(longer) > first.tokens("prompt"), "a continued prompt is not cached (`cached_tokens`)")


@check("usage", MAY, CACHED)
def test_a_repeated_stream_is_cached(long_stream_again: list[Chat]) -> None:
    """`cached_tokens` counts most of a prompt of a thousand tokens that was sent before, if both are streams."""
    _, again = long_stream_again
    inconclusive_unless(again.tokens("prompt") >= 1024, "the prompt has fewer than 1,024 tokens")
    ignored_unless(2 * cached(again) > again.tokens("prompt"), "a repeated stream is not cached (`cached_tokens`)")


@check("usage", MAY, CACHED)
def test_replayed_calls_stay_cached(long_loop_again: list[Chat]) -> None:
    """`cached_tokens` counts most of a repeated conversation, whatever the order and spaces of its `arguments`."""
    first, later = long_loop_again
    inconclusive_unless(first.tokens("prompt") >= 1024, "the prompt has fewer than 1,024 tokens")
    ignored_unless(4 * cached(later) > 3 * first.tokens("prompt"), "a continued tool loop is not cached")


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.system_fingerprint")
def test_the_fingerprint_stays(every: Every) -> None:
    """`system_fingerprint`, if present, is a string; responses of the same configuration have the same."""
    told = []
    for answer in every.accepted(Chat):
        given = [value for value in answer.values("system_fingerprint") if value is not None]
        wrong = [value for value in given if not isinstance(value, str)]
        assert_none_of(wrong, "values of `system_fingerprint` that are not strings")
        assert_at_most(len(given), 1, f"different values in one response: {shown(given)} (`system_fingerprint`)")
        told += given
    # Several machines may answer, each with a configuration of its own.
    inconclusive_unless(not told or len(told) >= SEVERAL, f"fewer than {SEVERAL} responses have `system_fingerprint`")
    assert not told or len(set(told)) < len(told), (
        f"expected responses of the same configuration, got another `system_fingerprint` in each of {len(told)}"
    )


@check("tools", SHOULD, "openapi:ChatCompletionMessageToolCallChunk.function.arguments")
def test_arguments_come_in_pieces(call_flags_streamed: Chat) -> None:
    """`arguments` of about a hundred tokens are streamed in several deltas."""
    inconclusive_unless(call_flags_streamed.tool_calls, "the model called no tool")
    inconclusive_unless(len(call_flags_streamed.tool_calls[0].arguments) > 200, "the model's arguments are short")
    pieces = next(iter(call_flags_streamed.call_deltas().values()), [])
    told = [piece for piece in pieces if (piece.get("function") or {}).get("arguments")]
    assert_at_least(len(told), PIECES, "deltas with `function.arguments`")


@check("streaming", SHOULD, "rfc:9110#12.5.3 a response to a client that accepts gzip is the same response")
def test_compression_holds_nothing_back(long_streams: list[Chat], long_stream_gzip: Chat) -> None:
    """A stream arrives chunk by chunk, even if the client accepts gzip."""
    inconclusive_unless(all(len(answer.text) > 100 for answer in long_streams), "the model gave no long response")
    inconclusive_unless(
        all(len(set(answer.arrivals)) > 3 * PIECES for answer in long_streams), "no stream arrives chunk by chunk"
    )
    inconclusive_unless(len(long_stream_gzip.text) > 100, "the model gave no long response")
    assert_at_least(len(set(long_stream_gzip.arrivals)), PIECES, "different times at which parts of the stream arrived")
