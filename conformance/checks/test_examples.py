"""The usage examples of the compatibility guide, run as programs: with the model's name put in, and as they stand."""

import json

from conformance.kit import MAY, MUST, Chat, Embeddings, Models, Ran, check, inconclusive_unless, lenient

GUIDE = "guide:Usage Examples"
DIMENSION = "Embedding dimension: "


# curl


@check("examples_curl", MUST, GUIDE, core=True)
def test_chat_with_curl(example_chat_curl: Ran) -> None:
    """The curl example of a chat completion gets an answer with text."""
    assert example_chat_curl.got(Chat).text != ""
    assert printed(example_chat_curl)


@check("examples_curl", MUST, GUIDE)
def test_stream_with_curl(example_stream_curl: Ran) -> None:
    """The curl example of a stream gets pieces of text, and `[DONE]` at the end."""
    assert example_stream_curl.got(Chat).text != ""
    assert example_stream_curl.got(Chat).data[-1] == "[DONE]"
    assert printed(example_stream_curl)


@check("examples_curl", MUST, GUIDE)
def test_tools_with_curl(example_tools_curl: Ran) -> None:
    """The curl example of tool calling gets a call of the function, for the place that was asked for."""
    answer = example_tools_curl.got(Chat)
    inconclusive_unless(answer.tool_calls, "the model calls no function", actual=answer.text)
    inconclusive_unless(
        "Tokyo" in answer.tool_calls[0].arguments, "the model asks for another place", actual=answer.tool_calls[0]
    )
    inconclusive_unless(
        answer.tool_calls[0].name == "get_weather", "the model calls another function", actual=answer.tool_calls[0]
    )
    assert isinstance(answer.tool_calls[0].args, dict)


@check("examples_curl", MUST, GUIDE)
def test_embeddings_with_curl(example_embeddings_curl: Ran) -> None:
    """The curl example of embeddings gets one vector."""
    answer = example_embeddings_curl.got(Embeddings)
    assert len(answer.each) == 1
    assert len(answer.vector) > 0


@check("examples_curl", MUST, GUIDE)
def test_models_with_curl(example_models_curl: Ran) -> None:
    """The curl example that lists models gets at least one."""
    assert example_models_curl.got(Models).ids != []
    assert printed(example_models_curl)


# Python


@check("examples_python", MUST, GUIDE, core=True)
def test_chat_in_python(example_chat_python: Ran) -> None:
    """The Python example of a chat completion prints the answer's text."""
    assert example_chat_python.output.strip() != ""
    assert example_chat_python.output.strip() == example_chat_python.got(Chat).text.strip()


@check("examples_python", MUST, GUIDE)
def test_stream_in_python(example_stream_python: Ran) -> None:
    """The Python example of a stream prints the text, piece by piece."""
    assert example_stream_python.output != ""
    text = example_stream_python.got(Chat).text
    inconclusive_unless(len(text) < 1000, "the answer is so long that only the end of what was printed is kept")
    assert example_stream_python.output == text


@check("examples_python", MUST, GUIDE)
def test_tools_in_python(example_tools_python: Ran) -> None:
    """The Python example of tool calling prints the functions that the model wants to call."""
    heading, *calls = example_tools_python.lines
    inconclusive_unless(
        heading == "Model wants to call these functions:", "the model calls no function", actual=heading
    )
    names = [line.strip(" -").partition("(")[0] for line in calls]
    inconclusive_unless(
        set(names) <= {"get_current_weather", "get_stock_price"}, "the model calls another function", actual=names
    )
    assert len(names) > 0


@check("examples_python", MUST, GUIDE)
def test_json_in_python(example_json_python: Ran) -> None:
    """The Python example of JSON mode prints a document that it could read."""
    document_ends(example_json_python)
    assert isinstance(json.loads(example_json_python.output), dict)


@check("examples_python", MUST, GUIDE)
def test_embeddings_in_python(example_embeddings_python: Ran) -> None:
    """The Python example of embeddings prints one size for all four vectors, as the SDK asks for them: in base64."""
    lines = example_embeddings_python.lines
    assert lines[0].startswith(DIMENSION)
    size = lines[0].removeprefix(DIMENSION)
    assert int(size) > 0
    assert lines[2:] == [f"Text {number} embedding dimension: {size}" for number in (1, 2, 3)]


@check("examples_python", MUST, GUIDE)
def test_models_in_python(example_models_python: Ran) -> None:
    """The Python example that lists models prints their names."""
    assert example_models_python.lines != []
    assert all(line.startswith("Model: ") for line in example_models_python.lines)


# JavaScript


@check("examples_javascript", MUST, GUIDE, core=True)
def test_chat_in_javascript(example_chat_javascript: Ran) -> None:
    """The JavaScript example of a chat completion prints the answer's text."""
    assert example_chat_javascript.output.strip() != ""
    assert example_chat_javascript.output.strip() == example_chat_javascript.got(Chat).text.strip()


# As they stand: the guide says that the model's name doesn't matter, OpenAI that an unknown model is not found


@check("examples_curl", MAY, GUIDE)
def test_curl_as_it_stands(
    guide_chat_curl: Ran, guide_stream_curl: Ran, guide_tools_curl: Ran, guide_embeddings_curl: Ran
) -> None:
    """The curl examples run as they stand, or are told that there is no such model."""
    runs_as_it_stands(guide_chat_curl, guide_stream_curl, guide_tools_curl, guide_embeddings_curl)


@check("examples_python", MAY, GUIDE)
def test_python_as_it_stands(
    guide_chat_python: Ran,
    guide_stream_python: Ran,
    guide_tools_python: Ran,
    guide_json_python: Ran,
    guide_embeddings_python: Ran,
) -> None:
    """The Python examples run as they stand, or are told that there is no such model."""
    document_ends(guide_json_python)
    runs_as_it_stands(
        guide_chat_python, guide_stream_python, guide_tools_python, guide_json_python, guide_embeddings_python
    )


@check("examples_javascript", MAY, GUIDE)
def test_javascript_as_it_stands(guide_chat_javascript: Ran) -> None:
    """The JavaScript example runs as it stands, or is told that there is no such model."""
    runs_as_it_stands(guide_chat_javascript)


def runs_as_it_stands(*examples: Ran) -> None:
    """Each example ends well, or its first request is refused with 404."""
    for ran in examples:
        if ran and ran[0].status == 404 and ran[0].error_message:
            lenient(f"{ran.name}: 404, it needs the model's name put in")
        else:
            assert ran.output != ""


def printed(ran: Ran) -> bool:
    """Whether curl printed the answer as it came (of a long one, its end is kept)."""
    return ran[-1].wire.body.decode(errors="replace").endswith(ran.output)


def document_ends(ran: Ran) -> None:
    """The model must have ended the document of the JSON example."""
    for answer in ran:
        cut = answer.ok and isinstance(answer, Chat) and answer.finish_reason == "length"
        inconclusive_unless(not cut, "the model does not end its document")
