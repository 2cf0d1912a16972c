"""`messages`: instructions, earlier turns and all forms of `content` reach the model."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_at_least,
    assert_equal,
    assert_less,
    assert_same_text,
    check,
    ignored_unless,
    inconclusive_unless,
    shown,
)
from fixtures.scenarios.chat import TEN_WORDS

CONTENT = "`choices[0].message.content`"
PROMPT_TOKENS = "`usage.prompt_tokens`"
UNCHANGED = f"{CONTENT} and {PROMPT_TOKENS} are the same as without the message"
NOT_READ = f"a longer earlier assistant message does not raise {PROMPT_TOKENS}"


def reached(answer: Chat) -> tuple[str, int]:
    """What changes when something reaches the model: its text, or the number of tokens that it read."""
    return answer.text, answer.tokens("prompt")


def assert_same_for_the_model(answer: Chat, other: Chat) -> None:
    """End the check unless two requests reach the model as the same prompt: as many tokens, and the same response."""
    compared = f"of `{answer.name}`, compared with `{other.name}`"
    assert_equal(answer.tokens("prompt"), other.tokens("prompt"), f"{PROMPT_TOKENS} {compared}")
    assert_same_text(answer.text, other.text, f"{CONTENT} {compared}")


def assert_words_added(longer: Chat, shorter: Chat, words: int, what: str) -> None:
    """End the check unless a request with more words has that many more prompt tokens, or more still."""
    more = longer.tokens("prompt") - shorter.tokens("prompt")
    assert_at_least(more, words, f"increase of {PROMPT_TOKENS} by {words} words in {what}")


def disobeyed(answer: Chat) -> str:
    """The message on a model that did not obey the instruction."""
    return f"expected the model to obey and answer BANANA, got {shown(answer.text)} ({CONTENT})"


def forgot(answer: Chat) -> str:
    """The message on a model that did not use the name from an earlier turn."""
    return f"expected the model to name Alice, got {shown(answer.text)} ({CONTENT})"


# Instructions


@check("system_messages", MUST, "openapi:ChatCompletionRequestSystemMessage", core=True)
def test_system_message_is_obeyed(capital: Chat, banana_system: Chat) -> None:
    """A message with the role `system` reaches the model, which obeys it."""
    ignored_unless(reached(banana_system) != reached(capital), UNCHANGED)
    inconclusive_unless("BANANA" in banana_system.text.upper(), disobeyed(banana_system))


@check("system_messages", MUST, "openapi:ChatCompletionRequestSystemMessage.content")
def test_system_message_in_parts(capital: Chat, banana_system: Chat, banana_parts: Chat) -> None:
    """The `content` of a system message may be an array of text parts, with the same effect."""
    inconclusive_unless(reached(banana_system) != reached(capital), UNCHANGED)
    assert_same_for_the_model(banana_parts, banana_system)


@check("system_messages", SHOULD, "openapi:ChatCompletionRequestDeveloperMessage")
def test_developer_message_is_obeyed(capital: Chat, banana_developer: Chat) -> None:
    """A message with the role `developer` reaches the model, which obeys it."""
    ignored_unless(reached(banana_developer) != reached(capital), UNCHANGED)
    inconclusive_unless("BANANA" in banana_developer.text.upper(), disobeyed(banana_developer))


@check("system_messages", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_late_system_message_is_read(two_turns: Chat, banana_late: Chat) -> None:
    """A system message reaches the model at any place in `messages`."""
    ignored_unless(
        banana_late.tokens("prompt") != two_turns.tokens("prompt"),
        f"{PROMPT_TOKENS} is the same as without the later system message",
    )


@check("system_messages", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_second_system_message_is_read(helpful_system: Chat, banana_second: Chat) -> None:
    """Two system messages both reach the model."""
    ignored_unless(
        banana_second.tokens("prompt") > helpful_system.tokens("prompt"),
        f"{PROMPT_TOKENS} is no larger than with one system message",
    )


# Earlier turns


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages", core=True)
def test_earlier_turn_is_remembered(name_unknown: Chat, name_recalled: Chat) -> None:
    """Earlier turns in `messages` reach the model, which uses them."""
    ignored_unless(
        name_recalled.tokens("prompt") > name_unknown.tokens("prompt"),
        f"{PROMPT_TOKENS} is no larger than without earlier turns",
    )
    inconclusive_unless("Alice" in name_recalled.text, forgot(name_recalled))


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_first_of_many_turns_is_remembered(
    name_recalled: Chat, name_recalled_late: Chat, longer_first_of_many_turns: Chat
) -> None:
    """All turns in `messages` reach the model, however many there are."""
    words = [len(message["content"].split()) for message in name_recalled_late.sent["messages"]]
    assert_words_added(name_recalled_late, name_recalled, sum(words[2:-1]), "later turns")
    assert_words_added(
        longer_first_of_many_turns, name_recalled_late, len(TEN_WORDS.split()), "the first of many turns"
    )
    inconclusive_unless("Alice" in name_recalled_late.text, forgot(name_recalled_late))


@check("conversation", MUST, "openapi:ChatCompletionRequestUserMessage.content")
def test_earlier_question_is_read(two_turns: Chat, longer_first_question: Chat) -> None:
    """An earlier user message's `content` reaches the model: ten extra words add at least ten `usage.prompt_tokens`."""
    assert_words_added(longer_first_question, two_turns, len(TEN_WORDS.split()), "an earlier user message")


@check("conversation", MUST, "openapi:ChatCompletionRequestAssistantMessage.content")
def test_earlier_answer_is_read(two_turns: Chat, longer_first_answer: Chat) -> None:
    """An earlier assistant's `content` reaches the model: ten extra words add at least ten `usage.prompt_tokens`."""
    assert_words_added(longer_first_answer, two_turns, len(TEN_WORDS.split()), "an earlier assistant message")


@check("conversation", MUST, "docs:guides/conversation-state append the message")
def test_own_message_is_accepted(two_turns: Chat, longer_first_answer: Chat, two_turns_sent_back: Chat) -> None:
    """The server accepts its own `message`, unchanged, in `messages`, like any assistant message."""
    inconclusive_unless(longer_first_answer.tokens("prompt") > two_turns.tokens("prompt"), NOT_READ)
    inconclusive_unless(
        "Paris" in str(two_turns_sent_back.sent["messages"][1].get("content")),
        f"the model's first answer does not contain `Paris` ({CONTENT})",
    )
    assert_same_text(
        two_turns_sent_back.text, two_turns.text, f"{CONTENT} after the server's own `message` was sent back"
    )


@check("conversation", MUST, "openapi:ChatCompletionRequestAssistantMessage.content")
def test_earlier_answer_in_parts(two_turns: Chat, longer_first_answer: Chat, two_turns_parts: Chat) -> None:
    """The `content` of an assistant message may be an array of text parts, with the same effect."""
    inconclusive_unless(longer_first_answer.tokens("prompt") > two_turns.tokens("prompt"), NOT_READ)
    assert_same_for_the_model(two_turns_parts, two_turns)


@check("conversation", SHOULD, "openapi:ChatCompletionRequestAssistantMessage.content")
def test_empty_earlier_answer_is_accepted(two_turns: Chat, two_turns_empty: Chat) -> None:
    """The `content` of an assistant message may be an empty string."""
    assert_less(
        two_turns_empty.tokens("prompt"), two_turns.tokens("prompt"), f"{PROMPT_TOKENS} with an empty earlier `content`"
    )


@check("conversation", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_two_questions_in_a_row(name_unknown: Chat, two_questions: Chat) -> None:
    """Two user messages in a row both reach the model: each word of the first adds at least one token to the prompt."""
    assert_words_added(two_questions, name_unknown, 4, "an earlier user message")


# Content


@check("chat", MUST, "openapi:ChatCompletionRequestUserMessage.content")
def test_one_part_is_the_text(capital: Chat, capital_part: Chat) -> None:
    """An array with one text part as `content` has the same effect as a string."""
    assert_same_for_the_model(capital_part, capital)


@check("chat", MUST, "openapi:ChatCompletionRequestUserMessage.content")
def test_all_parts_are_read(capital_part: Chat, capital_parts: Chat, capital_parts_longer: list[Chat]) -> None:
    """Each text part of a user message reaches the model: ten extra words add at least ten `usage.prompt_tokens`."""
    for longer in capital_parts_longer:
        assert_words_added(longer, capital_parts, len(TEN_WORDS.split()), f"a text part of `{longer.name}`")


@check("chat", SHOULD, "openapi:ChatCompletionRequestMessageContentPartText")
def test_all_parts_of_any_message_are_read(parts_longer: list[Chat]) -> None:
    """All text parts in the `content` of system, assistant and tool messages reach the model."""
    plain, first, second = (answer.tokens("prompt") for answer in parts_longer)
    words = len(TEN_WORDS.split())
    assert_at_least(
        min(first, second) - plain, 5 * words, f"increase of {PROMPT_TOKENS} by {words} words in a part of each message"
    )
    assert_less(
        abs(second - first),
        words,
        f"difference of {PROMPT_TOKENS} with longer first parts and with longer second parts",
    )


@check("chat", SHOULD, "openapi:ChatCompletionRequestUserMessage.name")
def test_name_is_accepted(capital: Chat, capital_named: Chat) -> None:
    """A user message may have a `name`; its `content` still reaches the model."""
    assert_at_least(capital_named.tokens("prompt"), capital.tokens("prompt"), f"{PROMPT_TOKENS} with a `name`")


@check("chat", SHOULD, "openapi:ChatCompletionRequestAssistantMessage.name")
def test_other_names_are_accepted(two_turns_set_up: Chat, two_turns_named: Chat) -> None:
    """System and assistant messages may have a `name`; their `content` still reaches the model."""
    assert_at_least(two_turns_named.tokens("prompt"), two_turns_set_up.tokens("prompt"), f"{PROMPT_TOKENS} with `name`")


@check("conversation", SHOULD, "openapi:ChatCompletionRequestAssistantMessage.refusal")
def test_a_refusal_is_accepted(two_turns_empty: Chat, two_turns_refused: list[Chat]) -> None:
    """An assistant message may have a `refusal`, or a part of type `refusal` in its `content`."""
    for answer in two_turns_refused:
        assert answer.text.strip(), f"expected a text, got {shown(answer.text)} ({CONTENT} of `{answer.name}`)"


@check("chat", MUST, "rfc:8259#8.1 JSON is UTF-8")
def test_unicode_comes_back_whole(repeat_unicode: Chat) -> None:
    """Letters with accents, Chinese characters and an emoji in `content` reach the model and come back unchanged."""
    inconclusive_unless(
        repeat_unicode.finish_reason == "stop", "the model did not end by itself (`finish_reason` is not `stop`)"
    )
    if "\ufffd" in repeat_unicode.text:
        assert_same_text(repeat_unicode.text, "café 你好 🚀", CONTENT)
    inconclusive_unless(
        "café 你好 🚀" in repeat_unicode.text,
        f"expected the model to repeat `café 你好 🚀`, got {shown(repeat_unicode.text)} ({CONTENT})",
    )
