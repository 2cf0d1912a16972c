"""Faults of the list of models and of naming one."""

from __future__ import annotations

from typing import Any

from tests.reference.call import Call
from tests.reference.faults.kit import answer, request


@answer("models")
def models_bare_list(body: dict[str, Any], _call: Call) -> Any:
    """The list of models is a bare array."""
    return body.get("data", body)


@answer("models")
def models_empty(body: dict[str, Any], _call: Call) -> None:
    """The list of models is empty."""
    if "data" in body:
        body["data"] = []


@answer("models")
def models_without_object(body: dict[str, Any], _call: Call) -> None:
    """Models have no `object`."""
    for model in body.get("data", [body]):
        model.pop("object", None)


@answer("models")
def models_created_is_a_date(body: dict[str, Any], _call: Call) -> None:
    """`created` of a model is a date."""
    for model in body.get("data", [body]):
        model["created"] = "2026-01-01T00:00:00Z"


@answer("models")
def models_listed_twice(body: dict[str, Any], _call: Call) -> None:
    """Models are listed twice."""
    if "data" in body:
        body["data"] *= 2


@request(("chat", "completions", "responses"))
def unknown_model_served(body: dict[str, Any], _call: Call) -> None:
    """The only model serves any model name."""
    if body.get("model") not in ("reference-text", "reference-embedding", "org/name:tag"):
        body["model"] = "reference"


@answer("models")
def models_id_is_a_path(body: dict[str, Any], _call: Call) -> None:
    """The id of a model is the path of its file."""
    for model in body.get("data", [body]):
        model["id"] = f"/models/{model['id']}.gguf"


@answer("models")
def models_owner_missing(body: dict[str, Any], _call: Call) -> None:
    """Models have no owned_by."""
    for model in body.get("data", [body]):
        model.pop("owned_by", None)


def _one(call: Call) -> bool:
    return call.argument != "" and call.status == 200


@answer("models", when=_one)
def model_retrieved_as_list(body: dict[str, Any], _call: Call) -> Any:
    """A single model comes as an array."""
    return {"object": "list", "data": [body]}
