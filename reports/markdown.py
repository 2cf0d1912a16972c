"""Markdown from results: the matrix as a table, and a server's text that stays text in it."""

from __future__ import annotations

import re

from reports import words
from reports.hostile import line
from reports.table import Cell, Column, Table

_SPECIAL = re.compile(r"[\\`*_{}\[\]<>#!|~@&]|:(?=//)|(?<=www)\.", re.IGNORECASE)


def plain(text: str) -> str:
    """One line of text in which nothing is Markdown or HTML, mentions anybody, or becomes a link."""
    return _SPECIAL.sub(lambda c: f"&#{ord(c[0])};", line(text, 300))


def code(text: str) -> str:
    """One line of text as code, fit for a cell of a table."""
    return f"`{line(text, 120).replace('`', chr(39)).replace('|', '¦')}`"


def table(shown: Table) -> str:
    """The measured rows as a Markdown table: a column a target, over- and underclaims named below each other."""
    heads = [f"{plain(column.name)} {plain(column.version)}" for column in shown.columns]
    said = [f"| | {' | '.join(heads)} |", f"|---|{'---|' * len(heads)}"]
    for group, rows in shown.groups.items():
        measured = [row for row in rows if row.measured]
        said += [f"| **{plain(group)}** |{' |' * len(heads)}"] if measured else []
        said += [f"| {plain(row.feature.title)} | {' | '.join(map(_cell, row.cells))} |" for row in measured]
    notes = [f"{plain(c.name)}: {plain(c.trouble)}" for c in shown.columns if c.trouble]
    said += ["", *notes, "", *map(_strip, shown.columns)]
    said += ["", "Only what was measured counts as `yes`; what did not run, or could not be decided, is `unknown`."]
    return "\n".join(said) + "\n"


def _cell(cell: Cell) -> str:
    said = f"{words.STATUS[cell.word]} {cell.word}"
    if cell.because:
        said += f": {plain(cell.because)}"
    wrong = [f"{claim.agreement} by {words.DOCUMENTS[claim.source]}" for claim in cell.claims if claim.wrong]
    return f"{said} ({', '.join(wrong)})" if wrong else said


def _strip(column: Column) -> str:
    counts = ", ".join(f"{number} {outcome}" for outcome, number in column.outcomes.items())
    return f"- {plain(column.name)} {plain(column.version)}: {len(column.checks)} checks, {counts}"
