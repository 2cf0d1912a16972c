"""POST /v1/embeddings (openapi CreateEmbeddingRequest): hashed words, so that texts with common words are close."""

from __future__ import annotations

import base64
import math
import random
import re
import struct
from collections import defaultdict
from functools import lru_cache
from typing import Any

from tests.reference.call import Call, Reply, find_model
from tests.reference.completions import prompts
from tests.reference.errors import context_exceeded
from tests.reference.tokens import decode
from tests.reference.validate import check, integer, invalid, missing, one_of, string

DIMENSIONS = 256
LONGEST = 8192  # tokens of an input
_RULES = {"encoding_format": one_of("float", "base64"), "dimensions": integer(1, DIMENSIONS), "user": string}
_THREE = 0.3  # weight of three letters in a row, against 1 for a word


@lru_cache(maxsize=1 << 15)
def _direction(feature: str) -> tuple[float, ...]:
    chance = random.Random(feature)
    return tuple(chance.gauss(0, 1) for _ in range(DIMENSIONS))


def vector(text: str, size: int = DIMENSIONS) -> list[float]:
    """Unit vector of a text, cut to `size` and scaled again, in float32."""
    words = re.findall(r"\w+|[^\w\s]", text.lower()) or [text]
    features: dict[str, float] = defaultdict(float)
    for word in words:
        features[word] += 1.0 if word.isalnum() else 0.1
        for at in range(len(word) - 2):
            features["…" + word[at : at + 3]] += _THREE
    features["order " + " ".join(words)[:200]] += 0.1
    total = [0.0] * size
    for feature, weight in features.items():
        weight = math.sqrt(weight)
        for at, value in enumerate(_direction(feature)[:size]):
            total[at] += weight * value
    length = math.hypot(*total) or 1.0
    packed = struct.pack(f"<{size}f", *(value / length for value in total))
    return list(struct.unpack(f"<{size}f", packed))


def create(call: Call) -> Reply:
    """One vector an input, in order; base64 is little-endian float32."""
    body = call.body
    known = find_model(body, chat=False)
    check(body, _RULES, nullable=True)
    raw = body.get("input")
    if raw is None:
        raise missing("input")
    if raw == "" or (isinstance(raw, list) and "" in raw):
        raise invalid("input", "an input is empty.", "empty_string")
    if isinstance(raw, list) and len(raw) > 2048:
        raise invalid("input", "expected at most 2048 inputs.", "array_above_max_length")
    inputs = prompts(raw, "input")
    for ids in inputs:
        if len(ids) > LONGEST:
            raise context_exceeded(LONGEST, len(ids), "input")
    size = body.get("dimensions") or DIMENSIONS
    data = []
    for index, ids in enumerate(inputs):
        floats = vector(decode(ids), size)
        data.append({"object": "embedding", "index": index, "embedding": shape(floats, body.get("encoding_format"))})
    count = sum(len(ids) for ids in inputs)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return Reply({"object": "list", "data": data, "model": known.id, "usage": usage})


def shape(floats: list[float], encoding: Any) -> Any:
    """A vector as `encoding_format` asks for it."""
    if encoding == "base64":
        return base64.b64encode(struct.pack(f"<{len(floats)}f", *floats)).decode("ascii")
    return floats
