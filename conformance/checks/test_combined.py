"""Combined: what holds for a feature alone must hold beside other features, for each choice, and in a stream."""

import math
from collections.abc import Callable, Iterator
from typing import Any

from conformance.kit import (
    SHOULD,
    Answer,
    Chat,
    Choice,
    Completion,
    Embeddings,
    Every,
    Generated,
    Response,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_less,
    assert_matches_schema,
    assert_more,
    assert_none_of,
    assert_same_calls,
    assert_same_text,
    assert_streams_rejected,
    assert_unmarked,
    check,
    inconclusive_unless,
    lenient,
    shown,
)
from fixtures import schemas
from fixtures.scenarios.combined import MARKS
from fixtures.tools import choose

CALLS = "openapi:ChatCompletionMessageToolCalls"
CHOICE = "openapi:ChatCompletionToolChoiceOption"
FIELD = "de-facto:reasoning_content or reasoning, in llama.cpp, Ollama, vLLM, SGLang and DeepSeek's API"
BEGINNING = 20
"""Characters by which the beginning of a response's reasoning is known again."""

ENDLESS = "the model did not end within max_tokens"
NO_CALL = "the model called no tool"


def told(answer: Chat) -> str:
    """What tells a request of `tools_crossed` from the others."""
    names = ("tool_choice", "stream", "n", "logprobs")
    return ", ".join(f"{name}: {shown(answer.sent[name])}" for name in names if name in answer.sent) or "nothing"


def crossed(answers: list[Chat], *choices: Any) -> Iterator[tuple[Chat, Choice]]:
    """The accepted responses to requests with one of these values of `tool_choice`, choice by choice.

    A parameter with which each request is rejected is not shown beside tools: then the check is `lenient`.
    """
    asked = [answer for answer in answers if answer.sent.get("tool_choice") in choices]
    for name in ("n", "logprobs", "stream"):
        beside = [answer for answer in asked if answer.sent.get(name)]
        if beside and all(answer.cleanly_refused for answer in beside):
            lenient(f"each request with `{name}` was rejected, so only the other parameters were judged")
    for answer in asked:
        if not answer.cleanly_refused:
            inconclusive_unless(
                len(answer.choices) == answer.sent.get("n", 1), f"`n` has no effect with {told(answer)}"
            )
            for choice in answer.choices:
                inconclusive_unless(choice.finish_reason != "length", ENDLESS)
                yield answer, choice


def names(choice: Choice) -> str:
    """The functions that a choice calls, as a string."""
    return shown([call.name for call in choice.tool_calls])


# Tools with stream, n and logprobs


@check("tools", SHOULD, CALLS)
def test_calls_are_the_same_beside_other_parameters(cities: Chat, tools_crossed: list[Chat]) -> None:
    """Each choice has the same `tool_calls` with any combination of `n`, `logprobs` and `stream` as without them."""
    inconclusive_unless(cities.tool_calls, NO_CALL)
    expected = shown([call.asks for call in cities.tool_calls])
    for answer, choice in crossed(tools_crossed, None):
        where = f"`choices[{choice.index}]` with {told(answer)}"
        assert_unmarked(choice, f"markers of the model's own notation in `content` of {where}")
        if choice.index == 0:
            assert_same_calls(answer, cities)
        else:
            found = shown([call.asks for call in choice.tool_calls])
            assert_same_text(found, expected, f"`tool_calls` of {where}")
        assert_equal(choice.finish_reason, cities.finish_reason, f"`finish_reason` of {where}")


@check("tool_choice", SHOULD, CHOICE)
def test_a_forced_call_comes_beside_other_parameters(
    weather_named: Chat, capital_required: Chat, tools_crossed: list[Chat]
) -> None:
    """`tool_choice: required`, or a name, forces a complete call, whatever `n`, `logprobs` and `stream` are."""
    works: list[Any] = ["required"] if capital_required.tool_calls else []
    if {call.name for call in weather_named.tool_calls} == {"get_stock_price"}:
        works.append(choose("get_weather"))
    inconclusive_unless(works, "neither `required` nor a name as `tool_choice` has an effect by itself")
    for answer, choice in crossed(tools_crossed, *works):
        where = f"`choices[{choice.index}]` with {told(answer)}"
        assert [call.name for call in choice.tool_calls if call.args is not None], (
            f"expected a tool call, got none ({where})"
        )
        assert_unmarked(choice, f"markers of the model's own notation in `content` of {where}")
        assert_in(choice.finish_reason, ("tool_calls", "stop"), f"`finish_reason` of {where}")


@check("logprobs", SHOULD, "openapi:CreateChatCompletionRequest.logprobs")
def test_logprobs_come_beside_tools(weather_none: Chat, tools_crossed: list[Chat]) -> None:
    """With `tools`, `logprobs: true` still gives each choice the `logprobs` of its text, plain and streamed."""
    inconclusive_unless(weather_none.text.strip() and not weather_none.tool_calls, "the model wrote no text")
    asked = [(a, c) for a, c in crossed(tools_crossed, "none") if a.sent.get("logprobs") and c.text]
    inconclusive_unless(asked, "no such request was accepted")
    for answer, choice in asked:
        assert choice.logprobs, f"expected `logprobs.content`, got none (`choices[{choice.index}]` with {told(answer)})"


@check("max_tokens", SHOULD, "openapi:CreateChatCompletionRequest.max_tokens")
def test_a_limit_holds_beside_other_parameters(count_max_tokens: Chat, count_cut_beside: list[Chat]) -> None:
    """`max_tokens` truncates each choice, with `finish_reason` `length`, whatever other parameters the request has."""
    expected = count_max_tokens.text
    effect = count_max_tokens.finish_reason == "length" and expected.strip()
    inconclusive_unless(effect, "`max_tokens` has no effect by itself, or the model wrote no text")
    for answer in count_cut_beside:
        for choice in answer.choices if not answer.cleanly_refused else []:
            if choice.text.startswith(expected):
                where = f"`choices[{choice.index}]` of {answer.name}"
                assert_same_text(choice.text, expected, f"text of {where}")
                assert_equal(choice.finish_reason, "length", f"`finish_reason` of {where}")


# Rules over every exchange


@check("tools", SHOULD, CHOICE)
def test_forced_arguments_are_json(every: Every) -> None:
    """`arguments` of a forced call of a `strict` function is a JSON object, whatever other parameters there are."""
    forced = False
    for answer in every.accepted(Chat):
        choice_of_tool = answer.sent.get("tool_choice")
        if choice_of_tool == "required" or isinstance(choice_of_tool, dict):
            for choice in answer.choices:
                functions = [call for call in choice.tool_calls if call.strict and call.type != "custom"]
                for call in functions if choice.finish_reason != "length" else []:
                    forced = True
                    assert call.args is not None, (
                        f"expected a JSON object, got {shown(call.arguments)} (`arguments` of {answer.name})"
                    )
    inconclusive_unless(forced, "expected a forced call of a `strict` function, got none")


@check("tools", SHOULD, "openapi:ChatCompletionMessageToolCallChunk")
def test_each_streamed_call_begins_whole(every: Every) -> None:
    """The first delta of each tool call of any stream has its `id`, the `type` `function`, and `function.name`."""
    calls = False
    for answer in every.accepted(Chat, streamed=True):
        for choice in answer.choices:
            for at, (first, *_) in answer.call_deltas(choice.index).items():
                calls = True
                name = (first.get("function") or {}).get("name")
                lacking = [
                    field
                    for field, value in (("id", first.get("id")), ("type", first.get("type")), ("function.name", name))
                    if not value
                ]
                assert_none_of(lacking, f"fields that the first delta of tool call {at} lacks ({answer.name})")
    inconclusive_unless(calls, "no tool was called in a stream")


@check("usage", SHOULD, "openapi:CompletionUsage")
def test_a_stream_has_the_details_of_usage(every: Every) -> None:
    """`usage` of a stream has the same details as `usage` of the plain response, such as `cached_tokens`."""
    for plain, streamed in every.pairs(Generated, lambda a: bool(a.sent.get("stream_options"))):
        for name in ("prompt_tokens_details", "completion_tokens_details"):
            details = [answer.usage.get(name) or {} for answer in (plain, streamed)]
            lost = [field for field, value in details[0].items() if value is not None and field not in details[1]]
            assert_none_of(lost, f"fields of `usage.{name}` that the stream lacks")


def details_of(streamed: bool) -> Callable[[Iterator[Answer]], dict[str, set[str]]]:
    """A function that tells which details any `usage` of an endpoint has, of streams or of plain responses."""

    def found(answers: Iterator[Answer]) -> dict[str, set[str]]:
        known: dict[str, set[str]] = {}
        for answer in answers:
            if isinstance(answer, Generated) and answer.ok and answer.readable and answer.streamed is streamed:
                known.setdefault(answer.exchange.request.path, set()).update(told_of(answer))
        return known

    return found


def told_of(answer: Generated) -> set[str]:
    """The details of a response's `usage` that are not null, such as `prompt_tokens_details.cached_tokens`."""
    found = set()
    for usage in (one.get("usage") for one in answer.objects):
        for name in ("prompt_tokens_details", "completion_tokens_details"):
            details = usage.get(name) if isinstance(usage, dict) else None
            told = details.items() if isinstance(details, dict) else ()
            found |= {f"{name}.{field}" for field, value in told if value is not None}
    return found


IN_STREAMS, IN_PLAIN = details_of(True), details_of(False)


@check("usage", SHOULD, "openapi:CompletionUsage.prompt_tokens_details")
def test_plain_responses_have_the_details_of_usage(every: Every) -> None:
    """`usage` of plain responses has the details that `usage` of streams has, such as `cached_tokens`."""
    streams, plain = every.once(IN_STREAMS), every.once(IN_PLAIN)
    for answer in every.accepted(Generated, streamed=False):
        path = answer.exchange.request.path
        lost = sorted(streams.get(path, set()) - plain.get(path, set()))
        assert_none_of(lost, "fields of `usage` that streams have, and no plain response")


@check("responses_stream", SHOULD, "openapi:ResponseOutputItemDoneEvent.item")
def test_done_items_are_finished(every: Every) -> None:
    """Calls and messages in `response.output_item.done` equal those in the last event, field by field."""
    for answer in every.accepted(Response, streamed=True):
        done = answer.held("response.output_item.done", "item")
        for one, other in zip(done, answer.output, strict=False):
            for field in ("id", "type", "status", "call_id", "name", "arguments"):
                assert_equal(one.get(field), other.get(field), f"`{field}` of `item` in `response.output_item.done`")


# Streams


@check("streaming", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.delta.content")
def test_text_comes_in_pieces_beside_tools(weather_result_streamed: Chat) -> None:
    """With `tools`, a text of about ten tokens is streamed in several deltas."""
    answer = weather_result_streamed
    inconclusive_unless(not answer.tool_calls and len(answer.text) > 15, "the model wrote no long text")
    pieces = [delta for delta in answer.deltas(answer.choice.index) if delta.get("content")]
    assert_at_least(len(pieces), 2, "deltas with `content`")


@check("completions", SHOULD, "openapi:CreateCompletionResponse.choices.logprobs")
def test_a_legacy_stream_has_logprobs(prose: Completion, prose_streamed: Completion) -> None:
    """`logprobs` of a `/completions` stream has the same tokens as in the plain response."""
    wanted = prose.choice.raw.get("logprobs")
    inconclusive_unless(isinstance(wanted, dict) and wanted.get("tokens"), "the plain response has no `logprobs`")
    assert_same_text(prose_streamed.text, prose.text, "`choices[0].text` of the stream")
    chunks = [one.get("logprobs") or {} for chunk in prose_streamed.chunks for one in chunk.get("choices", [])]
    found = [token for logprobs in chunks for token in logprobs.get("tokens") or []]
    assert_equal(found, prose.legacy("tokens", str), "`choices[0].logprobs.tokens` of the chunks, joined")


@check("completions", SHOULD, "openapi:CreateCompletionRequest.echo")
def test_an_echo_with_logprobs_is_streamed(
    continuation_echo_logprobs: Completion, continuation_echo_logprobs_streamed: Completion
) -> None:
    """With `echo` and `logprobs`, a `/completions` stream has the same `text` as the plain response."""
    continuation_echo_logprobs.assert_accepted()
    assert_same_text(continuation_echo_logprobs_streamed.text, continuation_echo_logprobs.text, "`choices[0].text`")
    echoed = continuation_echo_logprobs.text.startswith(continuation_echo_logprobs.sent["prompt"])
    inconclusive_unless(echoed, "`echo` has no effect")


@check("tools", SHOULD, CALLS)
def test_a_call_without_arguments_is_streamed(call_now: Chat, call_now_streamed: Chat) -> None:
    """A streamed call of a function without parameters has `{}` as `arguments`, as in the plain response."""
    inconclusive_unless(call_now.tool_calls, NO_CALL)
    assert_same_calls(call_now_streamed, call_now)


@check("tools", SHOULD, CALLS)
def test_a_further_call_is_streamed(
    weather_result_then_question: Chat, weather_result_then_question_streamed: Chat
) -> None:
    """After a tool result, a stream makes the next tool call as the plain response does."""
    inconclusive_unless(weather_result_then_question.tool_calls, NO_CALL)
    assert_same_calls(weather_result_then_question_streamed, weather_result_then_question)


@check("responses_tools", SHOULD, "openapi:ResponseProperties.tool_choice")
def test_tool_choice_holds_in_streamed_responses(
    respond_capital_required: Response,
    respond_weather_named: Response,
    respond_weather_none: Response,
    respond_capital_required_streamed: Response,
    respond_weather_named_streamed: Response,
    respond_weather_none_streamed: Response,
) -> None:
    """`tool_choice` (`required`, `none` or a name) has the same effect in a `/responses` stream as without `stream`."""
    for plain, streamed in (
        (respond_capital_required, respond_capital_required_streamed),
        (respond_weather_named, respond_weather_named_streamed),
        (respond_weather_none, respond_weather_none_streamed),
    ):
        inconclusive_unless(not plain.truncated, "the model did not end within max_output_tokens")
        assert_same_calls(streamed, plain)


@check("responses_tools", SHOULD, "openapi:FunctionCallOutputItemParam")
def test_a_result_is_answered_in_a_stream(respond_result: Response, respond_result_streamed: Response) -> None:
    """After a `function_call_output`, a `/responses` stream has the same text as the plain response."""
    inconclusive_unless(respond_result.text.strip(), "the model wrote no text")
    assert_same_text(respond_result_streamed.text, respond_result.text, "`output_text` of the stream")


@check("errors", SHOULD, "docs:guides/error-codes")
def test_streams_of_each_endpoint_are_refused_with_a_status(
    bad_respond_no_input: Response,
    bad_respond_item: Response,
    bad_completion_prompt: Completion,
    bad_respond_no_input_streamed: Response,
    bad_respond_item_streamed: Response,
    bad_completion_prompt_streamed: Completion,
) -> None:
    """`/responses` and `/completions` reject an invalid request with the same HTTP status, plain or streamed."""
    assert_streams_rejected(
        [
            (bad_respond_no_input, bad_respond_no_input_streamed),
            (bad_respond_item, bad_respond_item_streamed),
            (bad_completion_prompt, bad_completion_prompt_streamed),
        ]
    )


# Reasoning with n


@check("reasoning", SHOULD, FIELD)
def test_each_choice_calls_after_reasoning(
    think_weather: Chat, think_weather_twice: Chat, think_weather_twice_streamed: Chat
) -> None:
    """With `n: 2`, plain or streamed, each choice has its own reasoning and `tool_calls`, as a single choice has."""
    inconclusive_unless(
        think_weather.reasoning and think_weather.tool_calls, "the model did not both reason and call a tool"
    )
    begins = think_weather.reasoning.strip()[:BEGINNING]
    for answer in (think_weather_twice, think_weather_twice_streamed):
        inconclusive_unless(len(answer.choices) > 1, "expected 2 choices, got 1 (`choices`)")
        for choice in answer.choices:
            where = f"`choices[{choice.index}]` of {answer.name}"
            assert_unmarked(choice, f"markers of the model's own notation in `content` of {where}")
            assert not choice.text.strip().startswith(begins), (
                f"expected `content` without reasoning, got the reasoning at its beginning ({where})"
            )
            inconclusive_unless(choice.finish_reason != "length", ENDLESS)
            assert_same_text(names(choice), names(think_weather.choice), f"`function.name` of the calls in {where}")
            assert choice.reasoning.strip(), f"expected reasoning, as with one choice, got none ({where})"


@check("json_schema", SHOULD, "openapi:CreateChatCompletionRequest.n")
def test_each_choice_has_its_document_after_reasoning(think_person_streamed: Chat, think_person_twice: Chat) -> None:
    """In a stream with `n: 2`, `content` of each choice is only its document, and reasoning is in its own field."""
    document = think_person_streamed.text.lstrip().startswith("{")
    inconclusive_unless(think_person_streamed.reasoning and document, "the model did not reason before a document")
    for choice in think_person_twice.choices:
        inconclusive_unless(choice.finish_reason != "length", ENDLESS)
        assert_matches_schema(choice.document, schemas.PERSON)


# Texts that look like calls


@check("json_schema", SHOULD, "docs:guides/structured-outputs enum")
def test_marks_in_a_document_are_text(
    capital_tools_format: Chat, marks_in_a_document: Chat, marks_in_a_document_streamed: Chat
) -> None:
    """With `tools`, a string in `content` that looks like a tool call or the end of reasoning stays unchanged."""
    together = capital_tools_format.text.lstrip().startswith("{")
    inconclusive_unless(together, "`response_format` has no effect together with `tools`")
    for answer in (marks_in_a_document, marks_in_a_document_streamed):
        inconclusive_unless(not answer.tool_calls, "the model called a tool")
        inconclusive_unless(answer.finish_reason != "length", ENDLESS)
        assert_equal(list(answer.document.values()), list(MARKS), f"strings in `content` of {answer.name}")


# Messages and images beside tools


@check("system_messages", SHOULD, "openapi:ChatCompletionRequestSystemMessage")
def test_a_system_message_is_read_beside_tools(capital_tools_system: list[Chat]) -> None:
    """With `tools`, a system message reaches the model: sixteen extra words add at least ten `usage.prompt_tokens`."""
    short, longer = capital_tools_system
    assert_at_least(longer.tokens("prompt"), short.tokens("prompt") + 10, "`usage.prompt_tokens`")


@check("vision", SHOULD, "openapi:ChatCompletionRequestMessageContentPartImage")
def test_an_image_is_read_beside_other_parameters(
    look_at_nothing: Chat, look_red: Chat, look_tools: list[Chat], look_person: list[Chat]
) -> None:
    """In a request with `tools` or `response_format`, an `image_url` part still reaches the model."""
    alone = look_red.tokens("prompt") > look_at_nothing.tokens("prompt")
    inconclusive_unless(alone, "an image costs no tokens by itself (`usage.prompt_tokens`)")
    for without, seen in (look_tools, look_person):
        if without.ok and not seen.cleanly_refused:
            assert_more(seen.tokens("prompt"), without.tokens("prompt"), f"`usage.prompt_tokens` of {seen.name}")


@check("conversation", SHOULD, "docs:guides/error-codes a 5xx is the server's")
def test_null_ids_are_no_server_error(null_ids: Chat) -> None:
    """A call or a result whose id is null is accepted or rejected, and causes no server error."""
    assert null_ids.ok or null_ids.cleanly_refused, f"expected 2xx, or 4xx with an error object, got {null_ids.status}"


# Embeddings


@check("embeddings", SHOULD, "openapi:CreateEmbeddingRequest.encoding_format")
def test_base64_holds_with_dimensions(embedding_dimensions: Embeddings, embedding_short_base64: Embeddings) -> None:
    """`embedding` in base64 has the numbers that it has without `encoding_format: base64`, also with `dimensions`."""
    expected = embedding_dimensions.vector
    inconclusive_unless(len(expected) == 16, "`dimensions` has no effect by itself")
    found = embedding_short_base64.decoded
    assert_equal(len(found), 16, "numbers in `data[0].embedding`, decoded from base64")
    off = math.dist(found, expected) / (math.hypot(*expected) or 1.0)
    assert_less(round(off, 3), 0.02, "relative distance of `data[0].embedding` from the one without base64")


# Stored responses


@check("responses_state", SHOULD, "openapi:CreateResponse.previous_response_id")
def test_a_result_goes_on_from_a_stored_call(respond_weather: Response, respond_result_by_id: Response) -> None:
    """A `function_call_output` may belong to a call of the response that `previous_response_id` names."""
    inconclusive_unless(respond_weather.tool_calls, NO_CALL)
    asked = respond_weather.tokens("input")
    assert_more(respond_result_by_id.tokens("input"), asked, "`usage.input_tokens` with the result")
