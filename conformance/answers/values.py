"""Read JSON values that must be of a type; a malformed response ends the check."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any, TypeVar

from conformance.outcomes import Fail
from conformance.outcomes.comparisons import shown

T = TypeVar("T")


def expect(value: Any, kind: type[T], what: str) -> T:
    """`value`, which must be of `kind` (a boolean is not a number); otherwise the check fails. `what` names it."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= sys.float_info.max:
        return value  # type: ignore[return-value]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        name, got = _JSON_NAMES[kind], written(value)[:200]
        raise Fail(f"{what}: expected {name}, got {got}", expected=name, actual=got)
    return value


def parsed(raw: str | bytes, what: str, *, wanted: str = "JSON") -> Any:
    """The JSON value that a string holds, in UTF-8 if it is bytes; the message says that `wanted` was expected."""
    try:
        text = raw if isinstance(raw, str) else raw.decode("utf-8-sig")
        return json.loads(text, parse_constant=_no_number)
    except (ValueError, RecursionError) as problem:
        text = raw if isinstance(raw, str) else raw.decode(errors="replace")
        raise Fail(
            f"{what}: expected {wanted}, got {shown(text, 80)} ({problem})", expected=wanted, actual=text[:300]
        ) from None


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def distinct(values: Iterable[Any]) -> list[Any]:
    """Different JSON values, in order, each once."""
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
    """A JSON value as a string."""
    try:
        return json.dumps(value)
    except RecursionError as problem:
        raise Fail(f"expected JSON that clients can read, got too deep nesting ({problem})") from None


def optional(value: Any, kind: type[T], what: str) -> T | None:
    """As `expect`, for a value that may be null or absent."""
    return None if value is None else expect(value, kind, what)


_JSON_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "an integer",
    float: "a number",
}
