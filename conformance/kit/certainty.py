"""What logprobs tell: the tokens of a response, and how sure the model was of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
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


def is_part(token: str) -> bool:
    """Whether a token is a part of a character, which a server shows as U+FFFD, or escaped, as OpenAI's API does."""
    return "\ufffd" in token or bool(_PART.fullmatch(token))


def spelled(tokens: Iterable[Any], text: str) -> str:
    """The text that tokens spell: entries of `logprobs.content`, or strings as in legacy completions.

    Parts of a character are put together. What is no whole character then is left out, as in `whole(text)`. An entry
    for the token that ends the response is left out if that gives the text.
    """
    pieces = [_spelled(one["token"], one.get("bytes")) if isinstance(one, dict) else _spelled(one) for one in tokens]
    return whole(joined(pieces, text.encode(errors="replace")).decode(errors="replace"))


def whole(text: str) -> str:
    """The string without what is no whole character."""
    return text.replace("\ufffd", "")


def _spelled(token: str, told: Any = None) -> bytes:
    if is_part(token) and isinstance(told, list) and all(isinstance(one, int) and 0 <= one < 256 for one in told):
        return bytes(told)
    if found := _PART.fullmatch(token):
        return found[1].encode() + bytes.fromhex(found[2].replace("\\x", ""))
    return token.encode(errors="replace")


_PART = re.compile(r"(?:bytes:)?([^\\]*)((?:\\x[0-9a-fA-F]{2})+)")
"""A token that is a part of a character, as OpenAI's API writes it; legacy completions have the prefix."""


def certainty(answer: Chat) -> float:
    """The smallest difference of log probabilities between a likeliest token and the next one."""
    return min(map(lead, entries(answer)))


def lead(entry: dict[str, Any]) -> float:
    """The lead of the likeliest token over the next one, as a difference of logarithms."""
    best = sorted((token["logprob"] for token in entry["top_logprobs"]), reverse=True)[:2]
    inconclusive_unless(len(best) == 2, "expected at least 2 alternatives for each token, got fewer (`top_logprobs`)")
    return float(best[0] - best[1])
