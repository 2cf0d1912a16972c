"""How much room a model needs is measured by asking."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backends import room
from backends.wire import Exchange, Request
from fixtures.requests import chat, respond
from tests.made import chat_body, exchange

Reply = Callable[[int], tuple[int, Any]]


def measured(reply: Reply) -> int:
    def ask(request: Request, _: str) -> Exchange:
        status, body = reply(request.body["max_tokens"])
        return replace(exchange(body, status=status), request=request)

    return room.measure(ask, "m")


def says(tokens: int | None, finish: str = "stop", content: str = "Paris", **more: Any) -> Reply:
    body = chat_body(content, **more)
    body["choices"][0]["finish_reason"] = finish
    body["usage"] = None if tokens is None else {"completion_tokens": tokens}
    return lambda _: (200, body)


@pytest.mark.parametrize(
    ("reply", "tokens"),
    [
        (says(2), 0),
        (says(32), 0),
        (says(100), 102),
        (says(None, reasoning_content="x" * 300), 108),
        (says(2048, "length"), 0),
        (says(2048, "length", content="", reasoning_content="hm"), 0),
        (lambda most: (400, {}) if most > 1000 else says(100)(most), 102),
        (lambda _: (500, {}), 0),
        (lambda _: (200, []), 0),
        (lambda _: (200, {"choices": [5]}), 0),
    ],
    ids=[
        *("short", "within 48", "long", "uncounted", "talks on", "reasons on"),
        *("small context", "failing", "array", "odd choice"),
    ],
)
def test_room_is_what_the_longest_response_needs_beyond_48_tokens(reply: Reply, tokens: int) -> None:
    assert measured(reply) == tokens


def test_requests_get_the_room_that_they_leave() -> None:
    assert chat("Hi").with_model("m", 100).body["max_tokens"] == 148
    assert chat("Hi", room=200).with_model("m", 100).body["max_tokens"] == 300
    assert chat("Hi", max_tokens=4).with_model("m", 100).body["max_tokens"] == 4
    assert "max_tokens" not in chat("Hi", max_tokens=None).with_model("m", 100).body
    assert respond("Hi", room=32).with_model("m", 100).body["max_output_tokens"] == 132
    assert json.dumps(respond("Hi").with_model("m", 100).body).count("max") == 0
    twice = chat("Hi").with_model("m", 100).with_model("m", 100)
    assert twice.body["max_tokens"] == 148
