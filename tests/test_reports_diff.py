"""What `reports diff` finds between two runs, and how it says that; and how shards become one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.outcomes import Outcome
from conformance.results import Results, read
from reports import diff_text
from reports.__main__ import main
from reports.diff import Diff, Kind, TargetDiff, check_kind, diff
from reports.merge import WINDOW, runs
from reports.page import render_diff
from reports.table import table
from tests.reports_data import HOSTILE, check, target, wire, write
from tests.test_reports_page import only_ours


def run(tmp_path: Path, name: str, *checks: Any, **kwargs: Any) -> Results:
    return read(write(tmp_path / f"{name}.jsonl", list(checks), **kwargs))


def one(old: Results, new: Results) -> TargetDiff:
    [found] = diff(table([old]), table([new])).targets
    return found


def ids(found: TargetDiff, kind: Kind) -> list[str]:
    return [change.check.id for change in found.checks_of(kind)]


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        ("pass", "fail", Kind.REGRESSION),
        ("lenient", "ignored", Kind.REGRESSION),
        ("pass", "rejected", Kind.REGRESSION),
        ("rejected", "ignored", Kind.REGRESSION),
        ("pass", "timeout", Kind.REGRESSION),
        ("fail", "rejected", Kind.FIX),
        ("ignored", "pass", Kind.FIX),
        ("fail", "ignored", Kind.OTHER),
        ("pass", "lenient", Kind.OTHER),
        ("pass", "inconclusive", Kind.OTHER),
        ("pass", "error", Kind.OTHER),
        ("pass", "not-run", Kind.OTHER),
        ("blocked", "fail", Kind.OTHER),
        ("fail", "fail", None),
    ],
)
def test_what_was_not_decided_proves_nothing(before: str, after: str, kind: Kind | None) -> None:
    assert check_kind(Outcome(before), Outcome(after)) is kind


def test_regressions_fixes_new_and_gone(tmp_path: Path) -> None:
    old = run(tmp_path, "old", check("stop.a"), check("stop.b", level="MAY"), check("n.a", "fail"), check("seed.a"))
    new = run(
        tmp_path,
        "new",
        check("stop.a", "ignored"),
        check("stop.b", "fail", level="MAY"),
        check("n.a"),
        check("logprobs.a", "fail"),
    )
    found = one(old, new)
    assert ids(found, Kind.REGRESSION) == ["stop.a", "stop.b"]
    assert ids(found, Kind.FIX) == ["n.a"]
    assert ids(found, Kind.NEW) == ["logprobs.a"]
    assert ids(found, Kind.GONE) == ["seed.a"]
    cells = {cell.feature.id: (cell.kind, cell.before, cell.after) for cell in found.cells}
    assert cells == {
        "stop": (Kind.REGRESSION, "yes", "ignored"),
        "n": (Kind.FIX, "no", "yes"),
        "logprobs": (Kind.NEW, "not measured", "no"),
        "seed": (Kind.GONE, "yes", "not measured"),
    }


def test_a_new_check_that_fails_is_no_regression_of_the_cell(tmp_path: Path) -> None:
    old = run(tmp_path, "old", check("stop.a"), suite="0.1.0")
    new = run(tmp_path, "new", check("stop.a"), check("stop.b", "fail", core=False), suite="0.2.0")
    found = one(old, new)
    [cell] = found.cells
    assert (cell.kind, cell.only_new_checks, cell.after) == (Kind.OTHER, True, "partial")
    assert found.suites == ("0.1.0", "0.2.0")
    assert "(by new or changed requirements only)" in diff_text.text(Diff(targets=(found,)))
    assert not Diff(targets=(found,)).regressed


def test_another_level_is_named(tmp_path: Path) -> None:
    found = one(run(tmp_path, "old", check()), run(tmp_path, "new", check(outcome="fail", level="SHOULD")))
    assert [change.relevelled for change in found.checks] == [True]
    assert "(level changed)" in diff_text.markdown(Diff(targets=(found,)))


def test_a_reworded_requirement_is_the_same_check(tmp_path: Path) -> None:
    old = run(tmp_path, "old", check())
    assert one(old, run(tmp_path, "same", check(requirement="In other words."))).quiet
    found = one(old, run(tmp_path, "worse", check(outcome="fail", requirement="In other words.")))
    assert ids(found, Kind.REGRESSION) == ["stop.ends_the_text"]
    assert "(requirement changed)" in diff_text.markdown(Diff(targets=(found,)))


def test_targets_are_matched_by_name_and_backend(tmp_path: Path) -> None:
    a, b, c = (target(name, name) for name in ("a", "b", "c"))
    both = [check(target="a"), check(target="b")]
    old = run(tmp_path, "old", *both, targets=[a, b])
    new = run(tmp_path, "new", check(target="b", outcome="fail"), check(target="c"), targets=[b, c])
    found = diff(table([old]), table([new])).targets
    assert [(t.old and t.old.name, t.new and t.new.name) for t in found] == [("b", "b"), (None, "c"), ("a", None)]
    assert [t.counts for t in found] == [{Kind.REGRESSION: 1}, {}, {}]
    # Alone on each side, two versions of one server are compared whatever their names are.
    renamed = run(tmp_path, "renamed", check(target="c"), targets=[c])
    assert len(diff(table([run(tmp_path, "x", check())]), table([renamed])).targets) == 1


def test_new_checks_that_pass_are_a_number(tmp_path: Path) -> None:
    new = [check(f"stop.a{n}", "fail" if n == 0 else "pass") for n in range(60)]
    found = Diff(targets=(one(run(tmp_path, "old", check()), run(tmp_path, "new", check(), *new)),))
    for said in (diff_text.text(found), diff_text.markdown(found)):
        assert "stop.a0" in said
        assert "stop.a1" not in said
        assert "and 59 that passed" in said


def test_hostile_text_is_text_everywhere(tmp_path: Path) -> None:
    named = [target(version=HOSTILE)]
    old = run(tmp_path, "old", check("stop.a", target="llamacpp"), targets=named)
    new = run(tmp_path, "new", check("stop.a", "fail", message=HOSTILE, requirement=HOSTILE), targets=named)
    found = diff(table([old]), table([new]))
    page = only_ours(render_diff(found, title=HOSTILE).decode())
    assert "<script>alert(1)</script>" in page.text
    for said in (diff_text.text(found), diff_text.markdown(found)):
        assert "\x1b" not in said
        assert "\u202e" not in said
    assert "<script>" not in diff_text.markdown(found)
    assert "<img" not in diff_text.markdown(found)


def test_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = str(write(tmp_path / "old.jsonl", [check()], {"s": wire()}))
    new = str(write(tmp_path / "new.jsonl", [check(outcome="ignored")]))
    page = tmp_path / "deep" / "diff.html"
    assert main(["diff", old, new, "--html", str(page)]) == 0
    assert "stop.ends_the_text  ✓ pass → ⊘ ignored" in capsys.readouterr().out
    assert "Regressions" in only_ours(page.read_text()).text
    assert main(["diff", old, new, "--markdown", "--fail-on-regression"]) == 1
    assert "**Regressions (1 row, 1 check)**" in capsys.readouterr().out
    assert main(["diff", new, old, "--fail-on-regression"]) == 0
    assert main(["diff", old, old, "--fail-on-regression"]) == 0
    assert main(["diff", old, str(tmp_path / "none.jsonl")]) == 2
    capsys.readouterr()
    for lone in ([], [old], [str(tmp_path / "none.jsonl")]):
        assert main(["diff", *lone]) == 2
        assert capsys.readouterr().err.startswith("Name two results files, OLD and NEW; or a directory")


# Shards


def shard(tmp_path: Path, name: str, *checks: Any, started: float = 1000.0, **kwargs: Any) -> Results:
    return run(tmp_path, name, *checks, started=started, **kwargs)


def test_shards_become_one_run(tmp_path: Path) -> None:
    first = shard(tmp_path, "1", check("stop.a"), exchanges={"s": wire()})
    second = shard(tmp_path, "2", check("n.a", "fail"), started=1000.0 + WINDOW / 2, stopped="no time left")
    [joined] = runs([second, first])
    assert [c.id for c in joined.with_not_run()] == ["stop.a", "n.a"]
    assert joined.header["started"] == 1000.0
    assert list(joined.exchanges) == [("llamacpp", "s")]
    assert joined.footer is not None
    assert (joined.footer["duration"], joined.footer["stopped"]) == (3.0, "no time left")


@pytest.mark.parametrize(
    "other",
    [
        {"checks": [check("stop.a")]},
        {"started": 1000.0 + WINDOW},
        {"suite": "99"},
        {"targets": [target(version="b2")]},
        {"targets": [target(deployments=[])]},
    ],
    ids=["same checks", "another day", "another suite", "another version", "other models"],
)
def test_what_is_no_shard_stays_apart(tmp_path: Path, other: dict[str, Any]) -> None:
    first = shard(tmp_path, "1", check("stop.a"))
    second = shard(tmp_path, "2", *other.pop("checks", [check("n.a")]), **other)
    assert len(runs([first, second])) == 2


def test_a_cut_shard_makes_the_run_incomplete(tmp_path: Path) -> None:
    parts = [shard(tmp_path, "1", check("stop.a")), shard(tmp_path, "2", check("n.a"), footer=False)]
    [column] = table(runs(parts)).columns
    assert (column.trouble or "").startswith("Incomplete")


def test_a_file_of_two_targets_is_two_runs(tmp_path: Path) -> None:
    both = run(tmp_path, "both", check(target="a"), check(target="b"), targets=[target("a"), target("b", "vllm")])
    assert [[c.target for c in part.checks] for part in runs([both])] == [["a"], ["b"]]
