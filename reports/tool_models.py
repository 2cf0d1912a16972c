"""Models that call tools: what the guide claims for each on each backend, and what was measured."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from conformance.requirements.dialect_rows import families
from conformance.results.grading import Agreement, agreement
from reports.families import READERS, dialect_of, reader
from reports.table import Cell, Table

_FILE = Path(__file__).parent.parent / "backends" / "models.toml"
FEATURE = "tools"
"""The row of the matrix that decides whether a model's tool calls work."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """A row: a family of models, patterns by which a model's id is known as one of it, and the claims by backend.

    `dialects` are the notations of `fixtures/dialects` that its models write.
    """

    title: str
    sizes: str
    note: str
    patterns: tuple[str, ...]
    claims: dict[str, str]
    dialects: tuple[str, ...] = ()

    def is_of(self, cell: Cell) -> bool:
        """Whether a cell was measured with a model of this family, or with its notation."""
        if dialect := dialect_of(cell.column):
            return dialect in self.dialects
        return self.has(_chat_model(cell))

    def readers(self, backend: str) -> list[str]:
        """What a backend that was not measured would read this family's notation with, in words."""
        known = [families()[name] for name in self.dialects] if backend in READERS else []
        return [f"{dialect.title}: {reader(dialect, backend)}" for dialect in known]

    def has(self, model: str) -> bool:
        """Whether a model, by its id, is of this family."""
        return any(re.search(pattern, model.lower()) for pattern in self.patterns)


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A cell: what is claimed (None: nothing), and the columns in which such a model was measured."""

    says: str | None
    cells: tuple[Cell, ...]

    def agrees(self, cell: Cell) -> Agreement | None:
        """The claim beside a measurement."""
        return agreement(self.says, cell.status)


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The table: backends, and the models with a cell for each backend."""

    backends: tuple[str, ...]
    rows: tuple[tuple[Model, tuple[Claimed, ...]], ...]


@cache
def models() -> tuple[Model, ...]:
    """Every model of `backends/models.toml`."""
    data = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return tuple(
        Model(
            title=m["title"],
            sizes=m["sizes"],
            note=m["note"],
            patterns=tuple(m["is"]),
            claims=m["guide"],
            dialects=tuple(m["dialects"]),
        )
        for m in data["model"]
    )


def claims(shown: Table) -> Claims:
    """The claims beside the measurements of a table; then the measured models of which nothing is claimed."""
    measured = [cell for row in shown.rows if row.feature.id == FEATURE for cell in row.cells if cell.checks]
    claimed = dict.fromkeys(backend for model in models() for backend in model.claims)
    backends = tuple(dict.fromkeys([*claimed, *(cell.column.backend for cell in measured)]))
    unclaimed = [cell for cell in measured if not any(model.is_of(cell) for model in models())]
    ids = dict.fromkeys(_chat_model(cell) for cell in unclaimed if not dialect_of(cell.column))
    notations = dict.fromkeys(name for cell in unclaimed if (name := dialect_of(cell.column)))
    others = tuple(
        Model(title=id.split(" ")[0], sizes="", note="", patterns=(f"^{re.escape(id.lower())}$",), claims={})
        for id in ids
    ) + tuple(
        Model(title=families()[name].title, sizes="", note="", patterns=(), claims={}, dialects=(name,))
        for name in notations
    )

    def cell(model: Model, backend: str) -> Claimed:
        of = [c for c in measured if c.column.backend == backend and model.is_of(c)]
        return Claimed(says=model.claims.get(backend), cells=tuple(of))

    return Claims(
        backends=backends,
        rows=tuple((model, tuple(cell(model, backend) for backend in backends)) for model in (*models(), *others)),
    )


def _chat_model(cell: Cell) -> str:
    deployments = cell.column.target["deployments"]
    names = [d["model"] for d in deployments if d["role"] == "chat"]
    return " ".join([*names, cell.column.target["details"].get("model file", "")])
