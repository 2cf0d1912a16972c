"""How a gateway changes requests and responses, as a line of a results file."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from conformance.outcomes import Level

Side = Literal["request", "response"]

COMMON = ("messages", "input", "tools", "error")
"""Parameters that most requests have: a check is about their contents."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that a gateway does to requests or responses.

    `what` is a kind of change with the member or header: `dropped logit_bias`. `sentence` says it. `legal`: a gateway
    may do it. `by_itself`: all that a check says of these exchanges may come from it. `exchanges` are those in which
    it was seen. `examples` has, for the first of them, what was on the client's side and on the upstream's, as text.
    """

    side: Side
    what: str
    sentence: str
    legal: bool = False
    by_itself: bool = False
    exchanges: list[str]
    examples: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def counted(self) -> str:
        """The sentence with the number of requests."""
        number = len(self.exchanges)
        return f"{self.sentence}: {number} request{'' if number == 1 else 's'}"

    @property
    def members(self) -> list[str]:
        """The names by which checks speak of what is changed: the member's own and, of a request, the parameter."""
        path = re.sub(r"\[\]", "", self.what.partition(" ")[2])
        names = path.split(".")
        top = names[:1] if self.side == "request" and names[0] not in COMMON else []
        return [name for name in dict.fromkeys([*top, *names[-1:]]) if re.fullmatch(r"\w+", name)]


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """All changes of a gateway. `compared` is how many requests had an arrival at the upstream.

    `unmatched` are exchanges that the gateway answered without the upstream, `unexplained` the requests that arrived
    there and are of no exchange, by method and path. `arrived` is the upstream's side of the examples, as wires of a
    results file, by exchange. `notes` say what was not judged.
    """

    target: str
    compared: int
    changes: list[Change]
    unmatched: list[str] = field(default_factory=list)
    unexplained: dict[str, int] = field(default_factory=dict)
    arrived: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def wrong(self) -> list[Change]:
        """What a gateway may not do."""
        return [one for one in self.changes if not one.legal]

    @property
    def legal(self) -> list[Change]:
        """What it may do."""
        return [one for one in self.changes if one.legal]

    def fails(self, lowest: Level | None) -> bool:
        """Whether it fails a run whose `--fail-on` is this level: what a gateway may not do is a SHOULD, and a MUST if
        the client's key leaks."""
        leaked = any(one.what.startswith("key ") for one in self.wrong)
        return leaked if lowest is Level.MUST else lowest is Level.SHOULD and bool(self.wrong)

    def to_json(self) -> dict[str, Any]:
        """The `gateway` line."""
        changes = [{**vars(one), "examples": {k: list(v) for k, v in one.examples.items()}} for one in self.changes]
        return {"kind": "gateway", **vars(self), "changes": changes}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> Gateway:
        """The inverse of `to_json`; keys of later suites are left out."""
        known = {k: v for k, v in line.items() if k in cls.__dataclass_fields__}
        return cls(**{**known, "changes": [_change(one) for one in line["changes"]]})


def _change(data: dict[str, Any]) -> Change:
    known = {k: v for k, v in data.items() if k in Change.__dataclass_fields__}
    return Change(**{**known, "examples": {k: (v[0], v[1]) for k, v in data.get("examples", {}).items()}})
