"""`conformance/results/results.schema.json` describes every line that the suite writes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from conformance import results as module
from conformance.outcomes import Level, Outcome
from conformance.results import Finding
from conformance.results.grading import Status
from conformance.run import catalogue
from reports import words
from tests.reports_data import HOSTILE, check, lines, stream, wire, write

SCHEMA = json.loads(Path(module.__file__).with_name("results.schema.json").read_text())


def errors(line: dict[str, Any]) -> list[str]:
    """What is wrong with a line, by the schema of its kind."""
    kind = line.get("kind")
    assert kind in ("header", "exchange", "check", "finding", "footer")
    schema = {**SCHEMA, "oneOf": [{"$ref": f"#/$defs/{kind}"}]}
    return [
        f"{list(deeper.absolute_path)}: {deeper.message}"
        for error in Draft202012Validator(schema).iter_errors(line)
        for deeper in (error.context or [error])
    ]


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$defs"]["header"]["properties"]["format"]["const"] == module.FORMAT
    assert set(SCHEMA["$defs"]["check"]["properties"]["outcome"]["enum"]) == set(Outcome)
    assert set(SCHEMA["$defs"]["level"]["enum"]) == set(Level)
    assert set(SCHEMA["$defs"]["check"]["properties"]) == {"kind", *module.CheckResult.__dataclass_fields__}


def test_a_file_of_the_writer_fits(tmp_path: Path) -> None:
    told: dict[str, Any] = {"message": HOSTILE, "known": "known", "held": ["a"], "cause": HOSTILE, "breaks": ["s[1]"]}
    made = [check(f"stop.{o.replace('-', '_')}", o, **told) for o in Outcome]
    findings = [Finding(target="llamacpp", sentence=HOSTILE, exchanges=["s"])]
    sent = {"s": wire(), "t": stream("a"), "u": wire(HOSTILE)}
    file = write(tmp_path / "results.jsonl", made, sent, findings=findings)
    assert [e for line in lines(file) for e in errors(line)] == []
    assert all(Draft202012Validator(SCHEMA).is_valid(line) for line in lines(file))


def test_every_check_has_an_id_that_fits() -> None:
    pattern = SCHEMA["$defs"]["id"]["pattern"]
    assert [id for id in catalogue.load() if not re.fullmatch(pattern, id)] == []


def test_every_check_has_a_source_that_fits() -> None:
    pattern = SCHEMA["$defs"]["source"]["pattern"]
    assert [check.source for check in catalogue.load().values() if not re.match(pattern, check.source)] == []


@pytest.mark.parametrize(
    "change",
    [{"outcome": "passed"}, {"level": "must"}, {"id": "no area"}, {"surprise": 1}, {"source": "me:here"}, {"core": 1}],
)
def test_what_is_wrong_does_not_fit(change: dict[str, Any]) -> None:
    assert errors({**check().to_json(), **change})


def test_every_word_has_a_glyph_and_a_meaning() -> None:
    assert set(words.OUTCOME) == set(Outcome)
    assert set(words.STATUS) == {*Status, "not measured"}
    assert {*Outcome, *Status} <= set(words.MEANING)
