"""`POST /chat/completions`: the answer's envelope, and the fields that do not change what is said."""

from conformance.kit import MAY, MUST, SHOULD, Chat, assert_same_text, check, inconclusive_unless


@check("chat", MUST, "openapi:CreateChatCompletionResponse.choices")
def test_answers_with_a_message(capital: Chat) -> None:
    """The answer is one choice with a message of the assistant, which says something."""
    assert [choice.index for choice in capital.choices] == [0]
    assert capital.choice.role == "assistant"
    assert capital.text or capital.reasoning


@check("chat", MUST, "openapi:CreateChatCompletionRequest.messages", core=True)
def test_answers_the_question(count: Chat, capital: Chat) -> None:
    """Two questions have two answers."""
    more = count.tokens("prompt") != capital.tokens("prompt")
    inconclusive_unless(count.said != capital.said or not more, "the model says the same to both questions")
    assert capital.said != count.said


@check("chat", MUST, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_finish_reason_is_stop(capital: Chat, capital_streamed: Chat) -> None:
    """An answer that ends by itself has finish_reason `stop`, plain and streamed."""
    inconclusive_unless(
        capital.tokens("completion") < capital.sent["max_tokens"], "the model used all tokens that it had"
    )
    assert capital.finish_reason == "stop"
    assert capital_streamed.finish_reason == "stop"


@check("chat", MAY, "de-facto:ids of chat completions")
def test_id_has_the_prefix(capital: Chat) -> None:
    """The id begins with `chatcmpl-`."""
    assert str(capital.body.get("id")).startswith("chatcmpl-")


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.model")
def test_names_the_model(capital: Chat) -> None:
    """The answer names the model that was asked for, perhaps with its version."""
    assert str(capital.sent["model"]) in str(capital.body.get("model"))


@check("chat", SHOULD, "openapi:CreateChatCompletionRequest.stop nullable")
def test_null_is_the_default(capital: Chat, capital_nulls: Chat) -> None:
    """A nullable parameter that is null is as if it were not there."""
    assert_same_text(capital_nulls.text, capital.text)


@check("chat", SHOULD, "openapi:ModelResponseProperties.user")
def test_metadata_changes_nothing(capital: Chat, capital_metadata: Chat) -> None:
    """`user`, `metadata` and `store` are accepted, and do not change the answer."""
    assert_same_text(capital_metadata.text, capital.text)


@check("chat", SHOULD, "openapi:ServiceTier")
def test_service_tier_auto_is_accepted(capital: Chat, capital_service_tier: Chat) -> None:
    """`service_tier: auto` is what holds without it."""
    assert_same_text(capital_service_tier.text, capital.text)


@check("chat", SHOULD, "openapi:ModelResponseProperties.safety_identifier")
def test_identifiers_change_nothing(capital: Chat, capital_identifiers: Chat) -> None:
    """`safety_identifier` and `prompt_cache_key` are accepted, and do not change the answer."""
    assert_same_text(capital_identifiers.text, capital.text)


@check("chat", SHOULD, "openapi:ResponseModalities")
def test_text_modality_is_accepted(capital: Chat, capital_modalities: Chat) -> None:
    """`modalities: ["text"]` is what holds without it."""
    assert_same_text(capital_modalities.text, capital.text)


@check("chat", MAY, "openapi:PredictionContent")
def test_prediction_changes_nothing(capital: Chat, capital_prediction: Chat) -> None:
    """A predicted answer may make it faster, and does not change it."""
    assert_same_text(capital_prediction.text, capital.text)


@check("chat", MAY, "de-facto:clients send fields of newer versions of the API")
def test_unknown_field_is_tolerated(capital: Chat, capital_unknown_field: Chat) -> None:
    """A field that the server does not know changes nothing (OpenAI itself refuses it)."""
    assert_same_text(capital_unknown_field.text, capital.text)
