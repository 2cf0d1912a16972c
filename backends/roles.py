"""Which of the models that a server lists plays which role: its responses prove it, never its name."""

from __future__ import annotations

import base64
import json
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backends import wire
from backends.absent import ABSENT, looks_absent
from backends.target import ROLES
from backends.wire import Exchange, Request, Role

PROBES = 8
"""Models that are tried for a role at most: each try may load a model, which takes a large one a minute."""

CHAT_PROBES = 64
"""Models that are tried for chats, without which little can be measured; the first that is one ends the search."""

ASKED = 40
"""The most models for whose capabilities the server is asked; those of others are unknown."""

AS_TEXT = 100
"""Prompt tokens by which two images of one size differ if the server reads their data as text: over 1,000 characters
more. An image's own tokens depend on its size."""

Ask = Callable[[Request, str], Exchange]
"""Sends a request to a model."""

Capabilities = Callable[[str], list[str] | None]
"""What a server says that a model can do, in its own words; None if it does not say."""


def _png(rows: bytes) -> str:
    """A data URL of an image of 32 x 32 pixels; `rows` has three bytes for each pixel."""
    raw = b"".join(b"\0" + rows[start : start + 96] for start in range(0, len(rows), 96))
    chunks = ((b"IHDR", struct.pack(">2I5B", 32, 32, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    image = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(image).decode()


_RED = _png(b"\xff\0\0" * 1024)
_NOISE = _png(random.Random(1).randbytes(1536) + bytes(1536))
"""An image of the same size whose data is ten times as long."""


def _chat(content: Any) -> Request:
    body = {"model": wire.MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": 16}
    return Request(path="/chat/completions", body={**body, "temperature": 0, "stream": False})


def _seen(*images: str) -> Request:
    text = {"type": "text", "text": "What do you see?"}
    return _chat([text, *({"type": "image_url", "image_url": {"url": url}} for url in images)])


def _embedding(text: str) -> Request:
    return Request(path="/embeddings", body={"model": wire.MODEL, "input": text})


PROBE: dict[Role, Request] = {"chat": _chat("Hello"), "embedding": _embedding("Hello"), "vision": _seen(_RED)}
"""The request whose answer shows, with the others below, whether a model plays a role."""

_WITHOUT_LIMIT = Request(body={"model": wire.MODEL, "messages": [{"role": "user", "content": "Hello"}]})
"""Some models refuse a limit of tokens."""

_OTHER_CHAT = (
    Request(path="/completions", body={"model": wire.MODEL, "prompt": "Hello", "max_tokens": 16}),
    Request(path="/responses", body={"model": wire.MODEL, "input": "Hello", "max_output_tokens": 16, "stream": False}),
)
"""Where a chat model may answer if the server has no /chat/completions."""


@dataclass
class Cast:
    """The models that play the roles, why each was chosen, why a role has none, and what the chat model said.

    `proven` are the roles that a model plays by the user's word or by its answers: a server without an endpoint has a
    model for it all the same, so that the absence is measured.
    """

    models: dict[Role, str] = field(default_factory=dict)
    chosen: dict[Role, str] = field(default_factory=dict)
    missing: dict[Role, str] = field(default_factory=dict)
    proven: set[Role] = field(default_factory=set)
    hello: Exchange | None = None


def cast(ask: Ask, listed: list[str], named: dict[Role, str], can: Capabilities, wanted: dict[str, list[str]]) -> Cast:
    """Give each role a model: the one the user `named`, else the first of those `listed` that proves to play it.

    `wanted` has, by role, the capabilities that a model must have (the first) and had better have (the others); it is
    empty where the server says nothing of capabilities.
    """
    parts = Cast()
    abilities = {model: can(model) for model in listed[:ASKED]} if wanted and len(named) < len(ROLES) else {}
    for role in ROLES:
        if role in named:
            parts.models[role], parts.chosen[role] = named[role], "named by the user"
            parts.proven.add(role)
            if role == "chat":
                parts.hello = ask(PROBE["chat"], named[role])
            continue
        candidates = _candidates(role, listed, abilities, wanted.get(role, []), parts.models.get("chat"))
        _try(role, candidates[: CHAT_PROBES if role == "chat" else PROBES], ask, parts)
        if role in parts.models and any(abilities.values()):
            parts.chosen[role] += f"; the server says it can do {', '.join(abilities.get(parts.models[role]) or [])}"
    return parts


def lacks(role: Role, model: str, ask: Ask, answer: Exchange) -> str | None:
    """Why the answer to the role's `PROBE` does not show that the model plays it; None: it does."""
    if answer.status != 200:
        return f"the server answered {answer.status or answer.error}: {message(answer)}"
    if role == "embedding":
        if (vector := _vector(answer)) is None:
            return "the server answered 200 without an array of numbers in `data[0].embedding`"
        other = _vector(ask(_embedding("Seven ships sailed south."), model))
        return "two texts have the same embedding" if vector == other else None
    if said(answer) is None:
        return "the server answered 200 without `choices[0].message`"
    return _blind(model, ask, answer) if role == "vision" else None


def _blind(model: str, ask: Ask, seeing: Exchange) -> str | None:
    """Why the answer about an image does not depend on the image."""
    without, again, other = (ask(_seen(*images), model) for images in ((), (), (_NOISE,)))
    with_image, with_other, bare = map(_prompt_tokens, (seeing, other, without))
    if with_image is not None and with_other is not None and with_other - with_image >= AS_TEXT:
        return "the server puts the image's data into the prompt as text"
    counted = None not in (with_image, bare) and with_image != bare
    told = said(without) == said(again) != said(seeing)
    return None if counted or told else "an image changes neither the answer nor `usage.prompt_tokens`"


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
    return able


def _try(role: Role, candidates: list[str], ask: Ask, parts: Cast) -> None:
    """Ask the candidates until one plays the role; else say why none does."""
    first, why = None, ""
    for number, model in enumerate(candidates, start=1):
        answer = ask(PROBE[role], model)
        lack = lacks(role, model, ask, answer)
        if first is None:
            first, why = answer, lack or ""
        parts.hello = answer if role == "chat" and (parts.hello is None or answer.status == 200) else parts.hello
        chosen = f"number {number} of {len(candidates)} tried" if number > 1 else "the first asked"
        if role == "chat" and lack and number <= PROBES and (how := _chats_otherwise(answer, model, ask)):
            lack, chosen = None, f"{chosen}; it answers {how}"
        if lack is None:
            parts.models[role], parts.chosen[role] = model, chosen
            parts.proven.add(role)
            return
        if answer.status in (None, 401):
            break
    if first is None:
        parts.missing[role] = "the server lists no model for it"
    elif looks_absent(first) or (first.status in ABSENT and (role == "chat" or first.status != 501)):
        # The endpoint itself is absent. That is the server's answer, and is measured as such.
        parts.models[role], parts.chosen[role] = candidates[0], f"although the server answers {first.status} to it"
    else:
        others = f", nor are {len(candidates) - 1} others that were tried" if len(candidates) > 1 else ""
        parts.missing[role] = (
            f"the model {candidates[0]!r} is not one for {role} ({why}){others}; name another with "
            f"--{'' if role == 'chat' else role + '-'}model"
        )


def _chats_otherwise(answer: Exchange, model: str, ask: Ask) -> str | None:
    """How a model answers that does not answer the `PROBE` for chats."""
    if answer.status in (400, 422) and said(ask(_WITHOUT_LIMIT, model)) is not None:
        return "without `max_tokens`"
    others = _OTHER_CHAT if answer.status in ABSENT else ()
    return next((f"at {request.path}" for request in others if ask(request, model).status == 200), None)


def message_of(answer: Exchange) -> dict[str, Any] | None:
    """The message of a chat completion, also of a stream that nobody asked for; None if there is none."""
    if (answer.header("content-type") or "").lower().startswith("text/event-stream"):
        deltas = [delta for line in answer.body.splitlines() if isinstance(delta := _delta(line), dict)]
        keys = ("content", "reasoning_content", "reasoning")
        return {key: "".join(str(delta.get(key) or "") for delta in deltas) for key in keys} if deltas else None
    message = _first_choice(parsed(answer)).get("message")
    return message if isinstance(message, dict) else None


def _delta(line: bytes) -> Any:
    """The delta of a line of a stream."""
    try:
        return _first_choice(json.loads(line.removeprefix(b"data:"))).get("delta")
    except (ValueError, RecursionError):
        return None


def _first_choice(body: Any) -> dict[str, Any]:
    choices = _object(body).get("choices")
    return _object(choices[0]) if isinstance(choices, list) and choices else {}


def said(answer: Exchange) -> str | None:
    """The message of a chat completion as JSON, without what a server makes up; None if there is none."""
    message = message_of(answer)
    return (
        None
        if message is None
        else json.dumps([message.get(key) for key in ("content", "reasoning_content", "reasoning")])
    )


def _vector(answer: Exchange) -> list[Any] | str | None:
    """The first embedding of an answer: numbers, or their base64."""
    data = _object(parsed(answer)).get("data")
    vector = _object(data[0]).get("embedding") if isinstance(data, list) and data else None
    if isinstance(vector, list) and not all(isinstance(number, int | float) for number in vector):
        return None
    return vector if isinstance(vector, list | str) and vector else None


def _prompt_tokens(answer: Exchange) -> int | None:
    count = _object(_object(parsed(answer)).get("usage")).get("prompt_tokens")
    return count if isinstance(count, int) and count > 0 else None


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def parsed(answer: Exchange) -> Any:
    """The body as JSON, or None."""
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError):
        return None


def message(answer: Exchange) -> str:
    """What a refusal says, in short."""
    if answer.error:
        return answer.error_detail or answer.error
    error = _object(parsed(answer)).get("error")
    text = error.get("message") if isinstance(error, dict) else error
    return (text if isinstance(text, str) and text else answer.body[:80].decode(errors="replace"))[:160]
