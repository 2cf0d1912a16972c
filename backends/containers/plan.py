"""What would be run: a backend's containers as plain data, from its `[container]` table. No engine is asked."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backends.containers.device import Device
from backends.data import roles_of
from backends.errors import CannotStart
from backends.launch import ROOT
from backends.wire import Role

PROBE = "fixtures/probe_model"
"""The probe model's directory; it has the same path below `INSIDE`, so that [deploy]'s relative paths hold there."""

INSIDE = "/suite"

_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::-([^}]*))?\}")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class Service:
    """A container to be. Strings may hold `${NAME:-default}`, and `$$` for `$`, as in a compose file. `volumes` hold
    plain paths, and are mounted read-only.

    `publish` is the port on the host's loopback; `fixed` says that the user named it, and it must not be changed.
    `role` is None if the container serves a model of the user's, whose roles are found by asking it.
    """

    role: Role | None
    name: str
    image: str
    command: tuple[str, ...]
    entrypoint: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    volumes: tuple[tuple[str, str], ...] = ()
    port: int
    publish: str
    fixed: bool
    devices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    gpus: bool = False
    security_opt: tuple[str, ...] = ()
    ipc: str | None = None
    shm_size: str | None = None
    model_file: str | None = None
    """The model on the host: a path, absolute or relative to the repository; or a name that the server resolves."""


def environment(env: dict[str, str], directory: Path) -> dict[str, str]:
    """`env` over what `directory/.env` sets, as a compose tool does it."""
    found: dict[str, str] = {}
    file = directory / ".env"
    for line in file.read_text().splitlines() if file.is_file() else ():
        name, equals, value = line.strip().removeprefix("export ").partition("=")
        if equals and not name.startswith("#"):
            found[name.strip()] = value.strip().strip("\"'")
    return {**found, **env}


def filled(text: str, env: dict[str, str]) -> str:
    """`text` with each `${NAME:-default}` replaced by the variable's value, and `$$` by `$`."""
    return _VARIABLE.sub(lambda m: (env.get(m[1]) or m[2] or "") if m[1] else "$", text)


def services(
    data: dict[str, Any], device: Device, env: dict[str, str], image: str | None = None, key: str | None = None
) -> list[Service]:
    """A backend's containers: one for the user's model if MODEL_PATH or MODELS_DIR name one, else the probe's.

    A table's `probe` has flags and variables for the probe's alone. Flags of the `[container]` tables may hold
    `{file}`, `{model}` and, for the user, `${NAME:-default}`. With a `key`, servers that know how refuse requests
    without it.
    """
    box, here = data["container"], data["container"][device.name]
    model = _users_model(box["model"], env) if "model" in box else None
    one_server = data["deploy"].get("one_server", False)
    roles: list[Role | None] = [None] if model else [*roles_of(data["deploy"])]
    publish = box.get("publish", str(box["port"]))
    first_port = _port(filled(publish, env), publish)
    planned = []
    for number, role in enumerate(roles[:1] if one_server else roles):
        spec = data["deploy"][role] if role else box["model"]
        words = {
            **spec,
            "file": model.inside.replace("$", "$$") if model else spec.get("file", ""),
            "model": spec.get("model", "model"),
            "port": box["port"],
        }
        tables = (box, here) if model else (box, here, box.get("probe", {}), here.get("probe", {}))
        ours = [_put(words, arg) for table in tables for arg in table.get("args", ())]
        secret = {n: value.format(key=key) for n, value in data["deploy"].get("key", {}).items() if key}
        theirs = [_put(words, arg) if model else arg.format(**words) for arg in spec.get("args", ())]
        # A server whose models are created through its API reads no file.
        probe = () if "hook" in data["deploy"] else ((str(ROOT / PROBE), f"{INSIDE}/{PROBE}"),)
        planned.append(
            Service(
                role=role,
                name=box["name"] if number == 0 else f"{box['name']}-{role}",
                image=image or here["image"],
                command=(*ours, *theirs),
                entrypoint=tuple(box.get("entrypoint", ())),
                environment=(*{**_environment(tables), **secret}.items(), *device.environment),
                volumes=model.volumes if model else probe,
                port=box["port"],
                publish=publish if number == 0 else str(first_port + number),
                fixed=number == 0 and any(env.get(name) for name, _ in _VARIABLE.findall(publish)),
                devices=device.devices,
                groups=device.groups,
                gpus=device.gpus,
                security_opt=tuple(here.get("security_opt", ())),
                ipc=here.get("ipc"),
                shm_size=here.get("shm_size"),
                model_file=model.file if model else spec.get("file"),
            )
        )
    return planned


def _environment(tables: tuple[dict[str, Any], ...]) -> dict[str, str]:
    return {name: value for table in tables for name, value in table.get("env", {}).items()}


def _put(words: dict[str, Any], text: str) -> str:
    return text.replace("{file}", words["file"]).replace("{model}", words["model"])


def _port(text: str, publish: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        names = " or ".join(name for name, _ in _VARIABLE.findall(publish) if name)
        raise CannotStart(f"{text!r} is not a port: set {names or '`container.publish`'} to a number up to 65535.")
    return int(text)


@dataclass(frozen=True)
class _Model:
    inside: str
    volumes: tuple[tuple[str, str], ...]
    file: str


def _users_model(spec: dict[str, Any], env: dict[str, str]) -> _Model | None:
    """The model that MODEL_PATH names, inside MODELS_DIR or anywhere; None if neither variable is set."""
    named = next((env[v] for v in spec.get("variables", ()) if env.get(v)), None)
    if not named and not env.get("MODELS_DIR"):
        return None
    models, inside = Path(env.get("MODELS_DIR") or "models").expanduser().resolve(), spec["directory"]
    if env.get("MODELS_DIR") and not models.is_dir():
        raise CannotStart(
            f"MODELS_DIR={env['MODELS_DIR']} is not a directory: set it to the one that holds your models."
        )
    if "variables" not in spec:
        return _Model(inside, ((str(models), inside),), str(models))
    if not named:
        named = _only_model(models, spec["pattern"])
    below = Path(named).relative_to(inside) if named.startswith(inside + "/") else Path(named).expanduser()
    for path in (models / below, below):
        if path.exists() and path.resolve().is_relative_to(models):
            return _Model(f"{inside}/{path.resolve().relative_to(models)}", ((str(models), inside),), str(path))
        if path.exists():
            path = path.resolve()
            return _Model(f"{inside}/{path.name}", ((str(path.parent), inside),), str(path))
    if spec.get("hub_ids") and _HUB_ID.fullmatch(named) and not named.endswith(".gguf"):
        return _Model(named, (), named)
    raise CannotStart(
        f"The model {named} is not there: MODEL_PATH must name a file or directory on this machine or below MODELS_DIR "
        f"({models}), which is {inside} in the container; it holds {_shown(sorted(models.glob('*')), models)}."
    )


def _only_model(models: Path, pattern: str) -> str:
    # A directory of weights is named by its config.json, a GGUF file by itself.
    found = [p.parent if p.name == "config.json" else p for p in sorted(models.glob(pattern))]
    if len(found) == 1:
        return str(found[0])
    raise CannotStart(
        f"MODELS_DIR ({models}) holds {_shown(found, models)} that fit {pattern}: say which with MODEL_PATH=NAME."
        if found
        else f"MODELS_DIR ({models}) holds no model ({pattern}): put one there, or unset MODELS_DIR."
    )


def _shown(paths: list[Path], base: Path) -> str:
    names = [str(p.relative_to(base)) for p in paths]
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "") or "nothing"
