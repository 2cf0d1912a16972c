"""Tools in the Responses API: tool calls are output items, and their results input items."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Response,
    assert_equal,
    assert_matches_schema,
    assert_none_of,
    assert_same_calls,
    assert_same_text,
    call_markup_in,
    check,
    ignored_unless,
    inconclusive_unless,
    shown,
    validate_against,
)
from fixtures.scenarios.chat import TEN_WORDS
from fixtures.scenarios.responses import FLAGS, WEATHER

CALL = "openapi:FunctionToolCall"
CHOICE = "openapi:CreateResponse.tool_choice"
RESULT = "openapi:FunctionCallOutputItemParam"
NO_CALL = "expected a tool call, got none (`output`)"
ONE_CALL = "expected several tool calls, got at most one (`output`)"
CALLED = "expected no tool call, got one (`output`)"
ARGUMENTS = "`arguments` of the `function_call`"
EMPTY = "expected a string with text, got an empty one (`output_text`)"
MARKUP = "markers of the model's own notation in `output_text`"
ENDLESS = "expected the model to end by itself, got a truncated response"


@check("responses_tools", MUST, "openapi:CreateResponse.tools", core=True)
def test_the_model_calls_a_function(respond_weather: Response) -> None:
    """A tool call is a `function_call` item with the function's `name` and `arguments` that match its parameters."""
    assert_none_of(call_markup_in(respond_weather.text), MARKUP)
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    call = respond_weather.tool_calls[0]
    inconclusive_unless(call.name == "get_weather", f"expected a call of `get_weather`, got `{call.name}`")
    assert isinstance(call.args, dict), f"expected a JSON object, got {shown(call.args)} ({ARGUMENTS})"
    inconclusive_unless(
        not validate_against(call.args, WEATHER["parameters"]),
        f"expected arguments that match the schema, got others ({ARGUMENTS})",
        actual=call.args,
    )
    inconclusive_unless("Tokyo" in call.args["location"], f"expected 'Tokyo', got {shown(call.args)} ({ARGUMENTS})")


@check("responses_tools", SHOULD, "openapi:FunctionTool.parameters")
def test_members_of_a_function_may_be_null(respond_weather: Response, respond_function_forms: list[Response]) -> None:
    """`parameters`, `strict` and `description` of a function may be `null`, the first and the last also empty."""
    inconclusive_unless(respond_weather.ok, "a function with all members is rejected too")
    for answer in respond_function_forms:
        tool = shown({name: value for name, value in answer.sent["tools"][0].items() if not value})
        assert_equal(answer.object["object"], "response", f"`object` of the response to a function with {tool}")


@check("responses_tools", MUST, "openapi:FunctionTool.description")
def test_descriptions_reach_the_model(respond_weather: Response, respond_weather_described: Response) -> None:
    """`description` of a function is part of what the model reads, and `usage.input_tokens` counts it."""
    counts = respond_weather.tokens("input"), respond_weather_described.tokens("input")
    ignored_unless(
        counts[1] > counts[0], f"expected more than {counts[0]} tokens, got {counts[1]} (`usage.input_tokens`)"
    )


@check("responses_tools", MUST, "openapi:FunctionTool.strict")
def test_strict_arguments_fit(respond_strict: Response) -> None:
    """With `strict: true`, `arguments` match the function's `parameters`, whatever the model prefers."""
    inconclusive_unless(respond_strict.state != "incomplete", ENDLESS)
    inconclusive_unless(respond_strict.tool_calls, NO_CALL)
    assert_matches_schema(respond_strict.tool_calls[0].args, FLAGS["parameters"], ARGUMENTS)


@check("responses_tools", MUST, f"{CALL}.call_id")
def test_a_call_has_a_call_id(respond_cities: Response) -> None:
    """Each `function_call` has its own `call_id`, to which its result refers."""
    inconclusive_unless(respond_cities.tool_calls, NO_CALL)
    ids = [call.id for call in respond_cities.tool_calls]
    assert all(isinstance(one, str) and one for one in ids), f"expected strings, got {shown(ids)} (`call_id`)"
    assert_equal(len(set(ids)), len(ids), "number of different `call_id`s")


@check("responses_tools", MUST, "openapi:Response.status")
def test_a_response_with_a_call_is_completed(respond_weather: Response) -> None:
    """`status` is `completed` for a response with tool calls, and for each call."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    assert_equal(respond_weather.state, "completed", "`status` of the response")
    for item in respond_weather.items("function_call"):
        assert_equal(item.get("status", "completed"), "completed", "`status` of the `function_call`")


@check("responses_tools", SHOULD, "openapi:Response.tools")
def test_tools_are_repeated(respond_weather: Response) -> None:
    """`tools` of the response names the tools of the request."""
    named = [tool.get("name") for tool in respond_weather.body.get("tools") or []]
    assert_equal(named, ["get_weather"], "`tools[].name` of the response")


@check("responses_tools", SHOULD, "de-facto:chat and responses are the same model with the same template")
def test_calls_as_chat_does(weather: Chat, respond_weather: Response) -> None:
    """A question leads to the same tool call as in `/chat/completions`."""
    inconclusive_unless(weather.tool_calls and respond_weather.tool_calls, NO_CALL)
    assert_same_calls(respond_weather, weather)


@check("responses_tools", MUST, "openapi:Response.output")
def test_parallel_calls_are_items_of_their_own(respond_cities: Response) -> None:
    """Several tool calls are several `function_call` items, each with its own `arguments`."""
    inconclusive_unless(len(respond_cities.tool_calls) > 1, ONE_CALL)
    places = [call.args.get("location") for call in respond_cities.tool_calls]
    inconclusive_unless(None not in places, f"expected a `location` in each call, got {shown(places)} ({ARGUMENTS})")
    inconclusive_unless(
        len(set(places)) == len(places), f"expected different places, got {shown(places)} ({ARGUMENTS})"
    )


@check("responses_tools", MUST, "openapi:CreateResponse.parallel_tool_calls")
def test_parallel_calls_can_be_turned_off(respond_cities: Response, respond_cities_one: Response) -> None:
    """With `parallel_tool_calls: false`, `output` has at most one `function_call`."""
    inconclusive_unless(len(respond_cities.tool_calls) > 1, ONE_CALL)
    ignored_unless(
        len(respond_cities_one.tool_calls) <= 1,
        f"expected at most 1 tool call, got {len(respond_cities_one.tool_calls)} (`output`)",
    )


# The choice


@check("responses_tools", MUST, CHOICE)
def test_none_forbids_calls(respond_weather: Response, respond_weather_none: Response) -> None:
    """With `tool_choice: none`, no function is called, even if the question needs one."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    ignored_unless(not respond_weather_none.tool_calls, CALLED)


@check("responses_tools", SHOULD, CHOICE)
def test_none_gives_a_message(respond_weather: Response, respond_weather_none: Response) -> None:
    """With `tool_choice: none`, the output is a message, without a call in the model's own notation."""
    inconclusive_unless(respond_weather.tool_calls and not respond_weather_none.tool_calls, CALLED)
    assert respond_weather_none.text.strip(), EMPTY
    assert_none_of(call_markup_in(respond_weather_none.text), MARKUP)


@check("responses_tools", MUST, CHOICE, core=True)
def test_required_forces_a_call(respond_capital_required: Response) -> None:
    """With `tool_choice: required`, a function is called, even if none fits the question."""
    ignored_unless(respond_capital_required.tool_calls, NO_CALL)
    assert_matches_schema(respond_capital_required.tool_calls[0].args, WEATHER["parameters"], ARGUMENTS)


@check("responses_tools", MUST, "openapi:ToolChoiceFunction.name")
def test_a_named_function_is_called(respond_weather_named: Response) -> None:
    """The function that `tool_choice` names is called, even if another one fits the question."""
    called = {call.name for call in respond_weather_named.tool_calls}
    ignored_unless(
        called == {"get_stock_price"}, f"expected a call of `get_stock_price`, got {shown(sorted(called))} (`output`)"
    )


@check("responses_tools", SHOULD, "openapi:ToolChoiceAllowed")
def test_only_allowed_tools_are_called(respond_weather_allowed: Response) -> None:
    """With `tool_choice` of type `allowed_tools`, only an allowed function is called."""
    called = {call.name for call in respond_weather_allowed.tool_calls}
    ignored_unless(
        called == {"get_stock_price"}, f"expected a call of `get_stock_price`, got {shown(sorted(called))} (`output`)"
    )


# Results


@check("responses_tools", MUST, f"{RESULT}.output", core=True)
def test_a_result_reaches_the_model(respond_result_longer: Response, respond_result: Response) -> None:
    """A `function_call_output` reaches the model: ten extra words add at least ten `usage.input_tokens`."""
    more = respond_result_longer.tokens("input") - respond_result.tokens("input")
    ignored_unless(
        more >= len(TEN_WORDS.split()),
        f"expected at least 10 more tokens for 10 more words, got {more} more (`usage.input_tokens`)",
    )
    inconclusive_unless(not respond_result.tool_calls, CALLED)
    inconclusive_unless(
        "sunny" in respond_result.text, "expected 'sunny' in the text, got a response without it (`output_text`)"
    )


@check("responses_tools", SHOULD, "de-facto:chat and responses are the same model with the same template")
def test_a_result_is_answered_as_in_chat(weather_result: Chat, respond_result: Response) -> None:
    """A tool result leads to the same text as in `/chat/completions`."""
    inconclusive_unless(
        weather_result.finish_reason == "stop",
        "expected chat's response to end within `max_tokens`, got a truncated one",
    )
    assert_same_text(respond_result.text.strip(), weather_result.text.strip(), "`output_text`")


@check("responses_tools", MUST, "docs:guides/function-calling")
def test_the_own_call_can_be_sent_back(respond_weather: Response, respond_result_own_call: Response) -> None:
    """The server accepts its own `function_call`, unchanged, in `input`, together with its result."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    inconclusive_unless(not respond_result_own_call.tool_calls, CALLED)
    assert respond_result_own_call.text.strip(), EMPTY


@check("responses_tools", MUST, f"{RESULT}.output")
def test_a_result_may_have_parts(respond_result: Response, respond_result_part: Response) -> None:
    """`output` of a `function_call_output` may be an array of parts, with the same effect as a string."""
    assert_same_text(respond_result_part.text, respond_result.text, "`output_text`")


# Streams


@check("responses_tools", MUST, "openapi:ResponseFunctionCallArgumentsDeltaEvent")
def test_streamed_calls_are_the_same(
    respond_weather: Response,
    respond_weather_streamed: Response,
    respond_cities: Response,
    respond_cities_streamed: Response,
) -> None:
    """The concatenated deltas of streamed `arguments` equal those of the plain response."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    assert_same_calls(respond_weather_streamed, respond_weather)
    assert_same_calls(respond_cities_streamed, respond_cities)


@check("responses_tools", MUST, "openapi:ResponseFunctionCallArgumentsDoneEvent.arguments")
def test_streamed_arguments_end_whole(respond_cities_streamed: Response) -> None:
    """`response.function_call_arguments.done` and the finished item have the complete `arguments`."""
    inconclusive_unless(respond_cities_streamed.tool_calls, NO_CALL)
    joined = [call.arguments for call in respond_cities_streamed.tool_calls]
    ended = respond_cities_streamed.typed("response.function_call_arguments.done")
    told = [event.get("arguments") for event in ended]
    assert_equal(told, joined, "`arguments` of the `response.function_call_arguments.done` events")
    final = [item.get("arguments") for item in respond_cities_streamed.items("function_call")]
    assert_equal(final, joined, "`arguments` of the `function_call`s in the last event")


@check("responses_tools", MUST, "openapi:ResponseOutputItemAddedEvent.item")
def test_streamed_calls_are_named_first(respond_cities_streamed: Response) -> None:
    """`response.output_item.added` has the `name` and `call_id` of the finished `function_call`."""
    inconclusive_unless(respond_cities_streamed.tool_calls, NO_CALL)
    begun = [(call.name, call.id) for call in respond_cities_streamed.tool_calls]
    items = respond_cities_streamed.items("function_call")
    final = [(item.get("name"), item.get("call_id")) for item in items]
    assert_equal(begun, final, "`name` and `call_id` of the `response.output_item.added` events")
