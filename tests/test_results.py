"""The results file: what is written is read again, cut files are incomplete, and what did not run is counted."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import node, suite
from conformance import results
from conformance.outcomes import Level, Outcome
from conformance.results import BadResults, CheckResult, Writer, read, read_all
from conformance.run import catalogue

PLANNED = [
    {"id": i, "feature": "stop", "level": "MUST", "core": True, "source": "openapi:X", "requirement": "So."}
    for i in ("a.one", "a.two")
]
TARGET = {"name": "t", "backend": "url", "version": None, "found": "", "deployments": [], "missing": {}, "details": {}}


def result(name: str = "a.one", **more: object) -> CheckResult:
    fields = {"outcome": Outcome.PASS, **PLANNED[0], "id": name, "level": Level.MUST, "target": "t", **more}
    return CheckResult(**fields)  # type: ignore[arg-type]


def write(path: Path, *checks: CheckResult, footer: bool = True) -> Path:
    writer = Writer(path)
    writer.header(targets=[TARGET], selected=PLANNED, command="pytest")
    writer.exchange("t", "count", {"unsent": "why"})
    for one in checks:
        writer.check(one)
    if footer:
        writer.footer(duration=1, exit_code=0, stopped=None)
    return path


@given(st.text(st.characters(), max_size=50))
def test_any_text_of_a_server_survives(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    made = result(message=text, held=[text])
    path = write(tmp_path_factory.mktemp("r") / "results.jsonl", made)
    assert read(path).checks == [made]


def test_a_cut_file_is_incomplete_and_its_denominator_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", result(), footer=False)
    path.write_text(path.read_text() + '{"kind": "check", "id": "a.tw')
    got = read(path)
    assert got.footer is None
    assert [(c.id, c.outcome) for c in got.with_not_run()] == [("a.one", "pass"), ("a.two", "not-run")]


@pytest.mark.parametrize("content", ["", "hello\n{}\n", "{}\n", '{"kind": "check"}\n', "[]\n"])
def test_other_files_are_refused_with_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(content)
    with pytest.raises(BadResults, match=r"results\.jsonl of this suite"):
        read(path)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ('"format": 1, ', ""),
        ('{"kind": "exchange"', '5\n{"kind": "exchange"'),
        ('{"kind": "exchange"', '{"kind": []}\n{"kind": "exchange"'),
        ('"outcome": "pass"', '"outcome": "new"'),
        ('"unsent"', '"later": 1, "unsent"'),
        ('"id": "a.one", "target": "t"', '"id": "a.one", "target": "u"'),
        ('"unsent": "why"', '"exchanges": []'),
        ('"unsent": "why"', '"unsent": NaN'),
        ('"started": ', '"started": 1e300, "was": '),
    ],
)
def test_damaged_files_are_refused_with_a_sentence(tmp_path: Path, good: str, bad: str) -> None:
    path = write(tmp_path / "r.jsonl", result())
    text = path.read_text()
    path.write_text(text.replace(good, bad))
    assert path.read_text() != text
    with pytest.raises(BadResults, match=r"r\.jsonl, line [123].* is this a results\.jsonl of this suite"):
        read(path)


@pytest.mark.parametrize("more", ["header", "check"])
def test_a_file_has_the_lines_of_one_run(tmp_path: Path, more: str) -> None:
    path = write(tmp_path / "r.jsonl", result())
    lines = path.read_text().splitlines()
    again = next(line for line in lines if f'"kind": "{more}"' in line)
    path.write_text("\n".join([*lines, again]) + "\n")
    with pytest.raises(BadResults, match=r"a second header in line 5|line 5, comes after the footer"):
        read(path)


def test_lines_of_another_suite_may_have_keys_that_this_one_lacks(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", result())
    text = path.read_text().replace('"outcome": "pass"', '"unheard_of": 1, "outcome": "pass"')
    path.write_text(re.sub('"suite": "[^"]*"', '"suite": "99"', text))
    assert read(path).checks == [result()]


def test_renamed_checks_are_read_by_their_new_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "r.jsonl", result())
    monkeypatch.setattr(results, "renamed", lambda: {result().id: "stop.new"})
    found = read(path)
    assert [one.id for one in found.checks] == ["stop.new"]
    assert [one["id"] for one in found.header["selected"]] == ["stop.new", "a.two"]


def test_renames_lead_to_checks() -> None:
    known = catalogue.load()
    wrong = [f"{old} = {new}" for old, new in results.renamed().items() if old in known or new not in known]
    assert not wrong, (
        f"conformance/requirements/renamed.toml: the old id must be gone, and the new one must exist: {wrong}"
    )


def test_the_header_names_suite_and_sdks(tmp_path: Path) -> None:
    """So that a verdict can be had again. Old files have no SDKs."""
    header = read(write(tmp_path / "r.jsonl", result())).header
    assert header["suite"] == suite.suite_version()
    assert header["suite"].startswith(suite.release())
    assert header["sdks"] == {"openai-python": openai.__version__, "openai-node": node.SDK}
    path = tmp_path / "r.jsonl"
    lines = path.read_text().splitlines()
    old = {key: value for key, value in json.loads(lines[0]).items() if key != "sdks"}
    path.write_text("\n".join([json.dumps({**old, "suite": "0.1.0"}), *lines[1:]]) + "\n")
    assert read(path).checks == [result()]


def test_later_formats_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl")
    path.write_text(path.read_text().replace('"format": 1', '"format": 99'))
    with pytest.raises(BadResults, match="later suite"):
        read(path)


def test_directories_are_searched(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write(tmp_path / "a" / "results.jsonl", result())
    assert len(read_all([tmp_path])) == 1
    with pytest.raises(BadResults):
        read_all([tmp_path / "nothing"])


def exchange(path: Path, target: str, scenario: str, text: str = "") -> Path:
    """A results file with one exchange line, and a check after it."""
    writer = Writer(path)
    writer.header(targets=[{**TARGET, "name": target}, TARGET][: 1 + (target != "t")], selected=[], command="pytest")
    writer.exchange(target, scenario, {"unsent": text})
    writer.check(result())
    return path


@given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_exchanges_are_found_by_any_name_and_renamed(
    tmp_path_factory: pytest.TempPathFactory, target: str, scenario: str, text: str
) -> None:
    got = read(exchange(tmp_path_factory.mktemp("r") / "r.jsonl", target, scenario, text)).exchanges
    line = {"kind": "exchange", "target": target, "scenario": scenario, "unsent": text}
    assert dict(got) == {(target, scenario): line}
    assert dict(got.renamed('a"b')) == {('a"b', scenario): {**line, "target": 'a"b'}}
    got[target, scenario] |= {"unsent": "changed"}
    assert dict(got.renamed("c")) == {("c", scenario): {**line, "target": "c", "unsent": "changed"}}


def test_an_exchange_line_that_was_cut_is_none(tmp_path: Path) -> None:
    path = exchange(tmp_path / "r.jsonl", "t", "s", "{}")
    header, cut, _ = path.read_text().splitlines()
    path.write_text(header + "\n" + cut[: -len('"}')])
    assert path.read_text().endswith("{}")
    assert not read(path).exchanges


def test_exchanges_are_kept_as_text_until_they_are_asked_for(tmp_path: Path) -> None:
    path = exchange(tmp_path / "r.jsonl", "t", "s", "here")
    assert all(isinstance(line, str) for line in read(path).exchanges.lines.values())
    path.write_text(path.read_text().replace('"here"', '"here'))
    with pytest.raises(BadResults, match="line 2, is not JSON"):
        read(path)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no named pipes in directories")
def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(BadResults, match="no regular file"):
            read(tmp_path / name)


def test_exchanges_beyond_what_memory_holds_stay_in_their_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = exchange(tmp_path / "r.jsonl", "a", "s", "\u20ac text")
    whole = read(path).exchanges["a", "s"]
    monkeypatch.setattr(results, "IN_MEMORY", 0)
    kept = read(path).exchanges
    assert isinstance(kept.lines["a", "s"], results.InFile)
    assert kept["a", "s"] == whole
    assert kept.renamed("b")["b", "s"] == {**whole, "target": "b"}
