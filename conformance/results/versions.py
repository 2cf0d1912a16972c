"""The outcomes of every check on many versions of a server, in one small file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from conformance.outcomes import Outcome
from conformance.results import read

LETTERS = {
    Outcome.PASS: "p",
    Outcome.LENIENT: "l",
    Outcome.FAIL: "f",
    Outcome.IGNORED: "i",
    Outcome.REJECTED: "r",
    Outcome.INCONCLUSIVE: "n",
    Outcome.BLOCKED: "b",
    Outcome.TIMEOUT: "t",
    Outcome.ERROR: "e",
    Outcome.NOT_RUN: "-",
}
"""One letter for each outcome, in the order of the file's checks; a space for a check that the run did not have."""

OUTCOMES = {letter: outcome for outcome, letter in LETTERS.items()}


def load(file: Path) -> dict[str, Any]:
    """The outcomes that a file has: `checks` by id, and of each version the `suite` and a letter for each check."""
    if not file.exists():
        return {"checks": [], "versions": {}}
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return kept


def add(kept: dict[str, Any], version: str, results: Path) -> None:
    """Put the outcomes of a results file of one target into what `load` gave. Raises BadResults."""
    found = read(results)
    outcomes = {check.id: check.outcome for check in found.checks}
    kept["checks"] += [id for id in outcomes if id not in kept["checks"]]
    letters = "".join(LETTERS[outcomes[id]] if id in outcomes else " " for id in kept["checks"])
    kept["versions"][version] = {"suite": found.header["suite"], "outcomes": letters}


def outcomes(kept: dict[str, Any], version: str) -> Iterator[tuple[str, Outcome]]:
    """Each check that a version was measured by, with its outcome."""
    for id, letter in zip(kept["checks"], kept["versions"][version]["outcomes"], strict=False):
        if letter != " ":
            yield id, OUTCOMES[letter]
