"""The gate, its quick part: the reference passes every check, and the declared matrix has a fault for each.

That each fault really does what is declared takes minutes: `.ci/gate`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.outcomes import Outcome
from tests.reference.faults import FAULTS
from tests.reference.gate import Bench, bench, kills

DECLARED = kills()
WRONG = [fault for fault in FAULTS.values() if not fault.legal]


@pytest.fixture(scope="session")
def on() -> Iterator[Bench]:
    """One reference server for each worker, with everything recorded on it once."""
    with bench() as running:
        yield running


def test_the_reference_passes_every_check(on: Bench) -> None:
    others = {i: f"{r.outcome}: {r.message}" for i, r in on.sound.items() if r.outcome is not Outcome.PASS}
    assert others == {}


def test_every_check_is_flipped_by_a_fault(on: Bench) -> None:
    killed = {check for declared in DECLARED.values() for check, seen in declared.items() if "pass" not in seen}
    assert [c.id for c in on.checks if c.id not in killed] == []


def test_the_declared_matrix_names_what_exists(on: Bench) -> None:
    assert sorted(set(DECLARED) - {f.name for f in WRONG}) == []
    ids = {c.id for c in on.checks}
    assert sorted({check for declared in DECLARED.values() for check in declared} - ids) == []
