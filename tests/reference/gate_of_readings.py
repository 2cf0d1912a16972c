"""The gate of notations: in each, the reference passes, and every fault of reading is noticed as `reading.toml` says.

Not collected with the other tests, since it takes a minute or two: `.ci/gate`.
"""

from __future__ import annotations

import pytest

from fixtures.dialects import dialects
from tests.reference import readings
from tests.reference.gate import EVERY

DECLARED = readings.declared(readings.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("dialect", list(dialects())[::EVERY])
def test_faults_of_reading_are_noticed(dialect: str) -> None:
    for name, seen in readings.measured(readings.READING, [dialect]).items():
        assert not seen.missed, f"no check judges against {name} in {dialect}, where it changes a response"
        assert seen.cells.get(dialect, {}) == DECLARED.get(name, {}).get(dialect, {}), (
            f"tests/reference/reading.toml is out of date for {name} in {dialect}; "
            "is each of these checks right about it? Then run: python -m tests.reference.readings --write"
        )
