"""What of a request decides its prompt and its response: requests that are alike in it must get the same."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any
from weakref import WeakKeyDictionary

from conformance.answers import Answer

INERT = {
    *("stream", "stream_options", "user", "metadata", "store", "service_tier", "safety_identifier"),
    *("prompt_cache_key", "logprobs", "top_logprobs", "include", "n", "truncation"),
}
"""Parameters that change neither prompt nor response; `n` repeats the response."""

GREEDY = {"seed", "top_p"}
"""Parameters that change no response at `temperature: 0`."""

SAMPLING = {
    *("temperature", "frequency_penalty", "presence_penalty", "logit_bias", "stop", "best_of", "echo", "suffix"),
    *("max_tokens", "max_completion_tokens", "max_output_tokens", "prediction"),
}
"""Parameters that change responses, and no prompt. A `suffix` may be part of the prompt, so it stays."""

DEFAULTS: dict[str, Any] = {
    **{"frequency_penalty": 0, "presence_penalty": 0, "logit_bias": {}, "stop": [], "echo": False, "best_of": 1},
    **{"tools": [], "functions": [], "background": False, "text": {}, "reasoning": {}},
}
"""Values that say nothing, as null does."""


def prompt_of(answer: Answer) -> str | None:
    """What decides how many tokens the prompt of a request has."""
    return _key(answer, INERT | GREEDY | SAMPLING - {"suffix"})


def beginning_of(answer: Answer, number: int) -> str | None:
    """What decides the prompt of a request that has only this `number` of messages, the first ones."""
    return _key(answer, INERT | GREEDY | SAMPLING, number)


def decided_by(answer: Answer) -> str | None:
    """What decides the response to a request at `temperature: 0`; None at any other."""
    sent = answer.sent
    if sent.get("temperature") != 0:
        return None
    return _key(answer, INERT | GREEDY)


def decided_before_stop(answer: Answer) -> str | None:
    """What decides the response to a request at `temperature: 0` up to its first `stop` string."""
    return None if answer.sent.get("temperature") != 0 else _key(answer, INERT | GREEDY | {"stop"})


def differing(answer: Answer, other: Answer) -> str:
    """The parameters in which two requests differ, as words."""
    absent = object()
    both = {**other.sent, **answer.sent}
    names = [name for name in both if answer.sent.get(name, absent) != other.sent.get(name, absent)]
    return ", ".join(f"`{name}`" for name in names) or "nothing"


_KNOWN: WeakKeyDictionary[Answer, dict[Any, str | None]] = WeakKeyDictionary()
"""The keys of each response: several rules compare it with all others."""


def _key(answer: Answer, without: Collection[str], messages: int | None = None) -> str | None:
    known = _KNOWN.setdefault(answer, {})
    about = frozenset(without), messages
    if about not in known:
        known[about] = _make_key(answer, without, messages)
    return known[about]


def _make_key(answer: Answer, without: Collection[str], messages: int | None) -> str | None:
    sent = answer.sent
    if not sent or answer.exchange.request.method != "POST":
        return None
    kept = {
        name: value
        for name, value in sent.items()
        if name not in without and value is not None and not (name in DEFAULTS and value == DEFAULTS[name])
    }
    for name in ("messages", "input"):
        if name in kept:
            kept[name] = _plainly(kept[name])[:messages]
    return f"{answer.exchange.request.path} {answer.exchange.request.role} {json.dumps(kept, sort_keys=True)}"


def _plainly(value: Any) -> Any:
    """Messages or items in one of the forms that mean the same: one text is a string, whether it came as a part."""
    if isinstance(value, str):
        return [{"role": "user", "content": value}]
    if not isinstance(value, list):
        return [value]
    return [_message(one) if isinstance(one, dict) else one for one in value]


def _message(one: dict[str, Any]) -> dict[str, Any]:
    made = {name: member for name, member in one.items() if not (name == "type" and member == "message")}
    for name in ("content", "output"):
        parts = one.get(name)
        if isinstance(parts, list) and len(parts) == 1 and set(parts[0]) == {"type", "text"}:
            made[name] = parts[0]["text"]
    return made
