"""`parallel_tool_calls`: several calls in one answer, or at most one."""

from conformance.kit import MUST, SHOULD, Chat, assert_same_calls, check, ignored_unless, inconclusive_unless

SOURCE = "openapi:ParallelToolCalls"
ONE_CALL = "the model did not call twice by itself"


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling", core=True)
def test_an_answer_has_several_calls(cities: Chat) -> None:
    """One answer can have several calls, with ids of their own."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    inconclusive_unless({name for name, _ in cities.calls} == {"get_weather"}, "the model called another function")
    assert len({call.id for call in cities.tool_calls}) == len(cities.tool_calls)


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling")
def test_each_call_has_its_own_arguments(cities: Chat) -> None:
    """Each call has its own arguments, and none of another's."""
    inconclusive_unless(len(cities.tool_calls) == 2, ONE_CALL)
    inconclusive_unless(
        "Tokyo" in str(cities.calls) and "Paris" in str(cities.calls), "the model asked for other places"
    )
    asked = [str(arguments) for _, arguments in cities.calls]
    assert sorted(("Tokyo" in text, "Paris" in text) for text in asked) == [(False, True), (True, False)]


@check("parallel_tools", MUST, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_several_calls_finish_as_one_does(cities: Chat, cities_streamed: Chat) -> None:
    """An answer with several calls has finish_reason `tool_calls`, in a stream as well."""
    inconclusive_unless(len(cities.tool_calls) > 1 and len(cities_streamed.tool_calls) > 1, ONE_CALL)
    assert (cities.finish_reason, cities_streamed.finish_reason) == ("tool_calls", "tool_calls")


@check("parallel_tools", MUST, "openapi:ChatCompletionMessageToolCallChunk.index")
def test_streamed_calls_have_an_index_each(cities: Chat, cities_streamed: Chat) -> None:
    """The pieces of several streamed calls are told apart by their index, which counts from 0."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    assert_same_calls(cities_streamed, cities)
    assert list(cities_streamed.call_pieces()) == list(range(len(cities.tool_calls)))


@check("parallel_tools", MUST, "openapi:ChatCompletionMessageToolCallChunk.id")
def test_streamed_calls_have_an_id_each(cities_streamed: Chat) -> None:
    """Several streamed calls have ids of their own."""
    inconclusive_unless(len(cities_streamed.tool_calls) > 1, ONE_CALL)
    ids = {call.id for call in cities_streamed.tool_calls}
    assert len(ids) == len(cities_streamed.tool_calls)
    assert all(ids)


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling", core=True)
def test_false_allows_one_call(cities: Chat, cities_one: Chat) -> None:
    """With `parallel_tool_calls: false` an answer has at most one call."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    ignored_unless(len(cities_one.tool_calls) <= 1, f"the answer has {len(cities_one.tool_calls)} calls")
    for call in cities_one.tool_calls:
        assert isinstance(call.args, dict)


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling")
def test_false_allows_one_streamed_call(cities: Chat, cities_one_streamed: Chat) -> None:
    """With `parallel_tool_calls: false` a stream has at most one call."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    ignored_unless(
        len(cities_one_streamed.tool_calls) <= 1, f"the stream has {len(cities_one_streamed.tool_calls)} calls"
    )


@check("parallel_tools", MUST, "docs:guides/function-calling#parallel-function-calling")
def test_false_and_required_give_one_call(cities: Chat, cities_required_one: Chat) -> None:
    """With `parallel_tool_calls: false` and `tool_choice: required` an answer has precisely one call."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    ignored_unless(
        len(cities_required_one.tool_calls) == 1, f"the answer has {len(cities_required_one.tool_calls)} calls"
    )


@check("parallel_tools", SHOULD, SOURCE)
def test_true_is_the_default(cities: Chat, cities_parallel: Chat) -> None:
    """`parallel_tool_calls: true` is the same as nothing."""
    inconclusive_unless(len(cities.tool_calls) > 1, ONE_CALL)
    assert_same_calls(cities_parallel, cities)
