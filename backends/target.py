"""What is measured: one column of the matrix, with everything needed to compare it with another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backends.wire import Role


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A model that answers at a base URL (ending in `/v1`) and plays a role."""

    role: Role
    base_url: str
    model: str


@dataclass(frozen=True, kw_only=True)
class Target:
    """One column: a server with the models that play the roles.

    `found` says in words how the server was reached; `missing` why a role is played by nobody; `details` are the facts
    that a comparison needs (version, model file and hash, device, flags), by name; `slots` is how many requests are
    sent at a time. The key never leaves this object.
    """

    name: str
    backend: str
    found: str
    deployments: tuple[Deployment, ...]
    missing: dict[Role, str] = field(default_factory=dict)
    version: str | None = None
    details: dict[str, str] = field(default_factory=dict)
    slots: int = 4
    key: str | None = field(default=None, repr=False)

    def deployment(self, role: Role) -> Deployment | None:
        """The deployment that plays the role, or None."""
        return next((d for d in self.deployments if d.role == role), None)

    def to_json(self) -> dict[str, Any]:
        """The target as the header of a results file has it (without the key)."""
        return {
            "name": self.name,
            "backend": self.backend,
            "version": self.version,
            "found": self.found,
            "deployments": [vars(d) for d in self.deployments],
            "missing": self.missing,
            "details": self.details,
        }
