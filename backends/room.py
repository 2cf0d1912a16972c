"""How many tokens a model writes besides its answers. This is measured, so that `max_tokens` leaves room for them."""

from __future__ import annotations

from typing import Any

from backends import wire
from backends.roles import Ask, parsed
from backends.wire import Request

_WEATHER = {
    "name": "get_weather",
    "description": "Get the weather of a city",
    "parameters": {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]},
}
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"messages": [{"role": "user", "content": "What is the capital of France?"}]},
    {"messages": [{"role": "user", "content": "Count from 1 to 10"}]},
    {
        "messages": [{"role": "user", "content": "What is the weather in Tokyo?"}],
        "tools": [{"type": "function", "function": _WEATHER}],
    },
)
"""Questions whose answers are short: what a model writes beyond `FLOOR` tokens is reasoning, or talk."""

FLOOR = 48
"""Tokens that a request leaves for the answer at least."""

MOST = 2048
"""A model that still reasons after so many tokens is not waited for."""

MARGIN = 1.5
"""How much longer than to these questions the model may reason about others."""


def measure(ask: Ask, model: str) -> int:
    """The tokens to add to `max_tokens`; 0 for a model that just answers, and for one whose answers never end.

    A server that refuses so large a limit is asked with smaller ones.
    """
    return max(_room(ask, model, question) for question in QUESTIONS)


def _room(ask: Ask, model: str, question: dict[str, Any]) -> int:
    for most in (MOST, MOST // 4):
        body = {"model": wire.MODEL, "temperature": 0, "max_tokens": most, **question}
        answer = ask(Request(path="/chat/completions", body=body), model)
        if answer.status == 400:
            continue
        told = parsed(answer)
        choice = _first_choice(told)
        if not choice:
            return 0
        if choice.get("finish_reason") == "length":
            return 0  # It goes on for longer than can be waited for: more room shows nothing more.
        return max(0, round(MARGIN * _completion_tokens(told, choice.get("message"))) - FLOOR)
    return 0


def _first_choice(told: Any) -> dict[str, Any]:
    found = told.get("choices") if isinstance(told, dict) else None
    return found[0] if isinstance(found, list) and found and isinstance(found[0], dict) else {}


def _completion_tokens(told: Any, message: Any) -> int:
    """As the server counts them; where it does not, a token for every three characters."""
    usage = told.get("usage")
    counted = usage.get("completion_tokens") if isinstance(usage, dict) else None
    if isinstance(counted, int) and counted > 0:
        return counted
    texts = message.values() if isinstance(message, dict) else []
    return sum(len(text) for text in texts if isinstance(text, str)) // 3
