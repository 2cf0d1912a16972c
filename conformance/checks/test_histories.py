"""Histories: what clients send back of earlier responses, in every legal form, reaches the model."""

from conformance.answers import Chat, Response
from conformance.kit import (
    MAY,
    SHOULD,
    assert_at_least,
    assert_at_most,
    assert_equal,
    assert_same_text,
    check,
    ignored_unless,
    inconclusive_unless,
)
from fixtures.scenarios.chat import TEN_WORDS
from fixtures.scenarios.histories import LOOK, REASONING, own_field

ITEM = "openapi:CreateResponse.input"
REASONING_ITEM = "openapi:ReasoningItem required: id, summary, type"
FIELD = "de-facto:reasoning_content or reasoning of an assistant message, in DeepSeek's API, llama.cpp, vLLM and SGLang"
WORDS = len(TEN_WORDS.split())
PROMPT, INPUT = "`usage.prompt_tokens`", "`usage.input_tokens`"


def reaches(longer: Chat | Response, shorter: Chat | Response, text: str = REASONING) -> bool:
    """Whether a text that only the first request has is part of the prompt: each word is a token or more."""
    kind = "input" if isinstance(longer, Response) else "prompt"
    return longer.tokens(kind) >= shorter.tokens(kind) + len(text.split())


# Reasoning


@check("reasoning", SHOULD, FIELD)
def test_reasoning_is_read_where_it_is_written(
    think: Chat, weather_result: Chat, respond_result_reasoned: list[Response], weather_result_reasoned: list[Chat]
) -> None:
    """During a tool round, reasoning that is sent back in the field where the server writes it reaches the model."""
    inconclusive_unless(think.reasoning, "the model did not reason")
    by_name = dict(zip(("reasoning_content", "reasoning"), weather_result_reasoned, strict=True))
    own = own_field(think)
    if reaches(by_name.pop(own), weather_result):
        return
    read = [f"`{name}`" for name, answer in by_name.items() if answer.ok and reaches(answer, weather_result)]
    empty, full = respond_result_reasoned
    if empty.ok and full.ok and reaches(full, empty):
        read.append("a reasoning item")
    inconclusive_unless(read, "no reasoning of earlier messages reaches the model: its template may leave it out")
    ignored_unless(False, f"`{own}` is not part of the prompt, although {read[0]} is")


@check("reasoning", MAY, FIELD)
def test_reasoning_of_a_tool_round_is_read(
    think: Chat, weather_result: Chat, weather_result_reasoned: list[Chat]
) -> None:
    """Reasoning that is sent back with a tool call, in `reasoning_content` or `reasoning`, reaches the model."""
    inconclusive_unless(think.reasoning, "the model did not reason")
    read = [reaches(answer, weather_result) for answer in weather_result_reasoned]
    inconclusive_unless(any(read), "no reasoning of earlier messages reaches the model: its template may leave it out")


@check("reasoning", MAY, FIELD)
def test_both_fields_are_read(weather_result: Chat, weather_result_reasoned: list[Chat]) -> None:
    """In an earlier message, `reasoning` has the same effect as `reasoning_content`: clients send back either."""
    content, bare = (reaches(answer, weather_result) for answer in weather_result_reasoned)
    inconclusive_unless(content or bare, "no reasoning of earlier messages reaches the model")
    ignored_unless(content, "`reasoning_content` is not part of the prompt, although `reasoning` is")
    ignored_unless(bare, "`reasoning` is not part of the prompt, although `reasoning_content` is")


@check("reasoning", SHOULD, FIELD)
def test_text_beside_reasoning_is_read(
    think: Chat,
    weather_result: Chat,
    weather_result_call_content_text: Chat,
    weather_result_reasoned: list[Chat],
    weather_result_reasoned_and_said: Chat,
) -> None:
    """`content` beside reasoning and a tool call reaches the model, as it does without reasoning."""
    inconclusive_unless(
        weather_result_call_content_text.tokens("prompt") > weather_result.tokens("prompt"),
        "no `content` beside a tool call reaches the model: its template may leave it out",
    )
    without = weather_result_reasoned[own_field(think) == "reasoning"]
    ignored_unless(reaches(weather_result_reasoned_and_said, without, LOOK), "`content` is not part of the prompt")


@check("reasoning", SHOULD, FIELD)
def test_reasoning_alone_is_no_server_error(two_turns_reasoned_only: Chat) -> None:
    """An assistant message with reasoning and `content: null`, as after an interruption, causes no server error."""
    answer = two_turns_reasoned_only
    assert answer.ok or answer.cleanly_refused, (
        f"expected a response or a 4xx with an error object, got HTTP status {answer.status}"
    )


# Chat: parts, rounds, ids, content that a model may not take


@check("chat", SHOULD, "openapi:ChatCompletionRequestMessageContentPartText")
def test_parts_are_one_message(whole_messages: Chat, parted_messages: Chat) -> None:
    """Text parts of `content` are one message: a part may add a line break to the prompt, but not a message."""
    parts = [len(m["content"]) for m in parted_messages.sent["messages"] if isinstance(m.get("content"), list)]
    whole = whole_messages.tokens("prompt")
    assert_at_least(parted_messages.tokens("prompt"), whole - len(parts), PROMPT)
    assert_at_most(parted_messages.tokens("prompt"), whole + 2 * sum(parts), PROMPT)


@check("conversation", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_the_first_of_thirty_rounds_is_read(thirty_rounds: Chat, thirty_rounds_longer: Chat) -> None:
    """The first of thirty tool results reaches the model: ten extra words add at least ten `usage.prompt_tokens`."""
    more = thirty_rounds_longer.tokens("prompt") - thirty_rounds.tokens("prompt")
    ignored_unless(more >= WORDS, "a longer first result adds no tokens to the prompt")


@check("conversation", SHOULD, "openapi:ChatCompletionMessageToolCall.id")
def test_ids_may_have_any_form(
    weather_result: Chat, cities_results: Chat, cities_results_long_ids: Chat, weather_result_ids: list[Chat]
) -> None:
    """The `id` of an earlier tool call may be any string: its call and result still reach the model."""
    unread = cities_results_long_ids.tokens("prompt") == cities_results.tokens("prompt")
    for answer in weather_result_ids:
        fewest = weather_result.tokens("prompt") - (0 if unread else 8)
        assert_at_least(answer.tokens("prompt"), fewest, f"{PROMPT} of {answer.name}")


@check("conversation", MAY, "de-facto:clients that count calls anew in each message repeat their ids")
def test_ids_may_come_again(weather_result_id_again: list[Chat]) -> None:
    """A later tool call may have the `id` of an earlier one: its own result reaches the model."""
    short, longer = weather_result_id_again
    more = longer.tokens("prompt") - short.tokens("prompt")
    ignored_unless(more >= WORDS, "a longer result of the second call adds no tokens to the prompt")


def assert_not_dropped(with_part: Chat | Response, without: Chat | Response, what: str) -> None:
    """End the check unless a content part was rejected, or is part of the prompt."""
    if not with_part.cleanly_refused:
        kind = "input" if isinstance(without, Response) else "prompt"
        more = with_part.tokens(kind) > without.tokens(kind)
        ignored_unless(more, f"{what} adds no tokens to the prompt: the server drops it silently")


@check("chat", SHOULD, "openapi:ChatCompletionRequestMessageContentPartAudio")
def test_audio_is_read_or_rejected(capital: Chat, capital_audio: Chat) -> None:
    """An `input_audio` part of a message reaches the model, or the request is rejected."""
    assert_not_dropped(capital_audio, capital, "an `input_audio` part")


@check("chat", SHOULD, "openapi:ChatCompletionRequestMessageContentPartFile")
def test_a_file_is_read_or_rejected(capital: Chat, capital_file: Chat) -> None:
    """A `file` part of a message reaches the model, or the request is rejected."""
    assert_not_dropped(capital_file, capital, "a `file` part")


@check("responses", SHOULD, "openapi:InputFileContent")
def test_an_input_file_is_read_or_rejected(respond_capital: Response, respond_file: Response) -> None:
    """An `input_file` part of a message reaches the model, or the request is rejected."""
    assert_not_dropped(respond_file, respond_capital, "an `input_file` part")


# Items of the Responses API


@check("responses", SHOULD, "openapi:EasyInputMessage")
def test_messages_need_no_id(respond_two_turns: Response, respond_two_turns_bare: list[Response]) -> None:
    """An earlier assistant message in `input` may be `role` with a string, or have no `id`, with the same effect."""
    for answer in respond_two_turns_bare:
        assert_equal(answer.tokens("input"), respond_two_turns.tokens("input"), f"{INPUT} of {answer.name}")


@check("responses", SHOULD, REASONING_ITEM)
def test_empty_reasoning_is_accepted(respond_two_turns: Response, respond_empty_reasoning: list[Response]) -> None:
    """A `reasoning` item without text, as OpenAI's own are, is accepted, and the items around it reach the model."""
    for answer in respond_empty_reasoning:
        assert_at_least(answer.tokens("input"), respond_two_turns.tokens("input"), f"{INPUT} of {answer.name}")


@check("responses", SHOULD, "openapi:ReasoningItem.summary")
def test_a_summary_is_accepted(respond_two_turns: Response, respond_summary: Response) -> None:
    """A `reasoning` item with a `summary` is accepted, and the items around it reach the model."""
    assert_at_least(respond_summary.tokens("input"), respond_two_turns.tokens("input"), INPUT)


@check("responses_tools", SHOULD, REASONING_ITEM)
def test_reasoning_before_a_call_is_accepted(respond_result: Response, respond_result_reasoned: list[Response]) -> None:
    """A `reasoning` item before a `function_call` is accepted, and the call's result reaches the model."""
    for answer in respond_result_reasoned:
        assert_at_least(answer.tokens("input"), respond_result.tokens("input"), f"{INPUT} of {answer.name}")


@check("responses_tools", SHOULD, "docs:guides/reasoning keep the reasoning items of a running tool round")
def test_reasoning_before_a_call_is_read(
    weather_result: Chat, weather_result_reasoned: list[Chat], respond_result_reasoned: list[Response]
) -> None:
    """The text of a `reasoning` item before a `function_call` reaches the model, if a chat message's reasoning does."""
    inconclusive_unless(
        any(answer.ok and reaches(answer, weather_result) for answer in weather_result_reasoned),
        "no reasoning of earlier messages reaches the model",
    )
    _, full = respond_result_reasoned
    ignored_unless(
        full.tokens("input") >= weather_result.tokens("prompt") + len(REASONING.split()),
        "the reasoning adds no tokens (`usage.input_tokens`)",
    )


@check("responses_tools", SHOULD, "openapi:FunctionCallOutputItemParam.call_id")
def test_results_belong_to_their_calls(
    respond_cities_results: Response,
    respond_cities_results_swapped: Response,
    respond_cities_results_reversed: Response,
) -> None:
    """`function_call_output` items can come in any order; each belongs to the call with its `call_id`."""
    inconclusive_unless(
        respond_cities_results_swapped.text != respond_cities_results.text,
        "the response does not show which city has which result",
    )
    by_order = respond_cities_results_reversed.text == respond_cities_results_swapped.text
    ignored_unless(not by_order, "`call_id` is not used: the results are assigned in the order in which they came")
    assert_same_text(respond_cities_results_reversed.text, respond_cities_results.text)


@check("responses_tools", SHOULD, "openapi:FunctionCallOutputItemParam.output")
def test_every_result_is_read(respond_cities_results: Response, respond_cities_results_longer: list[Response]) -> None:
    """The result of each parallel call reaches the model: ten extra words add at least ten `usage.input_tokens`."""
    for longer in respond_cities_results_longer:
        more = longer.tokens("input") - respond_cities_results.tokens("input")
        ignored_unless(more >= WORDS, f"a longer result ({longer.name}) adds no tokens to the prompt")


@check("responses_tools", SHOULD, "openapi:FunctionCallOutputItemParam.output")
def test_every_part_of_a_result_is_read(respond_result_parts: list[Response]) -> None:
    """Each `input_text` part of a result reaches the model: ten extra words add at least ten `usage.input_tokens`."""
    plain, *longer = respond_result_parts
    for answer in longer:
        more = answer.tokens("input") - plain.tokens("input")
        ignored_unless(more >= WORDS, f"a longer part ({answer.name}) adds no tokens to the prompt")


@check("responses_tools", SHOULD, "openapi:FunctionCallOutputItemParam.output input_image")
def test_an_image_in_a_result_is_read(respond_result_image: list[Response]) -> None:
    """An `input_image` part of a tool result reaches the model."""
    text, image = respond_result_image
    ignored_unless(image.tokens("input") > text.tokens("input") + 3, "the image adds no tokens to the prompt")


@check("responses_tools", SHOULD, "openapi:CustomToolParam")
def test_a_custom_tool_is_offered_or_rejected(respond_weather: Response, respond_custom_tool: Response) -> None:
    """A tool of type `custom` is offered to the model, or the request is rejected."""
    assert_not_dropped(respond_custom_tool, respond_weather, "a tool of type `custom`")


@check("responses_tools", SHOULD, "openapi:CustomToolCallOutput")
def test_results_of_custom_tools_are_read(respond_custom_result: list[Response]) -> None:
    """The result of a `custom_tool_call` reaches the model: ten extra words add at least ten `usage.input_tokens`."""
    short, longer = respond_custom_result
    more = longer.tokens("input") - short.tokens("input")
    ignored_unless(more >= WORDS, "a longer result adds no tokens to the prompt")
