"""What holds for each response, whatever the request: content types, framing, fields, ids, counts, rejections."""

from conformance.kit import (
    MUST,
    SHOULD,
    Answer,
    Chat,
    Completion,
    Embeddings,
    Every,
    Generated,
    Models,
    assert_at_least,
    assert_at_most,
    assert_equal,
    assert_less,
    assert_matches_schema,
    assert_none_of,
    check,
    inconclusive_unless,
    shown,
)

DAY = 24 * 60 * 60
"""Seconds by which a server's clock may differ from ours. More means another unit, or a constant."""

TYPE = "`Content-Type` header"


# Content types


@check("chat", MUST, "openapi:POST /chat/completions responses.200.content")
def test_chat_is_json(every: Every) -> None:
    """A plain chat response has the `Content-Type` `application/json`."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert_equal(answer.content_type, "application/json", TYPE)


@check("completions", MUST, "openapi:POST /completions responses.200.content")
def test_completion_is_json(every: Every) -> None:
    """A plain completion has the `Content-Type` `application/json`."""
    for answer in every.accepted(Completion, streamed=False, malformed=True):
        assert_equal(answer.content_type, "application/json", TYPE)


@check("embeddings", MUST, "openapi:POST /embeddings responses.200.content")
def test_embeddings_are_json(every: Every) -> None:
    """A response with embeddings has the `Content-Type` `application/json`."""
    for answer in every.accepted(Embeddings):
        assert_equal(answer.content_type, "application/json", TYPE)


@check("models", MUST, "openapi:GET /models responses.200.content")
def test_models_are_json(every: Every) -> None:
    """A response with models has the `Content-Type` `application/json`."""
    for answer in every.accepted(Models):
        assert_equal(answer.content_type, "application/json", TYPE)


@check("errors", SHOULD, "docs:guides/error-codes")
def test_errors_are_json(every: Every) -> None:
    """A rejection has the `Content-Type` `application/json`, also for `stream: true`."""
    for answer in every.rejected():
        assert_equal(answer.content_type, "application/json", TYPE)


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_streams_are_event_streams(every: Every) -> None:
    """A stream has the `Content-Type` `text/event-stream`."""
    for answer in every.accepted(Generated, streamed=True, malformed=True):
        assert_equal(answer.content_type, "text/event-stream", TYPE)


# Framing


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_framing_loses_nothing(every: Every) -> None:
    """Every byte of a stream is part of an event that clients receive, or of a comment."""
    for answer in every.accepted(Generated, streamed=True, malformed=True):
        lost = [f"{one.rule} (byte {one.offset})" for one in answer.events.violations]
        assert_none_of(lost, "lines of the event stream that clients lose")


@check("connections", MUST, "rfc:9112#8 a message that ends early is incomplete")
def test_answers_are_complete(every: Every) -> None:
    """Each request gets a response, and no connection closes before the response ends."""
    assert_none_of(every.fatal, "requests during which the server stopped answering")
    late = []
    for answer in every.of(Answer):
        if answer.exchange.error == "timeout":
            late.append(answer)
        else:
            detail = f"{answer.exchange.error}: {answer.exchange.error_detail}"
            assert answer.exchange.error is None, f"{answer.name}: expected a complete response, got {detail}"
    for answer in late:
        answer.assert_accepted()


# Shapes


@check("chat", MUST, "openapi:CreateChatCompletionResponse")
def test_chat_shape(every: Every) -> None:
    """A chat response has all fields that clients read, with the right types."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert_matches_schema(answer.body, "chat.completion")


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse")
def test_full_chat_shape(every: Every) -> None:
    """A chat response has every published field, with its nulls (`refusal`, `logprobs`)."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert_matches_schema(answer.body, "chat.completion.full")


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse")
def test_chunk_shape(every: Every) -> None:
    """A chunk of a chat stream has all fields that clients read, with the right types."""
    for answer in every.accepted(Chat, streamed=True, malformed=True):
        for chunk in answer.distinct_chunks:
            assert_matches_schema(chunk, "chat.completion.chunk")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse")
def test_full_chunk_shape(every: Every) -> None:
    """A chunk of a chat stream has every published field, and null only where the document allows it."""
    for answer in every.accepted(Chat, streamed=True, malformed=True):
        for chunk in answer.distinct_chunks:
            assert_matches_schema(chunk, "chat.completion.chunk.full")


@check("completions", MUST, "openapi:CreateCompletionResponse")
def test_completion_shape(every: Every) -> None:
    """A plain completion has all fields that clients read, with the right types."""
    for answer in every.accepted(Completion, streamed=False, malformed=True):
        assert_matches_schema(answer.body, "text_completion")


@check("completions", SHOULD, "openapi:CreateCompletionResponse")
def test_full_completion_shape(every: Every) -> None:
    """A plain completion has every published field, with its nulls (`logprobs`)."""
    for answer in every.accepted(Completion, streamed=False, malformed=True):
        assert_matches_schema(answer.body, "text_completion.full")


@check("completions", MUST, "openapi:CreateCompletionResponse")
def test_completion_chunk_shape(every: Every) -> None:
    """A chunk of a completion stream has all fields that clients read, with the right types."""
    for answer in every.accepted(Completion, streamed=True, malformed=True):
        for chunk in answer.distinct_chunks:
            assert_matches_schema(chunk, "text_completion.chunk")


@check("completions", SHOULD, "openapi:CreateCompletionResponse")
def test_full_completion_chunk_shape(every: Every) -> None:
    """A chunk of a completion stream has every published field, with its nulls."""
    for answer in every.accepted(Completion, streamed=True, malformed=True):
        for chunk in answer.distinct_chunks:
            assert_matches_schema(chunk, "text_completion.chunk.full")


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse")
def test_embeddings_shape(every: Every) -> None:
    """A response with embeddings has all fields that clients read, with the right types."""
    for answer in every.accepted(Embeddings):
        assert_matches_schema(answer.body, "embeddings")


@check("models", MUST, "openapi:ListModelsResponse")
def test_models_shape(every: Every) -> None:
    """The list of models has all fields that clients read, with the right types."""
    for answer in every.accepted(Models):
        shape = "models" if answer.wire.request.path == "/models" else "model"
        assert_matches_schema(answer.body, shape)


# Ids, times, names, numbers


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.id")
def test_ids_are_unique(every: Every) -> None:
    """No two responses have the same `id`."""
    owners: dict[int, str] = {}
    for answer in every.accepted(Generated):
        for one in answer.values("id"):
            owner = owners.setdefault(hash(str(one)), answer.name)
            assert owner == answer.name, f"expected a new `id`, got {shown(one)} again, the one of {owner}"


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.created")
def test_created_is_now(every: Every) -> None:
    """`created` is the time of the response, in Unix seconds."""
    for answer in every.accepted(Generated):
        for created in answer.values("created"):
            assert isinstance(created, int), f"expected an integer, got {shown(created)} (`created`)"
            assert_less(abs(created - answer.wire.started_at), DAY, "seconds between `created` and our clock")


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.model")
def test_model_is_named(every: Every) -> None:
    """`model` names the model that made the response."""
    for answer in every.accepted(Generated):
        assert "" not in answer.values("model"), "expected the name of the model, got an empty string (`model`)"


@check("chat", MUST, "openapi:CreateChatCompletionResponse.choices.index")
def test_choices_are_numbered(every: Every) -> None:
    """`index` numbers the choices of a response from 0, each once."""
    for answer in every.accepted(Generated):
        indices = [choice.index for choice in answer.choices]
        assert_equal(indices, list(range(len(answer.choices))), "`choices[].index`")


# Counts of tokens


@check("usage", MUST, "openapi:CompletionUsage.total_tokens")
def test_total_is_the_sum(every: Every) -> None:
    """`usage.total_tokens` is the sum of `prompt_tokens` and `completion_tokens`."""
    for answer in every.accepted(Generated, streamed=False):
        total, both = answer.tokens("total"), answer.tokens("prompt") + answer.tokens("completion")
        assert_equal(total, both, "`usage.total_tokens`")


@check("usage", MUST, "openapi:CompletionUsage.prompt_tokens")
def test_prompt_is_counted(every: Every) -> None:
    """`usage.prompt_tokens` is at least 1."""
    for answer in every.accepted(Chat, streamed=False):
        assert_at_least(answer.tokens("prompt"), 1, "`usage.prompt_tokens`")


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens")
def test_completion_is_counted(every: Every) -> None:
    """`usage.completion_tokens` is at least 1, unless the response is empty."""
    for answer in every.accepted(Chat, streamed=False):
        made = any(choice.text or choice.reasoning or choice.tool_calls for choice in answer.choices)
        assert answer.tokens("completion") >= 1 or not made, (
            "expected at least 1 for a response that is not empty, got less (`usage.completion_tokens`)"
        )


@check("usage", SHOULD, "openapi:CreateChatCompletionRequest.max_completion_tokens")
def test_completion_is_within_the_limit(
    count: Chat, count_max_tokens: Chat, count_max_completion_tokens: Chat, every: Every
) -> None:
    """`usage.completion_tokens` is at most `max_tokens` or `max_completion_tokens` for each choice."""
    cut = {"max_tokens": count_max_tokens, "max_completion_tokens": count_max_completion_tokens}
    kept = [name for name, answer in cut.items() if answer.ok and answer.said != count.said]
    inconclusive_unless(kept, "expected a limit that shortens a response, got none")
    for answer in every.accepted(Chat, streamed=False):
        limits = [answer.sent.get(name) for name in kept]
        asked = [limit for limit in limits if isinstance(limit, int) and limit > 0]
        if asked:
            limit = max(asked) * len(answer.choices)
            assert_at_most(answer.tokens("completion"), limit, "`usage.completion_tokens`")


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens_details")
def test_parts_are_within_the_whole(every: Every) -> None:
    """`cached_tokens` is at most `prompt_tokens`, and `reasoning_tokens` at most `completion_tokens`."""
    told = False
    for answer in every.accepted(Generated, streamed=False):
        for kind, part in (("prompt", "cached_tokens"), ("completion", "reasoning_tokens")):
            details = answer.usage.get(f"{kind}_tokens_details") or {}
            told = told or part in details
            where = f"`usage.{kind}_tokens_details.{part}`"
            assert_at_most(details.get(part) or 0, answer.tokens(kind), where)
    inconclusive_unless(told, "expected details of token counts, got none (`usage`)")


# Rejections


@check("errors", MUST, "openapi:ErrorResponse")
def test_error_shape(every: Every) -> None:
    """A rejection has an `error` object with a `message` and a `type`."""
    for answer in every.rejected():
        assert_matches_schema(answer.json, "error")


@check("errors", SHOULD, "openapi:Error")
def test_full_error_shape(every: Every) -> None:
    """A rejection has all published fields of `error`: `message`, `type`, `param`, and `code`, not as a number."""
    for answer in every.rejected():
        assert_matches_schema(answer.json, "error.full")


@check("errors", MUST, "rfc:9110#15.5")
def test_no_request_breaks_the_server(every: Every) -> None:
    """No request, valid or not, gets a 5xx other than 501, or stops the server."""
    assert_none_of(every.fatal, "requests during which the server stopped answering")
    for answer in every.of(Answer, lambda a: a.exchange.status is not None):
        status = answer.exchange.status or 0
        assert status < 500 or status == 501, f"expected a status below 500, or 501, got {status} (HTTP status)"
