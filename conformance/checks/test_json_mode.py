"""`response_format` json_object: the answer is a JSON object."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
)

SOURCE = "openapi:ResponseFormatJsonObject"
FORMAT = "openapi:CreateChatCompletionRequest.response_format"
ENDLESS = "the model did not end within max_tokens"


@check("json_mode", MUST, SOURCE, core=True)
def test_the_answer_is_an_object(capital_no_json: Chat, capital_object: Chat) -> None:
    """The answer is a JSON object, even if the prompt speaks against it."""
    inconclusive_unless("{" not in capital_no_json.text, "the model answers in JSON by itself")
    ignored_unless(capital_object.text != capital_no_json.text, "the text is the same as without response_format")
    inconclusive_unless(capital_object.finish_reason != "length", ENDLESS)
    assert isinstance(capital_object.document, dict)


@check("json_mode", MUST, SOURCE)
def test_a_prompt_for_json_gives_an_object(capital_no_json: Chat, capital_object: Chat, asked_object: Chat) -> None:
    """A prompt that asks for JSON is answered with an object alone: no code fence, no word around it."""
    inconclusive_unless(capital_object.text != capital_no_json.text, "`response_format` has no effect")
    inconclusive_unless(asked_object.finish_reason != "length", ENDLESS)
    assert isinstance(asked_object.document, dict)
    assert asked_object.finish_reason == "stop"


@check("json_mode", MUST, SOURCE)
def test_a_stream_joins_to_the_object(capital_object: Chat, capital_object_streamed: Chat) -> None:
    """A stream joins to the same object as the plain answer."""
    inconclusive_unless(capital_object.finish_reason != "length", ENDLESS)
    assert_same_text(capital_object_streamed.text, capital_object.text)
    assert isinstance(capital_object_streamed.document, dict)


@check("json_mode", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_object_is_said_to_be_cut(asked_object: Chat, asked_object_cut: Chat) -> None:
    """An object that max_tokens cuts is its beginning, with finish_reason `length`."""
    inconclusive_unless(asked_object.text.lstrip().startswith("{"), "the model gave no object")
    inconclusive_unless(asked_object.tokens("completion") > 4, "the model's object is too short to be cut")
    inconclusive_unless(asked_object_cut.said != asked_object.said, "`max_tokens` has no effect")
    assert asked_object_cut.finish_reason == "length"
    assert_same_text(asked_object.text[: len(asked_object_cut.text)], asked_object_cut.text)


@check("json_mode", MUST, "openapi:ResponseFormatText")
def test_text_is_the_default(capital: Chat, capital_text: Chat) -> None:
    """The format `text` is the same as none."""
    assert_same_text(capital_text.text, capital.text)


@check("json_mode", SHOULD, FORMAT)
def test_an_unknown_format_is_refused(bad_format_type: Chat) -> None:
    """A format that there is not is refused."""
    expect_rejection(bad_format_type)


@check("json_mode", SHOULD, FORMAT)
def test_a_format_must_be_an_object(bad_format_text: Chat) -> None:
    """A response_format that is no object is refused."""
    expect_rejection(bad_format_text)
