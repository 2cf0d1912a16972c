"""Make a JSON body shorter as long as it shows the same failure: delta debugging (Zeller and Hildebrandt, 2002)."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from fixtures import images

SMALL_IMAGE = images.data_url(images.png(255, 0, 0))
"""What takes the place of an image: half of one is none."""

Path = tuple[str | int, ...]

NEEDED = {"model", "messages", "prompt", "input", "role", "content", "type", "function", "name", "id", "call_id"} | {
    "tool_call_id", "arguments", "output", "image_url", "url", "json_schema", "schema", "text", "summary",
}  # fmt: skip
"""Required keys: they are removed only together with the object that contains them."""


def reduced(body: Any, fails: Callable[[Any], bool], most: int) -> tuple[Any, int]:
    """The smallest body that was found for which `fails` holds, and how many were tried: at most `most`.

    Parts are left out, the largest first, and strings are shortened; all is tried again until nothing helps. `fails`
    holds for `body`, which is not changed.
    """
    tried = {_digest(body)}
    again = True
    while again:
        again = False
        for shorter in _shorter(body):
            digest = _digest(shorter)
            if digest in tried or not consistent(shorter):
                continue
            if len(tried) > most:
                return body, len(tried) - 1
            tried.add(digest)
            if fails(shorter):
                body, again = shorter, True
                break
    return body, len(tried) - 1


def _digest(body: Any) -> bytes:
    return hashlib.sha256(json.dumps(body).encode()).digest()


def consistent(body: Any) -> bool:
    """Whether each tool result still has its call, and each conversation a message."""
    messages = body.get("messages", body.get("input")) if isinstance(body, dict) else None
    if not isinstance(messages, list):
        return True
    items = [one for one in messages if isinstance(one, dict)]
    calls = {call.get("id") for one in items for call in one.get("tool_calls") or [] if isinstance(call, dict)}
    calls |= {one.get("call_id") for one in items if one.get("type") == "function_call"}
    results = {one.get("tool_call_id") for one in items if one.get("role") == "tool"}
    results |= {one.get("call_id") for one in items if one.get("type") == "function_call_output"}
    return bool(messages) and results <= calls


def _shorter(body: Any) -> Iterator[Any]:
    """Bodies with less in them than this one, those that lack most first."""
    cuts = [(size, path, cut) for path, cut, size in _cuts(body, ())]
    cuts.sort(key=lambda one: -one[0])
    for _, path, cut in cuts:
        yield _changed(body, path, cut)


def _cuts(value: Any, path: Path) -> Iterator[tuple[Path, Callable[[Any], Any], int]]:
    """What can be made of each part of a value: where it is, how it changes, how many characters that saves."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in NEEDED:
                yield path, _without_key(key), len(json.dumps(inner)) + len(key)
            yield from _cuts(inner, (*path, key))
    elif isinstance(value, list):
        sizes = [len(json.dumps(one)) for one in value]
        width = len(value) // 2
        while width >= 1:
            for start in range(0, len(value), width):
                yield path, _without_items(start, start + width), sum(sizes[start : start + width])
            width //= 2
        for at, inner in enumerate(value):
            yield from _cuts(inner, (*path, at))
    elif isinstance(value, str) and value.startswith("data:image/"):
        if len(value) > len(SMALL_IMAGE):
            yield path, lambda _: SMALL_IMAGE, len(value) - len(SMALL_IMAGE)
    elif isinstance(value, str) and len(value) > 1 and path[-1:] not in (("type",), ("role",), ("model",)):
        half = len(value) // 2
        yield path, lambda text: text[:half], len(value) - half
        yield path, lambda text: text[half:], half


def _without_key(key: str) -> Callable[[Any], Any]:
    return lambda value: {name: inner for name, inner in value.items() if name != key}


def _without_items(start: int, end: int) -> Callable[[Any], Any]:
    return lambda value: [*value[:start], *value[end:]]


def _changed(body: Any, path: Path, cut: Callable[[Any], Any]) -> Any:
    if not path:
        return cut(copy.deepcopy(body))
    whole = copy.deepcopy(body)
    parent = whole
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = cut(parent[path[-1]])
    return whole
