"""The Responses API: what a response is, and what the parameters do that it shares with chat."""

from collections import Counter
from collections.abc import Iterator

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Every,
    Response,
    assert_at_least,
    assert_at_most,
    assert_equal,
    assert_in,
    assert_less,
    assert_matches_schema,
    assert_none_of,
    assert_same_text,
    assert_unmarked,
    begins_as_reasoning,
    check,
    ignored_unless,
    ignored_unless_varied,
    inconclusive_unless,
    markup_in,
    reproduced_at_most,
    shown,
    spelled,
    whole,
)
from conformance.kit.every import is_bad

DAY = 24 * 60 * 60
REQUEST = "openapi:CreateResponse"
RESPONSE = "openapi:Response"
ITEM = "openapi:InputItem"
ENDLESS = "expected the model to end by itself, got a truncated response (`status`)"
CHAT_ENDLESS = "expected chat's response to end within `max_tokens`, got a truncated one"
SHORT = "expected a response longer than 16 tokens without `max_output_tokens`, got a shorter one"
NO_REASONING = "expected the model to reason, got no reasoning (`output`)"
SAME = "expected responses that vary at a high `temperature`, got the same one each time"
INPUT = "`usage.input_tokens`"
EMPTY = "expected a string with text, got an empty one (`output_text`)"
SAME_MODEL = "de-facto:chat and responses are the same model with the same template"


def plain_responses(every: Every) -> Iterator[Response]:
    """All plain responses, created or retrieved, without deletions and lists of input items."""

    def is_one(answer: Response) -> bool:
        request = answer.exchange.request
        whole = answer.ok and not is_bad(answer) and not answer.exchange.error
        return whole and not answer.streamed and request.method != "DELETE" and request.path.count("/") <= 2

    return every.of(Response, is_one, what="accepted Response")


def _more(counts: tuple[int, int], what: str) -> str:
    """That something added no tokens to the input."""
    return f"expected more than {counts[0]} tokens with {what}, got {counts[1]} ({INPUT})"


def _time(answer: Response, field: str) -> float:
    """A time of the response, which must be a number."""
    value = answer.body.get(field)
    assert isinstance(value, int | float), f"expected a number, got {shown(value)} (`{field}`)"
    return value


# The response


@check("responses", MUST, f"{RESPONSE}.output", core=True)
def test_a_question_is_answered(respond_capital: Response) -> None:
    """`output` has a `message` of the assistant with an `output_text`, and `status` is `completed`."""
    inconclusive_unless(respond_capital.state != "incomplete", ENDLESS)
    assert_equal(respond_capital.state, "completed", "`status`")
    roles = [item.get("role") for item in respond_capital.items("message")]
    # Newer models write a commentary first, as a message of its own.
    assert_equal(list(dict.fromkeys(roles)), ["assistant"], "`role` of the messages in `output`")
    kinds = list(dict.fromkeys(part.get("type") for part in respond_capital.parts))
    assert_equal(kinds, ["output_text"], "`type` of the parts of `content`")
    assert respond_capital.text.strip(), EMPTY


@check("responses", MUST, RESPONSE)
def test_shape(every: Every) -> None:
    """A response has all fields that clients read, with the right types."""
    for answer in plain_responses(every):
        assert_matches_schema(answer.body, "response")


@check("responses", SHOULD, RESPONSE)
def test_full_shape(every: Every) -> None:
    """A response has every published field, including the repeated settings and nulls."""
    for answer in plain_responses(every):
        assert_matches_schema(answer.body, "response.full")


@check("responses", MUST, "openapi:POST /responses responses.200.content")
def test_is_json(every: Every) -> None:
    """A plain response has the `Content-Type` `application/json`."""
    for answer in plain_responses(every):
        assert_equal(answer.content_type, "application/json", "`Content-Type` header")


@check("responses", MUST, f"{RESPONSE}.id")
def test_ids_are_unique(every: Every) -> None:
    """No two responses have the same `id`."""
    ids = [answer.id for answer in every.accepted(Response) if answer.wire.request.path == "/responses"]
    assert_none_of([one for one, times in Counter(ids).items() if times > 1], "repeated `id`")


@check("responses", SHOULD, f"{RESPONSE}.created_at")
def test_created_at_is_now(every: Every) -> None:
    """`created_at` is the time of the response, in Unix seconds."""
    for answer in plain_responses(every):
        created = _time(answer, "created_at")
        assert_less(abs(created - answer.wire.started_at), DAY, "seconds between `created_at` and our clock")


@check("responses", SHOULD, f"{RESPONSE}.completed_at")
def test_completed_at_is_after_created_at(respond_count: Response) -> None:
    """`completed_at` is the time when the response was completed, in Unix seconds, and is not before `created_at`."""
    inconclusive_unless(respond_count.state != "incomplete", ENDLESS)
    completed, created = _time(respond_count, "completed_at"), _time(respond_count, "created_at")
    assert_at_least(completed, created, "`completed_at`, which must not be before `created_at`")


@check("responses", SHOULD, f"{RESPONSE}.model")
def test_model_is_named(every: Every) -> None:
    """`model` names the model that made the response."""
    for answer in plain_responses(every):
        assert answer.body.get("model") not in (None, ""), "expected the name of the model, got none (`model`)"


@check("responses", MUST, f"{RESPONSE}.error")
def test_a_completed_response_has_no_error(respond_capital: Response) -> None:
    """`error` and `incomplete_details` are null in a completed response."""
    inconclusive_unless(respond_capital.state != "incomplete", ENDLESS)
    assert_equal(respond_capital.body.get("error"), None, "`error`")
    assert_equal(respond_capital.body.get("incomplete_details"), None, "`incomplete_details`")


@check("responses", SHOULD, f"{RESPONSE}.metadata")
def test_metadata_is_repeated(respond_books: Response) -> None:
    """The response repeats `metadata` of the request."""
    got = respond_books.body.get("metadata")
    ignored_unless(got == {"a": "b"}, f'expected {{"a": "b"}}, got {shown(got)} (`metadata` of the response)')


@check("responses", SHOULD, RESPONSE)
def test_settings_are_repeated(respond_books: Response) -> None:
    """The response repeats `temperature`, `top_p`, `max_output_tokens` and `truncation` of the request."""
    for setting in ("temperature", "top_p", "max_output_tokens", "truncation"):
        assert_equal(respond_books.body.get(setting), respond_books.sent[setting], f"`{setting}` of the response")


@check("responses", SHOULD, f"{REQUEST}.safety_identifier")
def test_books_change_nothing(respond_capital: Response, respond_books: Response) -> None:
    """`metadata`, `safety_identifier`, other bookkeeping fields and limits that are not reached change no output."""
    inconclusive_unless(respond_capital.state != "incomplete", ENDLESS)
    assert_same_text(respond_books.text, respond_capital.text, "`output_text`")


# Input


@check("responses", SHOULD, SAME_MODEL)
def test_answers_as_chat_does(capital: Chat, respond_capital: Response) -> None:
    """With `temperature: 0`, `/responses` gives the same text as `/chat/completions`."""
    inconclusive_unless(capital.finish_reason == "stop", CHAT_ENDLESS)
    assert_same_text(respond_capital.text.strip(), capital.text.strip(), "`output_text`")


@check("responses", MUST, f"{REQUEST}.instructions", core=True)
def test_instructions_reach_the_model(respond_capital: Response, respond_banana: Response) -> None:
    """`instructions` are part of what the model reads, and `usage.input_tokens` counts them."""
    counts = respond_capital.tokens("input"), respond_banana.tokens("input")
    ignored_unless(counts[1] != counts[0], f"expected more or fewer tokens than without, got {counts[1]} too ({INPUT})")
    inconclusive_unless(
        "banana" in respond_banana.text.lower(),
        "expected 'banana' in the text, got a response without it (`output_text`)",
    )


@check("responses", SHOULD, SAME_MODEL)
def test_instructions_are_a_system_message(banana_system: Chat, respond_banana: Response) -> None:
    """`instructions` change the output as the same words in a chat system message do."""
    inconclusive_unless(banana_system.finish_reason == "stop", CHAT_ENDLESS)
    assert_same_text(respond_banana.text.strip(), banana_system.text.strip(), "`output_text`")


@check("responses", MUST, ITEM)
def test_a_text_is_a_message(respond_capital: Response, respond_message: Response) -> None:
    """A string as `input` has the same effect as one user message with that string."""
    assert_same_text(respond_message.text, respond_capital.text, "`output_text`")
    assert_equal(respond_message.tokens("input"), respond_capital.tokens("input"), INPUT)


@check("responses", MUST, "openapi:EasyInputMessage.role")
def test_earlier_turns_reach_the_model(respond_name_unknown: Response, respond_turns: Response) -> None:
    """An array of messages as `input` is a conversation, and the model reads each turn."""
    counts = respond_name_unknown.tokens("input"), respond_turns.tokens("input")
    ignored_unless(counts[1] > counts[0], _more(counts, "earlier turns"))
    inconclusive_unless("Alice" in respond_turns.text, f"expected 'Alice' in the text, got {shown(respond_turns.text)}")


@check("responses", SHOULD, SAME_MODEL)
def test_a_conversation_goes_on_as_in_chat(name_recalled: Chat, respond_turns: Response) -> None:
    """With `temperature: 0`, a conversation continues as it does in `/chat/completions`."""
    inconclusive_unless(name_recalled.finish_reason == "stop", CHAT_ENDLESS)
    assert_same_text(respond_turns.text.strip(), name_recalled.text.strip(), "`output_text`")


@check("responses", MUST, "docs:guides/conversation-state")
def test_output_can_be_sent_back(respond_two_questions: Response, respond_output_back: Response) -> None:
    """The server accepts its own `output` items, unchanged, in `input`, and they reach the model."""
    counts = respond_two_questions.tokens("input"), respond_output_back.tokens("input")
    ignored_unless(counts[1] > counts[0], _more(counts, "the output in `input`"))
    assert respond_output_back.text.strip(), EMPTY


@check("responses", MUST, "openapi:InputImageContent.image_url")
def test_an_image_is_read(respond_look_at_nothing: Response, respond_look: Response) -> None:
    """An `input_image` reaches the model, and `usage.input_tokens` counts it."""
    counts = respond_look_at_nothing.tokens("input"), respond_look.tokens("input")
    ignored_unless(counts[1] > counts[0] + 1, _more(counts, "the image"))
    inconclusive_unless(
        "red" in respond_look.text.lower(), "expected 'red' in the text, got a response without it (`output_text`)"
    )


# Limits


@check("responses", MUST, f"{REQUEST}.truncation")
def test_earlier_turns_are_never_cut(respond_overflow_turns: Response) -> None:
    """With `truncation: disabled`, the default, the model reads all turns, or the request is rejected."""
    words = sum(len(item["content"].split()) for item in respond_overflow_turns.sent["input"])
    if not respond_overflow_turns.cleanly_refused:
        assert_at_least(respond_overflow_turns.tokens("input"), words, f"{INPUT}, for as many words")


@check("responses", MUST, f"{REQUEST}.truncation")
def test_input_is_never_cut(respond_overflow: Response) -> None:
    """With `truncation: disabled`, the default, the model reads the whole `input`, or the request is rejected."""
    words = len(respond_overflow.sent["input"].split())
    if not respond_overflow.cleanly_refused:
        assert_at_least(respond_overflow.tokens("input"), words, f"{INPUT}, for as many words")


@check("responses", MUST, f"{REQUEST}.max_output_tokens", core=True)
def test_max_output_tokens_cuts(respond_count: Response, respond_count_cut: Response) -> None:
    """`max_output_tokens` truncates the output to its beginning, with at most that many tokens."""
    inconclusive_unless(respond_count.tokens("output") > 16, SHORT)
    ignored_unless(
        respond_count_cut.said != respond_count.said,
        "expected a shorter text than without the limit, got the same (`output_text`)",
    )
    assert_at_most(respond_count_cut.tokens("output"), 16, "`usage.output_tokens`")
    assert_same_text(
        respond_count_cut.said, respond_count.said[: len(respond_count_cut.said)], "reasoning and text of the response"
    )


@check("responses", MUST, f"{RESPONSE}.status")
def test_a_cut_response_is_incomplete(respond_count: Response, respond_count_cut: Response) -> None:
    """`status` is `incomplete` when `max_output_tokens` truncates the response."""
    inconclusive_unless(respond_count.tokens("output") > 16, SHORT)
    assert_equal(respond_count_cut.state, "incomplete", "`status`")


@check("responses", MUST, f"{RESPONSE}.incomplete_details.reason")
def test_a_cut_response_says_why(respond_count: Response, respond_count_cut: Response) -> None:
    """`incomplete_details.reason` is `max_output_tokens` when that limit truncates the response."""
    inconclusive_unless(respond_count.tokens("output") > 16, SHORT)
    assert_equal(respond_count_cut.incomplete_reason, "max_output_tokens", "`incomplete_details.reason`")


# Counts of tokens


@check("responses", MUST, "openapi:ResponseUsage.total_tokens")
def test_total_is_the_sum(every: Every) -> None:
    """`usage.total_tokens` is the sum of `input_tokens` and `output_tokens`."""
    for answer in plain_responses(every):
        assert_equal(answer.tokens("total"), answer.tokens("input") + answer.tokens("output"), "`usage.total_tokens`")


@check("responses", MUST, "openapi:ResponseUsage.output_tokens")
def test_tokens_are_counted(every: Every) -> None:
    """`usage.input_tokens` is at least 1, and so is `output_tokens` unless the output is empty."""
    for answer in plain_responses(every):
        assert_at_least(answer.tokens("input"), 1, INPUT)
        assert answer.tokens("output") >= 1 or not (answer.said or answer.tool_calls), (
            "expected at least 1 for output that is not empty, got less (`usage.output_tokens`)"
        )


@check("responses", SHOULD, SAME_MODEL)
def test_counts_as_chat_does(capital: Chat, respond_capital: Response) -> None:
    """`usage.input_tokens` of a question equals `usage.prompt_tokens` of the same question in `/chat/completions`."""
    assert_equal(respond_capital.tokens("input"), capital.tokens("prompt"), INPUT)


# Sampling


@check("responses", MUST, f"{REQUEST}.temperature")
def test_temperature_varies_answers(respond_hot: list[Response]) -> None:
    """Responses vary at a high `temperature`."""
    ignored_unless_varied(len({t.said for t in respond_hot}) > 1, SAME)


@check("responses", MUST, f"{REQUEST}.top_p")
def test_a_tiny_top_p_is_greedy(respond_hot: list[Response], respond_hot_narrow: list[Response]) -> None:
    """A `top_p` near 0 leaves only the likeliest token, whatever the `temperature`."""
    # Three of four suffice, since batching may break a tie; without top_p, three are the same in 1 of 1000 runs.
    inconclusive_unless(len({t.text for t in respond_hot}) > 1, SAME)
    ignored_unless(
        reproduced_at_most(respond_hot_narrow, respond_hot_narrow, respond_hot) >= 3,
        "expected the same response at least 3 times of 4, got responses that vary as without `top_p`",
    )


@check("responses", SHOULD, "openapi:IncludeEnum.message.output_text.logprobs")
def test_logprobs_are_included(respond_logprobs: Response) -> None:
    """With `include: ["message.output_text.logprobs"]`, each token has its `logprob` and `top_logprobs`."""
    entries = [entry for part in respond_logprobs.parts for entry in part.get("logprobs") or []]
    ignored_unless(entries, "expected an entry for each token, got none (`logprobs` of the `output_text`)")
    found = spelled(entries, respond_logprobs.text).strip()
    assert_equal(found, whole(respond_logprobs.text).strip(), "`logprobs[].token` of the `output_text`, joined")
    for entry in entries:
        assert_at_most(entry["logprob"], 0, "`logprobs[].logprob` of the `output_text`")
        assert_in(len(entry["top_logprobs"]), (1, 2), "length of `logprobs[].top_logprobs`")


# Reasoning


@check("responses", MUST, "openapi:ReasoningItem")
def test_thoughts_are_an_item_of_their_own(respond_think: Response) -> None:
    """Reasoning comes in a `reasoning` item before the `message`, and the text has none of it."""
    assert_unmarked(respond_think, "markers of the model's own notation in `output_text`")
    kinds = [item.get("type") for item in respond_think.output]
    inconclusive_unless(
        "reasoning" in kinds and "message" in kinds, f"expected reasoning and a message, got {shown(kinds)}"
    )
    assert_equal(list(dict.fromkeys(kinds)), ["reasoning", "message"], "`type` of the items of `output`, each once")
    assert respond_think.text.strip(), EMPTY


@check("responses", MUST, "openapi:Reasoning.effort")
def test_effort_none_turns_thoughts_off(
    respond_capital: Response, respond_think: Response, respond_effort_none: Response
) -> None:
    """With `reasoning.effort: none`, the model responds without reasoning."""
    inconclusive_unless(respond_think.reasoning, NO_REASONING)
    quiet = not respond_effort_none.reasoning and not markup_in(respond_effort_none.text)
    reasons = respond_capital.reasoning or begins_as_reasoning(respond_capital.text)
    inconclusive_unless(quiet or not reasons, "expected a plain response without reasoning, got one with it")
    ignored_unless(quiet, "expected no reasoning, got some with `reasoning.effort: none`")
    assert respond_effort_none.text.strip(), EMPTY


@check("responses", MUST, "docs:guides/function-calling reasoning items")
def test_thoughts_can_be_sent_back(respond_think: Response, respond_think_back: Response) -> None:
    """The server accepts its own `reasoning` item, unchanged, in `input`, and responds to the next question."""
    inconclusive_unless(respond_think.reasoning, NO_REASONING)
    assert respond_think_back.text.strip(), EMPTY
