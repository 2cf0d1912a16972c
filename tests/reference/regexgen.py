"""A string that a regular expression matches: the shortest-looking one, for `pattern` in JSON Schemas."""

from __future__ import annotations

import re
import re._constants as op  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
from typing import Any


class Unsupported(Exception):
    """A construct that no string is made for here."""


_CLASSES = {op.CATEGORY_DIGIT: "1", op.CATEGORY_WORD: "a", op.CATEGORY_SPACE: " "}
_PREFERRED = "aA1 -_.@/:" + "".join(map(chr, range(33, 127)))


def matching(pattern: str, shortest: int = 0) -> str:
    """A string of at least `shortest` characters (if the pattern can be that long) that the pattern matches."""
    try:
        tree = parser.parse(pattern)
    except re.error as error:
        raise Unsupported(str(error)) from error
    extra = 0
    while len(text := _sequence(tree, extra)) < shortest and extra < shortest:
        extra += 1
    if not re.search(pattern, text):
        raise Unsupported(pattern)
    return text


def _sequence(tree: Any, extra: int) -> str:
    return "".join(_one(code, value, extra) for code, value in tree)


def _one(code: Any, value: Any, extra: int) -> str:
    if code is op.LITERAL:
        return chr(int(value))
    if code is op.ANY:
        return "a"
    if code is op.AT:
        return ""
    if code is op.IN:
        return _member(value)
    if code is op.NOT_LITERAL:
        return next(c for c in _PREFERRED if ord(c) != value)
    if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
        low, high, tree = value
        times = int(min(low + extra, high if high is not op.MAXREPEAT else 1 << 16))
        return _sequence(tree, extra) * times
    if code is op.SUBPATTERN:
        return _sequence(value[-1], extra)
    if code is op.BRANCH:
        return _sequence(value[1][0], extra)
    raise Unsupported(str(code))


def _member(items: list[tuple[Any, Any]]) -> str:
    if items[0][0] is op.NEGATE:
        refused = items[1:]
        return next(c for c in _PREFERRED if not any(_holds(item, c) for item in refused))
    return next((c for c in _PREFERRED if any(_holds(item, c) for item in items)), None) or _first(items[0])


def _first(item: tuple[Any, Any]) -> str:
    code, value = item
    return chr(value[0] if code is op.RANGE else value)


def _holds(item: tuple[Any, Any], char: str) -> bool:
    code, value = item
    if code is op.LITERAL:
        return ord(char) == int(value)
    if code is op.RANGE:
        return int(value[0]) <= ord(char) <= int(value[1])
    if code is op.CATEGORY:
        for category, example in _CLASSES.items():
            if value is category:
                return bool({"1": char.isdigit(), "a": char.isalnum() or char == "_", " ": char.isspace()}[example])
        return not _holds((code, _POSITIVE[value]), char)
    raise Unsupported(str(code))


_POSITIVE = {
    op.CATEGORY_NOT_DIGIT: op.CATEGORY_DIGIT,
    op.CATEGORY_NOT_WORD: op.CATEGORY_WORD,
    op.CATEGORY_NOT_SPACE: op.CATEGORY_SPACE,
}
