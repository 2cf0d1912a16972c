"""The Responses API: what a response is, and what the parameters do that it shares with chat."""

from collections.abc import Iterator

from conformance.every import is_bad
from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Every,
    Response,
    assert_matches_schema,
    assert_same_text,
    check,
    ignored_unless,
    inconclusive_unless,
    markup_in,
    reproduced_at_most,
)

DAY = 24 * 60 * 60
REQUEST = "openapi:CreateResponse"
RESPONSE = "openapi:Response"
ITEM = "openapi:InputItem"
ENDLESS = "the model does not come to its end"
SAME_MODEL = "de-facto:chat and responses are the same model with the same template"


def made(every: Every) -> Iterator[Response]:
    """All plain responses, made or retrieved; neither what deletes one, nor what lists its input."""

    def is_one(answer: Response) -> bool:
        request = answer.exchange.request
        whole = answer.ok and not is_bad(answer) and not answer.exchange.error
        return whole and not answer.streamed and request.method != "DELETE" and request.path.count("/") <= 2

    return every.of(Response, is_one, what="accepted Response")


# The response


@check("responses", MUST, f"{RESPONSE}.output", core=True)
def test_a_question_is_answered(respond_capital: Response) -> None:
    """The output is a message of the assistant with the text, and the status is `completed`."""
    inconclusive_unless(respond_capital.state != "incomplete", ENDLESS)
    assert respond_capital.state == "completed"
    assert [item.get("role") for item in respond_capital.items("message")] == ["assistant"]
    assert {part.get("type") for part in respond_capital.parts} == {"output_text"}
    assert respond_capital.text.strip() != ""


@check("responses", MUST, RESPONSE)
def test_shape(every: Every) -> None:
    """A response has all that clients read, in the right types."""
    for answer in made(every):
        assert_matches_schema(answer.body, "response")


@check("responses", SHOULD, RESPONSE)
def test_full_shape(every: Every) -> None:
    """A response has the complete published form, with the settings that it repeats and its nulls."""
    for answer in made(every):
        assert_matches_schema(answer.body, "response.full")


@check("responses", MUST, "openapi:POST /responses responses.200.content")
def test_is_json(every: Every) -> None:
    """A plain response has the content type application/json."""
    for answer in made(every):
        assert answer.content_type == "application/json"


@check("responses", MUST, f"{RESPONSE}.id")
def test_ids_are_unique(every: Every) -> None:
    """No two responses have the same id."""
    ids = [answer.id for answer in every.accepted(Response) if answer.wire.request.method == "POST"]
    assert sorted(ids) == sorted(set(ids))


@check("responses", SHOULD, f"{RESPONSE}.created_at")
def test_created_at_is_now(every: Every) -> None:
    """`created_at` is the time of the response in seconds."""
    for answer in made(every):
        assert isinstance(answer.body.get("created_at"), int | float)
        assert abs(answer.body["created_at"] - answer.wire.started_at) < DAY


@check("responses", SHOULD, f"{RESPONSE}.completed_at")
def test_completed_at_is_after_created_at(respond_count: Response) -> None:
    """`completed_at` is when the response was completed, in seconds."""
    inconclusive_unless(respond_count.state != "incomplete", ENDLESS)
    assert isinstance(respond_count.body.get("completed_at"), int | float)
    assert isinstance(respond_count.body.get("created_at"), int | float)
    assert respond_count.body["completed_at"] >= respond_count.body["created_at"]


@check("responses", SHOULD, f"{RESPONSE}.model")
def test_model_is_named(every: Every) -> None:
    """A response names the model that made it."""
    for answer in made(every):
        assert answer.body.get("model") not in (None, "")


@check("responses", MUST, f"{RESPONSE}.error")
def test_a_completed_response_has_no_error(respond_capital: Response) -> None:
    """A completed response has neither an error nor details of what is missing."""
    inconclusive_unless(respond_capital.state != "incomplete", ENDLESS)
    assert respond_capital.body.get("error") is None
    assert respond_capital.body.get("incomplete_details") is None


@check("responses", SHOULD, f"{RESPONSE}.metadata")
def test_metadata_is_repeated(respond_books: Response) -> None:
    """The metadata of the request are in the response."""
    ignored_unless(respond_books.body.get("metadata") == {"a": "b"}, "the response has no such metadata")


@check("responses", SHOULD, RESPONSE)
def test_settings_are_repeated(respond_books: Response) -> None:
    """The response says with which settings it was made."""
    for setting in ("temperature", "top_p", "max_output_tokens", "truncation"):
        assert respond_books.body.get(setting) == respond_books.sent[setting], setting


@check("responses", SHOULD, f"{REQUEST}.safety_identifier")
def test_books_change_nothing(respond_capital: Response, respond_books: Response) -> None:
    """Fields that keep books and limits that are far away do not change the answer."""
    inconclusive_unless(respond_capital.state != "incomplete", ENDLESS)
    assert_same_text(respond_books.text, respond_capital.text)


# Input


@check("responses", SHOULD, SAME_MODEL)
def test_answers_as_chat_does(capital: Chat, respond_capital: Response) -> None:
    """A question has the same answer as in chat, at temperature 0."""
    inconclusive_unless(capital.finish_reason == "stop", "chat's answer did not end within max_tokens")
    assert_same_text(respond_capital.text.strip(), capital.text.strip())


@check("responses", MUST, f"{REQUEST}.instructions", core=True)
def test_instructions_reach_the_model(respond_capital: Response, respond_banana: Response) -> None:
    """Instructions are part of what the model reads."""
    counts = respond_capital.tokens("input"), respond_banana.tokens("input")
    ignored_unless(counts[1] != counts[0], "the input has as many tokens as without instructions")
    inconclusive_unless("banana" in respond_banana.text.lower(), "the model did not obey")


@check("responses", SHOULD, SAME_MODEL)
def test_instructions_are_a_system_message(banana_system: Chat, respond_banana: Response) -> None:
    """Instructions change the answer as the same words do in chat's system message."""
    inconclusive_unless(banana_system.finish_reason == "stop", "chat's answer did not end within max_tokens")
    assert_same_text(respond_banana.text.strip(), banana_system.text.strip())


@check("responses", MUST, ITEM)
def test_a_text_is_a_message(respond_capital: Response, respond_message: Response) -> None:
    """A message with one part is the same input as its text."""
    assert_same_text(respond_message.text, respond_capital.text)
    assert respond_message.tokens("input") == respond_capital.tokens("input")


@check("responses", MUST, "openapi:EasyInputMessage.role")
def test_earlier_turns_reach_the_model(respond_name_unknown: Response, respond_turns: Response) -> None:
    """A list of messages is a conversation, of which the model reads each turn."""
    counts = respond_name_unknown.tokens("input"), respond_turns.tokens("input")
    ignored_unless(counts[1] > counts[0], "earlier turns add no tokens")
    inconclusive_unless("Alice" in respond_turns.text, f"the model answered {respond_turns.text!r}")


@check("responses", SHOULD, SAME_MODEL)
def test_a_conversation_goes_on_as_in_chat(name_recalled: Chat, respond_turns: Response) -> None:
    """A conversation has the same next answer as in chat, at temperature 0."""
    inconclusive_unless(name_recalled.finish_reason == "stop", "chat's answer did not end within max_tokens")
    assert_same_text(respond_turns.text.strip(), name_recalled.text.strip())


@check("responses", MUST, "docs:guides/conversation-state")
def test_output_can_be_sent_back(respond_two_questions: Response, respond_output_back: Response) -> None:
    """Output items can be sent back as input, as they came, and reach the model."""
    counts = respond_two_questions.tokens("input"), respond_output_back.tokens("input")
    ignored_unless(counts[1] > counts[0], "the output adds no tokens")
    assert respond_output_back.text.strip() != ""


@check("responses", MUST, "openapi:InputImageContent.image_url")
def test_an_image_is_read(respond_look_at_nothing: Response, respond_look: Response) -> None:
    """An image is part of the input."""
    counts = respond_look_at_nothing.tokens("input"), respond_look.tokens("input")
    ignored_unless(counts[1] > counts[0] + 1, "the image costs no tokens")
    inconclusive_unless("red" in respond_look.text.lower(), "the model did not name the colour")


# Limits


@check("responses", MUST, f"{REQUEST}.truncation")
def test_earlier_turns_are_never_cut(respond_overflow_turns: Response) -> None:
    """With `truncation: disabled`, the default, all turns of a long input are read, or the request is rejected."""
    words = sum(len(item["content"].split()) for item in respond_overflow_turns.sent["input"])
    assert respond_overflow_turns.cleanly_refused or respond_overflow_turns.tokens("input") >= words


@check("responses", MUST, f"{REQUEST}.truncation")
def test_input_is_never_cut(respond_overflow: Response) -> None:
    """With truncation `disabled`, the default, the input is read in full or refused."""
    words = len(respond_overflow.sent["input"].split())
    assert respond_overflow.cleanly_refused or respond_overflow.tokens("input") >= words


@check("responses", MUST, f"{REQUEST}.max_output_tokens", core=True)
def test_max_output_tokens_cuts(respond_count: Response, respond_count_cut: Response) -> None:
    """`max_output_tokens` truncates the text: at most as many tokens come, and they are the beginning of the text."""
    inconclusive_unless(respond_count.tokens("output") > 16, "the model's answer is shorter than the limit")
    ignored_unless(respond_count_cut.said != respond_count.said, "the text is the same as without the limit")
    assert respond_count_cut.tokens("output") <= 16
    assert_same_text(respond_count.said[: len(respond_count_cut.said)], respond_count_cut.said)


@check("responses", MUST, f"{RESPONSE}.status")
def test_a_cut_response_is_incomplete(respond_count: Response, respond_count_cut: Response) -> None:
    """A response that max_output_tokens cut has the status `incomplete`."""
    inconclusive_unless(respond_count.tokens("output") > 16, "the model's answer is shorter than the limit")
    assert respond_count_cut.state == "incomplete"


@check("responses", MUST, f"{RESPONSE}.incomplete_details.reason")
def test_a_cut_response_says_why(respond_count: Response, respond_count_cut: Response) -> None:
    """A response that max_output_tokens cut has this as the reason."""
    inconclusive_unless(respond_count.tokens("output") > 16, "the model's answer is shorter than the limit")
    assert respond_count_cut.body.get("incomplete_details") == {"reason": "max_output_tokens"}


# Counts of tokens


@check("responses", MUST, "openapi:ResponseUsage.total_tokens")
def test_total_is_the_sum(every: Every) -> None:
    """A response has a usage, whose total is that of input and output."""
    for answer in made(every):
        assert answer.tokens("total") == answer.tokens("input") + answer.tokens("output")


@check("responses", MUST, "openapi:ResponseUsage.output_tokens")
def test_tokens_are_counted(every: Every) -> None:
    """No input has zero tokens, and no text, thought or call."""
    for answer in made(every):
        assert answer.tokens("input") >= 1
        assert answer.tokens("output") >= 1 or not (answer.said or answer.tool_calls)


@check("responses", SHOULD, SAME_MODEL)
def test_counts_as_chat_does(capital: Chat, respond_capital: Response) -> None:
    """The same question has as many tokens as in chat."""
    assert respond_capital.tokens("input") == capital.tokens("prompt")


# Sampling


@check("responses", MUST, f"{REQUEST}.temperature")
def test_temperature_varies_answers(respond_hot: list[Response]) -> None:
    """Answers vary at a high temperature."""
    ignored_unless(len({t.said for t in respond_hot}) > 1, "all answers at temperature 1.5 are the same")


@check("responses", MUST, f"{REQUEST}.top_p")
def test_a_tiny_top_p_is_greedy(respond_hot: list[Response], respond_hot_narrow: list[Response]) -> None:
    """A top_p near 0 leaves only the likeliest token, whatever the temperature."""
    # Three of four suffice, since batching may break a tie; without top_p, three are the same in 1 of 1000 runs.
    inconclusive_unless(len({t.text for t in respond_hot}) > 1, "the model's answer is always the same")
    ignored_unless(
        reproduced_at_most(respond_hot_narrow, respond_hot_narrow, respond_hot) >= 3, "answers vary as without top_p"
    )


@check("responses", SHOULD, "openapi:IncludeEnum.message.output_text.logprobs")
def test_logprobs_are_included(respond_logprobs: Response) -> None:
    """With `message.output_text.logprobs` included, each token of the text has its logprob and the likeliest ones."""
    entries = [entry for part in respond_logprobs.parts for entry in part.get("logprobs") or []]
    ignored_unless(entries, "the text has no logprobs")
    assert "".join(entry["token"] for entry in entries).strip() == respond_logprobs.text.strip()
    for entry in entries:
        assert entry["logprob"] <= 0
        assert len(entry["top_logprobs"]) == 2


# Thoughts


@check("responses", MUST, "openapi:ReasoningItem")
def test_thoughts_are_an_item_of_their_own(respond_think: Response) -> None:
    """Thoughts come in an item of type `reasoning` before the message, and the text is the answer without them."""
    assert markup_in(respond_think.text) == []
    kinds = [item.get("type") for item in respond_think.output]
    inconclusive_unless("reasoning" in kinds and "message" in kinds, "the model did not think, or wrote nothing then")
    assert kinds == ["reasoning", "message"]
    assert respond_think.text.strip() != ""


@check("responses", MUST, "openapi:Reasoning.effort")
def test_effort_none_turns_thoughts_off(
    respond_capital: Response, respond_think: Response, respond_effort_none: Response
) -> None:
    """With the effort `none` the model answers without thinking."""
    inconclusive_unless(respond_think.reasoning, "the model did not think")
    quiet = not respond_effort_none.reasoning and not markup_in(respond_effort_none.text)
    inconclusive_unless(quiet or not respond_capital.reasoning, "the model reasons before each answer")
    ignored_unless(quiet, "the model thinks nevertheless")
    assert respond_effort_none.text.strip() != ""


@check("responses", MUST, "docs:guides/function-calling reasoning items")
def test_thoughts_can_be_sent_back(respond_think: Response, respond_think_back: Response) -> None:
    """Thoughts can be sent back as they came, and the next question is answered."""
    inconclusive_unless(respond_think.reasoning, "the model did not think")
    assert respond_think_back.text.strip() != ""
