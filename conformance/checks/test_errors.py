"""Invalid requests: rejected with the right HTTP status and an error object, and the server goes on."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Answer,
    Chat,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_same_text,
    check,
    expect_rejection,
    inconclusive_unless,
)
from fixtures.scenarios.errors import ORIGIN

ALLOW_ORIGIN = "header `Access-Control-Allow-Origin`"

# Bodies


@check("errors", MUST, "rfc:9110#15.5.1", core=True)
def test_broken_json_is_refused(capital: Chat, bad_json: Chat) -> None:
    """A body that is not JSON is rejected with 400."""
    expect_rejection(bad_json)


@check("errors", SHOULD, "docs:guides/error-codes")
def test_empty_body_is_refused(capital: Chat, bad_empty_body: Chat) -> None:
    """An empty body is rejected with 400."""
    expect_rejection(bad_empty_body)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest")
def test_array_as_body_is_refused(capital: Chat, bad_array_body: Chat) -> None:
    """A JSON array as the body is rejected with 400."""
    expect_rejection(bad_array_body)


@check("errors", SHOULD, "docs:api-reference JSON is UTF-8")
def test_broken_utf8_is_refused(capital: Chat, bad_utf8: Chat) -> None:
    """A body that is not UTF-8 is rejected with 400."""
    expect_rejection(bad_utf8)


@check("errors", SHOULD, "docs:guides/error-codes")
def test_deep_json_is_refused(capital: Chat, bad_deep_json: Chat) -> None:
    """A body of thousands of opening brackets is rejected with 400."""
    expect_rejection(bad_deep_json, or_leniently=(413, 422))


# Messages


@check("errors", MUST, "openapi:CreateChatCompletionRequest.messages", core=True)
def test_missing_messages_are_refused(capital: Chat, bad_no_messages: Chat) -> None:
    """A request without `messages` is rejected with 400."""
    expect_rejection(bad_no_messages)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_empty_messages_are_refused(capital: Chat, bad_empty_messages: Chat) -> None:
    """An empty array as `messages` is rejected with 400."""
    expect_rejection(bad_empty_messages)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_text_as_messages_is_refused(capital: Chat, bad_messages_string: Chat) -> None:
    """A string as `messages` is rejected with 400."""
    expect_rejection(bad_messages_string)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_text_as_message_is_refused(capital: Chat, bad_message_string: Chat) -> None:
    """A string as an entry of `messages` is rejected with 400."""
    expect_rejection(bad_message_string)


@check("errors", SHOULD, "openapi:ChatCompletionRequestMessage.role")
def test_unknown_role_is_refused(capital: Chat, bad_role: Chat) -> None:
    """An unknown `role` is rejected with 400."""
    expect_rejection(bad_role)


@check("errors", MUST, "openapi:ChatCompletionRequestMessage.role")
def test_unknown_role_is_read_or_refused(capital: Chat, bad_role_lengths: list[Chat]) -> None:
    """A message with an unknown `role` is read or rejected; it is not left out."""
    short, longer = bad_role_lengths
    if short.ok or not short.error_message:
        where = "`usage.prompt_tokens` with ten words more in a message with an unknown `role`"
        assert_at_least(longer.tokens("prompt"), short.tokens("prompt") + 10, where)


@check("errors", SHOULD, "openapi:ChatCompletionRequestMessage.role")
def test_missing_role_is_refused(capital: Chat, bad_no_role: Chat) -> None:
    """A message without `role` is rejected with 400."""
    expect_rejection(bad_no_role)


@check("errors", SHOULD, "openapi:ChatCompletionRequestUserMessage.content")
def test_missing_content_is_refused(capital: Chat, bad_no_content: Chat) -> None:
    """A user message without `content` is rejected with 400."""
    expect_rejection(bad_no_content)


@check("errors", SHOULD, "openapi:ChatCompletionRequestUserMessage.content")
def test_number_as_content_is_refused(capital: Chat, bad_content_number: Chat) -> None:
    """A number as `content` is rejected with 400."""
    expect_rejection(bad_content_number)


@check("errors", MUST, "openapi:ChatCompletionRequestUserMessageContentPart")
def test_unknown_part_is_refused(capital: Chat, bad_part_type: Chat) -> None:
    """A content part of an unknown `type` is rejected with 400; it is not left out."""
    expect_rejection(bad_part_type)


@check("errors", SHOULD, "openapi:ChatCompletionRequestMessageContentPartText.text")
def test_part_without_text_is_refused(capital: Chat, bad_part_text: Chat) -> None:
    """A content part of type `text` without `text` is rejected with 400."""
    expect_rejection(bad_part_text)


# Parameters


@check("errors", SHOULD, "openapi:ModelResponseProperties.temperature")
def test_word_as_number_is_refused(capital: Chat, bad_temperature_string: Chat) -> None:
    """A word as `temperature` is rejected with 400."""
    expect_rejection(bad_temperature_string)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.max_tokens")
def test_number_in_quotes_is_refused(capital: Chat, bad_max_tokens_string: Chat) -> None:
    """A number in quotes as `max_tokens` is rejected with 400."""
    expect_rejection(bad_max_tokens_string)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.stream")
def test_word_as_boolean_is_refused(capital: Chat, bad_stream_string: Chat) -> None:
    """A word as `stream` is rejected with 400."""
    expect_rejection(bad_stream_string)


# The model


@check("errors", SHOULD, "docs:guides/error-codes model not found")
def test_unknown_model_is_not_found(capital: Chat, bad_model: Chat) -> None:
    """An unknown `model` is rejected with 404."""
    expect_rejection(bad_model, 404, or_leniently=(400,))


@check("errors", MAY, "docs:guides/error-codes model not found")
def test_unknown_model_is_not_streamed(capital: Chat, bad_model_streamed: Chat) -> None:
    """With `stream: true`, an unknown `model` is rejected with 404."""
    expect_rejection(bad_model_streamed, 404, or_leniently=(400,))


@check("errors", MAY, "docs:guides/error-codes model not found")
def test_unknown_model_has_the_code(capital: Chat, bad_model: Chat) -> None:
    """`error.code` is `model_not_found` when `model` is unknown."""
    inconclusive_unless(not bad_model.ok, "the server accepted the unknown `model`, so there is no `error.code`")
    assert_equal(bad_model.error.get("code"), "model_not_found", "`error.code`")


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.model")
def test_missing_model_is_refused(capital: Chat, bad_no_model: Chat) -> None:
    """A request without `model` is rejected with 400."""
    expect_rejection(bad_no_model)


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest.model")
def test_number_as_model_is_refused(capital: Chat, bad_model_number: Chat) -> None:
    """A number as `model` is rejected with 400."""
    expect_rejection(bad_model_number, or_leniently=(404, 422))


# Paths and methods


@check("errors", MUST, "rfc:9110#15.5.5")
def test_unknown_path_is_not_found(bad_path: Answer) -> None:
    """A request to an unknown path gets 404."""
    assert_equal(bad_path.status, 404, "HTTP status of an unknown path")


@check("errors", SHOULD, "de-facto:OpenAI answers 405")
def test_wrong_method_is_refused(capital: Chat, bad_method: Answer) -> None:
    """`GET /chat/completions` is rejected with 405."""
    capital.assert_accepted()
    expect_rejection(bad_method, 405, or_leniently=(404,))


# The error object


@check("errors", SHOULD, "docs:guides/error-codes")
def test_type_is_invalid_request_error(bad_no_messages: Chat, bad_temperature_string: Chat) -> None:
    """`error.type` of an invalid request is `invalid_request_error`."""
    for answer, wrong in ((bad_no_messages, "no `messages`"), (bad_temperature_string, "a word as `temperature`")):
        assert_equal(answer.error.get("type"), "invalid_request_error", f"`error.type` of a request with {wrong}")


@check("errors", SHOULD, "openapi:Error.param")
def test_param_names_the_parameter(capital: Chat, bad_no_messages: Chat, bad_temperature_string: Chat) -> None:
    """`error.param` names the invalid parameter."""
    inconclusive_unless(capital.ok, "expected a plain request to be accepted, got a rejection")
    assert_equal(bad_no_messages.error.get("param"), "messages", "`error.param`")
    assert_equal(bad_temperature_string.error.get("param"), "temperature", "`error.param`")


# After invalid and unusual requests


@check("errors", MUST, "docs:guides/conversation-state requests are independent")
def test_answers_afterwards(capital: Chat, after_errors: Chat) -> None:
    """After invalid requests, the server responds to a valid one as before."""
    assert_same_text(after_errors.text, capital.text, "`choices[0].message.content` after invalid requests")


@check("errors", SHOULD, "de-facto:images in messages make bodies of megabytes")
def test_large_body_does_no_harm(capital: Chat, megabyte: Chat) -> None:
    """A body of one megabyte gets a response, or is rejected with an error object."""
    if not megabyte.cleanly_refused:
        assert_same_text(megabyte.text, capital.text, "`choices[0].message.content` of a request of one megabyte")


@check("errors", SHOULD, "docs:guides/error-codes")
def test_half_a_character_does_no_harm(capital: Chat, lone_surrogate: Chat) -> None:
    """Half of a surrogate pair in `content` gets a response, or is rejected with an error object."""
    assert lone_surrogate.cleanly_refused or lone_surrogate.choices, (
        "expected a response with `choices`, or a rejection with an error object"
    )


# Requests of web pages


@check("errors", MAY, "sdk:dangerouslyAllowBrowser")
def test_preflight_is_answered(preflight: Answer) -> None:
    """`OPTIONS` gets 2xx, and `Access-Control-Allow-Origin` lets other origins send requests."""
    assert preflight.ok, f"expected 2xx, got {preflight.exchange.status} (HTTP status of `OPTIONS`)"
    assert_in(preflight.wire.header("access-control-allow-origin"), ("*", ORIGIN), ALLOW_ORIGIN)


@check("errors", MAY, "sdk:dangerouslyAllowBrowser")
def test_page_from_elsewhere_may_read(models_list: Answer, cross_origin: Answer) -> None:
    """`Access-Control-Allow-Origin` of a response lets pages of other origins read it."""
    assert_in(cross_origin.wire.header("access-control-allow-origin"), ("*", ORIGIN), ALLOW_ORIGIN)
