"""What is declared of faults: how it is read, compared with what they flip, and written."""

from __future__ import annotations

from collections.abc import Collection

import pytest

from tests.reference import kills
from tests.reference.kills import FEW, MOST, Declared

FAULTS = ["stop-lost", "stop-late", "error-flat", "tie"]
CHECKS = [*(f"errors.e{at}" for at in range(MOST + 10)), "stop.ends", "stop.may_be_long", "wire.is_json", "zebra.runs"]
TEXT = """# What this is.

[stop-lost]
"stop.ends" = "fail"
# A race.
"zebra.runs" = "pass|fail"

[error-flat]
caught_by = ["errors", "wire"]

[tie]
only = "inconclusive"
"""
MANY = dict.fromkeys(CHECKS[:MOST], "fail") | {"wire.is_json": "fail"}


def test_the_file_is_read() -> None:
    assert kills.declared(TEXT) == {
        "stop-lost": Declared(rows={"stop.ends": "fail", "zebra.runs": "pass|fail"}),
        "error-flat": Declared(areas=("errors", "wire")),
        "tie": Declared(only="inconclusive"),
    }


@pytest.mark.parametrize(
    ("flipped", "expected"),
    [
        ({"stop.ends": "fail"}, {}),
        ({"stop.ends": "fail", "zebra.runs": "fail"}, {}),
        ({}, {"stop.ends": "pass"}),
        ({"stop.ends": "ignored"}, {"stop.ends": "ignored"}),
        ({"stop.ends": "fail", "wire.is_json": "fail"}, {"wire.is_json": "fail"}),
    ],
)
def test_a_sharp_fault_flips_exactly_what_it_declares(flipped: dict[str, str], expected: dict[str, str]) -> None:
    assert kills.differences(kills.declared(TEXT)["stop-lost"], flipped) == expected


def test_a_broad_fault_is_caught_in_each_of_its_areas() -> None:
    broad = kills.declared(TEXT)["error-flat"]
    assert kills.differences(broad, MANY) == {}
    assert kills.differences(broad, {**MANY, "zebra.runs": "fail"}) == {}
    assert list(kills.differences(broad, {**MANY, "wire.is_json": "inconclusive"})) == ["wire"]
    assert kills.differences(broad, {**MANY, "zebra.runs": "error"}) == {"zebra.runs": "error"}
    assert list(kills.differences(broad, dict(list(MANY.items())[-FEW:]))) == ["caught_by"]


def test_differences_are_told_in_words() -> None:
    entries = kills.declared(TEXT)
    sharp = kills.told(entries["stop-lost"], {"stop.ends": "ignored", "wire.is_json": "fail"})
    assert sharp == ["stop.ends: expected fail, got ignored", "wire.is_json: expected no flip, got fail"]
    assert kills.told(entries["tie"], {"stop.ends": "fail"}) == ["stop.ends: expected inconclusive, got fail"]
    broad = entries["error-flat"]
    assert kills.told(broad, kills.differences(broad, {"errors.e1": "fail"})) == [
        "caught_by: the fault flips only 1 checks and needs rows",
        "wire: no check of this area noticed the fault",
    ]


def test_a_fault_may_have_only_one_outcome() -> None:
    tie = kills.declared(TEXT)["tie"]
    assert kills.differences(tie, {}) == {}
    assert kills.differences(tie, {"stop.ends": "inconclusive"}) == {}
    assert kills.differences(tie, {"stop.ends": "fail"}) == {"stop.ends": "fail"}
    lenient = Declared(areas=("errors",), only="lenient")
    assert kills.differences(lenient, dict.fromkeys(CHECKS, "lenient")) == {}
    assert list(kills.differences(lenient, dict.fromkeys(CHECKS, "fail"))) == [*CHECKS, "errors"]


def test_only_what_every_attempt_shows_is_a_difference() -> None:
    sharp = kills.declared(TEXT)["stop-lost"]
    seen = [{"stop.ends": "fail", "wire.is_json": "fail"}, {"wire.is_json": "fail"}, {}]
    asked = list[list[str]]()

    def flips(among: Collection[str]) -> dict[str, str]:
        asked.append(list(among))
        return seen.pop(0)

    assert kills.steady_differences(sharp, flips) == ({}, {"stop.ends": "fail"})
    assert asked == [[], ["wire.is_json"], ["wire.is_json"]]
    always = {"zebra.runs": "error"}
    assert kills.steady_differences(sharp, lambda _: always) == ({"stop.ends": "pass", "zebra.runs": "error"}, always)


def corrected(name: str, flipped: dict[str, str]) -> Declared:
    entry = kills.declared(TEXT).get(name, Declared())
    return kills.corrected(entry, kills.differences(entry, flipped), flipped, CHECKS)


def test_what_still_holds_is_kept() -> None:
    """A fault turns broad and sharp as its number of checks says."""
    seen = corrected("stop-lost", {"stop.ends": "fail", "wire.is_json": "ignored"})
    assert seen.rows == {"stop.ends": "fail", "zebra.runs": "pass|fail", "wire.is_json": "ignored"}
    assert corrected("stop-lost", {"stop.ends": "fail", **MANY}) == Declared(areas=("errors", "wire", "stop"))
    assert corrected("error-flat", {"stop.ends": "fail"}) == Declared(rows={"stop.ends": "fail"})
    assert corrected("error-flat", dict.fromkeys(CHECKS[: MOST + 10], "fail")) == Declared(areas=("errors",))
    assert corrected("stop-late", MANY).areas == ("errors", "wire")


def test_an_entry_is_written_in_place() -> None:
    def written(name: str, entry: Declared) -> str:
        return kills.written(TEXT, name, entry, FAULTS, CHECKS)

    rows = {"errors.e1": "fail", "stop.may_be_long": "fail", "zebra.runs": "pass|fail"}
    assert written("stop-lost", Declared(rows=rows)) == TEXT.replace(
        '"stop.ends" = "fail"\n', '"errors.e1" = "fail"\n"stop.may_be_long" = "fail"\n'
    )
    late = written("stop-late", Declared(rows={"stop.ends": "fail"}))
    assert late == TEXT.replace("[error-flat]", '[stop-late]\n"stop.ends" = "fail"\n\n[error-flat]')
    assert written("tie", Declared(areas=("stop",))) == TEXT.replace('only = "inconclusive"', 'caught_by = ["stop"]')
    for name, entry in kills.declared(TEXT).items():
        assert written(name, entry) == TEXT


def test_the_file_keeps_to_its_form() -> None:
    text = kills.FILE.read_text(encoding="utf-8")
    for name, entry in kills.declared(text).items():
        assert kills.written(text, name, entry, [name], list(entry.rows)) == text
