"""The checks that a model family's notation can change, by column of docs/dialects.md, read from `dialect_rows.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fixtures.dialects import Dialect, dialects

__all__ = ["Column", "Dialect", "checks", "columns", "families"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """`decides` shows whether it works at all, `others` what fails for a user."""

    title: str
    decides: tuple[str, ...]
    others: tuple[str, ...]

    @property
    def checks(self) -> tuple[str, ...]:
        """All its checks."""
        return self.decides + self.others


@cache
def columns() -> tuple[Column, ...]:
    """Every column, in the order of the table."""
    data = tomllib.loads((Path(__file__).parent / "dialect_rows.toml").read_text(encoding="utf-8"))
    return tuple(
        Column(title=one["title"], decides=tuple(one["decides"]), others=tuple(one["others"])) for one in data["column"]
    )


def checks() -> set[str]:
    """The ids of all these checks."""
    return {id for column in columns() for id in column.checks}


def families() -> dict[str, Dialect]:
    """The families by the name of their dialect."""
    return dialects()
