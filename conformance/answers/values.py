"""Read JSON values that must be of a type; a malformed answer ends the check."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypeVar

from conformance.outcomes import Fail

T = TypeVar("T")


def expect(value: Any, kind: type[T], what: str) -> T:
    """`value`, which must be of `kind` (a bool is no number); else the answer is malformed, and the check fails."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value  # type: ignore[return-value]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise Fail(f"{what} is not {_JSON_NAMES[kind]}", expected=_JSON_NAMES[kind], actual=written(value)[:200])
    return value


def parsed(raw: str | bytes, what: str, *, wanted: str = "JSON") -> Any:
    """The JSON value that a text must be, in UTF-8 if it is bytes; `wanted` is shown as what was expected."""
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        text = raw if isinstance(raw, str) else raw.decode(errors="replace")
        raise Fail(f"{what} is not JSON ({problem})", expected=wanted, actual=text[:300]) from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def distinct(values: Iterable[Any]) -> list[Any]:
    """The different ones of JSON values, in order."""
    found: dict[Any, Any] = {}
    for value in values:
        found.setdefault((written(value),) if isinstance(value, list | dict) else value, value)
    return list(found.values())


def utf8(text: str, what: str) -> bytes:
    """The string in UTF-8; a string with half of a surrogate pair ends the check, since no text has such halves."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise Fail(
            f"{what} has half of a surrogate pair", expected="whole Unicode characters", actual=ascii(text)[:200]
        ) from None


def written(value: Any) -> str:
    """A JSON value as text."""
    try:
        return json.dumps(value)
    except RecursionError as problem:
        raise Fail(f"JSON is nested too deeply ({problem})", expected="what a client can read") from None


def optional(value: Any, kind: type[T], what: str) -> T | None:
    """The same for a value that may be null or absent."""
    return None if value is None else expect(value, kind, what)


_JSON_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "an integer",
    float: "a number",
}
