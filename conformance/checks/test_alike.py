"""Alike: requests that differ only in what changes nothing must get the same."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from conformance.kit import (
    SHOULD,
    Answer,
    Chat,
    Choice,
    Completion,
    Every,
    Fail,
    Generated,
    Response,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_same_text,
    beginning_of,
    call_markup_in,
    check,
    decided_before_stop,
    decided_by,
    differing,
    inconclusive_unless,
    prompt_of,
    shown,
    traits,
)
from conformance.kit.every import is_bad


def written(choice: Choice) -> str:
    """All that the model wrote for a choice."""
    return shown([choice.reasoning, choice.text, [call.asks for call in choice.tool_calls]], 20_000)


def beside(answer: Generated | Response, other: Generated | Response) -> str:
    """Which response it is, and in what its request differs from that of its twin."""
    return f"{answer.name}, which differs from {other.name} in {differing(answer, other)}"


def counted(answer: Generated | Response) -> bool:
    """Whether a response has a `usage`."""
    return any(one.get("usage") for one in (answer.objects if isinstance(answer, Generated) else [answer.object]))


# Prompts


@check("usage", SHOULD, "openapi:CompletionUsage.prompt_tokens")
def test_prompts_have_the_same_length(every: Every) -> None:
    """`usage.prompt_tokens` is the same for the same messages, tools and format, whatever else a request has."""
    for other, answer in every.twins(Generated, prompt_of):
        if counted(answer) and counted(other):
            known, choices = other.tokens("prompt"), answer.sent.get("n") or 1
            where = f"`usage.prompt_tokens` of {beside(answer, other)}"
            if choices > 1:
                assert_in(answer.tokens("prompt"), (known, known * choices), where)
            else:
                assert_equal(answer.tokens("prompt"), known, where)


@check("responses", SHOULD, "openapi:ResponseUsage.input_tokens")
def test_inputs_have_the_same_length(responses_crossed: list[Response], every: Every) -> None:
    """`usage.input_tokens` is the same for the same `input`, `instructions` and `tools`, whatever else is asked."""
    for other, answer in every.twins(Response, prompt_of):
        if counted(answer) and counted(other):
            where = f"`usage.input_tokens` of {beside(answer, other)}"
            assert_equal(answer.tokens("input"), other.tokens("input"), where)


class Added(NamedTuple):
    """The messages that a request has more than another one, and the `prompt_tokens` that they cost."""

    other: str
    tokens: int
    messages: list[dict[str, Any]]


def additions(answers: Iterator[Answer]) -> dict[str, Added]:
    """What each chat request adds to the longest one that it continues, by the name of its response."""
    seen = dict[str, tuple[str, int]]()
    asked = list[tuple[str, int, list[dict[str, Any]], list[str | None]]]()
    for answer in answers:
        if not (isinstance(answer, Chat) and answer.ok and answer.readable and counted(answer)):
            continue
        messages = answer.sent.get("messages")
        if is_bad(answer) or (answer.sent.get("n") or 1) > 1 or not isinstance(messages, list):
            continue
        if not messages or not isinstance(messages[-1], dict) or messages[-1].get("role") == "assistant":
            continue  # Servers may continue this message, and then its prompt has no frame for another one.
        tokens = answer.tokens("prompt")
        seen.setdefault(prompt_of(answer) or "", (answer.name, tokens))
        if not has_reasoning(messages):
            asked.append((answer.name, tokens, messages, [beginning_of(answer, at) for at in range(len(messages))]))
    found = {}
    for name, tokens, messages, beginnings in asked:
        for at in range(len(messages) - 1, 0, -1):
            if instructs(messages[at:]) and not instructs(messages[:at]):
                continue  # They may replace the instructions that the model's template begins with.
            if earlier := seen.get(beginnings[at] or ""):
                found[name] = Added(earlier[0], tokens - earlier[1], messages[at:])
                break
    return found


def instructs(messages: list[dict[str, Any]]) -> bool:
    """Whether there is a message of the system or the developer."""
    return any(one.get("role") in ("system", "developer") for one in messages)


def has_reasoning(messages: list[dict[str, Any]]) -> bool:
    """Whether messages replay reasoning, which templates may drop later."""
    return "<think" in json.dumps(messages) or any("reasoning" in name for one in messages for name in one)


def words(messages: list[dict[str, Any]]) -> int:
    """The words of messages that every template keeps: not those beside a tool call."""
    texts = [one.get("content") for one in messages if not one.get("tool_calls")]
    parts = [[{"text": text}] if isinstance(text, str) else text or [] for text in texts]
    return sum(len(part.get("text", "").split()) for some in parts for part in some)


FRAME = 2
"""Tokens that the same messages may cost less after another beginning."""


@check("conversation", SHOULD, "openapi:CompletionUsage.prompt_tokens")
def test_added_messages_are_read(every: Every) -> None:
    """Messages that continue a conversation cost a prompt token a word, and the same whatever is before them."""
    added = every.once(additions)
    for answer in every.accepted(Chat):
        if one := added.get(answer.name):
            alike = max(other.tokens for other in added.values() if other.messages == one.messages)
            where = f"`usage.prompt_tokens` of {answer.name} above those of {one.other}, which lacks its last messages"
            assert_at_least(one.tokens, max(words(one.messages), alike - FRAME), where)


# Responses


@check("chat", SHOULD, "openapi:CreateChatCompletionRequest")
def test_chat_responses_are_the_same(
    calls_beside_parts: list[Chat],
    kinds_together: list[Chat],
    models_together: list[Answer],
    sampled_beside_neutral: list[Chat],
    every: Every,
) -> None:
    """At `temperature: 0`, `n`, `logprobs`, `stream`, `seed`, `user` and the like change no response."""
    for other, answer in every.twins(Chat, decided_by):
        for choice in answer.choices:
            where = f"`choices[{choice.index}]` of {beside(answer, other)}"
            assert_same_text(written(choice), written(other.choice), where)
            assert_equal(choice.finish_reason, other.finish_reason, f"`finish_reason` in {where}")


@check("completions", SHOULD, "openapi:CreateCompletionRequest")
def test_completions_are_the_same(completions_alike: list[Completion], every: Every) -> None:
    """At `temperature: 0`, `n`, `logprobs`, `stream`, `seed`, `user` and the like change no legacy completion."""
    for other, answer in every.twins(Completion, decided_by):
        if len(other.choices) != 1:
            continue
        for choice in answer.choices:
            where = f"`choices[{choice.index}].text` of {beside(answer, other)}"
            assert_same_text(choice.text, other.choice.text, where)


@check("responses", SHOULD, "openapi:CreateResponse")
def test_responses_are_the_same(responses_crossed: list[Response], every: Every) -> None:
    """At `temperature: 0`, `stream`, `include`, `store`, `metadata` and the like change no response."""
    for other, answer in every.twins(Response, decided_by):
        where = f"`output` of {beside(answer, other)}"
        found, expected = (
            shown([one.reasoning, one.text, [call.asks for call in one.tool_calls]], 20_000) for one in (answer, other)
        )
        assert_same_text(found, expected, where)
        assert_equal(answer.state, other.state, f"`status` of {beside(answer, other)}")


# stop


def stops(answer: Answer) -> list[str]:
    """The stop strings of a request, without empty ones."""
    found = answer.sent.get("stop")
    return [one for one in ([found] if isinstance(found, str) else found or []) if isinstance(one, str) and one]


def without_stop(answer: Answer) -> str | None:
    """What decides a response that no stop string ends."""
    return None if stops(answer) else decided_before_stop(answer)


@check("stop", SHOULD, "openapi:CreateChatCompletionRequest.stop")
def test_stop_changes_nothing_before_it(stops_crossed: list[Chat], stops_beside: list[Chat], every: Every) -> None:
    """With `stop`, a response is the same as without it up to the first stop string, whatever else the request has."""
    for other, answer in every.twins(Generated, decided_before_stop, of=without_stop):
        if not stops(answer) or answer.sent.get("echo") or len(other.choices) != 1:
            continue
        known = other.choice
        if call_markup_in(known.text):  # A truncated call that comes as text is another check's.
            continue
        elsewhere = shown([known.reasoning, [call.asks for call in known.tool_calls]], 20_000)
        if any(one in elsewhere for one in stops(answer)):
            continue
        ends = [known.text.find(one) for one in stops(answer) if one in known.text]
        for choice in answer.choices:
            where = f"`choices[{choice.index}]` of {beside(answer, other)}"
            if ends and choice.text != known.text[: min(ends)]:
                assert_same_text(choice.text, known.text[: min(ends)], f"`content` in {where}")
            elif not ends and written(choice) != written(known):
                assert_same_text(written(choice), written(known), where)


# Empty responses

ENOUGH = 6
"""Responses that must all be empty, so that it is no chance."""


def is_empty(answer: Chat) -> bool:
    """Whether nothing was written for any choice."""
    return not any(
        choice.text or choice.reasoning or choice.refusal or choice.tool_calls or choice.finish_reason == "length"
        for choice in answer.choices
    )


def is_free(answer: Chat) -> bool:
    """Whether a request leaves the model free to write what it wants, so that no grammar makes it write."""
    sent = answer.sent
    return not sent.get("stop") and not sent.get("response_format") and sent.get("tool_choice") in (None, "auto")


def silent_traits(answers: Iterator[Answer]) -> set[str]:
    """What several requests have that all got an empty response, while a request without it got another."""
    empty: dict[str, list[bool]] = {}
    for answer in answers:
        if isinstance(answer, Chat) and answer.ok and answer.readable and is_free(answer):
            for trait in traits(answer):
                empty.setdefault(trait, []).append(is_empty(answer))
    written = any(not all(found) for found in empty.values())
    return {trait for trait, found in empty.items() if written and len(found) >= ENOUGH and all(found)}


@check("chat", SHOULD, "openapi:CreateChatCompletionResponse.choices.message.content")
def test_no_form_silences_the_model(every: Every) -> None:
    """No parameter, role or form of a message makes each response empty while the model answers without it."""
    silent = every.once(silent_traits)
    for answer in every.accepted(Chat):
        found = sorted(silent & traits(answer))
        assert not (found and is_empty(answer)), (
            f"expected text or calls, got nothing in each response to requests with {', '.join(found)[:200]}"
        )


# Rejections


def asked_of(answer: Answer) -> tuple[str, object]:
    """The endpoint and the model that a request is for."""
    return answer.exchange.request.path, answer.sent.get("model")


def accepted_traits(answers: Iterator[Answer]) -> dict[tuple[str, object], set[str]]:
    """The traits of all requests that were accepted, by endpoint and model."""
    found: dict[tuple[str, object], set[str]] = {}
    for answer in answers:
        if answer.ok and answer.sent:
            found.setdefault(asked_of(answer), set()).update(traits(answer))
    return found


@check("errors", SHOULD, "openapi:CreateChatCompletionRequest")
def test_what_is_accepted_is_accepted_together(calls_with_escapes: list[Chat], every: Every) -> None:
    """A legal request is accepted if each of its parameters and forms of messages is accepted in another request."""
    inconclusive_unless(any(every.once(accepted_traits).values()), "no request with parameters was accepted")
    for answer in every.legal():
        if answer.status in (400, 404, 422) and answer.sent and not answer.does_not_fit:
            known = every.once(accepted_traits).get(asked_of(answer), set())
            if traits(answer) <= known:
                told = ", ".join(sorted(traits(answer)))
                raise Fail(
                    f"expected 2xx, got {answer.status} (HTTP status of {answer.name}): each of these is accepted in "
                    f"other requests: {told[:300]}",
                    expected="2xx",
                    actual=f"{answer.status} {answer.error_message}",
                )
