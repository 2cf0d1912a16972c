"""What several test files need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.reference.gate import Bench

settings.register_profile(
    "the same in each run",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("the same in each run")


@pytest.fixture(scope="session")
def on() -> Iterator[Bench]:
    """One reference server for each worker, with everything recorded on it once."""
    from tests.reference.gate import bench  # Loads every check and fault, which other tests need not wait for.

    with bench() as running:
        yield running
