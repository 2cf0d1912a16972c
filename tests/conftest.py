"""What several test files need."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.reference.bench import Bench

settings.register_profile(
    "the same in each run",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("the same in each run")

SLOW = (
    *(
        "absence",
        "command",
        "backends_kill",
        "backends_known",
        "backends_process",
        "bad_input",
        "container_plan",
        "containers",
    ),
    *("evidence", "fuzz_results", "gateways", "live", "log", "recordings", "reports_browser", "reports_plugin"),
    *("scratch", "setups_access", "setups_addresses", "setups_environment", "setups_models", "setups_tls"),
)
"""Files, `test_NAME.py`, whose tests start servers, browsers or runs of pytest; `-m "not slow"` leaves them out."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of these files."""
    for item in items:
        if item.path.stem.removeprefix("test_") in SLOW:
            item.add_marker("slow")


@pytest.fixture(scope="session")
def on() -> Iterator[Bench]:
    """One reference server for each worker, with everything recorded on it once."""
    from tests.reference.bench import bench  # Loads every check and fault, which other tests need not wait for.

    with bench() as running:
        yield running
