"""A cell says what fails for a user, wherever it is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from conformance.requirements import matrix
from reports import markdown, page, terminal
from reports.table import Table, table
from tests.reports_data import check, results

WHY = "fourth `stop` string has no effect"
NAMED = "none ✓ required ✓ named ✕"


@pytest.fixture
def shown(tmp_path: Path) -> Table:
    outcomes = ("pass", "pass", "ignored")
    cores = matrix.features()["tool_choice"].cores
    bad = {"core": False, "level": "SHOULD", "exchanges": ["bad_seed_text"]}
    return table(
        [
            results(
                tmp_path,
                [
                    check("stop.ends_the_text"),
                    check("stop.four_strings_count", "fail", core=False),
                    *(check(id, outcome) for id, outcome in zip(cores, outcomes, strict=True)),
                    check("seed.repeats_the_answer"),
                    check("seed.text_is_refused", "fail", **bad),
                ],
            )
        ]
    )


def test_the_table_has_it(shown: Table) -> None:
    said = {row.feature.id: (row.cells[0].word, row.cells[0].because) for row in shown.rows}
    assert said["stop"] == ("partial", WHY)
    assert said["tool_choice"] == ("partial", NAMED)
    assert said["seed"] == ("yes", "bad input not rejected")
    assert said["vision"] == ("not measured", "")


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_terminal_says_it_and_what_a_yes_leaves_out_once(shown: Table, width: int) -> None:
    lines = [line.strip() for line in terminal.text(shown, width=width, colour=False).splitlines()]
    flat = " ".join(" ".join(lines).split())
    assert [word for word in f"{WHY} {NAMED}".replace("`", "").split() if word not in flat.replace("`", "")] == []
    assert "✓ yes *" in flat
    assert flat.count("overclaimed") == 2 if width > 76 else "overclaimed" in flat
    assert lines.count("* bad input not rejected") == 1


def test_markdown_says_it(shown: Table) -> None:
    said = markdown.table(shown)
    assert "| ◐ partial: none ✓ required ✓ named ✕" in said
    assert "| ✓ yes: bad input not rejected" in said


def test_the_page_says_it_and_the_published_sentence(shown: Table) -> None:
    said = page.render(shown).decode()
    assert '<small class="because">fourth <code>stop</code> string has no effect</small>' in said
    assert '<small class="because">none\u00a0✓ required\u00a0✓ named\u00a0✕</small>' in said
    assert "Up to 4 sequences (a string, or an array of 1 to 4) at which generation stops" in said
    assert "Without it: Agents that parse text up to a marker" in said


def test_the_page_of_a_cell_says_it(shown: Table) -> None:
    [cell] = next(row.cells for row in shown.rows if row.feature.id == "stop")
    assert '<small class="because">fourth <code>stop</code>' in page.render_cell(shown, cell).decode()
