"""Rules tried on generated requests, which `fixtures/draw.py` drew once: every run sends the same."""

from conformance.checks.test_embeddings import same
from conformance.kit import (
    MUST,
    SHOULD,
    Answer,
    Chat,
    Embeddings,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    validate_against,
)
from fixtures.scenarios.properties import BATCH

REQUEST = "openapi:CreateChatCompletionRequest"
CUT = "the model did not end within max_tokens"


@check("stop", MUST, f"{REQUEST}.stop")
def test_any_stop_ends_the_text(
    count: Chat, count_stop: Chat, drawn_stops: list[Chat], drawn_stops_streamed: list[Chat]
) -> None:
    """Any text that comes in an answer ends it there as a stop string, in a stream too."""
    inconclusive_unless(count_stop.said != count.said, "`stop` has no effect")
    for answer in (*drawn_stops, *drawn_stops_streamed):
        stop = answer.sent["stop"]
        inconclusive_unless(stop in count.text, "the answer is too short to cut anything from")
        ignored_unless(answer.text != count.text, f"the text is the same as without stop {stop!r}")
        before = count.text[: count.text.find(stop)]
        if answer.text or before:
            assert_same_text(answer.text, before)


@check("max_tokens", MUST, f"{REQUEST}.max_tokens")
def test_any_limit_gives_the_first_tokens(count: Chat, count_max_tokens: Chat, drawn_limits: list[Chat]) -> None:
    """A response with any `max_tokens` is the beginning of the longer one, in at most as many tokens."""
    inconclusive_unless(count_max_tokens.said != count.said, "`max_tokens` has no effect")
    for answer in drawn_limits:
        limit = answer.sent["max_tokens"]
        inconclusive_unless(count.tokens("completion") > limit, "the answer is too short to be cut")
        assert answer.finish_reason == "length"
        assert answer.tokens("completion") <= limit
        if answer.said:
            assert_same_text(answer.said, count.said[: len(answer.said)])


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse")
def test_any_stream_joins_to_the_text(drawn_words: list[Chat]) -> None:
    """A stream joins to the plain answer, whatever characters the question has."""
    for plain, streamed in zip(drawn_words[::2], drawn_words[1::2], strict=True):
        question = plain.sent["messages"][0]["content"]
        if streamed.text or plain.text:
            assert_same_text(streamed.text, plain.text)
        assert (question, streamed.finish_reason) == (question, plain.finish_reason)


@check("chat", SHOULD, f"{REQUEST}.messages")
def test_any_text_is_answered(drawn_words: list[Chat]) -> None:
    """A question of any characters is answered, and its tokens are counted."""
    for answer in drawn_words[::2]:
        assert answer.tokens("prompt") > 0


@check("json_schema", MUST, "openapi:ResponseFormatJsonSchema.json_schema.strict")
def test_any_schema_is_kept(drawn_documents: list[Chat]) -> None:
    """The answer fits the schema, whatever that is."""
    for answer in drawn_documents:
        inconclusive_unless(answer.finish_reason != "length", CUT, actual=answer.text)
        schema = answer.sent["response_format"]["json_schema"]["schema"]
        assert (schema, validate_against(answer.document, schema)) == (schema, [])


@check("tool_choice", MUST, "openapi:ChatCompletionNamedToolChoice")
def test_any_function_is_called(drawn_tools: list[Chat]) -> None:
    """A named function is called, with arguments that fit its parameters, whatever those are."""
    for answer in drawn_tools:
        inconclusive_unless(answer.finish_reason != "length", CUT, actual=answer.text)
        function = answer.sent["tools"][0]["function"]
        called = [call.name for call in answer.tool_calls]
        ignored_unless(set(called) == {function["name"]}, "another function was called, or none", actual=called)
        assert (function, validate_against(answer.calls[0][1], function["parameters"])) == (function, [])


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse.data.index")
def test_any_order_permutes_the_vectors(drawn_permutations: list[Embeddings]) -> None:
    """Texts in another order get the same vectors in that order."""
    first, *others = drawn_permutations
    for answer in others:
        order = [BATCH.index(text) for text in answer.sent["input"]]
        moved = [same(vector, first.each[place]) for vector, place in zip(answer.each, order, strict=True)]
        assert (order, moved) == (order, [True] * len(BATCH))


@check("errors", MUST, "rfc:9110#15.5 client errors and server errors")
def test_nothing_wrong_breaks_the_server(bad_drawn: list[Answer], bad_drawn_json: list[Answer]) -> None:
    """No wrong request is answered with 5xx, or never."""
    broken = [a.wire.request.body for a in (*bad_drawn, *bad_drawn_json) if a.status >= 500 and a.status != 501]
    assert broken == []


@check("errors", SHOULD, REQUEST)
def test_wrong_types_are_refused(bad_drawn: list[Answer]) -> None:
    """A value of a wrong type is refused, whatever the parameter."""
    for answer in bad_drawn:
        expect_rejection(answer)


@check("errors", MUST, "rfc:9110#15.5.1 400 Bad Request")
def test_broken_json_is_refused(bad_drawn_json: list[Answer]) -> None:
    """A body that ends too early is refused, wherever it was cut."""
    for answer in bad_drawn_json:
        expect_rejection(answer)


@check("errors", MUST, "docs:guides/error-codes")
def test_answers_afterwards(capital: Chat, capital_after_drawn: Chat) -> None:
    """After all these requests the server answers as before."""
    assert_same_text(capital_after_drawn.text, capital.text)
