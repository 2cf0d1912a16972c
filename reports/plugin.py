"""The pytest plugin that shows a run: the matrix in the terminal, then the pages."""

from __future__ import annotations

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Stub until the report room is built."""
