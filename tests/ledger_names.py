"""python -m tests.ledger_names OPENAI_OPENAPI.json > conformance/ledger/names.json

Makes the list of names that the ledger must account for, from OpenAI's OpenAPI document (its paths and schemas; names
only). Run it when that document changes: `tests/test_ledger.py` then fails for each new name without a row.

The rule: every parameter and every field is a name, to any depth. Where a value has one of several forms that a key
tells apart (`type`, or a message's `role`), each form is a name with its fields below it
(`messages.tool.tool_call_id`). Nothing is below

* a form that is not one of `PLAIN_FORMS`: tools that run on OpenAI's machines, files, speech; the same for events
  (`HOSTED`),
* a field of a response that repeats a parameter (`tools`): its parts have their names in the request,
* a response, an item or a part inside of a stream's event: these have their names in the response.

The document hardly has statuses of errors, and not all operations on a response; `STATUSES` and `OPERATIONS` are those
of OpenAI's guide to error codes, of its official clients' exceptions, and of its reference.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Schema = dict[str, Any]

ENDPOINTS = {
    "chat": ("post", "/chat/completions"),
    "completions": ("post", "/completions"),
    "embeddings": ("post", "/embeddings"),
    "models": ("get", "/models"),
    "model": ("get", "/models/{model}"),
    "responses": ("post", "/responses"),
}
STREAMS = {
    "chat": "CreateChatCompletionStreamResponse",
    "completions": "CreateCompletionResponse",
}
STATUSES = {"post": (400, 401, 403, 404, 409, 422, 429, 500, 503), "get": (401, 403, 404, 429, 500, 503)}
OPERATIONS = {
    "chat": ("list", "retrieve", "update", "delete"),
    "responses": ("retrieve", "delete", "cancel", "compact", "input_items", "input_tokens"),
}
HOSTED = ("audio", "code_interpreter", "file_search", "image_generation", "mcp", "shell", "web_search", "custom_tool")
"""Words in the names of events that tell of OpenAI's own tools, of speech, or of custom tools."""

KEYS = ("type", "role")
"""Keys that tell forms apart."""

OWN = ("Response", "OutputItem", "OutputContent", "Annotation")
"""Schemas that have their own names elsewhere."""

PLAIN_FORMS = {
    "message",
    "function",
    "function_call",
    "function_call_output",
    "item_reference",
    "reasoning",
    "input_text",
    "input_image",
    "output_text",
    "refusal",
    "reasoning_text",
    "summary_text",
    "text",
    "image_url",
    "json_schema",
    "json_object",
    "allowed_tools",
    *("developer", "system", "user", "assistant", "tool"),
}
"""Forms whose fields are names; of all others only the form itself is one."""


class Names:
    """The names below a schema of a document."""

    def __init__(self, document: Schema) -> None:
        self._schemas = document["components"]["schemas"]

    def below(
        self, schema: Schema, prefix: str = "", seen: tuple[str, ...] = (), stop: tuple[str, ...] = ()
    ) -> Iterator[str]:
        """All names below a schema, each perhaps several times."""
        if "items" in schema and "properties" not in schema:
            yield from self.below(schema["items"], prefix, seen, stop)
            return
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            if name not in seen and name not in stop:
                yield from self.below(self._schemas[name], prefix, (*seen, name), stop)
            return
        for key, value in schema.get("properties", {}).items():
            yield _join(prefix, key)
            yield from self.below(value, _join(prefix, key), seen, stop)
        for part in schema.get("allOf", []):
            yield from self.below(part, prefix, seen, stop)
        forms = [*schema.get("anyOf", []), *schema.get("oneOf", [])]
        told = len([form for form in forms if self._form(form)]) > 1
        for form in forms:
            name = self._form(form) if told else None
            if name is None:
                yield from self.below(form, prefix, seen, stop)
                continue
            yield _join(prefix, name)
            if name in PLAIN_FORMS:
                yield from (
                    n for n in self.below(form, _join(prefix, name), seen, stop) if n not in _told(prefix, name)
                )

    def event_fields(self, form: Schema) -> Iterator[str]:
        """The names of a stream's event and its fields."""
        name = self._form(form) or ""
        yield name
        if any(word in name for word in HOSTED):
            return
        yield from (n for n in self.below(form, name, (), OWN) if n != f"{name}.type")

    def _form(self, schema: Schema) -> str | None:
        """The value of the key that tells this form from others (the first, where it has several)."""
        if "$ref" in schema:
            return self._form(self._schemas[schema["$ref"].rpartition("/")[2]])
        for key in KEYS:
            about = schema.get("properties", {}).get(key, {})
            for one in (about, *about.get("anyOf", [])):
                if one.get("enum"):
                    return str(one["enum"][0])
        return next((name for part in schema.get("allOf", []) if (name := self._form(part))), None)


def _told(prefix: str, form: str) -> set[str]:
    return {f"{_join(prefix, form)}.{key}" for key in KEYS}


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def names(document: Schema) -> dict[str, list[str]]:
    """All names, by endpoint, in the document's order."""
    of = Names(document)
    schemas = document["components"]["schemas"]
    found: dict[str, list[str]] = {}
    for endpoint, (method, path) in ENDPOINTS.items():
        operation = document["paths"][path][method]
        listed = [f"request.{parameter['name']}" for parameter in operation.get("parameters", [])]
        if "requestBody" in operation:
            listed += of.below(operation["requestBody"]["content"]["application/json"]["schema"], "request")
        listed += of.below(operation["responses"]["200"]["content"]["application/json"]["schema"], "response")
        if endpoint in STREAMS:
            listed += of.below(schemas[STREAMS[endpoint]], "stream")
        if endpoint == "responses":
            forms = schemas["ResponseStreamEvent"]["anyOf"]
            listed += [
                f"event.{name}" for form in forms for name in of.event_fields(schemas[form["$ref"].rpartition("/")[2]])
            ]
        listed += [f"error.{name}" for name in of.below(schemas["Error"])]
        listed += [f"error.{status}" for status in STATUSES[method]]
        listed += [f"operation.{name}" for name in OPERATIONS.get(endpoint, ())]
        repeated = tuple(
            f"response.{name[8:]}." for name in listed if name.startswith("request.") and name.count(".") == 1
        )
        found[endpoint] = [name for name in dict.fromkeys(listed) if not name.startswith(repeated)]
    return found


if __name__ == "__main__":
    print(json.dumps(names(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))), indent=1))
