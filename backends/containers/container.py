"""One running container: create it, follow its log, wait for its health, ask inside it, remove it."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import docker
import docker.errors
import httpx2
from docker.types import DeviceRequest, Mount

from backends import wire
from backends.containers import engine
from backends.containers.plan import INSIDE, Service, filled
from backends.errors import CannotStart

POLL = 0.1
"""Seconds between two looks at a starting container."""

_NO_MEMORY = re.compile(
    r"hipErrorOutOfMemory|cudaMalloc failed|OutOfMemoryError|out of memory|failed to allocate|cannot allocate memory",
    re.IGNORECASE,
)


class Container:
    """A container of ours, and where it answers (`origin`, without `/v1`)."""

    def __init__(self, made: Any, service: Service, env: dict[str, str], log: Path) -> None:
        self.service = service
        self.origin = f"http://127.0.0.1:{filled(service.publish, env)}"
        self.command = [filled(part, env) for part in service.command]
        self.environment = {name: filled(value, env) for name, value in service.environment}
        self.log = log
        self._made = made
        self._follower = threading.Thread(target=self._follow, daemon=True)
        self._follower.start()

    def wait_until_healthy(self, path: str, seconds: float, say: Callable[[str], None] = lambda _: None) -> None:
        """Return once `path` answers 200; raise CannotStart with the log's end if it ends or `seconds` pass."""
        begun = said = time.monotonic()
        asked = wire.Request(method="GET", path=self.origin + path)
        with wire.client(5) as http:
            while (now := time.monotonic()) - begun < seconds:
                if wire.send(asked, "", model="", http=http).status == 200:
                    return
                if not self._runs():
                    raise CannotStart(self.why_it_ended())
                if now - said >= 3 * engine.SAY_EVERY:
                    said = now
                    say(f"waiting for {self.service.name} … {now - begun:.0f} s")
                time.sleep(POLL)
        raise CannotStart(
            f"The container {self.service.name} was not ready after {seconds:g} s. Its whole log is {self.log}; "
            f"the end:\n{self.last_words()}"
        )

    def why_it_ended(self) -> str:
        """One sentence about a container that has ended, and the end of its log."""
        self._follower.join(timeout=5)
        state = self._made.attrs["State"]
        memory = _NO_MEMORY.search(self.text())
        if state.get("OOMKilled") or memory:
            where = "The machine killed it" if state.get("OOMKilled") else f"It said {memory[0]!r}" if memory else ""
            why = (
                f"The container {self.service.name} ran out of memory. {where}: take a smaller model or quantisation "
                "(MODEL_PATH), set GPU_LAYERS or CONTEXT_SIZE lower, or free memory (docker stats shows who has it)."
            )
        else:
            said = f": {state['Error']}" if state.get("Error") else ""
            why = f"The container {self.service.name} ended with code {state['ExitCode']}{said} before it answered."
        return f"{why} Its whole log is {self.log}; the end:\n{self.last_words()}"

    def ask(self, command: list[str]) -> str | None:
        """What a command prints inside, or None if it fails or is not there."""
        with contextlib.suppress(docker.errors.APIError):
            done = self._made.exec_run(command)
            if done.exit_code == 0:
                return str(done.output.decode(errors="replace"))
        return None

    def ask_to_stop(self) -> None:
        """Begin to stop it, and return at once."""
        with contextlib.suppress(docker.errors.APIError):
            self._made.kill()

    def stop(self) -> None:
        """Remove it; calling it twice is fine."""
        engine.discard(self._made)
        self._follower.join(timeout=5)

    def last_words(self, lines: int = 15) -> str:
        """The end of the log."""
        return "\n".join(self.text().splitlines()[-lines:])

    def text(self) -> str:
        """The log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _runs(self) -> bool:
        try:
            self._made.reload()
        except docker.errors.NotFound:
            raise CannotStart(
                f"The container {self.service.name} was removed while it started; run again, and leave containers with "
                f"the label {engine.LABEL}run alone."
            ) from None
        return str(self._made.status) in ("created", "running", "restarting")

    def _follow(self) -> None:
        # Ends with the container. What the engine says when it is shut down meanwhile is nobody's concern here.
        with contextlib.suppress(docker.errors.DockerException, httpx2.HTTPError, OSError), self.log.open("wb") as log:
            for piece in self._made.logs(stream=True, follow=True):
                log.write(piece)
                log.flush()


def create(client: docker.DockerClient, service: Service, env: dict[str, str], run: str, log: Path) -> Container:
    """Create and start a service's container. Raises CannotStart."""
    try:
        made = client.containers.create(**arguments(service, env), labels=engine.labels(run))
        made.start()
    except (docker.errors.DockerException, OSError) as problem:
        raise engine.explained(problem, image=service.image, port=filled(service.publish, env)) from problem
    return Container(made, service, env, log)


def arguments(service: Service, env: dict[str, str]) -> dict[str, Any]:
    """What the SDK is given for a service."""
    some: dict[str, Any] = {
        "entrypoint": list(service.entrypoint),
        "devices": [f"{path}:{path}" for path in service.devices],
        "group_add": list(service.groups),
        "device_requests": [DeviceRequest(count=-1, capabilities=[["gpu"]])] if service.gpus else [],
        "security_opt": list(service.security_opt),
        "ipc_mode": service.ipc,
        "shm_size": service.shm_size,
    }
    return {
        "image": service.image,
        "name": service.name,
        "command": [filled(part, env) for part in service.command],
        "environment": {name: filled(value, env) for name, value in service.environment},
        # Not `volumes`, whose form HOST:INSIDE:ro has no room for a path with a colon.
        "mounts": [Mount(inside, host, type="bind", read_only=True) for host, inside in service.volumes],
        "working_dir": INSIDE,
        "ports": {f"{service.port}/tcp": ("127.0.0.1", int(filled(service.publish, env)))},
        **{name: value for name, value in some.items() if value},
    }
