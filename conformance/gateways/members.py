"""How two JSON values differ, member by member."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

How = Literal["dropped", "added", "changed"]

ID_NAMES = frozenset({"id", "item_id", "call_id", "tool_call_id", "response_id", "previous_response_id"})
"""Members that name something which the server made."""

OPAQUE = frozenset(
    {"parameters", "schema", "metadata", "client_metadata", "logit_bias", "properties", "chat_template_kwargs"}
)
"""Members whose own members the user chooses: a difference within them is one of the whole."""


@dataclass(frozen=True)
class Difference:
    """A member that is on one side only, or has another value there; `null` is as if it were not there.

    `path` has `[]` for any element of an array. `empty`: the value means nothing, or the same as no value.
    """

    how: How
    path: str
    before: Any
    after: Any

    @property
    def empty(self) -> bool:
        """Whether a member is only on one side, and `null` or an empty array or object."""
        return (self.after if self.how == "added" else self.before) in (None, [], {}) and self.how != "changed"

    @property
    def parent(self) -> str:
        """The path of the object that has the member."""
        return self.path.rpartition(".")[0].replace("[]", "")

    @property
    def name(self) -> str:
        """The last name of the path."""
        return last_name(self.path)


def last_name(path: str) -> str:
    """The last name of a path: `tool_calls` of `choices[].message.tool_calls[]`."""
    return re.sub(r"(\[\])+$", "", path).rpartition(".")[2]


def differences(before: Any, after: Any, path: str = "") -> Iterator[Difference]:
    """How `after` differs from `before`. Numbers of equal value are equal, `true` and 1 are not."""
    if same(before, after):
        return
    if (before is None or after is None) and path:
        yield Difference("dropped" if after is None else "added", path, before, after)
        return
    if isinstance(before, dict) and isinstance(after, dict) and last_name(path) not in OPAQUE:
        for key in dict.fromkeys([*before, *after]):
            below = f"{path}.{key}" if path else key
            if key not in after:
                yield Difference("dropped", below, before[key], None)
            elif key not in before:
                yield Difference("added", below, None, after[key])
            else:
                yield from differences(before[key], after[key], below)
    elif isinstance(before, list) and isinstance(after, list) and _has_members(before, after):
        yield from _of_lists(before, after, path)
    else:
        yield Difference("changed", path, before, after)


def same(one: Any, other: Any) -> bool:
    """Whether two JSON values are equal."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and value of each string, number, boolean, null and empty array or object, as text."""
    if value in ({}, []):
        yield path, "[]"
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[]")
    else:
        yield path, json.dumps(value)


def ids(before: Any, after: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Where both values have an id at the same place: its path, and the id in each."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in before.keys() & after.keys():
            one, other = before[key], after[key]
            below = f"{path}.{key}" if path else key
            if key in ID_NAMES and isinstance(one, str) and isinstance(other, str):
                yield below, one, other
            yield from ids(one, other, below)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from ids(one, other, f"{path}[]")


def _has_members(before: list[Any], after: list[Any]) -> bool:
    """Whether these are arrays of objects; others are compared as a whole."""
    return all(isinstance(one, dict) for one in [*before, *after])


def _of_lists(before: list[Any], after: list[Any], path: str) -> Iterator[Difference]:
    if len(before) == len(after):
        for one, other in zip(before, after, strict=True):
            yield from differences(one, other, f"{path}[]")
        return
    old, new = ([json.dumps(one, sort_keys=True) for one in some] for some in (before, after))
    for how, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if how == "equal":
            continue
        paired = min(b - a, d - c)
        for one, other in zip(before[a : a + paired], after[c : c + paired], strict=True):
            yield from differences(one, other, f"{path}[]")
        yield from (Difference("dropped", f"{path}[]", one, None) for one in before[a + paired : b])
        yield from (Difference("added", f"{path}[]", None, one) for one in after[c + paired : d])
