"""What is kept of every version of a server, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backends import find, wheels
from backends.errors import CannotStart
from backends.suite import suite_version
from conformance.outcomes import Outcome
from conformance.results import versions as kept_of
from conformance.run import versions as measuring
from reports import versions
from reports.__main__ import main
from tests.reports_data import check, target, write

ENDS = {
    "2026.4.8672": {"a.one": "fail", "a.two": "pass", "a.three": "pass"},
    "2026.4.8672.1": {"a.one": "inconclusive", "a.two": "pass", "a.three": "pass"},
    "2026.10.1": {"a.one": "pass", "a.two": "fail", "a.three": "blocked", "a.four": "ignored"},
}


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, Any]:
    found = kept_of.load(tmp_path / "none.json")
    for version, ends in reversed(ENDS.items()):
        made = [check(id, outcome, target="llamacpp") for id, outcome in ends.items()]
        kept_of.add(found, version, write(tmp_path / f"{version}.jsonl", made, targets=[target("llamacpp")]))
    return found


def test_a_letter_for_each_check(kept: dict[str, Any]) -> None:
    assert kept["checks"] == ["a.one", "a.two", "a.three", "a.four"]
    assert {version: one["outcomes"] for version, one in kept["versions"].items()} == {
        "2026.10.1": "pfbi",
        "2026.4.8672.1": "npp ",
        "2026.4.8672": "fpp ",
    }
    assert set(kept_of.LETTERS) == set(Outcome)
    assert len(kept_of.OUTCOMES) == len(Outcome)


def test_what_each_version_changed(kept: dict[str, Any]) -> None:
    newest, middle, oldest = versions.timeline(kept, "llamacpp").split("\n## ")[1:]
    assert newest.split() == [
        *["2026.10.1", "1", "pass,", "1", "fail,", "1", "ignored,", "1", "blocked."],
        *["-", "Regressed:", "`a.two`", "(pass", "→", "fail)"],
        *["-", "Fixed:", "`a.one`", "(fail", "→", "pass)"],
    ]
    assert middle.startswith("2026.4.8672.1\n")
    assert "Fixed" not in middle + oldest


def test_only_what_is_missing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(wheels, "versions", lambda _: ["2.0", "1.0", "0.9"])
    file = tmp_path / "llamacpp.json"
    file.write_text(json.dumps({"checks": [], "versions": {"2.0": {"suite": suite_version(), "outcomes": ""}}}))
    monkeypatch.setattr(measuring.subprocess, "run", lambda *_, **__: _Silent())
    measuring.measure("llamacpp", 2, file, said.append)
    assert [line for line in said if line.startswith("measuring")] == ["measuring llamacpp 1.0 …"]
    assert said[-1].startswith("1.0: nothing was measured")


class _Silent:
    stdout = "Stopped: no such version\n"


def test_nothing_is_kept_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["versions", "llamacpp", "--out", str(tmp_path)]) == 2
    assert "has no version yet: add --last=N to measure the newest N" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("backend", "version", "sentence"),
    [
        ("ollama", "1.0", "is not started from a package of PyPI"),
        ("llamacpp", "../x", "expected a version of xllamacpp, such as 1.2.3"),
    ],
)
def test_versions_that_cannot_be_had(backend: str, version: str, sentence: str) -> None:
    with pytest.raises(CannotStart, match=sentence):
        wheels.python(find.backends()[backend], version, lambda _: None)


def test_versions_of_a_backend_that_is_none() -> None:
    with pytest.raises(CannotStart, match="there is no such backend; choose one of"):
        wheels.versions("nobody")
