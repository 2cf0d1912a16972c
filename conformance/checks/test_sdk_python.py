"""OpenAI's Python SDK reads what was recorded: every answer of every scenario, and its helpers do what they promise."""

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
    check,
    inconclusive_unless,
)
from conformance.sdk import answered, can_be_sent, read_by_python, read_by_python_async, read_by_python_helper, reading

SDK = "sdk:openai-python"
HELPERS = "sdk:openai-python helpers.md"
NO_FORMAT = "`response_format` has no effect"


# Every answer


@check("sdk_python", MUST, SDK, core=True)
def test_reads_chat(every: Every) -> None:
    """The SDK reads every plain chat answer: texts, calls, finish reasons, counts."""
    for answer in every.accepted(Chat, streamed=False, malformed=True):
        assert read_by_python(answer) == reading(answer)


@check("sdk_python", MUST, SDK, core=True)
def test_reads_chat_streams(every: Every) -> None:
    """The SDK reads every chat stream, and its pieces join to the whole."""
    for answer in every.accepted(Chat, streamed=True, malformed=True):
        assert read_by_python(answer) == reading(answer)


@check("completions", MUST, SDK)
def test_reads_completions(continuation: Completion, every: Every) -> None:
    """The SDK reads every legacy completion, plain and streamed."""
    for answer in every.accepted(Completion, malformed=True):
        assert read_by_python(answer) == reading(answer)


@check("embeddings", MUST, SDK)
def test_reads_embeddings(embedding: Embeddings, every: Every) -> None:
    """The SDK reads all embeddings, and decodes those that come in base64."""
    for answer in every.accepted(Embeddings, malformed=True):
        assert read_by_python(answer) == reading(answer)


@check("models", MUST, SDK)
def test_reads_models(models_list: Models, every: Every) -> None:
    """The SDK lists the models, and retrieves one."""
    for answer in every.accepted(Models, malformed=True):
        assert read_by_python(answer) == reading(answer)


@check("responses", MUST, SDK)
def test_reads_responses(respond_count: Response, respond_count_streamed: Response, every: Every) -> None:
    """The SDK reads every answer of the Responses API, plain and streamed."""
    for answer in every.of(Response, lambda a: a.readable and a.wire.request.path == "/responses"):
        assert read_by_python(answer) == reading(answer)


@check("errors", MUST, "sdk:openai-python README#handling-errors")
def test_raises_what_was_refused(bad_model: Chat, every: Every) -> None:
    """A rejection raises the exception of its HTTP status, with the `message` of the error object, if there is one."""
    for answer in every.of(Answer, is_refused, what="expect_rejection"):
        assert read_by_python(answer) == reading(answer)


@check("sdk_python", MUST, "sdk:openai-python README#async-usage")
def test_reads_streams_asynchronously(every: Every) -> None:
    """The SDK's asynchronous client reads every chat stream, where it has code of its own."""
    for answer, read in read_by_python_async(every.accepted(Chat, streamed=True, malformed=True)):
        assert read == reading(answer)


# Helpers


@check("sdk_python", MUST, f"{HELPERS}#streaming-helpers")
def test_helper_for_streams(
    count_streamed: Chat,
    count_with_usage: Chat,
    weather_streamed: Chat,
    cities_streamed: Chat,
) -> None:
    """The SDK's helper for streams ends with the whole message: text, calls, counts."""
    streams = count_streamed, count_with_usage, weather_streamed, cities_streamed
    whole = [answer for answer in streams if not answer.ok or answer.finish_reason != "length"]
    inconclusive_unless(whole, "no answer comes to its end, for which the helper waits")
    for answer in whole:
        assert read_by_python_helper(answer) == reading(answer)


@check("sdk_python", SHOULD, f"{HELPERS}#structured-outputs-parsing-helpers")
def test_parses_to_a_class(capital: Chat, capital_person: Chat, sdk_person: Chat) -> None:
    """`parse` makes an object of the class that describes the document."""
    from fixtures import sdk_calls

    inconclusive_unless(capital_person.text != capital.text, NO_FORMAT)
    inconclusive_unless(sdk_person.finish_reason != "length", "the model does not end the document")
    assert answered(sdk_calls.person, sdk_person) == sdk_calls.Person(**sdk_person.document)


@check("sdk_python", SHOULD, f"{HELPERS}#streaming-helpers")
def test_streams_to_a_class(capital: Chat, capital_person: Chat, sdk_person_streamed: Chat) -> None:
    """The helper for streams makes an object of the class that describes the document."""
    from fixtures import sdk_calls

    inconclusive_unless(capital_person.text != capital.text, NO_FORMAT)
    inconclusive_unless(sdk_person_streamed.finish_reason != "length", "the model does not end the document")
    parsed = answered(sdk_calls.person_streamed, sdk_person_streamed)
    assert parsed == sdk_calls.Person(**sdk_person_streamed.document)


@check("sdk_python", SHOULD, f"{HELPERS}#auto-parsing-function-tool-calls")
def test_parses_arguments_to_a_class(sdk_weather: Chat, sdk_weather_streamed: Chat) -> None:
    """`parse` and the helper for streams make an object of the class that describes a function's arguments."""
    from fixtures import sdk_calls

    for call, answer in ((sdk_calls.weather, sdk_weather), (sdk_calls.weather_streamed, sdk_weather_streamed)):
        inconclusive_unless(not answer.ok or answer.finish_reason != "length", "the answer does not come to its end")
        parsed = answered(call, answer)
        inconclusive_unless(answer.tool_calls, "the model called no tool")
        assert parsed == [sdk_calls.get_weather(**one.args) for one in answer.tool_calls]


@check("sdk_python", SHOULD, f"{HELPERS}#structured-outputs-parsing-helpers")
def test_parses_responses_to_a_class(sdk_respond_person: Response) -> None:
    """`responses.parse` makes an object of the class that describes the document."""
    from fixtures import sdk_calls

    parsed = answered(sdk_calls.respond_person, sdk_respond_person)
    assert parsed == sdk_calls.Person(**sdk_respond_person.document)


@check("embeddings", MUST, "sdk:openai-python asks for base64")
def test_default_embedding_is_the_same(embedding_float: Embeddings, embedding_base64: Embeddings) -> None:
    """The SDK, which by default asks for base64, gets the numbers that the server gives as numbers."""
    embedding_base64.accepted()
    got, expected = read_by_python(embedding_base64)["vectors"][0], embedding_float.vector
    assert len(got) == len(expected)
    assert all(abs(a - b) < 0.01 for a, b in zip(got, expected, strict=True))


def is_refused(answer: Answer) -> bool:
    """Whether the server rejected a request that the SDK can send."""
    wire = answer.exchange
    rejected = (wire.status or 0) >= 400 and not wire.error
    return rejected and isinstance(answer, Chat | Completion | Embeddings | Models) and can_be_sent(answer)
