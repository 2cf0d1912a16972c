"""Whether identical requests get identical responses, and what a difference between two responses then means.

Requests that are computed together, or partly taken from a cache, are added up in another order, and the last bits of
the sums differ. Where two tokens are almost equally likely, the response then continues in another way. With the probe
model that is rare; with a large quantised model it is the rule.

Responses must be the same, first of all. Where they are not, the judge looks at the target's controls: identical
requests, repeated. If their responses differ too, the check is run again, `tolerant`, and the difference is
`inconclusive`. Controls that differ only when they are sent at once excuse only texts that share a beginning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from conformance import notes
from conformance.answers import Chat, Generated, Response
from conformance.check import Check
from conformance.notes import Drift
from conformance.outcomes import Fail, Inconclusive, inconclusive_unless
from conformance.recording import Source, answers

Written = Generated | Response

A_TOKEN = 4
"""Bytes that two texts must share at least to have a common beginning: about a token of English."""

REPEATED = (("greedy",), ("count", "count_repeated"), ("capital", "capital_twice"), ("weather", "weather_repeated"))
"""Scenarios that send one request several times, one after the other."""

CONTROLS = (*(name for names in REPEATED for name in names), "counts_alone", "counts_together", "seeds_together")
"""Those, and scenarios that send the same requests alone and at once."""


WORDS = frozenset({"assert_same_text", "assert_same_calls", "assert_mostly_same", "reproduced", "reproduced_at_most"})
"""The words that compare responses, and say `inconclusive` where the controls differ, too."""


def is_used_by(check: Check) -> bool:
    """Whether a check's file compares responses with the words below, so that the controls must be recorded."""
    return not WORDS.isdisjoint(check.function.__globals__)


def assert_same_text(text: str, other: str, where: str = "`choices[0].message.content`") -> None:
    """End the check unless a text equals one that was generated apart from it. Two empty texts show nothing.

    `where` is the text's field on the wire, as in `conformance/comparisons.py`.
    """
    if text == other:
        inconclusive_unless(text, f"both texts are empty, so nothing was compared ({where})")
        return
    alike = beginning(text, other)
    verdict = Inconclusive if _excused(alike) else Fail
    place = f"after {alike[-40:]!r}" if alike else "at the beginning"
    wanted, got = (one[len(alike) :][:40] for one in (other, text))
    raise verdict(f"expected {wanted!r} {place}, got {got!r} ({where})", expected=other, actual=text)


def assert_same_calls(answer: Chat | Response, other: Chat | Response) -> None:
    """End the check unless two answers call the same functions with the same arguments."""
    if _calls(answer) == _calls(other):
        return
    _excused("")
    verdict = Inconclusive if notes.current().drift else Fail
    raise verdict(f"{answer.name} has other calls than {other.name}", expected=_calls(other), actual=_calls(answer))


def assert_mostly_same(some: Sequence[Written], others: Sequence[Written]) -> None:
    """End the check unless all answers but one say what their counterparts say."""
    pairs = [(one.said, other.said) for one, other in zip(some, others, strict=True)]
    differ = [pair for pair in pairs if pair[0] != pair[1]]
    if len(differ) > 1:
        assert_same_text(*min(differ, key=lambda pair: len(beginning(*pair))))


def reproduced(some: Sequence[Written], others: Sequence[Written], *drawn: Sequence[Written]) -> int:
    """How many answers of a list come again in the other one, which was made with the same seeds.

    An answer comes again if all that it says does. For an unsteady target it is enough if it begins alike for longer
    than any two answers of a list `drawn`, which were drawn with different seeds, or without.
    """
    least = max(_alike_at_most([answer.said for answer in one]) for one in drawn)
    pairs = [(one.said, other.said) for one, other in zip(some, others, strict=True)]
    return sum(one == other or _excused(beginning(one, other), least) for one, other in pairs)


def reproduced_at_most(models: Sequence[Written], tries: Sequence[Written], *drawn: Sequence[Written]) -> int:
    """How many of some tries, at most, came again as one of the models."""
    return max(reproduced([one] * len(tries), tries, *drawn) for one in models)


def changed_seeded(before: Sequence[Generated], again: Sequence[Generated], after: Sequence[Generated]) -> bool:
    """Whether a parameter changed an answer: one that came again by itself, with the same seed, and then did not.

    Answers that do not come again are left out: what is computed together differs in its last bits.
    """
    steady = [(one, other) for one, same, other in zip(before, again, after, strict=True) if one.said == same.said]
    inconclusive_unless(
        len(steady) >= len(before) - 1, "the same seed does not give the same answer, so nothing can be compared"
    )
    return any(one.said != other.said for one, other in steady)


def beginning(one: str, other: str) -> str:
    """What two texts begin with, both."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:at]
    return min(one, other, key=len)


def unsteady(source: Source) -> Drift | None:
    """How the target's responses to identical requests differ; None if they do not.

    Where requests that were sent one after the other get different responses, any token of any response may be another
    one. Those that were sent at once may also differ because a server mixes them up, so there only texts with a common
    beginning count. What is drawn with a seed shows drift too: a draw falls between two tokens sooner than the two
    likeliest tokens are equal.
    """
    differ = [names for names in REPEATED if len({one for name in names for one in _said(source, name)}) > 1]
    if differ:
        return Drift(tuple(name for names in differ for name in names), early=True)
    alone, together, drawn = (_said(source, name) for name in ("counts_alone", "counts_together", "seeds_together"))
    if any(_parts(one, other, 0) for one, other in zip(alone, together, strict=False)):
        return Drift(("counts_alone", "counts_together"), early=False)
    first, again = drawn[::2], drawn[1::2]
    least = max(_alike_at_most(first), _alike_at_most(again))
    if any(_parts(one, other, least) for one, other in zip(first, again, strict=False)):
        return Drift(("seeds_together",), early=False)
    return None


def _parts(one: str, other: str, least: int) -> bool:
    """Whether two texts continue in different ways after a common beginning; one that only ends early does not."""
    alike = beginning(one, other)
    return _counts(alike, least) and alike not in (one, other)


def _excused(alike: str, least: int = 0) -> bool:
    """Whether a difference after `alike` may be the target's drift; that one was seen is remembered."""
    noted = notes.current()
    noted.parted.append(alike)
    return noted.drift is not None and (noted.drift.early or _counts(alike, least))


def _counts(alike: str, least: int = 0) -> bool:
    return len(alike.encode(errors="replace")) >= A_TOKEN and len(alike) > least


def _said(source: Source, name: str) -> list[str]:
    """All that each response to a scenario says, calls included; nothing for those that cannot be read."""
    found = answers(source, name)
    read = [a for a in (found if isinstance(found, list) else [found]) if isinstance(a, Chat) and a.readable]
    return [a.said + json.dumps(_calls(a)) if a.tool_calls else a.said for a in read]


def _calls(answer: Chat | Response) -> list[tuple[str, Any]]:
    """Names and arguments of an answer's calls; arguments that are not JSON as the string that they are."""
    return [(call.name, _value(call.arguments)) for call in answer.tool_calls]


def _value(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _alike_at_most(texts: Sequence[str]) -> int:
    return max((len(beginning(*pair)) for pair in combinations(texts, 2)), default=0)
