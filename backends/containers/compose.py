"""A backend's containers as a compose file: what `--runtime container` would start, for a user to keep and change."""

from __future__ import annotations

import json
from typing import Any

from backends.containers.plan import INSIDE, Service


def text(services: list[Service], command: str) -> str:
    """The compose file; `command` says how it was made."""
    return f"# Made by: {command}\n" + "\n".join(_yaml({"services": {s.name: _service(s) for s in services}})) + "\n"


def _service(service: Service) -> dict[str, Any]:
    gpu = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    some: dict[str, Any] = {
        "entrypoint": list(service.entrypoint),
        "command": list(service.command),
        "environment": dict(service.environment),
        "devices": [f"{path}:{path}" for path in service.devices],
        "group_add": list(service.groups),
        "deploy": {"resources": {"reservations": {"devices": [gpu]}}} if service.gpus else None,
        "security_opt": list(service.security_opt),
        "ipc": service.ipc,
        "shm_size": service.shm_size,
        "volumes": [_volume(host, inside) for host, inside in service.volumes],
    }
    return {
        "image": service.image,
        "container_name": service.name,
        "working_dir": INSIDE,
        "ports": [f"127.0.0.1:{service.publish}:{service.port}"],
        **{name: value for name, value in some.items() if value},
    }


def _volume(host: str, inside: str) -> dict[str, Any]:
    """In the long form, as a path may have a colon; a `$` is doubled, as it would begin a variable."""
    return {"type": "bind", "source": host.replace("$", "$$"), "target": inside, "read_only": True}


def _yaml(value: Any, indent: int = 0) -> list[str]:
    """Plain data as lines of YAML; every text is quoted, as in JSON, which YAML contains."""
    space = "  " * indent
    if isinstance(value, dict):
        lines = []
        for key, inner in value.items():
            if isinstance(inner, dict) or (isinstance(inner, list) and inner and isinstance(inner[0], dict)):
                lines += [f"{space}{key}:", *_yaml(inner, indent + 1)]
            elif isinstance(inner, list):
                lines += [f"{space}{key}:", *(f"{space}  - {json.dumps(one)}" for one in inner)]
            else:
                lines.append(f"{space}{key}: {json.dumps(inner)}")
        return lines
    return [f"{space}- {json.dumps(one)}" for one in value]
