"""Every version of a server: the outcome of each check, kept in one small file, and what each version changed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from backends import wheels
from backends.suite import suite_version
from conformance.outcomes import Outcome
from conformance.results import read
from reports.diff import Kind, check_kind

ROOT = Path(__file__).parent.parent

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

DECIDED = (Outcome.PASS, Outcome.LENIENT, Outcome.FAIL, Outcome.IGNORED, Outcome.REJECTED, Outcome.TIMEOUT)


def measure(backend: str, last: int, file: Path, say: Callable[[str], None]) -> None:
    """Measure the newest versions of a backend's package that the file lacks, newest first; each is kept at once.

    A version that another commit of the suite measured is measured again. Raises CannotMeasure.
    """
    kept = load(file)
    for version in wheels.versions(backend)[:last]:
        if kept["versions"].get(version, {}).get("suite") == suite_version():
            continue
        say(f"measuring {backend} {version} …")
        with tempfile.TemporaryDirectory() as directory:
            chosen = [f"--backend={backend}", f"--server-version={version}", f"--report={directory}"]
            command = [sys.executable, "-m", "pytest", "-q", "--fail-on=never", *chosen]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
            results = Path(directory) / "results.jsonl"
            if not results.exists():
                say(f"{version}: nothing was measured: {done.stdout.strip().splitlines()[-1:]}")
                continue
            add(kept, version, results)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


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


def timeline(kept: dict[str, Any], backend: str) -> str:
    """What each version changed, as Markdown, newest first. What was not decided before or after is left out."""
    versions = sorted(kept["versions"], key=_in_order)
    before: dict[str, Outcome] = {}
    parts = []
    for version in versions:
        now = dict(_outcomes(kept, version))
        changed: dict[Kind, list[str]] = {Kind.REGRESSION: [], Kind.FIX: []}
        for id, outcome in now.items():
            kind = check_kind(before[id], outcome) if id in before and outcome in DECIDED else None
            if kind in changed:
                changed[kind].append(f"`{id}` ({before[id]} → {outcome})")
        counts = Counter(now.values())
        said = ", ".join(f"{counts[one]} {one}" for one in Outcome if counts[one])
        lines = [f"## {version}", "", f"{said}.", ""]
        for kind, word in ((Kind.REGRESSION, "Regressed"), (Kind.FIX, "Fixed")):
            lines += [f"- {word}: {one}" for one in sorted(changed[kind])]
        parts.append("\n".join(lines).strip() if version != versions[0] else "\n".join(lines[:3]))
        before |= {id: outcome for id, outcome in now.items() if outcome in DECIDED}
    suites = sorted({one["suite"] for one in kept["versions"].values()})
    head = (
        f"# {backend} by version\n\nMade by `python -m reports versions {backend}` from `{backend}.json`; "
        f"measured by {', '.join(suites)}. A change is a check that ended better or worse than in the last version "
        "in which it was decided.\n"
    )
    return "\n".join([head, *(f"{part}\n" for part in reversed(parts))])


def since(kept: dict[str, Any], id: str) -> tuple[str, Outcome] | None:
    """The version since which a check ends as it does in the newest one, with this outcome; None: it has none."""
    found: tuple[str, Outcome] | None = None
    for version in sorted(kept["versions"], key=_in_order):
        outcome = dict(_outcomes(kept, version)).get(id)
        if outcome in DECIDED and (found is None or found[1] is not outcome):
            found = version, outcome
    return found


def _outcomes(kept: dict[str, Any], version: str) -> Iterator[tuple[str, Outcome]]:
    for id, letter in zip(kept["checks"], kept["versions"][version]["outcomes"], strict=False):
        if letter != " ":
            yield id, OUTCOMES[letter]


def _in_order(version: str) -> list[int]:
    return [int(number) for number in version.replace("-", ".").split(".") if number.isdigit()]
