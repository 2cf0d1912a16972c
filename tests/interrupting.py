"""A pytest plugin for tests: somebody presses Ctrl-C after the second check."""

from __future__ import annotations

import pytest

_seen: list[str] = []


def pytest_runtest_teardown(item: pytest.Item) -> None:
    _seen.append(item.nodeid)
    if len(_seen) == 2:
        raise KeyboardInterrupt
