"""A strict, byte-exact parser for server-sent events that names what a client would lose.

The rules are those of the WHATWG HTML standard, section "Server-sent events" (9.2.5 parsing and 9.2.6
interpreting an event stream). Whatever that text allows is parsed silently: LF, CRLF and CR, also mixed;
comments; fields with or without the space after the colon; a byte order mark; unknown field names. Where
the text makes a client drop or change bytes, the parser goes on as the client would, and names the place as
a `Violation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

NOT_UTF8 = "the bytes are not valid UTF-8; clients put U+FFFD in their place"
"""9.2.5: a stream is always UTF-8, and decoded with replacement, never refused: the text arrives changed."""

INSIDE_EVENT = "the stream ends inside an event; clients drop it"
"""9.2.6: an event is dispatched by the blank line after it; what is still pending at the end is discarded."""

NUL_IN_ID = "the id holds a NUL character; clients ignore the whole line"
"""9.2.6, field `id`: a value with U+0000 is ignored."""

BAD_RETRY = "retry is not a number in ASCII digits; clients ignore the line"
"""9.2.6, field `retry`: only a value of ASCII digits counts."""

STRAY_TEXT = "the line is text or JSON outside of any field; clients ignore it"
"""9.2.6: a line without colon is a field name without value, and names that the standard does not know are
ignored. Legal there, lost data here: a bare error object, or the rest of a payload after a raw line break."""

MISNAMED = "the field name is not in the standard, although it resembles one; clients ignore the line"
"""9.2.6: names are compared without changing case or space. `Data:`, ` data:` and `error:` reach nobody."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")
_FIELDS = frozenset({"data", "event", "id", "retry"})
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Event:
    """One dispatched event.

    `data` is its lines joined by LF, `event` its type, `id` the last event id in force (the standard keeps an
    id until the next one; None while the stream gave none). `offset` is the byte where its first field line
    begins, `end` the byte after the blank line that completes it.
    """

    data: str
    event: str = "message"
    id: str | None = None
    offset: int = 0
    end: int = 0


@dataclass(frozen=True, slots=True)
class Violation:
    """A place where a client loses or changes bytes: its offset, and the rule in one sentence."""

    offset: int
    rule: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a client makes of a stream.

    `events` in order; `comments` counted; `unknown` the names of fields that the standard ignores, in order;
    `violations` by offset; `pending` the event that the end of the stream cut off, which a client never sees
    (None if nothing was pending), so that a judge may be lenient about a `[DONE]` without its blank line.
    """

    events: tuple[Event, ...]
    comments: int
    unknown: tuple[str, ...]
    violations: tuple[Violation, ...]
    pending: Event | None


def parse(raw: bytes) -> Parsed:
    """Interpret a whole event stream.

    In: the body bytes, after transfer and content encodings are undone. Out: `Parsed`, with offsets into
    `raw`. Never raises, whatever the bytes. Source: WHATWG HTML, 9.2.5 and 9.2.6.
    """
    stream = _Stream()
    for line in _lines(raw):
        stream.read(line)
    return stream.finish(len(raw))


def timed(events: Iterable[Event], reads: Sequence[tuple[float, int]]) -> list[float | None]:
    """The arrival time of the read that completed each event.

    In: the events of `parse(raw)`, in order, and how `raw` arrived, as (seconds, number of bytes) in order. Out: for
    each event the seconds of the read with which its blank line was complete; None if the reads end before it, which
    they do where redaction has made `raw` longer.
    """
    times: list[float | None] = []
    following = iter(reads)
    seconds, arrived = 0.0, 0
    for event in events:
        while arrived < event.end and (read := next(following, None)):
            seconds, arrived = read[0], arrived + read[1]
        times.append(seconds if arrived >= event.end else None)
    return times


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    raw: bytes
    end: int

    @property
    def whole(self) -> bool:
        return self.end > self.start + len(self.raw)


def _lines(raw: bytes) -> Iterator[_Line]:
    """Lines of the stream without their ends; one byte order mark at the start is no part of it (9.2.5)."""
    start = len(_BOM) if raw.startswith(_BOM) else 0
    for end in _LINE_END.finditer(raw, start):
        yield _Line(start, raw[start : end.start()], end.end())
        start = end.end()
    if start < len(raw):
        yield _Line(start, raw[start:], len(raw))


@dataclass(slots=True)
class _Stream:
    """The buffers of 9.2.6, and what was found so far."""

    events: list[Event] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    comments: int = 0
    data: list[str] = field(default_factory=list)
    type: str = ""
    last_id: str | None = None
    first: int | None = None  # where the current event's first field line begins
    open: bool = False  # the current event has a field that only its blank line makes effective
    cut: int | None = None  # where a last line begins that ends in the middle of a field name

    def read(self, line: _Line) -> None:
        if not line.raw:
            self.dispatch(line.end)
            return
        text = self.decode(line)
        if text.startswith(":"):
            self.comments += 1
            return
        if self.first is None:
            self.first = line.start
        name, colon, value = text.partition(":")
        if name in _FIELDS:
            self.set(name, value.removeprefix(" "), line.start)
        else:
            self.ignore(name, bool(colon), line)

    def decode(self, line: _Line) -> str:
        try:
            return line.raw.decode("utf-8")
        except UnicodeDecodeError as bad:
            self.violations.append(Violation(line.start + bad.start, NOT_UTF8))
            return line.raw.decode("utf-8", "replace")

    def set(self, name: str, value: str, offset: int) -> None:
        if name == "data":
            self.data.append(value)
            self.open = True
        elif name == "event":
            self.type = value
            self.open = True
        elif name == "id":
            if "\0" in value:
                self.violations.append(Violation(offset, NUL_IN_ID))
            else:
                self.last_id = value
                self.open = True
        elif not _DIGITS.fullmatch(value):
            self.violations.append(Violation(offset, BAD_RETRY))

    def ignore(self, name: str, colon: bool, line: _Line) -> None:
        """A line that the standard drops: another party's field, or something that was meant to arrive."""
        if name.strip(" \t\ufeff").lower() in _FIELDS | {"error"}:
            self.violations.append(Violation(line.start, MISNAMED))
        elif not colon and not line.whole and any(known.startswith(name) for known in _FIELDS):
            self.cut = line.start  # "dat" and the end: cut off, not stray
        elif not colon or not _NAME.fullmatch(name):
            self.violations.append(Violation(line.start, STRAY_TEXT))
        else:
            self.unknown.append(name)

    def event(self, end: int) -> Event:
        assert self.first is not None
        return Event("\n".join(self.data), self.type or "message", self.last_id, self.first, end)

    def dispatch(self, end: int) -> None:
        """A blank line. Without any data line the standard dispatches nothing, and forgets the type."""
        if self.data:
            self.events.append(self.event(end))
        self.data, self.type, self.first, self.open = [], "", None, False

    def finish(self, end: int) -> Parsed:
        pending = self.event(end) if self.open else None
        lost = pending.offset if pending else self.cut
        if lost is not None:
            self.violations.append(Violation(lost, INSIDE_EVENT))
        return Parsed(
            tuple(self.events),
            self.comments,
            tuple(self.unknown),
            tuple(sorted(self.violations, key=lambda violation: violation.offset)),
            pending,
        )
