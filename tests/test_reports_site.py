"""The published site, its histories, and what a nightly job does with results."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as xml

import pytest

from conformance.results import read
from reports import history, nightly, site, tool_models
from reports.__main__ import main
from reports.history import Point, series, sparkline, streak, summary
from reports.table import table
from tests.reports_data import HOSTILE, check, lines, results, target, wire, write
from tests.test_reports_page import only_ours, unique

DAY = 86_400.0


def night(path: Path, number: int, outcome: str = "pass", *, version: str = "b1", name: str = "llamacpp") -> Path:
    """The results of one night."""
    made = [check("stop.a", outcome, exchanges=["s"], target=name), check("seed.a", target=name)]
    sent = {"s": wire(f"the answer of night {number}")} if name == "llamacpp" else None
    columns = [target(name, version=version)]
    return write(path, made, sent, targets=columns, started=1_790_000_000 + number * DAY)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Three nights of one column, of which the last regressed, and one night of another."""
    data = tmp_path / "data"
    night(data / "cpu" / "a.jsonl", 1)
    night(data / "cpu" / "b.jsonl", 2, version="b2")
    night(data / "cpu" / "c.jsonl", 3, "ignored", version="b3")
    night(data / "rocm" / "a.jsonl", 1)
    return data


# History


def test_series_are_directories(data: Path) -> None:
    assert [(one.name, len(one.runs)) for one in series(data)] == [("cpu", 3), ("rocm", 1)]


def test_what_pytest_leaves_is_a_series_for_each_name(tmp_path: Path) -> None:
    night(tmp_path / "2026-11-23T1-llamacpp" / "results.jsonl", 1)
    night(tmp_path / "2026-11-24T1-llamacpp" / "results.jsonl", 2)
    night(tmp_path / "2026-11-24T2-url" / "results.jsonl", 2, name="url@h:1")
    assert [(one.name, len(one.runs)) for one in series(tmp_path)] == [("llamacpp", 2), ("url@h:1", 1)]


def test_shards_of_a_night_are_one_run_of_the_series(tmp_path: Path) -> None:
    for number, name in enumerate(["stop.a", "seed.a"]):
        write(tmp_path / "cpu" / f"a.{number}.jsonl", [check(name)], started=1000.0 + number)
    [one] = series(tmp_path)
    assert [[c.id for c in run.checks] for run in one.runs] == [["stop.a", "seed.a"]]


def test_a_cell_has_a_history(data: Path) -> None:
    points = series(data)[0].points("stop")
    assert [(p.word, p.version) for p in points] == [("yes", "b1"), ("yes", "b2"), ("ignored", "b3")]
    assert summary(points) == "⊘ ignored since 2026-09-24 (b3), 3 runs"
    assert summary(points[:2]) == "✓ yes since 2026-09-22 (b1), 2 runs"
    assert streak([]) is None


def test_a_sparkline_is_a_picture_with_words() -> None:
    points = [Point(started=n * DAY, version=HOSTILE, suite="1", word=w) for n, w in enumerate(["yes", "no"] * 50)]
    picture = xml.fromstring(str(sparkline(points)))
    assert len(picture) == history.SHOWN
    assert (picture.get("aria-label") or "").startswith("60 runs, oldest first: 1 yes, 1 no")
    assert {bar.get("class") for bar in picture} == {"is-yes", "is-no"}
    # Nights that say the same of the same version are one shape of as many bars.
    same = [Point(started=n * DAY, version="b1", suite="1", word="fail") for n in range(3)]
    [shape] = xml.fromstring(str(sparkline(same)))
    assert (shape.get("d") or "").count("M") == 3
    assert shape[0].text == "1970-01-01 to 1970-01-03 fail: b1, suite 1"


def outcomes(words: str, versions: str = "") -> list[Point]:
    """Points of a check; `p`, `f`, `n` are its outcomes, and each run's version is a letter."""
    word = {"p": "pass", "f": "fail", "n": "not-run"}
    pairs = zip(words, versions or "a" * len(words), strict=True)
    return [Point(started=n * DAY, version=v, suite="1", word=word[w]) for n, (w, v) in enumerate(pairs)]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (outcomes("pfpf"), "Changes from run to run: 3 times with a, pass and fail."),
        (outcomes("pfpppp", "aaabbb"), "Changes from run to run: 2 times with a, pass and fail."),
        (outcomes("pfpfpnf", "aaabbbb"), "Changes from run to run: 2 times with b, fail and pass."),
        (outcomes("ppff"), ""),
        (outcomes("pfp", "abc"), ""),
        (outcomes("pnpnp"), ""),
        (outcomes(""), ""),
    ],
    ids=["alternates", "earlier", "newest", "changed once", "versions", "did not run", "none"],
)
def test_a_check_is_flaky_if_it_changes_back_with_one_version(points: list[Point], said: str) -> None:
    assert history.flaky(points) == said


def test_a_site_shows_the_history_of_each_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number, outcome in enumerate(["fail", "pass", "fail", "pass", "fail"], start=1):
        night(tmp_path / "data" / "cpu" / f"{number}.jsonl", number, outcome)
    out = tmp_path / "site"
    site.build(tmp_path / "data", out)
    stop, seed = (only_ours((out / "evidence" / "cpu" / f"{row}.html").read_text()).text for row in ("stop", "seed"))
    assert "✕ fail since 2026-09-26 (b1), 5 runs" in stop
    assert "Changes from run to run: 4 times with b1, fail and pass." in stop
    assert "✓ pass since 2026-09-22 (b1), 5 runs" in seed
    assert "Changes" not in seed
    changes = only_ours((out / "changes.html").read_text())
    assert "evidence/cpu/stop.html#stop.a" in changes.links
    for text in (changes.text, (out / "changes.md").read_text()):
        assert "Flaky: changed and changed back with one version" in text
        assert "Changes from run to run: 4 times with b1" in text
    assert "fail (flaky)" in (out / "changes.md").read_text()
    assert main(["diff", str(tmp_path / "data")]) == 0
    assert "(flaky)" in capsys.readouterr().out


# Site


def test_the_site(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "site"
    assert main(["site", str(data), "--out", str(out)]) == 0
    assert capsys.readouterr().out == f"{out / 'index.html'}\n"
    pages = {p.relative_to(out).as_posix() for p in out.rglob("*.html")}
    assert {"index.html", "changes.html", "tools.html", "evidence/cpu/stop.html", "evidence/rocm/seed.html"} <= pages
    for path in sorted(out.rglob("*.html")):
        page = only_ours(path.read_text())
        unique(page)
        inside = [link.partition("#")[0] for link in page.links if not link.startswith(("#", "data:", "https:"))]
        assert [link for link in inside if not (path.parent / link).exists()] == [], path
    assert "⊘ ignored since 2026-09-24 (b3), 3 runs" in only_ours((out / "evidence/cpu/stop.html").read_text()).text
    assert "the answer of night 3" in (out / "evidence/cpu/stop.html").read_text()
    assert "Regressions" in only_ours((out / "changes.html").read_text()).text
    assert "stop.a" in (out / "changes.md").read_text()
    assert json.loads((out / "capabilities" / "cpu.json").read_text())["target"]["version"] == "b3"
    assert "1 ignored" in (out / "badges" / "cpu.svg").read_text()
    again = read(out / "results" / "cpu.jsonl")
    assert [(c.id, c.target) for c in again.checks] == [("stop.a", "cpu"), ("seed.a", "cpu")]
    assert ("cpu", "s") in again.exchanges
    assert {line["kind"] for line in lines(out / "results" / "cpu.jsonl")} == {"header", "exchange", "check", "footer"}


def test_a_site_of_one_target(tmp_path: Path) -> None:
    night(tmp_path / "runs" / "x" / "results.jsonl", 1)
    index = site.build(tmp_path / "runs", tmp_path / "site")
    page = only_ours(index.read_text())
    assert "results/llamacpp.jsonl" in page.links
    assert "There is nothing to compare yet." in (tmp_path / "site" / "changes.html").read_text()


def test_a_site_leads_to_the_kill_matrix_that_is_there(data: Path, tmp_path: Path) -> None:
    without = site.build(data, tmp_path / "without").read_text()
    (tmp_path / "with").mkdir()
    (tmp_path / "with" / "kill-matrix.html").touch()
    assert ("kill-matrix.html" in without, "kill-matrix.html" in site.build(data, tmp_path / "with").read_text()) == (
        False,
        True,
    )


def test_an_empty_directory_is_said_to_be_empty(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["site", str(tmp_path), "--out", str(tmp_path / "site")]) == 2
    assert "No results file below" in capsys.readouterr().err


def test_models_that_call_tools(tmp_path: Path) -> None:
    def column(name: str, backend: str, model: str) -> dict[str, Any]:
        return target(name, backend, deployments=[{"role": "chat", "base_url": "http://x/v1", "model": model}])

    columns = [column("a", "llamacpp", "granite-4.0-h-tiny"), column("b", "vllm", "probe")]
    made = [check("tools.a", target="a"), check("tools.a", "fail", target="b")]
    found = tool_models.claims(table([results(tmp_path, made, targets=columns)]))
    assert found.backends == ("llamacpp", "ollama", "vllm")
    cells = {model.title: of for model, of in found.rows}
    granite = cells["Granite 4.0"][0]
    assert (granite.says, [c.word for c in granite.cells]) == ("no", ["yes"])
    assert granite.agrees(granite.cells[0]) == "underclaimed"
    assert [[c.word for c in one.cells] for one in cells["probe"]] == [[], [], ["no"]]
    assert not any(one.cells for one in cells["Qwen 2.5"])


# Nightly


def test_results_are_kept_and_old_ones_become_slim(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for number in range(1, 5):
        new = tmp_path / f"night-{number}"
        night(new / "llamacpp-rocm" / "results.jsonl", number)
        for shard in (1, 2):
            shard_of = [check("stop.a" if shard == 1 else "seed.a")]
            write(
                new / f"vllm.{shard}" / "results.jsonl", shard_of, {"s": wire()}, started=1000.0 + number * DAY + shard
            )
        nightly.keep(new, data)
    found = {one.name: one for one in series(data)}
    assert {name: len(one.runs) for name, one in found.items()} == {"llamacpp-rocm": 4, "vllm": 4}
    assert [len(run.exchanges) for run in found["llamacpp-rocm"].runs] == [0, 0, 1, 1]
    assert [len(run.checks) for run in found["llamacpp-rocm"].runs] == [2, 2, 2, 2]
    # A job that is started again does not make a second run.
    before = sorted(data.rglob("*.jsonl"))
    assert set(nightly.keep(tmp_path / "night-4", data)) <= set(before)


def test_a_night_without_results_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keep", str(tmp_path), str(tmp_path / "data")]) == 2
    assert "did any job upload one?" in capsys.readouterr().err


class Gh:
    """Stands for GitHub's command line; `open` is the number of the open issue."""

    def __init__(self, open: int | None) -> None:
        self.open = open
        self.asked: list[list[str]] = []
        self.bodies: list[str] = []

    def __call__(self, arguments: Sequence[str], stdin: str) -> str:
        self.asked.append(list(arguments))
        self.bodies += [stdin] if stdin else []
        return (
            json.dumps([{"number": self.open}] if self.open else []) if list(arguments[:2]) == ["issue", "list"] else ""
        )


@pytest.mark.parametrize(("open_issue", "verb"), [(None, "create"), (7, "comment")])
def test_a_regression_opens_or_updates_one_issue(data: Path, open_issue: int | None, verb: str) -> None:
    gh = Gh(open_issue)
    said = nightly.alarm(site.changed(series(data)), "https://pages/changes.html", gh)
    assert said.startswith("Regressions of cpu")
    assert [asked[:2] for asked in gh.asked] == [["label", "create"], ["issue", "list"], ["issue", verb]]
    [body] = gh.bodies
    assert body.startswith("https://pages/changes.html\n\n### cpu b2 → b3")
    assert "stop.a" in body


def test_no_regression_asks_nobody(data: Path) -> None:
    night(data / "cpu" / "d.jsonl", 4)
    gh = Gh(None)
    assert nightly.alarm(site.changed(series(data)), "", gh) == "No regression, no issue."
    assert gh.asked == []


def test_a_long_alarm_is_cut(tmp_path: Path) -> None:
    for number, outcome in enumerate(["pass", "fail"]):
        for name in range(60):
            made = [check(f"stop.a{n}", outcome, message="x" * 400, target=f"t{name}") for n in range(40)]
            columns = [target(f"t{name}")]
            write(tmp_path / f"{number}{name}" / "results.jsonl", made, targets=columns, started=number * DAY)
    gh = Gh(None)
    nightly.alarm(site.changed(series(tmp_path)), "", gh)
    assert len(gh.bodies[0]) < 65_536
    assert gh.bodies[0].endswith("… cut here; the page has all of it.\n")


def test_the_alarm_of_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With a `gh` that writes down what it is asked; old news are no news."""
    program = tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\ncat > /dev/null\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    data = tmp_path / "data"
    write(data / "cpu" / "a.jsonl", [check()], started=time.time() - DAY)
    write(data / "cpu" / "b.jsonl", [check(outcome="fail")], started=time.time() - 3600)
    assert main(["alarm", str(data), "--hours", "0.5"]) == 0
    assert capsys.readouterr().out == "No regression, no issue.\n"
    assert main(["alarm", str(data)]) == 0
    assert "issue opened" in capsys.readouterr().out
    assert "issue create --title Regression: cpu" in (tmp_path / "asked").read_text()
    program.write_text("#!/bin/sh\necho 'not logged in' >&2\nexit 4\n")
    assert main(["alarm", str(data)]) == 2
    assert capsys.readouterr().err == "gh label create failed: not logged in\n"
    program.unlink()
    monkeypatch.setenv("PATH", str(program.parent))
    assert main(["alarm", str(data)]) == 2
    assert "The program gh is not installed" in capsys.readouterr().err
