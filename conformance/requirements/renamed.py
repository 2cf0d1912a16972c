"""The ids of checks that were renamed, read from `renamed.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path


@cache
def renamed() -> dict[str, str]:
    """The present id of each check that was renamed, by its old id."""
    table = Path(__file__).with_name("renamed.toml").read_text(encoding="utf-8")
    return dict(tomllib.loads(table)["checks"])
