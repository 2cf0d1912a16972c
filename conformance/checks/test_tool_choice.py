"""`tool_choice`: whether tools are called, and which ones."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_in,
    assert_none_of,
    assert_same_calls,
    call_markup_in,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    shown,
)

SOURCE = "openapi:ChatCompletionToolChoiceOption"
ALLOWED = "openapi:ChatCompletionAllowedTools"
NO_CALL = "expected the model to call a tool by itself, got no call (`tool_calls`)"
BY_ITSELF = "expected no tool call without `tool_choice`, got one (`tool_calls`)"
NOT_FORCED = "expected a tool call, got none (`tool_calls`)"
CALLED = "expected no tool call, got one (`tool_calls`)"
ENDLESS = "expected the model to end within `max_tokens`, got a truncated response"
MARKUP = "markers of the model's own notation in `choices[0].message.content`"
ARGUMENTS = "`tool_calls[].function.arguments`"


def names(answer: Chat) -> set[str]:
    """The functions that a response calls."""
    return {call.name for call in answer.tool_calls}


def only(name: str, answer: Chat) -> str:
    """That a response calls other functions than the one that was expected."""
    return f"expected calls of `{name}` only, got {shown(sorted(names(answer)))} (`tool_calls`)"


# required


@check("tool_choice", MUST, SOURCE, core=True)
def test_required_forces_a_call(capital_tools: Chat, capital_required: Chat) -> None:
    """With `tool_choice: required`, a function is called, even if the question needs none."""
    inconclusive_unless(not capital_tools.tool_calls, BY_ITSELF)
    inconclusive_unless(capital_required.tool_calls or not capital_required.truncated, ENDLESS)
    ignored_unless(capital_required.tool_calls, NOT_FORCED)
    assert names(capital_required) == {"get_weather"}, only("get_weather", capital_required)


@check("tool_choice", MUST, SOURCE)
def test_required_gives_whole_calls(capital_required: Chat) -> None:
    """With `tool_choice: required`, `arguments` is a JSON object, and `content` has no trace of the call."""
    inconclusive_unless(capital_required.tool_calls, NOT_FORCED)
    inconclusive_unless(capital_required.finish_reason != "length", ENDLESS)
    for call in capital_required.tool_calls:
        assert isinstance(call.args, dict), f"expected a JSON object, got {shown(call.args)} ({ARGUMENTS})"
    assert_none_of(call_markup_in(capital_required.text), MARKUP)


@check("tool_choice", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_required_finishes_with_calls(capital_required: Chat) -> None:
    """With `tool_choice: required`, `finish_reason` is `tool_calls`, or `stop` as OpenAI also sends."""
    inconclusive_unless(capital_required.tool_calls, NOT_FORCED)
    inconclusive_unless(capital_required.finish_reason != "length", ENDLESS)
    assert_in(capital_required.finish_reason, ("tool_calls", "stop"), "`choices[0].finish_reason`")


@check("tool_choice", MUST, SOURCE)
def test_required_forces_a_streamed_call(
    capital_tools: Chat, capital_required: Chat, capital_required_streamed: Chat
) -> None:
    """With `tool_choice: required`, a stream has the same tool calls as the plain response."""
    inconclusive_unless(not capital_tools.tool_calls, BY_ITSELF)
    inconclusive_unless(capital_required_streamed.tool_calls or not capital_required_streamed.truncated, ENDLESS)
    ignored_unless(capital_required_streamed.tool_calls, NOT_FORCED)
    assert_same_calls(capital_required_streamed, capital_required)


@check("tool_choice", SHOULD, SOURCE)
def test_a_forced_stream_has_no_markup(
    capital_required: Chat, capital_required_streamed: Chat, weather_named: Chat, weather_named_streamed: Chat
) -> None:
    """When `tool_choice` forces a call, `delta.content` has no markers of it, unless the plain response has them."""
    inconclusive_unless(capital_required.tool_calls, NOT_FORCED)
    pairs = [(capital_required, capital_required_streamed), (weather_named, weather_named_streamed)]
    forced = [(plain, streamed) for plain, streamed in pairs if plain.tool_calls and streamed.tool_calls]
    inconclusive_unless(forced, NOT_FORCED)
    for plain, streamed in forced:
        # A model may write a mark of its own before it is forced to begin a call.
        found = set(call_markup_in(streamed.text)).difference(call_markup_in(plain.text))
        assert_none_of(sorted(found), f"markers of the model's own notation in `delta.content` of {streamed.name}")


# none


@check("tool_choice", MUST, SOURCE, core=True)
def test_none_forbids_calls(weather: Chat, weather_none: Chat) -> None:
    """With `tool_choice: none`, no function is called, even if the question needs one."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    ignored_unless(not weather_none.tool_calls, CALLED)


@check("tool_choice", MUST, SOURCE)
def test_none_forbids_streamed_calls(weather: Chat, weather_none_streamed: Chat) -> None:
    """With `tool_choice: none`, no function is called in a stream."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    ignored_unless(not weather_none_streamed.tool_calls, CALLED)


@check("tool_choice", SHOULD, SOURCE)
def test_none_gives_a_message(weather: Chat, weather_none: Chat) -> None:
    """With `tool_choice: none`, `content` is a message, without a call in the model's own notation."""
    inconclusive_unless(
        weather.tool_calls and not weather_none.tool_calls,
        "expected calls without `tool_choice: none` and none with it, got other responses",
    )
    assert weather_none.text.strip(), "expected a string with text, got an empty one (`choices[0].message.content`)"
    assert_none_of(call_markup_in(weather_none.text), MARKUP)


# A named function


@check("tool_choice", MUST, "openapi:ChatCompletionNamedToolChoice", core=True)
def test_a_name_forces_that_function(weather_or_stock: Chat, weather_named: Chat) -> None:
    """The function that `tool_choice` names is called, even if another one fits the question."""
    inconclusive_unless(
        "get_stock_price" not in names(weather_or_stock),
        "expected no call of `get_stock_price` without `tool_choice`, got one",
    )
    ignored_unless(names(weather_named) == {"get_stock_price"}, only("get_stock_price", weather_named))


@check("tool_choice", MUST, "openapi:ChatCompletionNamedToolChoice")
def test_a_name_gives_whole_calls(weather_named: Chat) -> None:
    """The call of a named function has a JSON object as `arguments`, and `finish_reason` is `stop` or `tool_calls`."""
    inconclusive_unless(names(weather_named) == {"get_stock_price"}, only("get_stock_price", weather_named))
    inconclusive_unless(weather_named.finish_reason != "length", ENDLESS)
    arguments = weather_named.tool_calls[0].args
    assert isinstance(arguments, dict), f"expected a JSON object, got {shown(arguments)} ({ARGUMENTS})"
    assert_in(weather_named.finish_reason, ("stop", "tool_calls"), "`choices[0].finish_reason`")


@check("tool_choice", MUST, "openapi:ChatCompletionNamedToolChoice")
def test_a_name_forces_that_function_in_a_stream(weather_named: Chat, weather_named_streamed: Chat) -> None:
    """The function that `tool_choice` names is called in a stream as in the plain response."""
    called = names(weather_named_streamed)
    ignored_unless(called == {"get_stock_price"}, only("get_stock_price", weather_named_streamed))
    assert_same_calls(weather_named_streamed, weather_named)


# auto, and some of the functions


@check("tool_choice", MUST, SOURCE)
def test_auto_is_the_default(weather: Chat, weather_auto: Chat) -> None:
    """`tool_choice: auto` gives the same tool calls as leaving it out."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_same_calls(weather_auto, weather)


@check("tool_choice", SHOULD, ALLOWED)
def test_allowed_tools_forbid_others(weather_or_stock: Chat, weather_allowed: Chat) -> None:
    """With `tool_choice` of type `allowed_tools`, no other function is called."""
    inconclusive_unless("get_weather" in names(weather_or_stock), NO_CALL)
    ignored_unless(
        "get_weather" not in names(weather_allowed),
        "expected no call of `get_weather`, which is not allowed, got one (`tool_calls`)",
    )


@check("tool_choice", SHOULD, ALLOWED)
def test_allowed_tools_can_be_required(weather_or_stock: Chat, weather_allowed_required: Chat) -> None:
    """With `allowed_tools` of mode `required`, one of the allowed functions is called."""
    inconclusive_unless(
        "get_stock_price" not in names(weather_or_stock),
        "expected no call of `get_stock_price` without `tool_choice`, got one",
    )
    called = names(weather_allowed_required)
    ignored_unless(called == {"get_stock_price"}, only("get_stock_price", weather_allowed_required))


# What must be rejected


@check("tool_choice", SHOULD, SOURCE)
def test_an_unknown_choice_is_refused(bad_tool_choice: Chat) -> None:
    """An unknown `tool_choice` is rejected with 400."""
    expect_rejection(bad_tool_choice)


@check("tool_choice", SHOULD, "openapi:ChatCompletionNamedToolChoice.function.name")
def test_an_unknown_function_is_refused(bad_tool_choice_name: Chat) -> None:
    """`tool_choice` with the name of a function that is not in `tools` is rejected with 400."""
    expect_rejection(bad_tool_choice_name)


@check("tool_choice", SHOULD, SOURCE)
def test_required_needs_tools(bad_required_without_tools: Chat) -> None:
    """`tool_choice: required` without `tools` is rejected with 400."""
    expect_rejection(bad_required_without_tools)
