"""Results files as runs of one target each: files with several targets are split, shards of one run are joined.

Shards are files that a CI's matrix made of one run. The rule: the same target name, backend, version and models, the
same suite version, started less than `WINDOW` apart, and no check selected in two of them. Two whole runs have checks
in common and therefore are never joined.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from conformance.results import Exchanges, Results

WINDOW = 6 * 3600.0
"""Seconds between the starts of the first and the last shard: how long a job of a CI may wait and run."""


def runs(files: Iterable[Results]) -> list[Results]:
    """A run for each target of each file, with the shards of one joined, in the order given."""
    joined: list[_Run] = []
    for part in (part for one in files for part in split(one)):
        run = next((run for run in joined if run.takes(part)), None)
        if run is None:
            joined.append(_Run([part]))
        else:
            run.parts.append(part)
    return [join(run.parts) for run in joined]


def split(results: Results) -> list[Results]:
    """A results file for each target."""
    if len(results.targets) == 1:
        return [results]
    return [
        Results(
            header={**results.header, "targets": [target]},
            checks=[c for c in results.checks if c.target == target["name"]],
            exchanges=Exchanges({k: line for k, line in results.exchanges.lines.items() if k[0] == target["name"]}),
            footer=results.footer,
            findings=[f for f in results.findings if f.target == target["name"]],
            clients=[c for c in results.clients if c.target == target["name"]],
            gateways=[g for g in results.gateways if g.target == target["name"]],
        )
        for target in results.targets
    ]


def join(parts: list[Results]) -> Results:
    """The shards of one run as one; it is whole if all of them are, and lasted as long as all of them together."""
    if len(parts) == 1:
        return parts[0]
    parts = sorted(parts, key=lambda part: float(part.header["started"]))
    footers = [part.footer for part in parts if part.footer is not None]
    footer: dict[str, Any] | None = None
    if len(footers) == len(parts):
        footer = {
            "kind": "footer",
            "duration": sum(f["duration"] for f in footers),
            "exit_code": max(f["exit_code"] for f in footers),
            "stopped": next((f["stopped"] for f in footers if f["stopped"]), None),
        }
    return Results(
        header={
            **parts[0].header,
            "command": "; ".join(dict.fromkeys(part.header["command"] for part in parts)),
            "selected": [one for part in parts for one in part.header["selected"]],
        },
        checks=[check for part in parts for check in part.checks],
        exchanges=Exchanges({key: line for part in parts for key, line in part.exchanges.lines.items()}),
        footer=footer,
        findings=list({f.sentence: f for part in parts for f in part.findings}.values()),
        clients=[client for part in parts for client in part.clients],
        gateways=[gateway for part in parts for gateway in part.gateways],
    )


@dataclass
class _Run:
    parts: list[Results]

    def takes(self, part: Results) -> bool:
        """Whether it is a shard of this run."""
        starts = [float(one.header["started"]) for one in (*self.parts, part)]
        mine = {check["id"] for one in self.parts for check in one.header["selected"]}
        return (
            _identity(self.parts[0]) == _identity(part)
            and max(starts) - min(starts) < WINDOW
            and mine.isdisjoint(check["id"] for check in part.header["selected"])
        )


def _identity(part: Results) -> tuple[Any, ...]:
    [target] = part.targets
    models = tuple((d["role"], d["model"]) for d in target["deployments"])
    return (
        target["name"],
        target["backend"],
        target["version"],
        models,
        part.header["suite"],
        part.header.get("requirements"),
    )
