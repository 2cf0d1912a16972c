"""The code that a backend brings along: `backends/NAME/hook.py`, where data is not enough.

A backend has a hook if its `backend.toml` has the table [deploy.hook]. Its server reads no model file: the hook gives
it the models through the server's own API.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Protocol, cast

from backends.wire import Role


class Hook(Protocol):
    """What `hook.py` defines. `origin` is the server's URL without `/v1`, `deploy` the table of `backend.toml`."""

    def make_models(self, origin: str, deploy: dict[str, Any]) -> dict[Role, str]:
        """Give a server that has just started the model of each role; return why a role has none.

        Raises CannotStart if the chat model cannot be made.
        """
        ...

    def make_others(self, origin: str, deploy: dict[str, Any], say: Callable[[str], None]) -> list[str]:
        """Make more chat models, which may run on other code paths; return their names. `say` is told of failures."""
        ...


def of(backend: str, deploy: dict[str, Any]) -> Hook | None:
    """The backend's hook, or None if it has none."""
    return cast(Hook, importlib.import_module(f"backends.{backend}.hook")) if "hook" in deploy else None
