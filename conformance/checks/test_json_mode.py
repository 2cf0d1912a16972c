"""`response_format` `json_object`: `content` is a JSON object."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_equal,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
)

SOURCE = "openapi:ResponseFormatJsonObject"
FORMAT = "openapi:CreateChatCompletionRequest.response_format"
ENDLESS = "`max_tokens` truncated the response (`finish_reason` is `length`)"
CONTENT = "`choices[0].message.content`"


def assert_object(answer: Chat, where: str = CONTENT) -> None:
    """End the check unless the text is a JSON object."""
    kind = type(answer.document).__name__
    assert isinstance(answer.document, dict), f"expected a JSON object, got a JSON value of type {kind} ({where})"


@check("json_mode", MUST, SOURCE, core=True)
def test_the_answer_is_an_object(capital_no_json: Chat, capital_object: Chat) -> None:
    """With `response_format` `json_object`, `content` is a JSON object, even if the prompt forbids JSON."""
    inconclusive_unless(
        "{" not in capital_no_json.text, f"the model also writes JSON without `response_format` ({CONTENT})"
    )
    ignored_unless(capital_object.text != capital_no_json.text, f"{CONTENT} is the same as without `response_format`")
    inconclusive_unless(capital_object.finish_reason != "length", ENDLESS)
    assert_object(capital_object)


@check("json_mode", MUST, SOURCE)
def test_a_prompt_for_json_gives_an_object(capital_no_json: Chat, capital_object: Chat, asked_object: Chat) -> None:
    """When the prompt asks for JSON, `content` is only a JSON object, without a code fence or words around it."""
    inconclusive_unless(capital_object.text != capital_no_json.text, "`response_format` has no effect")
    inconclusive_unless(asked_object.finish_reason != "length", ENDLESS)
    assert_object(asked_object)
    assert_equal(asked_object.finish_reason, "stop", "`choices[0].finish_reason`")


@check("json_mode", MUST, SOURCE)
def test_a_stream_joins_to_the_object(capital_object: Chat, capital_object_streamed: Chat) -> None:
    """The concatenated `content` deltas of a stream are the same JSON object as in the plain response."""
    inconclusive_unless(capital_object.finish_reason != "length", ENDLESS)
    streamed = "`choices[0].delta.content`, joined"
    assert_same_text(capital_object_streamed.text, capital_object.text, streamed)
    assert_object(capital_object_streamed, streamed)


@check("json_mode", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_object_is_said_to_be_cut(asked_object: Chat, asked_object_cut: Chat) -> None:
    """When `max_tokens` truncates an object, `content` is its beginning and `finish_reason` is `length`."""
    inconclusive_unless(asked_object.text.lstrip().startswith("{"), f"the model wrote no JSON object ({CONTENT})")
    inconclusive_unless(
        asked_object.tokens("completion") > 4,
        "the model's object is too short to be truncated (`usage.completion_tokens` is at most 4)",
    )
    inconclusive_unless(asked_object_cut.said != asked_object.said, "`max_tokens` has no effect")
    assert_equal(asked_object_cut.finish_reason, "length", "`choices[0].finish_reason`")
    assert_same_text(
        asked_object_cut.text, asked_object.text[: len(asked_object_cut.text)], f"{CONTENT} with `max_tokens: 4`"
    )


@check("json_mode", MUST, "openapi:ResponseFormatText")
def test_text_is_the_default(capital: Chat, capital_text: Chat) -> None:
    """`response_format` `text` has the same effect as no `response_format`."""
    assert_same_text(capital_text.text, capital.text, f"{CONTENT} with `response_format` `text`")


@check("json_mode", SHOULD, FORMAT)
def test_an_unknown_format_is_refused(bad_format_type: Chat) -> None:
    """An unknown `response_format.type` is rejected with 400."""
    expect_rejection(bad_format_type)


@check("json_mode", SHOULD, FORMAT)
def test_a_format_must_be_an_object(bad_format_text: Chat) -> None:
    """A string as `response_format` is rejected with 400."""
    expect_rejection(bad_format_text)
