"""The usage examples of the compatibility guide, run as programs: with the model's name filled in, and unchanged."""

import json

from conformance.kit import (
    MAY,
    MUST,
    Chat,
    Embeddings,
    Models,
    Ran,
    assert_equal,
    assert_more,
    check,
    inconclusive_unless,
    lenient,
    shown,
)

GUIDE = "guide:Usage Examples"
DIMENSION = "Embedding dimension: "
CONTENT = "`choices[0].message.content`"
TOO_LONG = f"{CONTENT} is so long that only the end of the program's output is kept"
NO_CALL = "the model calls no function (`choices[0].message.tool_calls` is empty)"


# curl


@check("examples_curl", MUST, GUIDE, core=True)
def test_chat_with_curl(example_chat_curl: Ran) -> None:
    """The curl example of a chat completion gets a response whose `content` is not empty."""
    assert example_chat_curl.got(Chat).text, f"expected a text, got an empty one ({CONTENT})"
    assert_printed(example_chat_curl)


@check("examples_curl", MUST, GUIDE)
def test_stream_with_curl(example_stream_curl: Ran) -> None:
    """The curl example of a stream gets `content` deltas, and `[DONE]` at the end."""
    assert example_stream_curl.got(Chat).text, "expected a text, got an empty one (`choices[0].delta.content`, joined)"
    assert_equal(example_stream_curl.got(Chat).data[-1], "[DONE]", "last event of the stream")
    assert_printed(example_stream_curl)


@check("examples_curl", MUST, GUIDE)
def test_tools_with_curl(example_tools_curl: Ran) -> None:
    """The curl example of tool calling gets a `tool_calls` entry whose `arguments` are a JSON object."""
    answer = example_tools_curl.got(Chat)
    inconclusive_unless(answer.tool_calls, NO_CALL, actual=answer.text)
    call = answer.tool_calls[0]
    inconclusive_unless(
        "Tokyo" in call.arguments, "the model asks for a place other than Tokyo (`function.arguments`)", actual=call
    )
    inconclusive_unless(
        call.name == "get_weather",
        f"the model calls {shown(call.name)}, not `get_weather` (`function.name`)",
        actual=call,
    )
    assert isinstance(call.args, dict), "expected a JSON object (`tool_calls[0].function.arguments`)"


@check("examples_curl", MUST, GUIDE)
def test_embeddings_with_curl(example_embeddings_curl: Ran) -> None:
    """The curl example of embeddings gets one `embedding`."""
    answer = example_embeddings_curl.got(Embeddings)
    assert_equal(len(answer.each), 1, "number of entries of `data`")
    assert_more(len(answer.vector), 0, "number of dimensions of `data[0].embedding`")


@check("examples_curl", MUST, GUIDE)
def test_models_with_curl(example_models_curl: Ran) -> None:
    """The curl example that lists models gets at least one entry of `data`."""
    assert example_models_curl.got(Models).ids, "expected at least one model, got [] (`data`)"
    assert_printed(example_models_curl)


# Python


@check("examples_python", MUST, GUIDE, core=True)
def test_chat_in_python(example_chat_python: Ran) -> None:
    """The Python example of a chat completion prints `choices[0].message.content`."""
    assert_prints_content(example_chat_python)


@check("examples_python", MUST, GUIDE)
def test_stream_in_python(example_stream_python: Ran) -> None:
    """The Python example of a stream prints the `content` deltas, joined."""
    assert example_stream_python.output, "expected a text, got an empty one (output of the program)"
    text = example_stream_python.got(Chat).text
    inconclusive_unless(len(text) < 1000, TOO_LONG)
    assert_equal(example_stream_python.output, text, "output of the program, compared with the deltas")


@check("examples_python", MUST, GUIDE)
def test_tools_in_python(example_tools_python: Ran) -> None:
    """The Python example of tool calling prints the functions in `tool_calls`."""
    heading, *calls = example_tools_python.lines
    inconclusive_unless(heading == "Model wants to call these functions:", NO_CALL, actual=heading)
    names = [line.strip(" -").partition("(")[0] for line in calls]
    inconclusive_unless(
        set(names) <= {"get_current_weather", "get_stock_price"},
        f"the model calls a function that the request does not have (`function.name` is one of {names})",
        actual=names,
    )
    assert_more(len(names), 0, "number of functions that the program printed")


@check("examples_python", MUST, GUIDE)
def test_json_in_python(example_json_python: Ran) -> None:
    """The Python example of JSON mode prints `content`, and can parse it as a JSON object."""
    document_ends(example_json_python)
    inconclusive_unless(not example_json_python.is_cut, TOO_LONG)
    printed = json.loads(example_json_python.output)
    assert isinstance(printed, dict), f"expected a JSON object, got {type(printed).__name__} (output of the program)"


@check("examples_python", MUST, GUIDE)
def test_embeddings_in_python(example_embeddings_python: Ran) -> None:
    """The Python example of embeddings, which asks for base64, prints the same size for each `embedding`."""
    lines = example_embeddings_python.lines
    assert lines[0].startswith(DIMENSION), (
        f"expected {shown(DIMENSION)}, got {shown(lines[0])} (first line of the output)"
    )
    size = lines[0].removeprefix(DIMENSION)
    assert_more(int(size), 0, "number of dimensions of `data[0].embedding`")
    assert_equal(
        lines[2:],
        [f"Text {number} embedding dimension: {size}" for number in (1, 2, 3)],
        "output of the program: sizes of `data[].embedding` of an array",
    )


@check("examples_python", MUST, GUIDE)
def test_models_in_python(example_models_python: Ran) -> None:
    """The Python example that lists models prints the `id` of each."""
    assert example_models_python.lines, "expected at least one model, got none (output of the program)"
    # Of a long list only the end is kept, which may begin inside a line.
    lines = example_models_python.lines[example_models_python.is_cut :]
    ids = [str(one) for one in example_models_python.got(Models).ids]
    assert_equal(lines, [f"Model: {one}" for one in ids[len(ids) - len(lines) :]], "output of the program: `data[].id`")


# JavaScript


@check("examples_javascript", MUST, GUIDE, core=True)
def test_chat_in_javascript(example_chat_javascript: Ran) -> None:
    """The JavaScript example of a chat completion prints `choices[0].message.content`."""
    assert_prints_content(example_chat_javascript)


# Unchanged: the guide says that the model's name does not matter, OpenAI rejects an unknown `model` with 404


@check("examples_curl", MAY, GUIDE)
def test_curl_as_it_stands(
    guide_chat_curl: Ran, guide_stream_curl: Ran, guide_tools_curl: Ran, guide_embeddings_curl: Ran
) -> None:
    """The unchanged curl examples run, or their `model` is rejected with 404."""
    runs_as_it_stands(guide_chat_curl, guide_stream_curl, guide_tools_curl, guide_embeddings_curl)


@check("examples_python", MAY, GUIDE)
def test_python_as_it_stands(
    guide_chat_python: Ran,
    guide_stream_python: Ran,
    guide_tools_python: Ran,
    guide_json_python: Ran,
    guide_embeddings_python: Ran,
) -> None:
    """The unchanged Python examples run, or their `model` is rejected with 404."""
    document_ends(guide_json_python)
    runs_as_it_stands(
        guide_chat_python, guide_stream_python, guide_tools_python, guide_json_python, guide_embeddings_python
    )


@check("examples_javascript", MAY, GUIDE)
def test_javascript_as_it_stands(guide_chat_javascript: Ran) -> None:
    """The unchanged JavaScript example runs, or its `model` is rejected with 404."""
    runs_as_it_stands(guide_chat_javascript)


def runs_as_it_stands(*examples: Ran) -> None:
    """End the check unless each example ends well, or its first request is rejected with 404."""
    for ran in examples:
        if ran and ran[0].status == 404 and ran[0].error_message:
            lenient(f"{ran.name}: expected the example to run unchanged, got 404 (its `model` must be changed)")
        else:
            assert ran.output, f"expected some output of {ran.name}, got none"


def assert_printed(ran: Ran) -> None:
    """End the check unless curl printed the response as it came; of a long output only the end is kept."""
    assert ran[-1].wire.body.decode(errors="replace").endswith(ran.output), (
        f"expected the body of the response, got {shown(ran.output[-100:])} (output of curl)"
    )


def assert_prints_content(ran: Ran) -> None:
    """End the check unless the program printed the text of the response, which must not be empty."""
    assert ran.output.strip(), "expected a text, got an empty one (output of the program)"
    inconclusive_unless(not ran.is_cut, TOO_LONG)
    assert_equal(ran.output.strip(), ran.got(Chat).text.strip(), f"output of the program, compared with {CONTENT}")


def document_ends(ran: Ran) -> None:
    """End the check as inconclusive if `max_tokens` truncated the document of the JSON example."""
    for answer in ran:
        cut = answer.ok and isinstance(answer, Chat) and answer.finish_reason == "length"
        inconclusive_unless(not cut, "the model's document was truncated (`finish_reason` is `length`)")
