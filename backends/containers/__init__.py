"""Start a backend's servers in containers. The engine's SDK takes half a second to import, so only `start` does it."""

from __future__ import annotations

import importlib.util
from typing import Any

from backends.errors import CannotStart
from backends.target import Running, Wanted


def start(wanted: Wanted, data: dict[str, Any]) -> Running:
    """Start the backend's containers, wait until they are healthy, say what they are. Raises CannotStart."""
    if importlib.util.find_spec("docker") is None:
        raise CannotStart(
            "The Python package docker, which starts containers, is not installed: pip install "
            "'openai-conformance[docker]'."
        )
    from backends.containers import starting

    return starting.start(wanted, data)
