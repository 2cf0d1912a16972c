"""What a client can do with a server, in words: "works with …; loses …"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from conformance.clients.data import Row
from conformance.clients.kept import Kept, Server
from conformance.outcomes import Outcome
from conformance.results.clients import ClientResult


@dataclass(frozen=True, kw_only=True)
class Story:
    """A client with one of its APIs on a server."""

    row: Row
    server: Server
    results: tuple[ClientResult, ...]

    @property
    def works(self) -> list[ClientResult]:
        """The tasks that the client does."""
        return [one for one in self.results if one.outcome.good]

    @property
    def loses(self) -> list[ClientResult]:
        """The tasks that the server does not let it do."""
        return [one for one in self.results if one.outcome.bad or one.outcome is Outcome.REJECTED]

    @property
    def undecided(self) -> list[ClientResult]:
        """The other tasks: the model, or the client itself, may be the reason."""
        return [one for one in self.results if one not in self.works and one not in self.loses]

    @property
    def summary(self) -> str:
        """One sentence: "works with plain and streamed; loses tools"."""
        parts = [("works with", self.works), ("loses", self.loses), ("not decided:", self.undecided)]
        said = [f"{how} {listed([one.task for one in some])}" for how, some in parts if some]
        return "; ".join(said) or "did not run"

    @property
    def told(self) -> list[ClientResult]:
        """The results that need a sentence."""
        return [one for one in self.results if one.checks or one.outcome is not Outcome.PASS]


@dataclass(frozen=True, kw_only=True)
class Loss:
    """What clients lose for the same reason: the checks that find it, what mends it if that was proved, and who."""

    checks: tuple[str, ...]
    cause: str
    of: tuple[ClientResult, ...]


def stories(kept: Kept, row: Row) -> list[Story]:
    """A client on every server."""
    return [Story(row=row, server=one, results=tuple(kept.of(one, row))) for one in kept.servers]


def losses(kept: Kept, server: Server) -> list[Loss]:
    """What clients lose on a server, by reason; what no check finds stands alone."""
    found: dict[tuple[str, ...], list[ClientResult]] = {}
    for row in kept.rows():
        for one in Story(row=row, server=server, results=tuple(kept.of(server, row))).loses:
            found.setdefault((one.cause, *one.checks) if one.checks else (one.id,), []).append(one)
    return [
        Loss(checks=tuple(some[0].checks), cause=some[0].cause, of=tuple(some))
        for some in sorted(found.values(), key=lambda some: -len(some))
    ]


def sentence(one: ClientResult) -> str:
    """Why a task ended as it did, with its cause."""
    said = one.message.rstrip(".")
    said = f"{said[:1].upper()}{said[1:]}." if said else ""
    return f"{said} It {one.cause}.".strip() if one.cause else said


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
