"""How a server reads a model's own notation of tool calls and reasoning.

Only with `--dialect`, where the model is the suite's own: its notation is known, and so is what it writes.
"""

from conformance.kit import (
    MAY,
    SHOULD,
    Chat,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_none_of,
    assert_same_calls,
    assert_same_text,
    call_markup_in,
    calls_in,
    check,
    inconclusive_unless,
    shown,
)
from fixtures.scenarios.notation import BEFORE_QUOTE, SAID

CALLS = "openapi:CreateChatCompletionRequest.tools"
NO_CALL = "expected a tool call, got none (`tool_calls`)"
CONTENT = "`choices[0].message.content`"


def traces_in(answer: Chat) -> list[str]:
    """Traces of calls in the content, in notations with marks and without."""
    names = [tool["function"]["name"] for tool in answer.sent["tools"]]
    return [*calls_in(answer.text, names), *call_markup_in(answer.text)]


@check("tools", SHOULD, CALLS)
def test_a_call_is_not_in_content(weather: Chat, call_add: Chat, weather_hyphen: Chat) -> None:
    """A tool call in a model's notation, JSON or Python included, does not appear in `content`."""
    for answer in (weather, call_add, weather_hyphen):
        assert_none_of(traces_in(answer), f"calls in {CONTENT} of {answer.name}")
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
        assert_none_of(call_markup_in(answer.text), f"the model's own markers in {CONTENT} of {answer.name}")


@check("tools", MAY, CALLS)
def test_text_after_a_call_is_kept(weather: Chat, call_then_say: Chat, call_then_say_streamed: Chat) -> None:
    """The text that a model writes after a tool call is in `content`."""
    inconclusive_unless(
        weather.calls and call_then_say.calls == weather.calls, "expected the call of the same question"
    )
    inconclusive_unless(not call_then_say.reasoning, "expected no reasoning (`reasoning_content`)")
    wrote = call_then_say.tokens("completion") - weather.tokens("completion")
    inconclusive_unless(wrote >= 2, "expected more tokens than for the call alone (`usage.completion_tokens`)")
    for answer in (call_then_say, call_then_say_streamed):
        assert answer.text.strip(), f"expected the text after the call, got none ({CONTENT} of {answer.name})"


@check("tools", SHOULD, "de-facto:a truncated call is no text for the user")
def test_a_truncated_call_is_not_in_content(weather: Chat, weather_cut: Chat, weather_cut_late: Chat) -> None:
    """No part of a tool call that `max_tokens` truncates is in `content`, even if its notation has no markers."""
    inconclusive_unless(weather.tool_calls and not weather.text.strip(), NO_CALL)
    inconclusive_unless(not call_markup_in(weather_cut.text), "markers in `content` are judged in `tools`")
    for answer in (weather_cut, weather_cut_late):
        assert_equal(answer.text.strip(), "", f"{CONTENT} of {answer.name}")


@check("parallel_tools", SHOULD, CALLS)
def test_every_call_is_read(weather: Chat, cities: Chat, cities_streamed: Chat) -> None:
    """Each tool call that a model writes is in `tool_calls`: none is dropped after the first."""
    one = weather.tokens("completion")
    inconclusive_unless(weather.tool_calls and cities.finish_reason != "length", NO_CALL)
    wrote = cities.tokens("completion") - one
    inconclusive_unless(wrote > one / 2, "expected more tokens than for one call (`usage.completion_tokens`)")
    for answer in (cities, cities_streamed):
        inconclusive_unless(answer.tool_calls and not answer.text.strip() and not answer.reasoning, NO_CALL)
        longer = len(answer.tool_calls[0].arguments) > 2 * len(weather.tool_calls[0].arguments)
        inconclusive_unless(not longer, "expected a call for one place (`tool_calls[0].function.arguments`)")
        assert_at_least(len(answer.tool_calls), 2, f"tool calls of {answer.name}, for {wrote} more tokens than of one")


@check("parallel_tools", SHOULD, CALLS)
def test_calls_keep_their_order(cities: Chat, cities_reversed: Chat) -> None:
    """The elements of `tool_calls` are in the order in which the model wrote them."""
    asked = [[str(arguments) for _, arguments in answer.calls] for answer in (cities, cities_reversed)]
    inconclusive_unless(all(len(calls) == 2 for calls in asked), "expected two calls for each question (`tool_calls`)")
    orders = [["Tokyo" in call for call in calls] for calls in asked]
    inconclusive_unless(
        sorted(orders) == [[False, True], [True, False]], "expected a model that keeps the order of the question"
    )
    assert orders[0][0], f"expected the calls in the order of both questions, got {shown(asked)} (`tool_calls`)"


@check("tools", SHOULD, "openapi:ChatCompletionStreamResponseDelta.tool_calls")
def test_a_stream_is_the_plain_response(
    say_then_call: Chat, say_then_call_streamed: Chat, cities: Chat, cities_streamed: Chat
) -> None:
    """A stream has the same `content` and `tool_calls` as the plain response, however tokens divide the markers."""
    pairs = [(say_then_call, say_then_call_streamed), (cities, cities_streamed)]
    accepted = [(plain, streamed) for plain, streamed in pairs if plain.ok]
    inconclusive_unless(any(plain.tool_calls for plain, _ in accepted), NO_CALL)
    for plain, streamed in accepted:
        assert_same_calls(streamed, plain)
        if plain.text.strip() or streamed.text.strip():
            assert_same_text(streamed.text.strip(), plain.text.strip(), "`choices[0].delta.content`, joined")


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
    """A function with a hyphen in its `name` is called like any other, plain and streamed."""
    inconclusive_unless(weather_hyphen.tool_calls, NO_CALL)
    name = weather_hyphen.tool_calls[0].name
    called = "get-weather".startswith(name or "")
    inconclusive_unless(called, f"expected `get-weather`, got `{name}` (`tool_calls[0].function.name`)")
    assert_equal(name, "get-weather", "`tool_calls[0].function.name`")
    assert_same_calls(weather_hyphen_streamed, weather_hyphen)


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.messages")
def test_marks_in_a_question_are_text(marks_in_question: Chat) -> None:
    """A user message with markers of a model's notation gets a response, and not a server error."""
    assert_in(marks_in_question.finish_reason, ("stop", "tool_calls", "length"), "`choices[0].finish_reason`")


@check("reasoning", MAY, "de-facto:reasoning_content or reasoning; some models do call tools before they end reasoning")
def test_a_call_in_reasoning_is_no_call(capital: Chat, think_of_a_call: Chat, think_of_a_call_streamed: Chat) -> None:
    """A tool call that a model quotes in its reasoning stays there, and is not in `tool_calls`."""
    for answer in (think_of_a_call, think_of_a_call_streamed):
        inconclusive_unless(answer.reasoning, "expected the model to reason, got no reasoning (`reasoning_content`)")
        # A model that calls after its reasoning gives no answer beside the call, and ends a sentence before it.
        ended = capital.text.strip() not in answer.text and not answer.reasoning.rstrip().endswith(BEFORE_QUOTE)
        got = f"got {shown(answer.calls)}, which stand in the reasoning (`tool_calls` of {answer.name})"
        assert not answer.tool_calls or ended, f"expected no calls, {got}"
        inconclusive_unless(not answer.tool_calls, "expected the answer, got a call (`tool_calls`)")
        whole = f"{BEFORE_QUOTE} " in answer.reasoning and "Oslo" in answer.reasoning
        inconclusive_unless(whole, "expected the call in the reasoning, got none (`reasoning_content`)")
