"""Reasoning together with tools, formats, limits and streams: it stays apart, and changes nothing else."""

from conformance.kit import (
    MAY,
    SHOULD,
    Chat,
    Response,
    assert_at_least,
    assert_at_most,
    assert_contains,
    assert_equal,
    assert_in,
    assert_matches_schema,
    assert_none_of,
    assert_same_calls,
    assert_same_text,
    assert_unmarked,
    check,
    entries,
    ignored_unless,
    inconclusive_unless,
    markup_in,
    shown,
    spelled,
    whole,
)
from fixtures import schemas

FIELD = "de-facto:reasoning_content or reasoning, in llama.cpp, Ollama, vLLM, SGLang and DeepSeek's API"
EFFORT = "openapi:ReasoningEffort"
OF_LOGPROBS = "`token` of all entries of `choices[0].logprobs.content`, joined"
NO_REASONING = "the model did not reason"
NO_CALL = "the model called no tool"
ENDLESS = "the model did not end within max_tokens"
BEGINNING = 20
"""Characters by which the beginning of a response's reasoning is known again."""

ENDS = ("stop", "length", "tool_calls", "content_filter")


def stays_apart(answer: Chat) -> None:
    """No reasoning and no marks in the text, and no calls in the reasoning."""
    assert_unmarked(answer, f"markers of the model's own notation in `content` of {answer.name}")
    inconclusive_unless(answer.reasoning, NO_REASONING)
    assert_none_of(
        markup_in(answer.reasoning), f"markers of the model's own notation in the reasoning of {answer.name}"
    )
    assert answer.reasoning.strip() not in answer.text, (
        f"expected `content` without reasoning, got the reasoning again (`content` of {answer.name})"
    )


def called(answer: Chat) -> None:
    """The response must have a call, whose arguments are an object."""
    inconclusive_unless(answer.finish_reason != "length", ENDLESS)
    inconclusive_unless(answer.tool_calls, NO_CALL)
    assert all(isinstance(call.args, dict) for call in answer.tool_calls), (
        f"expected JSON objects, got {shown(answer.calls)} (`arguments`)"
    )
    assert_equal(answer.finish_reason, "tool_calls", f"`finish_reason` of {answer.name}")


# Tools


@check("reasoning", SHOULD, FIELD)
def test_a_call_comes_after_reasoning(think_weather: Chat) -> None:
    """A tool call after reasoning is in `tool_calls`, and the reasoning is in its own field."""
    stays_apart(think_weather)
    called(think_weather)


@check("reasoning", SHOULD, FIELD)
def test_a_streamed_call_comes_after_reasoning(think_weather: Chat, think_weather_streamed: Chat) -> None:
    """A stream has the same reasoning, and the same tool call after it, as the plain response."""
    stays_apart(think_weather_streamed)
    inconclusive_unless(think_weather.tool_calls, NO_CALL)
    assert_same_calls(think_weather_streamed, think_weather)
    called(think_weather_streamed)
    assert_same_text(think_weather_streamed.reasoning.strip(), think_weather.reasoning.strip())


@check("reasoning", SHOULD, "openapi:ChatCompletionToolChoiceOption")
def test_required_forces_a_call_after_reasoning(think: Chat, think_required: Chat) -> None:
    """`tool_choice: required` forces a call even if the model reasons first."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(think_required.finish_reason != "length", ENDLESS)
    ignored_unless(think_required.tool_calls, "`tool_choice: required` gave no call (`tool_calls`)")
    called(think_required)
    assert_unmarked(think_required, "markers of the model's own notation in `content`")


@check("reasoning", SHOULD, "openapi:ChatCompletionToolChoiceOption")
def test_required_forces_a_streamed_call_after_reasoning(think: Chat, think_required_streamed: Chat) -> None:
    """In a stream, `tool_choice: required` forces a call even if the model reasons first."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(think_required_streamed.finish_reason != "length", ENDLESS)
    ignored_unless(think_required_streamed.tool_calls, "`tool_choice: required` gave no call (`tool_calls`)")
    called(think_required_streamed)
    assert_unmarked(think_required_streamed, "markers of the model's own notation in `content`")


@check("reasoning", SHOULD, EFFORT)
def test_tools_are_called_without_reasoning(weather: Chat, think_none_weather: Chat) -> None:
    """With `reasoning_effort: none`, tool calls are in `tool_calls`, and text is in `content`."""
    inconclusive_unless(weather.tool_calls, NO_CALL)
    assert_unmarked(think_none_weather, "markers of the model's own notation in `content`")
    if not think_none_weather.tool_calls:
        assert think_none_weather.text.strip(), "expected text or a tool call, got neither (`content`, `tool_calls`)"


@check("reasoning", SHOULD, EFFORT)
def test_tools_are_called_without_reasoning_in_streams(
    think_none_weather: Chat, think_none_weather_streamed: Chat
) -> None:
    """With `reasoning_effort: none`, a stream has the same tool call as the plain response."""
    inconclusive_unless(think_none_weather.tool_calls, NO_CALL)
    assert_same_calls(think_none_weather_streamed, think_none_weather)
    assert_unmarked(think_none_weather_streamed, "markers of the model's own notation in `content`")


@check("reasoning", SHOULD, FIELD)
def test_several_tools_are_called_without_reasoning(think_none_cities: Chat, think_none_cities_streamed: Chat) -> None:
    """With `reasoning_effort: none`, several tool calls are in `tool_calls`, plain and streamed."""
    for answer in (think_none_cities, think_none_cities_streamed):
        assert_unmarked(answer, "markers of the model's own notation in `content`")
    inconclusive_unless(len(think_none_cities.tool_calls) > 1, "the model did not make several calls")
    assert_same_calls(think_none_cities_streamed, think_none_cities)


@check("reasoning", SHOULD, FIELD)
def test_an_answer_follows_a_tool_result(think: Chat, think_result: Chat, think_result_streamed: Chat) -> None:
    """After a tool result, the answer is in `content`, and reasoning is in its own field, plain and streamed."""
    inconclusive_unless(think.text.strip(), "the model gives no answer after its reasoning")
    for answer in (think_result, think_result_streamed):
        assert_unmarked(answer, f"markers of the model's own notation in `content` of {answer.name}")
        inconclusive_unless(answer.finish_reason != "length", ENDLESS)
        assert answer.text.strip() or answer.tool_calls, (
            f"expected a string with text, got an empty one (`content` of {answer.name})"
        )
        inconclusive_unless(answer.reasoning, NO_REASONING)
        assert answer.reasoning.strip() not in answer.text, (
            f"expected `content` without reasoning, got the reasoning again (`content` of {answer.name})"
        )


# Formats


@check("json_schema", SHOULD, "openapi:CreateChatCompletionRequest.response_format")
def test_the_document_comes_after_reasoning(think: Chat, think_person: Chat) -> None:
    """With `json_schema`, `content` is only the document, and reasoning is in its own field."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(think_person.finish_reason != "length", ENDLESS)
    assert_matches_schema(think_person.document, schemas.PERSON)


@check("json_schema", SHOULD, "openapi:CreateChatCompletionRequest.response_format")
def test_the_streamed_document_comes_after_reasoning(think: Chat, think_person_streamed: Chat) -> None:
    """In a stream with `json_schema`, `content` is only the document, and reasoning is in its own field."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(think_person_streamed.finish_reason != "length", ENDLESS)
    assert_matches_schema(think_person_streamed.document, schemas.PERSON)


@check("reasoning", SHOULD, FIELD)
def test_a_schema_leaves_reasoning_on(think: Chat, think_person: Chat) -> None:
    """`json_schema` does not turn reasoning off: a model that reasons without it also reasons with it."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(think_person.finish_reason != "length", ENDLESS)
    ignored_unless(think_person.reasoning, "with `response_format`, the model no longer reasons")
    assert_none_of(markup_in(think_person.reasoning), "markers of the model's own notation in the reasoning")


@check("json_mode", SHOULD, "openapi:ResponseFormatJsonObject")
def test_json_mode_comes_after_reasoning(think: Chat, think_object: Chat, think_object_streamed: Chat) -> None:
    """With `json_object`, `content` is only a JSON object, and reasoning is in its own field, plain and streamed."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(think_object.finish_reason != "length", ENDLESS)
    for answer in (think_object, think_object_streamed):
        assert isinstance(answer.document, dict), (
            f"expected a JSON object, got {shown(answer.text, 80)} (`content` of {answer.name})"
        )


@check("json_schema", SHOULD, EFFORT)
def test_the_document_comes_without_reasoning(think_none_person: Chat, think_none_person_streamed: Chat) -> None:
    """With `reasoning_effort: none` and `json_schema`, `content` is the document, plain and streamed."""
    for answer in (think_none_person, think_none_person_streamed):
        inconclusive_unless(answer.finish_reason != "length", ENDLESS)
        assert_matches_schema(answer.document, schemas.PERSON)


# Sampling and limits


@check("reasoning", MAY, "openapi:StopConfiguration")
def test_stop_is_not_for_reasoning(think: Chat, think_stop: Chat) -> None:
    """`stop` applies to `content`: a stop string in the reasoning does not end the response."""
    inconclusive_unless(think.reasoning and think.text.strip(), NO_REASONING)
    inconclusive_unless(think_stop.sent["stop"] != ["###"], "the reasoning has no word that the text lacks")
    assert think_stop.text.strip(), (
        "expected text after the reasoning, got none: `stop` ended the response inside its reasoning (`content`)"
    )
    assert_same_text(think_stop.text.strip(), think.text.strip())


@check("reasoning", SHOULD, "openapi:CreateChatCompletionRequest.n")
def test_each_choice_has_its_own_reasoning(think: Chat, think_twice: Chat, think_twice_streamed: Chat) -> None:
    """With `n: 2`, plain or streamed, the reasoning of each choice is in its own field, and not in `content`."""
    inconclusive_unless(think.reasoning and think.text.strip(), NO_REASONING)
    begins = think.reasoning.strip()[:BEGINNING]
    for answer in (think_twice, think_twice_streamed):
        inconclusive_unless(len(answer.choices) > 1, "expected 2 choices, got 1 (`choices`)")
        for choice in answer.choices:
            where = f"`choices[{choice.index}]` of {answer.name}"
            assert_unmarked(choice, f"markers of the model's own notation in `content` of {where}")
            assert not choice.text.strip().startswith(begins), (
                f"expected `content` without reasoning, got the reasoning at its beginning ({where})"
            )
            inconclusive_unless(choice.reasoning and choice.finish_reason != "length", NO_REASONING)
            assert choice.reasoning.strip() not in choice.text, (
                f"expected `content` without reasoning, got the reasoning again ({where})"
            )
            assert choice.text.strip(), f"expected a string with text, got an empty one (`content` of {where})"


@check("logprobs", SHOULD, "openapi:CreateChatCompletionResponse.choices.logprobs.content")
def test_logprobs_are_of_the_content(think_logprobs: Chat) -> None:
    """`logprobs.content` has the tokens of `content`, and none of the reasoning."""
    inconclusive_unless(think_logprobs.reasoning and think_logprobs.text, NO_REASONING)
    found = spelled(entries(think_logprobs), think_logprobs.text)
    assert_same_text(found.strip(), whole(think_logprobs.text).strip(), OF_LOGPROBS)


@check("logprobs", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.logprobs.content")
def test_streamed_logprobs_are_of_the_content(think_logprobs_streamed: Chat) -> None:
    """In a stream, `logprobs.content` has the tokens of `content`, and none of the reasoning."""
    inconclusive_unless(think_logprobs_streamed.reasoning and think_logprobs_streamed.text, NO_REASONING)
    found = spelled(entries(think_logprobs_streamed), think_logprobs_streamed.text)
    assert_same_text(found.strip(), whole(think_logprobs_streamed.text).strip(), OF_LOGPROBS)


@check("usage", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_streamed_reasoning_is_counted(think: Chat, think_with_usage: Chat) -> None:
    """`usage` of a stream counts reasoning tokens as `usage` of the plain response does."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(think_with_usage.said == think.said, "the stream has another text than the plain response")
    for kind in ("prompt", "completion"):
        assert_equal(think_with_usage.tokens(kind), think.tokens(kind), f"`usage.{kind}_tokens` of the stream")
    details = [(answer.usage.get("completion_tokens_details") or {}) for answer in (think_with_usage, think)]
    streamed, plain = (detail.get("reasoning_tokens") for detail in details)
    assert_equal(streamed, plain, "`usage.completion_tokens_details.reasoning_tokens` of the stream")


@check("reasoning", SHOULD, FIELD)
def test_truncated_reasoning_stays_apart_in_streams(think: Chat, think_cut_in_a_stream: Chat) -> None:
    """Reasoning that `max_tokens` truncates is not in `content` of a stream, and `finish_reason` is `length`."""
    inconclusive_unless(think.reasoning and think.tokens("completion") > 8, NO_REASONING)
    assert_equal(think_cut_in_a_stream.text.strip(), "", "`content` of the deltas")
    assert_equal(think_cut_in_a_stream.finish_reason, "length", "`finish_reason`")


@check("reasoning", SHOULD, "openapi:ChatCompletionResponseMessage.content")
def test_content_is_there_without_text(think: Chat, think_cut: Chat) -> None:
    """A message that has only reasoning still has the field `content`: null or an empty string."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    assert_contains(think_cut.choice.raw["message"], "content", "`choices[0].message`")


@check("reasoning", SHOULD, EFFORT)
def test_every_effort_is_accepted_or_rejected(efforts: list[Chat]) -> None:
    """Each `reasoning_effort` of OpenAI's API is accepted or cleanly rejected, and `content` has no markup."""
    for answer in efforts:
        effort = answer.sent["reasoning_effort"]
        if not answer.cleanly_refused:
            assert_in(answer.finish_reason, ENDS, f"`finish_reason` with `reasoning_effort: {effort}`")
            assert_unmarked(answer, f"markers of the model's own notation in `content` with `{effort}`")


# Streams


@check("reasoning", SHOULD, FIELD)
def test_streamed_reasoning_leaves_no_marks(think_streamed: Chat) -> None:
    """No `delta.content` has the model's own markup or its reasoning."""
    stays_apart(think_streamed)


@check("reasoning", SHOULD, FIELD)
def test_reasoning_comes_in_several_deltas(think_streamed: Chat) -> None:
    """Reasoning is streamed in several deltas as it is generated, not in one delta."""
    inconclusive_unless(len(think_streamed.reasoning) > 40, NO_REASONING)
    deltas = think_streamed.deltas(think_streamed.choice.index)
    pieces = [delta for delta in deltas if delta.get("reasoning_content") or delta.get("reasoning")]
    assert_at_least(len(pieces), 2, "deltas with reasoning")


# The Responses API


@check("responses_tools", SHOULD, "openapi:Response.output")
def test_a_response_calls_after_reasoning(response_think_weather: Response) -> None:
    """A `function_call` after reasoning is its own `output` item, and the text has no markers of the notation."""
    assert_unmarked(response_think_weather, "markers of the model's own notation in the output text")
    inconclusive_unless(response_think_weather.tool_calls, NO_CALL)
    kinds = [item.get("type") for item in response_think_weather.output]
    assert_contains(kinds, "function_call", "`type` of the output items")
    inconclusive_unless("reasoning" in kinds, NO_REASONING)
    assert_at_most(kinds.index("reasoning"), kinds.index("function_call"), "index of the reasoning item in `output`")


@check("responses_tools", SHOULD, "openapi:Response.output")
def test_a_streamed_response_calls_after_reasoning(
    response_think_weather: Response, response_think_weather_streamed: Response
) -> None:
    """A `/responses` stream has the same `function_call` after reasoning as the plain response."""
    inconclusive_unless(response_think_weather.tool_calls, NO_CALL)
    assert_same_calls(response_think_weather_streamed, response_think_weather)
    assert_unmarked(response_think_weather_streamed, "markers of the model's own notation in the output text")


@check("responses_format", SHOULD, "openapi:ResponseTextParam.format")
def test_a_response_document_comes_after_reasoning(
    think: Chat, respond_no_json: Response, respond_person: Response, response_think_person: Response
) -> None:
    """With `text.format`, the output text is only the document, and reasoning is its own item."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(respond_person.text != respond_no_json.text, "`text.format` has no effect by itself")
    inconclusive_unless(not response_think_person.truncated, ENDLESS)
    assert_matches_schema(response_think_person.document, schemas.PERSON)
    inconclusive_unless(response_think_person.items("reasoning"), NO_REASONING)
