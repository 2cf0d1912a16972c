"""Compare responses that must be the same, and allow for servers whose identical requests get different responses.

Batching and caches change the order in which numbers are added, and with it the rounding. Where two tokens are almost
equally likely, the response then continues in another way: rarely with the probe model, often with a large quantised
model.

Responses must be the same first. If they are not, the judge looks at the target's controls: identical requests,
repeated. If their responses differ too, the judge runs the check again, `tolerant`, and the difference is
`inconclusive`. If the controls differ only when they are sent at once, only texts with a common beginning may differ.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from typing import Any

from conformance.answers import Chat, Generated, Response
from conformance.answers.recording import Source, answers
from conformance.outcomes import Fail, Inconclusive, inconclusive_unless, notes
from conformance.outcomes.comparisons import shown
from conformance.outcomes.notes import Drift
from conformance.requirements.check import Check

Written = Generated | Response

A_TOKEN = 4
"""The fewest bytes of a common beginning: about a token of English."""

REPEATED = (("greedy",), ("count", "count_repeated"), ("capital", "capital_twice"), ("weather", "weather_repeated"))
"""Scenarios that send one request several times, one after the other."""

STRICT = ("weather_strict", "respond_strict")
"""Scenarios with calls of strict functions: they show whether the server or the model writes arguments that cannot be
read."""

CONTROLS = (
    *(name for names in REPEATED for name in names),
    *("counts_alone", "counts_together", "seeds_together"),
    *STRICT,
)
"""Those, and the scenarios that send the same requests alone and at once."""


WORDS = frozenset(
    {"assert_same_text", "assert_same_calls", "assert_mostly_same", "reproduced", "reproduced_at_most", "says"}
)
"""The words that compare responses, and end `inconclusive` if the controls differ too."""


def is_used_by(check: Check) -> bool:
    """Whether a check's file compares responses with these words; then the controls must be recorded."""
    return not WORDS.isdisjoint(check.function.__globals__)


def assert_same_text(text: str, other: str, where: str = "`choices[0].message.content`") -> None:
    """Both responses must have the same text. Two empty texts show nothing: the check is `inconclusive`.

    `where` is the field of the first text, as in `conformance/outcomes/comparisons.py`.
    """
    if text == other:
        inconclusive_unless(text, f"expected text to compare, got two empty strings ({where})")
        return
    alike = beginning(text, other)
    verdict = Inconclusive if _excused(alike) else Fail
    after = f"after {shown(alike[-40:])}" if alike else "at the beginning"
    end = "the end of the text" if alike else shown("")
    expected, got = (shown(one[len(alike) :][:40]) if one[len(alike) :] else end for one in (other, text))
    raise verdict(f"expected {expected} {after}, got {got} ({where})", expected=other, actual=text)


def assert_same_calls(answer: Chat | Response, other: Chat | Response) -> None:
    """Both responses must call the same functions with the same arguments."""
    if _calls(answer) == _calls(other):
        return
    _excused("")
    verdict = Inconclusive if notes.current().drift else Fail
    expected, got = _calls(other), _calls(answer)
    message = f"{answer.name}: expected the tool calls of {other.name}, {shown(expected)}, got {shown(got)}"
    raise verdict(message, expected=shown(expected, 2000), actual=shown(got, 2000))


def assert_mostly_same(some: Sequence[Written], others: Sequence[Written]) -> None:
    """All responses but one must have the same text as their counterparts."""
    pairs = [(one.said, other.said) for one, other in zip(some, others, strict=True)]
    differ = [pair for pair in pairs if pair[0] != pair[1]]
    if len(differ) > 1:
        assert_same_text(*min(differ, key=lambda pair: len(beginning(*pair))))


def reproduced(some: Sequence[Written], others: Sequence[Written], *drawn: Sequence[Written]) -> int:
    """How many seeded responses were reproduced in `others`, which have the same seeds.

    A response is reproduced if all that it says is the same. For an unsteady target, a common beginning is enough if it
    is longer than that of any two responses of a list `drawn`, which have different seeds or none.
    """
    least = max(_alike_at_most([answer.said for answer in one]) for one in drawn)
    pairs = [(one.said, other.said) for one, other in zip(some, others, strict=True)]
    return sum(one == other or _excused(beginning(one, other), least) for one, other in pairs)


def reproduced_at_most(models: Sequence[Written], tries: Sequence[Written], *drawn: Sequence[Written]) -> int:
    """How many of the `tries`, at most, reproduced the same one of the `models`."""
    return max(reproduced([one] * len(tries), tries, *drawn) for one in models)


def changed_seeded(before: Sequence[Generated], again: Sequence[Generated], after: Sequence[Generated]) -> bool:
    """Whether a parameter changed a seeded response that was reproduced without the parameter.

    Responses that are not reproduced without it are left out: batching changes how sums are rounded. If nothing
    changed, and responses to different seeds are the same too, the model is too sure of its tokens: `inconclusive`.
    """
    steady = [(one, other) for one, same, other in zip(before, again, after, strict=True) if one.said == same.said]
    inconclusive_unless(len(steady) >= len(before) - 1, "expected the same response to the same `seed`, got another")
    changed = any(one.said != other.said for one, other in steady)
    varied = len({one.said for one in before}) > 1
    inconclusive_unless(changed or varied, "expected responses that vary with the `seed`, got the same each time")
    return changed


def says(answer: Written, words: str) -> bool:
    """Whether the response has these words, which the response to a nearly identical prompt has.

    For an unsteady target, a response without them is `inconclusive`.
    """
    found = words in answer.text
    if not found and _excused(""):
        raise Inconclusive(f"{answer.name}: expected {shown(words)}, got {shown(answer.text)}")
    return found


def beginning(one: str, other: str) -> str:
    """The longest common beginning of two strings."""
    for at, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:at]
    return min(one, other, key=len)


def unsteady(source: Source) -> Drift | None:
    """How the target's responses to identical requests differ; None if they do not.

    If requests that were sent one after the other get different responses, any token of any response may differ.
    Requests that were sent at once may also differ because a server mixes them up; of those, only texts with a common
    beginning count. Seeded responses show drift too: a random draw depends on smaller differences than a greedy choice.
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
    """Whether two texts continue differently after a common beginning; ending earlier does not count."""
    alike = beginning(one, other)
    return _counts(alike, least) and alike not in (one, other)


def _excused(alike: str, least: int = 0) -> bool:
    """Whether a difference after the common beginning `alike` may be the target's drift.

    Also notes the difference for the judge.
    """
    noted = notes.current()
    noted.parted.append(alike)
    return noted.drift is not None and (noted.drift.early or _counts(alike, least))


def _counts(alike: str, least: int = 0) -> bool:
    return len(alike.encode(errors="replace")) >= A_TOKEN and len(alike) > least


def _said(source: Source, name: str) -> list[str]:
    """All that each readable response to a scenario says, tool calls included."""
    found = answers(source, name)
    read = [a for a in (found if isinstance(found, list) else [found]) if isinstance(a, Chat) and a.readable]
    return [a.said + json.dumps(_calls(a)) if a.tool_calls else a.said for a in read]


def _calls(answer: Chat | Response) -> list[tuple[str, Any]]:
    """Names and arguments of a response's tool calls; arguments that are not JSON stay strings."""
    return [(call.name, _value(call.arguments)) for call in answer.tool_calls]


def _value(arguments: str) -> Any:
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):
        return arguments


def _alike_at_most(texts: Sequence[str]) -> int:
    return max((len(beginning(*pair)) for pair in combinations(texts, 2)), default=0)
