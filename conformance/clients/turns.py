"""The requests of a client for generated text, and their responses, whichever API."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backends.wire import Exchange
from conformance.answers import Chat, Response, view
from conformance.outcomes import Verdict


@dataclass(frozen=True)
class Call:
    """A tool call, as the server sent it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Turn:
    """A request for generated text and its response, whichever API."""

    exchange: Exchange
    text: str = ""
    calls: tuple[Call, ...] = ()
    truncated: bool = False
    unreadable: str = ""
    error: str = ""
    """The message of the error object of a rejection."""
    prompt_tokens: int | None = None
    """How many tokens of the prompt the server says that it has read."""

    @property
    def sent(self) -> dict[str, Any]:
        body = self.exchange.request.body
        return body if isinstance(body, dict) else {}

    @property
    def status(self) -> int:
        return self.exchange.status or 0

    @property
    def accepted(self) -> bool:
        return 200 <= self.status < 300

    @property
    def tools(self) -> dict[str, Any]:
        """The functions that the request offers, with the schemas of their parameters."""
        listed = [one.get("function", one) for one in _dicts(self.sent.get("tools"))]
        return {one["name"]: one.get("parameters") for one in listed if isinstance(one.get("name"), str)}

    @property
    def results(self) -> dict[str, str]:
        """The tool results that the request brings back, by the id of their call."""
        of_chat = [
            (m.get("tool_call_id"), m.get("content"))
            for m in _dicts(self.sent.get("messages"))
            if m.get("role") == "tool"
        ]
        of_responses = [
            (item.get("call_id"), item.get("output"))
            for item in _dicts(self.sent.get("input"))
            if item.get("type") == "function_call_output"
        ]
        return {str(id): json.dumps(result) for id, result in (*of_chat, *of_responses)}


def turns(exchanges: Sequence[Exchange]) -> list[Turn]:
    """The exchanges that ask for generated text, in order."""
    return [
        _turn(e) for e in exchanges if e.request.method == "POST" and issubclass(view(e.request.path), Chat | Response)
    ]


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _turn(exchange: Exchange) -> Turn:
    answer = view(exchange.request.path)("response", exchange)
    if not answer.ok:
        return Turn(exchange, error=answer.error_message if exchange.status and not exchange.error else "")
    try:
        if isinstance(answer, Chat):
            calls = [Call(str(call.id or ""), call.name, call.arguments) for call in answer.tool_calls]
            return Turn(exchange, answer.text, tuple(calls), answer.truncated, prompt_tokens=_prompt_tokens(answer))
        assert isinstance(answer, Response)
        items = answer.items("function_call")
        calls = [Call(str(i.get("call_id") or ""), str(i.get("name")), str(i.get("arguments"))) for i in items]
        return Turn(exchange, answer.written, tuple(calls), answer.truncated, prompt_tokens=_prompt_tokens(answer))
    except Verdict as problem:
        return Turn(exchange, unreadable=str(problem).removeprefix("response: "))


def _prompt_tokens(answer: Chat | Response) -> int | None:
    """None if the response does not say."""
    try:
        return answer.tokens("prompt" if isinstance(answer, Chat) else "input")
    except Verdict:
        return None
