"""How a server reads a model's own notation of tool calls: only with `--dialect`, where the notation is known."""

from conformance.kit import (
    SHOULD,
    Chat,
    assert_equal,
    assert_in,
    assert_none_of,
    assert_same_calls,
    calls_in,
    check,
    inconclusive_unless,
    markup_in,
    shown,
)
from fixtures.scenarios.notation import SAID

CALLS = "openapi:CreateChatCompletionRequest.tools"
NO_CALL = "expected a tool call, got none (`tool_calls`)"
CONTENT = "`choices[0].message.content`"


@check("tools", SHOULD, CALLS)
def test_a_call_is_not_in_content(weather: Chat, call_add: Chat, weather_hyphen: Chat) -> None:
    """A tool call in a model's notation, JSON or Python included, does not appear in `content`."""
    for answer in (weather, call_add, weather_hyphen):
        names = [tool["function"]["name"] for tool in answer.sent["tools"]]
        assert_none_of(calls_in(answer.text, names), f"calls in {CONTENT} of {answer.name}")
        inconclusive_unless(answer.tool_calls, NO_CALL)


@check("tools", SHOULD, CALLS)
def test_text_before_a_call_is_kept(weather: Chat, say_then_call: Chat, say_then_call_streamed: Chat) -> None:
    """The text that a model writes before a tool call is in `content`, and no part of the call is."""
    same = [(call.name, call.arguments) for call in say_then_call.tool_calls] == [
        (call.name, call.arguments) for call in weather.tool_calls
    ]
    inconclusive_unless(weather.tool_calls and same, "expected the call of the same question without a text before")
    inconclusive_unless(not say_then_call.reasoning, "expected no reasoning (`reasoning_content`)")
    wrote = say_then_call.tokens("completion") - weather.tokens("completion")
    inconclusive_unless(wrote >= 2, "expected more tokens than for the call alone (`usage.completion_tokens`)")
    for answer in (say_then_call, say_then_call_streamed):
        assert answer.text.strip(), f"expected the text before the call, got none ({CONTENT} of {answer.name})"
        inconclusive_unless(SAID in answer.text, f"expected {shown(SAID)}, got {shown(answer.text)} ({CONTENT})")
        assert_none_of(markup_in(answer.text), f"markers of the model's own notation in {CONTENT} of {answer.name}")


@check("tools", SHOULD, CALLS)
def test_integers_are_integers(call_add: Chat, call_add_streamed: Chat) -> None:
    """A parameter of type `integer` is an integer in `arguments`, even where the notation has raw text."""
    inconclusive_unless(call_add.tool_calls, NO_CALL)
    for answer in (call_add, call_add_streamed):
        for call in answer.tool_calls[:1]:
            for name, value in (call.args if isinstance(call.args, dict) else {}).items():
                whole = isinstance(value, int) and not isinstance(value, bool)
                assert whole, (
                    f"expected an integer, got {shown(value)} (`{name}` in `tool_calls[0].function.arguments`)"
                )


@check("tools", SHOULD, CALLS)
def test_digits_in_a_string_stay_a_string(call_label: Chat, call_label_streamed: Chat) -> None:
    """A parameter of type `string` is a string in `arguments`, even if it looks like a number."""
    inconclusive_unless(call_label.tool_calls, NO_CALL)
    for answer in (call_label, call_label_streamed):
        for call in answer.tool_calls[:1]:
            for name, value in (call.args if isinstance(call.args, dict) else {}).items():
                assert isinstance(value, str), (
                    f"expected a string, got {shown(value)} (`{name}` in `tool_calls[0].function.arguments`)"
                )


@check("tools", SHOULD, CALLS)
def test_a_hyphen_may_be_in_a_name(weather_hyphen: Chat, weather_hyphen_streamed: Chat) -> None:
    """A function with a hyphen in its `name` is called like any other, in a stream as well."""
    inconclusive_unless(weather_hyphen.tool_calls, NO_CALL)
    name = weather_hyphen.tool_calls[0].name
    called = "get-weather".startswith(name or "")
    inconclusive_unless(called, f"expected `get-weather`, got `{name}` (`tool_calls[0].function.name`)")
    assert_equal(name, "get-weather", "`tool_calls[0].function.name`")
    assert_same_calls(weather_hyphen_streamed, weather_hyphen)


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_marks_in_a_question_are_text(marks_in_question: Chat) -> None:
    """A user's text that has markers of a model's notation is answered, and is no server error."""
    assert_in(marks_in_question.finish_reason, ("stop", "tool_calls", "length"), "`choices[0].finish_reason`")
