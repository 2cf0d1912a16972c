"""The checks that a notation can change, by column of docs/dialects.md, read from `dialect_rows.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fixtures.dialects import Dialect, dialects

__all__ = ["Column", "Dialect", "checks", "columns", "families"]


@dataclass(frozen=True, kw_only=True)
class Column:
    """`decides` shows whether it works at all, `others` what fails for a user.

    `needs` is what a notation must have for it; empty if nothing.
    """

    title: str
    needs: str
    decides: tuple[str, ...]
    others: tuple[str, ...]

    def fits(self, dialect: Dialect) -> bool:
        """Whether the notation can show it."""
        return not self.needs or bool(getattr(dialect, self.needs))

    @property
    def checks(self) -> tuple[str, ...]:
        """All its checks."""
        return self.decides + self.others


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "dialect_rows.toml").read_text(encoding="utf-8"))


@cache
def columns() -> tuple[Column, ...]:
    """Every column, in the order of the table."""
    return tuple(
        Column(
            title=one["title"], needs=one.get("needs", ""), decides=tuple(one["decides"]), others=tuple(one["others"])
        )
        for one in _data()["column"]
    )


def modules() -> list[str]:
    """The modules whose checks only a run with `--dialect` has."""
    return [f"test_{area}" for area in _data()["areas"]]


def checks(dialect: str) -> set[str]:
    """The ids of the checks that this dialect can change."""
    return {id for column in columns() if column.fits(dialects()[dialect]) for id in column.checks}


def families() -> dict[str, Dialect]:
    """The families by the name of their dialect."""
    return dialects()
