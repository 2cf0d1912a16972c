"""Notes on the check that runs: the only state that the kit's words and the judge share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

HELD = 8
"""How many passed assertions a result keeps: the last ones."""


@dataclass(frozen=True)
class Drift:
    """The scenarios in which identical requests got different responses; `early`: also without a common beginning."""

    shows: tuple[str, ...]
    early: bool


@dataclass
class Notes:
    """The notes on one check.

    `lenient`: why an alternative was accepted. `parted`: the common beginnings of responses that differ. `held`: the
    assertions that held, in words. `generated`: the names of the responses whose generated text, or the number of its
    tokens, was read. `drift`: the drift that the judge allows for; None while it allows none.
    """

    lenient: list[str] = field(default_factory=list)
    parted: list[str] = field(default_factory=list)
    held: deque[str] = field(default_factory=lambda: deque(maxlen=HELD))
    generated: set[str] = field(default_factory=set)
    drift: Drift | None = None

    @property
    def compares(self) -> bool:
        """Whether the check compared what was generated for several responses."""
        return bool(self.parted) or len(self.generated) > 1


_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


def begin() -> Notes:
    """Empty notes, for the check that runs next."""
    notes = Notes()
    _notes.set(notes)
    return notes


def current() -> Notes:
    """The notes on the check that runs; outside of a check, fresh ones that nobody reads."""
    return _notes.get() or Notes()


@contextmanager
def tolerant(drift: Drift) -> Iterator[None]:
    """Within this block, differences like those between the target's controls are `inconclusive`."""
    notes = _notes.get() or begin()
    notes.drift = drift
    try:
        yield
    finally:
        notes.drift = None
