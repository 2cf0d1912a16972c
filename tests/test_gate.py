"""The gate: the reference passes every check, every fault is caught, and flips the declared checks and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.outcomes import Outcome
from tests.reference.faults import FAULTS
from tests.reference.gate import Bench, bench, kills

DECLARED = kills()
WRONG = [fault for fault in FAULTS.values() if not fault.legal]
LEGAL = [fault for fault in FAULTS.values() if fault.legal]


@pytest.fixture(scope="session")
def on() -> Iterator[Bench]:
    """One reference server for each worker, with everything recorded on it once."""
    with bench() as running:
        yield running


def test_the_reference_passes_every_check(on: Bench) -> None:
    others = {i: f"{r.outcome}: {r.message}" for i, r in on.sound.items() if r.outcome is not Outcome.PASS}
    assert others == {}


def undeclared(on: Bench, name: str) -> dict[str, str]:
    """The checks that end otherwise with a fault than is declared, and how.

    Sampling without a seed is random, as the API wants it: what is seen once must be seen again to count.
    """
    declared = DECLARED.get(name, {})
    wrong: dict[str, str] = {}
    for _ in range(2):
        flipped = on.flips(FAULTS[name])
        ends = {check: str(flipped[check].outcome) if check in flipped else "pass" for check in {*declared, *flipped}}
        now = {i: seen for i, seen in ends.items() if seen not in declared.get(i, "pass").split("|")}
        wrong = {i: seen for i, seen in now.items() if i in wrong} if wrong else now
        if not wrong:
            break
    return wrong


@pytest.mark.parametrize("name", [f.name for f in WRONG])
def test_a_fault_flips_what_it_declares_and_nothing_else(on: Bench, name: str) -> None:
    assert DECLARED.get(name), f"{name} declares no check that notices it"
    assert undeclared(on, name) == {}


@pytest.mark.parametrize("name", [f.name for f in LEGAL])
def test_what_is_legal_flips_nothing(on: Bench, name: str) -> None:
    assert undeclared(on, name) == {}


def test_every_check_is_flipped_by_a_fault(on: Bench) -> None:
    killed = {check for declared in DECLARED.values() for check, seen in declared.items() if "pass" not in seen}
    assert [c.id for c in on.checks if c.id not in killed] == []


def test_the_declared_matrix_names_what_exists(on: Bench) -> None:
    assert sorted(set(DECLARED) - {f.name for f in WRONG}) == []
    ids = {c.id for c in on.checks}
    assert sorted({check for declared in DECLARED.values() for check in declared} - ids) == []
