"""The gate of odd values: whatever JSON value stands in a field of an answer, no check ends in `error`, our own fault.

Each field of the answers of a whole run, in each kind of answer, is replaced in all of them at once, or left out, and
every check that reads one of them judges again. Not collected with the other tests: `.ci/gate`.
"""

from __future__ import annotations

import dataclasses
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from conformance.outcomes import Outcome
from conformance.recording import Recording
from tests.reference.fault import area_of
from tests.reference.gate import Bench

GONE = object()
ODD: list[Any] = [GONE, None, True, 7, -1.5, "", "x", [], [7], [None], {}, {"a": [1]}]
DEEP = 8
"""Keys and places on the way to a field; deeper ones belong to schemas that were sent and come back."""

PARTS = 16
SHARE = 4
"""One of so many changes is tried, the same in each run: trying all takes minutes."""

Kind = tuple[str, bool, bool]
"""The endpoint, whether the answer is a stream, and whether it is a refusal."""
Path = tuple[str, ...]


def fields(value: Any, at: Path = ()) -> Iterator[Path]:
    """The ways to all fields; `#` stands for any place in a list."""
    yield at
    if len(at) < DEEP and isinstance(value, dict):
        for key, inner in value.items():
            yield from fields(inner, (*at, key))
    elif len(at) < DEEP and isinstance(value, list):
        for inner in value:
            yield from fields(inner, (*at, "#"))


def changed(value: Any, at: Path, new: Any) -> Any:
    """The value with something else in a field, wherever it has that."""
    if not at:
        return new
    if isinstance(value, list) and at[0] == "#":
        return [inner for inner in (changed(one, at[1:], new) for one in value) if inner is not GONE]
    if isinstance(value, dict) and at[0] in value:
        inner = changed(value[at[0]], at[1:], new)
        return {key: inner if key == at[0] else old for key, old in value.items() if key != at[0] or inner is not GONE}
    return value


def objects(body: bytes) -> list[tuple[bytes, Any]]:
    """The lines of a body, each with the JSON that it holds, and what stands before that."""
    found: list[tuple[bytes, Any]] = []
    for line in body.split(b"\n"):
        before = b"data: " if line.startswith(b"data: ") else b""
        try:
            found.append((before, json.loads(line[len(before) :])))
        except ValueError:
            found.append((line, GONE))
    return found


def written(lines: list[tuple[bytes, Any]]) -> bytes:
    return b"\n".join(before + (b"" if value is GONE else json.dumps(value).encode()) for before, value in lines)


@cache
def kinds(on: Bench) -> dict[Kind, dict[tuple[str, int], list[tuple[bytes, Any]]]]:
    """The objects of all answers, by the answer's kind, scenario and number."""
    found: dict[Kind, dict[tuple[str, int], list[tuple[bytes, Any]]]] = defaultdict(dict)
    for name, recording in on.recorded.items():
        for number, answer in enumerate(recording.exchanges):
            lines = objects(answer.body)
            if any(value is not GONE for _, value in lines):
                streamed = (answer.header("content-type") or "").startswith("text/event-stream")
                found[area_of(answer.request.path), streamed, (answer.status or 0) >= 400][name, number] = lines
    return found


def changes(on: Bench) -> list[tuple[Kind, Path, Any]]:
    """All changes, in an order that is always the same and follows nothing."""
    known = {
        (kind, at)
        for kind, answers in kinds(on).items()
        for lines in answers.values()
        for _, value in lines
        for at in fields(value)
    }
    found = [(kind, at, new) for kind, at in sorted(known) for new in ODD]
    random.Random(0).shuffle(found)
    return found


def with_change(on: Bench, kind: Kind, at: Path, new: Any) -> dict[str, Recording]:
    """The recordings in which something changes."""
    found: dict[str, Recording] = {}
    for (name, number), lines in kinds(on)[kind].items():
        body = written([(before, changed(value, at, new)) for before, value in lines])
        if body != written(lines):
            old = on.recorded[name].exchanges[number]
            recording = found.setdefault(name, Recording({**on.recorded[name]}))
            listed = list(recording["exchanges"])
            listed[number] = dataclasses.replace(old, body=body, reads=((0.001, len(body)),)).to_json()
            recording["exchanges"] = listed
    return found


@pytest.mark.parametrize("part", range(PARTS))
def test_any_value_in_any_field_ends_every_check_with_a_verdict(on: Bench, part: int) -> None:
    tried = changes(on)[::SHARE][part::PARTS]
    assert len(tried) > 20
    errors = []
    for kind, at, new in tried:
        for check, result in on.judged_again(with_change(on, kind, at, new)).items():
            if result.outcome is Outcome.ERROR:
                shown = "nothing" if new is GONE else repr(new)
                errors.append(f"{check}: {kind} {'.'.join(at)} = {shown}: {result.message}")
    assert errors == []
