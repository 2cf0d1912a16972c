"""The reference server on a real socket: what it answers, that its numbers are true, and that each fault shows."""

from __future__ import annotations

import base64
import io
import json
import math
import re
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import openai
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import BaseModel

from tests.reference import faults, jsongen, killmatrix, model, tokens
from tests.reference.app import App, create_app
from tests.reference.brain import STORY
from tests.reference.faults.kit import add
from tests.reference.server import running

Json = dict[str, Any]
COUNT = "Count from 1 to 10"
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


DEFAULT = {"model": "reference", "temperature": 0}
DEFAULTS: dict[str, Json] = {"/embeddings": {"model": "reference-embedding"}}


class Server:
    """The server and the two clients that the tests ask it with."""

    def __init__(self, app: App, url: str) -> None:
        self.app, self.url = app, url
        self.http = httpx2.Client(base_url=f"{url}/v1", timeout=20)
        self.sdk = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)

    def post(self, path: str, body: Any, **options: Any) -> httpx2.Response:
        return self.http.post(path, json=DEFAULTS.get(path, DEFAULT) | body, **options)

    def chat(self, prompt: Any, **params: Any) -> Json:
        """The answer to one user message, or to a whole history."""
        messages = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        response = self.post("/chat/completions", {"messages": messages, **params})
        assert response.status_code == 200, response.text
        return dict(response.json())

    def choice(self, prompt: Any, **params: Any) -> Json:
        return dict(self.chat(prompt, **params)["choices"][0])

    def text(self, prompt: Any, **params: Any) -> Any:
        return self.choice(prompt, **params)["message"]["content"]

    def stream(self, prompt: str, **params: Any) -> list[Json]:
        """The chunks of a streamed answer."""
        messages = [{"role": "user", "content": prompt}]
        response = self.post("/chat/completions", {"messages": messages, "stream": True, **params})
        lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
        assert lines[-1] == "[DONE]"
        return [json.loads(line) for line in lines[:-1]]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    app = create_app()
    with running(app) as url:
        yield Server(app, url)


def turn(*messages: tuple[str, str]) -> list[Json]:
    return [{"role": role, "content": content} for role, content in messages]


def data_url(colour: str, kind: str = "png") -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (224, 224), "#00ff00" if colour == "green" else colour).save(buffer, kind)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def with_images(text: str, *urls: str) -> list[Json]:
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    return [{"role": "user", "content": [{"type": "text", "text": text}, *images]}]


# What it answers


@pytest.mark.parametrize(
    ("prompt", "answer"),
    [
        (COUNT, "1, 2, 3, 4, 5, 6, 7, 8, 9, 10"),
        ("What is the capital of France?", "Paris"),
        ("Repeat after me: naïve café 你好 🚀", "naïve café 你好 🚀"),
        ("Give me a JSON object with name Alice, age 30.", '{"name": "Alice", "age": 30}'),
        ("Extract name and age as JSON: Carol is 27 years old.", '{"name": "Carol", "age": 27}'),
        ("Tell me a story.", STORY),
        ("Hello", "Hello!"),
        ("Why is the sky blue?", "I do not know."),
        (turn(("system", "Always answer with the word KIWI."), ("user", COUNT)), "KIWI"),
        (turn(("developer", "Only answer with the word ZULU."), ("user", "Hi")), "ZULU"),
        (
            [
                {"role": "user", "content": "My name is Alice."},
                {"role": "assistant", "content": "Nice to meet you, Alice."},
                {"role": "user", "content": [{"type": "text", "text": "What is my name?"}]},
            ],
            "Alice",
        ),
        (turn(("system", "The secret word is zebra."), ("user", "What is the secret word?")), "zebra"),
    ],
)
def test_answers(server: Server, prompt: Any, answer: str) -> None:
    assert server.choice(prompt) == {
        "index": 0,
        "message": {"role": "assistant", "content": answer, "refusal": None, "annotations": []},
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_reasoning_is_apart_and_can_be_switched_off(server: Server) -> None:
    prompt = "Think first. What is the capital of France?"
    answer = server.chat(prompt)
    message = answer["choices"][0]["message"]
    assert (message["content"], message["reasoning_content"]) == (
        "Paris",
        "The user says: What is the capital of France?",
    )
    assert 0 < answer["usage"]["completion_tokens_details"]["reasoning_tokens"] < answer["usage"]["completion_tokens"]
    assert "reasoning_content" not in server.choice(prompt, reasoning_effort="none")["message"]


@pytest.mark.parametrize(
    ("prompt", "params", "calls", "finish"),
    [
        ("What is the weather in Paris?", {}, [{"city": "Paris"}], "tool_calls"),
        ("What is the weather in Paris and London?", {}, [{"city": "Paris"}, {"city": "London"}], "tool_calls"),
        ("What is the weather in Rome and Oslo?", {"parallel_tool_calls": False}, [{"city": "Rome"}], "tool_calls"),
        ("What is the capital of France?", {}, [], "stop"),
        ("What is the weather in Paris?", {"tool_choice": "none"}, [], "stop"),
        ("Hello", {"tool_choice": "required"}, [{"city": "none"}], "tool_calls"),
        (
            "What is the weather in Paris?",
            {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}},
            [{"city": "Paris"}],
            "stop",
        ),
    ],
)
def test_tools(server: Server, prompt: str, params: Json, calls: list[Json], finish: str) -> None:
    choice = server.choice(prompt, tools=[WEATHER], **params)
    made = choice["message"].get("tool_calls", [])
    assert [json.loads(call["function"]["arguments"]) for call in made] == calls
    assert choice["finish_reason"] == finish
    assert len({call["id"] for call in made}) == len(made)
    assert (choice["message"]["content"] is None) == bool(calls)


def test_tool_arguments_come_from_the_prompt(server: Server) -> None:
    def tool(name: str, required: list[str], **properties: Json) -> Json:
        parameters = {"type": "object", "properties": properties, "required": required}
        return {"type": "function", "function": {"name": name, "parameters": parameters}}

    integer, string = {"type": "integer"}, {"type": "string"}
    tools = [
        tool("add", ["a", "b"], a=integer, b=integer),
        tool("search_web", ["query"], query=string, limit=integer),
        tool("make", ["title"], title=string, colour={"enum": ["red", "blue"]}, size={"type": ["integer", "null"]}),
        tool("noop", []),
        tool("nested", ["place"], place={"type": "object", "properties": {"city": string}, "required": ["city"]}),
    ]

    def arguments(prompt: str) -> Any:
        return json.loads(server.choice(prompt, tools=tools)["message"]["tool_calls"][0]["function"]["arguments"])

    assert arguments("Add 3 and 5.") == {"a": 3, "b": 5}
    assert arguments("Search for red foxes") == {"query": "red foxes"}
    assert arguments("Call make with title Big Party and colour blue.") == {"title": "Big Party", "colour": "blue"}
    assert arguments("Call make with title Party and size 7.") == {"title": "Party", "size": 7}
    assert arguments("Call noop.") == {}
    assert arguments("Call nested with city Rome.") == {"place": {"city": "Rome"}}


def test_tool_results_are_answered(server: Server) -> None:
    call = {"type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    history: list[Json] = [
        {"role": "user", "content": "What is the weather in Paris and London?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a", **call}, {"id": "b", **call}]},
        {"role": "tool", "tool_call_id": "a", "content": "sunny"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "rainy"}]},
    ]
    assert server.text(history, tools=[WEATHER]) == "The results are: sunny; rainy"
    for broken in (history[:-1], history[:2], [history[0], history[2]], [*history, history[2]]):
        assert server.post("/chat/completions", {"messages": broken}).status_code == 400


def test_images(server: Server) -> None:
    colours = ("red", "blue", "yellow", "black", "white", "orange", "green")
    assert [server.text(with_images("What color is it?", data_url(c))) for c in colours] == list(colours)
    two = with_images("What color is it?", data_url("red", "jpeg"), data_url("blue", "webp"))
    assert server.text(two) == "red and blue"
    plain = server.chat("What color is it?")["usage"]["prompt_tokens"]
    assert server.chat(two)["usage"]["prompt_tokens"] == plain + 2 * (64 + 2)


# The wire


SAME = [
    (COUNT, {}),
    (COUNT, {"stop": ["4, 5"]}),
    (COUNT, {"max_tokens": 7}),
    (COUNT, {"logprobs": True, "top_logprobs": 2, "n": 2}),
    (COUNT, {"temperature": 1.3, "seed": 5, "n": 3}),
    ("Repeat after me: 🚀é🚀", {"logprobs": True}),
    ("Repeat after me: 🚀🚀", {"max_tokens": 4, "logprobs": True}),
    ("Think first. Hello", {}),
    ("What is the weather in Paris and London?", {"tools": [WEATHER]}),
    ("What is the weather in Paris?", {"tools": [WEATHER], "max_tokens": 24}),
    ("Hello", {"response_format": {"type": "json_object"}}),
]


@pytest.mark.parametrize(("prompt", "params"), SAME)
def test_a_stream_says_the_same(server: Server, prompt: str, params: Json) -> None:
    plain = server.chat(prompt, **params)
    chunks = server.stream(prompt, stream_options={"include_usage": True}, **params)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == plain["usage"]
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert len({(chunk["id"], chunk["created"], chunk["object"]) for chunk in chunks}) == 1
    for choice in plain["choices"]:
        parts = [c for chunk in chunks for c in chunk["choices"] if c["index"] == choice["index"]]
        deltas = [part["delta"] for part in parts]
        assert [delta.get("role") for delta in deltas] == ["assistant"] + [None] * (len(deltas) - 1)
        assert "".join(delta.get("content") or "" for delta in deltas) == (choice["message"]["content"] or "")
        thought = "".join(delta.get("reasoning_content") or "" for delta in deltas)
        assert thought == choice["message"].get("reasoning_content", "")
        assert [part["finish_reason"] for part in parts] == [None] * (len(parts) - 1) + [choice["finish_reason"]]
        if choice["logprobs"]:
            entries = [e for part in parts if part["logprobs"] for e in part["logprobs"]["content"]]
            assert entries == choice["logprobs"]["content"]
        calls = [call for delta in deltas for call in delta.get("tool_calls", [])]
        for index, call in enumerate(choice["message"].get("tool_calls", [])):
            mine = [other for other in calls if other["index"] == index]
            assert [bool(other.get("id")) for other in mine] == [True] + [False] * (len(mine) - 1)
            assert mine[0]["function"]["name"] == call["function"]["name"]
            assert "".join(other["function"]["arguments"] for other in mine) == call["function"]["arguments"]


def test_streams_are_incremental(server: Server) -> None:
    body = {"model": "reference", "messages": [{"role": "user", "content": "Tell me a story."}], "stream": True}
    with server.http.stream("POST", "/chat/completions", json=body) as response:
        times = [time.monotonic() for _ in response.iter_raw()]
    assert times[-1] - times[0] > 0.05  # 140 tokens, a millisecond each at least


def test_a_client_that_goes_away_stops_generation(server: Server) -> None:
    prompt = "Count from 1 to 900"
    body = {"model": "reference", "messages": [{"role": "user", "content": prompt}], "stream": True, "temperature": 0}
    before = server.app.state.cancelled
    with server.http.stream("POST", "/chat/completions", json=body) as response:
        next(response.iter_raw())
    until = time.monotonic() + 5
    while server.app.state.cancelled == before and time.monotonic() < until:
        time.sleep(0.01)
    state = server.http.get(f"{server.url}/reference/state").json()
    assert (state["cancelled"], state["streams"], state["active"]) == (before + 1, 0, 1)  # active: this question


def test_answers_are_never_mixed(server: Server) -> None:
    words = [f"word{n}" for n in range(40)]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(lambda word: server.text(f"Repeat after me: {word}"), words)) == words


# The numbers


def test_log_probabilities_are_a_distribution(server: Server) -> None:
    row = model.logits(12345, target=300)
    total = model.log_sum(row)
    assert math.fsum(math.exp(logit - total) for logit in row) == pytest.approx(1)
    choice = server.choice("Repeat after me: é🚀x", logprobs=True, top_logprobs=20)
    entries = choice["logprobs"]["content"]
    assert bytes(b for entry in entries for b in entry["bytes"]).decode() == "é🚀x"
    for entry in entries:
        values = [other["logprob"] for other in entry["top_logprobs"]]
        assert len(values) == 20
        assert values == sorted(values, reverse=True)
        assert all(value <= 0 for value in values)
        assert sum(map(math.exp, values)) <= 1
        assert entry["top_logprobs"][0]["bytes"] == entry["bytes"]
        assert entry["logprob"] == values[0]
    assert server.choice("Hello", logprobs=True)["logprobs"]["content"][0]["top_logprobs"] == []


def test_sampling(server: Server) -> None:
    greedy = server.text(COUNT)
    assert {server.text(COUNT, temperature=2, top_p=1e-6) for _ in range(3)} == {greedy}
    assert len({c["message"]["content"] for c in server.chat(COUNT, temperature=2, n=8)["choices"]}) == 8
    assert len({server.text(COUNT, temperature=1.5) for _ in range(5)}) > 1
    seeded = [server.text(COUNT, temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    assert seeded[0] == seeded[1] != seeded[2]
    assert server.text("What is the capital of France?", temperature=0.2) == "Paris"
    hot = [server.text("Tell me a story.", temperature=t, seed=3) for t in (0.5, 1, 2)]
    alike = [sum(a == b for a, b in zip(text.split(), STORY.split(), strict=False)) for text in hot]
    assert alike[0] > alike[2]


def test_bias_and_penalties(server: Server) -> None:
    paris = str(tokens.encode("Paris")[0])
    other = str(tokens.encode("Rome")[0])
    question = "What is the capital of France?"
    assert "Paris" not in server.text(question, logit_bias={paris: -100})
    assert server.text(question, logit_bias={paris: 100}, max_tokens=3) == "ParisParisParis"
    assert server.text(question, logit_bias={other: 100}, max_tokens=2) == tokens.decode([int(other)] * 2)
    assert server.text(COUNT, frequency_penalty=2).count(",") < 9
    assert server.text(COUNT, presence_penalty=2).count(",") < 9
    assert server.text("Repeat after me: " + "la " * 8, presence_penalty=2).count("la") < 8
    assert server.text("Repeat after me: " + "la " * 8, presence_penalty=-2).count("la") == 8


@pytest.mark.parametrize("limit", [1, 2, 5, 28, 29])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_limits_are_exact(server: Server, name: str, limit: int) -> None:
    answer = server.chat(COUNT, logprobs=True, **{name: limit})
    choice = answer["choices"][0]
    assert (answer["usage"]["completion_tokens"], choice["finish_reason"]) == (limit, "length")
    assert len(choice["logprobs"]["content"]) == limit


@pytest.mark.parametrize(
    ("stop", "text"),
    [
        ("5", "1, 2, 3, 4, "),
        (["zz", ", 4"], "1, 2, 3"),
        (", 3, 4, 5,", "1, 2"),
        ("1", ""),
        (["10", "9"], "1, 2, 3, 4, 5, 6, 7, 8, "),
    ],
)
def test_stop(server: Server, stop: Any, text: str) -> None:
    choice = server.choice(COUNT, stop=stop)
    assert (choice["message"]["content"], choice["finish_reason"]) == (text, "stop")


def test_usage_counts_real_tokens(server: Server) -> None:
    def prompt_tokens(text: str) -> int:
        return int(server.chat(text, max_tokens=1)["usage"]["prompt_tokens"])

    base = prompt_tokens("x")
    assert prompt_tokens("x" + " apple river" * 50) == base + len(tokens.encode(" apple river")) * 50
    three = server.chat(COUNT, n=3)["usage"]
    assert three["completion_tokens"] == 3 * server.chat(COUNT)["usage"]["completion_tokens"]
    assert three["total_tokens"] == three["prompt_tokens"] + three["completion_tokens"]


@given(st.text(max_size=60))
@settings(max_examples=150)
def test_any_text_survives_the_tokenizer(text: str) -> None:
    assert tokens.decode(tokens.encode(text)) == text.encode("utf-8", "replace").decode()


# Structured output


SCHEMAS: dict[str, Any] = {
    "flat": PERSON,
    "nested": {
        "type": "object",
        "properties": {"people": {"type": "array", "items": PERSON, "minItems": 2, "maxItems": 3}},
        "required": ["people"],
    },
    "enum": {"type": "object", "properties": {"c": {"enum": ["red", 3, None]}}, "required": ["c"]},
    "const": {"type": "object", "properties": {"c": {"const": {"x": [1]}}}, "required": ["c"]},
    "anyOf": {"type": "object", "properties": {"v": {"anyOf": [{"type": "null"}, PERSON]}}, "required": ["v"]},
    "tree": {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"v": {"type": "number"}, "kids": {"type": "array", "items": {"$ref": "#/$defs/node"}}},
                "required": ["v", "kids"],
                "additionalProperties": False,
            }
        },
    },
    "linked": {
        "type": "object",
        "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}},
        "required": ["next"],
        "additionalProperties": False,
    },
    "numbers": {
        "type": "object",
        "properties": {
            "i": {"type": "integer", "minimum": 5, "maximum": 7},
            "j": {"type": "integer", "exclusiveMinimum": 5, "multipleOf": 4},
            "n": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "m": {"type": "number", "maximum": -2.5},
            "o": {"type": "integer", "not": {"const": 0}},
        },
        "required": ["i", "j", "n", "m", "o"],
    },
    "strings": {
        "type": "object",
        "properties": {
            "p": {"type": "string", "pattern": "^[A-Z]{2}-\\d{3,5}$"},
            "l": {"type": "string", "minLength": 9, "maxLength": 12},
            "d": {"type": "string", "format": "date-time"},
            "u": {"type": "string", "format": "uuid"},
            "größe": {"enum": ["klein", "groß"]},
        },
        "required": ["p", "l", "d", "u", "größe"],
    },
    "unique": {"type": "array", "items": {"type": "string"}, "minItems": 3, "uniqueItems": True},
    "tuple": {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False, "minItems": 2},
    "open": {"type": "object", "additionalProperties": {"type": "integer"}, "minProperties": 2},
    "allOf": {
        "allOf": [PERSON | {"additionalProperties": True}, {"properties": {"x": {"type": "null"}}, "required": ["x"]}]
    },
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_kept(server: Server, name: str) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMAS[name], "strict": True}}
    for prompt, params in (("Alice is 30 years old.", {}), (COUNT, {"temperature": 2})):
        choice = server.choice(prompt, response_format=wanted, **params)
        assert jsongen.fits(SCHEMAS[name], json.loads(choice["message"]["content"])), choice
        assert choice["finish_reason"] == "stop"


def test_json_uses_the_facts_of_the_prompt(server: Server) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": PERSON}}
    assert json.loads(server.text("Bob is 41 years old.", response_format=wanted)) == {"name": "Bob", "age": 41}
    city = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": city}}
    assert json.loads(server.text("What is the capital of France?", response_format=wanted)) == {"answer": "Paris"}
    assert isinstance(json.loads(server.text(COUNT, response_format={"type": "json_object"})), dict)
    assert server.choice(COUNT, response_format=wanted, max_tokens=3)["finish_reason"] == "length"


SIMPLE = st.recursive(
    st.one_of(
        st.sampled_from([{"type": "string"}, {"type": "boolean"}, {"type": "null"}, {"type": "number"}, {}]),
        st.builds(
            lambda low, up: {"type": "integer", "minimum": low, "maximum": low + up},
            st.integers(-99, 99),
            st.integers(0, 9),
        ),
        st.builds(lambda n: {"type": "string", "minLength": n, "maxLength": n + 2}, st.integers(0, 9)),
        st.builds(lambda values: {"enum": values}, st.lists(st.text(max_size=5), min_size=1, unique=True)),
    ),
    lambda inner: st.one_of(
        st.builds(
            lambda props, extra: {
                "type": "object",
                "properties": props,
                "required": list(props)[::2],
                "additionalProperties": extra,
            },
            st.dictionaries(st.text("abcdef_é", min_size=1, max_size=6), inner, max_size=4),
            st.booleans(),
        ),
        st.builds(lambda items, n: {"type": "array", "items": items, "minItems": n}, inner, st.integers(0, 3)),
        st.builds(lambda parts: {"anyOf": parts}, st.lists(inner, min_size=1, max_size=3)),
    ),
    max_leaves=8,
)


@given(SIMPLE)
@settings(max_examples=80)
def test_any_simple_schema_gets_a_value(schema: Any) -> None:
    assert jsongen.fits(schema, jsongen.generate(schema, jsongen.Hints("with name Alice, age 30", "Paris")))


# Refusals


def user(text: Any = "x") -> Json:
    return {"messages": [{"role": "user", "content": text}]}


def schema(value: Any) -> Json:
    return user() | {"response_format": {"type": "json_schema", "json_schema": value}}


BAD: dict[str, tuple[str, Json, int, str | None]] = {
    "no messages": ("/chat/completions", {}, 400, "messages"),
    "messages a string": ("/chat/completions", {"messages": "hi"}, 400, "messages"),
    "messages empty": ("/chat/completions", {"messages": []}, 400, "messages"),
    "bad role": ("/chat/completions", {"messages": [{"role": "alien", "content": "x"}]}, 400, "messages[0].role"),
    "no content": ("/chat/completions", {"messages": [{"role": "user"}]}, 400, "messages[0].content"),
    "content a number": ("/chat/completions", user(3), 400, "messages[0].content"),
    "unknown part": ("/chat/completions", user([{"type": "smell"}]), 400, "messages[0].content[0].type"),
    "temperature a string": ("/chat/completions", user() | {"temperature": "hot"}, 400, "temperature"),
    "temperature 3": ("/chat/completions", user() | {"temperature": 3}, 400, "temperature"),
    "temperature true": ("/chat/completions", user() | {"temperature": True}, 400, "temperature"),
    "top_p": ("/chat/completions", user() | {"top_p": 1.1}, 400, "top_p"),
    "penalty": ("/chat/completions", user() | {"presence_penalty": -3}, 400, "presence_penalty"),
    "n 0": ("/chat/completions", user() | {"n": 0}, 400, "n"),
    "seed": ("/chat/completions", user() | {"seed": 1.5}, 400, "seed"),
    "five stops": ("/chat/completions", user() | {"stop": list("abcde")}, 400, "stop"),
    "bias key": ("/chat/completions", user() | {"logit_bias": {"abc": 1}}, 400, "logit_bias"),
    "bias value": ("/chat/completions", user() | {"logit_bias": {"5": 101}}, 400, "logit_bias.5"),
    "max_tokens 0": ("/chat/completions", user() | {"max_tokens": 0}, 400, "max_tokens"),
    "top_logprobs alone": ("/chat/completions", user() | {"top_logprobs": 2}, 400, "top_logprobs"),
    "top_logprobs 21": ("/chat/completions", user() | {"logprobs": True, "top_logprobs": 21}, 400, "top_logprobs"),
    "stream_options": ("/chat/completions", user() | {"stream_options": {}}, 400, "stream_options"),
    "format type": ("/chat/completions", user() | {"response_format": {"type": "x"}}, 400, "response_format.type"),
    "no schema": ("/chat/completions", schema({"name": "x"}), 400, "response_format.json_schema.schema"),
    "no schema name": ("/chat/completions", schema({"schema": {}}), 400, "response_format.json_schema.name"),
    "bad schema": (
        "/chat/completions",
        schema({"name": "x", "schema": {"type": "no"}}),
        400,
        "response_format.json_schema.schema",
    ),
    "impossible": ("/chat/completions", schema({"name": "x", "schema": {"not": {}}}), 400, "response_format"),
    "no tools": ("/chat/completions", user() | {"tool_choice": "auto"}, 400, "tool_choice"),
    "bogus choice": ("/chat/completions", user() | {"tools": [WEATHER], "tool_choice": "x"}, 400, "tool_choice"),
    "same name": ("/chat/completions", user() | {"tools": [WEATHER, WEATHER]}, 400, "tools[1].function.name"),
    "effort": ("/chat/completions", user() | {"reasoning_effort": "huge"}, 400, "reasoning_effort"),
    "unknown model": ("/chat/completions", user() | {"model": "nope"}, 404, "model"),
    "overflow": ("/chat/completions", user("word " * 9000), 400, "messages"),
    "overflow streamed": ("/chat/completions", user("word " * 9000) | {"stream": True}, 400, "messages"),
    "remote image": (
        "/chat/completions",
        {"messages": with_images("x", "https://example.com/x.png")},
        400,
        "messages[0].content[1].image_url.url",
    ),
    "no image": (
        "/chat/completions",
        {"messages": with_images("x", "data:image/png;base64,AAAA")},
        400,
        "messages[0].content[1].image_url.url",
    ),
    "text model": (
        "/chat/completions",
        {"model": "reference-text", "messages": with_images("x", data_url("red"))},
        400,
        "messages[0].content[1]",
    ),
    "legacy logprobs 6": ("/completions", {"prompt": "x", "logprobs": 6}, 400, "logprobs"),
    "legacy best_of": ("/completions", {"prompt": "x", "n": 3, "best_of": 2}, 400, "best_of"),
    "legacy mixed": ("/completions", {"prompt": ["x", 3]}, 400, "prompt"),
    "input empty": ("/embeddings", {"input": ""}, 400, "input"),
    "input none": ("/embeddings", {"input": []}, 400, "input"),
    "input long": ("/embeddings", {"input": "word " * 9000}, 400, "input"),
    "encoding": ("/embeddings", {"input": "x", "encoding_format": "hex"}, 400, "encoding_format"),
    "dimensions": ("/embeddings", {"input": "x", "dimensions": 0}, 400, "dimensions"),
    "previous": ("/responses", {"input": "x", "previous_response_id": "resp_x"}, 400, "previous_response_id"),
    "few tokens": ("/responses", {"input": "x", "max_output_tokens": 1}, 400, "max_output_tokens"),
    "responses role": ("/responses", {"input": [{"role": "alien", "content": "x"}]}, 400, "input[0].role"),
}


@pytest.mark.parametrize("name", BAD)
def test_refusals(server: Server, name: str) -> None:
    path, body, status, param = BAD[name]
    response = server.post(path, body)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    error = response.json()["error"]
    assert list(error) == ["message", "type", "param", "code"]
    assert error["param"] == param
    assert error["message"]


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/nothing", None, 404),
        ("GET", "/chat/completions", None, 405),
        ("GET", "/models/none", None, 404),
        ("POST", "/chat/completions", b"", 400),
        ("POST", "/chat/completions", b"{bad", 400),
        ("POST", "/chat/completions", b"[]", 400),
        ("POST", "/chat/completions", b'{"model": NaN}', 400),
        ("POST", "/chat/completions", b"[" * 100_000, 400),
        ("POST", "/chat/completions", b'"' + b"x" * (9 << 20) + b'"', 413),
    ],
)
def test_bad_requests(server: Server, method: str, path: str, content: bytes | None, status: int) -> None:
    response = server.http.request(method, path, content=content, headers={"content-type": "application/json"})
    assert response.status_code == status
    assert set(response.json()["error"]) == {"message", "type", "param", "code"}
    assert response.headers["x-request-id"].startswith("req_")
    assert ("allow" in response.headers) == (status == 405)
    assert server.text("Hello") == "Hello!"


def test_browsers_are_let_in(server: Server) -> None:
    asked = {
        "origin": "http://x",
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    response = server.http.options("/chat/completions", headers=asked)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "*"
    assert "authorization" in response.headers["access-control-allow-headers"]


def test_api_key() -> None:
    with running(create_app(api_key="sk-right")) as url, httpx2.Client(base_url=url) as client:
        for header in ({}, {"authorization": "Bearer sk-wrong"}, {"authorization": "sk-right"}):
            refused = client.get("/v1/models", headers=header)
            assert refused.status_code == 401
            assert refused.json()["error"]["code"] == "invalid_api_key"
        assert client.get("/v1/models", headers={"authorization": "bearer sk-right"}).status_code == 200
        assert client.get("/health").status_code == 200


# The other endpoints


def test_legacy_completions(server: Server) -> None:
    def complete(**body: Any) -> Json:
        response = server.post("/completions", body)
        assert response.status_code == 200, response.text
        return dict(response.json())

    answer = complete(prompt="What?")
    assert answer["id"].startswith("cmpl-")
    assert (answer["usage"]["completion_tokens"], answer["choices"][0]["finish_reason"]) == (16, "length")
    many = complete(prompt=["Hello", "What is the capital of Spain?"], n=2)["choices"]
    assert [(c["index"], c["text"]) for c in many] == [(0, "Hello!"), (1, "Hello!"), (2, "Madrid"), (3, "Madrid")]
    ids = [tokens.encode(text) for text in ("Hello", "ping")]
    assert [c["text"] for c in complete(prompt=ids)["choices"]] == ["Hello!", "pong"]
    assert complete(prompt=ids[0])["choices"][0]["text"] == "Hello!"
    assert complete(prompt="1, 2, 3, ", suffix="7, 8")["choices"][0]["text"] == "4, 5, 6, "
    best = complete(prompt="Tell me a story.", n=1, best_of=4, temperature=1.5, max_tokens=8)
    assert best["usage"]["completion_tokens"] > 8
    echo = complete(prompt="Hé 🚀!", echo=True, logprobs=2, max_tokens=4)["choices"][0]
    logprobs = echo["logprobs"]
    assert len({len(logprobs[key]) for key in ("tokens", "token_logprobs", "top_logprobs", "text_offset")}) == 1
    assert logprobs["token_logprobs"][0] is None
    plain = [(t, o) for t, o in zip(logprobs["tokens"], logprobs["text_offset"], strict=True) if "\\x" not in t]
    assert all(echo["text"][offset:].startswith(token) for token, offset in plain)
    assert complete(prompt="Hello there", echo=True, max_tokens=0)["choices"][0]["text"] == "Hello there"


def test_embeddings(server: Server) -> None:
    def embed(**body: Any) -> list[Any]:
        data = server.post("/embeddings", body).json()["data"]
        assert [entry["index"] for entry in data] == list(range(len(data)))
        return [entry["embedding"] for entry in data]

    def close(one: list[float], other: list[float]) -> float:
        return sum(a * b for a, b in zip(one, other, strict=True))

    cat, cats, crash = embed(input=["The cat sat on the mat.", "A cat sits on a mat.", "Stock markets crashed today."])
    assert close(cat, cat) == pytest.approx(1)
    assert close(cat, cats) > close(cat, crash) + 0.2
    packed = embed(input="The cat sat on the mat.", encoding_format="base64")[0]
    assert list(struct.unpack(f"<{len(cat)}f", base64.b64decode(packed))) == cat
    assert embed(input=tokens.encode("The cat sat on the mat.")) == [cat]
    short = embed(input="The cat sat on the mat.", dimensions=8)[0]
    assert len(short) == 8
    assert close(short, short) == pytest.approx(1)


def test_responses_are_stored_and_go_on(server: Server) -> None:
    first = server.post("/responses", {"input": "My name is Alice.", "instructions": "Be brief."}).json()
    then = {"input": "What is my name?", "previous_response_id": first["id"]}
    assert server.post("/responses", then).json()["output"][0]["content"][0]["text"] == "Alice"
    assert server.http.get(f"/responses/{first['id']}").json() == first
    assert server.http.delete(f"/responses/{first['id']}").json()["deleted"] is True
    assert server.http.get(f"/responses/{first['id']}").status_code == 404
    unstored = server.post("/responses", {"input": "Hello", "store": False}).json()
    assert server.http.get(f"/responses/{unstored['id']}").status_code == 404
    cut = server.post("/responses", {"input": "Tell me a story.", "max_output_tokens": 16}).json()
    assert (cut["status"], cut["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})
    assert cut["usage"]["output_tokens"] == 16


# The official SDK


class Person(BaseModel):
    name: str
    age: int


def test_sdk_reads_chat(server: Server) -> None:
    messages: Any = [{"role": "user", "content": "Give me a JSON object with name Alice, age 30."}]
    chat = server.sdk.chat.completions
    parsed = chat.parse(model="reference", messages=messages, response_format=Person, temperature=0)
    assert parsed.choices[0].message.parsed == Person(name="Alice", age=30)
    asked: Any = [{"role": "user", "content": "What is the weather in Paris and London?"}]
    tools: Any = [WEATHER]
    with chat.stream(model="reference", messages=asked, tools=tools, temperature=0) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls
    assert [json.loads(call.function.arguments) for call in calls or []] == [{"city": "Paris"}, {"city": "London"}]
    with pytest.raises(openai.NotFoundError) as refused:
        chat.create(model="nope", messages=messages)
    assert refused.value.code == "model_not_found"


def test_sdk_reads_the_rest(server: Server) -> None:
    assert {entry.id for entry in server.sdk.models.list()} >= {"reference", "org/name:tag"}
    assert server.sdk.models.retrieve("org/name:tag").id == "org/name:tag"
    assert len(server.sdk.embeddings.create(model="reference-embedding", input="x").data[0].embedding) == 256
    legacy = server.sdk.completions.create(model="reference", prompt="Hello", stream=True, temperature=0)
    assert "".join(chunk.choices[0].text for chunk in legacy) == "Hello!"
    tools: Any = [{"type": "function", "strict": False, **WEATHER["function"]}]  # type: ignore[dict-item]
    question = "What is the weather in Paris?"
    answer = server.sdk.responses.create(model="reference", input=question, tools=tools, temperature=0)
    call = answer.output[0]
    assert call.type == "function_call"
    result: Any = [{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}]
    told = server.sdk.responses.create(model="reference", input=result, previous_response_id=answer.id, temperature=0)
    assert told.output_text == "The result is: sunny"
    with server.sdk.responses.stream(model="reference", input="Think first. Hello", temperature=0) as stream:
        events = list(stream)
        assert stream.get_final_response().output_text == "Hello!"
    assert [event.sequence_number for event in events if hasattr(event, "sequence_number")][:3] == [0, 1, 2]
    person = server.sdk.responses.parse(model="reference", input="Bob is 5 years old.", text_format=Person)
    assert person.output_parsed == Person(name="Bob", age=5)


# The process


def test_process_ends_with_its_parent() -> None:
    command = [sys.executable, "-m", "tests.reference", "--port", "0", "--api-key", "k"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        url = process.stdout.readline().removeprefix("listening ").strip()
        assert httpx2.get(f"{url}/health").json() == {"status": "ok"}
        assert httpx2.get(f"{url}/v1/models").status_code == 401
        process.stdin.close()
        assert process.wait(5) == 0


# Faults


CALLS = [
    {"id": "a", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
    {"id": "b", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}},
]
RESULTS = [
    {"role": "tool", "tool_call_id": "a", "content": "sunny"},
    {"role": "tool", "tool_call_id": "b", "content": "rainy"},
]
CITIES = {"messages": turn(("user", "What is the weather in Paris and London?")), "tools": [WEATHER]}
HOT = {"messages": turn(("user", "Tell me a story.")), "temperature": 1.5, "seed": 7, "max_tokens": 40}
COUNTING = {"messages": turn(("user", COUNT))}
FORMAT = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMAS["numbers"]}}
ENUM = {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMAS["enum"]}}
Probe = tuple[str, str, Json | None]
RESPONSE_TOOL = {"type": "function", "strict": False, **WEATHER["function"]}  # type: ignore[dict-item]
STREAM = {"stream": True, "stream_options": {"include_usage": True}}


def probes(path: str, *bodies: Json) -> list[Probe]:
    return [("POST", path, body) for body in bodies]


NAMED = {"tool_choice": {"type": "function", "function": {"name": "get_weather"}}}
PROBES: list[Probe] = [
    *probes(
        "/chat/completions",
        *(COUNTING | extra for extra in ({}, STREAM, {"stream": True}, {"stop": ["zz", "5"]})),
        *(COUNTING | {name: 5} for name in ("max_tokens", "max_completion_tokens")),
        COUNTING | {"logprobs": True, "top_logprobs": 3},
        COUNTING | {"logprobs": True, "stream": True},
        COUNTING | {"n": 2, "temperature": 1.5, "seed": 1},
        COUNTING | {"n": 2, "stream": True},
        COUNTING | {"logit_bias": {"20": -100}},
        COUNTING | {"frequency_penalty": 2},
        COUNTING | {"presence_penalty": 2},
        HOT,
        HOT | {"top_p": 0.01},
        {"messages": turn(("system", "Always answer with the word A."), ("user", "Hello"))},
        {"messages": turn(("developer", "Always answer with the word A."), ("user", "Hello"))},
        {"messages": turn(("user", "My name is Bo."), ("user", "What is my name?"))},
        user([{"type": "text", "text": "Say: "}, {"type": "text", "text": "x"}]),
        user("Repeat after me: é🚀") | {"stream": True},
        *(user("Think first. Hello") | extra for extra in ({}, {"reasoning_effort": "none"})),
        *(CITIES | extra for extra in ({}, {"stream": True}, {"parallel_tool_calls": False}, {"tool_choice": "none"})),
        *(user() | {"tools": [WEATHER]} | choice for choice in ({"tool_choice": "required"}, NAMED)),
        {"messages": [*turn(("user", "x")), {"role": "assistant", "tool_calls": CALLS}, *RESULTS]},
        {"messages": [*turn(("user", "x")), {"role": "assistant", "tool_calls": CALLS[:1]}, RESULTS[1]]},
        *(user() | {"response_format": wanted} for wanted in ({"type": "json_object"}, FORMAT, ENUM)),
        {"messages": with_images("What color?", data_url("red"), data_url("blue"))},
    ),
    *probes(
        "/completions",
        {"prompt": ["Hello", "What?"], "n": 2},
        {"prompt": "Hello", "echo": True, "logprobs": 1},
        {"prompt": "1, 2, ", "suffix": "5"},
        {"prompt": "What?", "best_of": 3, "temperature": 1.5, "seed": 1},
    ),
    *probes(
        "/embeddings",
        {"input": ["x", "y"], "dimensions": 4},
        {"input": "x", "dimensions": 4, "encoding_format": "base64"},
    ),
    *probes(
        "/responses",
        {"input": "Tell me a story.", "max_output_tokens": 16},
        {"input": "Tell me a story.", "max_output_tokens": 16, "stream": True},
        {"input": "Hello", "instructions": "Always answer with the word A."},
        {"input": "Hello", "text": {"format": {"type": "json_object"}}},
        {"input": CITIES["messages"], "tools": [RESPONSE_TOOL]},
        {"input": "What is my name?", "previous_response_id": "STORED"},
    ),
    *(
        ("GET", path, None)
        for path in ("/models", "/models/reference", "/nothing", "/completions", "/responses/STORED")
    ),
    *(("POST", path, body) for path, body, _, _ in BAD.values()),
]
"""Requests of every kind. That each fault shows is for the gate to prove (test_gate.py)."""


def seen(server: Server, probe: Probe, fault: str | None) -> Any:
    """What a client sees of an answer, with random ids numbered and times of day removed."""
    method, path, body = probe
    if body is not None:
        body = DEFAULTS.get(path, DEFAULT) | body
    if "STORED" in f"{path} {body}":
        stored = server.post("/responses", {"input": "My name is Bo."}).json()["id"]
        path = path.replace("STORED", stored)
        body = body and json.loads(json.dumps(body).replace("STORED", stored))
    header = {"x-fault": fault} if fault else {}
    try:
        response = server.http.request(
            method, path, json=body, headers=header, timeout=0.5 if "hang" in str(fault) else 9
        )
    except (httpx2.TimeoutException, httpx2.RemoteProtocolError) as error:
        return repr(error)
    names: dict[str, str] = {}

    def numbered(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"ID{len(names)}")

    text = re.sub(r"(?<=[-_])[A-Za-z0-9]{20,}(?=[\"'])", numbered, response.text)
    text = re.sub(r"\b17\d{8}\b", "NOW", text)
    kept = ("content-type", "allow", "access-control-allow-origin")
    return response.status_code, [response.headers.get(name) for name in kept], "x-request-id" in response.headers, text


@pytest.fixture(scope="module")
def quick() -> Iterator[Server]:
    """A server that does not wait between the events of a stream."""
    app = create_app(delay=0)
    with running(app) as url:
        yield Server(app, url)


@pytest.fixture(scope="module")
def baseline(quick: Server) -> list[Any]:
    return [seen(quick, probe, None) for probe in PROBES]


def test_the_reference_repeats_itself(quick: Server, baseline: list[Any]) -> None:
    assert [seen(quick, probe, None) for probe in PROBES] == baseline


@pytest.mark.parametrize("name", [n for n, fault in faults.FAULTS.items() if fault.legal])
def test_legal_variations_change_nothing_that_is_said(server: Server, name: str) -> None:
    client = server.sdk.with_options(default_headers={"x-fault": name}, max_retries=9)
    messages: Any = CITIES["messages"]
    tools: Any = [WEATHER]
    answer = client.chat.completions.create(model="reference", messages=messages, tools=tools, temperature=0)
    assert answer.choices[0].message.tool_calls
    asked: Any = turn(("user", "Repeat after me: é🚀, x"))
    with client.chat.completions.stream(
        model="reference", messages=asked, temperature=0, stream_options={"include_usage": True}
    ) as stream:
        final = stream.get_final_completion()
    assert (final.choices[0].message.content, final.choices[0].finish_reason) == ("é🚀, x", "stop")
    assert final.usage
    assert client.responses.create(model="reference", input="Hello", temperature=0).output_text == "Hello!"


def test_faults_of_time(server: Server) -> None:
    body = {"model": "reference", "messages": turn(("user", "Tell me a story.")), "stream": True}
    with server.http.stream("POST", "/chat/completions", json=body, headers={"x-fault": "sent-at-the-end"}) as response:
        times = [time.monotonic() for _ in response.iter_raw()]
    assert times[-1] - times[0] < 0.1
    crossed = {"x-fault": "answers-crossed"}

    def say(word: str) -> Any:
        return server.post("/chat/completions", user(f"Say: {word}"), headers=crossed).json()["choices"][0]

    words = ["one", "two", "three", "four"]
    with ThreadPoolExecutor(len(words)) as threads:
        texts = [choice["message"]["content"] for choice in threads.map(say, words)]
    assert texts != words
    assert [say(word)["message"]["content"] for word in words] == words


def test_the_kill_matrix_is_a_page() -> None:
    shown = killmatrix.page()
    assert "checks without a killer" in shown
    assert shown.count("<details") > len(faults.FAULTS)
    assert '<details id="error-flat">' in shown
    assert '<details id="area-errors">' in shown
    assert all(link not in shown for link in ("http://", "https://", "<link", "src="))


def test_the_table_of_faults(server: Server) -> None:
    with pytest.raises(ValueError, match="two faults"):
        add(faults.FAULTS["usage-zero"])
    assert server.http.get("/models", headers={"x-fault": "no-such"}).status_code == 500
    listed = server.http.get(f"{server.url}/reference/faults").json()
    assert len(listed) == len(faults.FAULTS)
    for fault in faults.FAULTS.values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", fault.name)
        assert fault.sentence.endswith(".")
        assert "\n" not in fault.sentence
    with running(create_app(faults=["models-empty"])) as url:
        assert httpx2.get(f"{url}/v1/models").json()["data"] == []
