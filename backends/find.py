"""Find the server that is to be measured: attach to one that answers, or start one; then say what it is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from backends import containers, data, listening, process, wheels
from backends.attach import attach
from backends.errors import CannotStart
from backends.target import Running, Wanted


@cache
def backends() -> dict[str, dict[str, Any]]:
    """The known backends by name: the contents of every `backends/NAME/backend.toml`. Raises BadBackend."""
    return data.read_all()


def run(wanted: Wanted) -> Running:
    """Attach to the wanted server or start it, with as many slots as the user says.

    Raises CannotMeasure with a sentence.
    """
    running = _run(wanted)
    if wanted.slots:
        running.target = replace(running.target, slots=wanted.slots)
    return running


def reads_dialects(wanted: Wanted) -> bool:
    """Whether there is a program that can be started with a dialect's template."""
    about = backends()[wanted.backend]
    try:
        process.program(wanted, about)
    except CannotStart:
        return False
    return "dialects" in about.get("deploy", {})


def _run(wanted: Wanted) -> Running:
    """Attach to or start what is wanted.

    In this order: the address that the user named; a server that answers at one of the backend's usual addresses; a
    child process; a container. With `wanted.runtime` only that one is tried. If the user named a program or a model
    file, a server is started.
    """
    about = backends()[wanted.backend]
    if wanted.base_url is not None:
        return Running(attach(wanted, wanted.base_url, about))
    if wanted.dialect and "dialects" not in about.get("deploy", {}):
        raise CannotStart(f"--dialect: this suite starts {about['title']} without a dialect; leave it out.")
    if wanted.server_version:
        wanted = replace(wanted, server_binary=wheels.python(about, wanted.server_version, wanted.say))
    ours = bool(wanted.server_binary or wanted.chat_template) or any(Path(m).exists() for m in wanted.models.values())
    tried: list[str] = []
    if wanted.runtime == "attach" or (wanted.runtime is None and not ours):
        base_url, tried = listening.look(about, wanted.access)
        if base_url is not None:
            rest = "" if wanted.runtime or "deploy" not in about else " (--runtime=process starts another one)"
            found = f"attached to {base_url}, where {about['title']} answered already{rest}"
            return Running(attach(wanted, base_url, about, found))
        if wanted.runtime == "attach":
            raise CannotStart(_nothing_to_attach_to(wanted.backend, about, tried))
    if "deploy" not in about:
        raise CannotStart(_nothing_to_attach_to(wanted.backend, about, tried))
    if wanted.runtime == "container":
        return containers.start(wanted, about)
    try:
        program = process.program(wanted, about)
    except CannotStart as no_program:
        if wanted.runtime == "process" or wanted.server_binary or wanted.chat_template:
            raise
        return _container_or(wanted, about, no_program, tried)
    upstream = _upstream(wanted, about) if "upstream" in about["deploy"] else None
    return process.start(wanted, about, program, upstream)


def _nothing_to_attach_to(name: str, about: dict[str, Any], seen: list[str]) -> str:
    """Why there is no server to attach to, and what to do."""
    if not about.get("attach", {}).get("urls"):
        return f"--backend {name} needs to know where: add --base-url http://HOST:PORT/v1."
    start = about.get("doctor", {}).get("start")
    how = f"Start it ({start})" if start else "Start it"
    never = "" if "deploy" in about else f"; this suite cannot start {about['title']} itself"
    tried = f": {'; '.join(seen)}" if seen else ""
    return f"No {about['title']} to attach to{tried}. {how}, or name its --base-url{never}."


def _upstream(wanted: Wanted, about: dict[str, Any]) -> Running:
    """The servers behind a gateway, started as processes. They get the gateway's key."""
    name = about["deploy"]["upstream"]
    if wanted.models:
        raise CannotStart(
            f"This suite starts {about['title']} only with the probe model: start yours, and name its --base-url."
        )
    behind = Wanted(
        backend=name, access=process.with_key(wanted, about["deploy"]).access, timeout=wanted.timeout, say=wanted.say
    )
    return process.start(behind, backends()[name], process.program(behind, backends()[name]))


def _container_or(wanted: Wanted, about: dict[str, Any], no_program: CannotStart, tried: list[str]) -> Running:
    """A container. Raises CannotStart with what was tried, if there cannot be one either."""
    if "container" not in about:
        raise CannotStart(f"{no_program} ({'; '.join(tried)})" if tried else str(no_program)) from None
    try:
        return containers.start(wanted, about)
    except CannotStart as no_container:
        raise CannotStart(f"{no_program} ({'; '.join([*tried, str(no_container)])})") from None


__all__ = ["Running", "backends", "reads_dialects", "run"]
