"""Start a backend's servers as child processes, with the probe model or the one that the user named."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from backends import hooks, identify, launch, overlap, scratch, wire
from backends.access import Access
from backends.data import MODEL_WORDS, roles_of
from backends.errors import CannotStart, NoReader
from backends.target import ONE_AT_A_TIME, ROLES, Deployment, Running, Server, Target, Wanted, stop_all
from backends.wire import Role

START_SECONDS = 60
"""How long a process may take to start, unless its data says otherwise."""

ROOM_OF_DIALECTS = 64
"""Tokens that a notation may need beyond those of the default one: some write a mark around each argument."""

KEY = "sk-openai-conformance"
"""The API key of servers that are started here, unless the user sets another one. It is not a secret."""


@dataclass(frozen=True)
class Candidate:
    """What could be started: the command's beginning, words for the header, and the version if it needs no asking."""

    command: list[str]
    found: str
    version: str | None = None


def start(wanted: Wanted, data: dict[str, Any], chosen: Candidate, upstream: Running | None = None) -> Running:
    """Start the servers, wait until they are healthy, say what they are. Raises CannotStart.

    `upstream` are the servers behind a gateway, which end with it.
    """
    processes: dict[Role, launch.Process] = {}
    directory: Path | None = None
    try:
        deploy = with_models(data, wanted)
        wanted = with_key(wanted, deploy)
        directory = scratch.make()
        for role in roles_of(deploy):
            if not deploy.get("one_server") or not processes:
                words = _words(deploy[role], directory / role, upstream)
                processes[role] = _start_role(chosen, deploy, role, words, wanted.access.key)
        for number, server in enumerate(processes.values(), start=1):
            wanted.say(f"waiting for {data['title']} {number} of {len(processes)} …")
            server.wait_until_healthy(deploy["health"], deploy.get("start_seconds", START_SECONDS))
        target = target_of(wanted, data, deploy, processes, chosen.found)
        details = target.details | _details(chosen, deploy, next(iter(processes.values()))) | _one_at_a_time(target)
        if upstream:
            details["upstream"] = f"{upstream.target.backend} {upstream.target.version or ''}, {upstream.target.found}"
        target = replace(target, version=chosen.version or target.version, details=details)
        others = on_other_code_paths(target, wanted, data, deploy)
    except BaseException as problem:
        stop_all(list[Server](processes.values()))
        if upstream:
            upstream.stop()
        if directory and not isinstance(problem, CannotStart):
            shutil.rmtree(directory, ignore_errors=True)
        raise
    servers: list[Server] = [*processes.values(), *filter(None, [upstream])]
    return Running(target, servers, directory, others)


def with_key(wanted: Wanted, deploy: dict[str, Any]) -> Wanted:
    """With the suite's key, if the user gave none and the servers can be given one. Without the user's headers."""
    key = wanted.access.key or (KEY if "key" in deploy else None)
    return replace(wanted, access=Access(key=key))


class _Started(Protocol):
    origin: str
    log: Path


def target_of(
    wanted: Wanted, data: dict[str, Any], deploy: dict[str, Any], servers: Mapping[Role, _Started], found: str
) -> Target:
    """The target that started servers are. A role without a server of its own is played by the first one."""
    first = next(iter(servers.values()))
    roles = roles_of(deploy)
    hook = hooks.of(wanted.backend, deploy)
    missing = hook.make_models(first.origin, deploy) if hook else {}
    playing = {role: servers.get(role, first) for role in roles if role not in missing}
    facts = identify.attached(first.origin, data, deploy["chat"]["model"], wanted.access)
    files = {role: identify.repository_path(deploy[role]["file"]) for role in roles if "file" in deploy[role]}
    there = {role: path for role, path in files.items() if path.exists()}
    details = {
        "model file": ", ".join(f"{role}: {identify.described(path)}" for role, path in there.items()),
        "quantisation": ", ".join(f"{role}: {identify.quantisation(path)}" for role, path in there.items()),
        "slots": str(deploy.get("slots", Target.slots)),
        "dialect": wanted.dialect or "",
    }
    return Target(
        name=wanted.column(facts.code_path),
        backend=wanted.backend,
        found=found,
        version=facts.version,
        code_path=facts.code_path,
        deployments=tuple(
            Deployment(
                role=role,
                base_url=server.origin + "/v1",
                model=deploy[role]["model"],
                room=ROOM_OF_DIALECTS if wanted.dialect else 0,
            )
            for role, server in playing.items()
        ),
        missing=missing,
        details=facts.details | {name: value for name, value in details.items() if value},
        slots=deploy.get("slots", Target.slots),
        access=wanted.access,
        logs={role: server.log for role, server in playing.items()},
    )


def on_other_code_paths(
    target: Target, wanted: Wanted, data: dict[str, Any], deploy: dict[str, Any]
) -> tuple[Target, ...]:
    """The same servers with the other models that the hook makes: one target for each further code path."""
    (chat,) = (one for one in target.deployments if one.role == "chat")
    rest = tuple(one for one in target.deployments if one.role != "chat")
    found: dict[str, Target] = {}
    hook = hooks.of(wanted.backend, deploy)
    for model in hook.make_others(chat.base_url.removesuffix("/v1"), deploy, wanted.say) if hook else ():
        facts = identify.attached(chat.base_url, data, model, wanted.access)
        if facts.code_path and facts.code_path not in (target.code_path, *found):
            found[facts.code_path] = replace(
                target,
                name=wanted.column(facts.code_path),
                code_path=facts.code_path,
                deployments=(replace(chat, model=model), *rest),
                details=target.details | facts.details,
            )
    return tuple(found.values())


def program(wanted: Wanted, data: dict[str, Any]) -> Candidate:
    """The program to start: the one named by the user, else the first of the backend's that is there."""
    title, options = data["title"], data.get("process", [])
    if not options:
        raise CannotStart(f"{title} is not started as a process: add --runtime=container or name its --base-url.")
    if wanted.server_binary:
        path = shutil.which(wanted.server_binary)
        if path is None:
            raise CannotStart(f"--server-binary {wanted.server_binary} is not a program that can be run.")
        is_python = Path(path).name.startswith("python")
        fitting = [option for option in options if is_python == ("module" in option)]
        if not fitting:
            how = "not started from a Python" if is_python else "started from a Python: name that one"
            raise CannotStart(f"--server-binary {path}: {title} is {how}.")
        version = _package_version(fitting[0], path) if is_python else None
        return Candidate(_command(fitting[0], path), f"started from {path}", version)
    for option in options:
        path = sys.executable if _has_module(option) else shutil.which(option.get("program", ""))
        if path is not None:
            found = option.get("found", "started from {program}" if "program" in option else "started from {python}")
            version = _package_version(option, path) if "module" in option else None
            return Candidate(_command(option, path), found.format(python=path, program=path), version)
    install = next((option["install"] for option in options if "install" in option), None)
    names = " or ".join(dict.fromkeys(option.get("module") or option["program"] for option in options))
    how = f"install it with `{install}`" if install else f"install {names}"
    if install and "module" in options[0]:
        how += ", name another Python that has it with --server-binary=PYTHON"
    raise CannotStart(f"No {title} found: {how}, or name a running server with --base-url http://HOST:PORT/v1.")


def _command(option: dict[str, Any], path: str) -> list[str]:
    """The beginning of a command line, with the program that was found; what is left in braces is filled later."""
    found = path.replace("{", "{{").replace("}", "}}")
    return [part.replace("{python}", found).replace("{program}", found) for part in option["command"]]


def _has_module(option: dict[str, Any]) -> bool:
    """Whether the Python that runs the suite has the module."""
    try:
        return "module" in option and importlib.util.find_spec(option["module"]) is not None
    except ModuleNotFoundError:  # Not even the package that would have the module.
        return False


def with_models(data: dict[str, Any], wanted: Wanted) -> dict[str, Any]:
    """The `deploy` table with the user's models in it; all its files are there. Raises CannotStart."""
    deploy = {**data["deploy"]}
    if wanted.dialect:
        chat = _in_dialect(deploy, wanted, data["title"])
        deploy = {key: value for key, value in deploy.items() if key not in ROLES} | {"chat": chat}
    if wanted.chat_template and not (wanted.dialect and "file" not in deploy["dialects"]):
        if "chat_template" not in deploy:
            raise CannotStart(f"--chat-template: {data['title']} is started without one; start it yourself.")
        if not wanted.chat_template.is_file():
            raise CannotStart(f"--chat-template {wanted.chat_template} is not a file.")
        deploy["template"] = str(wanted.chat_template.resolve())
    if "chat" in wanted.models and "hook" in deploy:
        deploy["hook"] = {}
    for role, name in wanted.models.items():
        path = Path(name).expanduser().resolve()
        if "file" not in deploy.get(role, {}) or any("{projector}" in arg for arg in deploy[role].get("args", ())):
            option = "--model" if role == "chat" else f"--{role}-model"
            raise CannotStart(
                f"{option} {name}: this suite cannot start {data['title']} with a {role} model of yours; "
                "start it yourself, and name its --base-url."
            )
        # Flags of the role stay; what is only for the probe model goes.
        spec = {key: value for key, value in deploy[role].items() if key not in ("projector", "hook")}
        if path.exists():
            deploy[role] = {**spec, "file": str(path), "model": path.stem, "probe": {}}
        elif deploy.get("hub_ids"):
            deploy[role] = {**spec, "file": name, "model": name, "probe": {}}
        else:
            raise CannotStart(
                f"The model {name} is not a file: give a path to a GGUF file, "
                f"or add --runtime=attach to measure a model of a running {data['title']}."
            )
    for role in ROLES:
        for file in filter(None, (deploy.get(role, {}).get(key) for key in ("file", "projector"))):
            if role not in wanted.models and not identify.repository_path(file).exists():
                raise CannotStart(
                    f"The model file {file} is missing: bring it back with `git checkout -- fixtures/probe_model` "
                    "(some files are in a clone only), "
                    f"or name another with --{'' if role == 'chat' else role + '-'}model."
                )
    return deploy


def _in_dialect(deploy: dict[str, Any], wanted: Wanted, title: str) -> dict[str, Any]:
    """The chat model that writes a dialect, with flags that name its readers. Raises NoReader."""
    dialects = deploy["dialects"]
    args = [*dialects.get("args", deploy["chat"].get("args", ()))]
    for kind, flag in dialects.get("readers", {}).items():
        if kind in wanted.readers:
            args += [flag, wanted.readers[kind]]
        elif kind == "tools":
            raise NoReader(f"{title} has no `{flag}` for {wanted.dialect}")
    file = {"file": dialects["file"]} if "file" in dialects else {}
    return {**deploy["chat"], **file, "model": f"probe-{wanted.dialect}", "args": args}


def _words(spec: dict[str, Any], directory: Path, upstream: Running | None) -> dict[str, Any]:
    """What the placeholders in flags and variables of a role's server stand for."""
    words: dict[str, Any] = {key: spec.get(key) for key in MODEL_WORDS}
    for one in upstream.target.deployments if upstream else ():
        words[f"upstream_{one.role}"] = one.base_url
    return {**words, "port": launch.free_port(), "directory": directory}


def _start_role(
    chosen: Candidate, deploy: dict[str, Any], role: Role, words: dict[str, Any], key: str | None
) -> launch.Process:
    spec = deploy[role]
    probe = spec.get("probe", deploy.get("probe", {}))
    args = [*chosen.command, *deploy.get("args", []), *probe.get("args", []), *spec.get("args", [])]
    if role != "embedding" and "template" in deploy:
        args += [deploy["chat_template"], deploy["template"].replace("{", "{{").replace("}", "}}")]
    # The key is not in a flag: every user of the machine can see command lines.
    env = _environment(deploy, role) | deploy.get("key", {})
    filled = {name: value.format(**words, key=key) for name, value in env.items()}
    return launch.start([arg.format(**words) for arg in args], words["port"], words["directory"], filled)


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
        # Without the models that a hook made, or the servers behind a gateway, the command alone is of no use.
        "command": ""
        if "hook" in deploy or "upstream" in deploy
        else _shell(first.command, set_here, deploy.get("key", {})),
    }
    return {name: value for name, value in details.items() if value}


def _one_at_a_time(target: Target) -> dict[str, str]:
    """How a server that gets one request at a time, as its data says, shows that it must; empty if it does not."""
    (chat,) = (one for one in target.deployments if one.role == "chat")
    if target.slots > 1:
        return {}
    with wire.client(30, target.access) as http:
        shown = overlap.one_at_a_time(lambda request: wire.send(request, chat.base_url, model=chat.model, http=http))
    return {ONE_AT_A_TIME: shown} if shown else {}


def _shell(command: list[str], environment: dict[str, str], key: Iterable[str]) -> str:
    """The command as a shell takes it, with the key from the environment and any Python in place of this one."""
    words = [f"{name}={shlex.quote(value)}" for name, value in environment.items()]
    words += [f'{name}="$OPENAI_API_KEY"' for name in key]
    instead = {sys.executable: "python"}
    return " ".join(words + [instead.get(word) or shlex.quote(word) for word in command])


def _package_version(option: dict[str, Any], python: str) -> str | None:
    """The version of the package that has the module, as that Python has it installed."""
    for package in option.get("packages", []):
        if version := _installed_version(package, python):
            return f"{package} wheel {version}"
    return None


def _installed_version(package: str, python: str) -> str | None:
    if python == sys.executable:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None
    asked = [python, "-c", "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))", package]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
