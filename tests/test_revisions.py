"""Frozen revisions of the requirements: what a run with `--requirements` judges by, and what reports say of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from conformance import freeze
from conformance.outcomes import Level, Outcome
from conformance.requirements import revisions
from conformance.requirements.revisions import BadRevision, Revision
from conformance.results import CheckResult, Results, read
from conformance.run import catalogue
from conformance.run.ending import exit_code
from conformance.run.options import _revision
from reports import diff_text, page, terminal
from reports.diff import Diff, Kind, diff
from reports.exports import junit
from reports.table import table
from reports.versions import timeline
from tests.reports_data import check, write

OLD = "stop.ends_the_text"


def run(tmp_path: Path, name: str, *checks: CheckResult) -> Results:
    """A run that judged by a revision."""
    found = read(write(tmp_path / f"{name}.jsonl", list(checks)))
    return replace(found, header={**found.header, "requirements": "2026-11-29"})


def frozen(*checks: object) -> Revision:
    kept = {one.id: {key: getattr(one, key) for key in revisions.KEYS} for one in checks}  # type: ignore[attr-defined]
    return Revision(name="2026-11", frozen="2026-11-30", suite="0.1.0", checks=kept)


def test_levels_are_as_frozen_and_later_checks_are_marked() -> None:
    by = frozen(check(level=Level.SHOULD, requirement="As it was."))
    judged = by.of(check(level=Level.MUST, outcome="fail"))
    assert (judged.level, judged.requirement, judged.later) == (Level.SHOULD, "As it was.", False)
    assert judged.outcome is Outcome.FAIL
    assert by.of(check("stop.new")).later


def test_renamed_checks_are_in_the_revisions_by_their_present_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = revisions.write("2026-01", "2026-01-31", "0.1.0", [check("stop.old")], tmp_path)
    monkeypatch.setattr(revisions, "renamed", lambda: {"stop.old": OLD})
    assert list(revisions._read(file).checks) == [OLD]


def test_every_change_since_the_newest_revision_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "newest", lambda: frozen(check(), check("stop.b"), check("stop.c")))
    assert revisions.told([check(), check("stop.b"), check("stop.c")]) == "2026-11"
    now = [check(level=Level.MAY), check("stop.b", requirement="In other words."), check("stop.d")]
    assert revisions.told(now) == "2026-11 with unreleased changes (1 gone, 1 level, 1 new, 1 sentence)"


def test_the_frozen_files_are_as_they_were_frozen() -> None:
    """Reading compares the digests; what is missing from the suite was renamed, or it needs a new revision."""
    assert list(revisions.revisions()) == sorted(
        revisions.revisions(), key=lambda name: revisions.revision(name).frozen
    )
    gone = revisions.newest().changes(catalogue.load().values()).get("gone")
    assert not gone, f"add the new ids to renamed.toml, or freeze a new revision without these checks: {gone}"
    assert len(revisions.revision("2026-11-29").checks) == 874


def test_a_file_that_was_changed_is_refused(tmp_path: Path) -> None:
    file = revisions.write("2026-01", "2026-01-31", "0.1.0", [check()], tmp_path)
    file.write_text(file.read_text().replace("MUST", "MAY"))
    with pytest.raises(BadRevision, match=r"2026-01\.json was changed after it was frozen: restore it"):
        revisions._read(file)


def test_bad_names_get_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(pytest.UsageError, match=r"no revision '1999'; choose one of 2026-11-29, 2026-11\."):
        _revision("1999")
    for wrong, said in (("2026-11", "already exists"), ("../x", "name a revision by its month or day")):
        assert freeze.main([wrong]) == 4
        assert said in capsys.readouterr().err


def test_later_checks_fail_nothing() -> None:
    bad = check("stop.new", "fail")
    assert exit_code(1, [check(), bad], [], Level.MUST) == 1
    assert exit_code(1, [check(), replace(bad, later=True)], [], Level.MUST) == 0


def test_reports_show_later_checks_apart(tmp_path: Path) -> None:
    bad = check("stop.new", "fail", later=True, message="Something new.")
    shown = table([run(tmp_path, "a", check(), bad)])
    row = next(row for row in shown.rows if row.feature.id == "stop")
    assert row.cells[0].word == "yes"
    assert not shown.violations
    assert "stop.new" not in junit.export(shown)
    assert "not in the grade: 1 fail" in terminal.text(shown, width=100, colour=False)
    html = page.render(shown).decode()
    assert "1 later check, not in the grade" in html


def test_a_level_that_changed_is_no_regression_of_a_cell(tmp_path: Path) -> None:
    was = check("stop.b", "fail", level=Level.SHOULD, core=False)
    old = run(tmp_path, "old", check(), was)
    new = run(tmp_path, "new", check(), replace(was, level=Level.MUST))
    [found] = diff(table([old]), table([new])).targets
    assert [(one.kind, one.only_new_checks) for one in found.cells] == [(Kind.OTHER, True)]
    assert diff_text.NEW_ONLY in diff_text.text(Diff(targets=(found,)))
    assert not Diff(targets=(found,)).regressed


def test_versions_are_graded_by_the_checks_that_all_have() -> None:
    """A version that was measured with a check more, which fails, has not lost its cell."""
    row = [one for one in catalogue.load().values() if one.feature == "stop" and (one.core or one.level is Level.MUST)]
    core = [one.id for one in row if one.core]
    more = next(one.id for one in row if not one.core)
    about = {"suite": "0.1.0", "measured": 1, "runs": 1}
    kept = {
        "checks": [*core, more],
        "versions": {
            "1": {**about, "outcomes": "p" * len(core)},
            "2": {**about, "outcomes": "p" * len(core) + "f"},
        },
    }
    found = timeline(json.loads(json.dumps(kept)), "llamacpp")
    assert [version.cells["stop"] for version in found.versions] == ["yes", "yes"]
