"""The gate, its quick part: the reference passes every check, and the declared matrix has a fault for each.

That each fault really does what is declared takes minutes: `.ci/gate`.
"""

from __future__ import annotations

from conformance.outcomes import Outcome
from tests.reference.faults import FAULTS
from tests.reference.gate import DECLARED, LEGAL, Bench

SHARP = 20
"""A fault that flips more checks than this says little about any one of them."""


def test_the_reference_passes_every_check(on: Bench) -> None:
    others = {i: f"{r.outcome}: {r.message}" for i, r in on.sound.items() if r.outcome is not Outcome.PASS}
    assert others == {}


def test_every_check_is_flipped_by_a_fault(on: Bench) -> None:
    killed = {check for declared in DECLARED.values() for check, seen in declared.items() if "pass" not in seen}
    assert [c.id for c in on.checks if c.id not in killed] == []


def test_every_check_is_failed_by_a_sharp_fault(on: Bench) -> None:
    """A broken envelope fails a hundred checks, and proves only that each looks at an answer at all."""
    unproved = {"pass", "inconclusive", "blocked"}
    sharp = [declared for declared in DECLARED.values() if len(declared) <= SHARP]
    failed = {check for declared in sharp for check, seen in declared.items() if not unproved & {*seen.split("|")}}
    assert [c.id for c in on.checks if c.id not in failed] == []


def test_what_is_legal_accuses_nobody() -> None:
    """At most it leaves open, by chance, what it makes impossible to judge."""
    assert {seen for fault in LEGAL for seen in DECLARED.get(fault.name, {}).values()} <= {"pass|inconclusive"}


def test_the_declared_matrix_names_what_exists(on: Bench) -> None:
    assert sorted(set(DECLARED) - set(FAULTS)) == []
    ids = {c.id for c in on.checks}
    assert sorted({check for declared in DECLARED.values() for check in declared} - ids) == []
