"""Faults of embeddings."""

from __future__ import annotations

import base64
import struct
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.kit import answer, ignored, request

EMBEDDINGS = "embeddings"
ignored("dimensions", "encoding_format", on=EMBEDDINGS)


def _vectors(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in body["data"] if isinstance(entry["embedding"], list)]


@answer(EMBEDDINGS)
def embeddings_order_swapped(body: dict[str, Any], _call: Call) -> None:
    """Vectors of a batch come in the wrong order, under right indices."""
    vectors = [entry["embedding"] for entry in body["data"]][::-1]
    for entry, vector in zip(body["data"], vectors, strict=True):
        entry["embedding"] = vector


@answer(EMBEDDINGS)
def embeddings_index_always_zero(body: dict[str, Any], _call: Call) -> None:
    """Every index is 0."""
    for entry in body["data"]:
        entry["index"] = 0


@answer(EMBEDDINGS)
def base64_wrong_endian(body: dict[str, Any], _call: Call) -> None:
    """base64 holds big-endian floats."""
    for entry in body["data"]:
        if isinstance(entry["embedding"], str):
            raw = base64.b64decode(entry["embedding"])
            count = len(raw) // 4
            swapped = struct.pack(f">{count}f", *struct.unpack(f"<{count}f", raw))
            entry["embedding"] = base64.b64encode(swapped).decode()


@answer(EMBEDDINGS)
def embeddings_not_normalised(body: dict[str, Any], _call: Call) -> None:
    """Vectors have length 3."""
    for entry in _vectors(body):
        entry["embedding"] = [value * 3 for value in entry["embedding"]]


@answer(EMBEDDINGS)
def embeddings_constant(body: dict[str, Any], _call: Call) -> None:
    """Every text has the same vector."""
    for entry in _vectors(body):
        size = len(entry["embedding"])
        entry["embedding"] = [1 / size**0.5] * size


@request(EMBEDDINGS)
def only_the_first_input(body: dict[str, Any], _call: Call) -> None:
    """Of a list of inputs only the first is embedded."""
    if isinstance(body.get("input"), list) and body["input"] and not isinstance(body["input"][0], int):
        body["input"] = body["input"][:1]


@request(EMBEDDINGS)
def empty_input_embedded(body: dict[str, Any], _call: Call) -> None:
    """Empty inputs are embedded as if they were a text."""
    if body.get("input") in ("", []):
        body["input"] = " "


@request(EMBEDDINGS)
def long_input_truncated(body: dict[str, Any], _call: Call) -> None:
    """Too long inputs are cut silently."""
    if isinstance(body.get("input"), str):
        body["input"] = body["input"][:4000]
