"""Tool results in `messages`: the second half of every conversation with tools."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_less,
    assert_none_of,
    assert_same_text,
    call_markup_in,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    says,
    shown,
)

RESULT = "openapi:ChatCompletionRequestToolMessage"
CALL = "openapi:ChatCompletionRequestAssistantMessage"
PROMPT = "`usage.prompt_tokens`"
UNREAD = f"expected more tokens for a longer tool result, got no more ({PROMPT})"
NO_CALL = "expected a tool call, got none (`tool_calls`)"
CALLED = "expected text from the tool result, got another tool call or truncated text"
EMPTY = "expected a string with text, got an empty one (`choices[0].message.content`)"
MARKUP = "markers of the model's own notation in `choices[0].message.content`"
NO_SUNNY = "expected 'sunny' from the result, got a response without it (`choices[0].message.content`)"


def is_read(result: Chat, longer: Chat) -> bool:
    """Whether tool results reach the model: a longer one makes the prompt longer."""
    return longer.tokens("prompt") > result.tokens("prompt")


@check("conversation", MUST, f"{RESULT}.content")
def test_a_result_reaches_the_model(weather_result: Chat, weather_result_other: Chat) -> None:
    """The model reads the `content` of a tool message, and `usage.prompt_tokens` counts it."""
    counts = weather_result.tokens("prompt"), weather_result_other.tokens("prompt")
    ignored_unless(
        counts[1] > counts[0], f"expected more than {counts[0]} tokens for a longer result, got {counts[1]} ({PROMPT})"
    )
    inconclusive_unless("sunny" in weather_result.text, NO_SUNNY)
    assert weather_result_other.text != weather_result.text, (
        "expected other content for another tool result, got the same (`choices[0].message.content`)"
    )


@check("conversation", MUST, f"{RESULT}.content")
def test_an_answer_from_a_result_is_plain(weather_result: Chat) -> None:
    """After a tool result, `content` is a string without markers, and `finish_reason` is `stop`."""
    assert_none_of(call_markup_in(weather_result.text), MARKUP)
    inconclusive_unless(not weather_result.tool_calls and weather_result.finish_reason != "length", CALLED)
    assert weather_result.text.strip(), EMPTY
    assert_equal(weather_result.finish_reason, "stop", "`choices[0].finish_reason`")


@check("conversation", MUST, f"{RESULT}.content")
def test_a_streamed_answer_is_the_same(
    weather_result: Chat, weather_result_other: Chat, weather_result_streamed: Chat
) -> None:
    """After a tool result, a stream has the same content as the plain response."""
    inconclusive_unless(is_read(weather_result, weather_result_other), UNREAD)
    assert_same_text(weather_result_streamed.text, weather_result.text, "`choices[0].delta.content`, joined")
    where = "`choices[0].finish_reason` of the stream"
    assert_equal(weather_result_streamed.finish_reason, weather_result.finish_reason, where)


@check("conversation", MUST, "docs:guides/conversation-state append the message")
def test_the_own_call_can_be_sent_back(weather: Chat, weather_result_own_call: Chat) -> None:
    """The server accepts its own message with `tool_calls`, unchanged, in `messages`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    inconclusive_unless(not weather_result_own_call.tool_calls, CALLED)
    assert weather_result_own_call.text.strip(), EMPTY


@check("conversation", SHOULD, f"{RESULT}.tool_call_id")
def test_results_can_come_in_any_order(
    cities_results: Chat, cities_results_swapped: Chat, cities_results_long_ids: Chat, cities_results_reversed: Chat
) -> None:
    """Tool results may come in any order: each belongs to the call with its `tool_call_id`."""
    counts = cities_results_reversed.tokens("prompt"), cities_results.tokens("prompt")
    assert_equal(counts[0], counts[1], f"{PROMPT} with the results in another order")
    if cities_results_long_ids.tokens("prompt") == cities_results.tokens("prompt"):  # The model does not read the ids.
        inconclusive_unless(
            cities_results_swapped.text != cities_results.text,
            "expected other content for swapped results, got the same, which does not tell them apart",
        )
        by_order = cities_results_reversed.text == cities_results_swapped.text
        ignored_unless(
            not by_order, "`tool_call_id` is ignored: the results are assigned in the order in which they came"
        )
        assert_same_text(cities_results_reversed.text, cities_results.text)


@check("conversation", MUST, RESULT)
def test_every_result_reaches_the_model(cities_results: Chat, cities_results_longer: list[Chat]) -> None:
    """The model reads the results of all parallel tool calls."""
    for longer in cities_results_longer:
        more = longer.tokens("prompt") - cities_results.tokens("prompt")
        ignored_unless(more > 0, f"expected more tokens for a longer result of one call, got {more} more ({PROMPT})")
    told = [weather for weather in ("sunny", "rainy") if weather in cities_results.text]
    inconclusive_unless(
        len(told) == 2, f"expected 'sunny' and 'rainy', got {shown(told)} (`content`)", actual=cities_results.text
    )


@check("conversation", SHOULD, f"{CALL}.content")
def test_a_call_may_have_an_empty_content(
    weather_result: Chat, weather_result_other: Chat, weather_result_call_content_empty: Chat
) -> None:
    """An assistant message with `tool_calls` may have an empty `content`, with the same effect as null."""
    inconclusive_unless(is_read(weather_result, weather_result_other), UNREAD)
    assert_equal(weather_result_call_content_empty.tokens("prompt"), weather_result.tokens("prompt"), PROMPT)


@check("conversation", MUST, f"{CALL}.content")
def test_a_call_may_have_no_content(
    weather_result: Chat, weather_result_other: Chat, weather_result_call_content_absent: Chat
) -> None:
    """An assistant message with `tool_calls` may have no `content`, with the same effect as null."""
    inconclusive_unless(is_read(weather_result, weather_result_other), UNREAD)
    assert_equal(weather_result_call_content_absent.tokens("prompt"), weather_result.tokens("prompt"), PROMPT)


@check("conversation", MUST, f"{CALL}.content")
def test_a_call_may_have_a_text(weather_result: Chat, weather_result_call_content_text: Chat) -> None:
    """An assistant message with `tool_calls` may also have `content`, which the template may include or leave out."""
    with_text = weather_result_call_content_text.tokens("prompt")
    assert_at_least(with_text, weather_result.tokens("prompt"), f"{PROMPT} with `content` beside a tool call")
    inconclusive_unless(
        with_text > weather_result.tokens("prompt"),
        "the `content` beside a tool call is not part of the prompt: the model's template may leave it out",
    )


@check("conversation", MUST, f"{CALL}.tool_calls")
def test_calls_reach_the_model(
    capital: Chat, capital_tools: Chat, weather_result_without_tools: Chat, weather_result_long_arguments: Chat
) -> None:
    """The `arguments` of earlier tool calls are part of the prompt, however long they are."""
    inconclusive_unless(
        capital_tools.tokens("prompt") > capital.tokens("prompt"),
        "no tool reaches the model: its template may have no place for them",
    )
    longer = weather_result_long_arguments.tokens("prompt") - weather_result_without_tools.tokens("prompt")
    ignored_unless(
        longer > 250, f"expected over 250 more tokens for 300 words of `arguments`, got {longer} more ({PROMPT})"
    )


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_rounds_can_follow_each_other(weather_result: Chat, weather_result_twice: Chat) -> None:
    """A second tool call and its result may follow the first immediately, and the model reads them."""
    ignored_unless(
        weather_result_twice.tokens("prompt") > weather_result.tokens("prompt"),
        f"expected more tokens with a second call and result, got no more ({PROMPT})",
    )
    assert_in(weather_result_twice.finish_reason, ("stop", "tool_calls", "length"), "`choices[0].finish_reason`")


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_the_next_question_can_call_again(weather_result_then_question: Chat) -> None:
    """After a tool result and its answer, the next question can call the tool again."""
    assert_none_of(call_markup_in(weather_result_then_question.text), MARKUP)
    inconclusive_unless(weather_result_then_question.tool_calls, NO_CALL)
    called = weather_result_then_question.tool_calls[0].name
    inconclusive_unless(called == "get_weather", f"expected a call of `get_weather`, got `{called}`")
    assert_equal(weather_result_then_question.finish_reason, "tool_calls", "`choices[0].finish_reason`")


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_tools_need_not_be_offered_again(weather_result_without_tools: Chat) -> None:
    """`messages` with tool calls and results are accepted without `tools`."""
    assert_in(weather_result_without_tools.finish_reason, ("stop", "length"), "`choices[0].finish_reason`")
    assert_none_of(weather_result_without_tools.tool_calls, "`tool_calls` in a response without `tools`")


@check("conversation", SHOULD, f"{RESULT}.content")
def test_a_result_may_have_parts(weather_result: Chat, weather_result_other: Chat, weather_result_parts: Chat) -> None:
    """`content` of a tool message may be an array of text parts, with the same effect as a string."""
    inconclusive_unless(is_read(weather_result, weather_result_other), UNREAD)
    assert_equal(weather_result_parts.tokens("prompt"), weather_result.tokens("prompt"), PROMPT)


@check("conversation", SHOULD, f"{RESULT}.content")
def test_a_result_may_be_empty(weather_result: Chat, weather_result_empty: Chat) -> None:
    """`content` of a tool message may be empty."""
    assert_less(weather_result_empty.tokens("prompt"), weather_result.tokens("prompt"), PROMPT)


@check("conversation", SHOULD, "openapi:ChatCompletionMessageToolCall.function.arguments")
def test_broken_arguments_are_no_server_error(weather_result_broken_arguments: Chat) -> None:
    """Earlier `arguments` that are not JSON, as models write them, never cause a server error."""
    answer = weather_result_broken_arguments
    assert answer.ok or answer.cleanly_refused, (
        f"expected 2xx, or 4xx with an error object, got {answer.status} (HTTP status)"
    )


@check("conversation", MAY, "openapi:ChatCompletionRequestFunctionMessage")
def test_a_function_may_have_a_result(weather_result: Chat, function_result: Chat) -> None:
    """The deprecated `function_call` and its result, a message with the role `function`, reach the model."""
    inconclusive_unless("sunny" in weather_result.text, NO_SUNNY)
    ignored_unless(says(function_result, "sunny"), NO_SUNNY)


# What must be rejected


@check("conversation", MAY, f"{RESULT}.tool_call_id")
def test_a_result_of_an_unknown_call_is_refused(bad_result_id: Chat) -> None:
    """A tool message with the `tool_call_id` of no call is rejected with 400."""
    expect_rejection(bad_result_id)


@check("conversation", SHOULD, f"{RESULT}.tool_call_id")
def test_a_result_without_id_is_refused(bad_result_without_id: Chat) -> None:
    """A tool message without `tool_call_id` is rejected with 400."""
    expect_rejection(bad_result_without_id)


@check("conversation", MAY, "docs:guides/function-calling")
def test_a_result_without_call_is_refused(bad_result_without_call: Chat) -> None:
    """A tool message that follows no tool call is rejected with 400."""
    expect_rejection(bad_result_without_call)


@check("conversation", MAY, "docs:guides/function-calling")
def test_a_call_without_result_is_refused(bad_call_without_result: Chat) -> None:
    """A tool call that no result follows is rejected with 400."""
    expect_rejection(bad_call_without_result)
