"""Requests that are wrong: refused with the right status and the error object, and no harm done."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Answer,
    Chat,
    assert_same_text,
    check,
    expect_rejection,
    inconclusive_unless,
)
from fixtures.scenarios.errors import ORIGIN

# Bodies


@check("errors", MUST, "rfc:9110#15.5.1", core=True)
def test_broken_json_is_refused(capital: Chat, bad_json: Chat) -> None:
    """A body that is not JSON is refused with 400."""
    expect_rejection(bad_json)


@check("errors", SHOULD, "docs:guides/error-codes")
def test_empty_body_is_refused(capital: Chat, bad_empty_body: Chat) -> None:
    """A body without a byte is refused with 400."""
    expect_rejection(bad_empty_body)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest")
def test_array_as_body_is_refused(capital: Chat, bad_array_body: Chat) -> None:
    """A body that is no object is refused with 400."""
    expect_rejection(bad_array_body)


@check("errors", SHOULD, "docs:api-reference JSON is UTF-8")
def test_broken_utf8_is_refused(capital: Chat, bad_utf8: Chat) -> None:
    """A body that is not UTF-8 is refused with 400."""
    expect_rejection(bad_utf8)


@check("errors", SHOULD, "docs:guides/error-codes")
def test_deep_json_is_refused(capital: Chat, bad_deep_json: Chat) -> None:
    """A body of thousands of brackets is refused with 400, like any that is not JSON."""
    expect_rejection(bad_deep_json, or_leniently=(413, 422))


# Messages


@check("errors", MUST, "openapi:CreateChatCompletionRequest.messages", core=True)
def test_missing_messages_are_refused(capital: Chat, bad_no_messages: Chat) -> None:
    """A request without messages is refused with 400."""
    expect_rejection(bad_no_messages)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_empty_messages_are_refused(capital: Chat, bad_empty_messages: Chat) -> None:
    """An empty list of messages is refused with 400."""
    expect_rejection(bad_empty_messages)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_text_as_messages_is_refused(capital: Chat, bad_messages_string: Chat) -> None:
    """A text instead of a list of messages is refused with 400."""
    expect_rejection(bad_messages_string)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_text_as_message_is_refused(capital: Chat, bad_message_string: Chat) -> None:
    """A text in place of a message is refused with 400."""
    expect_rejection(bad_message_string)


@check("errors", MUST, "openapi:ChatCompletionRequestMessage.role")
def test_unknown_role_is_refused(capital: Chat, bad_role: Chat) -> None:
    """A role that does not exist is refused with 400, not left out."""
    expect_rejection(bad_role)


@check("errors", SHOULD, "openapi:ChatCompletionRequestMessage.role")
def test_missing_role_is_refused(capital: Chat, bad_no_role: Chat) -> None:
    """A message without a role is refused with 400."""
    expect_rejection(bad_no_role)


@check("errors", SHOULD, "openapi:ChatCompletionRequestUserMessage.content")
def test_missing_content_is_refused(capital: Chat, bad_no_content: Chat) -> None:
    """A user's message without content is refused with 400."""
    expect_rejection(bad_no_content)


@check("errors", SHOULD, "openapi:ChatCompletionRequestUserMessage.content")
def test_number_as_content_is_refused(capital: Chat, bad_content_number: Chat) -> None:
    """A number as content is refused with 400."""
    expect_rejection(bad_content_number)


@check("errors", MUST, "openapi:ChatCompletionRequestUserMessageContentPart")
def test_unknown_part_is_refused(capital: Chat, bad_part_type: Chat) -> None:
    """A kind of content part that does not exist is refused with 400, not left out."""
    expect_rejection(bad_part_type)


@check("errors", SHOULD, "openapi:ChatCompletionRequestMessageContentPartText.text")
def test_part_without_text_is_refused(capital: Chat, bad_part_text: Chat) -> None:
    """A text part without text is refused with 400."""
    expect_rejection(bad_part_text)


# Parameters


@check("errors", SHOULD, "openapi:ModelResponseProperties.temperature")
def test_word_as_number_is_refused(capital: Chat, bad_temperature_string: Chat) -> None:
    """A word where a number is expected is refused with 400."""
    expect_rejection(bad_temperature_string)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.max_tokens")
def test_number_in_quotes_is_refused(capital: Chat, bad_max_tokens_string: Chat) -> None:
    """A number in quotes is no number, and refused with 400."""
    expect_rejection(bad_max_tokens_string)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.stream")
def test_word_as_boolean_is_refused(capital: Chat, bad_stream_string: Chat) -> None:
    """A word where true or false is expected is refused with 400."""
    expect_rejection(bad_stream_string)


# The model


@check("errors", SHOULD, "docs:guides/error-codes model not found")
def test_unknown_model_is_not_found(capital: Chat, bad_model: Chat) -> None:
    """A model that does not exist is answered with 404, not by another model."""
    expect_rejection(bad_model, 404, or_leniently=(400,))


@check("errors", MAY, "docs:guides/error-codes model not found")
def test_unknown_model_is_not_streamed(capital: Chat, bad_model_streamed: Chat) -> None:
    """Where a stream was asked for, an unknown model is answered with 404 all the same."""
    expect_rejection(bad_model_streamed, 404, or_leniently=(400,))


@check("errors", SHOULD, "docs:guides/error-codes model not found")
def test_unknown_model_has_the_code(capital: Chat, bad_model: Chat) -> None:
    """The error's code for an unknown model is `model_not_found`."""
    inconclusive_unless(not bad_model.ok, "the model was accepted")
    assert bad_model.error.get("code") == "model_not_found"


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.model")
def test_missing_model_is_refused(capital: Chat, bad_no_model: Chat) -> None:
    """A request that names no model is refused with 400."""
    expect_rejection(bad_no_model)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.model")
def test_number_as_model_is_refused(capital: Chat, bad_model_number: Chat) -> None:
    """A number is no name of a model."""
    expect_rejection(bad_model_number, or_leniently=(404, 422))


# Paths and methods


@check("errors", MUST, "rfc:9110#15.5.5")
def test_unknown_path_is_not_found(bad_path: Answer) -> None:
    """A path that does not exist is answered with 404."""
    assert bad_path.status == 404


@check("errors", SHOULD, "de-facto:OpenAI answers 405")
def test_wrong_method_is_refused(capital: Chat, bad_method: Answer) -> None:
    """GET where POST is expected is answered with 405."""
    capital.accepted()
    expect_rejection(bad_method, 405, or_leniently=(404,))


# The error object


@check("errors", SHOULD, "docs:guides/error-codes")
def test_type_is_invalid_request_error(bad_no_messages: Chat, bad_temperature_string: Chat) -> None:
    """The error's type for a wrong request is `invalid_request_error`."""
    assert bad_no_messages.error.get("type") == "invalid_request_error"
    assert bad_temperature_string.error.get("type") == "invalid_request_error"


@check("errors", SHOULD, "openapi:Error.param")
def test_param_names_the_parameter(bad_no_messages: Chat, bad_temperature_string: Chat) -> None:
    """The error's param is the parameter that is wrong."""
    assert bad_no_messages.error.get("param") == "messages"
    assert bad_temperature_string.error.get("param") == "temperature"


# No harm


@check("errors", MUST, "docs:guides/conversation-state requests are independent")
def test_answers_afterwards(capital: Chat, after_errors: Chat) -> None:
    """After all these requests the server answers a good one as before."""
    assert_same_text(after_errors.text, capital.text)


@check("errors", SHOULD, "de-facto:images in messages make bodies of megabytes")
def test_large_body_does_no_harm(capital: Chat, megabyte: Chat) -> None:
    """A body of a megabyte is answered, or cleanly refused."""
    if not megabyte.cleanly_refused:
        assert_same_text(megabyte.text, capital.text)


@check("errors", SHOULD, "docs:guides/error-codes")
def test_half_a_character_does_no_harm(capital: Chat, lone_surrogate: Chat) -> None:
    """Half of a surrogate pair in a message is answered, or cleanly refused."""
    assert lone_surrogate.cleanly_refused or lone_surrogate.choices


# Browsers


@check("errors", MAY, "sdk:dangerouslyAllowBrowser")
def test_preflight_is_answered(preflight: Answer) -> None:
    """A browser's question is answered: pages from elsewhere may send requests with a key."""
    assert preflight.ok
    assert preflight.wire.header("access-control-allow-origin") in ("*", ORIGIN)


@check("errors", MAY, "sdk:dangerouslyAllowBrowser")
def test_page_from_elsewhere_may_read(models_list: Answer, cross_origin: Answer) -> None:
    """An answer says that pages from elsewhere may read it."""
    assert cross_origin.wire.header("access-control-allow-origin") in ("*", ORIGIN)
