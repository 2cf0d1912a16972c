"""What logprobs tell: the tokens of an answer, and how sure the model was of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, AnyStr

from conformance.answers import Chat
from conformance.outcomes import shown


def tokens(answer: Chat) -> list[str]:
    """The tokens of the first choice, as its logprobs name them; without logprobs, nothing can be judged."""
    shown(answer.choice.logprobs, f"{answer.name}: no logprobs came, which name the tokens")
    return [entry["token"] for entry in answer.logprobs]


def joined(pieces: Sequence[AnyStr], text: AnyStr) -> AnyStr:
    """The pieces of the tokens put together; without a last one for the end of the answer, if that makes the text.

    Some servers have an entry for the token that ends the answer; that is judged on its own, not by what reads tokens.
    """
    whole, without_end = text[:0].join(pieces), text[:0].join(pieces[:-1])
    return without_end if without_end == text else whole


def certainty(answer: Chat) -> float:
    """By how much every token, at least, was more likely than the next one, as a difference of logarithms."""
    shown(answer.choice.logprobs, f"{answer.name}: no logprobs came, which tell how sure the model is")
    return min(map(lead, answer.logprobs))


def lead(entry: dict[str, Any]) -> float:
    """By how much the likeliest token was more likely than the next one, as a difference of logarithms."""
    best = sorted((token["logprob"] for token in entry["top_logprobs"]), reverse=True)[:2]
    shown(len(best) == 2, "some token has no alternative to compare it with")
    return float(best[0] - best[1])
