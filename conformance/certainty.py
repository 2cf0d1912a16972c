"""What logprobs tell: the tokens of an answer, and how sure the model was of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, AnyStr

from conformance.answers import Chat
from conformance.outcomes import inconclusive_unless
from conformance.schema import violations


def tokens(answer: Chat) -> list[str]:
    """The tokens of the first choice, as its logprobs name them; without logprobs, nothing can be judged."""
    return [entry["token"] for entry in entries(answer)]


def entries(answer: Chat) -> list[dict[str, Any]]:
    """The logprobs of the first choice; if they are absent, or not what clients can read, nothing can be judged."""
    inconclusive_unless(answer.choice.logprobs, f"{answer.name}: no logprobs came")
    told = [dict(entry) for entry in answer.logprobs]  # Reading what an Entry lacks would end the check.
    inconclusive_unless(not violations({"content": told}, "logprobs"), f"{answer.name}: the logprobs cannot be read")
    return answer.logprobs


def joined(pieces: Sequence[AnyStr], text: AnyStr) -> AnyStr:
    """The pieces of the tokens put together; without a last one for the end of the answer, if that makes the text.

    Some servers have an entry for the token that ends the answer; that is judged on its own, not by what reads tokens.
    """
    whole, without_end = text[:0].join(pieces), text[:0].join(pieces[:-1])
    return without_end if without_end == text else whole


def certainty(answer: Chat) -> float:
    """By how much every token, at least, was more likely than the next one, as a difference of logarithms."""
    return min(map(lead, entries(answer)))


def lead(entry: dict[str, Any]) -> float:
    """By how much the likeliest token was more likely than the next one, as a difference of logarithms."""
    best = sorted((token["logprob"] for token in entry["top_logprobs"]), reverse=True)[:2]
    inconclusive_unless(len(best) == 2, "some token has no alternative to compare it with")
    return float(best[0] - best[1])
