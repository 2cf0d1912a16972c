"""The outcomes of every check on many versions of a server, in one small file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.outcomes import Outcome
from conformance.results import BadResults, read, renamed

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

DECIDED = (Outcome.PASS, Outcome.LENIENT, Outcome.FAIL, Outcome.IGNORED, Outcome.REJECTED)
"""Outcomes that say what a version does. A busy machine may cause all others, including a timeout."""


def load(file: Path) -> dict[str, Any]:
    """The outcomes that a file has: `checks` by id, and of each version the `suite`, when it was `measured`, in how
    many `runs`, and a letter for each check. Raises BadResults."""
    if not file.exists():
        return {"checks": [], "versions": {}}
    try:
        kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        raise BadResults(f"{file} is not JSON: restore it, or remove it and measure again.") from None
    return kept


def save(kept: Mapping[str, Any], file: Path) -> None:
    """Write what `load` reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def add(kept: dict[str, Any], version: str, runs: Sequence[Path]) -> None:
    """Put a version into what `load` gave: the outcomes on which its results files agree. Raises BadResults."""
    found = [read(run) for run in runs]
    each: dict[str, list[Outcome]] = {}
    for check in (check for one in found for check in one.checks):
        each.setdefault(check.id, []).append(check.outcome)
    kept["checks"] += [id for id in each if id not in kept["checks"]]
    letters = "".join(LETTERS[agreed(each[id])] if id in each else " " for id in kept["checks"])
    header = found[-1].header
    about = {"suite": header["suite"], "measured": int(header["started"]), "runs": len(found)}
    kept["versions"][version] = {**about, "outcomes": letters}


def agreed(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of several runs: the one that was decided; `inconclusive` if they decided differently."""
    outcomes = list(outcomes)
    decided = list(dict.fromkeys(outcome for outcome in outcomes if outcome in DECIDED))
    if len(decided) > 1:
        return Outcome.INCONCLUSIVE
    return decided[0] if decided else outcomes[0]


def outcomes(kept: Mapping[str, Any], version: str) -> Iterator[tuple[str, Outcome]]:
    """Each check that a version was measured by, with its outcome."""
    for id, letter in zip(kept["checks"], kept["versions"][version]["outcomes"], strict=False):
        if letter != " ":
            yield renamed().get(id, id), OUTCOMES[letter]


def in_order(versions: Iterable[str]) -> list[str]:
    """Versions, oldest first."""
    return sorted(versions, key=_numbers)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.replace("-", ".").split(".") if number.isdigit()]
