"""Tools in the Responses API: calls are output items, and their results input items."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Response,
    assert_same_calls,
    assert_same_text,
    check,
    ignored_unless,
    inconclusive_unless,
    markup_in,
    validate_against,
)
from fixtures.scenarios.chat import TEN_WORDS
from fixtures.scenarios.responses import FLAGS, WEATHER

CALL = "openapi:FunctionToolCall"
CHOICE = "openapi:CreateResponse.tool_choice"
RESULT = "openapi:FunctionCallOutputItemParam"
NO_CALL = "the model called no tool"


@check("responses_tools", MUST, "openapi:CreateResponse.tools", core=True)
def test_the_model_calls_a_function(respond_weather: Response) -> None:
    """A call is an item with the function's name and arguments that fit its parameters."""
    assert markup_in(respond_weather.text) == []
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    call = respond_weather.tool_calls[0]
    inconclusive_unless(call.name == "get_weather", "the model called another function", actual=call.name)
    assert isinstance(call.args, dict)
    inconclusive_unless(
        not validate_against(call.args, WEATHER["parameters"]), "the model's arguments do not fit", actual=call.args
    )
    inconclusive_unless("Tokyo" in call.args["location"], "the model asked for another place", actual=call.args)


@check("responses_tools", MUST, "openapi:FunctionTool.description")
def test_descriptions_reach_the_model(respond_weather: Response, respond_weather_described: Response) -> None:
    """The description of a function is part of the input."""
    counts = respond_weather.tokens("input"), respond_weather_described.tokens("input")
    ignored_unless(counts[1] > counts[0], "the input has no more tokens than without a description")


@check("responses_tools", MUST, "openapi:FunctionTool.strict")
def test_strict_arguments_fit(respond_strict: Response) -> None:
    """With `strict` the arguments fit the parameters, whatever the model says."""
    inconclusive_unless(respond_strict.state != "incomplete", "the model did not end within max_output_tokens")
    inconclusive_unless(respond_strict.tool_calls, NO_CALL)
    assert validate_against(respond_strict.tool_calls[0].args, FLAGS["parameters"]) == []


@check("responses_tools", MUST, f"{CALL}.call_id")
def test_a_call_has_a_call_id(respond_cities: Response) -> None:
    """Each call has a `call_id` of its own, to which its result refers."""
    inconclusive_unless(respond_cities.tool_calls, NO_CALL)
    ids = [call.id for call in respond_cities.tool_calls]
    assert all(isinstance(one, str) and one for one in ids), ids
    assert len(set(ids)) == len(ids)


@check("responses_tools", MUST, "openapi:Response.status")
def test_a_response_with_a_call_is_completed(respond_weather: Response) -> None:
    """A response that ends with calls has the status `completed`, as have the calls."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    assert respond_weather.state == "completed"
    assert {item.get("status", "completed") for item in respond_weather.items("function_call")} == {"completed"}


@check("responses_tools", SHOULD, "openapi:Response.tools")
def test_tools_are_repeated(respond_weather: Response) -> None:
    """The response says which tools were offered."""
    assert [tool.get("name") for tool in respond_weather.body.get("tools") or []] == ["get_weather"]


@check("responses_tools", SHOULD, "de-facto:chat and responses are the same model with the same template")
def test_calls_as_chat_does(weather: Chat, respond_weather: Response) -> None:
    """A question leads to the same call as in chat."""
    inconclusive_unless(weather.tool_calls and respond_weather.tool_calls, NO_CALL)
    assert_same_calls(respond_weather, weather)


@check("responses_tools", MUST, "openapi:Response.output")
def test_parallel_calls_are_items_of_their_own(respond_cities: Response) -> None:
    """Several calls in one response are several items, each with arguments of its own."""
    inconclusive_unless(len(respond_cities.tool_calls) > 1, "the model called one tool at most")
    places = [args.get("location") for _, args in respond_cities.calls]
    inconclusive_unless(None not in places, "the model's arguments do not fit the schema, which is not strict")
    inconclusive_unless(len(set(places)) == len(places), "the model asked for the same place twice")


@check("responses_tools", MUST, "openapi:CreateResponse.parallel_tool_calls")
def test_parallel_calls_can_be_turned_off(respond_cities: Response, respond_cities_one: Response) -> None:
    """With parallel_tool_calls false there is one call at most."""
    inconclusive_unless(len(respond_cities.tool_calls) > 1, "the model called one tool at most")
    ignored_unless(len(respond_cities_one.tool_calls) <= 1, "there are several calls")


# The choice


@check("responses_tools", MUST, CHOICE)
def test_none_forbids_calls(respond_weather: Response, respond_weather_none: Response) -> None:
    """With tool_choice `none` no function is called, even if the question needs one."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    ignored_unless(not respond_weather_none.tool_calls, "a function was called")


@check("responses_tools", SHOULD, CHOICE)
def test_none_gives_a_message(respond_weather: Response, respond_weather_none: Response) -> None:
    """With tool_choice `none` the answer is a text, and no call in the model's own notation."""
    inconclusive_unless(respond_weather.tool_calls and not respond_weather_none.tool_calls, "a function was called")
    assert respond_weather_none.text.strip() != ""
    assert markup_in(respond_weather_none.text) == []


@check("responses_tools", MUST, CHOICE, core=True)
def test_required_forces_a_call(respond_capital_required: Response) -> None:
    """With tool_choice `required` there is a call, although none fits."""
    ignored_unless(respond_capital_required.tool_calls, "there is no call")
    assert validate_against(respond_capital_required.tool_calls[0].args, WEATHER["parameters"]) == []


@check("responses_tools", MUST, "openapi:ToolChoiceFunction.name")
def test_a_named_function_is_called(respond_weather_named: Response) -> None:
    """The function that tool_choice names is called, although another fits."""
    called = {call.name for call in respond_weather_named.tool_calls}
    ignored_unless(called == {"get_stock_price"}, "another function was called, or none", actual=sorted(called))


@check("responses_tools", SHOULD, "openapi:ToolChoiceAllowed")
def test_only_allowed_tools_are_called(respond_weather_allowed: Response) -> None:
    """Of all tools only one of those that are allowed is called."""
    called = {call.name for call in respond_weather_allowed.tool_calls}
    ignored_unless(called == {"get_stock_price"}, "another function was called, or none", actual=sorted(called))


# Results


@check("responses_tools", MUST, f"{RESULT}.output", core=True)
def test_a_result_reaches_the_model(respond_result_longer: Response, respond_result: Response) -> None:
    """A call and its result are input items that the model reads: ten words more are ten tokens or more."""
    more = respond_result_longer.tokens("input") - respond_result.tokens("input")
    ignored_unless(more >= len(TEN_WORDS.split()), "a longer result adds no tokens")
    inconclusive_unless(not respond_result.tool_calls, "the model called again")
    inconclusive_unless("sunny" in respond_result.text, "the model did not use the result")


@check("responses_tools", SHOULD, "de-facto:chat and responses are the same model with the same template")
def test_a_result_is_answered_as_in_chat(weather_result: Chat, respond_result: Response) -> None:
    """The answer from a result is the same as in chat."""
    inconclusive_unless(weather_result.finish_reason == "stop", "chat's answer did not end within max_tokens")
    assert_same_text(respond_result.text.strip(), weather_result.text.strip())


@check("responses_tools", MUST, "docs:guides/function-calling")
def test_the_own_call_can_be_sent_back(respond_weather: Response, respond_result_own_call: Response) -> None:
    """The server's own items can be sent back as they came, with the results of its calls."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    inconclusive_unless(not respond_result_own_call.tool_calls, "the model called again")
    assert respond_result_own_call.text.strip() != ""


@check("responses_tools", MUST, f"{RESULT}.output")
def test_a_result_may_have_parts(respond_result: Response, respond_result_part: Response) -> None:
    """A result may be a list of parts, and is the same as their text."""
    assert_same_text(respond_result_part.text, respond_result.text)


# Streams


@check("responses_tools", MUST, "openapi:ResponseFunctionCallArgumentsDeltaEvent")
def test_streamed_calls_are_the_same(
    respond_weather: Response,
    respond_weather_streamed: Response,
    respond_cities: Response,
    respond_cities_streamed: Response,
) -> None:
    """The pieces of streamed arguments join to those of the plain answer."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    assert_same_calls(respond_weather_streamed, respond_weather)
    assert_same_calls(respond_cities_streamed, respond_cities)


@check("responses_tools", MUST, "openapi:ResponseFunctionCallArgumentsDoneEvent.arguments")
def test_streamed_arguments_end_whole(respond_cities_streamed: Response) -> None:
    """The event that ends the arguments of a call has all of them, and so has the item."""
    inconclusive_unless(respond_cities_streamed.tool_calls, NO_CALL)
    joined = [call.arguments for call in respond_cities_streamed.tool_calls]
    ended = respond_cities_streamed.typed("response.function_call_arguments.done")
    assert [event.get("arguments") for event in ended] == joined
    assert [item.get("arguments") for item in respond_cities_streamed.items("function_call")] == joined


@check("responses_tools", MUST, "openapi:ResponseOutputItemAddedEvent.item")
def test_streamed_calls_are_named_first(respond_cities_streamed: Response) -> None:
    """The event that adds a call has its name and its `call_id`, which are those of the finished item."""
    inconclusive_unless(respond_cities_streamed.tool_calls, NO_CALL)
    begun = [(call.name, call.id) for call in respond_cities_streamed.tool_calls]
    items = respond_cities_streamed.items("function_call")
    assert [(item.get("name"), item.get("call_id")) for item in items] == begun
