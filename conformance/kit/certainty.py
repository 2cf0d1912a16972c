"""What logprobs tell: the tokens of a response, and how sure the model was of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, AnyStr

from conformance.answers import Chat
from conformance.kit.schema import violations
from conformance.outcomes import inconclusive_unless


def tokens(answer: Chat) -> list[str]:
    """The tokens of the first choice, as its logprobs name them; `inconclusive` without logprobs."""
    return [entry["token"] for entry in entries(answer)]


def entries(answer: Chat) -> list[dict[str, Any]]:
    """The logprobs of the first choice; `inconclusive` if they are absent, or clients cannot read them."""
    inconclusive_unless(
        answer.choice.logprobs, f"{answer.name}: expected logprobs, got none (`choices[0].logprobs.content`)"
    )
    told = [dict(entry) for entry in answer.logprobs]  # Reading what an Entry lacks would end the check.
    inconclusive_unless(
        not violations({"content": told}, "logprobs"),
        f"{answer.name}: expected logprobs that clients can read, got malformed ones (`choices[0].logprobs.content`)",
    )
    return answer.logprobs


def joined(pieces: Sequence[AnyStr], text: AnyStr) -> AnyStr:
    """The tokens joined; without the last one if it only ends the response, and the others give the text.

    Some servers have an entry for the token that ends the response; another check judges that.
    """
    whole, without_end = text[:0].join(pieces), text[:0].join(pieces[:-1])
    return without_end if without_end == text else whole


def certainty(answer: Chat) -> float:
    """The smallest difference of log probabilities between a likeliest token and the next one."""
    return min(map(lead, entries(answer)))


def lead(entry: dict[str, Any]) -> float:
    """The lead of the likeliest token over the next one, as a difference of logarithms."""
    best = sorted((token["logprob"] for token in entry["top_logprobs"]), reverse=True)[:2]
    inconclusive_unless(len(best) == 2, "expected at least 2 alternatives for each token, got fewer (`top_logprobs`)")
    return float(best[0] - best[1])
