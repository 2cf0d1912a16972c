"""A run in the terminal: the matrix, then what was found by its causes, then what did not run."""

from __future__ import annotations

import io
from typing import TextIO

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from conformance.outcomes import Outcome
from conformance.requirements import matrix
from conformance.results import CheckResult
from conformance.results.causes import Cause
from reports import clients, gateways, words
from reports.hostile import line, visible
from reports.table import QUICK, Cell, Claim, Column, Table, count, tally

_STATUS = {
    "yes": "green",
    "partial": "yellow",
    "ignored": "bold magenta",
    "no": "red",
    "unknown": "dim",
    "not measured": "dim",
}
_OUTCOME = {"fail": "red", "ignored": "bold magenta", "timeout": "red", "error": "bold red"}
_REASONS = 3
"""How many reasons are shown why checks did not run; a replay has one for each scenario that it lacks."""

_SENTENCE = 300
"""Characters of why a client did not do its task."""

_NARROW, _WIDE = 76, 110
"""Columns of a terminal from which claims stand beside the status, and from which there is a tally, too."""

_MEASURED = 22
"""Columns for the status and what fails, where claims stand beside it."""


def console_to(out: TextIO, *, width: int, colour: bool) -> Console:
    """A console that prints texts as they are: nothing in them is markup, and nothing is coloured by itself."""
    return Console(
        file=out,
        width=width,
        color_system="standard" if colour else None,
        force_terminal=colour,
        highlight=False,
        emoji=False,
        markup=False,
        legacy_windows=False,
    )


def text(shown: Table, *, width: int, colour: bool, verbose: bool = False) -> str:
    """The summary of a table for a terminal of `width` columns; nothing of a server's text controls the terminal.

    `verbose` lists the checks of each cause, too.
    """
    out = io.StringIO()
    console = console_to(out, width=max(width, 30), colour=colour)
    for trouble in dict.fromkeys(column.trouble for column in shown.columns if column.trouble):
        console.print(Text(visible(trouble), "yellow" if trouble == QUICK else "bold red"), soft_wrap=True)
    if any(check.outcome is not Outcome.NOT_RUN for column in shown.columns for check in column.checks):
        console.print(_matrix(shown, width))
        _notes(console, shown)
        _unmeasured(console, shown)
    _causes(console, shown, verbose=verbose)
    _gateways(console, shown)
    _clients(console, shown)
    for column in shown.columns:
        _not_run(console, column, named=len(shown.columns) > 1)
        _later(console, column, named=len(shown.columns) > 1)
    return out.getvalue()


def _gateways(console: Console, shown: Table) -> None:
    """What was compared; changes that the gateway may not make are among the causes."""
    for gateway in (one for column in shown.columns for one in column.gateways):
        console.print(Text("\nWhat the gateway changes", "bold"))
        console.print(Text(f"  {visible(gateways.in_short(gateway))}", "dim"))
        more = "The report has both sides of each."
        wrong, legal = count(len(gateway.wrong), "change"), len(gateway.legal)
        console.print(Text(f"  {wrong} that a gateway may not make, {legal} that it may make. {more}"))
        for note in gateway.notes:
            console.print(Text(f"  {visible(note)}", "dim"))


def _clients(console: Console, shown: Table) -> None:
    """Each real client in a line, with what became of its tasks, and below it what did not work, and why."""
    rows = clients.rows(shown)
    if rows:
        console.print(Text("Real clients", "bold"))
    for row in rows:
        for cell in row.cells:
            said = Text(f"  {visible(row.title)}, {visible(row.api)}")
            if len(row.cells) > 1:
                said.append(f", on {visible(cell.column.name)}")
            said.append(": ")
            for one in cell.results:
                mark = f"{words.OUTCOME[one.outcome]} {visible(one.task)} "
                said.append(mark, _OUTCOME.get(one.outcome, "" if one.outcome.good else "yellow"))
            console.print(said)
            for why in dict.fromkeys(clients.sentence(one) for one in cell.told):
                console.print(Text(f"    {line(why, _SENTENCE)}", "dim"))


def _matrix(shown: Table, width: int) -> RichTable:
    alone = len(shown.columns) == 1
    beside = alone and width >= _NARROW
    rich = RichTable(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    rich.add_column("", overflow="fold", no_wrap=width >= _NARROW)
    for column in shown.columns:
        name = "measured" if alone else visible(f"{column.number} {column.name} {column.version}")
        rich.add_column(name, overflow="fold", max_width=_MEASURED if beside else None)
    if beside:
        for source in matrix.CLAIM_SOURCES:
            rich.add_column(f"{words.DOCUMENTS[source]} says", overflow="fold")
        if width >= _WIDE:
            rich.add_column("checks", overflow="fold")
    for group, rows in shown.groups.items():
        measured = [row for row in rows if row.measured]
        if not measured:
            continue
        rich.add_row(Text(group, "bold"))
        for row in measured:
            cells = [_status(c) if beside else _with_claims(c) for c in row.cells]
            if beside:
                cells += [_claim(row.cells[0].claim(source)) for source in matrix.CLAIM_SOURCES]
                cells += [_tally(row.cells[0])] if width >= _WIDE else []
            rich.add_row(Text("  " + visible(row.feature.title)), *cells)
    return rich


def _status(cell: Cell) -> Text:
    """The status, and below it what fails; notes on a `yes` come once, below the matrix."""
    said = Text(f"{words.STATUS[cell.word]} {cell.word}", _STATUS[cell.word])
    if cell.because:
        said.append(" *" if cell.word == "yes" else f"\n{visible(cell.because)}", "dim")
    return said


def _with_claims(cell: Cell) -> Text:
    said = _status(cell)
    for claim, sources in cell.said:
        if claim.wrong:
            names = ", ".join(words.DOCUMENTS[s] for s in sources)
            said.append(f"\n{names} ", "dim").append_text(_claim(claim))
    return said


def _claim(claim: Claim | None) -> Text:
    if claim is None:
        return Text("–", "dim")
    said = Text(f"{words.STATUS[claim.says]} {claim.says}", "" if claim.wrong else "dim")
    return said.append(f" {words.AGREEMENT[claim.agreement]}", "bold yellow") if claim.wrong else said


def _tally(cell: Cell) -> Text:
    return Text(", ", "dim").join(
        Text(f"{number} {outcome}", _OUTCOME.get(outcome, "dim")) for outcome, number in cell.outcomes.items()
    )


def _notes(console: Console, shown: Table) -> None:
    notes = dict.fromkeys(c.because for row in shown.rows for c in row.cells if c.because and c.word == "yes")
    if notes:
        console.print(Text(f"* {visible('; '.join(notes))}", "dim"))


def _unmeasured(console: Console, shown: Table) -> None:
    left_out = [row.feature.title for row in shown.rows if not row.measured]
    if left_out:
        console.print(Text(f"Not measured, no check of them was selected: {', '.join(left_out)}", "dim"))


def _causes(console: Console, shown: Table, *, verbose: bool) -> None:
    known = sum(check.known == "known" for check in shown.violations)
    if known:
        console.print(Text(f"\nKnown violations, not listed here: {known}", "dim"))
    for column in shown.columns:
        told = [(cause, news) for cause in column.causes if (news := _news(cause)) or not cause.violations]
        if not told:
            continue
        violations = sum(len(news) for _, news in told)
        of = f" of {count(violations, 'violation')}" if violations else ", no violation"
        counts = f"({count(len(told), 'cause')}{of}, MUST first)"
        where = f" on {visible(column.name)}" if len(shown.columns) > 1 else ""
        console.print()
        console.print(Text(f"What was found{where}", "bold"), Text(counts, "dim"))
        for cause, news in told:
            if cause.kind == "check":
                console.print(_violation(news[0]), soft_wrap=True)
                continue
            console.print(_cause(cause, news), soft_wrap=True)
            for check in cause.checks if verbose else ():
                console.print(Text("    ").append_text(_violation(check)), soft_wrap=True)


def _news(cause: Cause) -> list[CheckResult]:
    """The violations that are not known."""
    return [check for check in cause.violations if check.known != "known"]


def _cause(cause: Cause, news: list[CheckResult]) -> Text:
    """One line, as `_violation`, with how many checks there are instead of the name of one."""
    word = str(news[0].outcome) if news else cause.kind
    glyph = words.OUTCOME if news else words.CAUSE
    said = Text(f"{glyph[word]} {word:8}", _OUTCOME.get(word, "yellow"))
    said.append(f"{cause.level:7}", "dim").append(count(len(news) or len(cause.checks), "check"), "bold")
    said.append(f"  {line(cause.sentence, 200)}")
    more = " …" if len(cause.exchanges) > len(cause.evidence) else ""
    return said.append(f"  ({visible(', '.join(cause.evidence))}{more})", "dim") if cause.evidence else said


def _violation(check: CheckResult) -> Text:
    """One line; the terminal may wrap it, a grep finds it whole."""
    said = Text(f"{words.OUTCOME[check.outcome]} {check.outcome:8}", _OUTCOME.get(check.outcome, "yellow"))
    said.append(f"{check.level:7}", "dim").append(visible(check.id), "bold")
    said.append(f"  {line(check.requirement, 110)}")
    reason = line(check.message, 120)
    return said.append(f"  {reason}", "dim") if reason else said


def _later(console: Console, column: Column, *, named: bool) -> None:
    if column.later:
        of = f" on {visible(column.name)}" if named else ""
        counts = ", ".join(f"{number} {outcome}" for outcome, number in tally(column.later).items())
        said = f"Later than requirements {column.requirements}, not in the grade{of}: {counts}"
        console.print(Text(visible(said), "dim"), soft_wrap=True)


def _not_run(console: Console, column: Column, *, named: bool) -> None:
    of = f" on {visible(column.name)}" if named else ""
    undecided = (Outcome.REJECTED, Outcome.INCONCLUSIVE, Outcome.BLOCKED)
    counts = [f"{column.outcomes[o]} {o}" for o in undecided if o in column.outcomes]
    if counts:
        console.print(Text(f"\nNeither passed nor violated{of}: {', '.join(counts)}", "dim"))
    reasons = list(column.not_run.items())
    for reason, number in reasons[:_REASONS]:
        why = "" if column.trouble == f"Stopped: {reason}" else f", {line(reason, 300)}"  # That was said above.
        console.print(Text(f"Not run{of}: {number} of {len(column.checks)}{why}", "yellow"), soft_wrap=True)
    if more := sum(number for _, number in reasons[_REASONS:]):
        console.print(Text(f"Not run{of}: {more} more, each for its own reason, which the report shows", "yellow"))
