"""The gate, its long part: every fault flips the declared checks and no others, and what is legal flips nothing.

Not collected with the other tests, since it takes minutes: `.ci/gate`.
"""

from __future__ import annotations

from functools import partial

import pytest

from tests.reference import kills
from tests.reference.bench import Bench
from tests.reference.faults import FAULTS
from tests.reference.gate import DECLARED, EVERY, LEGAL, WRONG
from tests.reference.kills import Declared


def assert_flips_as_declared(on: Bench, name: str) -> None:
    entry = DECLARED.get(name, Declared())
    wrong, _ = kills.steady_differences(entry, partial(on.outcomes, FAULTS[name]))
    seen = "".join(f"\n  {line}" for line in kills.told(entry, wrong))
    assert not wrong, (
        f"tests/reference/kills.toml is out of date for {name}:{seen}\n"
        f"Is each of these checks right about this fault? Then run: python -m tests.reference.gate --write {name}"
    )


@pytest.mark.parametrize("name", [f.name for f in WRONG[::EVERY]])
def test_a_fault_flips_what_it_declares_and_nothing_else(on: Bench, name: str) -> None:
    assert_flips_as_declared(on, name)
    assert DECLARED.get(name, Declared()) != Declared(), f"no check notices {name}: sharpen a check, or drop the fault"


@pytest.mark.parametrize("name", [f.name for f in LEGAL[::EVERY]])
def test_what_is_legal_flips_nothing(on: Bench, name: str) -> None:
    assert_flips_as_declared(on, name)
