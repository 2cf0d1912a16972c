"""Find the server that is to be measured: attach to one that answers, or start one; then say what it is."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from backends import containers, listening, process
from backends.attach import attach
from backends.errors import CannotStart
from backends.target import Running, Wanted


@cache
def backends() -> dict[str, dict[str, Any]]:
    """The known backends by name: the contents of every `backends/NAME/backend.toml`."""
    here = Path(__file__).parent
    return {f.parent.name: tomllib.loads(f.read_text(encoding="utf-8")) for f in sorted(here.glob("*/backend.toml"))}


def run(wanted: Wanted) -> Running:
    """Attach to or start what is wanted, with as many slots as the user says. Raises CannotMeasure with a sentence."""
    running = _run(wanted)
    if wanted.slots:
        running.target = replace(running.target, slots=wanted.slots)
    return running


def _run(wanted: Wanted) -> Running:
    """Attach to or start what is wanted.

    In this order: the address that the user named; a server that answers at one of the backend's usual addresses; a
    child process; a container. `wanted.runtime` leaves only one of them; a program or a model file that the user named
    is for a process of our own.
    """
    data = backends()[wanted.backend]
    if wanted.base_url is not None:
        return Running(attach(wanted, wanted.base_url, data))
    if "deploy" not in data:
        raise CannotStart(f"--backend {wanted.backend} needs to know where: add --base-url http://HOST:PORT/v1.")
    ours = wanted.server_binary is not None or any(Path(m).exists() for m in wanted.models.values())
    tried: list[str] = []
    if wanted.runtime == "attach" or (wanted.runtime is None and not ours):
        base_url, seen = listening.look(data, wanted.access)
        if base_url is not None:
            rest = "" if wanted.runtime else " (--runtime process starts one of our own)"
            found = f"attached to {base_url}, where {data['title']} answered already{rest}"
            return Running(attach(wanted, base_url, data, found))
        if wanted.runtime == "attach":
            raise CannotStart(f"No {data['title']} to attach to: {'; '.join(seen)}. Start it, or name its --base-url.")
        tried += seen
    if wanted.runtime == "container":
        return containers.start(wanted, data)
    try:
        program = process.program(wanted, data)
    except CannotStart as no_program:
        if wanted.runtime == "process" or wanted.server_binary:
            raise
        return _container_or(wanted, data, no_program, tried)
    return process.start(wanted, data, program)


def _container_or(wanted: Wanted, data: dict[str, Any], no_program: CannotStart, tried: list[str]) -> Running:
    """A container; if that cannot be either, the sentence that begins with what is missing."""
    try:
        return containers.start(wanted, data)
    except CannotStart as no_container:
        raise CannotStart(f"{no_program} ({'; '.join([*tried, str(no_container)])})") from None


__all__ = ["Running", "backends", "run"]
