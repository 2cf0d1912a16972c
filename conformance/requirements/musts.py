"""The published sentence behind each MUST, read from `musts.toml`, which says what its keys are."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).parent / "musts.toml"


@dataclass(frozen=True, kw_only=True)
class Must:
    """A published sentence. `checks` maps the ids of the checks that have it to what a user sees when they fail."""

    source: str
    says: str
    breaks: str
    checks: dict[str, str]


@cache
def musts() -> tuple[Must, ...]:
    """Every sentence, in the order of the file."""
    return tuple(
        Must(source=one["source"], says=one["says"], breaks=one["breaks"], checks=one["checks"])
        for one in _table()["must"]
    )


@cache
def by_check() -> dict[str, Must]:
    """The sentence of each check, in the order of the file: what hurts most comes first within a row."""
    return {id: must for must in musts() for id in must.checks}


def label(id: str) -> str:
    """What a user sees when a check fails, in at most six words; of a check without a sentence, its name."""
    must = by_check().get(id)
    return must.checks[id] if must else id.partition(".")[2].replace("_", " ")


def of_model(id: str) -> bool:
    """Whether the document lets the model decide whether it supports what a check requires."""
    return any(fnmatchcase(id, pattern) for pattern in left_to_model())


def left_to_model() -> list[str]:
    """The ids of such checks, with `*` for any text."""
    return list(_table()["of_model"])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))
