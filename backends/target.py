"""What is measured: one column of the matrix, with everything needed to compare it with another."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from backends.access import Access
from backends.wire import Role

ROLES: tuple[Role, ...] = ("chat", "embedding", "vision")

Runtime = Literal["attach", "process", "container"]
RUNTIMES: tuple[Runtime, ...] = ("attach", "process", "container")
"""How a server is reached, in the order of trying: one that answers already, a child process, a container."""

ONE_AT_A_TIME = "one at a time"
"""The key of a target's details that says how its server shows that it handles one request at a time."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user asked for: a backend's name, and what overrides its defaults.

    `among` is set where several models of one backend are measured, each as a column of its own. `label` is what the
    user calls the server in the place of the backend's name, `named` the column's whole name. `slots` is how many
    requests are sent at a time, whatever the server says.
    `server_version` is a version of the backend's package on PyPI, which is installed if need be.
    `chat_template` is a file that the started server takes instead of its model's template. `dialect` names the
    notation of tool calls that it is in, if the suite wrote it: then only a chat server is started, as its own column.
    `readers` are the server's names for what reads that notation, its `tools` and its `reasoning`, and the `tokenizer`.
    `runtime` is the only way to be tried; None tries all. `device` and `image` are for containers: one of
    `containers.device.DEVICES`, and another image than the backend's. `say` is told what takes long.
    """

    backend: str
    base_url: str | None = None
    models: dict[Role, str] = field(default_factory=dict)
    among: bool = False
    label: str | None = None
    named: str | None = None
    slots: int | None = None
    server_binary: str | None = None
    server_version: str | None = None
    chat_template: Path | None = None
    dialect: str | None = None
    readers: dict[str, str] = field(default_factory=dict)
    runtime: Runtime | None = None
    device: str = "auto"
    image: str | None = None
    access: Access = field(default_factory=Access)
    timeout: float = 60.0
    say: Callable[[str], None] = field(default=lambda _: None, repr=False, compare=False)

    def column(self, code_path: str | None) -> str:
        """The column's name for what was found: with the code path of the server, if its backend has several."""
        return f"{self.name} ({code_path})" if code_path else self.name

    @property
    def name(self) -> str:
        """The column's name: the user's, or the backend and the host if one was named; the model or dialect, too."""
        host = f"@{urlsplit(self.base_url).netloc}" if self.base_url else ""
        model = f":{PurePath(self.models['chat']).name}" if self.among else ""
        dialect = f" ({self.dialect})" if self.dialect else ""
        return f"{self.named or (self.label or self.backend) + host}{model}{dialect}"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A model that answers at a base URL (ending in `/v1`) and plays a role.

    `room` is how many tokens it writes beside its answer, at most: reasoning, and talk. `room.measure` finds it out.
    """

    role: Role
    base_url: str
    model: str
    room: int = 0


@dataclass(frozen=True, kw_only=True)
class Target:
    """One column: a server with the models that play the roles.

    `found` says in words how the server was reached; `missing` why a role is played by nobody; `details` are the facts
    that a comparison needs (build, model file and hash, quantisation, device, flags), by name; `slots` is how many
    requests are sent at a time; `code_path` names the server's code path that responds, where it has several
    (`attach.code_path` of `backend.toml`); `logs` has the log file of each role's server, where we started it. Access
    and logs never leave this object.
    """

    name: str
    backend: str
    found: str
    deployments: tuple[Deployment, ...]
    missing: dict[Role, str] = field(default_factory=dict)
    version: str | None = None
    code_path: str | None = None
    details: dict[str, str] = field(default_factory=dict)
    slots: int = 4
    access: Access = field(default_factory=Access)
    logs: dict[Role, Path] = field(default_factory=dict, repr=False)

    def deployment(self, role: Role) -> Deployment | None:
        """The deployment that plays the role, or None."""
        return next((d for d in self.deployments if d.role == role), None)

    def asked(self, role: Role, method: str) -> Deployment | None:
        """Who is asked: the deployment of the role. A server that lacks the role is asked with GET all the same."""
        anyone = self.deployments[0] if self.deployments and method == "GET" else None
        return self.deployment(role) or anyone

    def to_json(self) -> dict[str, Any]:
        """The target as the header of a results file has it (without access and logs)."""
        return {
            "name": self.name,
            "backend": self.backend,
            "version": self.version,
            "code_path": self.code_path,
            "found": self.found,
            "deployments": [vars(d) for d in self.deployments],
            "missing": self.missing,
            "details": self.details,
        }


class Server(Protocol):
    """Something that was started and must be stopped: a process, a container."""

    def ask_to_stop(self) -> None:
        """Begin to stop it, and return at once."""
        ...

    def stop(self) -> None:
        """Stop it and wait for its end; calling it twice is fine."""
        ...


@dataclass
class Running:
    """A target that answers, the servers that were started for it, and a directory that is removed with them.

    `others` are the same servers on their other code paths: columns of their own.
    """

    target: Target
    servers: list[Server] = field(default_factory=list)
    directory: Path | None = None
    others: tuple[Target, ...] = ()

    def ask_to_stop(self) -> None:
        """Begin to stop what was started, and return at once."""
        for server in self.servers:
            server.ask_to_stop()

    def stop(self) -> None:
        """Stop what was started; what was only attached to goes on."""
        stop_all(self.servers)
        if self.directory:
            shutil.rmtree(self.directory, ignore_errors=True)


def stop_all(servers: list[Server]) -> None:
    """Stop all of them at the same time."""
    for server in servers:
        server.ask_to_stop()
    for server in servers:
        server.stop()
