"""`messages`: instructions, earlier turns and all forms of content reach the model."""

from conformance.kit import MAY, MUST, SHOULD, Chat, assert_same_text, check, ignored_unless, inconclusive_unless
from fixtures.scenarios.chat import TEN_WORDS

FORGOTTEN = "a longer earlier answer adds no tokens"


def reached(answer: Chat) -> tuple[str, int]:
    """What shows that something reached the model: it answers otherwise, or had more or fewer tokens to read."""
    return answer.text, answer.tokens("prompt")


def assert_same_for_the_model(answer: Chat, other: Chat) -> None:
    """End the check unless two requests reach the model as the same prompt: as many tokens, and the same response."""
    assert answer.tokens("prompt") == other.tokens("prompt")
    assert_same_text(answer.text, other.text)


# Instructions


@check("system_messages", MUST, "openapi:ChatCompletionRequestSystemMessage", core=True)
def test_system_message_is_obeyed(capital: Chat, banana_system: Chat) -> None:
    """A system message reaches the model, which obeys it."""
    ignored_unless(reached(banana_system) != reached(capital), "nothing changes with a system message")
    inconclusive_unless("BANANA" in banana_system.text.upper(), f"the model answered {banana_system.text!r}")


@check("system_messages", MUST, "openapi:ChatCompletionRequestSystemMessage.content")
def test_system_message_in_parts(capital: Chat, banana_system: Chat, banana_parts: Chat) -> None:
    """A system message may be a list of text parts, with the same effect."""
    inconclusive_unless(reached(banana_system) != reached(capital), "nothing changes with a system message")
    assert_same_for_the_model(banana_parts, banana_system)


@check("system_messages", SHOULD, "openapi:ChatCompletionRequestDeveloperMessage")
def test_developer_message_is_obeyed(capital: Chat, banana_developer: Chat) -> None:
    """A message of the developer, the newer name of the system, reaches the model, which obeys it."""
    ignored_unless(reached(banana_developer) != reached(capital), "nothing changes with a developer message")
    inconclusive_unless("BANANA" in banana_developer.text.upper(), f"the model answered {banana_developer.text!r}")


@check("system_messages", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_late_system_message_is_read(two_turns: Chat, banana_late: Chat) -> None:
    """A system message reaches the model wherever in the conversation it stands."""
    ignored_unless(
        banana_late.tokens("prompt") != two_turns.tokens("prompt"), "the prompt has as many tokens as without it"
    )


@check("system_messages", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_second_system_message_is_read(helpful_system: Chat, banana_second: Chat) -> None:
    """Of two system messages both reach the model."""
    ignored_unless(banana_second.tokens("prompt") > helpful_system.tokens("prompt"), "the prompt has no more tokens")


# Earlier turns


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages", core=True)
def test_earlier_turn_is_remembered(name_unknown: Chat, name_recalled: Chat) -> None:
    """What was said in an earlier turn reaches the model, which uses it."""
    ignored_unless(name_recalled.tokens("prompt") > name_unknown.tokens("prompt"), "earlier turns add no tokens")
    inconclusive_unless("Alice" in name_recalled.text, f"the model answered {name_recalled.text!r}")


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_first_of_many_turns_is_remembered(name_recalled: Chat, name_recalled_late: Chat) -> None:
    """However many turns there are, all of them reach the model; each word is a token or more."""
    words = [len(message["content"].split()) for message in name_recalled_late.sent["messages"]]
    more = name_recalled_late.tokens("prompt") - name_recalled.tokens("prompt")
    assert more >= sum(words[2:-1])
    inconclusive_unless("Alice" in name_recalled_late.text, f"the model answered {name_recalled_late.text!r}")


@check("conversation", MUST, "openapi:ChatCompletionRequestUserMessage.content")
def test_earlier_question_is_read(two_turns: Chat, longer_first_question: Chat) -> None:
    """The words of an earlier question reach the model: ten more are ten tokens or more."""
    more = longer_first_question.tokens("prompt") - two_turns.tokens("prompt")
    assert more >= len(TEN_WORDS.split())


@check("conversation", MUST, "openapi:ChatCompletionRequestAssistantMessage.content")
def test_earlier_answer_is_read(two_turns: Chat, longer_first_answer: Chat) -> None:
    """The words of an earlier answer reach the model: ten more are ten tokens or more."""
    more = longer_first_answer.tokens("prompt") - two_turns.tokens("prompt")
    assert more >= len(TEN_WORDS.split())


@check("conversation", MUST, "docs:guides/conversation-state append the message")
def test_own_message_is_accepted(two_turns: Chat, longer_first_answer: Chat, two_turns_sent_back: Chat) -> None:
    """The server's own message, sent back as it came, is an earlier turn like any other."""
    inconclusive_unless(longer_first_answer.tokens("prompt") > two_turns.tokens("prompt"), FORGOTTEN)
    inconclusive_unless(
        "Paris" in str(two_turns_sent_back.sent["messages"][1].get("content")), "the first answer is another"
    )
    assert_same_text(two_turns_sent_back.text, two_turns.text)


@check("conversation", MUST, "openapi:ChatCompletionRequestAssistantMessage.content")
def test_earlier_answer_in_parts(two_turns: Chat, longer_first_answer: Chat, two_turns_parts: Chat) -> None:
    """An earlier answer may be a list of text parts, with the same effect."""
    inconclusive_unless(longer_first_answer.tokens("prompt") > two_turns.tokens("prompt"), FORGOTTEN)
    assert_same_for_the_model(two_turns_parts, two_turns)


@check("conversation", SHOULD, "openapi:ChatCompletionRequestAssistantMessage.content")
def test_empty_earlier_answer_is_accepted(two_turns: Chat, two_turns_empty: Chat) -> None:
    """An earlier answer may be an empty text."""
    assert two_turns_empty.tokens("prompt") < two_turns.tokens("prompt")


@check("conversation", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_two_questions_in_a_row(name_unknown: Chat, two_questions: Chat) -> None:
    """Of two user messages in a row both reach the model: the four words of the first are four tokens or more."""
    assert two_questions.tokens("prompt") >= name_unknown.tokens("prompt") + 4


# Content


@check("chat", MUST, "openapi:ChatCompletionRequestUserMessage.content")
def test_one_part_is_the_text(capital: Chat, capital_part: Chat) -> None:
    """A text as the only content part is the same as the text itself."""
    assert_same_for_the_model(capital_part, capital)


@check("chat", MUST, "openapi:ChatCompletionRequestUserMessage.content")
def test_all_parts_are_read(capital_part: Chat, capital_parts: Chat, capital_parts_longer: list[Chat]) -> None:
    """Of a text in two parts both reach the model: ten words more in either are ten tokens or more."""
    for longer in capital_parts_longer:
        assert longer.tokens("prompt") >= capital_parts.tokens("prompt") + len(TEN_WORDS.split())


@check("chat", SHOULD, "openapi:ChatCompletionRequestMessageContentPartText")
def test_all_parts_of_any_message_are_read(parts_longer: list[Chat]) -> None:
    """Of system, assistant and tool messages, too, all text parts reach the model: in each, ten words are as long."""
    plain, first, second = (answer.tokens("prompt") for answer in parts_longer)
    words = len(TEN_WORDS.split())
    assert min(first, second) >= plain + 5 * words
    assert abs(second - first) < words


@check("chat", SHOULD, "openapi:ChatCompletionRequestUserMessage.name")
def test_name_is_accepted(capital: Chat, capital_named: Chat) -> None:
    """A message may name its author; what was said still reaches the model."""
    assert capital_named.tokens("prompt") >= capital.tokens("prompt")


@check("chat", MAY, "openapi:ChatCompletionRequestUserMessage.name")
def test_name_reaches_the_model(capital: Chat, capital_named: Chat) -> None:
    """The name of a message's author reaches the model."""
    ignored_unless(
        capital_named.tokens("prompt") != capital.tokens("prompt"), "the prompt has no more tokens with a name"
    )


@check("chat", SHOULD, "openapi:ChatCompletionRequestAssistantMessage.name")
def test_other_names_are_accepted(two_turns_set_up: Chat, two_turns_named: Chat) -> None:
    """Messages of the system and the assistant may have a name; what they say still reaches the model."""
    assert two_turns_named.tokens("prompt") >= two_turns_set_up.tokens("prompt")


@check("conversation", SHOULD, "openapi:ChatCompletionRequestAssistantMessage.refusal")
def test_a_refusal_is_accepted(two_turns_empty: Chat, two_turns_refused: list[Chat]) -> None:
    """An earlier answer may be a refusal, as the message's field or as a part of its content."""
    for answer in two_turns_refused:
        assert answer.text.strip() != ""


@check("chat", MUST, "rfc:8259#8.1 JSON is UTF-8")
def test_unicode_comes_back_whole(repeat_unicode: Chat) -> None:
    """Letters, Chinese characters and an emoji go in and come out unharmed."""
    inconclusive_unless(repeat_unicode.finish_reason == "stop", "the model did not end by itself")
    if "\ufffd" in repeat_unicode.text:
        assert_same_text(repeat_unicode.text, "café 你好 🚀")
    inconclusive_unless("café 你好 🚀" in repeat_unicode.text, f"the model answered {repeat_unicode.text!r}")
