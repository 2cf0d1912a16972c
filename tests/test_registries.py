"""Checks, scenarios and rows of the matrix belong together; the messages say what to do where they do not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conformance import kit, new, sdk
from conformance.kit import steadiness
from conformance.outcomes import Level
from conformance.requirements import matrix
from conformance.requirements.check import check
from conformance.run import catalogue
from fixtures import scenario

ROOT = Path(__file__).parent.parent


def test_a_check_names_a_row() -> None:
    with pytest.raises(ValueError, match=r"matrix.toml has no row 'nothing'; add it, or use another"):
        check("nothing", Level.MUST, "docs:guides")(test_a_check_names_a_row)


def test_every_row_has_a_core_check() -> None:
    core = {c.feature for c in catalogue.load().values() if c.core}
    without = [row for row in matrix.features() if row not in core]
    assert not without, (
        "these rows of conformance/requirements/matrix.toml have no core check. Add core=True to the @check in "
        f"conformance/checks/ that shows that the feature works, by its effect: {', '.join(without)}"
    )


def test_every_parameter_of_a_check_is_a_scenario() -> None:
    known = {"every", *scenario.load()}
    wrong = [f"\n  {c.id}: {name}" for c in catalogue.load().values() for name in c.scenarios if name not in known]
    assert not wrong, f"declare these with @scenario in fixtures/scenarios/, or correct their names:{''.join(wrong)}"


def test_nothing_is_left_to_fill_in() -> None:
    """What `python -m conformance.new` left to its user."""
    folders = (
        "conformance/checks",
        "conformance/requirements/musts.toml",
        "fixtures/scenarios",
        "tests/reference/faults",
    )
    files = [file for name in folders for file in ((ROOT / name).rglob("*.py") if "." not in name else [ROOT / name])]
    left = [
        f"\n  {file.relative_to(ROOT)}:{number}: {line.strip()}"
        for file in files
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1)
        if new.MARK in line
    ]
    assert not left, f"write what is marked {new.MARK}, and remove the mark:{''.join(left)}"


def test_the_words_of_the_kit_are_explained() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    missing = [word for word in kit.__all__ if word.islower() and not re.search(rf"\b{word}\b", told)]
    assert not missing, f"CONTRIBUTING.md, table of the words of the kit: add {', '.join(missing)}"
    names = re.findall(r"`every\.(\w+)|^\| `([a-z_]+)\(", told, re.MULTILINE)
    words = {*kit.__all__, *vars(kit.Every), *sdk.__all__, "fatal"}
    gone = [name for pair in names for name in pair if name and name not in words]
    assert not gone, f"CONTRIBUTING.md, table of the words of the kit: remove or rename {', '.join(gone)}"


def test_every_scenario_is_used() -> None:
    known = scenario.load()
    asked = [name for c in catalogue.load().values() for name in c.scenarios if name in known]
    used = set(scenario.with_needs([*asked, *steadiness.CONTROLS]))
    unused = [f"\n  {name}" for name in known if name not in used]
    assert not unused, (
        "no check reads these scenarios. Make each a parameter of a check in conformance/checks/, or remove it from "
        f"fixtures/scenarios/ (NAME_streamed: remove streamed=True from NAME):{''.join(unused)}"
    )


def test_reports_name_checks() -> None:
    """Each check of the last column of docs/reports-caught.md exists."""
    rows = (ROOT / "docs" / "reports-caught.md").read_text(encoding="utf-8").splitlines()
    named = [id for row in rows if row.startswith("| ") for id in re.findall(r"`(\w+\.\w+)`", row.split("|")[-2])]
    gone = sorted(set(named) - catalogue.load().keys())
    assert named
    assert not gone, f"docs/reports-caught.md: rename or remove {', '.join(gone)}"
