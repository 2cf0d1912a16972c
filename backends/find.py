"""Find the server that is to be measured: attach to one that answers, or start one; then say what it is."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import platform
import shutil
import sys
import tempfile
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2

from backends import launch, wire
from backends.attach import attach
from backends.errors import CannotStart
from backends.target import Deployment, Target
from backends.wire import Role

ROLES: tuple[Role, ...] = ("chat", "embedding", "vision")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the user asked for: a backend's name, and what overrides its defaults."""

    backend: str
    base_url: str | None = None
    models: dict[Role, str] = field(default_factory=dict)
    server_binary: str | None = None
    key: str | None = field(default=None, repr=False)
    timeout: float = 60.0

    @property
    def name(self) -> str:
        """The column's name: the backend, and the host if one was named."""
        if self.base_url is None:
            return self.backend
        return f"{self.backend}@{urlsplit(self.base_url).netloc}"


@dataclass
class Running:
    """A target that answers, and the servers that were started for it."""

    target: Target
    servers: list[launch.Server] = field(default_factory=list)

    def stop(self) -> None:
        """Stop what was started; what was only attached to goes on."""
        for server in self.servers:
            if server.guard.stdin and not server.guard.stdin.closed:
                server.guard.stdin.close()
        for server in self.servers:
            server.stop()


@cache
def backends() -> dict[str, dict[str, Any]]:
    """The known backends by name: the contents of every `backends/NAME/backend.toml`."""
    here = Path(__file__).parent
    return {f.parent.name: tomllib.loads(f.read_text()) for f in sorted(here.glob("*/backend.toml"))}


def run(wanted: Wanted) -> Running:
    """Attach to or start what is wanted. Raises CannotMeasure with a sentence for the user."""
    data = backends()[wanted.backend]
    if wanted.base_url is not None:
        return Running(attach(wanted.name, wanted.backend, wanted.base_url, wanted.models, wanted.key, wanted.timeout))
    if "deploy" not in data:
        raise CannotStart(f"--backend {wanted.backend} needs to know where: add --base-url http://HOST:PORT/v1.")
    return _start(wanted, data)


def _start(wanted: Wanted, data: dict[str, Any]) -> Running:
    program = _program(wanted, data)
    deploy = data["deploy"]
    logs = Path(tempfile.mkdtemp(prefix="openai-conformance-"))
    running: list[launch.Server] = []
    deployments: list[Deployment] = []
    try:
        for role in ROLES:
            if role in deploy:
                running.append(_start_role(program, deploy, role, logs))
                deployments.append(
                    Deployment(role=role, base_url=running[-1].origin + "/v1", model=deploy[role]["model"])
                )
        for server in running:
            server.wait_until_healthy(deploy["health"], deploy["start_seconds"])
    except BaseException:
        for server in running:
            server.stop()
        raise
    target = Target(
        name=wanted.name,
        backend=wanted.backend,
        found=program.found,
        version=program.version or _version(data, running[0].origin),
        deployments=tuple(deployments),
        details={
            "model file": ", ".join(_described(deploy[role]["file"]) for role in ROLES if role in deploy),
            "device": f"CPU ({platform.processor() or platform.machine()})",
            "flags": " ".join(running[0].command[len(program.command) :]),
        },
        slots=deploy["slots"],
    )
    return Running(target, running)


@dataclass(frozen=True)
class _Program:
    command: list[str]
    found: str
    version: str | None = None


def _program(wanted: Wanted, data: dict[str, Any]) -> _Program:
    """The program to start: the one named by the user, else the first of the backend's that is there."""
    if wanted.server_binary:
        path = shutil.which(wanted.server_binary)
        if path is None:
            raise CannotStart(f"--server-binary {wanted.server_binary} is not a program that can be run.")
        return _Program([path], f"started from {path}")
    for option in data["process"]:
        if "module" in option and importlib.util.find_spec(option["module"]):
            version = importlib.metadata.version(option["module"])
            command = [part.format(python=sys.executable) for part in option["command"]]
            return _Program(command, option["found"], f"{option['module']} {version}")
        if "program" in option and (path := shutil.which(option["program"])):
            command = [part.format(program=path) for part in option["command"]]
            return _Program(command, option["found"].format(program=path))
    names = " or ".join(option.get("module") or option["program"] for option in data["process"])
    raise CannotStart(
        f"No {data['title']} found: install {names}, or name a running server with --base-url http://HOST:PORT/v1."
    )


def _start_role(program: _Program, deploy: dict[str, Any], role: Role, logs: Path) -> launch.Server:
    port = launch.free_port()
    spec = deploy[role]
    args = [a.format(port=port, file=spec["file"]) for a in [*deploy["args"], *spec["args"]]]
    return launch.start([*program.command, *args], port, logs / f"{role}.log")


def _version(data: dict[str, Any], origin: str) -> str | None:
    how = data["attach"]["recognise"]
    try:
        answer = httpx2.get(origin + how["path"], timeout=5, trust_env=False).json()
    except (httpx2.HTTPError, ValueError):
        return None
    return answer.get(how["version"]) or None


def _described(file: str) -> str:
    path = launch.ROOT / file
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{path.name} (sha256 {digest[:12]})"


__all__ = ["ROLES", "Running", "Wanted", "backends", "run", "wire"]
