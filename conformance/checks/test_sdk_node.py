"""OpenAI's Node SDK reads what was recorded: every answer of every scenario, and its helper does what it promises."""

from conformance.kit import MUST, Answer, Chat, Completion, Embeddings, Every, Models, Response, check
from conformance.sdk import can_be_sent, read_by_node, reading

SDK = "sdk:openai-node"


# Every answer


@check("sdk_node", MUST, SDK, core=True)
def test_reads_chat(every: Every) -> None:
    """The SDK reads every plain chat answer: texts, calls, finish reasons, counts."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert read_by_node(answer) == reading(answer)


@check("sdk_node", MUST, SDK, core=True)
def test_reads_chat_streams(every: Every) -> None:
    """The SDK reads every chat stream, and its pieces join to the whole."""
    for answer in every.accepted(Chat, streamed=True, malformed=True):
        assert read_by_node(answer) == reading(answer)


@check("completions", MUST, SDK)
def test_reads_completions(continuation: Completion, every: Every) -> None:
    """The SDK reads every legacy completion, plain and streamed."""
    for answer in every.accepted(Completion, malformed=True):
        assert read_by_node(answer) == reading(answer)


@check("embeddings", MUST, SDK)
def test_reads_embeddings(embedding: Embeddings, every: Every) -> None:
    """The SDK reads all embeddings, and decodes those that come in base64."""
    for answer in every.accepted(Embeddings, malformed=True):
        assert read_by_node(answer) == reading(answer)


@check("models", MUST, SDK)
def test_reads_models(models_list: Models, every: Every) -> None:
    """The SDK lists the models, and retrieves one."""
    for answer in every.accepted(Models, malformed=True):
        assert read_by_node(answer) == reading(answer)


@check("responses", MUST, SDK)
def test_reads_responses(respond_count: Response, respond_count_streamed: Response, every: Every) -> None:
    """The SDK reads every answer of the Responses API, plain and streamed."""
    for answer in every.of(Response, lambda a: a.readable and a.wire.request.path == "/responses"):
        assert read_by_node(answer) == reading(answer)


@check("errors", MUST, "sdk:openai-node README#handling-errors")
def test_raises_what_was_refused(bad_model: Chat, every: Every) -> None:
    """A rejection raises the exception of its HTTP status, with the `message` of the error object, if there is one."""
    for answer in every.of(Answer, is_refused, what="expect_rejection"):
        assert read_by_node(answer) == reading(answer)


# Helpers


@check("sdk_node", MUST, "sdk:openai-node helpers.md#streaming-responses")
def test_helper_for_streams(
    count_streamed: Chat,
    count_with_usage: Chat,
    weather_streamed: Chat,
    cities_streamed: Chat,
) -> None:
    """The SDK's helper for streams ends with the whole message: text, calls, counts."""
    for answer in (count_streamed, count_with_usage, weather_streamed, cities_streamed):
        assert read_by_node(answer, helper=True) == reading(answer)


@check("embeddings", MUST, "sdk:openai-node asks for base64")
def test_default_embedding_is_the_same(embedding_float: Embeddings, embedding_base64: Embeddings) -> None:
    """The SDK, which by default asks for base64, gets the numbers that the server gives as numbers."""
    embedding_base64.accepted()
    got, expected = read_by_node(embedding_base64)["vectors"][0], embedding_float.vector
    assert len(got) == len(expected)
    assert all(abs(a - b) < 0.01 for a, b in zip(got, expected, strict=True))


def is_refused(answer: Answer) -> bool:
    """Whether the server rejected a request that the SDK can send."""
    wire = answer.exchange
    rejected = (wire.status or 0) >= 400 and not wire.error
    return rejected and isinstance(answer, Chat | Completion | Embeddings | Models) and can_be_sent(answer)
