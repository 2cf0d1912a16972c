"""The names of OpenAI's API as the types of its Python SDK have them, by the rule of `tests/ledger_names.py`.

    python -m conformance.ledger.sdk            print the names that the installed SDK has and the ledger lacks
    python -m conformance.ledger.sdk --write    write them into names_sdk.json, so that the ledger must account for them

The SDK is published more often than the OpenAPI document, so what is new shows here first. The exit code is 1 if there
are such names.
"""

from __future__ import annotations

import json
import sys
import types
import typing
from collections.abc import Iterator
from typing import Any

import typing_extensions
from openai.types import Completion, CreateEmbeddingResponse, Model
from openai.types import completion_create_params as legacy
from openai.types import embedding_create_params as embeddings
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.chat import completion_create_params as chat
from openai.types.responses import Response, ResponsesClientEvent, ResponsesServerEvent, ResponseStreamEvent
from openai.types.responses import response_create_params as responses
from pydantic import BaseModel

from conformance import ledger

PARTS: dict[str, dict[str, Any]] = {
    "chat": {
        "request": chat.CompletionCreateParamsNonStreaming,
        "response": ChatCompletion,
        "stream": ChatCompletionChunk,
    },
    "completions": {"request": legacy.CompletionCreateParamsNonStreaming, "response": Completion, "stream": Completion},
    "embeddings": {"request": embeddings.EmbeddingCreateParams, "response": CreateEmbeddingResponse},
    "model": {"response": Model},
    "responses": {"request": responses.ResponseCreateParamsNonStreaming, "response": Response},
}
"""The types of each endpoint, by the part of the names that stand before the first dot."""

EVENTS = (ResponseStreamEvent, ResponsesServerEvent, ResponsesClientEvent)
"""The events of a stream of the Responses API, and those that a WebSocket has, in both directions."""

KEYS = ("type", "role")
"""Keys that tell forms apart."""

VALUES = ("service_tier", "effort", "reasoning_effort", "include")
"""Parameters whose values are names, too (`service_tier=flex`): there are more of them each year."""

PLAIN_FORMS = (
    *("message", "function", "function_call", "function_call_output", "item_reference", "reasoning"),
    *("input_text", "input_image", "output_text", "refusal", "reasoning_text", "summary_text"),
    *("text", "image_url", "json_schema", "json_object", "allowed_tools"),
    *("developer", "system", "user", "assistant", "tool"),
)
"""Forms whose fields are names; of all others only the form itself is one."""

DEEPEST = 8
"""How many types may be nested: JSON Schemas and conversations contain themselves."""


def names() -> dict[str, list[str]]:
    """All names that the installed SDK has, by endpoint."""
    found = {
        endpoint: [f"{part}.{name}" for part, kind in parts.items() for name in below(kind)]
        for endpoint, parts in PARTS.items()
    }
    found["responses"] += [f"event.{form}" for events in EVENTS for kind in _forms(events) if (form := form_of(kind))]
    return {endpoint: _own(list(dict.fromkeys(listed))) for endpoint, listed in found.items()}


def new() -> dict[str, list[str]]:
    """The names of the SDK that the ledger does not have, by endpoint."""
    known = ledger.names()
    return {endpoint: [one for one in listed if one not in known[endpoint]] for endpoint, listed in names().items()}


def below(kind: Any, depth: int = 0) -> Iterator[str]:
    """The names below a type: its fields, and what is below them."""
    if depth > DEEPEST:
        return
    forms = list(_forms(kind))
    told = len([form for form in map(form_of, forms) if form]) > 1
    for form in forms:
        name = form_of(form) if told else None
        if name is None:
            yield from _fields(form, depth)
            continue
        yield name
        if name in PLAIN_FORMS:
            yield from (f"{name}.{field}" for field in _fields(form, depth) if field not in KEYS)


def form_of(kind: Any) -> str | None:
    """The value of the key that tells this type from others (the first, where it has several)."""
    for key in KEYS:
        values = list(_literals(fields(kind).get(key)))
        if values:
            return str(values[0])
    return None


def fields(kind: Any) -> dict[str, Any]:
    """The fields of a type, by their names on the wire."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
    return typing_extensions.get_type_hints(kind, include_extras=True) if typing_extensions.is_typeddict(kind) else {}


def _fields(kind: Any, depth: int) -> Iterator[str]:
    for name, annotation in fields(kind).items():
        yield name
        if name in VALUES:
            yield from (f"{name}={value}" for value in _literals(annotation))
        yield from (f"{name}.{one}" for one in below(annotation, depth + 1))


def _forms(kind: Any) -> Iterator[Any]:
    """The objects that a value of a type may be, without what is around them: arrays, optional values, annotations."""
    origin = typing.get_origin(kind)
    if origin is None:
        if fields(kind):
            yield kind
    elif origin in (typing.Annotated, typing_extensions.Required, typing_extensions.NotRequired):
        yield from _forms(typing.get_args(kind)[0])
    elif origin in (typing.Union, types.UnionType) or (isinstance(origin, type) and not issubclass(origin, dict)):
        for one in typing.get_args(kind):
            yield from _forms(one)


def _literals(kind: Any) -> Iterator[Any]:
    """The values that a type allows, where it lists them."""
    if typing.get_origin(kind) is typing.Literal:
        yield from typing.get_args(kind)
    elif typing.get_origin(kind) is not None:
        for one in typing.get_args(kind):
            yield from _literals(one)


def _own(listed: list[str]) -> list[str]:
    """The names without the parts of fields that repeat a parameter: these have their names in the request."""
    top = [name[8:] for name in listed if name.startswith("request.") and name.count(".") == 1 and "=" not in name]
    repeated = tuple(f"{part}.{name}{sign}" for name in top for part, sign in (("response", "."), *_VALUES))
    return [name for name in listed if not name.startswith(repeated)]


_VALUES = ("response", "="), ("stream", "=")


def write() -> None:
    """Add the new names to those that only the SDK has; what the document has by now is left out."""
    document = json.loads(ledger.DOCUMENT.read_text(encoding="utf-8"))
    own = {endpoint: [one for one in listed if one not in document[endpoint]] for endpoint, listed in names().items()}
    text = json.dumps({endpoint: listed for endpoint, listed in own.items() if listed}, indent=1)
    ledger.SDK.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    found = [f"{endpoint}: {name}" for endpoint, listed in new().items() for name in listed]
    print(*found or ["The ledger has all names of the installed SDK."], sep="\n")
    if "--write" in sys.argv[1:]:
        write()
    else:
        sys.exit(bool(found))
