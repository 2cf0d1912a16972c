"""The declared kill matrix, `kills.toml`: which checks must notice each fault of the reference server.

    [stop-in-the-text]                          a sharp fault flips exactly these checks, to these outcomes
    "stop.ends_the_text" = "fail"
    "agreement.same_texts" = "pass|fail"        either, where it is a race

    [error-flat]                                a broad fault flips more checks than `MOST`: in each of these areas,
    caught_by = ["errors", "wire"]              at least one check judges against it

    [last-bits-differ]
    only = "inconclusive"                       checks that flip end so, and in no other way

The gate proves it; `python -m tests.reference.gate --write NAME` writes it.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).parent / "kills.toml"
FEW = 20
"""A broad fault flips more checks than this; with fewer, its entry must have rows."""

MOST = 30
"""A fault that flips more checks than this is broad: it says little about each of them."""

AREAS = 3
"""How many areas `--write` names for a fault that was not broad before."""

ATTEMPTS = 4
JUDGED = ("fail", "ignored", "rejected", "timeout")
"""Outcomes that count against a server."""


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What is declared of a fault. `rows`: outcomes by check, of a sharp one. `areas`: where a broad one is caught.
    `only`: the one outcome to which it may flip checks.
    """

    rows: Mapping[str, str] = field(default_factory=dict)
    areas: tuple[str, ...] = ()
    only: str = ""


def declared(text: str) -> dict[str, Declared]:
    """The entries of `kills.toml` by the name of their fault."""
    found = {}
    for name, entry in tomllib.loads(text).items():
        areas = tuple(entry.pop("caught_by", ()))
        only = entry.pop("only", "")
        found[name] = Declared(areas=areas, only=only, rows=entry)
    return found


def area(check: str) -> str:
    """The area of a check's id."""
    return check.partition(".")[0]


def differences(entry: Declared, flipped: Mapping[str, str]) -> dict[str, str]:
    """Where the outcomes of the checks that a fault flipped are not as declared: what was seen, by check or area."""
    if entry.only:
        found = {check: seen for check, seen in flipped.items() if seen != entry.only}
    elif entry.areas:
        found = {check: seen for check, seen in flipped.items() if seen == "error"}
    else:
        ends = {**dict.fromkeys(entry.rows, "pass"), **flipped}
        return {check: seen for check, seen in ends.items() if seen not in entry.rows.get(check, "pass").split("|")}
    if entry.areas and len(flipped) <= FEW:
        found["caught_by"] = f"the fault flips only {len(flipped)} checks and needs rows"
    caught = set(_caught(entry, flipped))
    return found | {name: "no check of this area noticed the fault" for name in entry.areas if name not in caught}


def told(entry: Declared, wrong: Mapping[str, str]) -> list[str]:
    """The differences in words, a line each."""
    return [
        f"{what}: expected {entry.rows.get(what, entry.only or 'no flip')}, got {seen}"
        if "." in what
        else f"{what}: {seen}"
        for what, seen in wrong.items()
    ]


def steady_differences(
    entry: Declared, flips: Callable[[Collection[str]], Mapping[str, str]]
) -> tuple[dict[str, str], dict[str, str]]:
    """The differences that are seen in each of several attempts, and what the fault flipped.

    Sampling without a seed is random, as the API wants it, and which of two requests comes first on a busy machine.
    `flips` gives what the fault flips among some checks, or among all: later attempts judge only what was different.
    """
    flipped = dict(flips(()))
    wrong = differences(entry, flipped)
    for _ in range(ATTEMPTS - 1):
        if not wrong:
            break
        if entry.areas or entry.only:
            flipped = dict(flips(()))
        else:
            flipped |= dict.fromkeys(wrong, "pass") | flips(wrong)
            flipped = {check: seen for check, seen in flipped.items() if seen != "pass"}
        now = differences(entry, flipped)
        wrong = {what: seen for what, seen in now.items() if what in wrong}
    return wrong, flipped


def corrected(entry: Declared, wrong: Mapping[str, str], flipped: Mapping[str, str], checks: Iterable[str]) -> Declared:
    """The corrected entry, given what is wrong with it. Rows that are still right are kept."""
    if entry.areas or entry.only:
        rows = dict(flipped)
    else:
        ends = {**entry.rows, **wrong}
        rows = {check: seen for check, seen in ends.items() if seen != "pass"}
    if len(rows) <= MOST:
        return Declared(rows=rows)
    only = entry.only if entry.only in rows.values() else ""
    caught = _caught(Declared(only=only), flipped)
    kept = tuple(name for name in entry.areas if name in caught)
    return Declared(areas=kept or strongest(caught, checks), only=only)


def strongest(caught: Mapping[str, int], checks: Iterable[str]) -> tuple[str, ...]:
    """The areas in which most checks noticed a fault, by number and by share."""
    sizes = Counter(map(area, checks))
    return tuple(sorted(caught, key=lambda name: -(caught[name] ** 2) / sizes[name])[:AREAS])


def _caught(entry: Declared, flipped: Mapping[str, str]) -> Counter[str]:
    """How many checks of each area judged against a fault."""
    judged = (entry.only,) if entry.only else JUDGED
    return Counter(area(check) for check, seen in flipped.items() if seen in judged)


def lines(entry: Declared) -> list[str]:
    """An entry as lines of `kills.toml`, without its heading."""
    areas = [f"caught_by = {json.dumps(entry.areas)}"] if entry.areas else []
    only = [f'only = "{entry.only}"'] if entry.only else []
    return areas + only + [_row(check, seen) for check, seen in entry.rows.items()]


def written(text: str, name: str, entry: Declared, faults: Sequence[str], checks: Sequence[str]) -> str:
    """The text of `kills.toml` with another entry for a fault; all other lines stay as they are.

    A new entry comes after that of the fault declared before it, a new row before those of the checks that follow its
    own. Comments stay between the rows where they were, for as long as there are rows.
    """
    sections = _sections(text)
    if name not in sections:
        before = [fault for fault in faults[: faults.index(name)] if fault in sections]
        after = before[-1] if before else ""
        sections = {
            key: value
            for old, kept in sections.items()
            for key, value in ((old, kept), *([(name, [f"[{name}]"])] if old == after else []))
        }
    heading, *old = sections[name]
    sections[name] = [heading, *(_merged(old, entry.rows, checks) if entry.rows else lines(entry))]
    return "\n\n".join("\n".join(section) for section in sections.values()) + "\n"


def _sections(text: str) -> dict[str, list[str]]:
    """The lines of each entry with its heading, by fault, without blank ones at the end; what precedes all is ''."""
    sections: dict[str, list[str]] = {"": []}
    name = ""
    for line in text.splitlines():
        if line.startswith("["):
            name = line.strip("[]")
            sections[name] = []
        if line:
            sections[name].append(line)
    return sections


def _merged(old: list[str], rows: Mapping[str, str], checks: Sequence[str]) -> list[str]:
    """The lines of an entry, with these rows in place of its own."""
    place = {check: at for at, check in enumerate(checks)}
    kept = [line for line in old if line.startswith("#") or _check(line) in rows]
    found = [line if line.startswith("#") else _row(_check(line), rows[_check(line)]) for line in kept]
    had = {_check(line) for line in kept}
    for check in sorted(rows.keys() - had, key=lambda new: place[new]):
        later = [at for at, line in enumerate(found) if place.get(_check(line), -1) > place[check]]
        at = later[0] if later else len(found)
        while later and at and found[at - 1].startswith("#"):
            at -= 1
        found.insert(at, _row(check, rows[check]))
    return found


def _row(check: str, outcome: str) -> str:
    return f'"{check}" = "{outcome}"'


def _check(line: str) -> str:
    """The id in a row; nothing in other lines."""
    return line.split('"')[1] if line.startswith('"') else ""
