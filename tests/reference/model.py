"""The toy model: real logits for every step, from everything before it and the token that its script has next.

logits = a fixed noisy tail chosen by a hash of the context + a peak on the scripted token. With the peak 12 to 13
above the tail's centre the script is followed at temperature 0, mostly at 1, and lost at 2. A token used four times
already (white space aside) is doubted: a runner-up stands less than 2 below it, so that penalties of 2 can be seen.
"""

from __future__ import annotations

import heapq
import math
import random
import zlib
from collections.abc import Mapping, Sequence
from functools import lru_cache

from tests.reference.tokens import TOKEN_BYTES, VOCABULARY

CONTEXT = 4096  # tokens of prompt and answer together

_TAILS = 64
_PEAK = 12.0
_GAP = 1.9  # of the runner-up: less than the largest penalty
_DOUBT_AT = 4  # earlier uses of a token at which it is doubted


def _plain(token: int) -> bool:
    """Whether the token is printable ASCII; the tail keeps to those, so that hot samples are still text."""
    raw = TOKEN_BYTES[token]
    return bool(raw) and all(32 <= byte < 127 for byte in raw)


def _tail(seed: int) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(0, 1) if _plain(token) else chance.gauss(-25, 1) for token in range(VOCABULARY)]


_TABLE = [_tail(seed) for seed in range(_TAILS)]
_WORDS = [token for token in range(VOCABULARY) if TOKEN_BYTES[token].isalpha() and TOKEN_BYTES[token].isascii()]


def advance(state: int, token: int) -> int:
    """The context's hash with one more token."""
    return zlib.crc32(token.to_bytes(2, "little"), state)


def absorb(state: int, tokens: Sequence[int]) -> int:
    for token in tokens:
        state = advance(state, token)
    return state


def logits(state: int, target: int | None = None, used: Mapping[int, int] | None = None) -> list[float]:
    """Raw logits over the vocabulary. `target`: the script's next token; `used`: counts of the tokens so far."""
    row = _TABLE[state % _TAILS].copy()
    if target is None:
        return row
    peak = _PEAK + (state >> 6) % 1024 / 1024
    if used and used.get(target) == _DOUBT_AT and not TOKEN_BYTES[target].isspace():
        start = (state >> 8) % len(_WORDS)
        other = next(t for t in _WORDS[start:] + _WORDS[:start] if t != target and t not in used)
        row[other] = peak - _GAP
    row[target] = peak
    return row


@lru_cache(maxsize=1 << 10)
def _tail_weights(tail: int, temperature: float) -> list[float]:
    return [math.exp((x - _PEAK) / temperature) for x in _TABLE[tail]]


def weights(row: Sequence[float], state: int, best: float, temperature: float) -> list[float]:
    """What each token weighs, but for a factor. Most of a row is its tail, whose weights are known."""
    if temperature < 0.1 or best > 2 * _PEAK:
        return [math.exp((x - best) / temperature) for x in row]
    found = _tail_weights(state % _TAILS, temperature).copy()
    for token, (x, plain) in enumerate(zip(row, _TABLE[state % _TAILS], strict=True)):
        if x != plain:
            found[token] = math.exp((x - _PEAK) / temperature)
    return found


def log_sum(row: Sequence[float]) -> float:
    """Logarithm of the sum of exponentials: a logit less this is the token's log probability."""
    top = max(row)
    return top + math.log(math.fsum(math.exp(x - top) for x in row))


def top(row: Sequence[float], k: int) -> list[int]:
    """The k likeliest tokens, likeliest first."""
    return heapq.nlargest(k, range(len(row)), key=row.__getitem__)


CACHED_FROM, CACHED_BY = 1024, 128  # tokens: OpenAI caches prompts of this length, in steps of this length


def cached(prompts: set[tuple[str, int]], run: str, prompt: Sequence[int]) -> int:
    """How many tokens of a prompt are in the cache, which then has all of it. Each `run` has a cache of its own."""
    found = state = 0
    for end in range(CACHED_BY, len(prompt) + 1, CACHED_BY):
        state = absorb(state, prompt[end - CACHED_BY : end])
        if end >= CACHED_FROM:
            found = end if (run, state) in prompts else found
            prompts.add((run, state))
    return found
