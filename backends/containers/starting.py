"""Start a backend's servers in containers: the probe model's, or one for the model that MODEL_PATH names."""

from __future__ import annotations

import atexit
import contextlib
import os
import shlex
import shutil
import socket
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import docker.errors

from backends import scratch
from backends.attach import attach
from backends.containers import device as devices
from backends.containers import engine, plan
from backends.containers.container import Container, create
from backends.containers.plan import Service
from backends.errors import CannotStart
from backends.process import on_other_code_paths, target_of, with_key
from backends.target import Running, Target, Wanted

START_SECONDS = 300
"""How long a container may take to start, unless its data says otherwise."""


def start(wanted: Wanted, data: dict[str, Any]) -> Running:
    """Start the backend's containers, wait until they are healthy, and describe them. Raises CannotStart."""
    try:
        return _start(wanted, data)
    except docker.errors.DockerException as problem:  # The engine ended, or says what nobody expected.
        raise engine.explained(problem) from problem


def _start(wanted: Wanted, data: dict[str, Any]) -> Running:
    if "container" not in data:
        raise CannotStart(
            f"{data['title']} has no container: name a running server with --base-url http://HOST:PORT/v1."
        )
    box = data["container"]
    env = plan.environment(dict(os.environ), Path.cwd())
    if "chat" in wanted.models:
        env = named_by_option(env, wanted.models["chat"], data)
    chosen = devices.choose(wanted.device, env, box)
    wanted = with_key(wanted, data["deploy"])
    services = plan.services(data, chosen, env, wanted.image, wanted.access.key)
    client = engine.connect()
    for name in engine.reap(client):
        wanted.say(f"removed the container {name}, which a run that was killed had left")
    image = engine.image(client, services[0].image, wanted.say)
    run, directory = uuid.uuid4().hex[:12], scratch.make()
    containers: list[Container] = []
    atexit.register(_remove, client, run)  # For a second Ctrl-C, or one that comes while the run ends by itself.
    try:
        for service in services:
            ours = _with_free_name_and_port(service, client, run, env)
            containers.append(create(client, ours, env, run, directory / f"{ours.name}.log"))
        for number, container in enumerate(containers, start=1):
            wanted.say(f"waiting for {data['title']} in a container, {number} of {len(containers)} …")
            container.wait_until_healthy(box["health"], box.get("start_seconds", START_SECONDS), wanted.say)
        target = _target(wanted, data, chosen.name, containers)
        secrets = (*box.get("secrets", ()), *data["deploy"].get("key", ()))
        about = {
            "image": services[0].image,
            "image digest": _digest(image),
            "device": chosen.name,
            **devices.facts(chosen.name, containers[0].ask),
            "flags": " ".join(containers[0].command),
            "environment": " ".join(f"{k}={v}" for k, v in containers[0].environment.items() if k not in secrets),
            "command": f"openai-conformance compose {wanted.backend} --device={chosen.name} "
            f"--image={shlex.quote(services[0].image)} | docker compose -f - up",
        }
        target = replace(target, details={**target.details, **{k: v for k, v in about.items() if v}})
        probe = services[0].role is not None
        others = on_other_code_paths(target, wanted, data, data["deploy"]) if probe else ()
    except BaseException as problem:
        _remove(client, run)
        if not isinstance(problem, CannotStart):
            shutil.rmtree(directory, ignore_errors=True)
        raise
    return Running(target, list(containers), directory, others)


def _remove(client: docker.DockerClient, run: str) -> None:
    # An engine that has ended meanwhile has no container that runs.
    with contextlib.suppress(docker.errors.DockerException, CannotStart, OSError):
        engine.remove(client, run)


def named_by_option(env: dict[str, str], model: str, data: dict[str, Any]) -> dict[str, str]:
    """`env` with `--model` as the variable that names a model; for a server that takes no path, MODELS_DIR must say
    where the model is."""
    if variables := data["container"].get("model", {}).get("variables"):
        return {**env, variables[0]: model}
    takes_directory = "model" in data["container"]
    if takes_directory and env.get("MODELS_DIR"):
        return env
    set_it = "set MODELS_DIR to the directory that has your model, or " * takes_directory
    raise CannotStart(
        f"--model {model}: a container that this suite starts has only the probe model; {set_it}"
        f"start {data['title']} yourself and add --runtime=attach."
    )


def _with_free_name_and_port(service: Service, client: Any, run: str, env: dict[str, str]) -> Service:
    """The service with its usual name and port, or with others if those are taken. The user's port stays."""
    taken = {c.name for c in client.containers.list(all=True, ignore_removed=True)}
    name = service.name if service.name not in taken else f"{service.name}-{run}"
    port = plan.filled(service.publish, env)
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError:
            if not service.fixed:
                probe.bind(("127.0.0.1", 0))
                port = str(probe.getsockname()[1])
    return replace(service, name=name, publish=port)


def _target(wanted: Wanted, data: dict[str, Any], device: str, containers: list[Container]) -> Target:
    """Who plays which role: as [deploy] says for the probe model, else found by asking."""
    first = containers[0]
    found = f"started in a container from {first.service.image} ({device})"
    if first.service.role is None:
        named = {role: model for role, model in wanted.models.items() if role != "chat" or not _is_path(data)}
        target = attach(replace(wanted, models=named), first.origin + "/v1", data, found)
        return replace(target, logs={d.role: first.log for d in target.deployments})
    playing = {c.service.role: c for c in containers if c.service.role}
    return target_of(wanted, data, data["deploy"], playing, found)


def _is_path(data: dict[str, Any]) -> bool:
    """Whether `--model` was the path of a file that is served under another name."""
    return "variables" in data["container"].get("model", {})


def _digest(image: Any) -> str:
    """The registry's digest of an image; for one that was made here its own id."""
    digests = image.attrs.get("RepoDigests") or []
    return digests[0].partition("@")[2] if digests else f"{image.id} (made here)"
