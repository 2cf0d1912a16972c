"""The words with which a check compares a value of the wire with what is required; each ends the check if it is not so.

`where` says what is compared, by its wire name: "`usage.completion_tokens`", "HTTP status of the second request".
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

from conformance import notes
from conformance.outcomes import Fail

LONG = 200
"""Characters of a value that a message shows."""


def assert_equal(actual: Any, expected: Any, where: str) -> None:
    """The value must be this one."""
    _assert(actual == expected, _shown(expected), actual, where)


def assert_not_equal(actual: Any, unwanted: Any, where: str) -> None:
    """The value must be another one."""
    _assert(actual != unwanted, f"anything but {_shown(unwanted)}", actual, where)


def assert_in(actual: Any, allowed: Container[Any], where: str) -> None:
    """The value must be one of these, or, if `allowed` is a string, a part of it."""
    if isinstance(allowed, str):
        _assert(actual in allowed, f"a part of {_shown(allowed)}", actual, where)
    else:
        _assert(actual in allowed, f"one of {_listed(allowed)}", actual, where)


def assert_contains(actual: Container[Any], part: Any, where: str) -> None:
    """The string, array or object must contain this part."""
    _assert(part in actual, f"{_shown(part)} in it", actual, where)


def assert_at_most(actual: float, limit: float, where: str) -> None:
    """The number must not be greater than the limit."""
    _assert(actual <= limit, f"at most {limit}", actual, where)


def assert_at_least(actual: float, limit: float, where: str) -> None:
    """The number must not be smaller than the limit."""
    _assert(actual >= limit, f"at least {limit}", actual, where)


def assert_more(actual: float, than: float, where: str) -> None:
    """The number must be greater than the other one."""
    _assert(actual > than, f"more than {than}", actual, where)


def assert_less(actual: float, than: float, where: str) -> None:
    """The number must be smaller than the other one."""
    _assert(actual < than, f"less than {than}", actual, where)


def assert_none_of(found: Any, where: str) -> None:
    """There must be none of what `where` names: `found`, a sized collection, must be empty."""
    _assert(not found, "none", found, where)


def _assert(holds: bool, expected: str, actual: Any, where: str) -> None:
    if not holds:
        raise Fail(
            f"expected {expected}, got {_shown(actual)} ({where})", expected=expected, actual=_shown(actual, 2000)
        )
    notes.current().held.append(f"{where}: {_shown(actual)}")


def _shown(value: Any, length: int = LONG) -> str:
    """The value as JSON writes its kind: `null`, `true`, "text" in double quotes."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= length else f"{text[:length]}…"


def _listed(allowed: Container[Any]) -> str:
    return (
        ", ".join(map(_shown, allowed)) if isinstance(allowed, (list, tuple, set, frozenset, dict)) else _shown(allowed)
    )
