"""Which checks notice each fault of reading, in which notation: measured, and as `reading.toml` declares.

    python -m tests.reference.readings [FAULT ...]           print which checks judge against faults
    python -m tests.reference.readings --write               write reading.toml: a minute

A fault has no effect in a notation if it changes no response there. Where it changes a response, a check must judge
against it. No check may judge against legal behaviour.
"""

from __future__ import annotations

import argparse
import json
import tomllib
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from conformance.outcomes import Outcome
from conformance.requirements import dialect_rows
from fixtures.dialects import dialects
from tests.reference.bench import Bench, server
from tests.reference.fault import Fault
from tests.reference.faults import FAULTS
from tests.reference.kills import JUDGED

FILE = Path(__file__).with_name("reading.toml")
READING = [fault for fault in FAULTS.values() if fault.area == "reading"]
ALL = "all"
"""Stands for every notation in which a check runs."""

NONE = "none"
"""The entry of the reference without a fault: checks that a notation cannot show."""

Cells = dict[str, dict[str, str]]
"""Outcomes of the checks that judge against a fault, by notation."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What was seen of a fault. `missed` are the notations in which it changed a response, and no check judged it."""

    cells: Cells
    missed: tuple[str, ...] = ()


def measured(faults: Collection[Fault], chosen: Collection[str]) -> dict[str, Measured]:
    """Each fault in each of the notations; under `NONE`, which checks do not pass without a fault."""
    cells: dict[str, Cells] = {NONE: {}, **{fault.name: {} for fault in faults}}
    missed: dict[str, list[str]] = {name: [] for name in cells}
    with server() as url:
        for dialect in chosen:
            with closing(Bench(url, dialect=dialect)) as on:
                if unsound := {id: str(r.outcome) for id, r in on.sound.items() if r.outcome is not Outcome.PASS}:
                    cells[NONE][dialect] = unsound
                for fault in faults:
                    if caught := {id: seen for id, seen in on.outcomes(fault).items() if seen in JUDGED}:
                        cells[fault.name][dialect] = caught
                    elif not fault.legal and _acts(on, fault):
                        missed[fault.name].append(dialect)
    return {name: Measured(cells=cells[name], missed=tuple(missed[name])) for name in cells}


def _acts(on: Bench, fault: Fault) -> bool:
    """Whether the fault changes a response. In a stream, it may only divide the text otherwise."""
    exchanges = [exchange for name in on.touched(fault) for exchange in on.recorded[name].exchanges]
    return any(fault.stream or not (exchange.request.body or {}).get("stream") for exchange in exchanges)


def declared(text: str) -> dict[str, Cells]:
    """The entries of `reading.toml` by fault."""
    found: dict[str, Cells] = {}
    for fault, rows in tomllib.loads(text).items():
        cells = found[fault] = {}
        for check, ends in rows.items():
            for outcome, names in ends.items():
                for name in runs_in(check) if names == ALL else names:
                    cells.setdefault(name, {})[check] = outcome
    return found


def runs_in(check: str) -> list[str]:
    """The notations in which a check runs."""
    return [name for name in dialects() if check in dialect_rows.checks(name)]


def written(found: Mapping[str, Cells]) -> str:
    """The text of `reading.toml`."""
    said = [
        "# Which checks notice each fault of faults/reading.py, and in which notations; `none` is no fault.",
        "# `python -m tests.reference.readings --write` writes it.",
    ]
    for fault, cells in found.items():
        ends: dict[str, dict[str, list[str]]] = {}
        for name, rows in cells.items():
            for check, outcome in rows.items():
                ends.setdefault(check, {}).setdefault(outcome, []).append(name)
        said += ["", f"[{fault}]"]
        for check in sorted(ends):
            groups = [f"{outcome} = {_names(check, names)}" for outcome, names in sorted(ends[check].items())]
            said.append(f'"{check}" = {{ {", ".join(groups)} }}')
    return "\n".join(said) + "\n"


def _names(check: str, names: Sequence[str]) -> str:
    return json.dumps(ALL if list(names) == runs_in(check) else list(names))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reference.readings", description="Show what faults flip.")
    parser.add_argument("faults", nargs="*", metavar="FAULT", help="names of faults of reading; without any, all")
    parser.add_argument("--dialect", default="", help="only in these notations, separated by commas")
    parser.add_argument("--write", action="store_true", help="write reading.toml; all faults and notations")
    options = parser.parse_args()
    if options.write and (options.faults or options.dialect):
        parser.error("--write measures all: leave out the names")
    names = [fault.name for fault in READING]
    if unknown := [name for name in options.faults if name not in names]:
        parser.error(f"unknown fault {unknown[0]}; the faults of reading are {', '.join(names)}")
    chosen = options.dialect.split(",") if options.dialect else list(dialects())
    if strange := [name for name in chosen if name not in dialects()]:
        parser.error(f"unknown dialect {strange[0]}; the dialects are {', '.join(dialects())}")
    found = measured([FAULTS[name] for name in options.faults or names], chosen)
    for name, seen in found.items():
        if seen.missed:
            print(f"# MISSED {name}: no check judges against it in {', '.join(seen.missed)}")
    text = written({name: seen.cells for name, seen in found.items()})
    if options.write:
        FILE.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
