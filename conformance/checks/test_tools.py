"""`tools`: the model calls functions that the client describes, and the server reads the calls out of its text."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_matches_schema,
    assert_same_calls,
    assert_same_text,
    check,
    ignored_unless,
    inconclusive_unless,
    lenient,
    markup_in,
    validate_against,
)
from fixtures import schemas
from fixtures.tools import WEATHER

CALL = "openapi:ChatCompletionMessageToolCall"
PIECE = "openapi:ChatCompletionMessageToolCallChunk"
NO_CALL = "the model called no tool"
OFFERED = ("get_weather", "get_stock_price")
UNREAD = "the prompt has no more tokens than without tools"

# Calls


@check("tools", MUST, "openapi:CreateChatCompletionRequest.tools", core=True)
def test_the_model_calls_a_function(weather: Chat) -> None:
    """A call comes in `tool_calls`, with the function's name and arguments that fit its parameters."""
    assert markup_in(weather.text) == []
    inconclusive_unless(weather.tool_calls, NO_CALL)
    call = weather.tool_calls[0]
    inconclusive_unless(call.name == "get_weather", "the model called another function", actual=call.name)
    assert isinstance(call.args, dict)
    parameters = WEATHER["function"]["parameters"]
    inconclusive_unless(
        not validate_against(call.args, parameters), "the model's arguments do not fit", actual=call.args
    )
    inconclusive_unless("Tokyo" in call.args["location"], "the model asked for another place", actual=call.args)


@check("tools", MUST, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_finish_reason_is_tool_calls(weather: Chat) -> None:
    """An answer that ends with calls has finish_reason `tool_calls`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert weather.finish_reason == "tool_calls"


@check("tools", MUST, f"{CALL}.id")
def test_a_call_has_an_id(weather: Chat) -> None:
    """A call has an id, to which its result refers."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert isinstance(weather.tool_calls[0].id, str)
    assert weather.tool_calls[0].id != ""


@check("tools", SHOULD, f"{CALL}.id")
def test_ids_differ_between_answers(weather: Chat, weather_or_stock: Chat) -> None:
    """Calls of different answers have different ids, so that a long history stays unambiguous."""
    inconclusive_unless(weather.tool_calls and weather_or_stock.tool_calls, NO_CALL)
    assert weather_or_stock.tool_calls[0].id != weather.tool_calls[0].id


@check("tools", MUST, f"{CALL}.type")
def test_the_type_of_a_call_is_function(weather: Chat) -> None:
    """A call has the type `function`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert weather.tool_calls[0].type == "function"


@check("tools", SHOULD, "openapi:ChatCompletionResponseMessage.content")
def test_content_is_null(weather: Chat) -> None:
    """A message that only calls tools has a null content."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    inconclusive_unless(not (weather.choice.content or "").strip(), "the model said something before the call")
    assert weather.choice.content in (None, "")
    if weather.choice.content == "":
        lenient("content is an empty text where OpenAI has null")


@check("tools", MUST, "openapi:CreateChatCompletionRequest.tools")
def test_the_right_function_of_two_is_called(weather_or_stock: Chat) -> None:
    """Of several functions the model calls those that it needs, under their own names."""
    inconclusive_unless(weather_or_stock.tool_calls, NO_CALL)
    called = [call.name for call in weather_or_stock.tool_calls]
    mangled = [name for name in called if name not in OFFERED and any(one in name for one in OFFERED)]
    assert mangled == []
    inconclusive_unless(called[0] == "get_weather", "the model called another function", actual=called)


@check("tools", MUST, "openapi:CreateChatCompletionRequest.tools")
def test_a_plain_answer_stays_plain(capital: Chat, capital_tools: Chat) -> None:
    """An answer without calls is a text with finish_reason `stop`, although tools are offered."""
    inconclusive_unless(capital_tools.tokens("prompt") > capital.tokens("prompt"), UNREAD)
    inconclusive_unless(not capital_tools.tool_calls, "the model called a tool that it did not need")
    inconclusive_unless(capital_tools.finish_reason != "length", "the answer does not come to its end")
    assert capital_tools.text.strip() != ""
    assert capital_tools.finish_reason == "stop"


@check("tools", MAY, "de-facto:OpenAI leaves tool_calls out; some clients ask only whether it is there")
def test_a_plain_answer_has_no_list_of_calls(capital: Chat, capital_tools: Chat) -> None:
    """An answer without calls has no `tool_calls`, and not an empty list."""
    inconclusive_unless(capital_tools.tokens("prompt") > capital.tokens("prompt"), UNREAD)
    inconclusive_unless(not capital_tools.tool_calls, "the model called a tool that it did not need")
    assert capital_tools.choice.raw["message"].get("tool_calls") is None


@check("tools", MUST, "openapi:CompletionUsage.prompt_tokens")
def test_tools_reach_the_model(capital: Chat, capital_tools: Chat) -> None:
    """Tools are part of the prompt, and counted with it."""
    ignored_unless(
        capital_tools.tokens("prompt") > capital.tokens("prompt"), "the prompt has no more tokens than without tools"
    )


@check("tools", MUST, "openapi:FunctionObject.description")
def test_descriptions_reach_the_model(weather: Chat, weather_described: Chat) -> None:
    """The description of a function is part of the prompt."""
    ignored_unless(
        weather_described.tokens("prompt") > weather.tokens("prompt"), "a longer description is no longer prompt"
    )


@check("tools", MAY, "de-facto:OpenAI and vLLM refuse an empty list, llama.cpp and Ollama take it for none")
def test_no_tools_are_an_empty_list(capital: Chat, capital_no_tools: Chat) -> None:
    """An empty list of tools is refused, or the same as none."""
    if not capital_no_tools.cleanly_refused:
        assert_same_text(capital_no_tools.text, capital.text)


# Streams


@check("tools", MUST, PIECE)
def test_streamed_calls_are_the_same(weather: Chat, weather_streamed: Chat) -> None:
    """The pieces of a streamed call join to the call of the plain answer."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_same_calls(weather_streamed, weather)
    assert weather_streamed.finish_reason == weather.finish_reason


@check("tools", MUST, "sdk:accumulate_delta")
def test_streamed_id_and_name_come_once(cities_streamed: Chat) -> None:
    """The first piece of a call has its whole id and name, and no other piece repeats them."""
    inconclusive_unless(cities_streamed.calls, NO_CALL)
    for pieces in cities_streamed.call_pieces().values():
        functions = [piece.get("function") or {} for piece in pieces]
        assert [piece["id"] for piece in pieces if piece.get("id")] == [pieces[0].get("id")]
        assert [f["name"] for f in functions if f.get("name")] == [functions[0].get("name")]


@check("tools", SHOULD, f"{PIECE}.type")
def test_streamed_type_is_function(weather_streamed: Chat) -> None:
    """The first piece of a call has the type `function`."""
    inconclusive_unless(weather_streamed.tool_calls, NO_CALL)
    assert [pieces[0].get("type") for pieces in weather_streamed.call_pieces().values()][:1] == ["function"]


@check("tools", MUST, "openapi:ChatCompletionStreamResponseDelta.tool_calls")
def test_streamed_text_has_no_markup(weather_streamed: Chat) -> None:
    """No piece of the model's own notation for calls slips into the text of a stream."""
    assert markup_in(weather_streamed.text) == []
    inconclusive_unless(weather_streamed.tool_calls, NO_CALL)
    assert weather_streamed.tool_calls[0].arguments.strip() not in weather_streamed.text


@check("tools", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_streamed_usage_is_the_same(weather: Chat, weather_streamed: Chat) -> None:
    """A streamed call costs as many tokens as the plain one."""
    inconclusive_unless(weather_streamed.tool_calls, NO_CALL)
    assert weather_streamed.tokens("prompt") == weather.tokens("prompt")
    assert_same_calls(weather_streamed, weather)
    assert weather_streamed.tokens("completion") == weather.tokens("completion")


@check("tools", MUST, "rfc:8259#8.1 JSON text is UTF-8")
def test_unicode_arguments_arrive_whole(weather_unicode: Chat, weather_unicode_streamed: Chat) -> None:
    """Characters of several bytes in arguments are whole, in a stream as well."""
    inconclusive_unless(weather_unicode.tool_calls, NO_CALL)
    assert "\ufffd" not in weather_unicode.tool_calls[0].arguments
    inconclusive_unless("🚀" in str(weather_unicode.calls), "the model did not copy the characters")
    assert_same_calls(weather_unicode_streamed, weather_unicode)


@check("tools", MUST, f"{CALL}.function.arguments")
def test_long_streamed_arguments_are_the_same(call_flags: Chat, call_flags_streamed: Chat) -> None:
    """Arguments of some hundred tokens join to those of the plain answer."""
    inconclusive_unless(call_flags.tool_calls and call_flags.finish_reason != "length", "the model ended no call")
    assert_same_calls(call_flags_streamed, call_flags)


# Too few tokens


@check("tools", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_call_has_finish_reason_length(weather: Chat, weather_cut: Chat) -> None:
    """A call that max_tokens cuts is answered with finish_reason `length`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert weather_cut.finish_reason == "length" or weather_cut.calls == weather.calls


@check("tools", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_streamed_call_has_finish_reason_length(weather: Chat, weather_cut_streamed: Chat) -> None:
    """A stream that max_tokens cuts within a call ends in order, with finish_reason `length`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert weather_cut_streamed.finish_reason == "length" or weather_cut_streamed.calls == weather.calls


@check("tools", SHOULD, "de-facto:a truncated call is no text for the user")
def test_a_cut_call_leaves_no_markup(weather: Chat, weather_cut: Chat, weather_cut_streamed: Chat) -> None:
    """A call that max_tokens cuts does not turn up in the text."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert markup_in(weather_cut.text) == []
    assert markup_in(weather_cut_streamed.text) == []


@check("tools", SHOULD, "de-facto:a truncated call is no text for the user")
def test_a_call_cut_early_leaves_no_markup(
    weather: Chat, weather_cut_early: list[Chat], weather_cut_early_streamed: list[Chat]
) -> None:
    """A call of which max_tokens leaves only the beginning does not turn up in the text."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    for answer in (*weather_cut_early, *weather_cut_early_streamed):
        assert markup_in(answer.text) == []


# Together with other parameters


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.n")
def test_each_choice_has_its_own_calls(weather_twice: Chat) -> None:
    """With n and a stream, each choice has whole calls with ids of their own."""
    inconclusive_unless(len(weather_twice.choices) > 1, "there is one choice only")
    assert [choice.index for choice in weather_twice.choices] == [0, 1]
    calls = [call for choice in weather_twice.choices for call in choice.tool_calls]
    inconclusive_unless(calls, NO_CALL)
    inconclusive_unless(not weather_twice.truncated, "the model did not end its calls")
    assert all(call.name and isinstance(call.args, dict) for call in calls)
    assert len({call.id for call in calls}) == len(calls)


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.logprobs")
def test_calls_with_logprobs_are_the_same(weather: Chat, weather_logprobs: Chat) -> None:
    """logprobs do not change a call."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_same_calls(weather_logprobs, weather)


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.stop")
def test_calls_with_stop_are_the_same(weather: Chat, weather_stop: Chat) -> None:
    """A stop string that no call holds does not change it."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_same_calls(weather_stop, weather)


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.stop")
def test_a_stopped_call_leaves_no_markup(weather: Chat, weather_stop_inside: Chat) -> None:
    """A call with the stop string in its arguments does not turn up in the text."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert markup_in(weather_stop_inside.text) == []


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.response_format")
def test_response_format_leaves_tools_on(weather: Chat, weather_format: Chat) -> None:
    """A response format is for texts: the model calls tools as without it."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    ignored_unless(weather_format.tool_calls, "with response_format the tools are never called")


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.response_format")
def test_tools_leave_response_format_on(
    capital: Chat, capital_person: Chat, capital_tools: Chat, capital_tools_format: Chat
) -> None:
    """A text fits the response format although tools are offered."""
    inconclusive_unless(capital_person.text != capital.text, "`response_format` has no effect")
    inconclusive_unless(capital_tools.tokens("prompt") > capital.tokens("prompt"), UNREAD)
    inconclusive_unless(not capital_tools_format.tool_calls, "the model called a tool that it did not need")
    assert_matches_schema(capital_tools_format.document, schemas.PERSON)


# The deprecated form


@check("tools", MAY, "openapi:CreateChatCompletionRequest.functions")
def test_functions_are_called(weather: Chat, functions: Chat) -> None:
    """The deprecated `functions` are called, in `function_call`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    ignored_unless(functions.choice.raw["message"].get("function_call"), "the answer has no function_call")


@check("tools", MAY, "openapi:CreateChatCompletionRequest.function_call")
def test_function_call_names_a_function(functions_named: Chat) -> None:
    """The deprecated `function_call` forces the function that it names."""
    call = functions_named.choice.raw["message"].get("function_call")
    named = isinstance(call, dict) and call.get("name") == "get_stock_price"
    ignored_unless(named, "another function was called, or none", actual=call)
