"""Notations: what a model writes by a family's template is what the reference reads, however the text is divided."""

from __future__ import annotations

import itertools
import json
import keyword
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance.outcomes import Outcome
from conformance.requirements import dialect_rows
from conformance.run import catalogue
from fixtures.dialects import dialects, writing
from tests.reference import notation, readings
from tests.reference.bench import Bench, server
from tests.reference.kills import JUDGED, area
from tests.reference.notation import Notation, notations
from tests.reference.reader import Reader

ALL = list(notations().values())
NAMES = ["get_weather", "get-weather", "add"]
KINDS = {str: "string", bool: "boolean", int: "integer", float: "number", dict: "object", list: "array"}

each = pytest.mark.parametrize("one", ALL, ids=lambda one: one.dialect.name)
some = settings(max_examples=10, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))


def marks(one: Notation) -> list[str]:
    """All marks of a notation."""
    found = [
        *one.thought,
        *one.silent,
        *one.section,
        *one.call,
        *one.begins,
        *one.pairs,
        '<|"|>' * (one.arguments == "gemma"),
    ]
    return [mark.replace("{name}", name) for mark in found for name in NAMES if len(mark) > 2]


def texts(one: Notation) -> st.SearchStrategy[str]:
    """Texts with the beginnings of marks, but no whole mark, and no white space at their ends."""
    begun = [mark[:size] for mark in marks(one) for size in range(1, len(mark))]
    words = st.one_of(
        st.sampled_from([*begun, " ", "\n", "é", "🚀", '"', "}", "]", "\\"]), st.text("ab<[{>:,", max_size=3)
    )
    joined = st.lists(words, max_size=6).map("".join).map(str.strip)
    return joined.filter(lambda text: not any(mark.strip() in text for mark in marks(one)))


def values(one: Notation) -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of a call."""
    scalars = st.one_of(texts(one), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))
    nested = st.one_of(
        scalars, st.lists(st.integers(), max_size=2), st.dictionaries(st.sampled_from(["x", "y"]), scalars, max_size=2)
    )
    keys = st.text("abcd_", min_size=1, max_size=4).filter(lambda key: not keyword.iskeyword(key))
    return st.dictionaries(keys, nested, max_size=3)


@st.composite
def messages(draw: Callable[..., Any], one: Notation) -> dict[str, Any]:
    """A message of an assistant, so far as the notation has such a thing."""
    calls = draw(st.lists(st.tuples(st.sampled_from(NAMES), values(one)), max_size=3 if one.dialect.parallel else 1))
    message: dict[str, Any] = {"role": "assistant", "content": draw(texts(one)), "reasoning_content": ""}
    if calls:
        message["tool_calls"] = [
            {"id": f"functions.{name}:{at}", "type": "function", "function": {"name": name, "arguments": arguments}}
            for at, (name, arguments) in enumerate(calls)
        ]
        message["content"] = message["content"] if one.dialect.talk else ""
    if one.dialect.reasoning:
        quoted = draw(st.booleans()) and one.dialect.quoted and calls
        thought = draw(texts(one)) + (f" {writing.calls_text(one.dialect, message)} " if quoted else "") + "."
        message["reasoning_content"] = thought.strip()
    return message


def divided(draw: Callable[..., Any], text: str) -> list[str]:
    """A text in pieces."""
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=12)))
    return [text[begin:end] for begin, end in itertools.pairwise([0, *cuts, len(text)])]


def schemas(message: dict[str, Any]) -> dict[str, Any]:
    """The parameters of each function, by the types of what it is called with."""
    found: dict[str, Any] = {name: {"type": "object", "properties": {}} for name in NAMES}
    for call in message.get("tool_calls", []):
        for key, value in call["function"]["arguments"].items():
            kinds = found[call["function"]["name"]]["properties"].setdefault(key, {"anyOf": []})["anyOf"]
            kinds.append({"type": KINDS[type(value)]})
    return found


def read(one: Notation, pieces: Iterator[str], tools: dict[str, Any], *, cut: bool = False) -> dict[str, Any]:
    """What the reference makes of a raw text."""
    found: dict[str, Any] = {"content": "", "reasoning": "", "calls": []}
    for event in Reader(one, tools, lambda: cut).read(pieces):
        if event.channel == "call":
            found["calls"].append([event.text, ""])
        elif event.channel == "arguments":
            found["calls"][event.call][1] += event.text
        else:
            found[event.channel] += event.text
    return found


def wanted(message: dict[str, Any]) -> dict[str, Any]:
    called = [call["function"] for call in message.get("tool_calls", [])]
    calls = [[call["name"], json.dumps(call["arguments"], ensure_ascii=False)] for call in called]
    return {"content": message["content"], "reasoning": message["reasoning_content"], "calls": calls}


def unlike_numbers(message: dict[str, Any]) -> bool:
    """Whether a raw value that is a string could be another type, so that a schema with both cannot tell."""
    kinds = [kind for tool in schemas(message).values() for kind in tool["properties"].values()]
    return all(len(kind["anyOf"]) == 1 for kind in kinds)


@each
def test_what_is_written_is_read(one: Notation) -> None:
    @some
    @given(st.data())
    def check(data: st.DataObject) -> None:
        message = data.draw(messages(one).filter(unlike_numbers))
        pieces = divided(data.draw, notation.raw(one, message))
        assert read(one, iter(pieces), schemas(message)) == wanted(message)

    check()


@each
def test_what_is_truncated_is_a_beginning(one: Notation) -> None:
    @some
    @given(st.data())
    def check(data: st.DataObject) -> None:
        message = data.draw(messages(one).filter(unlike_numbers))
        text = notation.raw(one, message)
        begun = text[: data.draw(st.integers(0, len(text)))]
        seen, whole = read(one, iter(begun), schemas(message), cut=True), wanted(message)
        assert whole["content"].startswith(seen["content"].rstrip())
        assert whole["reasoning"].startswith(seen["reasoning"].rstrip())
        assert whole["calls"][: len(seen["calls"])] == seen["calls"]

    check()


@each
def test_text_between_calls_and_after_is_kept(one: Notation) -> None:
    if one.after is None:
        pytest.skip("nothing can follow a call in this notation")
    function = {"name": "get_weather", "arguments": {"location": "Oslo"}}
    message = {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "functions.get_weather:0", "function": function}],
    }
    call = writing.calls_text(one.dialect, message)
    call = one.opened + call if one.begins else call
    first = notation.raw(one, {"role": "assistant", "content": "first"})
    text = f"{first}\n{call}{one.after}second\n{call}{one.after}third"
    seen = read(one, iter(text), {"get_weather": {}})
    assert seen["content"].split() == ["first", "second", "third"]
    assert len(seen["calls"]) == 2


@each
def test_what_is_no_call_is_text(one: Notation) -> None:
    begun = (one.section[0] or one.call[0] or '{"name": "add"').replace("{name}", "add")
    before = ">>>all\n".removeprefix(one.opened) if one.opened == ">>>" else "</think>" if one.opened else ""
    text = f"{before}I write {begun} as it is."
    assert read(one, iter(text), {"add": {}})["content"].replace("\n", " ") == f"I write {begun} as it is.".replace(
        "\n", " "
    )


def test_without_tools_nothing_is_a_call() -> None:
    text = '<tool_call>\n{"name": "add", "arguments": {}}\n</tool_call>'
    assert read(notations()["hermes"], iter(text), {}) == {"content": text, "reasoning": "", "calls": []}


def test_every_dialect_has_a_reader() -> None:
    assert list(notations()) == list(dialects())


def test_the_table_of_readings_names_what_exists() -> None:
    found = readings.declared(readings.FILE.read_text(encoding="utf-8"))
    assert found.keys() == {readings.NONE, *(fault.name for fault in readings.READING)}, (
        "run: python -m tests.reference.readings --write"
    )
    for name, cells in found.items():
        for dialect, rows in cells.items():
            assert rows.keys() <= dialect_rows.checks(dialect), f"{name} in {dialect}"
    assert all({*rows.values()} == {"inconclusive"} for rows in found[readings.NONE].values())
    assert not any(found[fault.name] for fault in readings.READING if fault.legal)


def test_every_check_of_notation_is_failed_by_a_fault() -> None:
    found = readings.declared(readings.FILE.read_text(encoding="utf-8"))
    failed = {id for cells in found.values() for rows in cells.values() for id, seen in rows.items() if seen in JUDGED}
    assert {id for id in catalogue.load() if area(id) == "notation"} <= failed


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["functionary-v3.2", "glm-4.6", "gemma-4"])
def test_the_reference_passes_in_a_notation(dialect: str) -> None:
    with server() as url, closing(Bench(url, dialect=dialect)) as on:
        assert [f"{id}: {r.outcome}: {r.message}" for id, r in on.sound.items() if r.outcome is not Outcome.PASS] == []
