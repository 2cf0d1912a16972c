"""How a gateway changes requests and responses, for the page and the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from conformance.results import CheckResult
from conformance.results.gateways import Change, Gateway
from reports.evidence import Shown
from reports.table import Column, slug

LEGAL_EXAMPLES = 1
"""How many exchanges are shown for a change that a gateway may make."""


class Example(NamedTuple):
    """An exchange with what was changed in it, on the client's side and on the upstream's, and both wires."""

    name: str
    client: str
    upstream: str
    passed: Shown | None
    arrived: list[Shown]


def anchor(column: Column, change: Change) -> str:
    """Where the page shows a change."""
    return f"gateway/{column.key}/{slug(change.side + '-' + change.what)}{'-legal' if change.legal else ''}"


def anchor_of(column: Column, sentence: str) -> str:
    """Where the page shows the change of a cause, by the cause's sentence."""
    found = (one for gateway in column.gateways for one in gateway.wrong if one.counted == sentence)
    return next((anchor(column, one) for one in found), "")


def checks(column: Column, change: Change) -> list[CheckResult]:
    """The checks that fail because of a change."""
    causes = (one for one in column.causes if one.kind == "gateway" and one.sentence == change.counted)
    return [check for cause in causes for check in cause.checks]


def examples(column: Column, gateway: Gateway, change: Change) -> Iterator[Example]:
    """Exchanges in which a change was seen."""
    for name in list(change.examples)[: LEGAL_EXAMPLES if change.legal else None]:
        arrived = [
            Shown(name, number, 1, False, one, column.name)
            for number, one in enumerate(gateway.arrived.get(name, ()), start=1)
        ]
        yield Example(name, *change.examples[name], _passed(column, name), arrived)


def in_short(gateway: Gateway) -> str:
    """How many requests were compared, and what could not be."""
    said = [f"{gateway.compared} requests compared with what arrived at the upstream"]
    if gateway.unmatched:
        said.append(f"{len(gateway.unmatched)} that the gateway answered without it")
    if gateway.unexplained:
        requests = ", ".join(f"{number} {line}" for line, number in gateway.unexplained.items())
        said.append(f"arrived there that match no recorded exchange: {requests}")
    return "; ".join(said)


def _passed(column: Column, name: str) -> Shown | None:
    """The exchange as the client saw it."""
    scenario, _, number = name.partition("[")
    several = (column.exchanges(scenario) or {}).get("exchanges", [])
    at = int(number.rstrip("]") or 1)
    return Shown(scenario, at, len(several), False, several[at - 1], column.name) if at <= len(several) else None
