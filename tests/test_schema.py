"""The schemas of response objects: valid, right about real bodies, and in agreement with the official SDK's types."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.pagination import SyncPage
from openai.types import Completion, CreateEmbeddingResponse, Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from openai.types.shared import ErrorObject

from conformance.answers import sse
from conformance.kit.schema import MISSING, SCHEMAS, Problem, check_schema, names, validate_against, violations

RECORDED = json.loads((Path(__file__).parent / "data" / "ollama-0.33.0-rc2.json").read_text("utf-8"))


def brief(problems: list[Problem]) -> list[str]:
    return [f"{problem.path}: {problem.rule}" for problem in problems]


# --- the schemas themselves


@pytest.mark.parametrize("name", names())
def test_each_schema_is_valid_and_has_its_own_id(name: str) -> None:
    schema = json.loads((SCHEMAS / f"{name}.json").read_bytes())
    assert check_schema(schema) is None
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://openai-conformance.invalid/schemas/{name}.json"
    violations({}, name)  # every reference resolves, or this raises


@pytest.mark.parametrize("name", [name for name in names() if name.endswith(".full")])
def test_the_full_form_implies_what_a_client_needs(name: str) -> None:
    for place, value in mutations(RICH[name.removesuffix(".full")]):
        if violations(value, name.removesuffix(".full")):
            assert violations(value, name), place


# --- real bodies

BODIES = {
    "chat-basic": "chat.completion",
    "chat-logprobs": "chat.completion",
    "chat-stream": "chat.completion.chunk",
    "chat-logprobs-stream": "chat.completion.chunk",
    "tools-parallel": "chat.completion",
    "tools-parallel-stream": "chat.completion.chunk",
    "tools-auto-stream": "chat.completion.chunk",
    "completions-basic": "text_completion",
    "completions-stream": "text_completion.chunk",
    "embeddings-dimensions": "embeddings",
    "models-list": "models",
    "models-get": "model",
    "error-unknown-model": "error",
    "error-bad-json": "error",
    "chat-top-logprobs-21": "error",
    "reasoning": "chat.completion",
    "responses-basic": "response",
    "responses-tools": "response",
    "responses-stream": "response.event",
}

NO_LOGPROBS = "choices[0].logprobs: is required"
NO_REFUSAL = "choices[0].message.refusal: is required"
NO_CACHE_WRITES = "usage.input_tokens_details.cache_write_tokens: is required"

LESS_THAN_FULL = {
    "chat-basic": {NO_LOGPROBS, NO_REFUSAL},
    "chat-logprobs": {"choices[0].logprobs.refusal: is required", NO_REFUSAL},
    "chat-logprobs-stream": {"choices[0].logprobs.refusal: is required"},
    "tools-parallel": {NO_LOGPROBS, NO_REFUSAL},
    "reasoning": {NO_LOGPROBS, NO_REFUSAL},
    "completions-basic": {NO_LOGPROBS},
    "completions-stream": {NO_LOGPROBS},
    "responses-basic": {NO_CACHE_WRITES},
    "responses-tools": {NO_CACHE_WRITES},
    "responses-stream": {"response." + NO_CACHE_WRITES},
}
"""What Ollama leaves out of the published form; bodies that are not listed are complete."""


def values(scenario: str) -> list[Any]:
    body = RECORDED[scenario]["body"]
    if not scenario.endswith("stream"):
        return [json.loads(body)]
    return [json.loads(event.data) for event in sse.parse(body.encode()).events if event.data != "[DONE]"]


@pytest.mark.parametrize(("scenario", "name"), BODIES.items())
def test_real_bodies_are_valid_and_fall_short_of_the_full_form_as_listed(scenario: str, name: str) -> None:
    assert [problem for value in values(scenario) for problem in violations(value, name)] == []
    if f"{name}.full" in names():
        found = {text for value in values(scenario) for text in brief(violations(value, f"{name}.full"))}
        assert found == LESS_THAN_FULL.get(scenario, set())


def test_a_real_plain_text_error_is_no_envelope() -> None:
    text = RECORDED["error-unknown-path"]["body"]
    assert violations(text, "error")[0] == Problem(
        "$",
        "must be an object (MUST: official clients show message and type. A numeric code is tolerated here)",
        '"404 page not found"',
    )


# --- agreement with the official SDK

USAGE = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
TOKEN = {"token": "a", "logprob": -0.5, "bytes": [97]}
LOGPROBS = {"content": [{**TOKEN, "top_logprobs": [TOKEN]}], "refusal": None}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CUSTOM = {"id": "call_2", "type": "custom", "custom": {"name": "g", "input": "x"}}
CHAT = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m"}
CHUNK = {**CHAT, "object": "chat.completion.chunk"}
TEXT = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m"}
MODEL = {"id": "m", "object": "model", "created": 1, "owned_by": "me"}
EMBEDDING = {"object": "embedding", "index": 0, "embedding": [0.5]}
RESPONSE = {"id": "resp_1", "object": "response", "created_at": 1, "model": "m"}
PART = {"type": "output_text", "text": "a", "annotations": []}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [PART]}
FUNCTION_CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}]}
RESPONSE_USAGE = {
    "input_tokens": 1,
    "output_tokens": 2,
    "total_tokens": 3,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}
ECHOES = {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}

MINIMAL: dict[str, Any] = {
    "chat.completion": CHAT | {"choices": [{"index": 0, "message": {"role": "assistant"}, "finish_reason": "stop"}]},
    "chat.completion.chunk": CHUNK | {"choices": []},
    "text_completion": TEXT | {"choices": [{"index": 0, "text": "a", "finish_reason": "stop"}]},
    "text_completion.chunk": TEXT | {"choices": []},
    "embeddings": {
        "object": "list",
        "data": [EMBEDDING],
        "model": "m",
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
    "model": MODEL,
    "models": {"object": "list", "data": []},
    "error": {"error": {"message": "no", "type": "invalid_request_error"}},
    "response": RESPONSE | {"output": []},
    "response.event": {"type": "error", "sequence_number": 0, "message": "no"},
}
"""The least that MUST accepts."""

RICH: dict[str, Any] = {
    "chat.completion": CHAT
    | {
        "system_fingerprint": "fp",
        "service_tier": "default",
        "usage": USAGE | {"prompt_tokens_details": {"cached_tokens": 0}},
        "choices": [
            {
                "index": 0,
                "finish_reason": "tool_calls",
                "logprobs": LOGPROBS,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "refusal": None,
                    "tool_calls": [CALL, CUSTOM],
                    "function_call": {"name": "f", "arguments": "{}"},
                },
            }
        ],
    },
    "chat.completion.chunk": CHUNK
    | {
        "usage": None,
        "choices": [
            {
                "index": 0,
                "finish_reason": None,
                "logprobs": LOGPROBS,
                "delta": {"role": "assistant", "content": "a", "tool_calls": [{"index": 0, **CALL}]},
            }
        ],
    },
    "text_completion": TEXT
    | {
        "usage": USAGE,
        "choices": [
            {
                "index": 0,
                "text": "a",
                "finish_reason": "length",
                "logprobs": {
                    "tokens": ["a"],
                    "token_logprobs": [-0.5],
                    "top_logprobs": [{"a": -0.5}],
                    "text_offset": [0],
                },
            }
        ],
    },
    "text_completion.chunk": TEXT | {"choices": [{"index": 0, "text": "a", "finish_reason": "stop", "logprobs": None}]},
    "embeddings": MINIMAL["embeddings"],
    "model": MODEL,
    "models": {"object": "list", "data": [MODEL]},
    "error": {"error": {"message": "no", "type": "invalid_request_error", "param": "model", "code": "no_model"}},
    "response": RESPONSE
    | ECHOES
    | {
        "status": "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"},
        "instructions": None,
        "metadata": {"a": "b"},
        "temperature": 1,
        "top_p": 0.5,
        "output": [MESSAGE, FUNCTION_CALL, REASONING],
        "usage": RESPONSE_USAGE,
    },
    "response.event": {
        "type": "response.output_text.delta",
        "sequence_number": 4,
        "item_id": "msg_1",
        "output_index": 0,
        "content_index": 0,
        "delta": "a",
        "logprobs": [{"token": "a", "logprob": -0.5}],
    },
}
"""Values with everything in them that both sides know."""

PLACE = {"item_id": "i", "output_index": 0, "sequence_number": 1}
SNAPSHOT = RESPONSE | ECHOES | {"output": [MESSAGE]}
EVENTS: list[dict[str, Any]] = [
    *({"type": f"response.{kind}", "sequence_number": 0, "response": SNAPSHOT} for kind in ("created", "queued")),
    {"type": "response.in_progress", "sequence_number": 0, "response": SNAPSHOT | {"status": "in_progress"}},
    {"type": "response.completed", "sequence_number": 0, "response": SNAPSHOT | {"status": "completed"}},
    {"type": "response.incomplete", "sequence_number": 0, "response": SNAPSHOT | {"status": "incomplete"}},
    {"type": "response.failed", "sequence_number": 0, "response": SNAPSHOT | {"status": "failed"}},
    {"type": "response.output_item.added", "sequence_number": 0, "output_index": 0, "item": FUNCTION_CALL},
    {"type": "response.output_item.done", "sequence_number": 0, "output_index": 0, "item": MESSAGE},
    {"type": "response.content_part.added", **PLACE, "content_index": 0, "part": PART},
    {"type": "response.content_part.done", **PLACE, "content_index": 0, "part": PART},
    {"type": "response.output_text.delta", **PLACE, "content_index": 0, "delta": "a", "logprobs": []},
    {"type": "response.output_text.done", **PLACE, "content_index": 0, "text": "a", "logprobs": []},
    {"type": "response.refusal.delta", **PLACE, "content_index": 0, "delta": "no"},
    {"type": "response.refusal.done", **PLACE, "content_index": 0, "refusal": "no"},
    {"type": "response.reasoning_text.delta", **PLACE, "content_index": 0, "delta": "hm"},
    {"type": "response.reasoning_text.done", **PLACE, "content_index": 0, "text": "hm"},
    {"type": "response.function_call_arguments.delta", **PLACE, "delta": "{"},
    {"type": "response.function_call_arguments.done", **PLACE, "arguments": "{}"},
    {"type": "error", "sequence_number": 0, "message": "no", "code": None, "param": None},
]

SDK: dict[str, Any] = {
    "chat.completion": ChatCompletion,
    "chat.completion.chunk": ChatCompletionChunk,
    "text_completion": Completion,
    "text_completion.chunk": Completion,
    "embeddings": CreateEmbeddingResponse,
    "model": Model,
    "models": SyncPage[Model],
    "error": pydantic.create_model("Envelope", error=(ErrorObject, ...)),
    "response": Response,
    "response.event": ResponseStreamEvent,
}

DIFFERENCES = [
    # MUST refuses what the SDK's type accepts, because …
    (
        "stricter",
        r"(\.id|_id) = \"\"",
        "an empty id identifies nothing; a tool's result is sent back under it",
    ),
    ("stricter", r"\.name = \"\"", "a call of nothing cannot be answered"),
    ("stricter", r"\.message = \"\"", "an error says what is wrong"),
    ("stricter", r"choices = \[\]", "clients read choices[0] of an answer"),
    ("stricter", r"(data|embedding) = \[\]", "every input has a vector, and every vector numbers"),
    ("stricter", r" = -1(\.0)?", "counts, indices, bytes and times do not run below zero"),
    ("stricter", r"(logprob|token_logprobs\[0\]|\.a) = 1(\.5|\.0)", "no probability is above one"),
    ("stricter", r"models \$\.object = .*", "the SDK's page reads any string; the document says `list`"),
    # MUST accepts what the SDK's type refuses, because …
    ("looser", r"chat\.completion.* \$\.choices\[0\]\.logprobs\b.*", "logprobs have a check and a schema of their own"),
    ("looser", r".* = 1\.0", "1.0 is an integer in JSON Schema, and a float in Python"),
    ("looser", r"\.service_tier = .*", "a growing enumeration of a product that other servers have not"),
    ("looser", r"(token_logprobs\[0\]|\.a|top_logprobs\[0\]) = null", "so for the first token of an echo"),
    (
        "looser",
        r"text_completion.chunk .*\.finish_reason (gone|= null)",
        "null until the end, as OpenAI streams it",
    ),
    ("looser", r"\.embedding = \"x\"", "base64, which the SDK asks for and decodes before its type sees it"),
    ("looser", r"\.code = -1", "many servers repeat the status; SHOULD"),
    ("looser", r"\.(tools|tool_choice|parallel_tool_calls) (gone|= .*)", "they repeat the request; SHOULD"),
    ("looser", r"put_tokens_details.*", "a breakdown of costs; SHOULD"),
    ("looser", r"response.event.* \$\.logprobs (gone|= null)", "absent where nobody asked for them; SHOULD"),
    ("looser", r"(output\[.\]|item|event.* \$)\.type = .*", "kinds of item and event that only OpenAI has"),
    ("looser", r"summary\[0\]\.type = .*", "told from other texts by its place, not by its type"),
]
"""Every deliberate difference from the official SDK's types: which way, where (a pattern of a mutation), why."""

EVEN_THE_LEAST = {"response": ECHOES}
"""What the least that MUST accepts still lacks for the SDK's type: see `DIFFERENCES`."""


@cache
def adapter(name: str) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(SDK[name])


def sdk_accepts(name: str, value: Any) -> bool:
    try:
        adapter(name).validate_json(json.dumps(value), strict=True)
    except pydantic.ValidationError:
        return False
    return True


OTHERS: list[Any] = [None, True, -1, 1.0, 1.5, "", "x", [], {}]


def mutations(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    """The value with one place of it taken out, or replaced by each of `OTHERS`; and which place, and how."""
    for other in OTHERS:
        yield f"{path} = {json.dumps(other)}", other
    if isinstance(value, dict):
        for key, inner in value.items():
            place = f"{path}.{key}"
            yield f"{place} gone", {one: value[one] for one in value if one != key}
            for how, changed in mutations(inner, place):
                yield how, {**value, key: changed}
    if isinstance(value, list):
        for index, inner in enumerate(value):
            for how, changed in mutations(inner, f"{path}[{index}]"):
                yield how, [*value[:index], changed, *value[index + 1 :]]


def examples() -> Iterator[tuple[str, str, Any]]:
    """Name of the schema, a label, and a value with everything that both sides know."""
    for name, value in RICH.items():
        yield name, name, value
    for event in EVENTS:
        yield "response.event", f"response.event {event['type']}", event


@pytest.mark.parametrize("name", MINIMAL)
def test_the_least_that_a_client_needs_is_what_the_sdk_needs(name: str) -> None:
    assert violations(MINIMAL[name], name) == []
    assert sdk_accepts(name, MINIMAL[name] | EVEN_THE_LEAST.get(name, {}))
    for place, value in mutations(MINIMAL[name]):
        if place.endswith(" gone"):
            assert violations(value, name), place
            assert not sdk_accepts(name, value), place


def test_the_sdk_differs_only_as_listed_under_every_mutation() -> None:
    used, unlisted = set(), []
    for name, label, example in examples():
        assert violations(example, name) == []
        assert sdk_accepts(name, example), label
        for place, value in mutations(example):
            ours = not violations(value, name)
            if ours == sdk_accepts(name, value):
                continue
            way, where = ("looser" if ours else "stricter"), f"{label} {place}"
            row = next((row for row in DIFFERENCES if row[0] == way and re.search(row[1] + "$", where)), None)
            if row:
                used.add(row)
            else:
                unlisted.append(f"{way}: {where}")
    assert unlisted == []
    assert set(DIFFERENCES) - used == set(), "rows that describe nothing"


@pytest.mark.parametrize("name", RICH)
def test_unknown_keys_are_welcome_everywhere(name: str) -> None:
    def widened(value: Any) -> Any:
        if isinstance(value, dict):
            extra = {} if set(value) <= {"a"} else {"x_vendor": {"deep": [1, None]}}
            return {key: widened(inner) for key, inner in value.items()} | extra
        return [widened(inner) for inner in value] if isinstance(value, list) else value

    assert violations(widened(RICH[name]), name) == []


# --- nulls, and what the messages say


def chunk(choice: Any = None, **more: Any) -> dict[str, Any]:
    return CHUNK | {"choices": [] if choice is None else [{"index": 0, **choice}]} | more


@pytest.mark.parametrize(
    "value",
    [
        chunk({"delta": {}, "finish_reason": None}, usage=None),
        chunk({"delta": {"content": "a"}, "finish_reason": None, "logprobs": None}, system_fingerprint=None),
        chunk({"delta": {"role": "assistant", "content": None, "refusal": None}, "finish_reason": None}),
        chunk({"delta": {}, "finish_reason": "stop"}),
        chunk(usage=USAGE),
    ],
)
def test_nulls_of_a_stream_are_legal(value: Any) -> None:
    assert violations(value, "chat.completion.chunk") == []
    assert violations(value, "chat.completion.chunk.full") == []


def chat(message: Any, finish_reason: Any = "stop", **more: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": None, "refusal": None, **message}
    choice = {"index": 0, "message": message, "finish_reason": finish_reason, "logprobs": None}
    return CHAT | {"choices": [choice]} | more


def test_null_content_beside_tool_calls_is_the_complete_form() -> None:
    assert violations(chat({"tool_calls": [CALL]}, "tool_calls", usage=USAGE), "chat.completion.full") == []


def test_arguments_as_an_object_are_named_by_path() -> None:
    call = CALL | {"function": {"name": "f", "arguments": {"city": "Zürich"}}}
    (problem,) = violations(chat({"tool_calls": [CALL, call]}), "chat.completion")
    assert problem == Problem(
        "choices[0].message.tool_calls[1].function.arguments",
        "must be a string (JSON in a string, which the client parses; not the object itself)",
        '{"city": "Zürich"}',
    )
    streamed = chunk({"delta": {"tool_calls": [{"index": 0, "function": {"arguments": {}}}]}})
    (problem,) = violations(streamed, "chat.completion.chunk")
    assert problem.path == "choices[0].delta.tool_calls[0].function.arguments"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (chat({}, None), "choices[0].finish_reason: must be one of"),
        (chat({}, "eos"), "choices[0].finish_reason: must be one of"),
        (chat({"role": "model"}), 'choices[0].message.role: must be "assistant"'),
        (chat({"content": [{"type": "text"}]}), "choices[0].message.content: must be a string or null"),
        (chat({}, created="now"), "created: must be an integer"),
        (chat({}, created=1795390790123), "created: must be at most"),
        (chat({}, usage={}), "usage.prompt_tokens: is required"),
        (chat({}, usage=USAGE | {"total_tokens": -1}), "usage.total_tokens: must be at least 0"),
        (chat({}, choices=[]), "choices: must not be empty"),
        (chat({"tool_calls": [{**CALL, "type": "tool"}]}), "choices[0].message.tool_calls[0].type: must be"),
        (
            chat({"tool_calls": [{**CALL, "id": ""}]}),
            "choices[0].message.tool_calls[0].id: must not be empty",
        ),
        (
            chat({"tool_calls": [{**CUSTOM, "custom": {}}]}),
            "choices[0].message.tool_calls[0].custom.name: is",
        ),
    ],
)
def test_a_problem_says_where_and_what(value: Any, expected: str) -> None:
    assert brief(violations(value, "chat.completion"))[0].startswith(expected)


def test_every_missing_key_is_a_problem_of_its_own_and_shallow_ones_come_first() -> None:
    value = {"object": "chat.completion", "created": 1, "choices": [{"index": 0, "message": {}}]}
    problems = violations(value, "chat.completion")
    assert [problem.path for problem in problems] == [
        "id",
        "model",
        "choices[0].finish_reason",
        "choices[0].message.role",
    ]
    assert {problem.actual for problem in problems} == {MISSING}


def test_numbers_that_json_does_not_have_are_no_numbers() -> None:
    value = json.loads('{"object": "embedding", "index": 0, "embedding": [NaN, 1, -Infinity]}')
    problems = violations(MINIMAL["embeddings"] | {"data": [value]}, "embeddings")
    assert [problem.path for problem in problems] == ["data[0].embedding[0]", "data[0].embedding[2]"]


def test_an_event_is_judged_by_its_type() -> None:
    event = {"type": "response.output_item.done", "sequence_number": 1, "output_index": 0}
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}
    assert brief(violations(event | {"item": call}, "response.event"))[0].startswith("item.arguments: must be a string")
    assert brief(violations({"sequence_number": 1}, "response.event")) == ["type: is required"]
    assert violations({"type": "response.web_search_call.searching", "sequence_number": 1}, "response.event") == []
    status = {"type": "response.completed", "sequence_number": 0, "response": SNAPSHOT | {"status": "failed"}}
    assert [problem.path for problem in violations(status, "response.event")] == ["response.status"]


def test_an_incomplete_response_says_why() -> None:
    value = RICH["response"] | {"status": "incomplete", "incomplete_details": None}
    assert violations(value, "response") == []
    assert "incomplete_details" in [problem.path for problem in violations(value, "response.full")]


def test_a_numeric_code_is_tolerated_and_short_of_the_full_form() -> None:
    value = {"error": {"message": "no", "type": "BadRequestError", "param": None, "code": 400}}
    assert violations(value, "error") == []
    (problem,) = violations(value, "error.full")
    assert (problem.path, problem.actual) == ("error.code", "400")


def test_an_unknown_name_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match=r"there is no schema 'chat'; there are chat\.completion, "):
        violations({}, "chat")


# --- schemas of requests

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "multipleOf": 2}},
    "required": ["city"],
    "additionalProperties": False,
}


def test_a_value_is_judged_by_the_schema_of_a_request() -> None:
    assert validate_against({"city": "Oslo"}, CITY) == []
    assert brief(validate_against({"days": 3, "a b": 1}, CITY)) == [
        "city: is required",
        '$: must have no keys other than "city", "days"',
        "days: must satisfy `multipleOf`: 3 is not a multiple of 2",
    ]
    assert validate_against("no mail address", {"type": "string", "format": "email"}) == []
    assert validate_against(1, True) == []
    assert validate_against(
        {"a": {"b c": 1}}, {"additionalProperties": {"additionalProperties": {"type": "null"}}}
    ) == [Problem('a["b c"]', "must be null", "1")]


def test_of_several_forms_the_nearest_is_explained() -> None:
    schema = {"anyOf": [{"type": "null"}, CITY]}
    assert brief(validate_against({"city": 1}, schema)) == ["city: must be a string"]
    assert brief(validate_against({"days": "3"}, schema)) == ["city: is required", "days: must be an integer"]
    assert brief(validate_against(1, {"anyOf": [{"type": "null"}, {"type": "string"}]})) == [
        "$: must match one of the 2 alternatives"
    ]


def test_a_long_value_is_cut() -> None:
    (problem,) = validate_against("x" * 1000, {"type": "null"})
    assert len(problem.actual) == 200
    assert problem.actual.endswith("…")


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "nonsense"}, "type: "),
        ({"properties": []}, "properties: "),
        ({"pattern": "("}, "pattern: "),
        ({"required": "city"}, "required: "),
        ("object", "$: "),
        (None, "$: "),
    ],
)
def test_what_is_no_schema_is_refused_with_the_place(schema: Any, why: str) -> None:
    broken = check_schema(schema)
    assert broken is not None
    assert broken.startswith(why)
    with pytest.raises(ValueError, match=re.escape(broken)):
        validate_against({}, schema)


def test_references_are_never_fetched_nor_followed_without_end() -> None:
    with pytest.raises(ValueError, match=r"refers to 'http://127\.0\.0\.1:9/x\.json', which is not in it"):
        validate_against({}, {"$ref": "http://127.0.0.1:9/x.json"})
    with pytest.raises(ValueError, match="endlessly"):
        validate_against({}, {"$ref": "#"})
    tree = {"properties": {"next": {"$ref": "#"}}, "type": "object"}
    assert brief(validate_against({"next": {"next": 1}}, tree)) == ["next.next: must be an object"]


def test_of_several_forms_the_nearest_is_complained_of() -> None:
    inner = {"type": "object", "properties": {"b": {"type": "string"}}}
    forms = [{"type": "object", "properties": {"a": inner}}, {"type": "object", "required": ["c"]}]
    assert brief(validate_against({"a": {"b": 1}}, {"anyOf": forms})) == ["a.b: must be a string"]
    assert brief(validate_against([1], {"minItems": 2})) == ["$: must have at least 2 items"]


def test_a_schema_may_be_too_deep() -> None:
    deep: dict[str, Any] = {}
    for _ in range(2000):
        deep = {"not": deep}
    assert check_schema(deep) == "$: the schema is too deep"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
    max_leaves=10,
)


@given(json_values, st.sampled_from(names()))
def test_any_value_is_judged_in_printable_text(value: Any, name: str) -> None:
    for problem in violations(value, name):
        assert len(problem.actual) <= 200
        str(problem).encode("utf-8")
        assert problem.path
        assert problem.rule
