"""Which requests are alike, and what a request has."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.answers import Chat
from conformance.kit import decided_by, differing, prompt_of, traits
from conformance.kit.every import Every
from tests.made import answer, chat_body, chunk, stream

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
PART: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]


def asked(name: str = "one", path: str = "/chat/completions", **sent: Any) -> Any:
    """A response to a request with these parameters."""
    body = {"temperature": 0, **({} if "input" in sent else {"messages": HELLO}), **sent}
    if sent.get("stream"):
        raw = stream(chunk({"content": "Paris"}, "stop"))
        return answer(raw, name=name, path=path, sent=body, content_type="text/event-stream")
    return answer(chat_body(), name=name, path=path, sent=body)


@pytest.mark.parametrize(
    "sent",
    [
        {"seed": 7, "top_p": 0.5, "user": "u", "n": 2, "logprobs": True, "stream": True},
        {"messages": PART},
        {"tools": None, "logit_bias": {}, "frequency_penalty": 0},
    ],
)
def test_requests_are_alike_that_differ_in_what_changes_nothing(sent: dict[str, Any]) -> None:
    assert decided_by(asked(**sent)) == decided_by(asked())


@pytest.mark.parametrize("sent", [{"stop": ["x"]}, {"max_tokens": 4}, {"presence_penalty": 1}])
def test_what_changes_the_response_alone_leaves_the_prompt(sent: dict[str, Any]) -> None:
    assert decided_by(asked(**sent)) != decided_by(asked())
    assert prompt_of(asked(**sent)) == prompt_of(asked())


def test_drawn_responses_are_alike_in_their_prompt_only() -> None:
    assert decided_by(asked(temperature=1)) is None
    assert prompt_of(asked(temperature=1)) == prompt_of(asked())


def test_an_input_is_a_message_of_the_user() -> None:
    as_string = asked(path="/responses", input="Hello")
    as_items = asked(path="/responses", input=[{"type": "message", **PART[0]}])
    assert prompt_of(as_string) == prompt_of(as_items)


def test_parameters_that_differ_are_named_null_ones_too() -> None:
    assert differing(asked(seed=7, stop=None), asked()) == "`seed`, `stop`"


def test_a_response_is_compared_with_the_first_plain_one() -> None:
    every = Every(
        [asked("streamed", stream=True, seed=1), asked("plain"), asked("seeded", seed=7), asked("other", n=3)]
    )
    found = [(one.name, other.name) for one, other in every.twins(Chat, decided_by)]
    assert ("plain", "seeded") in found
    assert ("plain", "other") in found
    assert all(name != "plain" for _, name in found)


@pytest.mark.parametrize(
    ("sent", "more"),
    [
        ({"logprobs": True}, {"logprobs": True, "top_logprobs": 2}),
        ({"tool_choice": "auto"}, {"tool_choice": "auto", "seed": 3}),
    ],
)
def test_a_request_with_less_has_fewer_traits(sent: dict[str, Any], more: dict[str, Any]) -> None:
    assert traits(asked(**sent)) < traits(asked(**more))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"tool_choice": "none"}, {"tool_choice": "required"}),
        ({"stop": ""}, {"stop": "x"}),
        ({"max_tokens": 4}, {"max_tokens": 4, "max_completion_tokens": 4}),
        ({"max_tokens": 4}, {"max_tokens": 100_000}),
        ({"max_tokens": 3_000}, {"max_tokens": 1_000_000}),
        ({"top_p": 0.5}, {"top_p": 0}),
        ({}, {"tools": None}),
        ({"messages": [{**HELLO[0], "name": "x"}]}, {"messages": [{**HELLO[0], "name": None}]}),
        ({"input": PART}, {"input": [{"type": "function_call_output", "call_id": "1", "output": PART[0]["content"]}]}),
        ({"messages": HELLO}, {"messages": PART}),
        ({"messages": [{"role": "assistant", "content": None}]}, {"messages": [{"role": "assistant", "content": "x"}]}),
    ],
)
def test_forms_that_a_server_may_know_or_not_are_told_apart(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not traits(asked(**other)) <= traits(asked(**one))
