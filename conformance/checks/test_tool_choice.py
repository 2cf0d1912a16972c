"""`tool_choice`: whether tools are called, and which."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_same_calls,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    markup_in,
)

SOURCE = "openapi:ChatCompletionToolChoiceOption"
ALLOWED = "openapi:ChatCompletionAllowedTools"
NO_CALL = "the model called no tool by itself"
BY_ITSELF = "the model called a tool by itself"


def names(answer: Chat) -> set[str]:
    """The functions that an answer calls."""
    return {call.name for call in answer.tool_calls}


# required


@check("tool_choice", MUST, SOURCE, core=True)
def test_required_forces_a_call(capital_tools: Chat, capital_required: Chat) -> None:
    """With `required` a function is called, even if the question needs none."""
    inconclusive_unless(not capital_tools.tool_calls, BY_ITSELF)
    ignored_unless(capital_required.tool_calls, "no function was called")
    assert names(capital_required) == {"get_weather"}


@check("tool_choice", MUST, SOURCE)
def test_required_gives_whole_calls(capital_required: Chat) -> None:
    """A required call has arguments that are a JSON object, and leaves no markup in the text."""
    inconclusive_unless(capital_required.tool_calls, "no function was called")
    inconclusive_unless(capital_required.finish_reason != "length", "the model did not end within max_tokens")
    assert all(isinstance(call.args, dict) for call in capital_required.tool_calls)
    assert markup_in(capital_required.text) == []


@check("tool_choice", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_required_finishes_with_calls(capital_required: Chat) -> None:
    """A required call ends with finish_reason `tool_calls`; `stop` has been seen of OpenAI, too."""
    inconclusive_unless(capital_required.tool_calls, "no function was called")
    inconclusive_unless(capital_required.finish_reason != "length", "the model did not end within max_tokens")
    assert capital_required.finish_reason in ("tool_calls", "stop")


@check("tool_choice", MUST, SOURCE)
def test_required_forces_a_streamed_call(
    capital_tools: Chat, capital_required: Chat, capital_required_streamed: Chat
) -> None:
    """With `required` a stream has the same calls as the plain answer."""
    inconclusive_unless(not capital_tools.tool_calls, BY_ITSELF)
    ignored_unless(capital_required_streamed.tool_calls, "no function was called")
    assert_same_calls(capital_required_streamed, capital_required)


# none


@check("tool_choice", MUST, SOURCE, core=True)
def test_none_forbids_calls(weather: Chat, weather_none: Chat) -> None:
    """With `none` no function is called, even if the question needs one."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    ignored_unless(not weather_none.tool_calls, "a function was called")


@check("tool_choice", MUST, SOURCE)
def test_none_forbids_streamed_calls(weather: Chat, weather_none_streamed: Chat) -> None:
    """With `none` no function is called in a stream."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    ignored_unless(not weather_none_streamed.tool_calls, "a function was called")


@check("tool_choice", SHOULD, SOURCE)
def test_none_gives_a_message(weather: Chat, weather_none: Chat) -> None:
    """With `none` the answer is a message to the user, and no call in the model's own notation."""
    inconclusive_unless(
        weather.tool_calls and not weather_none.tool_calls, "a function was called, or would not have been"
    )
    assert weather_none.text.strip() != ""
    assert markup_in(weather_none.text) == []


# A named function


@check("tool_choice", MUST, "openapi:ChatCompletionNamedToolChoice", core=True)
def test_a_name_forces_that_function(weather_or_stock: Chat, weather_named: Chat) -> None:
    """A named function is called, even if another one fits the question."""
    inconclusive_unless(
        "get_stock_price" not in names(weather_or_stock), "the model called the named function by itself"
    )
    ignored_unless(names(weather_named) == {"get_stock_price"}, f"called was {names(weather_named) or 'nothing'}")


@check("tool_choice", MUST, "openapi:ChatCompletionNamedToolChoice")
def test_a_name_gives_whole_calls(weather_named: Chat) -> None:
    """The call of a named function has arguments that are a JSON object; finish_reason is `stop` or `tool_calls`."""
    inconclusive_unless(names(weather_named) == {"get_stock_price"}, "another function was called, or none")
    inconclusive_unless(weather_named.finish_reason != "length", "the model did not end within max_tokens")
    assert isinstance(weather_named.tool_calls[0].args, dict)
    assert weather_named.finish_reason in ("stop", "tool_calls")


@check("tool_choice", MUST, "openapi:ChatCompletionNamedToolChoice")
def test_a_name_forces_that_function_in_a_stream(weather_named: Chat, weather_named_streamed: Chat) -> None:
    """A named function is called in a stream as in the plain answer."""
    ignored_unless(names(weather_named_streamed) == {"get_stock_price"}, "another function was called, or none")
    assert_same_calls(weather_named_streamed, weather_named)


# auto, and some of the functions


@check("tool_choice", MUST, SOURCE)
def test_auto_is_the_default(weather: Chat, weather_auto: Chat) -> None:
    """`auto` is the same as no tool_choice."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_same_calls(weather_auto, weather)


@check("tool_choice", SHOULD, ALLOWED)
def test_allowed_tools_forbid_others(weather_or_stock: Chat, weather_allowed: Chat) -> None:
    """With `allowed_tools` the other functions are not called."""
    inconclusive_unless("get_weather" in names(weather_or_stock), NO_CALL)
    ignored_unless("get_weather" not in names(weather_allowed), "a function was called that is not allowed")


@check("tool_choice", SHOULD, ALLOWED)
def test_allowed_tools_can_be_required(weather_or_stock: Chat, weather_allowed_required: Chat) -> None:
    """With `allowed_tools` of mode `required` one of them is called."""
    inconclusive_unless(
        "get_stock_price" not in names(weather_or_stock), "the model called the allowed function by itself"
    )
    ignored_unless(names(weather_allowed_required) == {"get_stock_price"}, "another function was called, or none")


# What must be refused


@check("tool_choice", SHOULD, SOURCE)
def test_an_unknown_choice_is_refused(bad_tool_choice: Chat) -> None:
    """A tool_choice that there is not is refused."""
    expect_rejection(bad_tool_choice)


@check("tool_choice", SHOULD, "openapi:ChatCompletionNamedToolChoice.function.name")
def test_an_unknown_function_is_refused(bad_tool_choice_name: Chat) -> None:
    """The name of a function that is not offered is refused."""
    expect_rejection(bad_tool_choice_name)


@check("tool_choice", SHOULD, SOURCE)
def test_required_needs_tools(bad_required_without_tools: Chat) -> None:
    """`required` without tools is refused."""
    expect_rejection(bad_required_without_tools)
