"""What a server can do, for clients that load it: `supports.tool_choice.named` is true, false, "ignored" or null.

Before that stands why checks did not pass, by causes.

`capabilities.toml` says which checks decide a capability, `capabilities.schema.json` describes the file.
"""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from conformance.outcomes import Outcome
from conformance.results.causes import Cause
from reports.table import Column, Table

FORMAT = 1
"""Version of the capability file."""

Supported = bool | Literal["ignored"] | None
"""Yes, no, accepted without effect, or not decided."""

_UNDECIDED = (Outcome.INCONCLUSIVE, Outcome.BLOCKED, Outcome.NOT_RUN, Outcome.ERROR)


@dataclass(frozen=True, kw_only=True)
class Capability:
    """A name (with at most one dot), what it means, and the ids of the checks that all must pass."""

    key: str
    what: str
    checks: tuple[str, ...]


@cache
def capabilities() -> tuple[Capability, ...]:
    """Every capability of `capabilities.toml`."""
    data = tomllib.loads((Path(__file__).parent.parent / "capabilities.toml").read_text(encoding="utf-8"))
    return tuple(Capability(key=c["key"], what=c["what"], checks=tuple(c["checks"])) for c in data["capability"])


def supports(outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
    """The tree of capabilities, from the outcomes of checks by id."""
    tree: dict[str, Any] = {}
    for one in capabilities():
        name, _, sub = one.key.partition(".")
        value = supported(outcomes.get(id, Outcome.NOT_RUN) for id in one.checks)
        if sub:
            tree.setdefault(name, {})[sub] = value
        else:
            tree[name] = value
    return tree


def supported(outcomes: Iterable[Outcome]) -> Supported:
    """Ignored if one was, else no if one failed or was refused, else undecided if one was not decided, else yes."""
    found = set(outcomes)
    if Outcome.IGNORED in found:
        return "ignored"
    if found & {Outcome.FAIL, Outcome.REJECTED, Outcome.TIMEOUT}:
        return False
    return None if not found or found & set(_UNDECIDED) else True


def capability_file(shown: Table, column: Column) -> dict[str, Any]:
    """The capability file of a column."""
    target, header = column.target, column.results.header
    return {
        "format": FORMAT,
        "suite": header["suite"],
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(header["started"])),
        "complete": column.trouble is None,
        "target": {
            "name": column.name,
            "backend": column.backend,
            "version": target.get("version"),
            "models": {d["role"]: d["model"] for d in target["deployments"]},
            "details": target["details"],
        },
        "causes": [_cause(cause) for cause in column.causes],
        "supports": supports({check.id: check.outcome for check in column.checks}),
        "rows": {
            row.feature.id: str(cell.status)
            for row in shown.rows
            for cell in row.cells
            if cell.column is column and cell.checks
        },
    }


def _cause(cause: Cause) -> dict[str, Any]:
    """One reason why checks did not pass, with their ids and the exchanges that show it."""
    return {
        "kind": cause.kind,
        "sentence": cause.sentence,
        "level": str(cause.level),
        "violations": len(cause.violations),
        "checks": [check.id for check in cause.checks],
        "exchanges": len(cause.exchanges),
        "evidence": list(cause.evidence),
    }


def export(shown: Table, column: Column) -> str:
    """The capability file as text."""
    return json.dumps(capability_file(shown, column), indent=2) + "\n"
