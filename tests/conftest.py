"""What several test files need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.reference.gate import Bench


@pytest.fixture(scope="session")
def on() -> Iterator[Bench]:
    """One reference server for each worker, with everything recorded on it once."""
    from tests.reference.gate import bench  # Loads every check and fault, which other tests need not wait for.

    with bench() as running:
        yield running
