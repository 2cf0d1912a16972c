"""`parallel_tool_calls`: several tool calls in one response, or at most one."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_equal,
    assert_same_calls,
    check,
    ignored_unless,
    inconclusive_unless,
    shown,
)

SOURCE = "openapi:ParallelToolCalls"
ONE_CALL = "expected the model to call several tools, got at most one call (`tool_calls`)"
ENDLESS = "expected the model's calls to end, got a truncated response"
IDS = "different `tool_calls[].id`"


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling", core=True)
def test_an_answer_has_several_calls(cities: Chat) -> None:
    """`tool_calls` may have several elements, and each has an `id` of its own."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    inconclusive_unless(
        {name for name, _ in cities.calls} == {"get_weather"}, "expected calls of `get_weather`, got another function"
    )
    assert_equal(len({call.id for call in cities.tool_calls}), len(cities.tool_calls), IDS)


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling")
def test_each_call_has_its_own_arguments(cities: Chat) -> None:
    """Each element of `tool_calls` has its own `arguments`, and none of another call's."""
    inconclusive_unless(len(cities.tool_calls) == 2, ONE_CALL)
    inconclusive_unless(
        "Tokyo" in str(cities.calls) and "Paris" in str(cities.calls),
        "expected the model to ask for Tokyo and Paris, got other places (`tool_calls[].function.arguments`)",
    )
    asked = [str(arguments) for _, arguments in cities.calls]
    places = sorted(("Tokyo" in text, "Paris" in text) for text in asked)
    assert places == [(False, True), (True, False)], (
        f"expected one call for Tokyo and one for Paris, got {shown(asked)} (`tool_calls[].function.arguments`)"
    )


@check("parallel_tools", MUST, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_several_calls_finish_as_one_does(cities: Chat, cities_streamed: Chat) -> None:
    """`finish_reason` is `tool_calls` for a response with several tool calls, plain and streamed."""
    inconclusive_unless(len(cities.tool_calls) > 1 and len(cities_streamed.tool_calls) > 1, ONE_CALL)
    inconclusive_unless(not cities.truncated and not cities_streamed.truncated, ENDLESS)
    assert_equal(cities.finish_reason, "tool_calls", "`choices[0].finish_reason`")
    assert_equal(cities_streamed.finish_reason, "tool_calls", "`choices[0].finish_reason` of the stream")


@check("parallel_tools", MUST, "openapi:ChatCompletionMessageToolCallChunk.index")
def test_streamed_calls_have_an_index_each(cities: Chat, cities_streamed: Chat) -> None:
    """Each tool call of a stream has its own `index`, which counts from 0."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    assert_same_calls(cities_streamed, cities)
    assert_equal(list(cities_streamed.call_deltas()), list(range(len(cities.tool_calls))), "`delta.tool_calls[].index`")


@check("parallel_tools", MUST, "openapi:ChatCompletionMessageToolCallChunk.id")
def test_streamed_calls_have_an_id_each(cities_streamed: Chat) -> None:
    """Each tool call of a stream has its own `id`."""
    inconclusive_unless(len(cities_streamed.tool_calls) > 1, ONE_CALL)
    ids = {call.id for call in cities_streamed.tool_calls}
    assert_equal(len(ids), len(cities_streamed.tool_calls), IDS)
    assert all(ids), "expected an id in each tool call, got an empty one or none (`delta.tool_calls[].id`)"


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling", core=True)
def test_false_allows_one_call(cities: Chat, cities_one: Chat) -> None:
    """With `parallel_tool_calls: false`, `tool_calls` has at most one element."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    ignored_unless(
        len(cities_one.tool_calls) <= 1,
        f"expected at most 1 tool call, got {len(cities_one.tool_calls)} (`tool_calls`)",
    )
    for call in cities_one.tool_calls:
        assert isinstance(call.args, dict), "expected a JSON object (`tool_calls[].function.arguments`)"


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling")
def test_false_allows_one_streamed_call(cities: Chat, cities_one_streamed: Chat) -> None:
    """With `parallel_tool_calls: false`, a stream has at most one tool call."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    ignored_unless(
        len(cities_one_streamed.tool_calls) <= 1,
        f"expected at most 1 tool call, got {len(cities_one_streamed.tool_calls)} (`tool_calls`)",
    )


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling")
def test_false_and_required_give_one_call(cities: Chat, cities_required_one: Chat) -> None:
    """With `parallel_tool_calls: false` and `tool_choice: required` there is exactly one tool call."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    ignored_unless(
        len(cities_required_one.tool_calls) == 1,
        f"expected exactly 1 tool call, got {len(cities_required_one.tool_calls)} (`tool_calls`)",
    )


@check("parallel_tools", SHOULD, SOURCE)
def test_true_is_the_default(cities: Chat, cities_parallel: Chat) -> None:
    """`parallel_tool_calls: true` gives the same tool calls as leaving it out."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    assert_same_calls(cities_parallel, cities)
