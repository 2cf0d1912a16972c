"""The gate of odd values: whatever a response contains, no check ends in `error`, which would be the suite's fault.

Each field of the answers of a whole run, in each kind of answer, is replaced in all of them at once, or left out; so
are whole bodies, statuses and headers. Every check that reads one of them judges again. Not collected with the other
tests: `.ci/gate`.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from backends.wire import Exchange
from conformance.answers.recording import Recording
from conformance.outcomes import Outcome
from tests.reference.bench import Bench
from tests.reference.fault import area_of
from tests.reference.gate import EVERY

GONE = object()
ODD: list[Any] = [GONE, None, True, 7, -1.5, 10**400, "", "x", [], [7], [None], {}, {"a": [1]}]
DEEP = 8
"""Keys and places on the way to a field; deeper ones belong to schemas that were sent and come back."""

STATUSES = (None, 201, 204, 301, 400, 404, 418, 429, 500, 599, 0, 999)
HEADERS: list[list[tuple[str, str]]] = [
    [],
    [("content-type", "text/html")],
    [("content-type", "text/event-stream")],
    [("content-type", "application/json; charset=latin-1")],
    [("content-type", "")],
    [("content-type", "application/json"), ("content-type", "text/event-stream"), ("content-length", "-5")],
]
BODIES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "half of it": lambda body: body[: len(body) // 2],
    "it twice": lambda body: body + body,
    "a proxy's page": lambda _: b"<html><body>502 Bad Gateway</body></html>",
    "no UTF-8": lambda body: body.replace(b"a", b"\xff", 3),
    "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "blank lines": lambda _: b"\r\n" * 1000,
    "NaN": lambda body: body.replace(b"1", b"NaN"),
    "infinity": lambda body: body.replace(b": 1", b": 1e999"),
    "a long number": lambda body: body.replace(b"1", b"9" * 400),
    "deep JSON": lambda _: b"[" * 5000 + b"]" * 5000,
    "halves of surrogate pairs": lambda body: body.replace(b"e", rb"\ud800", 5),
    "NUL": lambda body: body.replace(b"e", rb"\u0000", 5),
    "negative places": lambda body: body.replace(b'"index": 0', b'"index": -1'),
    "empty events": lambda _: b"data: \n\n",
    "an end at once": lambda _: b"data: [DONE]\n\n",
    "an error in a stream": lambda _: b'data: {"error":{"message":"x"}}\n\n',
    "a text for an error": lambda _: b'{"error":"x"}',
    "an empty error": lambda _: b'{"error":{}}',
    "an odd error": lambda _: b'{"error":{"message":5,"type":[],"code":{},"param":1}}',
    **{f"only {odd!r}": lambda _, odd=odd: json.dumps(odd).encode() for odd in ODD[1:]},  # type: ignore[misc]
}

PARTS = 16
SHARE = 6
"""One of so many changes of fields is tried, the same in each run: trying all takes minutes."""

Kind = tuple[str, bool, bool]
"""The endpoint, whether the answer is a stream, and whether it is a refusal."""
Way = tuple[str, ...]
Lines = list[tuple[bytes, Any]]
"""The lines of a body: what stands before its JSON, and that; `GONE`: the line is none."""


@dataclass(frozen=True)
class Change:
    """What is done to all answers of a kind, and in words."""

    kind: Kind
    told: str
    done: Callable[[Exchange, Lines], Exchange]


def fields(value: Any, at: Way = ()) -> Iterator[Way]:
    """The ways to all fields; `#` stands for any place in a list."""
    yield at
    if len(at) < DEEP and isinstance(value, dict):
        for key, inner in value.items():
            yield from fields(inner, (*at, key))
    elif len(at) < DEEP and isinstance(value, list):
        for inner in value:
            yield from fields(inner, (*at, "#"))


def changed(value: Any, at: Way, new: Any) -> Any:
    """The value with something else in a field, wherever it has that."""
    if not at:
        return new
    if isinstance(value, list) and at[0] == "#":
        return [inner for inner in (changed(one, at[1:], new) for one in value) if inner is not GONE]
    if isinstance(value, dict) and at[0] in value:
        inner = changed(value[at[0]], at[1:], new)
        return {key: inner if key == at[0] else old for key, old in value.items() if key != at[0] or inner is not GONE}
    return value


def lines_of(body: bytes) -> Lines:
    found: Lines = []
    for line in body.split(b"\n"):
        before = b"data: " if line.startswith(b"data: ") else b""
        try:
            found.append((before, json.loads(line[len(before) :])))
        except ValueError:
            found.append((line, GONE))
    return found


def with_body(answer: Exchange, body: bytes) -> Exchange:
    return replace(answer, body=body, reads=((0.001, len(body)),) if body else ())


def with_field(at: Way, new: Any) -> Callable[[Exchange, Lines], Exchange]:
    def done(answer: Exchange, lines: Lines) -> Exchange:
        new_lines = [(before, changed(value, at, new)) for before, value in lines]
        if new_lines == lines:
            return answer
        texts = (before + (b"" if value is GONE else json.dumps(value).encode()) for before, value in new_lines)
        return with_body(answer, b"\n".join(texts))

    return done


@cache
def kinds(on: Bench) -> dict[Kind, dict[tuple[str, int], Lines]]:
    """The lines of all answers, by the answer's kind, scenario and number."""
    found: dict[Kind, dict[tuple[str, int], Lines]] = defaultdict(dict)
    for name, recording in on.recorded.items():
        for number, answer in enumerate(recording.exchanges):
            lines = lines_of(answer.body)
            if any(value is not GONE for _, value in lines):
                streamed = (answer.header("content-type") or "").startswith("text/event-stream")
                found[area_of(answer.request.path), streamed, (answer.status or 0) >= 400][name, number] = lines
    return found


def of_fields(on: Bench) -> list[Change]:
    """A share of all changes of fields, in an order that is always the same and follows nothing."""
    known = {
        (kind, at)
        for kind, answers in kinds(on).items()
        for lines in answers.values()
        for _, value in lines
        for at in fields(value)
    }
    found = [
        Change(kind, f"{'.'.join(at)} = {'nothing' if new is GONE else repr(new)[:20]}", with_field(at, new))
        for kind, at in sorted(known)
        for new in ODD
    ]
    random.Random(0).shuffle(found)
    return found[::SHARE]


def of_answers(on: Bench) -> list[Change]:
    """Other bodies, statuses and headers."""
    found = []
    for kind in sorted(kinds(on)):
        found += [
            Change(kind, f"the body is {told}", lambda answer, _, make=make: with_body(answer, make(answer.body)))  # type: ignore[misc]
            for told, make in BODIES.items()
        ]
        found += [
            Change(kind, f"status {status}", lambda answer, _, status=status: replace(answer, status=status))  # type: ignore[misc]
            for status in STATUSES
        ]
        found += [
            Change(kind, f"headers {them}", lambda answer, _, them=them: replace(answer, headers=tuple(them)))  # type: ignore[misc]
            for them in HEADERS
        ]
    return found


def with_change(on: Bench, change: Change) -> dict[str, Recording]:
    """The recordings in which something changes."""
    found: dict[str, Recording] = {}
    for (name, number), lines in kinds(on)[change.kind].items():
        old = on.recorded[name].exchanges[number]
        new = change.done(old, lines)
        if new is not old:
            recording = found.setdefault(name, Recording({**on.recorded[name]}))
            recording["exchanges"] = [
                new.to_json() if at == number else one for at, one in enumerate(recording["exchanges"])
            ]
    return found


@pytest.mark.parametrize("part", range(0, PARTS, 1 if EVERY == 1 else 4))
@pytest.mark.parametrize("of", [of_fields, of_answers])
def test_whatever_is_answered_ends_every_check_with_a_verdict(
    on: Bench, of: Callable[[Bench], list[Change]], part: int
) -> None:
    tried = of(on)[part::PARTS]
    assert len(tried) > 20
    errors = [
        f"{check}: {change.kind} {change.told}: {result.message}"
        for change in tried
        for check, result in on.judged_again(with_change(on, change)).items()
        if result.outcome is Outcome.ERROR
    ]
    assert errors == []
