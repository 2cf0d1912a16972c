"""Results of tools in the history: the second half of every conversation with tools."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    markup_in,
)

RESULT = "openapi:ChatCompletionRequestToolMessage"
CALL = "openapi:ChatCompletionRequestAssistantMessage"
UNREAD = "a longer result is no longer prompt"


def is_read(result: Chat, longer: Chat) -> bool:
    """Whether results reach the model: a longer one makes the prompt longer."""
    return longer.tokens("prompt") > result.tokens("prompt")


@check("conversation", MUST, f"{RESULT}.content")
def test_a_result_reaches_the_model(weather_result: Chat, weather_result_other: Chat) -> None:
    """The model reads the result of a tool."""
    counts = weather_result.tokens("prompt"), weather_result_other.tokens("prompt")
    ignored_unless(counts[1] > counts[0], "a longer result is no longer prompt")
    inconclusive_unless("sunny" in weather_result.text, "the model did not use the result")
    assert weather_result_other.text != weather_result.text


@check("conversation", MUST, f"{RESULT}.content")
def test_an_answer_from_a_result_is_plain(weather_result: Chat) -> None:
    """The answer from a result is a text with finish_reason `stop`, without markup."""
    assert markup_in(weather_result.text) == []
    inconclusive_unless(
        not weather_result.tool_calls and weather_result.finish_reason != "length", "the model called again"
    )
    assert weather_result.text.strip() != ""
    assert weather_result.finish_reason == "stop"


@check("conversation", MUST, f"{RESULT}.content")
def test_a_streamed_answer_is_the_same(
    weather_result: Chat, weather_result_other: Chat, weather_result_streamed: Chat
) -> None:
    """The streamed answer from a result is the plain one."""
    inconclusive_unless(is_read(weather_result, weather_result_other), UNREAD)
    assert_same_text(weather_result_streamed.text, weather_result.text)
    assert weather_result_streamed.finish_reason == weather_result.finish_reason


@check("conversation", MUST, "docs:guides/conversation-state append the message")
def test_the_own_call_can_be_sent_back(weather: Chat, weather_result_own_call: Chat) -> None:
    """An assistant's message with calls can be sent back as the server answered it."""
    inconclusive_unless(weather.tool_calls, "the model called no tool")
    inconclusive_unless(not weather_result_own_call.tool_calls, "the model called again")
    assert weather_result_own_call.text.strip() != ""


@check("conversation", SHOULD, f"{RESULT}.tool_call_id")
def test_results_can_come_in_any_order(
    cities_results: Chat, cities_results_swapped: Chat, cities_results_long_ids: Chat, cities_results_reversed: Chat
) -> None:
    """The results of parallel calls can come in any order; each belongs to the call with its `tool_call_id`."""
    assert cities_results_reversed.tokens("prompt") == cities_results.tokens("prompt")
    if cities_results_long_ids.tokens("prompt") == cities_results.tokens("prompt"):  # The model does not read the ids.
        inconclusive_unless(
            cities_results_swapped.text != cities_results.text, "the answer does not tell which city has which result"
        )
        by_order = cities_results_reversed.text == cities_results_swapped.text
        ignored_unless(
            not by_order, "`tool_call_id` is not used: the results are taken in the order in which they came"
        )
        assert_same_text(cities_results_reversed.text, cities_results.text)


@check("conversation", MUST, RESULT)
def test_every_result_reaches_the_model(cities_results: Chat, cities_results_longer: list[Chat]) -> None:
    """The model reads the results of all parallel calls."""
    for longer in cities_results_longer:
        more = longer.tokens("prompt") - cities_results.tokens("prompt")
        ignored_unless(more > 0, "a longer result of one of the calls is no longer prompt")
    told = [weather for weather in ("sunny", "rainy") if weather in cities_results.text]
    inconclusive_unless(len(told) == 2, "the model did not use both results", actual=cities_results.text)


@check("conversation", SHOULD, f"{CALL}.content")
def test_a_call_may_have_an_empty_content(
    weather_result: Chat, weather_result_other: Chat, weather_result_call_content_empty: Chat
) -> None:
    """An assistant's message with calls may have an empty content, which is the same as null."""
    inconclusive_unless(is_read(weather_result, weather_result_other), UNREAD)
    assert weather_result_call_content_empty.tokens("prompt") == weather_result.tokens("prompt")


@check("conversation", MUST, f"{CALL}.content")
def test_a_call_may_have_no_content(
    weather_result: Chat, weather_result_other: Chat, weather_result_call_content_absent: Chat
) -> None:
    """An assistant's message with calls may lack the content, which is the same as null."""
    inconclusive_unless(is_read(weather_result, weather_result_other), UNREAD)
    assert weather_result_call_content_absent.tokens("prompt") == weather_result.tokens("prompt")


@check("conversation", MUST, f"{CALL}.content")
def test_a_call_may_have_a_text(weather_result: Chat, weather_result_call_content_text: Chat) -> None:
    """An assistant's message with calls may have a text as well, which the model reads."""
    with_text = weather_result_call_content_text.tokens("prompt")
    ignored_unless(with_text > weather_result.tokens("prompt"), "the text is not part of the prompt")


@check("conversation", MUST, f"{CALL}.tool_calls")
def test_calls_reach_the_model(weather_result_without_tools: Chat, weather_result_long_arguments: Chat) -> None:
    """The arguments of earlier calls are part of the prompt, however long."""
    longer = weather_result_long_arguments.tokens("prompt") - weather_result_without_tools.tokens("prompt")
    ignored_unless(longer > 250, "300 words of arguments are no longer prompt")


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_rounds_can_follow_each_other(weather_result: Chat, weather_result_twice: Chat) -> None:
    """A second round of call and result may follow the first at once, and the model reads it."""
    ignored_unless(
        weather_result_twice.tokens("prompt") > weather_result.tokens("prompt"), "it is not part of the prompt"
    )
    assert weather_result_twice.finish_reason in ("stop", "tool_calls", "length")


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_the_next_question_can_call_again(weather_result_then_question: Chat) -> None:
    """After a finished round the next question can call the tool again."""
    assert markup_in(weather_result_then_question.text) == []
    inconclusive_unless(weather_result_then_question.tool_calls, "the model called no tool")
    called = weather_result_then_question.tool_calls[0].name
    inconclusive_unless(called == "get_weather", "the model called another function", actual=called)
    assert weather_result_then_question.finish_reason == "tool_calls"


@check("conversation", MUST, "openapi:CreateChatCompletionRequest.messages")
def test_tools_need_not_be_offered_again(weather_result_without_tools: Chat) -> None:
    """A history with calls and results is accepted without tools."""
    assert weather_result_without_tools.finish_reason in ("stop", "length")
    assert weather_result_without_tools.tool_calls == []


@check("conversation", SHOULD, f"{RESULT}.content")
def test_a_result_may_have_parts(weather_result: Chat, weather_result_other: Chat, weather_result_parts: Chat) -> None:
    """A result may be a list of text parts, which is the same as their text."""
    inconclusive_unless(is_read(weather_result, weather_result_other), UNREAD)
    assert weather_result_parts.tokens("prompt") == weather_result.tokens("prompt")


@check("conversation", SHOULD, f"{RESULT}.content")
def test_a_result_may_be_empty(weather_result: Chat, weather_result_empty: Chat) -> None:
    """A result may be empty."""
    assert weather_result_empty.tokens("prompt") < weather_result.tokens("prompt")


@check("conversation", SHOULD, "openapi:ChatCompletionMessageToolCall.function.arguments")
def test_broken_arguments_are_no_server_error(weather_result_broken_arguments: Chat) -> None:
    """Earlier arguments that are no JSON, as models write them, are accepted or refused, and never a server error."""
    assert weather_result_broken_arguments.ok or weather_result_broken_arguments.cleanly_refused


@check("conversation", MAY, "openapi:ChatCompletionRequestFunctionMessage")
def test_a_function_may_have_a_result(weather_result: Chat, function_result: Chat) -> None:
    """The deprecated `function_call` and its result of role `function` reach the model."""
    inconclusive_unless("sunny" in weather_result.text, "the model did not use the result of a tool")
    ignored_unless("sunny" in function_result.text, "the answer does not use the result of the function")


# What must be refused


@check("conversation", MAY, f"{RESULT}.tool_call_id")
def test_a_result_of_an_unknown_call_is_refused(bad_result_id: Chat) -> None:
    """A result whose tool_call_id is that of no call is refused."""
    expect_rejection(bad_result_id)


@check("conversation", SHOULD, f"{RESULT}.tool_call_id")
def test_a_result_without_id_is_refused(bad_result_without_id: Chat) -> None:
    """A result without tool_call_id is refused."""
    expect_rejection(bad_result_without_id)


@check("conversation", MAY, "docs:guides/function-calling")
def test_a_result_without_call_is_refused(bad_result_without_call: Chat) -> None:
    """A result that follows no call is refused."""
    expect_rejection(bad_result_without_call)


@check("conversation", MAY, "docs:guides/function-calling")
def test_a_call_without_result_is_refused(bad_call_without_result: Chat) -> None:
    """A call that is not followed by its result is refused."""
    expect_rejection(bad_call_without_result)
