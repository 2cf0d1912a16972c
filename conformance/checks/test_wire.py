"""What holds for each answer, whatever was asked: content types, framing, shapes, ids, counts, refusals."""

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
    assert_matches_schema,
    check,
    inconclusive_unless,
)

DAY = 24 * 60 * 60
"""Seconds by which a server's clock may differ from ours. More is no clock, but another unit or a constant."""


# Content types


@check("chat", MUST, "openapi:POST /chat/completions responses.200.content")
def test_chat_is_json(every: Every) -> None:
    """A plain chat answer has the content type application/json."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert answer.content_type == "application/json"


@check("completions", MUST, "openapi:POST /completions responses.200.content")
def test_completion_is_json(every: Every) -> None:
    """A plain completion has the content type application/json."""
    for answer in every.accepted(Completion, streamed=False, malformed=True):
        assert answer.content_type == "application/json"


@check("embeddings", MUST, "openapi:POST /embeddings responses.200.content")
def test_embeddings_are_json(every: Every) -> None:
    """An answer with embeddings has the content type application/json."""
    for answer in every.accepted(Embeddings):
        assert answer.content_type == "application/json"


@check("models", MUST, "openapi:GET /models responses.200.content")
def test_models_are_json(every: Every) -> None:
    """An answer with models has the content type application/json."""
    for answer in every.accepted(Models):
        assert answer.content_type == "application/json"


@check("errors", SHOULD, "docs:guides/error-codes")
def test_errors_are_json(every: Every) -> None:
    """A refusal has the content type application/json, also where a stream was asked for."""
    for answer in every.refused():
        assert answer.content_type == "application/json"


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_streams_are_event_streams(every: Every) -> None:
    """A stream has the content type text/event-stream."""
    for answer in every.accepted(Generated, streamed=True, malformed=True):
        assert answer.content_type == "text/event-stream"


# Framing


@check("streaming", MUST, "openapi:CreateChatCompletionRequest.stream")
def test_framing_loses_nothing(every: Every) -> None:
    """Each byte of a stream is part of an event that clients receive, or a comment."""
    for answer in every.accepted(Generated, streamed=True, malformed=True):
        assert answer.events.violations == ()


@check("connections", MUST, "rfc:9112#8 a message that ends early is incomplete")
def test_answers_are_complete(every: Every) -> None:
    """Each request gets an answer, and no connection closes before its end."""
    assert every.fatal == [], f"no response to {' and '.join(every.fatal)}"
    late = []
    for answer in every.of(Answer):
        if answer.exchange.error == "timeout":
            late.append(answer)
        else:
            assert answer.exchange.error is None, answer.exchange.error_detail
    for answer in late:
        answer.accepted()


# Shapes


@check("chat", MUST, "openapi:CreateChatCompletionResponse")
def test_chat_shape(every: Every) -> None:
    """A chat answer has all that clients read, in the right types."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert_matches_schema(answer.body, "chat.completion")


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse")
def test_full_chat_shape(every: Every) -> None:
    """A chat answer has the complete published form, with its nulls (`refusal`, `logprobs`)."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert_matches_schema(answer.body, "chat.completion.full")


@check("streaming", MUST, "openapi:CreateChatCompletionStreamResponse")
def test_chunk_shape(every: Every) -> None:
    """A chunk of a chat stream has all that clients read, in the right types."""
    for answer in every.accepted(Chat, streamed=True, malformed=True):
        for chunk in answer.distinct_chunks:
            assert_matches_schema(chunk, "chat.completion.chunk")


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse")
def test_full_chunk_shape(every: Every) -> None:
    """A chunk of a chat stream has the complete published form, with nulls only where that has them."""
    for answer in every.accepted(Chat, streamed=True, malformed=True):
        for chunk in answer.distinct_chunks:
            assert_matches_schema(chunk, "chat.completion.chunk.full")


@check("completions", MUST, "openapi:CreateCompletionResponse")
def test_completion_shape(every: Every) -> None:
    """A plain completion has all that clients read, in the right types."""
    for answer in every.accepted(Completion, streamed=False, malformed=True):
        assert_matches_schema(answer.body, "text_completion")


@check("completions", SHOULD, "openapi:CreateCompletionResponse")
def test_full_completion_shape(every: Every) -> None:
    """A plain completion has the complete published form, with its nulls (`logprobs`)."""
    for answer in every.accepted(Completion, streamed=False, malformed=True):
        assert_matches_schema(answer.body, "text_completion.full")


@check("completions", MUST, "openapi:CreateCompletionResponse")
def test_completion_chunk_shape(every: Every) -> None:
    """A chunk of a completion's stream has all that clients read, in the right types."""
    for answer in every.accepted(Completion, streamed=True, malformed=True):
        for chunk in answer.distinct_chunks:
            assert_matches_schema(chunk, "text_completion.chunk")


@check("completions", SHOULD, "openapi:CreateCompletionResponse")
def test_full_completion_chunk_shape(every: Every) -> None:
    """A chunk of a completion's stream has the complete published form, with its nulls."""
    for answer in every.accepted(Completion, streamed=True, malformed=True):
        for chunk in answer.distinct_chunks:
            assert_matches_schema(chunk, "text_completion.chunk.full")


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse")
def test_embeddings_shape(every: Every) -> None:
    """An answer with embeddings has all that clients read, in the right types."""
    for answer in every.accepted(Embeddings):
        assert_matches_schema(answer.body, "embeddings")


@check("models", MUST, "openapi:ListModelsResponse")
def test_models_shape(every: Every) -> None:
    """The list of models has all that clients read, in the right types."""
    for answer in every.accepted(Models):
        shape = "models" if answer.wire.request.path == "/models" else "model"
        assert_matches_schema(answer.body, shape)


# Ids, times, names, numbers


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.id")
def test_ids_are_unique(every: Every) -> None:
    """No two answers have the same id."""
    owners: dict[str, str] = {}
    for answer in every.accepted(Generated):
        for one in answer.values("id"):
            assert owners.setdefault(str(one), answer.name) == answer.name, one


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.created")
def test_created_is_now(every: Every) -> None:
    """`created` is the time of the answer in seconds."""
    for answer in every.accepted(Generated):
        for created in answer.values("created"):
            assert isinstance(created, int)
            assert abs(created - answer.wire.started_at) < DAY


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.model")
def test_model_is_named(every: Every) -> None:
    """An answer names the model that made it."""
    for answer in every.accepted(Generated):
        assert "" not in answer.values("model")


@check("chat", MUST, "openapi:CreateChatCompletionResponse.choices.index")
def test_choices_are_numbered(every: Every) -> None:
    """The choices of an answer are numbered from 0, each number once."""
    for answer in every.accepted(Generated):
        assert [choice.index for choice in answer.choices] == list(range(len(answer.choices)))


# Counts of tokens


@check("usage", MUST, "openapi:CompletionUsage.total_tokens")
def test_total_is_the_sum(every: Every) -> None:
    """A plain answer has a usage, whose total is that of prompt and completion."""
    for answer in every.accepted(Generated, streamed=False):
        assert answer.tokens("total") == answer.tokens("prompt") + answer.tokens("completion")


@check("usage", MUST, "openapi:CompletionUsage.prompt_tokens")
def test_prompt_is_counted(every: Every) -> None:
    """No conversation has zero tokens."""
    for answer in every.accepted(Chat, streamed=False):
        assert answer.tokens("prompt") >= 1


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens")
def test_completion_is_counted(every: Every) -> None:
    """No text, thought or tool call has zero tokens."""
    for answer in every.accepted(Chat, streamed=False):
        made = any(choice.text or choice.reasoning or choice.tool_calls for choice in answer.choices)
        assert answer.tokens("completion") >= 1 or not made


@check("usage", SHOULD, "openapi:CreateChatCompletionRequest.max_completion_tokens")
def test_completion_is_within_the_limit(
    count: Chat, count_max_tokens: Chat, count_max_completion_tokens: Chat, every: Every
) -> None:
    """No answer has more tokens than the request allows for each of its choices."""
    cut = {"max_tokens": count_max_tokens, "max_completion_tokens": count_max_completion_tokens}
    kept = [name for name, answer in cut.items() if answer.ok and answer.said != count.said]
    inconclusive_unless(kept, "no limit has an effect")
    for answer in every.accepted(Chat, streamed=False):
        limits = [answer.sent.get(name) for name in kept]
        asked = [limit for limit in limits if isinstance(limit, int) and limit > 0]
        assert not asked or answer.tokens("completion") <= max(asked) * len(answer.choices)


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens_details")
def test_parts_are_within_the_whole(every: Every) -> None:
    """Cached tokens are some of the prompt's, and reasoning tokens some of the completion's."""
    told = False
    for answer in every.accepted(Generated, streamed=False):
        for kind, part in (("prompt", "cached_tokens"), ("completion", "reasoning_tokens")):
            details = answer.usage.get(f"{kind}_tokens_details") or {}
            told = told or part in details
            assert (details.get(part) or 0) <= answer.tokens(kind)
    inconclusive_unless(told, "no answer has such details")


# Refusals


@check("errors", MUST, "openapi:ErrorResponse")
def test_error_shape(every: Every) -> None:
    """A refusal has an error object with a message and a type."""
    for answer in every.refused():
        assert_matches_schema(answer.json, "error")


@check("errors", SHOULD, "openapi:Error")
def test_full_error_shape(every: Every) -> None:
    """A refusal has the complete published form: message, type, param and code, the code no number."""
    for answer in every.refused():
        assert_matches_schema(answer.json, "error.full")


@check("errors", MUST, "rfc:9110#15.5")
def test_no_request_breaks_the_server(every: Every) -> None:
    """No request, good or bad, gets a 5xx or stops the server; 501 is an honest rejection."""
    assert every.fatal == [], f"the server stopped answering while it handled {' or '.join(every.fatal)}"
    for answer in every.of(Answer, lambda a: a.exchange.status is not None):
        status = answer.exchange.status or 0
        assert status < 500 or status == 501
