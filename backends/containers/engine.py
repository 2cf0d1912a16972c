"""The container engine: find it, pull an image, remove leftover containers, and say in one sentence what is wrong."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import time
from collections.abc import Callable
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container
from docker.models.images import Image
from docker.utils import parse_repository_tag

from backends import scratch
from backends.errors import CannotStart

LABEL = "openai-conformance."
"""Begins our containers' labels: `run` an id, `pid` and `born` the process that owns them, `host` where it runs."""

ENGINE_TIMEOUT = 120
"""Seconds for one answer of the engine: to unpack and start a 20 GB image takes a slow disk a minute."""

SAY_EVERY = 5.0
"""Seconds between two progress messages about a pull or a start."""

_GROUP = "sudo usermod -aG docker $USER, then log in again"

# What the engine says, and what that means for the user; `{…}` is put in by `explained`.
_SENTENCES = (
    (
        r"PermissionError",
        "You may not use the container engine at {engine}: " + _GROUP + ", or run as a user who may.",
    ),
    (
        r"FileNotFoundError|ConnectionRefusedError|Connection aborted|Max retries exceeded",
        "No container engine answers at {engine}: start it (sudo systemctl start docker), install one "
        "(sudo apt-get install docker.io), or set DOCKER_HOST to where it is.",
    ),
    (
        r"API version|is too old|no longer supported|only available in|not available in version",
        "The container engine at {engine} is too old for this ({said}): update it (sudo apt-get install --only-upgrade "
        "docker.io).",
    ),
    (
        r'could not select device driver "?n?v?i?d?i?a?|unknown runtime.*nvidia|nvidia-container',
        "The container engine cannot pass on an NVIDIA GPU: sudo apt-get install nvidia-container-toolkit && "
        "sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker.",
    ),
    (
        r"gathering device information|no such device|error adding device",
        "The container engine cannot pass on the device ({said}): look with ls -l /dev/kfd /dev/dri, or add "
        "--device=cpu.",
    ),
    (
        r"port is already allocated|address already in use|ports are not available",
        "Port {port} is taken: end what listens there (ss -ltnp 'sport = :{port}', docker ps --filter publish={port}), "
        "or set another one with the variable that `openai-conformance compose NAME` shows.",
    ),
    (
        r"no space left on device",
        "The engine's disk is full: docker system df shows what is on it, docker image prune frees some.",
    ),
    (
        r"manifest unknown|not found: manifest|repository does not exist|pull access denied|No such image|denied: "
        r"|unauthorized|name unknown|invalid reference format",
        "There is no image {image} that may be pulled ({said}): look with docker pull {image}, or name another with "
        "--image NAME:TAG.",
    ),
    (
        r"no such host|dial tcp|connection refused|i/o timeout|TLS handshake|server misbehaving|proxyconnect"
        r"|network is unreachable",
        "The image {image} cannot be pulled ({said}): check this machine's network, then docker pull {image}; or "
        "bring it as a file: docker save on another machine, docker load here, or name one that is here with --image.",
    ),
    (
        r"exec format error|no matching manifest for",
        "The image {image} is not for this machine ({said}): name one for {machine} with --image NAME:TAG.",
    ),
    (
        r"executable file not found|no such file or directory: unknown|no command specified",
        "The image {image} does not have the program that is started in it ({said}): is it an image of this server? "
        "Name another with --image NAME:TAG.",
    ),
)


def address() -> str:
    """Where the engine is looked for."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def explained(problem: Exception, image: str = "", port: str = "") -> CannotStart:
    """The engine's complaint as one sentence that says what to do."""
    said = str(getattr(problem, "explanation", None) or problem).strip()
    short = re.sub(r"\s+", " ", said)[-200:].strip().rstrip(".")
    for pattern, sentence in _SENTENCES:
        if re.search(pattern, said, re.IGNORECASE):
            return CannotStart(
                sentence.format(engine=address(), said=short, image=image, port=port, machine=platform.machine())
            )
    return CannotStart(f"The container engine at {address()} rejects this: {short}. See docker info, and its log.")


def connect() -> docker.DockerClient:
    """The engine of DOCKER_HOST or the usual socket. Raises CannotStart."""
    try:
        client = docker.from_env(timeout=ENGINE_TIMEOUT)
        client.ping()
    except (docker.errors.DockerException, OSError) as problem:
        raise explained(problem) from problem
    return client


def image(client: docker.DockerClient, name: str, say: Callable[[str], None]) -> Image:
    """The image of that name, pulled if it is not here; `say` is told how far the pull is. Raises CannotStart."""
    try:
        with contextlib.suppress(docker.errors.ImageNotFound):
            return client.images.get(name)
        repository, tag = parse_repository_tag(name)
        progress = Progress(name, say)
        for line in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
            if "error" in line:
                raise docker.errors.DockerException(line["error"])
            progress.take(line)
        return client.images.get(name)
    except (docker.errors.DockerException, OSError) as problem:
        raise explained(problem, image=name) from problem


class Progress:
    """Adds up the layers of a pull and says, now and then, how much is here."""

    def __init__(self, name: str, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._say, self._clock = name, say, clock
        self._layers: dict[str, tuple[int, int]] = {}
        self._said_at = clock()
        say(f"pulling {name} …")

    def take(self, line: dict[str, Any]) -> None:
        """Read one line of the engine's report."""
        layer, detail = line.get("id", ""), line.get("progressDetail") or {}
        if line.get("status") == "Downloading" and detail.get("total"):
            self._layers[layer] = (detail["current"], detail["total"])
        elif line.get("status") in ("Download complete", "Pull complete") and layer in self._layers:
            self._layers[layer] = (self._layers[layer][1],) * 2
        if self._layers and self._clock() - self._said_at >= SAY_EVERY:
            self._said_at = self._clock()
            here, total = (sum(sizes) for sizes in zip(*self._layers.values(), strict=True))
            self._say(f"pulling {self._name}: {here / 1e9:.2f} of {total / 1e9:.2f} GB known so far")


def labels(run: str) -> dict[str, str]:
    """The labels of a container of this process."""
    mine = {"run": run, "pid": str(os.getpid()), "born": scratch.born(os.getpid()), "host": platform.node()}
    return {LABEL + name: value for name, value in mine.items()}


def remove(client: docker.DockerClient, run: str) -> None:
    """Remove a run's containers, also those whose creation was interrupted before anybody knew their names."""
    for container in client.containers.list(all=True, filters={"label": f"{LABEL}run={run}"}, ignore_removed=True):
        discard(container)


def reap(client: docker.DockerClient) -> list[str]:
    """Remove the containers of runs on this host whose process is gone; the containers' names."""
    found = client.containers.list(all=True, filters={"label": f"{LABEL}host={platform.node()}"}, ignore_removed=True)
    orphans = [c for c in found if not scratch.alive(c.labels.get(LABEL + "pid", ""), c.labels.get(LABEL + "born", ""))]
    for container in orphans:
        discard(container)
    return [str(c.name) for c in orphans]


def discard(container: Container) -> None:
    """Kill and remove a container with its volumes; one that is gone, or going, is fine."""
    try:
        container.remove(force=True, v=True)
    except docker.errors.NotFound:
        pass
    except docker.errors.APIError as problem:
        if "already in progress" not in str(problem):
            raise explained(problem) from problem
