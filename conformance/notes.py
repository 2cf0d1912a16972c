"""What the kit's words note while one check runs, and what the judge lets them know: the only state that they share."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

HELD = 8
"""How many assertions that held a result keeps: the last ones."""


@dataclass(frozen=True)
class Drift:
    """The scenarios in which identical requests got different responses; `early`: also without a common beginning."""

    shows: tuple[str, ...]
    early: bool


@dataclass
class Notes:
    """The notes on one check.

    `lenient`: why an alternative was accepted. `parted`: the common beginnings of responses that differ. `held`: the
    assertions that held, in words. `drift`: the drift that the judge allows for; None while it allows none.
    """

    lenient: list[str] = field(default_factory=list)
    parted: list[str] = field(default_factory=list)
    held: deque[str] = field(default_factory=lambda: deque(maxlen=HELD))
    drift: Drift | None = None


_notes: ContextVar[Notes | None] = ContextVar("notes", default=None)


def begin() -> Notes:
    """Empty notes, for the check that runs next."""
    notes = Notes()
    _notes.set(notes)
    return notes


def current() -> Notes:
    """The notes on the check that runs; fresh ones, which nobody reads, outside of a check."""
    return _notes.get() or Notes()


@contextmanager
def tolerant(drift: Drift) -> Iterator[None]:
    """Within this block, responses that differ as those of the target's controls do are `inconclusive`."""
    notes = _notes.get() or begin()
    notes.drift = drift
    try:
        yield
    finally:
        notes.drift = None
