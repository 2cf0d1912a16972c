"""`POST /chat/completions`: the fields of the response, and parameters that do not change its `content`."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_contains,
    assert_equal,
    assert_not_equal,
    assert_same_text,
    check,
    inconclusive_unless,
    lenient,
    shown,
)

CONTENT = "`choices[0].message.content`"


@check("chat", MUST, "openapi:CreateChatCompletionResponse.choices")
def test_answers_with_a_message(capital: Chat) -> None:
    """The response has one choice with index 0, whose `message` has the role `assistant` and some text."""
    assert_equal([choice.index for choice in capital.choices], [0], "`choices[].index`")
    assert_equal(capital.choice.role, "assistant", "`choices[0].message.role`")
    assert capital.text or capital.reasoning, f"expected a text, got an empty one ({CONTENT})"


@check("chat", MUST, "openapi:CreateChatCompletionRequest.messages", core=True)
def test_answers_the_question(count: Chat, capital: Chat) -> None:
    """Two different questions in `messages` get two different responses."""
    more = count.tokens("prompt") != capital.tokens("prompt")
    inconclusive_unless(
        count.said != capital.said or not more,
        "the model gave the same response to two questions, although both reached it (`usage.prompt_tokens` differs)",
    )
    assert_not_equal(capital.said, count.said, f"{CONTENT}, compared with the response to another question")


@check("chat", MUST, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_finish_reason_is_stop(capital: Chat, capital_streamed: Chat) -> None:
    """`finish_reason` is `stop` when the model ends by itself, plain and streamed."""
    inconclusive_unless(
        capital.tokens("completion") < capital.sent["max_tokens"],
        "the model used all of `max_tokens`, so it may not have ended by itself",
    )
    assert_equal(capital.finish_reason, "stop", "`choices[0].finish_reason`")
    assert_equal(capital_streamed.finish_reason, "stop", "`choices[0].finish_reason` of the streamed response")


@check("chat", MAY, "de-facto:ids of chat completions")
def test_id_has_the_prefix(capital: Chat) -> None:
    """The `id` begins with `chatcmpl-`; another prefix is lenient, unless it is that of another object."""
    given = str(capital.body.get("id"))
    assert capital.body.get("id"), f"expected a string with text, got {shown(capital.body.get('id'))} (`id`)"
    mistaken = given.startswith(("cmpl-", "resp_", "call_"))
    assert not mistaken, f"expected an id that begins with `chatcmpl-`, got another object's, {shown(given)} (`id`)"
    if not given.startswith("chatcmpl-"):
        lenient(f"expected an id that begins with `chatcmpl-`, got {shown(given)} (`id`)")


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.model")
def test_names_the_model(capital: Chat) -> None:
    """`model` in the response contains the `model` of the request; a version may be added."""
    assert_contains(str(capital.body.get("model")), str(capital.sent["model"]), "`model`")


@check("chat", SHOULD, "openapi:CreateChatCompletionRequest.stop nullable")
def test_null_is_the_default(capital: Chat, capital_nulls: Chat) -> None:
    """A nullable parameter that is `null` has the same effect as one that is left out."""
    assert_same_text(capital_nulls.text, capital.text, f"{CONTENT} when all nullable parameters are `null`")


@check("chat", SHOULD, "openapi:ModelResponseProperties.user")
def test_metadata_changes_nothing(capital: Chat, capital_metadata: Chat) -> None:
    """`user`, `metadata` and `store` are accepted, and do not change `content`."""
    assert_same_text(capital_metadata.text, capital.text, f"{CONTENT} with `user`, `metadata` and `store`")


@check("chat", SHOULD, "openapi:ServiceTier")
def test_service_tier_auto_is_accepted(capital: Chat, capital_service_tier: Chat) -> None:
    """`service_tier: auto` is accepted, and does not change `content`."""
    assert_same_text(capital_service_tier.text, capital.text, f"{CONTENT} with `service_tier`")


@check("chat", SHOULD, "openapi:ModelResponseProperties.safety_identifier")
def test_identifiers_change_nothing(capital: Chat, capital_identifiers: Chat) -> None:
    """`safety_identifier` and `prompt_cache_key` are accepted, and do not change `content`."""
    assert_same_text(
        capital_identifiers.text, capital.text, f"{CONTENT} with `safety_identifier` and `prompt_cache_key`"
    )


@check("chat", SHOULD, "openapi:ResponseModalities")
def test_text_modality_is_accepted(capital: Chat, capital_modalities: Chat) -> None:
    """`modalities: ["text"]` is accepted, and does not change `content`."""
    assert_same_text(capital_modalities.text, capital.text, f"{CONTENT} with `modalities`")


@check("chat", MAY, "openapi:PredictionContent")
def test_prediction_changes_nothing(capital: Chat, capital_prediction: Chat) -> None:
    """`prediction` is accepted, and does not change `content`."""
    assert_same_text(capital_prediction.text, capital.text, f"{CONTENT} with `prediction`")


@check("chat", MAY, "de-facto:clients send fields of newer versions of the API")
def test_unknown_field_is_tolerated(capital: Chat, capital_unknown_field: Chat) -> None:
    """An unknown parameter is accepted, and does not change `content` (OpenAI itself rejects it)."""
    assert_same_text(capital_unknown_field.text, capital.text, f"{CONTENT} with an unknown parameter")
