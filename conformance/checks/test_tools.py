"""`tools`: the model calls functions that the client describes, and the server parses the calls from its output."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_equal,
    assert_in,
    assert_matches_schema,
    assert_none_of,
    assert_same_calls,
    assert_same_text,
    call_markup_in,
    check,
    ignored_unless,
    inconclusive_unless,
    lenient,
    shown,
    validate_against,
)
from fixtures import schemas
from fixtures.tools import WEATHER

CALL = "openapi:ChatCompletionMessageToolCall"
DELTA = "openapi:ChatCompletionMessageToolCallChunk"
NO_CALL = "expected a tool call, got none (`tool_calls`)"
CALLED = "expected no tool call, got one that the question does not need (`tool_calls`)"
ENDLESS = "expected the model to end by itself, got a truncated response"
OFFERED = ("get_weather", "get_stock_price")
UNREAD = "expected more tokens with `tools` than without, got no more (`usage.prompt_tokens`)"
CONTENT = "`choices[0].message.content`"
MARKUP = f"markers of the model's own notation in {CONTENT}"
ARGUMENTS = "`tool_calls[0].function.arguments`"
REASON = "`choices[0].finish_reason`"

# Calls


@check("tools", MUST, "openapi:CreateChatCompletionRequest.tools", core=True)
def test_the_model_calls_a_function(weather: Chat) -> None:
    """A tool call comes in `tool_calls`, with the function's `name` and `arguments` that match its parameters."""
    assert_none_of(call_markup_in(weather.text), MARKUP)
    inconclusive_unless(weather.tool_calls, NO_CALL)
    call = weather.tool_calls[0]
    inconclusive_unless(call.name == "get_weather", f"expected a call of `get_weather`, got `{call.name}`")
    assert isinstance(call.args, dict), f"expected a JSON object, got {shown(call.args)} ({ARGUMENTS})"
    parameters = WEATHER["function"]["parameters"]
    inconclusive_unless(
        not validate_against(call.args, parameters),
        f"expected arguments that match the schema, got others ({ARGUMENTS})",
        actual=call.args,
    )
    inconclusive_unless("Tokyo" in call.args["location"], f"expected 'Tokyo', got {shown(call.args)} ({ARGUMENTS})")


@check("tools", MUST, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_finish_reason_is_tool_calls(weather: Chat) -> None:
    """`finish_reason` is `tool_calls` for a response with tool calls."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_equal(weather.finish_reason, "tool_calls", REASON)


@check("tools", MUST, f"{CALL}.id")
def test_a_call_has_an_id(weather: Chat) -> None:
    """A tool call has an `id`, to which its result refers."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    id = weather.tool_calls[0].id
    whole = isinstance(id, str) and id != ""
    assert whole, f"expected a string, got {shown(id)} (`tool_calls[0].id`)"


@check("tools", SHOULD, f"{CALL}.id")
def test_ids_differ_between_answers(weather: Chat, weather_own_call_then_question: Chat) -> None:
    """A tool call has another `id` than the earlier calls of its conversation."""
    later = weather_own_call_then_question.tool_calls
    inconclusive_unless(weather.tool_calls and later, NO_CALL)
    earlier = {call.id for call in weather.tool_calls}
    assert_none_of(
        [call.id for call in later if call.id in earlier],
        "`tool_calls[].id` that an earlier call of the conversation has",
    )


@check("tools", MUST, f"{CALL}.type")
def test_the_type_of_a_call_is_function(weather: Chat) -> None:
    """`type` of a tool call is `function`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_equal(weather.tool_calls[0].type, "function", "`tool_calls[0].type`")


@check("tools", SHOULD, "openapi:ChatCompletionResponseMessage.content")
def test_content_is_null(weather: Chat) -> None:
    """`content` is null in a message that only calls tools."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    inconclusive_unless(
        not (weather.choice.content or "").strip(), f"expected a tool call only, got text before it ({CONTENT})"
    )
    assert_in(weather.choice.content, (None, ""), CONTENT)
    if weather.choice.content == "":
        lenient(f"expected null, got an empty string ({CONTENT})")


@check("tools", MUST, "openapi:CreateChatCompletionRequest.tools")
def test_the_right_function_of_two_is_called(weather_or_stock: Chat) -> None:
    """With several functions in `tools`, a tool call has the `name` of one of them, unchanged."""
    inconclusive_unless(weather_or_stock.tool_calls, NO_CALL)
    called = [call.name for call in weather_or_stock.tool_calls]
    mangled = [name for name in called if name not in OFFERED and any(one in name for one in OFFERED)]
    assert_none_of(mangled, "`tool_calls[].function.name` with more than the function's name")
    inconclusive_unless(called[0] == "get_weather", f"expected a call of `get_weather`, got {shown(called)}")


@check("tools", MUST, "openapi:CreateChatCompletionRequest.tools")
def test_a_plain_answer_stays_plain(capital: Chat, capital_tools: Chat) -> None:
    """With `tools` but no call, `content` is a string and `finish_reason` is `stop`."""
    inconclusive_unless(capital_tools.tokens("prompt") > capital.tokens("prompt"), UNREAD)
    inconclusive_unless(not capital_tools.tool_calls, CALLED)
    inconclusive_unless(capital_tools.finish_reason != "length", ENDLESS)
    assert capital_tools.text.strip(), f"expected a string with text, got an empty one ({CONTENT})"
    assert_equal(capital_tools.finish_reason, "stop", REASON)


@check("tools", MAY, "de-facto:OpenAI leaves tool_calls out; some clients ask only whether it is there")
def test_a_plain_answer_has_no_list_of_calls(capital: Chat, capital_tools: Chat) -> None:
    """Without a tool call, the message has no `tool_calls`, rather than an empty array."""
    inconclusive_unless(capital_tools.tokens("prompt") > capital.tokens("prompt"), UNREAD)
    inconclusive_unless(not capital_tools.tool_calls, CALLED)
    calls = capital_tools.choice.raw["message"].get("tool_calls")
    assert calls is None, f"expected no field, got {shown(calls)} (`choices[0].message.tool_calls`)"


@check("tools", MUST, "openapi:CompletionUsage.prompt_tokens")
def test_tools_reach_the_model(capital: Chat, capital_tools: Chat) -> None:
    """`tools` are part of the prompt, and `usage.prompt_tokens` counts them."""
    ignored_unless(capital_tools.tokens("prompt") > capital.tokens("prompt"), UNREAD)


@check("tools", MUST, "openapi:FunctionObject.description")
def test_descriptions_reach_the_model(weather: Chat, weather_described: Chat) -> None:
    """`description` of a function is part of the prompt, and `usage.prompt_tokens` counts it."""
    ignored_unless(
        weather_described.tokens("prompt") > weather.tokens("prompt"),
        "expected more tokens for a longer `description`, got no more (`usage.prompt_tokens`)",
    )


@check("tools", MAY, "de-facto:OpenAI and vLLM refuse an empty list, llama.cpp and Ollama take it for none")
def test_no_tools_are_an_empty_list(capital: Chat, capital_no_tools: Chat) -> None:
    """An empty array as `tools` is rejected, or the same as leaving it out."""
    if not capital_no_tools.cleanly_refused:
        assert_same_text(capital_no_tools.text, capital.text)


# Streams


@check("tools", MUST, DELTA)
def test_streamed_calls_are_the_same(weather: Chat, weather_streamed: Chat) -> None:
    """The concatenated deltas of a streamed tool call equal the call of the plain response."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_same_calls(weather_streamed, weather)
    assert_equal(weather_streamed.finish_reason, weather.finish_reason, f"{REASON} of the stream")


@check("tools", MUST, "sdk:accumulate_delta")
def test_streamed_id_and_name_come_once(cities_streamed: Chat) -> None:
    """The first delta of a tool call has its complete `id` and `function.name`, and no other delta repeats them."""
    inconclusive_unless(cities_streamed.calls, NO_CALL)
    for at, deltas in cities_streamed.call_deltas().items():
        functions = [delta.get("function") or {} for delta in deltas]
        ids = [delta["id"] for delta in deltas if delta.get("id")]
        assert_equal(ids, [deltas[0].get("id")], f"`id` in the deltas of tool call {at}")
        names = [function["name"] for function in functions if function.get("name")]
        assert_equal(names, [functions[0].get("name")], f"`function.name` in the deltas of tool call {at}")


@check("tools", SHOULD, f"{DELTA}.type")
def test_streamed_type_is_function(weather_streamed: Chat) -> None:
    """The first delta of a tool call has the `type` `function`."""
    inconclusive_unless(weather_streamed.tool_calls, NO_CALL)
    types = [deltas[0].get("type") for deltas in weather_streamed.call_deltas().values()]
    assert_equal(types[:1], ["function"], "`type` in the first delta of the first tool call")


@check("tools", MUST, "openapi:ChatCompletionStreamResponseDelta.tool_calls")
def test_streamed_text_has_no_markup(weather_streamed: Chat) -> None:
    """`delta.content` has no trace of a tool call in the model's own notation."""
    assert_none_of(call_markup_in(weather_streamed.text), MARKUP)
    inconclusive_unless(weather_streamed.tool_calls, NO_CALL)
    arguments = weather_streamed.tool_calls[0].arguments.strip()
    assert arguments not in weather_streamed.text, f"expected no arguments of the tool call, got them ({CONTENT})"


@check("tools", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_streamed_usage_is_the_same(weather: Chat, weather_streamed: Chat) -> None:
    """A streamed tool call has the same `usage` as the plain response."""
    inconclusive_unless(weather_streamed.tool_calls, NO_CALL)
    counts = weather_streamed.tokens("prompt"), weather.tokens("prompt")
    assert_equal(counts[0], counts[1], "`usage.prompt_tokens` of the stream")
    assert_same_calls(weather_streamed, weather)
    counts = weather_streamed.tokens("completion"), weather.tokens("completion")
    assert_equal(counts[0], counts[1], "`usage.completion_tokens` of the stream")


@check("tools", MUST, "rfc:8259#8.1 JSON text is UTF-8")
def test_unicode_arguments_arrive_whole(
    weather_unicode: Chat, weather_unicode_streamed: Chat, repeat_unicode: Chat
) -> None:
    """Characters of several bytes in `arguments` stay complete, plain and streamed."""
    inconclusive_unless(weather_unicode.tool_calls, NO_CALL)
    arguments = weather_unicode.tool_calls[0].arguments
    if "\ufffd" in arguments:
        inconclusive_unless("🚀" in repeat_unicode.text, "the model does not write '🚀' in plain text either")
    assert "\ufffd" not in arguments, f"expected whole characters, got U+FFFD in {shown(arguments)} ({ARGUMENTS})"
    inconclusive_unless("🚀" in str(weather_unicode.calls), f"expected '🚀', got arguments without it ({ARGUMENTS})")
    assert_same_calls(weather_unicode_streamed, weather_unicode)


@check("tools", MUST, f"{CALL}.function.arguments")
def test_long_streamed_arguments_are_the_same(call_flags: Chat, call_flags_streamed: Chat) -> None:
    """Streamed `arguments` of about a hundred tokens, concatenated, equal those of the plain response."""
    inconclusive_unless(
        call_flags.tool_calls and call_flags.finish_reason != "length",
        "expected a complete tool call, got none or a truncated one",
    )
    assert_same_calls(call_flags_streamed, call_flags)


# Too few tokens


@check("tools", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_call_has_finish_reason_length(weather: Chat, weather_cut: Chat) -> None:
    """`finish_reason` is `length` when `max_tokens` truncates a tool call."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    cut, whole = ([(call.name, call.arguments) for call in answer.tool_calls] for answer in (weather_cut, weather))
    assert weather_cut.finish_reason == "length" or cut == whole, (
        f"expected 'length', got {shown(weather_cut.finish_reason)} ({REASON})"
    )


@check("tools", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_streamed_call_has_finish_reason_length(
    weather: Chat, weather_cut_streamed: Chat, weather_cut_late: Chat
) -> None:
    """`finish_reason` is `length` in a stream when `max_tokens` truncates a tool call, even after its name."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    for answer in (weather_cut_streamed, weather_cut_late):
        whole = [(call.name, call.arguments) for call in weather.tool_calls]
        if [(call.name, call.arguments) for call in answer.tool_calls] != whole:
            assert_equal(answer.finish_reason, "length", f"{REASON} of the stream, {answer.name}")


@check("tools", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_second_call_has_finish_reason_length(cities: Chat, cities_cut: Chat, cities_cut_streamed: Chat) -> None:
    """`finish_reason` is `length` when `max_tokens` truncates a second tool call, though the first one is complete."""
    whole = [(call.name, call.arguments) for call in cities.tool_calls]
    inconclusive_unless(len(whole) > 1, "expected several tool calls, got at most one (`tool_calls`)")
    for answer in (cities_cut, cities_cut_streamed):
        made = [(call.name, call.arguments) for call in answer.tool_calls]
        alike = zip(made, whole, strict=False)
        begun = all(one[0] == other[0] and other[1].startswith(one[1]) for one, other in alike)
        spent = not answer.asks_for_stream and answer.usage.get("completion_tokens") == answer.sent["max_tokens"]
        if made and begun and (made != whole[: len(made)] or (made != whole and spent)):
            assert_equal(answer.finish_reason, "length", f"{REASON} of {answer.name}")


@check("tools", SHOULD, "de-facto:a truncated call is no text for the user")
def test_a_cut_call_leaves_no_markup(weather: Chat, weather_cut: Chat, weather_cut_streamed: Chat) -> None:
    """A tool call that `max_tokens` truncates does not appear in `content`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_none_of(call_markup_in(weather_cut.text), MARKUP)
    assert_none_of(call_markup_in(weather_cut_streamed.text), f"{MARKUP} of the stream")


@check("tools", SHOULD, "de-facto:a truncated call is no text for the user")
def test_a_call_cut_early_leaves_no_markup(
    weather: Chat, weather_cut_early: list[Chat], weather_cut_early_streamed: list[Chat]
) -> None:
    """A tool call that `max_tokens` truncates at its beginning does not appear in `content`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    for answer in (*weather_cut_early, *weather_cut_early_streamed):
        assert_none_of(call_markup_in(answer.text), f"{MARKUP} of {answer.name}")


# Together with other parameters


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.n")
def test_each_choice_has_its_own_calls(weather_twice: Chat) -> None:
    """With `n` and `stream`, each choice has complete tool calls, each with its own `id`."""
    inconclusive_unless(len(weather_twice.choices) > 1, "expected 2 choices, got 1 (`choices`)")
    assert_equal([choice.index for choice in weather_twice.choices], [0, 1], "`index` of the choices")
    calls = [call for choice in weather_twice.choices for call in choice.tool_calls]
    inconclusive_unless(calls, NO_CALL)
    inconclusive_unless(not weather_twice.truncated, ENDLESS)
    for call in calls:
        whole = call.name and isinstance(call.args, dict)
        assert whole, (
            f"expected a name and a JSON object, got {shown(call.name)} and {shown(call.arguments)} (`tool_calls`)"
        )
    for choice in weather_twice.choices:
        ids = [call.id for call in choice.tool_calls]
        assert_equal(
            len(set(ids)), len(ids), f"number of different ids (`choices[{choice.index}].delta.tool_calls[].id`)"
        )


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.logprobs")
def test_calls_with_logprobs_are_the_same(weather: Chat, weather_logprobs: Chat) -> None:
    """`logprobs: true` does not change a tool call."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_same_calls(weather_logprobs, weather)


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.stop")
def test_calls_with_stop_are_the_same(weather: Chat, weather_stop: Chat) -> None:
    """A `stop` string that is not in a tool call does not change it."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_same_calls(weather_stop, weather)


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.stop")
def test_a_stopped_call_leaves_no_markup(weather: Chat, weather_stop_inside: Chat) -> None:
    """A tool call with the `stop` string in its arguments does not appear in `content`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_none_of(call_markup_in(weather_stop_inside.text), MARKUP)


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.response_format")
def test_response_format_leaves_tools_on(weather: Chat, weather_format: Chat) -> None:
    """`response_format` constrains `content` only: the model calls tools as without it."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    ignored_unless(
        weather_format.tool_calls, "expected a tool call as without `response_format`, got none (`tool_calls`)"
    )


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.response_format")
def test_tools_leave_response_format_on(
    capital: Chat, capital_person: Chat, capital_tools: Chat, capital_tools_format: Chat
) -> None:
    """With `tools` and `response_format`, `content` still matches the schema."""
    inconclusive_unless(
        capital_person.text != capital.text, "expected `response_format` to change the content, got the same"
    )
    inconclusive_unless(capital_tools.tokens("prompt") > capital.tokens("prompt"), UNREAD)
    inconclusive_unless(not capital_tools_format.tool_calls, CALLED)
    assert_matches_schema(capital_tools_format.document, schemas.PERSON, CONTENT)


# The deprecated form


@check("tools", MAY, "openapi:CreateChatCompletionRequest.functions")
def test_functions_are_called(weather: Chat, functions: Chat) -> None:
    """The deprecated `functions` are called, in `function_call` of the message."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    called = functions.choice.raw["message"].get("function_call")
    ignored_unless(called, "expected an object, got nothing (`choices[0].message.function_call`)")


@check("tools", MAY, "openapi:CreateChatCompletionRequest.function_call")
def test_function_call_names_a_function(functions_named: Chat) -> None:
    """The deprecated parameter `function_call` forces a call of the function that it names."""
    call = functions_named.choice.raw["message"].get("function_call")
    named = isinstance(call, dict) and call.get("name") == "get_stock_price"
    ignored_unless(
        named, f"expected a call of `get_stock_price`, got {shown(call)} (`choices[0].message.function_call`)"
    )
