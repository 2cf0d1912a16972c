"""Model families: how a server reads each family's notation of tool calls, from a run with `--dialect`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from conformance.outcomes import Outcome
from conformance.requirements.dialect_rows import Column as Kind
from conformance.requirements.dialect_rows import Dialect, columns, families
from conformance.results import CheckResult
from reports.known import deviations
from reports.markdown import code
from reports.table import Column, Table

_NO = (Outcome.FAIL, Outcome.REJECTED, Outcome.TIMEOUT, Outcome.ERROR)
_UNDECIDED = (Outcome.INCONCLUSIVE, Outcome.BLOCKED, Outcome.NOT_RUN)
SERVERS = {"llamacpp": "llama.cpp", "vllm": "vLLM", "ollama": "Ollama"}
READERS = ("vllm", "ollama")
"""The backends that need the name of the parser for a notation."""

NO_READER = "no reader for this notation"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """`word` is yes, partial, ignored, no, unknown, or `–` where the notation has no such thing.

    `failed` are the checks behind it, `known` those that fail in any notation: they lower no cell that works.
    """

    kind: Kind
    word: str
    failed: tuple[CheckResult, ...] = ()
    known: tuple[CheckResult, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family on a server."""

    dialect: Dialect
    column: Column
    cells: tuple[Cell, ...]
    why: str = ""
    """Why nothing was measured."""

    @property
    def summary(self) -> str:
        """The columns by their word: `yes: tools, parallel; ignored: named`."""
        by_word: dict[str, list[str]] = {}
        for cell in self.cells:
            by_word.setdefault(cell.word, []).append(cell.kind.title)
        order = [word for word in ("yes", "partial", "ignored", "no", "unknown") if word in by_word]
        return self.why or "; ".join(f"{word}: {', '.join(by_word[word])}" for word in order)


def of(shown: Table) -> list[Family]:
    """Every column of the table that is of a dialect, in the order of `dialects.toml`."""
    order = list(families())
    return sorted(filter(None, map(of_column, shown.columns)), key=lambda family: order.index(family.dialect.name))


def of_column(column: Column) -> Family | None:
    """The family that a column was measured with, if it is of a dialect."""
    dialect = families().get(dialect_of(column))
    if dialect is None:
        return None
    cells = tuple(_cell(dialect, kind, column) for kind in columns())
    return Family(dialect=dialect, column=column, cells=cells, why=str(column.target["missing"].get("chat", "")))


def dialect_of(column: Column) -> str:
    """The name of the column's dialect; empty if it has none."""
    return str(column.target["details"].get("dialect", ""))


def _cell(dialect: Dialect, kind: Kind, column: Column) -> Cell:
    if not kind.fits(dialect):
        return Cell(kind=kind, word="–")
    by_id = {check.id: check for check in column.checks}
    bad = [by_id[id] for id in kind.checks if id in by_id and by_id[id].outcome in (*_NO, Outcome.IGNORED)]
    known = tuple(check for check in bad if deviations(column, check))
    failed = tuple(check for check in bad if check not in known)
    deciding = {by_id[id].outcome for id in kind.decides if id in by_id}
    if deciding & set(_NO):
        word = "no"
    elif Outcome.IGNORED in deciding:
        word = "ignored"
    elif not deciding or deciding & set(_UNDECIDED):
        word = "unknown"
    else:
        word = "partial" if failed else "yes"
    return Cell(kind=kind, word=word, failed=failed, known=known)


def reader(dialect: Dialect, server: str) -> str:
    """The parser with which such a server reads this notation, in words."""
    names = {kind: name for kind, name in dialect.readers(server).items() if kind != "tokenizer"}
    return ", ".join(f"{kind} `{name}`" for kind, name in names.items()) or NO_READER


READ = {
    "the same": "read alike",
    "otherwise": "read otherwise",
    "rejected": "answered with an error",
    "truncated": "truncated",
}
"""The columns of how texts were read, by their key in what `tests.reference.reread` prints."""


def markdown(
    shown: Table,
    raw: dict[str, dict[str, dict[str, str]]] | None = None,
    old: str = "",
    reread: dict[str, dict[str, int]] | None = None,
) -> str:
    """The page `docs/dialects.md`, with a section for each server.

    `raw` is what the model wrote before a server read it, by backend, dialect and prompt. `old` is the page before:
    sections of servers that were not measured now are taken from it. `reread` counts, by dialect, how llama.cpp and the
    reference read the same texts.
    """
    found = of(shown)
    kept = {part.partition("\n")[0]: part.strip().splitlines() for part in re.split(r"(?m)^## ", old)[1:]}
    sections = {title: lines for title, lines in kept.items() if title in SERVERS.values()}
    for backend in dict.fromkeys(family.column.backend for family in found):
        families_here = [family for family in found if family.column.backend == backend]
        sections[SERVERS[backend]] = _section(families_here, backend, (raw or {}).get(backend, {}))
        sections[SERVERS[backend]] += _reread(families_here, reread) if reread and backend == "llamacpp" else []
    said = [
        "# Model families: who reads their tool calls",
        "",
        "<!-- Written by `.ci/dialects`. -->",
        "",
        "Measured live with `pytest --dialect=all`: one tiny model writes each family's notation, and the server",
        "reads it. A row is a notation, not a model's skill. The chat templates are the suite's own",
        "(`fixtures/dialects/`): a server may read a family's real template otherwise.",
        "`ignored`: accepted, without effect. `unknown`: the tiny model did not show what is judged.",
        "`–`: the notation does not have this.",
        "",
    ]
    for title in (title for title in SERVERS.values() if title in sections):
        said += [f"## {sections[title][0]}", *sections[title][1:], ""]
    missing = [backend for backend in READERS if SERVERS[backend] not in sections]
    for backend in missing:
        said += [f"## {SERVERS[backend]}, not run", "", "Its readers, as its sources name them.", ""]
        said += ["| family | reader |", "|---|---|"]
        said += [f"| {one.title} | {reader(one, backend)} |" for one in families().values()]
        said += [""]
    return "\n".join(said).rstrip("\n") + "\n"


def _section(found: list[Family], backend: str, raw: dict[str, dict[str, str]]) -> list[str]:
    """The lines of a server's section, without the marks before its title."""
    heads = [kind.title for kind in columns()] + (["reader"] if backend in READERS else [])
    versions = dict.fromkeys(family.column.version for family in found if not family.why)
    said = [SERVERS[backend], "", f"Measured on {', '.join(versions)}.", ""]
    said += [f"| family | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for family in found:
        gone = "no reader" if family.why.startswith(NO_READER) else "no server" if family.why else ""
        words = [cell.word if cell.word == "–" else gone or cell.word for cell in family.cells]
        words += [reader(family.dialect, backend)] if backend in READERS else []
        said.append(f"| {family.dialect.title} | {' | '.join(words)} |")
    known = {check.id: check for family in found for cell in family.cells for check in cell.known}
    said += ["", "### What fails in every notation", ""] if known else []
    said += [f"- {code(id)} {known[id].outcome}: {_message(known[id])}" for id in sorted(known)]
    said += ["", "### What fails in one", ""]
    for family in found:
        lines = [f"- {family.why}"] if family.why else [line for cell in family.cells for line in _failures(cell)]
        lines += [f"- Why: {family.dialect.why[backend]}"] if lines and backend in family.dialect.why else []
        links = family.dialect.issues.get(backend, ()) if lines else ()
        lines += [f"- A user's report of the same: {link}" for link in links]
        said += [f"#### {family.dialect.title}", "", *lines, ""] if lines else []
    if raw:
        said += ["### What the model wrote", "", "The text before the server read it.", ""]
    for family in found:
        wrote = raw.get(family.dialect.name, {})
        said += [f"#### {family.dialect.title}", ""] if wrote else []
        for prompt, text in wrote.items():
            said += [f"{prompt.capitalize()}", "", "```", *text.replace("```", "'''").splitlines(), "```", ""]
    return "\n".join(said).rstrip("\n").splitlines()


def _reread(found: list[Family], reread: dict[str, dict[str, int]]) -> list[str]:
    """How the server and the reference read the same texts, as lines of the page."""
    said = [
        "",
        "### The same texts, read by the suite's own reader",
        "",
        "Where the server and the reference server's reader differ, the model's own text says who is right:",
        "`python -m tests.reference.reread` shows each. A grammar that the server forces may also change what the",
        "model writes. Truncated texts are not compared: a server may show the beginning of a call.",
        "",
        f"| family | texts | {' | '.join(READ.values())} |",
        "|---" * (len(READ) + 2) + "|",
    ]
    for family in found:
        counts = reread.get(family.dialect.name, {})
        cells = [str(sum(counts.values())), *(str(counts.get(key, 0)) for key in READ)]
        said.append(f"| {family.dialect.title} | {' | '.join(cells)} |")
    return said


def _failures(cell: Cell) -> list[str]:
    """A line for each message of a cell, with the checks that it ended."""
    by_message: dict[str, list[str]] = {}
    for check in cell.failed:
        by_message.setdefault(f"{check.outcome}: {_message(check)}", []).append(code(check.id))
    return [f"- **{cell.kind.title}** ({cell.word}): {', '.join(ids)} {said}" for said, ids in by_message.items()]


def _message(check: CheckResult) -> str:
    return code(check.message or "")
