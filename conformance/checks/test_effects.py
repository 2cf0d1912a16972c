"""Effects: what a parameter does in one request, it does in each, whatever else the request has."""

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

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
    check,
    inconclusive_unless,
    shown,
    spelled,
    validate_against,
    whole,
)
from conformance.kit.every import is_bad

REQUEST = "openapi:CreateChatCompletionRequest"

Part = Choice | Response
"""What has the text and the calls of one response: a choice, or a response of the Responses API."""

Wrong = Callable[[Answer, Part], str | None]
"""What came in place of a parameter's effect; empty if it has its effect, None where that is not to be seen."""


def assert_holds(every: Every, wrong: Wrong, expected: str) -> None:
    """A parameter that has its effect in one response of an endpoint must have it in each."""
    works = every.once(_where_it_works(wrong))
    inconclusive_unless(works, f"no response has {expected}")
    for answer in every.accepted(Answer):
        for part in _parts(answer) if answer.exchange.request.path in works else []:
            if got := wrong(answer, part):
                where = f"`choices[{part.index}]` of {answer.name}" if isinstance(part, Choice) else answer.name
                raise Fail(f"expected {expected}, got {got} ({where})", expected=expected, actual=got)


@cache
def _where_it_works(wrong: Wrong) -> Callable[[Iterator[Answer]], set[str]]:
    """A function that tells at which endpoints a parameter has its effect in any of some responses."""

    def paths(answers: Iterator[Answer]) -> set[str]:
        found: set[str] = set()
        for answer in answers:
            path = answer.exchange.request.path
            if path not in found and answer.ok and not is_bad(answer) and answer.readable:
                found |= {path for part in _parts(answer) if wrong(answer, part) == ""}
        return found

    return paths


def _parts(answer: Answer) -> list[Part]:
    """The choices of a response, or itself."""
    if isinstance(answer, Generated):
        return list(answer.choices)
    return [answer] if isinstance(answer, Response) else []


def _ended(part: Part) -> bool:
    """Whether the model came to its end, and not inside of its reasoning."""
    if part.reasoning and not part.text.strip() and not _called(part):
        return False
    return part.finish_reason not in ("length", None) if isinstance(part, Choice) else not part.truncated


def _called(part: Part) -> list[str]:
    """The names of the tools that are called, those of custom tools included."""
    customs = part.items("custom_tool_call") if isinstance(part, Response) else []
    return [call.name for call in part.tool_calls] + [str(one.get("name")) for one in customs]


# tool_choice


def _no_forced_call(answer: Answer, part: Part) -> str | None:
    asked = answer.sent.get("tool_choice") == "required" and _ended(part)
    return ("" if _called(part) else "none") if asked else None


def _not_the_named(answer: Answer, part: Part) -> str | None:
    choice = answer.sent.get("tool_choice")
    if not isinstance(choice, dict) or choice.get("type") != "function" or not _ended(part):
        return None
    wanted = choice.get("name") or (choice.get("function") or {}).get("name")
    return "" if set(_called(part)) == {wanted} else f"calls of {shown(_called(part))}"


def _a_forbidden_call(answer: Answer, part: Part) -> str | None:
    asked = answer.sent.get("tool_choice") == "none" and answer.sent.get("tools")
    return ("calls" if _called(part) else "") if asked else None


def _several_calls(answer: Answer, part: Part) -> str | None:
    asked = answer.sent.get("parallel_tool_calls") is False and _called(part)
    return (f"{len(_called(part))} calls" if len(_called(part)) > 1 else "") if asked else None


@check("tool_choice", SHOULD, "openapi:ChatCompletionToolChoiceOption")
def test_required_forces_a_call(responses_beside: list[Response], every: Every) -> None:
    """`tool_choice: required` forces a call in each response, whatever else the request has."""
    assert_holds(every, _no_forced_call, "a tool call, as `tool_choice: required` forces")


@check("tool_choice", SHOULD, "openapi:ChatCompletionNamedToolChoice")
def test_a_name_forces_its_function(
    unrelated_named: Chat, unrelated_named_streamed: Chat, think_named: Chat, think_named_streamed: Chat, every: Every
) -> None:
    """A name as `tool_choice` forces that function in each response, whatever the messages ask."""
    assert_holds(every, _not_the_named, "calls of the function that `tool_choice` names")


@check("tool_choice", SHOULD, "openapi:ChatCompletionToolChoiceOption")
def test_none_forbids_calls(every: Every) -> None:
    """`tool_choice: none` forbids calls in each response, whatever else the request has."""
    assert_holds(every, _a_forbidden_call, "no tool call with `tool_choice: none`")


@check("parallel_tools", SHOULD, "openapi:ParallelToolCalls")
def test_false_allows_one_call(every: Every) -> None:
    """`parallel_tool_calls: false` allows one call at most in each response, whatever else the request has."""
    assert_holds(every, _several_calls, "one call with `parallel_tool_calls: false`")


# Formats


def _format(answer: Answer) -> dict[str, Any]:
    """The format that a request asks for, in chat's terms."""
    text = answer.sent.get("text")
    found = text.get("format") if isinstance(text, dict) else answer.sent.get("response_format")
    return found if isinstance(found, dict) else {}


def _no_document(answer: Answer, part: Part, kind: str) -> str | None:
    """What is wrong with a document that must match the schema of the request, or be an object. With tools, a model
    that calls none may say why; checks of that combination judge it. A stop string may truncate a document."""
    wanted = _format(answer)
    if wanted.get("type") != kind or not _ended(part) or part.refusal or answer.sent.get("tools"):
        return None
    try:
        value = json.loads(part.text)
    except (ValueError, RecursionError):
        return None if answer.sent.get("stop") else shown(part.text)
    if kind == "json_object":
        return "" if isinstance(value, dict) else shown(value)
    schema = (wanted.get("json_schema") or wanted).get("schema")
    problems = validate_against(value, schema) if isinstance(schema, dict) and _is_plain(schema) else []
    return f"{shown(value)}: {problems[0]}" if problems else ""


def _is_plain(schema: dict[str, Any]) -> bool:
    """Whether a schema has nothing but types, properties and enums, which each server with schemas enforces."""
    plain = ("type", "properties", "required", "additionalProperties", "items", "enum", "description", "title")
    inner = [*(schema.get("properties") or {}).values(), *([schema["items"]] if "items" in schema else [])]
    types = isinstance(schema.get("type"), str)
    return types and set(schema) <= set(plain) and all(isinstance(one, dict) and _is_plain(one) for one in inner)


def _no_schema(answer: Answer, part: Part) -> str | None:
    return _no_document(answer, part, "json_schema")


def _no_object(answer: Answer, part: Part) -> str | None:
    return _no_document(answer, part, "json_object")


@check("json_schema", SHOULD, "openapi:ResponseFormatJsonSchema")
def test_documents_match_their_schema(every: Every) -> None:
    """With `json_schema`, the text of each response matches the schema, whatever else the request has."""
    assert_holds(every, _no_schema, "JSON that matches the schema of the request")


@check("json_mode", SHOULD, "openapi:ResponseFormatJsonObject")
def test_documents_are_objects(every: Every) -> None:
    """With `json_object`, the text of each response is a JSON object, whatever else the request has."""
    assert_holds(every, _no_object, "a JSON object")


# stop, n and logprobs


def _a_stop_string(answer: Answer, part: Part) -> str | None:
    stops = answer.sent.get("stop")
    listed = [stops] if isinstance(stops, str) else stops if isinstance(stops, list) else []
    if not isinstance(part, Choice) or answer.sent.get("echo") or not all(isinstance(one, str) for one in listed):
        return None
    found = [one for one in listed if one and one in part.text]
    if found:
        return f"{shown(found[0])} in {shown(part.text)}"
    return "" if listed and _ended(part) else None


def _another_number(answer: Answer, part: Part) -> str | None:
    number = answer.sent.get("n")
    if not isinstance(answer, Generated) or not isinstance(number, int) or number < 2:
        return None
    prompt = answer.sent.get("prompt")
    prompts = len(prompt) if isinstance(prompt, list) and not isinstance(prompt[0], int) else 1
    return "" if len(answer.choices) == number * prompts else f"{len(answer.choices)} for `n: {number}`"


def _no_logprobs(answer: Answer, part: Part) -> str | None:
    if not isinstance(part, Choice) or not part.text or _called(part):
        return None
    if isinstance(answer, Chat):
        return ("" if part.logprobs else "none") if answer.sent.get("logprobs") is True else None
    asked = answer.sent.get("logprobs") is not None and not answer.streamed
    return ("" if part.raw.get("logprobs") else "none") if asked else None


def _unasked_logprobs(answer: Answer, part: Part) -> str | None:
    if not isinstance(part, Choice) or not isinstance(answer, Chat | Completion) or answer.sent.get("logprobs"):
        return None
    if isinstance(answer, Completion) and answer.sent.get("logprobs") is not None:
        return None
    found = part.logprobs if isinstance(answer, Chat) else part.raw.get("logprobs")
    return "some" if found else ""


@check("stop", SHOULD, f"{REQUEST}.stop")
def test_no_text_has_a_stop_string(effects_beside: list[Chat], every: Every) -> None:
    """No text has one of its request's `stop` strings, whatever else the request has."""
    assert_holds(every, _a_stop_string, "a text without the strings of `stop`")


@check("n", SHOULD, f"{REQUEST}.n")
def test_there_are_n_choices(every: Every) -> None:
    """A response has `n` choices, for each prompt, whatever else the request has."""
    assert_holds(every, _another_number, "as many `choices` as `n` says")


@check("logprobs", SHOULD, f"{REQUEST}.logprobs")
def test_each_text_has_logprobs(every: Every) -> None:
    """With `logprobs`, each choice that has text has logprobs, whatever else the request has."""
    assert_holds(every, _no_logprobs, "`logprobs`")


@check("logprobs", SHOULD, f"{REQUEST}.logprobs")
def test_no_logprobs_unless_asked(every: Every) -> None:
    """Without `logprobs`, no choice has any, whatever else the request has."""
    assert_holds(every, _unasked_logprobs, "no `logprobs`")


def _other_tokens(answer: Answer, part: Part) -> str | None:
    """What the tokens of logprobs are, where they are not those of the text. A stop string may end inside a token.

    Tokens of reasoning and calls are left to other checks, also those of a call that a limit truncates.
    """
    if not isinstance(answer, Chat) or not isinstance(part, Choice) or not part.text.strip():
        return None
    if not part.logprobs or part.tool_calls or part.reasoning or answer.sent.get("logprobs") is not True:
        return None
    if answer.sent.get("tools") and part.finish_reason != "stop":
        return None
    text, told = whole(part.text).strip(), part.logprobs
    if spelled(told, part.text).strip() == text:
        return ""
    joined = [spelled(some, part.text).strip() for some in (told, told[:-1])]
    inside = bool(answer.sent.get("stop")) and joined[0].startswith(text) and len(joined[1]) < len(text)
    return "" if inside else shown(joined[0])


@check("logprobs", SHOULD, "openapi:CreateChatCompletionResponse.choices.logprobs.content")
def test_logprobs_spell_the_text(stops_beside: list[Chat], every: Every) -> None:
    """The tokens of `logprobs.content` concatenate to `content` in each response, whatever else the request has."""
    assert_holds(every, _other_tokens, "the tokens of `content` in `logprobs.content`")


# Sampling


UNLIKELY = 3
"""How much less a token's `logprob` must be than the likeliest one's. A model's own settings may have a small penalty
for repetition, which moves tokens by less, and servers report `logprob` without it."""


def _an_unlikely_token(answer: Answer, part: Part) -> str | None:
    """Which token is not the likeliest, where no other can be drawn. A grammar and a penalty allow or prefer others."""
    sent = answer.sent
    changed = ("response_format", "logit_bias", "frequency_penalty", "presence_penalty")
    greedy = sent.get("temperature") == 0 or sent.get("top_p") in (0, 1e-6)
    if not isinstance(part, Choice) or not greedy or any(map(sent.get, changed)) or _called(part):
        return None
    if not isinstance(answer, Chat) or sent.get("tool_choice") not in (None, "auto", "none") or not part.logprobs:
        return None
    for entry in part.logprobs:
        values = [one.get("logprob") for one in (entry, *(entry.get("top_logprobs") or ()))]
        if len(values) < 2 or not all(isinstance(value, int | float) for value in values):
            return None
        if values[0] < max(values) - UNLIKELY:
            return f"{shown(entry.get('token'))} with {values[0]:.2f}, where the likeliest has {max(values):.2f}"
    return ""


@check("temperature", SHOULD, "de-facto:temperature 0 is greedy")
def test_the_likeliest_token_is_taken(likely_beside: list[Chat], every: Every) -> None:
    """At `temperature: 0` or with a tiny `top_p`, each token is the likeliest one, whatever else the request has."""
    assert_holds(every, _an_unlikely_token, "the likeliest tokens")


# Streams

LONG = 80
"""Characters of a text that no server makes in one step, even if it accepts several tokens that were guessed."""


def _in_one_piece(answer: Answer, part: Part) -> str | None:
    """A grammar may force many tokens at once, a prediction may be accepted as a whole, and an echo is no work."""
    if not isinstance(answer, Chat | Completion) or not isinstance(part, Choice) or not answer.streamed:
        return None
    if any(answer.sent.get(name) for name in ("response_format", "prediction", "echo")) or len(part.text) < LONG:
        return None
    texts = [(raw.get("delta") or {}).get("content") or raw.get("text") for raw in answer.pieces(part.index)]
    return "" if len(list(filter(None, texts))) > 1 else f"one with {len(part.text)} characters"


@check("streaming", SHOULD, f"{REQUEST}.stream")
def test_long_texts_come_in_pieces(think_count_streamed: Chat, every: Every) -> None:
    """Each stream of a long text has several chunks with text, whatever else the request has."""
    assert_holds(every, _in_one_piece, "several chunks with text")


# The end


def _an_unfit_end(answer: Answer, part: Part) -> str | None:
    if not isinstance(answer, Chat) or not isinstance(part, Choice) or answer.sent.get("functions"):
        return None
    if part.finish_reason == "tool_calls":
        return "" if _called(part) else "`tool_calls` without calls"
    free = answer.sent.get("tool_choice") in (None, "auto")
    return f"{shown(part.finish_reason)} with calls" if _called(part) and free and _ended(part) else None


@check("tools", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_finish_reason_tells_of_calls(every: Every) -> None:
    """`finish_reason` of each choice is `tool_calls` if the model called tools, and only then."""
    assert_holds(every, _an_unfit_end, "the `finish_reason` `tool_calls` with calls, and no other")
