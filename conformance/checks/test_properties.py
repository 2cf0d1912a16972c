"""Rules that generated requests try; `fixtures/draw.py` drew them once, and every run sends the same ones."""

from conformance.checks.test_embeddings import same
from conformance.kit import (
    MUST,
    SHOULD,
    Answer,
    Chat,
    Embeddings,
    assert_at_most,
    assert_equal,
    assert_matches_schema,
    assert_more,
    assert_none_broken,
    assert_none_of,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    shown,
)
from fixtures.scenarios.properties import BATCH

REQUEST = "openapi:CreateChatCompletionRequest"
TRUNCATED = "expected the model to end within `max_tokens`, got a truncated response"


@check("stop", MUST, f"{REQUEST}.stop")
def test_any_stop_ends_the_text(
    count: Chat, count_stop: Chat, drawn_stops: list[Chat], drawn_stops_streamed: list[Chat]
) -> None:
    """Any substring of `content`, sent as `stop`, ends generation before it, plain and streamed."""
    inconclusive_unless(count_stop.said != count.said, "expected `stop` to have an effect, got the same content")
    for answer in (*drawn_stops, *drawn_stops_streamed):
        stop = answer.sent["stop"]
        inconclusive_unless(stop in count.text, f"expected {shown(stop)} in the content without `stop`, got none")
        ignored_unless(answer.text != count.text, f"`stop: {shown(stop)}` did not end the content")
        before = count.text[: count.text.find(stop)]
        if answer.text or before:
            assert_same_text(answer.text, before)


@check("max_tokens", MUST, f"{REQUEST}.max_tokens")
def test_any_limit_gives_the_first_tokens(count: Chat, count_max_tokens: Chat, drawn_limits: list[Chat]) -> None:
    """Any `max_tokens` gives the beginning of the response without this limit, with at most that many tokens."""
    inconclusive_unless(
        count_max_tokens.said != count.said, "expected `max_tokens` to have an effect, got the same content"
    )
    for answer in drawn_limits:
        limit = answer.sent["max_tokens"]
        inconclusive_unless(count.tokens("completion") > limit, f"expected a response of more than {limit} tokens")
        assert_equal(answer.finish_reason, "length", f"`choices[0].finish_reason` with `max_tokens: {limit}`")
        assert_at_most(answer.tokens("completion"), limit, "`usage.completion_tokens`")
        if answer.said:
            assert_same_text(answer.said, count.said[: len(answer.said)])


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse")
def test_any_stream_joins_to_the_text(drawn_words: list[Chat]) -> None:
    """The concatenated deltas of a stream equal the plain `content`, whatever characters the question has."""
    for plain, streamed in zip(drawn_words[::2], drawn_words[1::2], strict=True):
        question = plain.sent["messages"][0]["content"]
        if streamed.text or plain.text:
            assert_same_text(streamed.text, plain.text, "`choices[0].delta.content`, joined")
        where = f"`choices[0].finish_reason` of the stream, for the question {shown(question)}"
        assert_equal(streamed.finish_reason, plain.finish_reason, where)


@check("chat", SHOULD, f"{REQUEST}.messages")
def test_any_text_is_answered(drawn_words: list[Chat]) -> None:
    """A question with any characters gets a response, and `usage.prompt_tokens` counts it."""
    for answer in drawn_words[::2]:
        assert_more(answer.tokens("prompt"), 0, "`usage.prompt_tokens`")


@check("json_schema", MUST, "openapi:ResponseFormatJsonSchema.json_schema.strict")
def test_any_schema_is_kept(drawn_documents: list[Chat]) -> None:
    """With a strict `json_schema`, `content` matches the schema, whatever the schema is."""
    for answer in drawn_documents:
        inconclusive_unless(answer.finish_reason != "length", TRUNCATED, actual=answer.text)
        schema = answer.sent["response_format"]["json_schema"]["schema"]
        assert_matches_schema(answer.document, schema, f"`choices[0].message.content` of {answer.name}")


@check("tool_choice", MUST, "openapi:ChatCompletionNamedToolChoice")
def test_any_function_is_called(drawn_tools: list[Chat]) -> None:
    """A function named by `tool_choice` is called, with arguments that match its `parameters`."""
    for answer in drawn_tools:
        inconclusive_unless(answer.finish_reason != "length", TRUNCATED, actual=answer.text)
        function = answer.sent["tools"][0]["function"]
        called = [call.name for call in answer.tool_calls]
        ignored_unless(
            set(called) == {function["name"]},
            f"expected calls of `{function['name']}`, got {shown(called)} (`tool_calls`)",
        )
        where = f"`choices[0].message.tool_calls[0].function.arguments` of {answer.name}"
        assert_matches_schema(answer.tool_calls[0].args, function["parameters"], where)


@check("embeddings", MUST, "openapi:CreateEmbeddingResponse.data.index")
def test_any_order_permutes_the_vectors(drawn_permutations: list[Embeddings]) -> None:
    """When the strings of `input` are reordered, the same vectors come in the new order (`data[].index`)."""
    first, *others = drawn_permutations
    for answer in others:
        order = [BATCH.index(text) for text in answer.sent["input"]]
        pairs = zip(answer.each, order, strict=True)
        wrong = [BATCH[place] for vector, place in pairs if not same(vector, first.each[place])]
        assert_none_of(wrong, f"inputs that get another `embedding` in the order {order}")


@check("errors", MUST, "rfc:9110#15.5 client errors and server errors")
def test_nothing_wrong_breaks_the_server(bad_drawn: list[Answer], bad_drawn_json: list[Answer]) -> None:
    """Every invalid request gets a response, and none gets a 5xx."""
    broken = [a.wire.request.body for a in (*bad_drawn, *bad_drawn_json) if a.status >= 500 and a.status != 501]
    assert_none_broken(broken, "invalid requests that got a 5xx")


@check("errors", SHOULD, REQUEST)
def test_wrong_types_are_refused(bad_drawn: list[Answer]) -> None:
    """A value of a wrong type is rejected with 400, whatever the parameter."""
    for answer in bad_drawn:
        expect_rejection(answer)


@check("errors", MUST, "rfc:9110#15.5.1 400 Bad Request")
def test_broken_json_is_refused(bad_drawn_json: list[Answer]) -> None:
    """A request body that ends too early is rejected with 400, wherever it ends."""
    for answer in bad_drawn_json:
        expect_rejection(answer)


@check("errors", MUST, "docs:guides/error-codes")
def test_answers_afterwards(capital: Chat, capital_after_drawn: Chat) -> None:
    """After all these invalid requests, the server responds as before."""
    assert_same_text(capital_after_drawn.text, capital.text)
