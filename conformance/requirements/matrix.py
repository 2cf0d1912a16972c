"""The rows of the matrix, read from `matrix.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

CLAIM_SOURCES = {"guide": "the compatibility guide", "own": "the server's own documentation"}
"""The documents whose claims `matrix.toml` has, by key."""


@dataclass(frozen=True, kw_only=True)
class Feature:
    """One row. `claims` maps a source of `CLAIM_SOURCES` to what it says of each backend: yes, partial or no.

    `also` are other names of the row in documents; `cores` names its core checks, where it has several.
    """

    id: str
    title: str
    group: str
    what: str
    also: tuple[str, ...]
    cores: dict[str, str]
    claims: dict[str, dict[str, str]]

    def claim(self, source: str, backend: str) -> str | None:
        """What a document says of a backend, or None."""
        return self.claims.get(source, {}).get(backend)


@cache
def features() -> dict[str, Feature]:
    """Every row by its id, in the order of the matrix."""
    data = tomllib.loads((Path(__file__).parent / "matrix.toml").read_text(encoding="utf-8"))
    rows = [
        Feature(
            id=row["id"],
            title=row["title"],
            group=group["title"],
            what=row["what"],
            also=tuple(row.get("also", ())),
            cores=row.get("cores", {}),
            claims={source: row[source] for source in CLAIM_SOURCES if source in row},
        )
        for group in data["group"]
        for row in group["feature"]
    ]
    return {row.id: row for row in rows}
