"""The gate: the reference passes every check, every fault is caught, and flips the declared checks and no others.

    python -m tests.reference.gate [FAULT ...]             print what each fault flips, with the messages
    python -m tests.reference.gate --area=AREA [FAULT ...] the same for the checks of an area: seconds
    python -m tests.reference.gate --write [FAULT ...]     write it into kills.toml where that is out of date
    python -m tests.reference.gate --write --check=ID      the same for the rows of one check, which may be new

All scenarios are recorded once without a fault. For a fault, those whose answers change in a rehearsal are sent again
with its name in a header, and those that need them; what did not change is not judged again.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import time
from collections.abc import Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from functools import partial

from conformance.outcomes import Outcome
from conformance.run import catalogue
from tests.reference import kills
from tests.reference.bench import Bench, bench
from tests.reference.fault import Fault
from tests.reference.faults import FAULTS
from tests.reference.kills import Declared

DECLARED = kills.declared(kills.FILE.read_text(encoding="utf-8"))
EVERY = int(os.environ.get("GATE_EVERY", "1"))
"""The gates take one of so many faults and models: 1 is all of them, which takes half an hour."""

WRONG = [f for f in FAULTS.values() if not (f.legal or f.model or f.area in ("reading", "refusing"))]
LEGAL = [fault for fault in FAULTS.values() if fault.legal]
REFUSING = [fault for fault in FAULTS.values() if fault.area == "refusing"]
MODELS = [fault for fault in FAULTS.values() if fault.model]


def write(names: Sequence[str], checks: Sequence[str] = ()) -> None:
    """Write the entries of these faults into `kills.toml` where they are out of date; without names, of all faults.

    With `checks`, only rows of these are tried. A broad fault has no rows.
    """
    workers = 1 if names else os.cpu_count() or 1
    names = names or [f.name for f in (*WRONG, *LEGAL)]
    if checks:
        names = [name for name in names if not DECLARED.get(name, Declared()).areas]
    with ProcessPoolExecutor(workers) as pool:
        changed = sum(pool.map(partial(_write_part, checks), [names[at::workers] for at in range(workers)]))
    print(f"{changed} entries of {kills.FILE.name} changed" + (": read the diff" if changed else ""))


def _write_part(checks: Sequence[str], names: Sequence[str]) -> int:
    """Write the entries of these faults; how many were out of date. Prints what was wrong."""
    changed = 0
    with bench() as on:
        _show_unsound(on)
        every = [check.id for check in on.checks]
        for name in names:
            entry = DECLARED.get(name, Declared())
            tried = replace(entry, rows={c: seen for c, seen in entry.rows.items() if not checks or c in checks})
            wrong, flipped = kills.steady_differences(tried, partial(_outcomes, on, FAULTS[name], checks))
            for line in kills.told(entry, wrong):
                print(f"{name}: {line}", flush=True)
            if wrong and (FAULTS[name].legal or "error" in wrong.values()):
                print(
                    f"{name} is not written: correct the checks, which must not notice what is legal, nor end in error"
                )
            elif wrong:
                corrected = kills.corrected(entry, wrong, flipped, every)
                if corrected.areas and checks:  # It is broad now: which areas catch it, all checks tell.
                    corrected = kills.corrected(entry, wrong, on.outcomes(FAULTS[name]), every)
                _keep(name, corrected)
                changed += 1
    return changed


def _outcomes(on: Bench, fault: Fault, checks: Sequence[str], among: Collection[str]) -> dict[str, str]:
    """What a fault flips among some of the `checks`, or among all of them."""
    return on.outcomes(fault, among or checks)


def _keep(name: str, entry: Declared) -> None:
    """Write one entry at once: an interrupted run keeps what it has found, and workers take turns."""
    with kills.FILE.open("r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = kills.written(file.read(), name, entry, list(FAULTS), list(catalogue.load()))
        file.seek(0)
        file.write(text)
        file.truncate()


def show(names: Sequence[str], area: str = "") -> None:
    """Print what faults flip, of all checks or an area's, with each message; before it, what the reference fails."""
    with bench(area) as on:
        _show_unsound(on)
        for fault in [FAULTS[n] for n in names] if names else FAULTS.values():
            begun = time.monotonic()
            print(f"\n# {'LEGAL: ' if fault.legal else ''}{fault.sentence}\n[{fault.name}]")
            for check_id, result in on.flips(fault).items():
                print(f'"{check_id}" = "{result.outcome}"  # {result.message[:300]!r}')
            print(f"# {time.monotonic() - begun:.1f} s", flush=True)


def sharp_faults(area: str) -> list[str]:
    """The sharp faults that checks of an area notice, as `kills.toml` declares."""
    return [name for name, entry in DECLARED.items() if any(kills.area(check) == area for check in entry.rows)]


def _show_unsound(on: Bench) -> None:
    for check_id, result in on.sound.items():
        if result.outcome is not Outcome.PASS:
            print(f"# NOT SOUND {check_id}: {result.outcome} {result.message}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reference.gate", description="Show what faults flip.")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="names of faults; without any, all (minutes)")
    parser.add_argument("--write", action="store_true", help="write it into kills.toml where it is out of date")
    parser.add_argument("--area", default="", help="only the checks of an area, and the sharp faults that they notice")
    parser.add_argument(
        "--check", action="append", default=[], metavar="ID", help="with --write: only rows of this check"
    )
    options = parser.parse_args()
    if unknown := [check for check in options.check if check not in catalogue.load()]:
        parser.error(f"--check={unknown[0]}: no such check; the checks are in docs/coverage.md")
    if options.check and not options.write:
        parser.error("--check needs --write")
    if options.area and options.write:
        parser.error("--write needs all checks: leave --area out, and name the faults")
    if options.area and not sharp_faults(options.area):
        parser.error(f"--area={options.area}: no sharp fault in {kills.FILE.name} flips a check of this area")
    if unknown := [name for name in options.faults if name not in FAULTS]:
        parser.error(
            f"unknown fault {unknown[0]}; the faults are the functions in tests/reference/faults/, with dashes"
        )
    if options.write:
        write(options.faults, options.check)
    else:
        show(options.faults or (sharp_faults(options.area) if options.area else []), options.area)
