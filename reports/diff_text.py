"""A diff as text: for a terminal, and in Markdown for a job's summary or an issue."""

from __future__ import annotations

import io

from rich.console import Console
from rich.text import Text

from reports import words
from reports.diff import CellChange, CheckChange, ClientChange, Diff, Kind, TargetDiff
from reports.hostile import line, visible
from reports.markdown import code, plain
from reports.terminal import console_to

TITLES = {
    Kind.REGRESSION: "Regressions",
    Kind.FIX: "Fixes",
    Kind.OTHER: "Other changes",
    Kind.NEW: "New",
    Kind.GONE: "Gone",
}
NEW_ONLY = "(by new or changed requirements only)"
FLAKY = "Flaky: changed and changed back with one version"
LISTED = 40
"""Checks of one kind that Markdown and terminal name; the page has all."""

_STYLE = {Kind.REGRESSION: "bold red", Kind.FIX: "green", Kind.OTHER: "yellow", Kind.NEW: "cyan", Kind.GONE: "dim"}


def versions(target: TargetDiff) -> str:
    """`b1 → b2`, or the one that exists."""
    if target.old is None or target.new is None:
        return f"{target.column.version} ({'new target' if target.old is None else 'no longer measured'})"
    old, new = target.old.version, target.new.version
    return old if old == new else f"{old} → {new}"


def summary(target: TargetDiff) -> str:
    """`2 regressions, 1 fix, 5 new checks`, or that nothing changed."""
    if target.old is None or target.new is None:
        return "nothing to compare it with"
    nouns = {Kind.REGRESSION: ("regression", "regressions"), Kind.FIX: ("fix", "fixes")}
    nouns |= {Kind.OTHER: ("other change", "other changes"), Kind.NEW: ("new check", "new checks")}
    nouns |= {Kind.GONE: ("check gone", "checks gone")}
    said = [f"{n} {nouns[kind][n != 1]}" for kind, n in target.counts.items()]
    tasks = [(kind, len(target.clients_of(kind))) for kind in (Kind.REGRESSION, Kind.FIX, Kind.OTHER)]
    said += [f"{n} {nouns[kind][n != 1]} of real clients" for kind, n in tasks if n]
    return ", ".join(said) or "no check changed"


def outcomes(change: CheckChange | ClientChange) -> str:
    """`pass → fail`, or the one that there is."""
    found = [f"{words.OUTCOME[c.outcome]} {c.outcome}" for c in (change.before, change.after) if c]
    return " → ".join(found)


def statuses(change: CellChange) -> str:
    """`yes → partial`."""
    return " → ".join(f"{words.STATUS[word]} {word}" for word in (change.before, change.after))


def listed(target: TargetDiff, kind: Kind) -> tuple[list[CheckChange], str]:
    """The checks of a kind that are named, and a sentence about the others: only the number of new passing checks."""
    checks = target.checks_of(kind)
    worth = [c for c in checks if kind not in (Kind.NEW, Kind.GONE) or not c.check.outcome.good]
    passed, more = len(checks) - len(worth), max(0, len(worth) - LISTED)
    rest = [f"{passed} that passed"] if passed else []
    rest += [f"{more} more"] if more else []
    return worth[:LISTED], f"{'and ' if worth else ''}{' and '.join(rest)}" if rest else ""


def text(found: Diff, *, width: int = 100, colour: bool = False) -> str:
    """The diff for a terminal."""
    out = io.StringIO()
    console = console_to(out, width=width, colour=colour)
    for target in found.targets:
        console.print(
            Text(visible(f"{target.column.name} {versions(target)}"), "bold"),
            Text(summary(target), "dim"),
            soft_wrap=True,
        )
        if target.suites:
            console.print(Text(f"  suite {' → '.join(map(visible, target.suites))}", "dim"))
        if target.requirements:
            console.print(Text(f"  requirements {' → '.join(map(visible, target.requirements))}", "dim"))
        for kind in Kind:
            _section(console, target, kind)
        if target.flaky:
            console.print(Text(f"  {FLAKY}", "yellow"))
        for id, sentence in list(target.flaky.items())[:LISTED]:
            console.print(Text(f"      {visible(id)}  {line(sentence, 200)}"), soft_wrap=True)
    return out.getvalue()


def _section(console: Console, target: TargetDiff, kind: Kind) -> None:
    cells, checks = target.cells_of(kind), target.checks_of(kind)
    clients = target.clients_of(kind)
    if not cells and not checks and not clients:
        return
    console.print(Text(f"  {TITLES[kind]}", _STYLE[kind]))
    for cell in cells:
        because = f" {NEW_ONLY}" if cell.only_new_checks else ""
        console.print(Text(f"    {visible(cell.feature.title)}  {statuses(cell)}{because}"), soft_wrap=True)
    for task in clients:
        said = Text(f"    {visible(task.what)}  {outcomes(task)}").append(f"  {line(task.why, 110)}", "dim")
        console.print(said, soft_wrap=True)
    named, rest = listed(target, kind)
    for change in named:
        said = Text(f"      {change.check.level:7}", "dim")
        said.append(f"{visible(change.check.id)}  {outcomes(change)}")
        if notes := _notes(target, change):
            said.append(notes, "yellow")
        said.append(f"  {line(change.check.message or change.check.requirement, 110)}", "dim")
        console.print(said, soft_wrap=True)
    if rest:
        console.print(Text(f"      {rest}", "dim"))


def markdown(found: Diff) -> str:
    """The diff in Markdown: regressions and fixes in sight, the rest folded."""
    return "\n".join(part for target in found.targets for part in _markdown(target)) + "\n"


def _markdown(target: TargetDiff) -> list[str]:
    said = [f"### {plain(target.column.name)} {plain(versions(target))}", "", f"{summary(target).capitalize()}.", ""]
    if target.suites:
        said += [f"The suite also changed: {' → '.join(map(plain, target.suites))}.", ""]
    if target.requirements:
        said += [f"The requirements also changed: {' → '.join(map(plain, target.requirements))}.", ""]
    for kind in Kind:
        cells, checks = target.cells_of(kind), target.checks_of(kind)
        clients = target.clients_of(kind)
        if not cells and not checks and not clients:
            continue
        folded = kind not in (Kind.REGRESSION, Kind.FIX)
        title = f"{TITLES[kind]} ({', '.join(_counted(cells, checks, clients))})"
        said += [f"<details><summary>{title}</summary>", ""] if folded else [f"**{title}**", ""]
        if cells:
            said += ["| row | |", "|---|---|"]
            said += [f"| {plain(c.feature.title)} | {statuses(c)}{f' {NEW_ONLY}' * c.only_new_checks} |" for c in cells]
            said += [""]
        if clients:
            said += ["| client | | |", "|---|---|---|"]
            said += [f"| {plain(c.what)} | {outcomes(c)} | {plain(line(c.why, 160))} |" for c in clients]
            said += [""]
        if checks:
            said += ["| level | check | | |", "|---|---|---|---|"]
            named, rest = listed(target, kind)
            said += [_check_row(target, change) for change in named]
            said += [f"| | {rest} | | |"] if rest else []
            said += [""]
        said += ["</details>", ""] if folded else []
    if target.flaky:
        said += [f"<details><summary>{FLAKY} ({len(target.flaky)})</summary>", "", "| check | |", "|---|---|"]
        said += [f"| {code(id)} | {plain(sentence)} |" for id, sentence in list(target.flaky.items())[:LISTED]]
        said += ["", "</details>", ""]
    return said


def _notes(target: TargetDiff, change: CheckChange) -> str:
    """Why a change may not come from the server."""
    reworded = " (requirement changed)" * change.reworded
    return " (level changed)" * change.relevelled + reworded + " (flaky)" * (change.check.id in target.flaky)


def _counted(cells: list[CellChange], checks: list[CheckChange], clients: list[ClientChange]) -> list[str]:
    found = ((len(cells), "row"), (len(checks), "check"), (len(clients), "task"))
    return [f"{number} {thing}{'s' * (number != 1)}" for number, thing in found if number]


def _check_row(target: TargetDiff, change: CheckChange) -> str:
    why = plain(line(change.check.message or change.check.requirement, 160))
    return f"| {change.check.level} | {code(change.check.id)} | {outcomes(change)}{_notes(target, change)} | {why} |"
