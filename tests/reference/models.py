"""GET /v1/models and /v1/models/{id} (openapi ListModelsResponse, Model)."""

from __future__ import annotations

from typing import Any

from tests.reference.call import MODELS, Call, Reply
from tests.reference.errors import unknown_model

_CREATED = 1_767_225_600  # a fixed time: models do not change while the server runs


def _model(name: str, context: int) -> dict[str, Any]:
    about = {"id": name, "object": "model", "created": _CREATED, "owned_by": "openai-conformance"}
    return {**about, "context_length": context}


def listed(call: Call) -> Reply:
    names = [model.id for model in MODELS.values() if model.listed]
    return Reply({"object": "list", "data": [_model(name, call.state.context) for name in names]})


def one(call: Call) -> Reply:
    if call.argument not in MODELS:
        raise unknown_model(call.argument)
    return Reply(_model(call.argument, call.state.context))
