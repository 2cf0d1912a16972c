"""The gate, its long part: every fault flips the declared checks and no others, and what is legal flips nothing.

Not collected with the other tests, since it takes minutes: `.ci/gate`.
"""

from __future__ import annotations

import pytest

from tests.reference.faults import FAULTS
from tests.reference.gate import DECLARED, LEGAL, WRONG, Bench

ATTEMPTS = 4


def undeclared(on: Bench, name: str) -> dict[str, str]:
    """The checks that end otherwise with a fault than is declared, and how.

    Sampling without a seed is random, as the API wants it, and which of two requests comes first on a busy machine:
    what counts is seen each time.
    """
    declared = DECLARED.get(name, {})
    wrong: dict[str, str] = {}
    for _ in range(ATTEMPTS):
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
