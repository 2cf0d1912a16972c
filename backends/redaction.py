"""Keep secrets out of everything that is written or printed, in whatever form a server or a program repeats them."""

from __future__ import annotations

import base64
import html.entities
import itertools
import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

SHORTEST = 6
"""Characters of the shortest secret that is removed. Shorter keys (`EMPTY`, `none`) are placeholders: they
are also ordinary words of responses, which must stay as they are to be judged."""

_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "api-key"}
"""Headers whose whole value is secret."""

LARGE = 1 << 20
"""Characters from which a document that is no stream is not parsed to find a secret that is split over an array."""

_DATA = re.compile(r"(?:^|[\r\n])data:([^\r\n]*(?:(?:\r\n|\r|\n)data:[^\r\n]*)*)")
_LINE = re.compile(r"(?:data:)?([^\r\n]+)")
_LITERAL = re.compile(r'"(?:[^"\\]++|\\.)*+"|\[\s*\d{1,3}(?:\s*,\s*\d{1,3})*\s*\]')

Secrets = tuple[str, ...]
Headers = tuple[tuple[str, str], ...]


def secrets(*some: str | None) -> Secrets:
    """The values to be removed, each once, without those that are too short to be secret."""
    return tuple(dict.fromkeys(one for one in some if one and len(one) >= SHORTEST))


def text(said: str, hidden: Secrets) -> str:
    """The text without the secrets: plain, escaped as in JSON or source code, percent-encoded, as base64, as hex."""
    for pattern in _patterns(hidden):
        said = pattern.sub(REDACTED, said)
    return said


def raw(said: bytes, hidden: Secrets) -> bytes:
    """The same for bytes of any encoding, UTF-16 and UTF-32 included."""
    for pattern in _patterns_of_bytes(hidden):
        said = pattern.sub(REDACTED.encode(), said)
    return said


def body(said: bytes, hidden: Secrets) -> bytes:
    """A response body without the secrets, also where one is split over events of a stream or elements of an array."""
    said = raw(said, hidden)
    return _unsplit(said, hidden) if hidden else said


def headers(pairs: Headers, hidden: Secrets) -> Headers:
    """The headers without secrets: the whole value of secret headers, and what `text` finds in all others, also where a
    secret is split over several."""
    cleaned = [
        (text(name, hidden), REDACTED if name.lower() in _HEADERS else text(value, hidden)) for name, value in pairs
    ]
    for number, _, kept in list(_without([(n, value) for n, (_, value) in enumerate(cleaned)], hidden)):
        cleaned[number] = cleaned[number][0], kept
    return tuple(cleaned)


def data(value: Any, hidden: Secrets) -> Any:
    """JSON data with each string in it, keys included, as `text` leaves it."""
    if isinstance(value, str):
        return text(value, hidden)
    if isinstance(value, dict):
        return {text(str(key), hidden): data(inner, hidden) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [data(inner, hidden) for inner in value]
    return value


def line(written: str, hidden: Secrets) -> str:
    """A line of JSON without the secrets; it stays valid JSON."""
    return written if text(written, hidden) == written else json.dumps(data(json.loads(written), hidden))


def _unsplit(said: bytes, hidden: Secrets) -> bytes:
    """Remove secrets from strings that readers join: those of a body's JSON documents, in order or at the same path."""
    try:
        whole = said.decode()
    except UnicodeDecodeError:
        return said
    documents = list(_documents(whole))
    joined: dict[tuple[object, ...], list[tuple[int, str]]] = {}
    for number, (_, _, document) in enumerate(documents):
        for path, string in _strings(document):
            joined.setdefault(path, []).append((number, string))
            joined.setdefault((), []).append((number, string))  # As they stand, whatever their paths.
    changes: dict[int, dict[str, str]] = {}
    for pieces in joined.values():
        if len(pieces) > 1:
            for number, before, after in _without(pieces, hidden):
                changes.setdefault(number, {})[before] = after
    for number in sorted(changes, reverse=True):
        begin, end, _ = documents[number]
        whole = whole[:begin] + _rewritten(whole[begin:end], changes[number]) + whole[end:]
    return whole.encode()


def _documents(whole: str) -> Iterator[tuple[int, int, Any]]:
    """Where the JSON documents of a body begin and end, and what they hold: events, lines, or all of it."""
    spans = [found.span(1) for found in _DATA.finditer(whole)]
    if not spans and len(whole) < LARGE:
        spans = [(0, len(whole))]
    for begin, end in spans:
        document = _parsed(re.sub(r"(^|[\r\n])data:", r"\1", whole[begin:end]))
        if document is not None:
            yield begin, end, document
            continue
        for line in _LINE.finditer(whole, begin, end):  # Each may be one, as Ollama streams, or without empty lines.
            if (document := _parsed(line[1])) is not None:
                yield *line.span(1), document


def _parsed(document: str) -> Any:
    try:
        return json.loads(document, strict=False)
    except (ValueError, RecursionError):
        return None


def _strings(top: Any) -> Iterator[tuple[tuple[object, ...], str]]:
    """Path and value of each string in a JSON document, in order; an array of bytes (of logprobs) counts as one.

    An `index` of an element is part of its path; other elements of an array share one.
    """
    event = tuple(top.get(key) for key in ("type", "output_index", "content_index")) if isinstance(top, dict) else ()
    left: list[tuple[tuple[object, ...], Any]] = [(tuple(map(str, event)), top)]
    while left:
        path, value = left.pop()
        if isinstance(value, str):
            yield path, value
        elif isinstance(value, dict):
            left += [((*path, key), inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list) and (string := _text_of(value)):
            yield path, string
        elif isinstance(value, list):
            left += [((*path, _place(one)), one) for one in reversed(value) if isinstance(one, str | dict | list)]


def _text_of(array: list[Any]) -> str | None:
    """What an array of bytes spells; None for any other array."""
    if all(type(one) is int and 0 <= one < 256 for one in array):
        return bytes(array).decode("latin-1")
    return None


def _place(element: Any) -> object:
    at = element.get("index") if isinstance(element, dict) else None
    return at if isinstance(at, int) else "[]"


def _without(pieces: list[tuple[int, str]], hidden: Secrets) -> Iterator[tuple[int, str, str]]:
    """Document, string before, and string after of each piece that has a part of a secret."""
    whole = "".join(string for _, string in pieces)
    spans = [found.span() for pattern in _patterns(hidden) for found in pattern.finditer(whole)]
    at = 0
    for number, string in pieces if spans else ():
        kept = string
        for begin, end in sorted(spans, reverse=True):
            first, last = max(begin - at, 0), min(end - at, len(string))
            if first < last:
                kept = kept[:first] + (REDACTED if begin >= at else "") + kept[last:]
        if kept != string:
            yield number, string, kept
        at += len(string)


def _rewritten(document: str, changes: dict[str, str]) -> str:
    """The document with the strings that are keys of `changes` replaced by their values, also as arrays of bytes."""

    def literal(found: re.Match[str]) -> str:
        value = _parsed(found[0])
        string = _text_of(value) if isinstance(value, list) else value
        if string not in changes:
            return found[0]
        return json.dumps(list(changes[string].encode("latin-1")) if isinstance(value, list) else changes[string])

    return _LITERAL.sub(literal, document)


@lru_cache(maxsize=32)
def _patterns(hidden: Secrets) -> list[re.Pattern[str]]:
    return [re.compile(form) for secret in hidden for form in _forms(secret, "")]


@lru_cache(maxsize=32)
def _patterns_of_bytes(hidden: Secrets) -> list[re.Pattern[bytes]]:
    return [re.compile(form.encode()) for secret in hidden for form in _forms(secret, r"\x00{0,3}")]


def _forms(secret: str, between: str) -> Iterator[str]:
    """A regular expression for each form of a secret; `between` may stand between any two characters.

    Each begins with plain characters, or alternatives that do: `re` then skips quickly over what cannot match. Other
    parts are atomic (`(?>`): a server that knows the key could else choose a text on which `re` tries all combinations.
    """
    breaks = (_BREAKS_BEFORE.get(char, _BREAK) for char in secret[1:])
    rest = zip(breaks, map(_character, secret[1:]), strict=True)
    yield _character(secret[0], "(?:") + "".join(f"{gap}{between}{char}" for gap, char in rest)
    octets = secret.encode()
    yield f"(?>(?:00|[:,-]|{_SPACE}){{0,6}})(?:0[xX])?{between}".join(_any_case(f"{octet:02x}") for octet in octets)
    yield f"(?>(?:,|{_SPACE}){{1,16}}){between}".join(map(str, octets))
    for shift, octets in itertools.product(range(3), (secret.encode(), secret.encode("utf-16-le"))):
        encoded = base64.b64encode(bytes(shift) + octets).decode()
        own = encoded[-(-shift * 8 // 6) : (shift + len(octets)) * 8 // 6]  # What does not depend on the neighbours.
        yield (_BREAK + between).join(_OF_BASE64.get(char, char) for char in own)


_SLASHES = r"\\(?<!\\\\)\\*+"
"""A whole run of backslashes, found at its beginning only: else each of a megabyte of them would begin a search."""

_SPACE = rf"(?:[ \t\r\n]|{_SLASHES}[nrt])"
_BREAK = rf"(?>(?:=?{_SPACE}{{1,4}})?)"
_BREAKS_BEFORE = {" ": "", "=": f"(?>{_SPACE}{{0,4}})"}
"""Some encoders break lines: MIME's base64 and quoted-printable, `hexdump`, an indented array."""

_OF_BASE64 = {
    "/": r"(?>/|_|\\+/|\\+u002[Ff]|%(?:25){0,8}2[Ff])",
    "+": r"(?>\+|-|\\+u002[Bb]|%(?:25){0,8}2[Bb])",
}


def _character(char: str, group: str = "(?>") -> str:
    """A regular expression for one character, as it is or escaped, in either case."""
    forms = sorted({char, char.lower(), char.upper()})
    same = "|".join(map(re.escape, forms))
    codes = "|".join(_any_case(f"{ord(form):02x}") for form in forms)
    octal = "|".join(f"{ord(form):03o}" for form in forms)
    decimal = "|".join(str(ord(form)) for form in forms)
    names = "".join(f"|{re.escape(name)}" for form in forms for name in _NAMES.get(form, ()))
    # An escaped letter n, r or t is a break.
    escaped = "|".join(re.escape(form) for form in forms if form not in "nrt\\")
    slashes = _SLASHES if char != "\\" else r"\\{1,16}"
    percent = rf"(?:25){{0,8}}(?:[uU]00)?(?:{codes})"
    return (
        ("(?:" if char in "\\%=&" else group)  # What these begin may be the characters themselves.
        + rf"{slashes}(?:[uU]\{{?0{{0,8}}(?:{codes})\}}?|x(?:{codes})|{octal}|0{{0,4}}(?:{codes})|{escaped})"
        rf"|%{percent}|={percent}"
        rf"|&(?:amp;){{0,8}}(?:#0{{0,8}}(?:{decimal});|#[xX]0{{0,8}}(?:{codes});{names})|{same})"
    )


_NAMES: dict[str, list[str]] = {}
"""The names of HTML for each character."""
for _name, _char in html.entities.html5.items():
    if _char.isascii() and _name.endswith(";"):
        _NAMES.setdefault(_char, []).append(_name)


def _any_case(digits: str) -> str:
    return "".join(f"[{d}{d.upper()}]" if d.isalpha() else d for d in digits)
