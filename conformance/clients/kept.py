"""What was measured with real clients, kept in the repository: `measured.json`, of which the pages are made.

`python -m conformance.clients keep RESULTS` adds runs to it. Nothing in it is written by hand.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from backends import find
from conformance.clients import data, install
from conformance.outcomes import Outcome
from conformance.results import Results
from conformance.results.clients import ClientResult

FILE = Path(__file__).with_name("measured.json")

LAST = "reference"
"""The server that is correct comes after the others."""


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server with which clients were run: its name in results, its title, its version, and the day."""

    name: str
    title: str
    version: str
    day: str


@dataclass(frozen=True, kw_only=True)
class Kept:
    """All that is kept. `costs` has `version`, `mb` and `seconds` of each client's installation, by its name."""

    servers: tuple[Server, ...] = ()
    results: tuple[ClientResult, ...] = ()
    costs: dict[str, dict[str, Any]]

    def of(self, server: Server, row: data.Row) -> list[ClientResult]:
        """What a client did with a server, in the order of the tasks; empty if it did not run there."""
        which = (server.name, row.client.name, row.api)
        found = [one for one in self.results if (one.target, one.client, one.api) == which]
        return sorted(found, key=lambda one: data.TASKS.index(one.task))

    def rows(self) -> list[data.Row]:
        """The clients that ran with any server."""
        ran = {(one.client, one.api) for one in self.results}
        return [row for row in data.chosen(data.ALL) if (row.client.name, row.api) in ran]


def read(file: Path = FILE) -> Kept:
    """What is kept; nothing if there is no file yet."""
    if not file.exists():
        return Kept(costs={})
    told = json.loads(file.read_text(encoding="utf-8"))
    return Kept(
        servers=tuple(Server(**one) for one in told["servers"]),
        results=tuple(ClientResult.from_json(one) for one in told["results"]),
        costs=told["costs"],
    )


def write(kept: Kept, file: Path = FILE) -> None:
    """Keep it: a line for each result, so that a diff shows what changed."""
    lines = ",\n".join(json.dumps(one.to_json(), ensure_ascii=False) for one in kept.results)
    servers = ",\n".join(json.dumps(asdict(one)) for one in kept.servers)
    costs = ",\n".join(f"{json.dumps(name)}: {json.dumps(cost)}" for name, cost in kept.costs.items())
    text = f'{{"servers": [\n{servers}\n],\n"costs": {{\n{costs}\n}},\n"results": [\n{lines}\n]}}\n'
    file.write_text(text, encoding="utf-8")


def add(kept: Kept, runs: Iterable[Results]) -> Kept:
    """What is kept with more runs: a task that was measured again replaces the older result.

    Results with another version of the server, or of the client, are left out.
    """
    servers = {one.name: one for one in kept.servers}
    results = {(one.target, one.id): one for one in kept.results}
    for run in runs:
        day = time.strftime("%Y-%m-%d", time.gmtime(run.header["started"]))
        for target in run.targets:
            name, version = str(target["name"]), str(target["version"] or "")
            title = _title(str(target["backend"]), name)
            if name in servers and servers[name].version != version:
                results = {which: one for which, one in results.items() if which[0] != name}
            servers[name] = Server(name=name, title=title, version=version, day=day)
        # What was not run says nothing new.
        done = [one for one in run.clients if one.outcome is not Outcome.NOT_RUN]
        results |= {(one.target, one.id): one for one in done}
    known = data.clients()
    current = [one for one in results.values() if one.client in known and known[one.client].version == one.version]
    costs = {client.name: {"version": client.version, **install.facts(client)} for client in known.values()}
    costs = {name: cost if "mb" in cost else kept.costs.get(name, cost) for name, cost in costs.items()}
    ran = {one.client for one in current}
    return replace(
        kept,
        servers=tuple(sorted(servers.values(), key=lambda one: (one.name == LAST, one.title.lower()))),
        results=tuple(sorted(current, key=_order)),
        costs={name: cost for name, cost in costs.items() if name in ran},
    )


def median(some: Sequence[ClientResult]) -> float:
    """The seconds of a task, of those that took any."""
    took = sorted(one.seconds for one in some if one.seconds)
    return took[len(took) // 2] if took else 0.0


def _title(backend: str, name: str) -> str:
    """`LiteLLM in front of llama.cpp`: what a gateway's upstream does not do, the gateway does not do either."""
    about = find.backends().get(backend, {})
    behind = find.backends().get(about.get("deploy", {}).get("upstream", ""), {})
    title = str(about.get("title", name))
    return f"{title} in front of {behind['title']}" if behind else title


def _order(one: ClientResult) -> tuple[Any, ...]:
    return one.target == LAST, one.target, one.client, one.api, data.TASKS.index(one.task)
