"""The traits of a request: the parameters, messages and forms that it has, so that requests can be compared by them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from conformance.answers import Answer

KINDS = {dict: "objects", str: "strings", list: "arrays", int: "numbers", float: "numbers", bool: "booleans"}

MANY = 16
"""Elements of an array, or hundreds of a number, from which a server may have a limit of its own."""

BOUNDS = (1, 5)
"""Numbers up to which a server may accept a parameter, as Anthropic's models a `temperature`; more is another value."""

VALUES = ("tool_choice", "reasoning_effort", "role", "type", "n", "best_of", "encoding_format", "truncation")
"""Parameters whose values are told apart; of others the kind of value is."""

OWN = ("encrypted_content", "image_url", "file_data", "file_id", "item_reference")
"""Members whose value a server may know or not."""

INSTEAD = ("tool_calls", "function_call", "reasoning_content", "reasoning", "refusal", "audio")
"""Members that an assistant message may have in the place of `content`."""

IDS = ("id", "call_id", "tool_call_id")

LIMITS = ("max_completion_tokens", "max_tokens")
"""Two names of one parameter: a request with both is another request than one with either."""


def traits(answer: Answer) -> frozenset[str]:
    """Each parameter of a request with the kind of its value, and each role and form of a message or schema, apart."""
    found = set[str]()
    found.update(f"header {name}" for name, _ in answer.exchange.request.headers)
    for name, value in answer.sent.items():
        found.add(f"`{name}`: {_kind(name, value)}")
        if name in ("messages", "input", "prompt"):
            found.update(_parts(value))
        elif isinstance(value, dict | list):
            found.update(_schema(name, value))
    if all(answer.sent.get(name) is not None for name in LIMITS):
        found.add(" and ".join(LIMITS))
    return frozenset(found)


def _kind(name: str, value: Any) -> str:
    """What tells values of a parameter apart, as words."""
    if value is None:
        return "null"
    if isinstance(value, bool) or (name in VALUES and isinstance(value, str | int)):
        return str(value).lower()
    if isinstance(value, dict):
        kind = f"an object of type {value.get('type')}" if "type" in value else "an object"
        return kind if value else "an empty object"
    if isinstance(value, list):
        size = "no" if not value else "many" if len(value) > MANY else "some"
        return f"an array of {size} {KINDS.get(type(value[0]), 'values') if value else 'values'}"
    if isinstance(value, str):
        return "a string" if value else "an empty string"
    if isinstance(value, int) and abs(value) > 100 * MANY:
        return f"a number of {len(str(abs(value)))} digits"
    if not value:
        return "0"
    most = next((f" up to {bound}" for bound in BOUNDS if abs(value) <= bound), "")
    return f"{'a negative' if value < 0 else 'a'} number{most}"


def _parts(value: Any) -> Iterator[str]:
    """Roles, types and members of messages and items, each by itself."""
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            for name in ("role", "type"):
                if isinstance(one.get(name), str):
                    yield f"{name} {one[name]}"
            if "role" in one and one.get("name") is not None:
                yield f"role {one['role']} with a name"
            if "role" in one and one.get("content") is None:
                beside = [name for name in INSTEAD if one.get(name)]
                yield f"role {one['role']} without content, with {' and '.join(beside) or 'nothing'}"
            if isinstance(one.get("arguments"), str) and not _is_object(one["arguments"]):
                yield "arguments that are no JSON object"
            for name, member in one.items():
                if name in OWN:
                    yield f"member {name}: {member}"
                elif name in ("content", "output", "summary"):
                    yield f"{name} as {_kind(name, member)}"
                    yield from _parts(member)
                elif name in IDS and member:
                    pass
                elif name == "tool_calls":
                    yield "member tool_calls"
                    yield from _parts(member)
                elif name in ("function", "custom"):
                    yield f"member {name}"
                    yield from _parts([member])
                elif member is None or name not in ("role", "type", "text", "name", "arguments", "input", "status"):
                    yield f"member {name} as {_kind(name, member)}"


def _schema(name: str, value: Any) -> Iterator[str]:
    """The keys of an object and of all that is in it; keys of properties are told apart by their schema alone."""
    if isinstance(value, list):
        for one in value:
            yield from _schema(name, one)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key == "properties" and isinstance(inner, dict):
                for one in inner.values():
                    yield from _schema(name, one)
            elif key == "$ref":
                yield f"$ref to {'the root' if inner == '#' else 'a definition'}"
            elif name not in ("metadata", "logit_bias"):
                yield f"{key} in `{name}`"
                yield from _schema(name, inner)
            if key in ("type", "effort") and isinstance(inner, str):
                yield f"{key} {inner} in `{name}`"


def _is_object(arguments: str) -> bool:
    try:
        return isinstance(json.loads(arguments), dict)
    except ValueError:
        return False
