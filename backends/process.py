"""Start a backend's servers as child processes, with the probe model or the one that the user named."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from backends import identify, launch, scratch
from backends.access import Access
from backends.errors import CannotStart
from backends.ollama import models as ollama_models
from backends.target import ROLES, Deployment, Running, Server, Target, Wanted, stop_all
from backends.wire import Role

KEY = "sk-openai-conformance"
"""The API key of servers that are started here, if the user sets no other: no secret, but one that can be wrong."""


@dataclass(frozen=True)
class Candidate:
    """What could be started: the command's beginning, words for the header, and the version if it needs no asking."""

    command: list[str]
    found: str
    version: str | None = None


def start(wanted: Wanted, data: dict[str, Any], chosen: Candidate) -> Running:
    """Start the servers, wait until they are healthy, say what they are. Raises CannotStart."""
    deploy = with_models(data, wanted)
    wanted = with_key(wanted, deploy)
    directory = scratch.make()
    processes: dict[Role, launch.Process] = {}
    try:
        for role in (role for role in ROLES if role in deploy):
            if not deploy.get("one_server") or not processes:
                processes[role] = _start_role(chosen, deploy, role, directory / role, wanted.access.key)
        for number, server in enumerate(processes.values(), start=1):
            wanted.say(f"waiting for {data['title']} {number} of {len(processes)} …")
            server.wait_until_healthy(deploy["health"], deploy["start_seconds"])
        target = target_of(wanted, data, deploy, processes, chosen.found)
        details = target.details | _details(chosen, deploy, next(iter(processes.values())))
        target = replace(target, version=chosen.version or target.version, details=details)
        others = on_other_code_paths(target, wanted, data, deploy)
    except BaseException as problem:
        stop_all(list[Server](processes.values()))
        if not isinstance(problem, CannotStart):
            shutil.rmtree(directory, ignore_errors=True)
        raise
    return Running(target, list(processes.values()), directory, others)


def with_key(wanted: Wanted, deploy: dict[str, Any]) -> Wanted:
    """With a key of ours, if the user has none and the servers to be started can be given one.

    Without the user's headers: they are for a server of the user's.
    """
    key = wanted.access.key or (KEY if "key" in deploy else None)
    return replace(wanted, access=Access(key=key))


class _Started(Protocol):
    origin: str
    log: Path


def target_of(
    wanted: Wanted, data: dict[str, Any], deploy: dict[str, Any], servers: Mapping[Role, _Started], found: str
) -> Target:
    """What servers that were started as `deploy` says are; a role without one of its own is played by the first."""
    first = next(iter(servers.values()))
    roles = [role for role in ROLES if role in deploy]
    missing: dict[Role, str] = {}
    if deploy.get("create"):
        missing = ollama_models.create(first.origin, {role: deploy[role] for role in roles})
    playing = {role: servers.get(role, first) for role in roles if role not in missing}
    facts = identify.attached(first.origin, data, deploy["chat"]["model"], wanted.access)
    files = {role: identify.repository_path(deploy[role]["file"]) for role in roles if "file" in deploy[role]}
    there = {role: path for role, path in files.items() if path.exists()}
    details = {
        "model file": ", ".join(f"{role}: {identify.described(path)}" for role, path in there.items()),
        "quantisation": ", ".join(f"{role}: {identify.quantisation(path)}" for role, path in there.items()),
        "slots": str(deploy["slots"]),
    }
    return Target(
        name=wanted.column(facts.code_path),
        backend=wanted.backend,
        found=found,
        version=facts.version,
        code_path=facts.code_path,
        deployments=tuple(
            Deployment(role=role, base_url=server.origin + "/v1", model=deploy[role]["model"])
            for role, server in playing.items()
        ),
        missing=missing,
        details=facts.details | {name: value for name, value in details.items() if value},
        slots=deploy["slots"],
        access=wanted.access,
        logs={role: server.log for role, server in playing.items()},
    )


def on_other_code_paths(
    target: Target, wanted: Wanted, data: dict[str, Any], deploy: dict[str, Any]
) -> tuple[Target, ...]:
    """The same servers with the models of `deploy.others`, as far as these respond on another code path."""
    (chat,) = (one for one in target.deployments if one.role == "chat")
    rest = tuple(one for one in target.deployments if one.role != "chat")
    found: dict[str, Target] = {}
    for spec in deploy.get("others", ()):
        try:
            ollama_models.create(chat.base_url.removesuffix("/v1"), {"chat": spec})
        except CannotStart as problem:
            wanted.say(f"{problem}; its column is missing.")
            continue
        facts = identify.attached(chat.base_url, data, spec["model"], wanted.access)
        if facts.code_path and facts.code_path not in (target.code_path, *found):
            found[facts.code_path] = replace(
                target,
                name=wanted.column(facts.code_path),
                code_path=facts.code_path,
                deployments=(replace(chat, model=spec["model"]), *rest),
                details=target.details | facts.details,
            )
    return tuple(found.values())


def program(wanted: Wanted, data: dict[str, Any]) -> Candidate:
    """The program to start: the one named by the user, else the first of the backend's that is there."""
    options = data["process"]
    if wanted.server_binary:
        path = shutil.which(wanted.server_binary)
        if path is None:
            raise CannotStart(f"--server-binary {wanted.server_binary} is not a program that can be run.")
        python = Path(path).name.startswith("python")
        fitting = [option for option in options if python == ("module" in option)]
        if not fitting:
            raise CannotStart(f"--server-binary {path}: {data['title']} is not started from a Python.")
        command = [
            part if part == "{file}" else part.format(program=path, python=path) for part in fitting[0]["command"]
        ]
        return Candidate(command, f"started from {path}")
    for option in options:
        words = {"python": sys.executable, "program": shutil.which(option.get("program", "")), "file": "{file}"}
        if words["program"] is None and not ("module" in option and importlib.util.find_spec(option["module"])):
            continue
        command = [part.format(**words) for part in option["command"]]
        return Candidate(command, option["found"].format(**words), _package_version(option))
    names = " or ".join(dict.fromkeys(option.get("module") or option["program"] for option in options))
    raise CannotStart(
        f"No {data['title']} found: install {names}, or name a running server with --base-url http://HOST:PORT/v1."
    )


def with_models(data: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    """The `deploy` table with the user's models in it; all its files are there. Raises CannotStart."""
    deploy = {**data["deploy"]}
    if "chat" in wanted.models:
        deploy.pop("others", None)
    for role, name in wanted.models.items():
        path = Path(name).expanduser().resolve()
        if path.exists():
            of_file: dict[str, Any] = {
                "file": str(path),
                "model": path.stem,
                "values": {},
                "projector": None,
                "or_template": None,
            }
            deploy[role] = {**deploy[role], **of_file, "must": None, "probe": {}}
        elif deploy.get("hub_ids"):
            deploy[role] = {**deploy[role], "file": name, "model": name, "probe": {}}
        else:
            raise CannotStart(
                f"The model {name} is no file here: a server that this run starts needs the path of one "
                f"(--model PATH.gguf); to measure a model of a running {data['title']}, add --runtime attach."
            )
    for role in ROLES:
        for file in filter(None, (deploy.get(role, {}).get(key) for key in ("file", "projector"))):
            if role not in wanted.models and not identify.repository_path(file).exists():
                raise CannotStart(
                    f"The model file {file} is missing: bring it back with `git checkout -- fixtures/probe_model`, "
                    f"or name another with --{'' if role == 'chat' else role + '-'}model."
                )
    return deploy


def _start_role(
    chosen: Candidate, deploy: dict[str, Any], role: Role, directory: Path, key: str | None
) -> launch.Process:
    port = launch.free_port()
    spec = deploy[role]
    words = {"port": port, "file": spec.get("file"), "model": spec["model"], "directory": directory}
    words |= {"projector": spec.get("projector"), "key": key}
    probe = spec.get("probe", deploy.get("probe", {}))
    args = [*chosen.command, *deploy["args"], *probe.get("args", []), *spec.get("args", [])]
    # The key is no argument: command lines are visible to every user of the machine.
    env = {n: value.format(**words) for n, value in (_environment(deploy, role) | deploy.get("key", {})).items()}
    return launch.start([arg.format(**words) for arg in args], port, directory, env)


def _environment(deploy: dict[str, Any], role: Role) -> dict[str, str]:
    """What is set for the server that plays a role; `deploy.probe` is for the probe model alone."""
    probe = deploy[role].get("probe", deploy.get("probe", {}))
    return {**deploy.get("env", {}), **probe.get("env", {})}


def _details(chosen: Candidate, deploy: dict[str, Any], first: launch.Process) -> dict[str, str]:
    said = re.search(deploy["device"], first.text()) if "device" in deploy else None
    set_here = {name: value for name, value in _environment(deploy, "chat").items() if "{" not in value}
    details = {
        "device": f"{said[1] if said else deploy.get('device_else', 'CPU')}; {identify.host()}",
        "flags": " ".join(first.command[len(chosen.command) :]),
        "environment": " ".join(f"{k}={v}" for k, v in set_here.items()),
        # What a store of models was made for is gone after the run.
        "command": "" if deploy.get("create") else _shell(first.command, set_here, deploy.get("key", {})),
    }
    return {name: value for name, value in details.items() if value}


def _shell(command: list[str], environment: dict[str, str], key: Iterable[str]) -> str:
    """The command as a shell takes it, with the key from the environment and any Python in place of this one."""
    words = [f"{name}={shlex.quote(value)}" for name, value in environment.items()]
    words += [f'{name}="$OPENAI_API_KEY"' for name in key]
    instead = {sys.executable: "python"}
    return " ".join(words + [instead.get(word) or shlex.quote(word) for word in command])


def _package_version(option: dict[str, Any]) -> str | None:
    for package in option.get("packages", []):
        try:
            return f"{package} wheel {importlib.metadata.version(package)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    return None
