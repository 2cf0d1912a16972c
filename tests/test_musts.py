"""Every MUST has its published sentence, and the table has nothing else."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from conformance.outcomes import Level
from conformance.requirements.check import SOURCES, Check
from conformance.requirements.musts import TABLE, Must, by_check, label, left_to_model, musts, of_model
from conformance.run import catalogue

ROOT = Path(__file__).parent.parent
LABEL_WORDS = 6


def missing(checks: dict[str, Check]) -> list[str]:
    """What to do about each MUST that has no sentence."""
    return [
        f"{_place(one)}: {one.id} is a MUST without a published sentence; below the entry of its sentence in "
        f'{_named(TABLE)} add the line  "{one.id}" = "what a user sees"  or make it a SHOULD'
        for one in checks.values()
        if one.level is Level.MUST and one.id not in by_check()
    ]


def left_over(checks: dict[str, Check]) -> list[str]:
    """What to do about each line of the table that is about no MUST."""
    lines = TABLE.read_text(encoding="utf-8").splitlines()
    found = []
    for id in by_check():
        if id not in checks or checks[id].level is not Level.MUST:
            at = next(number for number, line in enumerate(lines, start=1) if line.startswith(f'"{id}"'))
            why = f"{id} is a {checks[id].level}" if id in checks else f"there is no check {id}"
            found.append(f"{_named(TABLE)}:{at}: {why}; delete this line")
    return found


def _place(one: Check) -> str:
    file = inspect.getsourcefile(one.function) or ""
    return f"{_named(Path(file))}:{inspect.getsourcelines(one.function)[1]}"


def _named(file: Path) -> str:
    return str(file.relative_to(ROOT))


def test_each_must_has_a_sentence() -> None:
    found = missing(catalogue.load())
    assert not found, "\n".join(found)


def test_nothing_is_left_over() -> None:
    found = left_over(catalogue.load())
    assert not found, "\n".join(found)


def test_what_to_do_is_said() -> None:
    checks = catalogue.load()
    other = Check(**{**vars(checks["stop.ends_the_text"]), "id": "stop.other"})
    [said] = missing({other.id: other})
    assert re.match(r"conformance/checks/test_stop\.py:\d+: stop\.other is a MUST without a published sentence", said)
    assert 'in conformance/requirements/musts.toml add the line  "stop.other" = "what a user sees"' in said
    gone = {id: one for id, one in checks.items() if id != "stop.ends_the_text"}
    [said] = left_over(gone)
    assert re.fullmatch(
        r"conformance/requirements/musts\.toml:\d+: there is no check stop\.ends_the_text; delete this line", said
    )


def test_no_check_has_two_sentences() -> None:
    named = Counter(id for must in musts() for id in must.checks)
    assert [id for id, times in named.items() if times > 1] == []
    assert [source for source, times in Counter(must.source for must in musts()).items() if times > 1] == []


@pytest.mark.parametrize("must", musts(), ids=lambda must: must.source)
def test_a_sentence_is_whole(must: Must) -> None:
    kind, _, where = must.source.partition(":")
    assert kind in SOURCES
    assert kind != "de-facto"
    assert where != ""
    assert must.says.endswith(".")
    assert must.breaks.endswith(".")
    assert must.checks != {}


@pytest.mark.parametrize("must", musts(), ids=lambda must: must.source)
def test_the_check_names_the_same_kind_of_source(must: Must) -> None:
    checks = catalogue.load()
    kind = must.source.partition(":")[0]
    assert [id for id in must.checks if checks[id].source.partition(":")[0] != kind] == []


def test_labels_are_short() -> None:
    assert [
        text for must in musts() for text in must.checks.values() if not 1 <= len(text.split()) <= LABEL_WORDS
    ] == []


def test_labels_of_other_checks_are_their_names() -> None:
    assert label("stop.ends_the_text") == "text goes on past `stop`"
    assert label("stop.ends_generation") == "ends generation"


def test_what_is_left_to_the_model() -> None:
    assert of_model("reasoning.none_turns_thoughts_off")
    assert not of_model("stop.ends_the_text")
    assert [
        pattern for pattern in left_to_model() if not any(fnmatchcase(id, pattern) for id in catalogue.load())
    ] == []
