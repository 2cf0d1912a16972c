"""JSON for reading: indented, but short objects stay on one line, and long values are shortened with a note."""

from __future__ import annotations

import json
import math
import re
from typing import Any

WIDTH = 88
"""Characters up to which an object or array stays on one line."""

STRING, ITEMS, DEPTH = 1_500, 24, 40
"""Characters of a string, numbers of an array, and levels of nesting that are shown."""

_NESTED = (dict, list)
_encode = json.encoder.encode_basestring
"""A text as JSON, not only in ASCII."""

_DATA_URL = re.compile(r"data:[\w.+/-]*(;[\w=.-]+)*,")


def parsed(text: str) -> Any:
    """The JSON value that a text is. Raises ValueError for anything else, also for what is nested too deep to read."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def pretty(value: Any) -> str:
    """A JSON value as text for reading. Where something was left out it has `…`, and is not valid JSON."""
    return _pretty(value, 0)


def _pretty(value: Any, depth: int) -> str:
    if type(value) not in _NESTED or not value:
        return _scalar(value)
    if depth >= DEPTH:
        return "…"
    below = depth + 1
    if type(value) is dict:
        opened, closed, nested = "{", "}", True
        inner = [f"{_scalar(k)}: {_pretty(v, below) if type(v) in _NESTED else _scalar(v)}" for k, v in value.items()]
    else:
        opened, closed, nested = "[", "]", any(type(v) in _NESTED for v in value)
        inner = [_pretty(v, below) if type(v) in _NESTED else _scalar(v) for v in value[:ITEMS]]
        inner += [f"… {len(value) - ITEMS} more"] if len(value) > ITEMS else []
    together = ", ".join(inner)
    if not nested or (len(together) + 2 < WIDTH - 2 * depth and "\n" not in together):
        return f"{opened}{together}{closed}"
    indent = "\n" + "  " * (depth + 1)
    return opened + indent + f",{indent}".join(inner) + f"\n{'  ' * depth}{closed}"


def _scalar(value: Any) -> str:
    if type(value) is str and len(value) <= 200:
        return _encode(value)
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    if type(value) is not str:
        return json.dumps(value)
    if url := _DATA_URL.match(value):
        return f'"{value[: url.end() + 24]}… ({len(value):,} characters)"'
    if len(value) > STRING:
        return f'{_encode(value[:STRING])[:-1]}… ({len(value):,} characters)"'
    return _encode(value)
