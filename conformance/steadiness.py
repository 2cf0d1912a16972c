"""Whether the same request gets the same text again, and what it means if two texts part.

What is computed together with other requests, or taken from a cache, is added up in another order, and its last bits
differ. Where two tokens are almost as likely as each other, the text then goes another way. With the probe model that
is rare; with a large quantised model it is the rule. Such texts begin alike, which those of different draws do not.

So texts must be the same, first of all. Where they are not, but begin alike, and the target is `unsteady`, the judge
runs the check again, `tolerant`: then texts that begin alike came again, or say nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import combinations

from conformance.answers import Generated, Response
from conformance.outcomes import Fail, Inconclusive, Verdict, shown
from conformance.recording import Source, answers

Written = Generated | Response

A_TOKEN = 4
"""Bytes that texts must share at least to have begun alike: a token of English, about."""

CONTROLS = ("greedy", "counts_alone", "counts_together", "seeds_together")
"""Scenarios that have the same request several times: the first among others, the next two alone and at once."""

_tolerant: ContextVar[bool] = ContextVar("tolerant", default=False)
_parted: ContextVar[list[str] | None] = ContextVar("parted", default=None)


def watch_parting() -> list[str]:
    """A new list, to which the words below add what different texts begin with, until the next call."""
    found: list[str] = []
    _parted.set(found)
    return found


@contextmanager
def tolerant() -> Iterator[None]:
    """Meanwhile texts that begin alike are taken for what an unsteady target makes of one request."""
    token = _tolerant.set(True)
    try:
        yield
    finally:
        _tolerant.reset(token)


def same_text(text: str, other: str) -> bool:
    """Whether a text is the same as one that was generated apart from it; ends the check if it is not."""
    if text == other:
        return True
    alike = beginning(text, other)
    if _excused(alike):
        raise Inconclusive(f"the texts differ after {alike[-40:]!r}", expected=other, actual=text)
    raise Fail(f"the texts differ after {alike[-40:]!r}", expected=other, actual=text)


def mostly_same(some: Sequence[Written], others: Sequence[Written]) -> bool:
    """Whether all answers but one have the text of their counterparts; ends the check if not, like `same_text`."""
    pairs = [(one.text, other.text) for one, other in zip(some, others, strict=True)]
    differ = [pair for pair in pairs if pair[0] != pair[1]]
    return len(differ) < 2 or same_text(*min(differ, key=lambda pair: len(beginning(*pair))))


def came_again(some: Sequence[Written], others: Sequence[Written], *drawn: Sequence[Written]) -> int:
    """How many answers of a list come again in the other one, which was made with the same seeds.

    An answer comes again if its text does. For an unsteady target it is enough if it begins alike for longer than any
    two answers of a list `drawn`, which were drawn with different seeds, or without.
    """
    least = max(_alike_at_most([answer.text for answer in one]) for one in drawn)
    pairs = [(one.text, other.text) for one, other in zip(some, others, strict=True)]
    return sum(one == other or _excused(beginning(one, other), least) for one, other in pairs)


def came_as(models: Sequence[Written], tries: Sequence[Written], *drawn: Sequence[Written]) -> int:
    """How many of some tries, at most, came again as one of the models."""
    return max(came_again([one] * len(tries), tries, *drawn) for one in models)


def moved(before: Sequence[Generated], again: Sequence[Generated], after: Sequence[Generated]) -> bool:
    """Whether a parameter changed an answer: one that came again by itself, with the same seed, and then did not.

    Answers that do not come again are left out: what is computed together differs in its last bits.
    """
    steady = [(one, other) for one, same, other in zip(before, again, after, strict=True) if one.text == same.text]
    shown(len(steady) >= len(before) - 1, "the same seed does not give the same answer, so nothing can be compared")
    return any(one.text != other.text for one, other in steady)


def beginning(one: str, other: str) -> str:
    """What two texts begin with, both."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:at]
    return min(one, other, key=len)


def unsteady(source: Source) -> list[str]:
    """The scenarios in which the target gave the same request two texts that begin alike; none if it is steady.

    Most is seen where many requests are answered at once. What is drawn with a seed shows it, too: a draw falls on the
    edge between two tokens sooner than the two likeliest tokens are equal. A text that only ends early shows nothing.
    """
    try:
        greedy, alone, together, drawn = (_texts(source, name) for name in CONTROLS)
    except Verdict:
        return []
    first, again = drawn[::2], drawn[1::2]
    for names, pairs, least in (
        (["greedy"], [(text, greedy[0]) for text in greedy], 0),
        (["counts_alone", "counts_together"], zip(alone, together, strict=False), 0),
        (["seeds_together"], zip(first, again, strict=True), max(_alike_at_most(first), _alike_at_most(again))),
    ):
        if any(_parts(one, other, least) for one, other in pairs):
            return names
    return []


def _parts(one: str, other: str, least: int) -> bool:
    alike = beginning(one, other)
    return _counts(alike, least) and alike not in (one, other)


def _excused(alike: str, least: int = 0) -> bool:
    """Whether two texts that differ may be taken for the same; if they might be, that is remembered."""
    if not _counts(alike, least):
        return False
    noted = _parted.get()
    if noted is not None:
        noted.append(alike)
    return _tolerant.get()


def _counts(alike: str, least: int = 0) -> bool:
    return len(alike.encode(errors="replace")) >= A_TOKEN and len(alike) > least


def _texts(source: Source, name: str) -> list[str]:
    found = answers(source, name)
    return [answer.text for answer in (found if isinstance(found, list) else [found]) if isinstance(answer, Generated)]


def _alike_at_most(texts: Sequence[str]) -> int:
    return max((len(beginning(*pair)) for pair in combinations(texts, 2)), default=0)
