"""Which device a container gets, and what the host must have and pass in for it."""

from __future__ import annotations

import grp
import re
import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from backends.errors import CannotStart

DEVICES = ("auto", "rocm", "cuda", "cpu")
"""The values of `--device`."""

ROOT = Path("/")


@cache
def known() -> dict[str, dict[str, Any]]:
    """The devices by name, in the order in which `auto` tries them: the contents of `devices.toml`."""
    return tomllib.loads((Path(__file__).parent / "devices.toml").read_text())


@dataclass(frozen=True, kw_only=True)
class Device:
    """What a container is given so that it sees the device; `groups` are the host's numbers, or names if unknown."""

    name: str
    devices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    gpus: bool = False
    environment: tuple[tuple[str, str], ...] = ()


def choose(asked: str, env: dict[str, str], box: dict[str, Any]) -> Device:
    """The device of that name, or for `auto` the first that this host has and `box`, a [container] table, is for.

    Raises CannotStart if there is none.
    """
    offered = [name for name in known() if name in box]
    if asked == "auto":
        asked = next((name for name in offered if not _missing(name)), offered[0])
    return describe(_there_is(asked, box), env)


def described(asked: str, env: dict[str, str], box: dict[str, Any]) -> Device:
    """The same for a container that may run elsewhere: this host need not have a device that was named."""
    return choose(asked, env, box) if asked == "auto" else describe(_offered(asked, box), env)


def _offered(name: str, box: dict[str, Any]) -> str:
    """The name of a device for which there is an image. Raises CannotStart."""
    offered = [one for one in known() if one in box]
    if name not in offered:
        raise CannotStart(f"The container {box['name']} has no image for {name}: add --device={' or '.join(offered)}.")
    return name


def _there_is(name: str, box: dict[str, Any]) -> str:
    """The name of a device that this host has. Raises CannotStart."""
    if missing := _missing(_offered(name, box)):
        others = [one for one in known() if one in box and not _missing(one)]
        instead = f"add --device={others[0]}" if others else "name a running server with --base-url"
        raise CannotStart(
            f"--device {name} needs {known()[name]['title']}, but this machine has no {missing}: "
            f"{known()[name]['mend']}, or {instead}."
        )
    return name


def describe(name: str, env: dict[str, str]) -> Device:
    """The device of that name, whether this host has it or not."""
    data = known()[name]
    return Device(
        name=name,
        devices=tuple(data.get("devices", ())),
        groups=tuple(dict.fromkeys(_group(group, files) for group, files in data.get("groups", {}).items())),
        gpus=data.get("gpus", False),
        environment=tuple((name, env[name]) for name in data.get("pass_on", ()) if env.get(name)),
    )


def facts(name: str, ask: Callable[[list[str]], str | None]) -> dict[str, str]:
    """What is known of the device from inside: `ask` runs a command there, and gives its output or None."""
    found: dict[str, str] = {}
    for fact in known()[name].get("facts", ()):
        for one in fact["ask"]:
            match = re.search(one["find"], ask(one["command"]) or "")
            if match:
                found[fact["name"]] = match[1].strip()
                break
    return found


def is_here() -> bool:
    """Whether this host has a device other than its CPU."""
    return any(not _missing(name) for name in known() if name != "cpu")


def _missing(name: str) -> str | None:
    """What the host lacks for the device, in words; None if nothing."""
    data = known()[name]
    if lacking := [path for path in data.get("needs_all", ()) if not _there(path)]:
        return " and no ".join(lacking)
    any_of = data.get("needs_any", ())
    return None if not any_of or any(_there(one) for one in any_of) else " and no ".join(any_of)


def _there(what: str) -> bool:
    return (ROOT / what[1:]).exists() if what.startswith("/") else shutil.which(what) is not None


def _group(name: str, files: str) -> str:
    """The number of a group on this host: of a device file's group, else of the group by name; else the name."""
    for file in sorted(ROOT.glob(files[1:])):
        return str(file.stat().st_gid)
    try:
        return str(grp.getgrnam(name).gr_gid)
    except KeyError:
        return name
