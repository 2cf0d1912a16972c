"""Whether the same request gets the same text again, and what it means if two texts part.

What is computed together with other requests, or taken from a cache, is added up in another order, and its last bits
differ. Where two tokens are almost as likely as each other, the text then goes another way. With the probe model that
is rare; with a large quantised model it is the rule. Such texts begin alike, which those of different draws do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from conformance.answers import Generated, Response
from conformance.outcomes import Fail, Verdict
from conformance.recording import Source, answers

Written = Generated | Response

A_TOKEN = 4
"""Bytes that texts must share at least to have begun alike: a token of English, about."""


def came_again(some: Sequence[Written], others: Sequence[Written], *apart: Sequence[Written]) -> int:
    """How many answers of a list come again in the other one, which was made with the same seeds.

    An answer comes again if its text does, or begins alike for longer than any two answers of a list `apart`, which
    were drawn with different seeds, or without.
    """
    least = max(_alike_at_most([answer.text for answer in drawn]) for drawn in apart)
    pairs = [(one.text, other.text) for one, other in zip(some, others, strict=True)]
    return sum(one == other or len(beginning(one, other)) > least for one, other in pairs)


def as_one(tries: Sequence[Written], *apart: Sequence[Written]) -> int:
    """How many of some tries, at most, came again as one of them."""
    return max(came_again([one] * len(tries), tries, *apart) for one in tries)


def beginning(one: str, other: str) -> str:
    """What two texts begin with, both."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:at]
    return min(one, other, key=len)


class Differs(Fail):
    """Two texts that must be the same differ; `alike` is what both begin with, if that is long enough to count."""

    def __init__(self, text: str, other: str) -> None:
        shared = beginning(text, other)
        super().__init__(f"the texts differ after {shared[-40:]!r}", expected=other, actual=text)
        self.alike = shared if len(shared.encode(errors="replace")) >= A_TOKEN else ""


def same_text(text: str, other: str) -> bool:
    """Whether a text is the same as one that was generated apart from it; ends the check if it is not.

    That is a violation, unless the target is unsteady and the texts begin alike: then nothing can be said.
    """
    if text != other:
        raise Differs(text, other)
    return True


def unsteady(source: Source) -> list[str]:
    """The scenarios in which the target gave the same request two texts that begin alike; none if it is steady.

    What is drawn with a seed, while others are, shows it best: a draw falls on the edge between two tokens sooner than
    the two likeliest tokens are equal.
    """
    try:
        greedy, drawn = _texts(source, "greedy"), _texts(source, "seeds_together")
    except Verdict:
        return []
    if any(text != greedy[0] and Differs(text, greedy[0]).alike for text in greedy):
        return ["greedy"]
    first, again = drawn[::2], drawn[1::2]
    least = max(A_TOKEN - 1, _alike_at_most(first), _alike_at_most(again))
    parted = [one != other and len(beginning(one, other)) > least for one, other in zip(first, again, strict=True)]
    return ["seeds_together"] if any(parted) else []


def _texts(source: Source, name: str) -> list[str]:
    found = answers(source, name)
    return [answer.text for answer in (found if isinstance(found, list) else [found]) if isinstance(answer, Generated)]


def _alike_at_most(texts: Sequence[str]) -> int:
    return max((len(beginning(*pair)) for pair in combinations(texts, 2)), default=0)
