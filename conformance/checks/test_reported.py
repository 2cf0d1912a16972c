"""Reported: forms of a request that work alone must work beside each other, later, and in a stream."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from conformance.kit import (
    SHOULD,
    Answer,
    Chat,
    Completion,
    Every,
    Response,
    assert_at_least,
    assert_equal,
    assert_none_broken,
    assert_none_of,
    assert_same_calls,
    assert_same_text,
    assert_streams_rejected,
    call_markup_in,
    calls_in,
    check,
    inconclusive_unless,
    shown,
)

CALLS = "openapi:ChatCompletionMessageToolCalls"
LEGACY = ("prompt", "echo", "n", "logprobs", "stream")
MANY = 2
"""How many times as many tokens as its control a response may take before its end counts as missing."""


def told(answer: Answer, names: Sequence[str]) -> dict[str, str]:
    """The values that a request has of these parameters; what has no value has the default."""
    return {name: shown(answer.sent.get(name)) for name in names}


def form(answer: Answer, names: Sequence[str]) -> str:
    """The parameters of these names that a request has, as words."""
    return ", ".join(f"{name}: {value}" for name, value in told(answer, names).items() if value != "null")


def refused_together(answers: Sequence[Answer], names: Sequence[str]) -> list[str]:
    """The rejected requests of which each value is accepted in another request."""
    fine = {one for answer in answers if answer.ok for one in told(answer, names).items()}
    return [form(answer, names) for answer in answers if not answer.ok and fine.issuperset(told(answer, names).items())]


# Parameters beside each other


@check("tools", SHOULD, CALLS)
def test_tools_are_accepted_beside_other_parameters(cities: Chat, tools_crossed: list[Chat]) -> None:
    """If `tools` are accepted with each of `tool_choice`, `stream`, `n` and `logprobs`, they are with all of them."""
    names = ("tool_choice", "stream", "n", "logprobs")
    found = refused_together([cities, *tools_crossed], names)
    assert_none_of(found, "requests that are rejected although each of their parameters is accepted beside `tools`")


@check("tool_choice", SHOULD, "openapi:ChatCompletionToolChoiceOption")
def test_a_forced_call_ends(cities: Chat, tools_crossed: list[Chat]) -> None:
    """The response ends after the calls that `tool_choice: required`, or a name, forces."""
    inconclusive_unless(
        cities.tool_calls and cities.finish_reason == "tool_calls", "the model called no tool by itself"
    )
    for answer in tools_crossed:
        if answer.sent.get("tool_choice") not in (None, "none") and not answer.cleanly_refused:
            inconclusive_unless(
                MANY * cities.tokens("completion") <= answer.sent["max_tokens"],
                "without `tool_choice`, the same calls already need most of `max_tokens`",
            )
            for choice in answer.choices:
                asked = len(choice.tool_calls) <= len(cities.tool_calls)
                assert choice.finish_reason != "length" or not asked, (
                    f"expected `choices[{choice.index}]` to end after its calls, as without `tool_choice`, "
                    f"got `finish_reason` `length` at {answer.sent['max_tokens']} tokens ({answer.name})"
                )


@check("completions", SHOULD, "openapi:CreateCompletionRequest")
def test_legacy_parameters_go_together(
    both_counts: Completion,
    prompt_tokens: Completion,
    prompt_token_lists: Completion,
    completions_crossed: list[Completion],
) -> None:
    """If `echo`, `n`, `logprobs`, `stream` and each form of `prompt` are accepted alone, they are accepted together."""
    broken = [form(answer, LEGACY) for answer in completions_crossed if answer.status >= 500]
    assert_none_broken(broken, "requests that got a 5xx")
    found = refused_together([both_counts, prompt_tokens, prompt_token_lists, *completions_crossed], LEGACY)
    assert_none_of(found, "requests that are rejected although each of their parameters is accepted")


@check("completions", SHOULD, "openapi:CreateCompletionRequest.echo")
def test_legacy_parameters_hold_together(
    continuation: Completion, continuation_echo: Completion, completions_crossed: list[Completion]
) -> None:
    """Sent together, `n` gives that many choices per prompt, `echo` the prompt, and `logprobs` the logprobs."""
    works = bool(continuation_echo.text.startswith(continuation.sent["prompt"]))
    read = [answer for answer in completions_crossed if answer.ok]
    inconclusive_unless(read, "no such request was accepted")
    for answer in read:
        given = answer.sent["prompt"]
        prompts: list[Any] = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
        where = f"with {form(answer, LEGACY)}"
        number = answer.sent.get("n", 1)
        assert_equal(len(answer.choices), number * len(prompts), f"number of `choices` {where}")
        for choice in answer.choices:
            prompt = next(iter(prompts[choice.index // number :]), None)  # Other checks judge `index`.
            if works and answer.sent.get("echo") and isinstance(prompt, str):
                assert choice.text.startswith(prompt), (
                    f"expected the prompt, got text without it (`choices[{choice.index}].text` {where})"
                )
            if answer.sent.get("logprobs") and not answer.streamed:
                assert choice.raw.get("logprobs"), (
                    f"expected logprobs, got none (`choices[{choice.index}].logprobs` {where})"
                )


# What is null, or cannot be


@check("max_tokens", SHOULD, "openapi:CreateChatCompletionRequest.max_tokens")
def test_a_limit_may_be_null(limits_null: list[Answer]) -> None:
    """At each endpoint, a token limit that is `null` is accepted, as if it were absent."""
    for answer in limits_null:
        assert answer.ok or answer.cleanly_refused, (
            f"expected 2xx, got {answer.status} (`{answer.exchange.request.path}`)"
        )
        answer.assert_accepted()


@check("errors", SHOULD, "docs:guides/error-codes")
def test_tools_and_formats_are_refused_before_a_stream(bad_tools_and_formats: list[Chat]) -> None:
    """Tools and formats that are rejected in a plain request are rejected with the same HTTP status in a stream."""
    assert_streams_rejected([*pairwise(bad_tools_and_formats)][::2])


# Conversations


@check("tools", SHOULD, CALLS)
def test_calls_come_after_many_rounds(
    weather_result_then_question: Chat, weather_after_rounds: Chat, weather_after_rounds_streamed: Chat
) -> None:
    """After four rounds of call and result, a call is in `tool_calls`, plain and streamed."""
    inconclusive_unless(weather_result_then_question.tool_calls, "the model calls no tool after one round")
    for answer in (weather_after_rounds, weather_after_rounds_streamed):
        found = [*call_markup_in(answer.text), *calls_in(answer.text, {"get_weather"})]
        assert_none_of(found, f"calls in `content` of {answer.name}")
    assert_same_calls(weather_after_rounds_streamed, weather_after_rounds)


@check("conversation", SHOULD, "openapi:ChatCompletionRequestAssistantMessage.content")
def test_empty_answers_may_be_followed(two_turns: Chat, empty_answers: list[Chat]) -> None:
    """After an assistant message whose `content` is empty, a stream has the same text as the plain response."""
    inconclusive_unless(two_turns.text.strip(), "the model wrote no text")
    for plain, streamed in [*pairwise(empty_answers)][::2]:
        if plain.ok:
            assert_same_text(streamed.text, plain.text, f"`content` of {streamed.name}")
            assert_equal(streamed.finish_reason, plain.finish_reason, f"`finish_reason` of {streamed.name}")


# Responses


@check("responses", SHOULD, "openapi:OutputMessage.status")
def test_truncated_items_are_incomplete(every: Every) -> None:
    """`output[-1].status` is `incomplete` in a response that `max_output_tokens` truncates, if it has a `status`."""
    truncated = False
    for answer in every.accepted(Response):
        if (
            answer.truncated
            and answer.incomplete_reason == "max_output_tokens"
            and answer.output
            and answer.output[-1].get("status")
        ):
            truncated = True
            assert_equal(answer.output[-1]["status"], "incomplete", f"`output[-1].status` of {answer.name}")
    inconclusive_unless(truncated, "no truncated response has an item with `status`")


@check("responses_state", SHOULD, "openapi:CreateResponse.previous_response_id")
def test_stored_calls_are_part_of_the_conversation(
    respond_weather: Response, respond_result_by_id: Response, respond_result_replayed: Response
) -> None:
    """With `previous_response_id`, the model reads the stored call before its result, as if the client sent it back."""
    inconclusive_unless(respond_weather.tool_calls, "the model called no tool")
    sent = respond_result_replayed.tokens("input")
    inconclusive_unless(sent > respond_weather.tokens("input"), "a call that the client sends back adds no tokens")
    found = respond_result_by_id.tokens("input")
    assert_at_least(found, sent, "`usage.input_tokens`, compared with a request that contains the call and its result")
