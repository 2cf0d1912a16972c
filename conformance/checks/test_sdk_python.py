"""OpenAI's Python SDK and its helpers read every recorded response."""

import math

from conformance.kit import (
    MUST,
    SHOULD,
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
    inconclusive_unless,
)
from conformance.sdk import (
    answered,
    assert_reads_alike,
    can_be_sent,
    read_by_python,
    read_by_python_async,
    read_by_python_helper,
    reading,
)

SDK = "sdk:openai-python"
PYTHON = "OpenAI's Python SDK"
HELPERS = "sdk:openai-python helpers.md"
NO_FORMAT = "expected `response_format` to change the content, got the same"
ENDLESS = "expected a response that ends by itself, got a truncated one"


# Every response


@check("sdk_python", MUST, SDK, core=True)
def test_reads_chat(every: Every) -> None:
    """OpenAI's Python SDK reads every plain chat response: content, tool calls, finish reasons, token counts."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert_reads_alike(read_by_python(answer), reading(answer), PYTHON)


@check("sdk_python", MUST, SDK, core=True)
def test_reads_chat_streams(every: Every) -> None:
    """OpenAI's Python SDK reads every chat stream, and puts its chunks together to one message."""
    for answer in every.accepted(Chat, streamed=True, malformed=True):
        assert_reads_alike(read_by_python(answer), reading(answer), PYTHON)


@check("completions", MUST, SDK)
def test_reads_completions(continuation: Completion, every: Every) -> None:
    """OpenAI's Python SDK reads every response of `/completions`, plain and streamed."""
    for answer in every.accepted(Completion, malformed=True):
        assert_reads_alike(read_by_python(answer), reading(answer), PYTHON)


@check("embeddings", MUST, SDK)
def test_reads_embeddings(embedding: Embeddings, every: Every) -> None:
    """OpenAI's Python SDK reads all embeddings, and decodes those in base64."""
    for answer in every.accepted(Embeddings, malformed=True):
        assert_reads_alike(read_by_python(answer), reading(answer), PYTHON)


@check("models", MUST, SDK)
def test_reads_models(models_list: Models, every: Every) -> None:
    """OpenAI's Python SDK lists the models, and retrieves one."""
    for answer in every.accepted(Models, malformed=True):
        assert_reads_alike(read_by_python(answer), reading(answer), PYTHON)


@check("responses", MUST, SDK)
def test_reads_responses(respond_count: Response, respond_count_streamed: Response, every: Every) -> None:
    """OpenAI's Python SDK reads every response of `/responses`, plain and streamed."""
    for answer in every.of(Response, lambda a: a.readable and a.wire.request.path == "/responses"):
        assert_reads_alike(read_by_python(answer), reading(answer), PYTHON)


@check("errors", MUST, "sdk:openai-python README#handling-errors")
def test_raises_what_was_refused(bad_model: Chat, every: Every) -> None:
    """OpenAI's Python SDK raises the exception for a rejection's HTTP status, with `error.message` if there is one."""
    for answer in every.of(Answer, is_rejected, what="rejected"):
        assert_reads_alike(read_by_python(answer), reading(answer), PYTHON)


@check("sdk_python", MUST, "sdk:openai-python README#async-usage")
def test_reads_streams_asynchronously(every: Every) -> None:
    """The asynchronous client of OpenAI's Python SDK reads every chat stream."""
    for answer, read in read_by_python_async(every.accepted(Chat, streamed=True, malformed=True)):
        assert_reads_alike(read, reading(answer), f"{PYTHON}'s asynchronous client")


# Helpers


@check("sdk_python", MUST, f"{HELPERS}#streaming-helpers")
def test_helper_for_streams(
    count_streamed: Chat,
    count_with_usage: Chat,
    weather_streamed: Chat,
    cities_streamed: Chat,
) -> None:
    """The stream helper of OpenAI's Python SDK ends with a complete message: content, tool calls, token counts."""
    streams = count_streamed, count_with_usage, weather_streamed, cities_streamed
    whole = [answer for answer in streams if not answer.ok or answer.finish_reason != "length"]
    inconclusive_unless(whole, ENDLESS)
    for answer in whole:
        assert_reads_alike(read_by_python_helper(answer), reading(answer), f"{PYTHON}'s stream helper")


@check("sdk_python", SHOULD, f"{HELPERS}#structured-outputs-parsing-helpers")
def test_parses_to_a_class(capital: Chat, capital_person: Chat, sdk_person: Chat) -> None:
    """`parse` of OpenAI's Python SDK makes an object of the class that describes the document."""
    from fixtures import sdk_calls

    inconclusive_unless(capital_person.text != capital.text, NO_FORMAT)
    inconclusive_unless(sdk_person.finish_reason != "length", ENDLESS)
    parsed = answered(sdk_calls.person, sdk_person)
    assert_equal(parsed, sdk_calls.Person(**sdk_person.document), "object that `parse` makes of `content`")


@check("sdk_python", SHOULD, f"{HELPERS}#streaming-helpers")
def test_streams_to_a_class(capital: Chat, capital_person: Chat, sdk_person_streamed: Chat) -> None:
    """The stream helper of OpenAI's Python SDK makes an object of the class that describes the document."""
    from fixtures import sdk_calls

    inconclusive_unless(capital_person.text != capital.text, NO_FORMAT)
    inconclusive_unless(sdk_person_streamed.finish_reason != "length", ENDLESS)
    parsed = answered(sdk_calls.person_streamed, sdk_person_streamed)
    assert_equal(parsed, sdk_calls.Person(**sdk_person_streamed.document), "object that the helper makes of the stream")


@check("sdk_python", SHOULD, f"{HELPERS}#auto-parsing-function-tool-calls")
def test_parses_arguments_to_a_class(sdk_weather: Chat, sdk_weather_streamed: Chat) -> None:
    """`parse` and the stream helper make an object of the class that describes a function's `arguments`."""
    from fixtures import sdk_calls

    for call, answer in ((sdk_calls.weather, sdk_weather), (sdk_calls.weather_streamed, sdk_weather_streamed)):
        inconclusive_unless(not answer.ok or answer.finish_reason != "length", ENDLESS)
        parsed = answered(call, answer)
        inconclusive_unless(answer.tool_calls, "expected a tool call, got none (`tool_calls`)")
        expected = [sdk_calls.get_weather(**one.args) for one in answer.tool_calls]
        assert_equal(parsed, expected, "object that `parse` makes of `tool_calls[].function.arguments`")


@check("sdk_python", SHOULD, f"{HELPERS}#structured-outputs-parsing-helpers")
def test_parses_responses_to_a_class(sdk_respond_person: Response) -> None:
    """`responses.parse` of OpenAI's Python SDK makes an object of the class that describes the document."""
    from fixtures import sdk_calls

    parsed = answered(sdk_calls.respond_person, sdk_respond_person)
    assert_equal(parsed, sdk_calls.Person(**sdk_respond_person.document), "object that `parse` makes of `output_text`")


@check("embeddings", MUST, "sdk:openai-python asks for base64")
def test_default_embedding_is_the_same(embedding_float: Embeddings, embedding_base64: Embeddings) -> None:
    """OpenAI's Python SDK, which asks for base64 by default, gets the same numbers as with `encoding_format: float`."""
    embedding_base64.assert_accepted()
    got, expected = read_by_python(embedding_base64)["vectors"][0], embedding_float.vector
    assert_equal(len(got), len(expected), "length of `data[0].embedding` in base64, decoded")
    near = 0.01 * math.hypot(*expected)
    far = [(a, b) for a, b in zip(got, expected, strict=True) if not abs(a - b) <= near]
    assert_none_of(far, "numbers of `data[0].embedding` that differ between base64 and float")


def is_rejected(answer: Answer) -> bool:
    """Whether the server rejected a request that the SDK can send."""
    wire = answer.exchange
    rejected = (wire.status or 0) >= 400 and not wire.error
    return rejected and isinstance(answer, Chat | Completion | Embeddings | Models) and can_be_sent(answer)
