"""What other programs read: capability files, badges, JUnit, CTRF, Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from conformance.outcomes import Outcome
from conformance.results import Results
from conformance.run import catalogue
from reports import exports, markdown
from reports.__main__ import main
from reports.exports import badge, capabilities
from reports.table import table
from tests.reports_data import HOSTILE, check, results, target, write

SCHEMA = json.loads((Path(markdown.__file__).parent / "capabilities.schema.json").read_text())


def exported(name: str, run: Results) -> str:
    shown = table([run])
    if name in exports.OF_TABLE:
        return exports.OF_TABLE[name][0](shown)
    return exports.OF_COLUMN[name][0](shown, shown.columns[0])


# Capabilities


def test_every_capability_is_decided_by_checks_that_exist() -> None:
    known = catalogue.load()
    for one in capabilities.capabilities():
        assert one.checks, one.key
        missing = [id for id in one.checks if id not in known]
        assert not missing, (
            f"reports/capabilities.toml, {one.key}: these checks do not exist, correct or remove their ids: {missing}"
        )


def test_keys_make_a_tree() -> None:
    keys = [one.key for one in capabilities.capabilities()]
    assert len(keys) == len(set(keys))
    assert not {key for key in keys if "." not in key} & {key.split(".")[0] for key in keys if "." in key}
    assert {"json_schema", "stream_usage", "tool_choice.named", "tool_choice.required"} <= set(keys)


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (["pass", "lenient"], True),
        (["pass", "fail"], False),
        (["rejected"], False),
        (["timeout"], False),
        (["fail", "ignored"], "ignored"),
        (["pass", "inconclusive"], None),
        (["fail", "blocked"], False),
        (["error"], None),
        (["not-run"], None),
        ([], None),
    ],
)
def test_a_capability_is_yes_only_if_all_was_seen(outcomes: list[str], said: Any) -> None:
    assert capabilities.supported(map(Outcome, outcomes)) is said


def test_the_capability_file_fits_its_schema(tmp_path: Path) -> None:
    Draft202012Validator.check_schema(SCHEMA)
    made = [
        check(
            "tool_choice.a_name_forces_that_function",
            "ignored",
            feature="tool_choice",
            message="x",
            exchanges=["named"],
        ),
        check("tool_choice.required_forces_a_call", feature="tool_choice"),
        check("n.gives_as_many_choices", "rejected"),
    ]
    said = json.loads(exported("capabilities", results(tmp_path, made)))
    Draft202012Validator(SCHEMA).validate(said)
    assert said["supports"]["tool_choice"] == {
        "none": None,
        "required": True,
        "named": "ignored",
        "allowed_tools": None,
    }
    assert said["supports"]["n"] is False
    assert said["rows"] == {"tool_choice": "partial", "n": "unknown"}
    assert said["causes"] == [
        {
            "kind": "parameter",
            "sentence": "`stop`: x",
            "level": "MUST",
            "violations": 1,
            "checks": ["tool_choice.a_name_forces_that_function"],
            "exchanges": 1,
            "evidence": ["named"],
        }
    ]
    assert said["complete"] is True


# Badges


def test_a_badge_counts_and_has_no_percentage(tmp_path: Path) -> None:
    made = [check("stop.a"), check("n.a", "ignored"), check("seed.a"), check("seed.b", "fail", core=False)]
    run = results(tmp_path, made)
    said = json.loads(exported("shields", run))
    assert (said["schemaVersion"], said["label"]) == (1, "openai api")
    assert said["message"] == "1 yes · 1 partial · 1 ignored"
    picture = xml.fromstring(exported("badge", run))
    assert "1 yes · 1 partial · 1 ignored" in "".join(picture.itertext())
    assert "%" not in exported("badge", run)


def test_a_cut_run_has_no_proud_badge(tmp_path: Path) -> None:
    shown = table([results(tmp_path, [check()], footer=False)])
    assert badge.message(shown, shown.columns[0]) == "incomplete · 1 yes"
    empty = table([results(tmp_path, [])])
    assert badge.message(empty, empty.columns[0]) == "nothing measured"


# Test reports


def test_junit(tmp_path: Path) -> None:
    made = [check(f"stop.{o.replace('-', '_')}", o, message=f"why {o}", duration=0.5) for o in Outcome]
    [suite] = xml.fromstring(exported("junit", results(tmp_path, made)).encode())
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "10",
        "failures": "3",
        "errors": "1",
        "skipped": "4",
        "time": "5.000",
    }
    tags = {case.get("name"): [child.tag for child in case] for case in suite}
    assert tags["stop.pass"] == tags["stop.lenient"] == []
    assert tags["stop.ignored"] == ["failure"]
    assert tags["stop.error"] == ["error"]
    assert tags["stop.rejected"] == ["skipped"]


def test_ctrf(tmp_path: Path) -> None:
    made = [check(f"stop.{o.replace('-', '_')}", o, duration=0.25) for o in Outcome]
    said = json.loads(exported("ctrf", results(tmp_path, made, started=100.0)))
    summary = said["results"]["summary"]
    assert said["reportFormat"] == "CTRF"
    assert {k: summary[k] for k in ("tests", "passed", "failed", "pending", "skipped", "other")} == {
        "tests": 10,
        "passed": 2,
        "failed": 4,
        "pending": 1,
        "skipped": 0,
        "other": 3,
    }
    assert (summary["start"], summary["stop"]) == (100_000, 101_500)
    assert said["results"]["tests"][3]["rawStatus"] == "ignored"
    assert said["results"]["tests"][3]["duration"] == 250


# Markdown


def test_the_markdown_table(tmp_path: Path) -> None:
    said = exported("markdown", results(tmp_path, [check("stop.a", "ignored"), check("seed.a")]))
    assert "| stop | ⊘ ignored (overclaimed by guide, overclaimed by own docs) |" in said
    assert "| seed | ✓ yes |" in said
    assert "logprobs" not in said
    assert "2 checks, 1 ignored, 1 pass" in said


# What a server says


@settings(max_examples=60)
@given(st.text(alphabet=st.characters(codec=None), min_size=1, max_size=20) | st.just(HOSTILE))
@pytest.mark.parametrize("name", [*exports.OF_TABLE, *exports.OF_COLUMN])
def test_any_text_is_text(tmp_path: Path, name: str, text: str) -> None:
    column = target(text, text, version=text, details={text: text})
    made = check(outcome="fail", target=text, message=text, expected=text, requirement=text, source=f"docs:{text}")
    said = exported(name, results(tmp_path, [made], targets=[column]))
    if name in ("junit", "badge"):
        xml.fromstring(said.encode("utf-8"))
    elif name == "markdown":
        assert "<script" not in said
        assert all(line.count("|") == 3 for line in said.splitlines() if line.startswith("|"))
    else:
        json.loads(said)
    assert "\x1b" not in said


@pytest.mark.parametrize(
    "text", ["@everyone", "[a](http://x)", "http://x", "www.x.y", "#1", "a|b", "<b>", "`x`", "&lt;"]
)
def test_plain_has_no_markdown(text: str) -> None:
    said = markdown.plain(text)
    assert not any(c in said.replace("&#", "") for c in "@[]|<`")
    assert "://" not in said
    assert "www." not in said


# Command line


@pytest.mark.parametrize("name", [*exports.OF_TABLE, *exports.OF_COLUMN])
def test_export_to_a_file_or_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    file = str(write(tmp_path / "results.jsonl", [check()]))
    assert main(["export", file, "--format", name]) == 0
    said = capsys.readouterr().out
    assert main(["export", file, "--format", name, "--out", str(tmp_path / "deep" / "x")]) == 0
    assert (tmp_path / "deep" / "x").read_text() == said


def test_several_targets_have_a_file_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    two = [target("a", "a"), target("b@h:1", "b")]
    file = str(write(tmp_path / "results.jsonl", [check(target="a"), check(target="b@h:1")], targets=two))
    assert main(["export", file, "--format", "badge"]) == 2
    assert capsys.readouterr().err == ("2 targets have a file of this format each: name a directory with --out.\n")
    assert main(["export", file, "--format", "badge", "--out", str(tmp_path / "badges")]) == 0
    assert sorted(p.name for p in (tmp_path / "badges").iterdir()) == ["a.svg", "b@h_1.svg"]
