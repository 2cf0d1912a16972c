"""The clients that the suite can run: `fixtures/clients/NAME/client.toml`, a lock file and a short program."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[2] / "fixtures" / "clients"

TASKS = ("plain", "streamed", "tools", "structured", "errors", "overflow")
"""What a client is asked to do, in the order of the report."""

ALL = "all"


class UnknownClient(Exception):
    """There is no such client; `str()` says so, and which there are."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """A client, as its file describes it.

    `package` is its name at PyPI (`language` python) or npm (node), whose version the lock file has. `program` runs one
    task; its language is that of its file. `apis` are the APIs that it can use: chat, responses. A task takes at most
    `seconds`, and more than `requests` requests are a storm of retries. `env` goes to the program. `prompt` is the
    request of the tools task, if the client has tools of its own, `tool` the one of them that it asks for, and
    `harmless` says that a model may be made to call it.
    """

    name: str
    title: str
    homepage: str
    package: str
    language: str
    program: str
    apis: tuple[str, ...]
    tasks: tuple[str, ...]
    seconds: float
    requests: int
    node: int = 0
    env: tuple[tuple[str, str], ...] = ()
    prompt: str = ""
    tool: str = ""
    harmless: bool = False

    @property
    def directory(self) -> Path:
        """Where its files are."""
        return HERE / self.name

    @property
    def lock(self) -> Path:
        """The file that pins each package with its hash."""
        return self.directory / ("package-lock.json" if self.language == "node" else "requirements.txt")

    @property
    def version(self) -> str:
        """The version that the lock file pins."""
        text = self.lock.read_text(encoding="utf-8")
        if self.language == "node":
            return str(json.loads(text)["packages"][f"node_modules/{self.package}"]["version"])
        found = re.search(rf"^{re.escape(self.package)}==(\S+)", text, re.MULTILINE)
        assert found, f"{self.lock}: {self.package} is not there"
        return found[1]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A client with one of the APIs that it speaks: a row of the table."""

    client: Client
    api: str

    @property
    def id(self) -> str:
        """`langchain.chat`."""
        return f"{self.client.name}.{self.api}"


@cache
def clients() -> dict[str, Client]:
    """Every client by its name, in the order of the report: libraries before command lines."""
    found = {file.parent.name: _read(file) for file in sorted(HERE.glob("*/client.toml"))}
    return dict(sorted(found.items(), key=lambda one: bool(one[1].prompt)))


def chosen(names: str) -> list[Row]:
    """The rows of the named clients: `ai-sdk,opencode`, or `all`; one API of one: `ai-sdk.responses`.

    Raises UnknownClient.
    """
    rows = [Row(client=client, api=api) for client in clients().values() for api in client.apis]
    found: dict[str, Row] = {}
    for name in filter(None, (part.strip() for part in names.split(","))):
        fitting = [row for row in rows if name in (ALL, row.id, row.client.name)]
        if not fitting:
            raise UnknownClient(f"there is no client {name}; choose from {', '.join([ALL, *clients()])}.")
        found |= {row.id: row for row in fitting}
    if not found:
        raise UnknownClient(f"name one client or several: {', '.join([ALL, *clients()])}.")
    return [row for row in rows if row.id in found]


def _read(file: Path) -> Client:
    told: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    told |= {"apis": tuple(told["apis"]), "tasks": tuple(told["tasks"]), "env": tuple(told.get("env", {}).items())}
    return Client(name=file.parent.name, **told)
