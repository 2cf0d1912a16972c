"""Faults of embeddings."""

from __future__ import annotations

import base64
import struct
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.kit import add, answer, ignored, request

EMBEDDINGS = "embeddings"
ignored("dimensions", "encoding_format", on=EMBEDDINGS)


def _vectors(body: dict[str, Any]) -> list[dict[str, Any]]:
    return [entry for entry in body["data"] if isinstance(entry["embedding"], list)]


@answer(EMBEDDINGS)
def embeddings_order_swapped(body: dict[str, Any], _call: Call) -> None:
    """Vectors of an array come in the wrong order, with the right indexes."""
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
    """Of an array of inputs, only the first is embedded."""
    if isinstance(body.get("input"), list) and body["input"] and not isinstance(body["input"][0], int):
        body["input"] = body["input"][:1]


@request(EMBEDDINGS)
def empty_input_embedded(body: dict[str, Any], _call: Call) -> None:
    """Empty inputs are embedded like texts."""
    if body.get("input") in ("", []):
        body["input"] = " "


def _only_the_beginning(body: dict[str, Any], _call: Call) -> None:
    if isinstance(body.get("input"), str):
        body["input"] = body["input"][:20_000]


def _count_what_was_sent(body: dict[str, Any], call: Call) -> None:
    if len(call.body["input"]) == 20_000:
        body["usage"] = dict.fromkeys(("prompt_tokens", "total_tokens"), 45_000)


add(
    Fault(
        name="long-input-truncated-and-its-characters-counted",
        sentence="Too long inputs are truncated silently, and usage counts the characters that were sent.",
        area="embeddings",
        hooks={"request": _only_the_beginning, "answer": _count_what_was_sent},
        on=frozenset({EMBEDDINGS}),
    )
)


@request(EMBEDDINGS)
def long_input_truncated(body: dict[str, Any], _call: Call) -> None:
    """Too long inputs are truncated silently."""
    if isinstance(body.get("input"), str):
        body["input"] = body["input"][:4000]


@request(EMBEDDINGS)
def long_input_gets_a_500(body: dict[str, Any], _call: Call) -> None:
    """Too long inputs are refused with the status of a server error."""
    if len(str(body.get("input"))) > 8000:
        raise ApiError("The input (9000 tokens) is too large to process.", status=500, kind="server_error")


@answer(EMBEDDINGS)
def embedding_all_zero(body: dict[str, Any], _call: Call) -> None:
    """Vectors are all zero."""
    for entry in _vectors(body):
        entry["embedding"] = [0.0] * len(entry["embedding"])


@answer(EMBEDDINGS, when=lambda call: isinstance(call.body.get("input"), list))
def batch_vectors_are_shorter(body: dict[str, Any], _call: Call) -> None:
    """Vectors of a batch are shorter than those of a single text."""
    for entry in _vectors(body):
        entry["embedding"] = entry["embedding"][:100]


@answer(EMBEDDINGS, when=lambda call: call.body.get("encoding_format") == "float")
def float_is_rounded(body: dict[str, Any], _call: Call) -> None:
    """With encoding_format float numbers are rounded."""
    for entry in _vectors(body):
        entry["embedding"] = [round(value, 1) for value in entry["embedding"]]


@request(EMBEDDINGS)
def embedding_tokens_one_by_one(body: dict[str, Any], _call: Call) -> None:
    """Each id in an array of token ids is embedded separately."""
    if isinstance(body.get("input"), list) and body["input"] and isinstance(body["input"][0], int):
        body["input"] = [[token] for token in body["input"]]


@answer(EMBEDDINGS)
def embedding_model_of_another(body: dict[str, Any], _call: Call) -> None:
    """`model` names a different model than the request."""
    body["model"] = "text-embedding-ada-002"


@request(EMBEDDINGS)
def embedding_user_is_text(body: dict[str, Any], _call: Call) -> None:
    """`user` changes the vector."""
    if body.get("user") and isinstance(body.get("input"), str):
        body["input"] += f" {body['user']}"


@answer(EMBEDDINGS)
def embedding_nested(body: dict[str, Any], _call: Call) -> None:
    """Each vector is in an array of its own, as from a model without pooling."""
    for entry in _vectors(body):
        entry["embedding"] = [entry["embedding"]]


@answer(EMBEDDINGS)
def embedding_as_strings(body: dict[str, Any], _call: Call) -> None:
    """The numbers of a vector are strings."""
    for entry in _vectors(body):
        entry["embedding"] = [str(value) for value in entry["embedding"]]


@answer(EMBEDDINGS)
def embedding_usage_missing(body: dict[str, Any], _call: Call) -> None:
    """Embeddings have no usage."""
    body.pop("usage", None)


@answer(EMBEDDINGS)
def embedding_not_repeatable(body: dict[str, Any], call: Call) -> None:
    """The same text gets another vector each time."""
    for entry in _vectors(body):
        at = call.chance.randrange(len(entry["embedding"]))
        entry["embedding"] = entry["embedding"][at:] + entry["embedding"][:at]


@answer(EMBEDDINGS, when=lambda call: call.body.get("encoding_format") == "base64")
def base64_of_doubles(body: dict[str, Any], _call: Call) -> None:
    """base64 holds 64-bit floats."""
    for entry in body["data"]:
        raw = base64.b64decode(entry["embedding"])
        values = struct.unpack(f"<{len(raw) // 4}f", raw)
        entry["embedding"] = base64.b64encode(struct.pack(f"<{len(values)}d", *values)).decode()


@request(EMBEDDINGS)
def missing_input_is_empty(body: dict[str, Any], _call: Call) -> None:
    """A request without input gets the vector of a space."""
    body.setdefault("input", " ")


@request(EMBEDDINGS)
def number_embedded(body: dict[str, Any], _call: Call) -> None:
    """A number is embedded like a text."""
    if isinstance(body.get("input"), int):
        body["input"] = str(body["input"])


@request(EMBEDDINGS)
def any_model_embeds(body: dict[str, Any], _call: Call) -> None:
    """The only embedding model serves any model name."""
    body["model"] = "reference-embedding"


@answer(EMBEDDINGS, when=lambda call: bool(call.body.get("dimensions")))
def shortened_vectors_not_normalised(body: dict[str, Any], _call: Call) -> None:
    """A vector that `dimensions` shortens is the beginning of the full vector, and not normalised."""
    for entry in _vectors(body):
        entry["embedding"] = [value * 0.7 for value in entry["embedding"]]
