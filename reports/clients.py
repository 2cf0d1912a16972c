"""The table of real clients: what each did with each target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from conformance.clients import data
from conformance.results.clients import ClientResult
from reports import causes
from reports.evidence import Shown
from reports.table import Column, Table


@dataclass(frozen=True, kw_only=True)
class Cell:
    """The tasks of a client with a target; none if it did not run there."""

    column: Column
    results: tuple[ClientResult, ...]

    @property
    def told(self) -> list[ClientResult]:
        """The results that need a sentence."""
        return [one for one in self.results if one.checks or not one.outcome.good]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A client with one of its APIs, on every target."""

    title: str
    versions: tuple[str, ...]
    api: str
    cells: tuple[Cell, ...]


def rows(shown: Table) -> list[Row]:
    """The rows of the table, libraries before command lines; empty if no client ran."""
    found: dict[tuple[str, str], dict[str, list[ClientResult]]] = {}
    for column in shown.columns:
        for one in column.results.clients:
            if one.target == column.name:
                found.setdefault((one.client, one.api), {}).setdefault(column.key, []).append(one)
    order = [(row.client.name, row.api) for row in data.chosen(data.ALL)]
    return [_row(found[which], shown) for which in sorted(found, key=lambda which: _place(which, order))]


def _row(by_column: dict[str, list[ClientResult]], shown: Table) -> Row:
    results = [one for some in by_column.values() for one in some]
    return Row(
        title=results[0].title,
        versions=tuple(dict.fromkeys(one.version for one in results)),
        api=results[0].api,
        cells=tuple(
            Cell(
                column=c, results=tuple(sorted(by_column.get(c.key, ()), key=lambda one: _place(one.task, data.TASKS)))
            )
            for c in shown.columns
        ),
    )


def _place(one: Any, order: Sequence[Any]) -> int:
    """Its place in the order; tasks of a later suite come last."""
    return order.index(one) if one in order else len(order)


def sentence(result: ClientResult) -> str:
    """A result in one line: its cause, if a repair proved it, else its message."""
    return result.cause or result.message


def check(column: Column, id: str) -> causes.Link:
    """Where the verdict of a check is shown."""
    return causes.check_of(column, next(check for check in column.checks if check.id == id))


def links(column: Column, result: ClientResult) -> list[str]:
    """The checks of its cause that are on the page."""
    measured = {check.id for check in column.checks}
    return [id for id in result.checks if id in measured]


def printed(column: Column, result: ClientResult) -> dict[str, Any]:
    """What the client printed: `output` and `errors`; empty if it did not run."""
    return dict((column.exchanges(result.id) or {}).get("program", {}))


def wire(column: Column, result: ClientResult) -> Iterator[Shown]:
    """The exchanges of a client's task, in order."""
    several = (column.exchanges(result.id) or {}).get("exchanges", [])
    for number, one in enumerate(several, start=1):
        yield Shown(result.id, number, len(several), False, one, column.name)
