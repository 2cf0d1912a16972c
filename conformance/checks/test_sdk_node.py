"""OpenAI's Node SDK and its helper read every recorded response."""

import math

from conformance.kit import (
    MUST,
    Answer,
    Chat,
    Completion,
    Embeddings,
    Every,
    Models,
    Response,
    assert_equal,
    assert_none_of,
    check,
)
from conformance.sdk import assert_reads_alike, can_be_sent, read_by_node, reading

SDK = "sdk:openai-node"
NODE = "OpenAI's Node SDK"


# Every response


@check("sdk_node", MUST, SDK, core=True)
def test_reads_chat(every: Every) -> None:
    """OpenAI's Node SDK reads every plain chat response: content, tool calls, finish reasons, token counts."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert_reads_alike(read_by_node(answer), reading(answer), NODE)


@check("sdk_node", MUST, SDK, core=True)
def test_reads_chat_streams(every: Every) -> None:
    """OpenAI's Node SDK reads every chat stream, and puts its chunks together to one message."""
    for answer in every.accepted(Chat, streamed=True, malformed=True):
        assert_reads_alike(read_by_node(answer), reading(answer), NODE)


@check("completions", MUST, SDK)
def test_reads_completions(continuation: Completion, every: Every) -> None:
    """OpenAI's Node SDK reads every response of `/completions`, plain and streamed."""
    for answer in every.accepted(Completion, malformed=True):
        assert_reads_alike(read_by_node(answer), reading(answer), NODE)


@check("embeddings", MUST, SDK)
def test_reads_embeddings(embedding: Embeddings, every: Every) -> None:
    """OpenAI's Node SDK reads all embeddings, and decodes those in base64."""
    for answer in every.accepted(Embeddings, malformed=True):
        assert_reads_alike(read_by_node(answer), reading(answer), NODE)


@check("models", MUST, SDK)
def test_reads_models(models_list: Models, every: Every) -> None:
    """OpenAI's Node SDK lists the models, and retrieves one."""
    for answer in every.accepted(Models, malformed=True):
        assert_reads_alike(read_by_node(answer), reading(answer), NODE)


@check("responses", MUST, SDK)
def test_reads_responses(respond_count: Response, respond_count_streamed: Response, every: Every) -> None:
    """OpenAI's Node SDK reads every response of `/responses`, plain and streamed."""
    for answer in every.of(Response, lambda a: a.readable and a.wire.request.path == "/responses"):
        assert_reads_alike(read_by_node(answer), reading(answer), NODE)


@check("errors", MUST, "sdk:openai-node README#handling-errors")
def test_raises_what_was_refused(bad_model: Chat, every: Every) -> None:
    """OpenAI's Node SDK raises the exception for a rejection's HTTP status, with `error.message` if there is one."""
    for answer in every.of(Answer, is_rejected, what="rejected"):
        assert_reads_alike(read_by_node(answer), reading(answer), NODE)


# Helpers


@check("sdk_node", MUST, "sdk:openai-node helpers.md#streaming-responses")
def test_helper_for_streams(
    count_streamed: Chat,
    count_with_usage: Chat,
    weather_streamed: Chat,
    cities_streamed: Chat,
) -> None:
    """The stream helper of OpenAI's Node SDK ends with a complete message: content, tool calls, token counts."""
    for answer in (count_streamed, count_with_usage, weather_streamed, cities_streamed):
        assert_reads_alike(read_by_node(answer, helper=True), reading(answer), f"{NODE}'s stream helper")


@check("embeddings", MUST, "sdk:openai-node asks for base64")
def test_default_embedding_is_the_same(embedding_float: Embeddings, embedding_base64: Embeddings) -> None:
    """OpenAI's Node SDK, which asks for base64 by default, gets the same numbers as with `encoding_format: float`."""
    embedding_base64.assert_accepted()
    got, expected = read_by_node(embedding_base64)["vectors"][0], embedding_float.vector
    assert_equal(len(got), len(expected), "length of `data[0].embedding` in base64, decoded")
    near = 0.01 * math.hypot(*expected)
    far = [(a, b) for a, b in zip(got, expected, strict=True) if not abs(a - b) <= near]
    assert_none_of(far, "numbers of `data[0].embedding` that differ between base64 and float")


def is_rejected(answer: Answer) -> bool:
    """Whether the server rejected a request that the SDK can send."""
    wire = answer.exchange
    rejected = (wire.status or 0) >= 400 and not wire.error
    return rejected and isinstance(answer, Chat | Completion | Embeddings | Models) and can_be_sent(answer)
