"""Measure many versions of a backend's package, and find the one that changed a check."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from backends import wheels
from backends.errors import CannotMeasure
from backends.suite import suite_version
from conformance.outcomes import Outcome
from conformance.requirements.check import node_id
from conformance.results import read
from conformance.results.versions import DECIDED, add, in_order, load, save
from conformance.run import catalogue

ROOT = Path(__file__).parents[2]

RUNS = 2
"""Runs of each version: what only one run shows may come from a busy machine, not from the version."""

TIMEOUT = 180
"""Seconds for one response: a slow machine must not look like a deviation."""

Say = Callable[[str], None]


def measure(backend: str, last: int, file: Path, say: Say) -> None:
    """Measure the newest versions of a backend's package that the file lacks, newest first; each is kept at once.

    A version that another commit of the suite measured is measured again. Raises CannotMeasure.
    """
    kept = load(file)
    for version in wheels.versions(backend)[:last]:
        if kept["versions"].get(version, {}).get("suite") == suite_version():
            continue
        say(f"measuring {backend} {version} …")
        with tempfile.TemporaryDirectory() as directory:
            runs = [_run(backend, version, Path(directory, str(number)), ()) for number in range(RUNS)]
            found = [results for results, _ in runs if results.exists()]
            if not found:
                say(f"{version}: nothing was measured: {runs[-1][1]}")
                continue
            add(kept, version, found)
        save(kept, file)


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a check ended on a version, and why; `outcome` is None if the version could not be measured."""

    version: str
    outcome: Outcome | None
    message: str


def bisect(
    check: str, backend: str, good: str | None, bad: str | None, say: Say, known: Iterable[str] = ()
) -> tuple[Ended, Ended]:
    """The last version on which a check ended as on `good`, and the first on which it did not.

    Measures both ends, which by default are the oldest and the newest of the versions `known`, and about log2 of the
    versions between them. A version that does not decide the check is skipped. Raises CannotMeasure.
    """
    if check not in catalogue.load():
        raise CannotMeasure(
            f"{check}: there is no such check; its id is written below each verdict, as stop.ends_the_text."
        )
    listed = in_order(wheels.versions(backend))
    measured = in_order(one for one in known if one in listed)
    if not good and not measured:
        raise CannotMeasure(f"No version of {backend} is measured yet: name the ends with --good and --bad.")
    first, last = good or measured[0], bad or listed[-1]
    for end in (first, last):
        if end not in listed:
            raise CannotMeasure(f"{end}: there is no such version; the newest are {', '.join(listed[:-6:-1])}.")
    between = listed[listed.index(first) : listed.index(last) + 1]
    if len(between) < 2:
        raise CannotMeasure(f"{first} must be older than {last}.")

    def ended(version: str) -> Ended:
        found = _ended(check, backend, version)
        say(f"{version}: {found.outcome or 'not measured'}{f', {found.message}' if found.message else ''}")
        return found

    ends = ended(first), ended(last)
    for one in ends:
        if one.outcome not in DECIDED:
            raise CannotMeasure(f"{one.version} does not decide {check}: name another end.")
    if ends[0].outcome == ends[1].outcome:
        raise CannotMeasure(
            f"{check} ends with {ends[0].outcome} on {first} and on {last}: there is no change between."
        )
    return _narrow(ends, between[1:-1], ended)


def _narrow(ends: tuple[Ended, Ended], between: Sequence[str], ended: Callable[[str], Ended]) -> tuple[Ended, Ended]:
    """Halve the versions between two ends until none that decides is left."""
    good, bad = ends
    left = list(between)
    while left:
        at = len(left) // 2
        found = ended(left[at])
        if found.outcome not in DECIDED:
            del left[at]
        elif found.outcome == good.outcome:
            good, left = found, left[at + 1 :]
        else:
            bad, left = found, left[:at]
    return good, bad


def _ended(check: str, backend: str, version: str) -> Ended:
    """Measure one check on a version; once more if the first run did not decide it."""
    last = Ended(version=version, outcome=None, message="")
    for _ in range(RUNS):
        with tempfile.TemporaryDirectory() as directory:
            results, said = _run(backend, version, Path(directory), [f"conformance/checks/{node_id(check)}"])
            found = read(results).checks if results.exists() else []
        last = Ended(version=version, outcome=None, message=said)
        for one in found:
            last = Ended(version=version, outcome=one.outcome, message=one.message)
        if last.outcome in DECIDED:
            break
    return last


def _run(backend: str, version: str, directory: Path, checks: Sequence[str]) -> tuple[Path, str]:
    """Measure a version, by all checks or some; returns its results file, and the last line that was said."""
    chosen = [f"--backend={backend}", f"--server-version={version}", f"--report={directory}", f"--timeout={TIMEOUT}"]
    command = [sys.executable, "-m", "pytest", "-q", "--fail-on=never", *chosen, *checks]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return directory / "results.jsonl", (done.stdout.strip().splitlines() or [""])[-1]
