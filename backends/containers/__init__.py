"""Start a backend's servers in containers. The engine's SDK takes half a second to import, so only `start` does it."""

from __future__ import annotations

from typing import Any

from backends.target import Running, Wanted


def start(wanted: Wanted, data: dict[str, Any]) -> Running:
    """Start the backend's containers, wait until they are healthy, and describe them. Raises CannotStart."""
    from backends.containers import starting

    return starting.start(wanted, data)
