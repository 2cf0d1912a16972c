"""What a server and its model are, for comparing columns: version, build, model file, quantisation, device, slots."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backends import gguf, wire
from backends.access import Access
from backends.address import root
from backends.launch import ROOT
from backends.wire import Exchange

WHOLE = 2 << 30
"""Bytes up to which a file is hashed from end to end (seconds); of a larger one the first `HEAD` bytes are."""

HEAD = 16 << 20

_VERSION_HEADER = re.compile(r"x-([a-z][a-z0-9-]*)-version")
_NOT_SERVERS = ("api", "openai", "request", "response", "schema")
_VERSION_ROUTES = (
    {"path": "/version", "key": "version"},
    {"path": "/api/version", "key": "version"},
    {"path": "/props", "key": "build_info"},
)

_WEB_SERVERS = re.compile(
    r"(?i)(uvicorn|gunicorn|hypercorn|granian|daphne|werkzeug|python|basehttp|simplehttp|tornado|waitress|cheroot"
    r"|aiohttp|nginx|openresty|apache|caddy|(istio-)?envoy|cloudfl?|aws|traefik|haproxy|varnish|litespeed|microsoft-iis"
    r"|kestrel|jetty|tomcat|undertow|express|hyper|actix|axum)"
)
"""Names in the header `Server` that are of an HTTP program, and not of the model server."""

SLOTS = 16
"""The most requests that are sent at the same time, however many a server says that it handles."""


@dataclass
class Facts:
    """What was found out; `details` by name, for `Target.details`."""

    version: str | None = None
    code_path: str | None = None
    slots: int | None = None
    details: dict[str, str] = field(default_factory=dict)


class Asker:
    """Asks a server's own endpoints, each once, by what a `backend.toml` says: `path`, `key`, and `show` for a POST.

    `at` is the URL that those paths are appended to. What they answer is bounded and without secrets, as all that
    `wire.send` returns.
    """

    def __init__(self, at: str, access: Access, model: str = "", seconds: float = 5.0) -> None:
        self._at = at
        self._http = wire.client(seconds, access)
        self._model = model
        self._seen: dict[str, Any] = {}
        self.wants_key = False
        """Whether an answer was that the key is missing or wrong."""

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, how: dict[str, Any]) -> Any:
        """The value at the dotted `key` of the JSON at `path`, or None; `{model}` in a key picks a list's entry."""
        value = self.page(how["path"], show=how.get("show", False))
        for step in how["key"].split("."):
            if isinstance(value, list):
                value = _entry(value, step.format(model=self._model))
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value

    def page(self, path: str, show: bool = False) -> Any:
        """The JSON at `path`, or None; `show` asks by POST for the model."""
        if path not in self._seen:
            method, body = ("POST", {"model": self._model}) if show else ("GET", None)
            request = wire.Request(method=method, path=self._at + path, body=body)
            answer = wire.send(request, "", model="", http=self._http)
            self.wants_key = self.wants_key or answer.status in (401, 403)
            self._seen[path] = None
            with contextlib.suppress(ValueError, RecursionError):
                if answer.status == 200 and not answer.error:
                    self._seen[path] = json.loads(answer.body)
        return self._seen[path]


def attached(base_url: str, data: dict[str, Any], model: str, access: Access) -> Facts:
    """What a server tells of itself and its `model`, by the `attach` table of its backend's data.

    A file that it names is not read: the server may run elsewhere, or name what is none of its own.
    """
    tells = data.get("attach", {})
    facts = Facts()
    if not tells:
        return facts
    with Asker(root(base_url), access, model) as asker:
        facts.version = text(asker.get(tells["version"])) if "version" in tells else None
        slots = asker.get(tells["slots"]) if "slots" in tells else None
        facts.slots = min(slots, SLOTS) if isinstance(slots, int) and slots > 0 else None
        if "code_path" in tells:
            shown, patterns = str(asker.get(tells["code_path"])), tells["code_path"]["is"]
            facts.code_path = next((name for name, pattern in patterns.items() if re.search(pattern, shown)), None)
        for name, how in tells.get("facts", {}).items():
            if said := text(asker.get(how)):
                facts.details[name] = said
    if facts.slots:
        facts.details["slots"] = str(facts.slots)
    facts.details.setdefault("device", f"not said by the server; {host()}" if on_this_machine(base_url) else "not said")
    return facts


def told_version(base_url: str, answers: Iterable[Exchange | None], access: Access) -> str | None:
    """The version of a server of no known kind: from a header that names one, its usual routes, or `Server`."""
    headers = [(k.lower(), v.strip()) for answer in answers if answer for k, v in answer.headers]
    for name, value in headers:
        if (named := _VERSION_HEADER.fullmatch(name)) and named[1] not in _NOT_SERVERS and value:
            return text(f"{named[1]} {value}")
    with Asker(root(base_url), access) as asker:
        info = asker.get({"path": "/openapi.json", "key": "info"})
        if isinstance(info, dict) and isinstance(info.get("title"), str) and info["title"] not in ("", "FastAPI"):
            return text(f"{info['title']} {info.get('version') or ''}".strip())
        for how in _VERSION_ROUTES:
            if isinstance(said := asker.get(how), str) and said:
                return text(said)
    product = next((value for name, value in headers if name == "server"), "")
    return None if _WEB_SERVERS.match(product) else text(product)


def on_this_machine(base_url: str) -> bool:
    """Whether a URL's host is this machine (a container's files are another matter)."""
    return urlsplit(base_url).hostname in ("127.0.0.1", "localhost", "::1")


def described(path: Path) -> str:
    """A model's file or directory, with a hash that tells two models apart."""
    if path.is_dir():
        parts = sorted(f for f in path.iterdir() if f.suffix in (".safetensors", ".bin", ".json", ".jinja"))
        whole = hashlib.sha256("".join(f"{f.name} {_digest(f)}\n" for f in parts).encode()).hexdigest()
        return f"{path.name}/ (sha256 of {len(parts)} files {whole[:12]})"
    note = "" if path.stat().st_size <= WHOLE else f" of the first {HEAD >> 20} MiB"
    return f"{path.name} (sha256{note} {_digest(path)[:12]})"


def quantisation(path: Path) -> str:
    """How a model's weights are stored: `F16`, `Q4_K_M`, `bfloat16`, `awq` …; `unknown` if its files do not say."""
    if path.is_dir():
        config = json.loads((path / "config.json").read_text()) if (path / "config.json").exists() else {}
        method = (config.get("quantization_config") or {}).get("quant_method")
        return str(method or config.get("dtype") or config.get("torch_dtype") or "unknown")
    try:
        return gguf.read(path).quantisation
    except (gguf.NotGGUF, OSError):
        return "unknown"


def host() -> str:
    """The machine: its GPUs if it has any, else its processor."""
    cpu = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    return f"this machine has {', '.join(gpus()) or 'no GPU'}; {cpu}"


def gpus() -> list[str]:
    """The GPUs of this machine, as the vendors' tools name them; for ROCm without its tools, the device node."""
    found = [line.partition(" (UUID")[0] for line in _said("nvidia-smi", "-L") if line.startswith("GPU ")]
    if not found and Path("/dev/kfd").exists():
        names = [line.partition("Card Series:")[2].strip() for line in _said("rocm-smi", "--showproductname")]
        found = [f"AMD {name}" for name in names if name] or ["an AMD GPU (/dev/kfd)"]
    return found


def text(value: Any) -> str | None:
    """A value that a server told, as text, or None if it told nothing."""
    return None if value is None or value in ("", [], {}) or isinstance(value, (dict, list)) else str(value)[:200]


def _entry(entries: list[Any], step: str) -> Any:
    if step.isdigit():
        return entries[int(step)] if int(step) < len(entries) else None
    return next((e for e in entries if isinstance(e, dict) and step in (e.get("id"), e.get("name"))), None)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        if path.stat().st_size <= WHOLE:
            return hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(file.read(HEAD)).hexdigest()


def _said(*command: str) -> list[str]:
    if shutil.which(command[0]) is None:
        return []
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.splitlines()
    except (OSError, subprocess.TimeoutExpired):
        return []


def repository_path(file: str) -> Path:
    """A path as a `backend.toml` or a user has it: relative ones begin at the repository."""
    return ROOT / file
