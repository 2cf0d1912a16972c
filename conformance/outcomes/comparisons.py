"""Words that compare a value with what is required; each ends the check with a message if the comparison fails.

`where` names the value as the wire does: "`usage.completion_tokens`", "HTTP status of the second request". The message
reads "expected …, got … (where)".
"""

from __future__ import annotations

import json
from collections.abc import Container
from typing import Any

from conformance.outcomes import Broken, Fail, notes

LONG = 200
"""Characters of a value that a message shows."""


def assert_equal(actual: Any, expected: Any, where: str) -> None:
    """The value must be this one."""
    _assert(actual == expected, shown(expected), actual, where)


def assert_not_equal(actual: Any, unwanted: Any, where: str) -> None:
    """The value must be another one."""
    _assert(actual != unwanted, f"anything but {shown(unwanted)}", actual, where)


def assert_in(actual: Any, allowed: Container[Any], where: str) -> None:
    """The value must be one of these, or, if `allowed` is a string, a part of it."""
    if isinstance(allowed, str):
        _assert(actual in allowed, f"a part of {shown(allowed)}", actual, where)
    else:
        _assert(actual in allowed, f"one of {_listed(allowed)}", actual, where)


def assert_contains(actual: Container[Any], part: Any, where: str) -> None:
    """The string, array or object must contain this part."""
    _assert(part in actual, f"{shown(part)} in it", actual, where)


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


def assert_none_broken(found: Any, where: str) -> None:
    """No request may break the server: `found` must be empty. What the model did in other responses is no excuse."""
    _assert(not found, "none", found, where, Broken)


def _assert(holds: bool, expected: str, actual: Any, where: str, kind: type[Fail] = Fail) -> None:
    if not holds:
        raise kind(f"expected {expected}, got {shown(actual)} ({where})", expected=expected, actual=shown(actual, 2000))
    notes.current().held.append(f"{where}: {shown(actual)}")


def shown(value: Any, length: int = LONG) -> str:
    """The value as messages show it: as JSON, on one line, and not longer than `length`."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError):  # A key that is not a string, a huge integer, deep nesting.
        text = str(type(value).__name__)
    return text if len(text) <= length else f"{text[:length]}…"


def _plain(value: Any) -> Any:
    """What stands for a value that JSON does not have."""
    return sorted(value, key=repr) if isinstance(value, set | frozenset) else str(value)


def _listed(allowed: Container[Any]) -> str:
    return (
        ", ".join(map(shown, allowed)) if isinstance(allowed, (list, tuple, set, frozenset, dict)) else shown(allowed)
    )
