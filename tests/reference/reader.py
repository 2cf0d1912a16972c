"""Reads a model's raw text: from a notation to content, reasoning and tool calls, in a stream as well as whole.

The reader takes the text piece by piece, and returns each part as soon as it is certain. How the text is divided
changes nothing. White space next to a marker belongs to the marker.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.reference.generator import Event
from tests.reference.jsongen import fits
from tests.reference.notation import Notation


class Ended(Exception):
    """The text ended inside of a call."""


class NoCall(Exception):
    """Text that began like a call is not a call."""


class Text:
    """A text that grows while it is read. `at` is where reading stands, `done` where the last whole call ended."""

    def __init__(self, pieces: Iterator[str], begun: str = "") -> None:
        self.all, self.at, self.done, self._pieces = begun, 0, 0, pieces

    def more(self) -> bool:
        """Wait for another piece; false at the end."""
        for piece in self._pieces:
            self.all += piece
            return True
        return False

    def ahead(self, size: int) -> str:
        """The next characters; fewer at the end."""
        while len(self.all) - self.at < size and self.more():
            pass
        return self.all[self.at : self.at + size]

    def eat(self, mark: str) -> bool:
        """Skip the marker if it is next. Waits only for the text that is needed to decide this."""
        while len(self.all) - self.at < len(mark) and mark.startswith(self.all[self.at :]) and self.more():
            pass
        found = self.all.startswith(mark, self.at)
        self.at += len(mark) * found
        return found

    def end(self, mark: str) -> bool:
        """As `eat`; the end of the text also counts as a marker."""
        found = mark.startswith(self.ahead(len(mark)))
        self.at += len(self.ahead(len(mark))) * found
        return found

    def space(self) -> None:
        """Skip white space."""
        while self.ahead(1).isspace():
            self.at += 1

    def until(self, mark: str) -> str:
        """Skip the next marker; returns the text before it."""
        begun = self.at
        while (found := self.all.find(mark, begun)) < 0:
            if not self.more():
                raise Ended
        self.at = found + len(mark)
        return self.all[begun:found]

    def value(self, ends: str = "", quotes: str = '"') -> str:
        """A value in JSON or Python, up to its closing bracket, or to the first of `ends` outside of all brackets."""
        begun, depth, quote = self.at, 0, ""
        while one := self.ahead(1):
            if one in ends and not depth and not quote:
                break
            self.at += 1
            if quote:
                self.at += one == "\\"
                quote = "" if one == quote else quote
            else:
                quote = one if one in quotes else ""
                depth += (one in "{[(") - (one in "}])")
            if not (depth or quote or ends):
                break
        else:
            raise Ended
        return self.all[begun : self.at]


def held(text: str, marks: Sequence[str]) -> int:
    """How many characters at the end of a text may be the beginning of a marker."""
    longest = min(max(map(len, marks), default=1) - 1, len(text))
    return next((n for n in range(longest, 0, -1) if any(mark.startswith(text[-n:]) for mark in marks)), 0)


def typed(text: str, schema: Any) -> Any:
    """The value of a raw text: a string if the schema allows one, else what the text is as JSON."""
    if fits(schema, text):
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if fits(schema, value) else text


@dataclass
class Reader:
    """Reads one response. `tools` has the parameters' schema of each function that the request offers."""

    notation: Notation
    tools: dict[str, Any]
    truncated: Callable[[], bool] = lambda: False
    """Whether the text ended at a limit of tokens."""

    # Faults replace these.
    held: Callable[[str, Sequence[str]], int] = held
    typed: Callable[[str, Any], Any] = typed
    name: str = r"[\w-]+"
    shown: Callable[[str], str] = lambda _: ""
    """What is shown of a truncated call."""
    thinks: bool = True
    """Whether a call in reasoning is reasoning."""
    calls: int = 0
    """How many have been read."""

    @property
    def begins(self) -> list[str]:
        """How a call, or a list of calls, begins."""
        one = self.notation
        if one.begins:
            return [begin.replace("{name}", name) for begin in one.begins for name in self.tools]
        return [one.section[0] or one.call[0]] if self.tools else []

    def read(self, pieces: Iterator[str]) -> Iterator[Event]:
        """The parts of a response, in their order."""
        opened = self.notation.opened
        for event in self._read(Text(pieces, opened)):
            yield event._replace(at=event.at - len(opened)) if event.at >= 0 else event

    def _read(self, text: Text) -> Iterator[Event]:
        begin, end = self.notation.thought
        text.space()
        if begin and text.eat(begin):
            text.space()
            yield from self._text(text, [end, *([] if self.thinks else self.begins)], "reasoning")
            text.space()
            text.eat(end)
        elif begin.startswith(text.all[text.at :]) and self.truncated():
            yield Event("content", self.shown(text.all[text.at :]))
            return
        said, joint = False, ""
        text.space()
        while True:
            before = text.at
            mark = yield from self._text(text, [*self.begins, *self.notation.silent], "content", joint)
            said = said or text.at > before
            if not mark:
                return
            joint = "\n" if said else ""
            text.done = text.at
            text.space()
            if mark in self.notation.silent:
                text.eat(mark)
                text.space()
                continue
            try:
                yield from self._calls(text)
                text.space()
            except (Ended, NoCall):
                if self.truncated():
                    yield Event("content", self.shown(text.all[text.done :]))
                    return
                text.at = text.done
                text.space()
                text.at += 1
                yield Event("content", text.all[text.done : text.at], at=text.done)
                said, joint = True, ""

    def _text(self, text: Text, marks: Sequence[str], channel: str, joint: str = "") -> Generator[Event, None, str]:
        """Text before the first of the marks, `joint` before it. Returns the mark, empty at the end of the text."""
        mark, more = "", True
        while more and not mark:
            found = [(at, -len(one), one) for one in marks if (at := text.all.find(one, text.at)) >= 0]
            until, _, mark = min(found, default=(len(text.all) - self.held(text.all[text.at :], marks), 0, ""))
            part = text.all[text.at : until].rstrip()
            more = bool(mark) or text.more()
            if not more:
                rest = text.all[until:]
                part = text.all[text.at : until] + (self.shown(rest) if self.truncated() else rest)
            if part:
                if joint:
                    yield Event(channel, joint)
                yield Event(channel, part, at=text.at)
                text.at, joint = text.at + len(part), ""
            if not more:
                text.at = len(text.all)
        return mark

    def _calls(self, text: Text) -> Iterator[Event]:
        """One call, or those of a section."""
        begin, end = self.notation.section
        self._expect(text, begin)
        while True:
            yield from self._call(text)
            text.done = text.at
            text.space()
            if not begin or (self.notation.between and not text.eat(self.notation.between)):
                break
            if not self.notation.between and text.end(end):
                return
        if not text.end(end):
            raise NoCall

    def _call(self, text: Text) -> Iterator[Event]:
        begin, middle, end = self.notation.call
        self._expect(text, begin)
        if self.notation.arguments == "object":
            body = _object(text)
            name, number, values = body.get("name"), body.get("id"), body.get("arguments", body.get("parameters"))
        else:
            head = re.fullmatch(self.notation.head, text.until(middle).strip())
            name, number = (head["name"], head.groupdict().get("id")) if head else ("", "")
            values = _ARGUMENTS[self.notation.arguments](self, text, name)
        text.space()
        if not re.fullmatch(self.name, str(name)) or not isinstance(values, dict) or not text.end(end):
            raise NoCall
        yield Event("call", str(name), self.calls, str(number or "") if self.notation.ids else "")
        yield Event("arguments", json.dumps(values, ensure_ascii=False), self.calls)
        self.calls += 1

    @staticmethod
    def _expect(text: Text, mark: str) -> None:
        text.space()
        if not text.eat(mark):
            raise NoCall

    def pairs(self, text: Text, name: str) -> dict[str, Any]:
        """Keys and raw values between markers."""
        begin, middle, end = self.notation.pairs
        schemas = (self.tools.get(name) or {}).get("properties", {})
        values = {}
        text.space()
        while text.eat(begin):
            key = text.until(middle)
            values[key] = self.typed(text.until(end), schemas.get(key, True))
            text.space()
        return values


def _object(text: Text) -> Any:
    """A JSON object."""
    text.space()
    try:
        value = json.loads(text.value())
    except ValueError as problem:
        raise NoCall from problem
    if not isinstance(value, dict):
        raise NoCall
    return value


def _gemma(text: Text) -> dict[str, Any]:
    """Gemma's objects, behind the opening brace: bare keys, strings between marks, else JSON."""
    values: dict[str, Any] = {}
    while not text.eat("}"):
        text.eat(",")
        key = text.until(":").strip()
        if text.eat(_QUOTE):
            values[key] = text.until(_QUOTE)
        elif text.eat("{"):
            values[key] = _gemma(text)
        else:
            try:
                values[key] = json.loads(text.value(",}"))
            except ValueError as problem:
                raise NoCall from problem
    return values


_QUOTE = '<|"|>'


def _python(text: Text) -> dict[str, Any]:
    """Keyword arguments, up to the closing bracket. Inside of lists and objects, JSON's constants are taken, too."""
    body = text.value(")", "\"'")
    try:
        call = ast.parse(f"f({body})", mode="eval").body
    except (SyntaxError, ValueError) as problem:
        raise NoCall from problem
    if not isinstance(call, ast.Call) or call.args:
        raise NoCall
    return {str(pair.arg): _literal(pair.value) for pair in call.keywords}


def _literal(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value):
            return value
        case ast.List(items):
            return [_literal(item) for item in items]
        case ast.Dict(keys, values):
            return {_literal(key): _literal(one) for key, one in zip(keys, values, strict=True) if key}
        case ast.Name("true" | "false" | "null" as name):
            return json.loads(name)
        case ast.UnaryOp(ast.USub(), operand):
            return -_literal(operand)
    raise NoCall


_ARGUMENTS: dict[str, Callable[[Reader, Text, str], dict[str, Any]]] = {
    "json": lambda _, text, __: _object(text),
    "pairs": Reader.pairs,
    "gemma": lambda _, text, __: _gemma(text),
    "python": lambda _, text, __: _python(text),
}
