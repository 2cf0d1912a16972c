"""Which of the models that a server lists plays which role: found by asking the server, never by a model's name."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backends import wire
from backends.target import ROLES
from backends.wire import Exchange, Request, Role

PROBES = 8
"""Models that are tried for a role at most: each try may load a model, which takes a large one a minute."""

CHAT_PROBES = 64
"""Models that are tried for chats, without which little can be measured; the first that is one ends the search."""

# A 32 x 32 red PNG: small enough to be refused or taken at once.
_RED_PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/tF7hIASyp6lTCQQCgUAgEAgEgi"
    "/BAjLD/C5w/SM9AAAAAElFTkSuQmCC"
)

Ask = Callable[[Request, str], Exchange]
"""Sends a request to a model."""

Capabilities = Callable[[str], list[str] | None]
"""What a server says that a model can do, in its own words; None if it does not say."""


@dataclass
class Cast:
    """The models that play the roles, why each was chosen, why a role has none, and what the chat model said."""

    models: dict[Role, str] = field(default_factory=dict)
    chosen: dict[Role, str] = field(default_factory=dict)
    missing: dict[Role, str] = field(default_factory=dict)
    hello: Exchange | None = None


def cast(ask: Ask, listed: list[str], named: dict[Role, str], can: Capabilities, wanted: dict[str, list[str]]) -> Cast:
    """Give each role a model: the one the user `named`, else the first of those `listed` that can play it.

    `wanted` has, by role, the capabilities that a model must have (the first) and had better have (the others); it is
    empty where the server says nothing of capabilities. There is always a chat model if any is named or listed.
    """
    parts = Cast()
    abilities = {model: can(model) for model in listed} if wanted and len(named) < len(ROLES) else {}
    for role in ROLES:
        if role in named:
            parts.models[role], parts.chosen[role] = named[role], "named by the user"
            if role == "chat":
                parts.hello = ask(PROBE["chat"], named[role])
            continue
        candidates = _candidates(role, listed, abilities, wanted.get(role, []), parts.models.get("chat"))
        _try(role, candidates[: CHAT_PROBES if role == "chat" else PROBES], ask, parts)
        if role in parts.models and any(abilities.values()):
            parts.chosen[role] += f"; the server says it can do {', '.join(abilities.get(parts.models[role]) or [])}"
    return parts


def _candidates(
    role: Role, listed: list[str], abilities: dict[str, list[str] | None], wanted: list[str], chat: str | None
) -> list[str]:
    """The models to try, best first: those that can do more of what is wanted; then, in its order, the list."""
    if wanted and any(abilities.values()):
        able = [m for m in listed if abilities.get(m) is None or wanted[0] in (abilities[m] or [])]
        able.sort(key=lambda m: -len(set(wanted) & set(abilities.get(m) or [])))
    else:
        able = list(listed)
    if chat is not None and chat not in able and role == "embedding":
        able.append(chat)  # A chat model may embed, whatever is said of it.
    if chat in able and not any(abilities.values()):
        able.remove(chat)
        able.insert(0, chat)  # The same model for all roles, if it plays them.
    return able or ([chat] if chat else [])


def _try(role: Role, candidates: list[str], ask: Ask, parts: Cast) -> None:
    """Ask the candidates until one plays the role; else say why none does."""
    first: Exchange | None = None
    for number, model in enumerate(candidates, start=1):
        answer = ask(PROBE[role], model)
        first = first or answer
        parts.hello = answer if role == "chat" and (parts.hello is None or answer.status == 200) else parts.hello
        if answer.status == 200:
            parts.models[role] = model
            parts.chosen[role] = f"number {number} of {len(candidates)} tried" if number > 1 else "the first asked"
            return
        if answer.status in (None, 401):
            break
    if first is None:
        parts.missing[role] = "the server lists no model"
    elif role == "chat" or first.status in (404, 405):
        # 404 and 405: the endpoint itself is absent. That is the server's answer, and is measured as such.
        absent = f"although the server answers {first.status} to it" if first.status else "which did not answer"
        parts.models[role], parts.chosen[role] = candidates[0], absent
    else:
        others = f", nor are {len(candidates) - 1} others that were tried" if len(candidates) > 1 else ""
        parts.missing[role] = (
            f"the model {candidates[0]!r} is not one for {role} (the server answered {first.status}: "
            f"{message(first)}){others}; name another with --{role}-model"
        )


def _chat(content: Any) -> Request:
    body = {"model": wire.MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": 1}
    return Request(path="/chat/completions", body=body)


PROBE: dict[Role, Request] = {
    "chat": _chat("Hello"),
    "embedding": Request(path="/embeddings", body={"model": wire.MODEL, "input": "Hello"}),
    "vision": _chat([{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": _RED_PNG}}]),
}
"""The request that shows whether a model plays a role."""


def parsed(answer: Exchange) -> Any:
    """The body as JSON, or None."""
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def message(answer: Exchange) -> str:
    """What a refusal says, in short."""
    if answer.error:
        return answer.error_detail or answer.error
    body = parsed(answer)
    error = body.get("error") if isinstance(body, dict) else None
    text = error.get("message") if isinstance(error, dict) else error
    return str(text or answer.body[:80].decode(errors="replace"))[:160]
