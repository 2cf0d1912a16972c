"""Model families: what a server makes of each one's notation of tool calls, from a run with `--dialect`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from conformance.outcomes import Outcome
from conformance.requirements.dialect_rows import Column as Kind
from conformance.requirements.dialect_rows import Dialect, columns, families
from conformance.results import CheckResult
from reports.markdown import code, plain
from reports.table import Column, Table

_NO = (Outcome.FAIL, Outcome.REJECTED, Outcome.TIMEOUT, Outcome.ERROR)
_UNDECIDED = (Outcome.INCONCLUSIVE, Outcome.BLOCKED, Outcome.NOT_RUN)
READERS = {"vllm": "vLLM", "ollama": "Ollama"}


@dataclass(frozen=True, kw_only=True)
class Cell:
    """`word` is yes, partial, ignored, no, unknown, or `–` where the notation has no such thing.

    `failed` are the checks behind it.
    """

    kind: Kind
    word: str
    failed: tuple[CheckResult, ...]


@dataclass(frozen=True, kw_only=True)
class Family:
    """A family on a server."""

    dialect: Dialect
    column: Column
    cells: tuple[Cell, ...]
    why: str = ""
    """Why nothing was measured."""


def of(shown: Table) -> list[Family]:
    """Every column of the table that is of a dialect, in the order of `dialects.toml`."""
    known = families()
    order = list(known)
    found = [
        Family(
            dialect=known[name],
            column=column,
            cells=tuple(_cell(known[name], kind, column.checks) for kind in columns()),
            why=str(column.target["missing"].get("chat", "")),
        )
        for column in shown.columns
        if (name := dialect_of(column)) in known
    ]
    return sorted(found, key=lambda family: order.index(family.dialect.name))


def dialect_of(column: Column) -> str:
    """The name of the column's dialect; empty if it has none."""
    return str(column.target["details"].get("dialect", ""))


def _cell(dialect: Dialect, kind: Kind, checks: Iterable[CheckResult]) -> Cell:
    by_id = {check.id: check for check in checks}
    if not kind.fits(dialect):
        return Cell(kind=kind, word="–", failed=())
    deciding = [by_id[id] for id in kind.decides if id in by_id]
    failed = tuple(by_id[id] for id in kind.checks if id in by_id and by_id[id].outcome in (*_NO, Outcome.IGNORED))
    outcomes = {check.outcome for check in deciding}
    if outcomes & set(_NO):
        word = "no"
    elif Outcome.IGNORED in outcomes:
        word = "ignored"
    elif not deciding or outcomes & set(_UNDECIDED):
        word = "unknown"
    else:
        word = "partial" if failed else "yes"
    return Cell(kind=kind, word=word, failed=failed)


def reader(dialect: Dialect, server: str) -> str:
    """What a server that is told reads this notation with, in words."""
    names: dict[str, str] = getattr(dialect, server)
    return ", ".join(f"{kind} `{name}`" for kind, name in names.items()) or "no reader for this notation"


def markdown(shown: Table, raw: dict[str, dict[str, str]] | None = None) -> str:
    """The page `docs/dialects.md`. `raw` is what the model wrote, by dialect and prompt, before a server read it."""
    found = of(shown)
    servers = dict.fromkeys(f"{family.column.backend} {family.column.version}" for family in found)
    heads = [kind.title for kind in columns()]
    said = [
        "# Model families: who reads their tool calls",
        "",
        "<!-- Written by `.ci/dialects`. -->",
        "",
        f"Measured live on {', '.join(map(plain, servers))}, with `pytest --dialect=all`: one tiny model writes each",
        "family's notation, and the server reads it. A row is a notation, not a model's skill. `ignored`: accepted, without",
        "effect. `unknown`: the tiny model did not show what is judged. `–`: the notation has no such thing. vLLM's and",
        "Ollama's readers are data; they were not run.",
        "",
        f"| family | {' | '.join(heads)} | vLLM | Ollama |",
        "|---" * (len(heads) + 3) + "|",
    ]
    for family in found:
        words = [f"no reader: {plain(family.why)}"] * len(heads) if family.why else [cell.word for cell in family.cells]
        readers = [reader(family.dialect, server) for server in READERS]
        said.append(f"| {plain(family.dialect.title)} | {' | '.join([*words, *readers])} |")
    said += ["", "## What fails", ""]
    for family in found:
        lines = [
            f"- **{cell.kind.title}** ({cell.word}): {code(check.id)} {check.outcome}: {plain(check.message or '')}"
            for cell in family.cells
            for check in cell.failed
        ]
        said += [f"### {plain(family.dialect.title)}", "", *lines, ""] if lines else []
    if raw:
        said += [
            "## What the model wrote",
            "",
            "The text before the server read it (`/apply-template`, then `/completion`).",
            "",
        ]
        for family in found:
            wrote = raw.get(family.dialect.name, {})
            said += [f"### {plain(family.dialect.title)}", ""] if wrote else []
            for prompt, text in wrote.items():
                said += [f"{plain(prompt)}", "", "```", *text.replace("```", "'''").splitlines(), "```", ""]
    return "\n".join(said).rstrip("\n") + "\n"
