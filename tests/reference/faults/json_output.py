"""Faults of structured output."""

from __future__ import annotations

import json
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import answer, ignored, payload, request, with_tools

FORMAT = "response_format"
ignored(FORMAT, on="chat", where="in streams", stream=True)
ignored(FORMAT, on="chat", where="with tools", when=with_tools)
ignored(FORMAT, on="chat", where="with n", when=lambda call: isinstance(call.body.get("n"), int) and call.body["n"] > 1)


def _wanted(call: Call) -> str:
    wanted = call.body.get(FORMAT)
    return str(wanted.get("type")) if isinstance(wanted, dict) else ""


@request("chat")
def json_object_ignored(body: dict[str, Any], call: Call) -> None:
    """response_format json_object is accepted and ignored."""
    if isinstance(body.get(FORMAT), dict) and body[FORMAT].get("type") == "json_object":
        del body[FORMAT]


@request("chat")
def json_schema_ignored(body: dict[str, Any], call: Call) -> None:
    """response_format json_schema is accepted and ignored."""
    if isinstance(body.get(FORMAT), dict) and body[FORMAT].get("type") == "json_schema":
        del body[FORMAT]


@request("chat")
def json_schema_is_json_object(body: dict[str, Any], call: Call) -> None:
    """A schema gives any JSON object."""
    if isinstance(body.get(FORMAT), dict) and body[FORMAT].get("type") == "json_schema":
        body[FORMAT] = {"type": "json_object"}


@answer("chat")
def json_in_code_fences(body: dict[str, Any], call: Call) -> None:
    """JSON comes in Markdown code fences."""
    for choice in choices(body):
        if _wanted(call).startswith("json"):
            choice["message"]["content"] = f"```json\n{choice['message']['content']}\n```"


@answer("chat")
def json_keys_added(body: dict[str, Any], call: Call) -> None:
    """Objects have a key that the schema forbids."""
    for choice in choices(body):
        if _wanted(call) == "json_schema" and choice["finish_reason"] == "stop":
            value = json.loads(choice["message"]["content"])
            if isinstance(value, dict):
                choice["message"]["content"] = json.dumps({**value, "extra": 1}, ensure_ascii=False)


@answer("chat")
def json_numbers_as_strings(body: dict[str, Any], call: Call) -> None:
    """Numbers in a JSON answer are strings."""
    for choice in choices(body):
        if _wanted(call) == "json_schema" and choice["finish_reason"] == "stop":
            value = json.loads(choice["message"]["content"], parse_int=str, parse_float=str)
            choice["message"]["content"] = json.dumps(value, ensure_ascii=False)


@request("chat")
def enum_ignored(body: dict[str, Any], call: Call) -> None:
    """The keyword enum is accepted in schemas and ignored."""
    if body.get(FORMAT):
        text = json.dumps(body[FORMAT])
        body[FORMAT] = json.loads(text.replace('"enum"', '"x-enum"').replace('"const"', '"x-const"'))


@request("chat")
def bad_schema_accepted(body: dict[str, Any], call: Call) -> None:
    """A json_schema without a schema, or with a broken one, is taken for json_object."""
    wanted = body.get(FORMAT)
    if isinstance(wanted, dict) and wanted.get("type") == "json_schema":
        wrapper = wanted.get("json_schema")
        if not isinstance(wrapper, dict) or not isinstance(wrapper.get("schema"), dict):
            body[FORMAT] = {"type": "json_object"}


@request("chat")
def schema_with_description_ignored(body: dict[str, Any], _call: Call) -> None:
    """A json_schema that has a description is ignored."""
    wanted = body.get(FORMAT)
    if (
        isinstance(wanted, dict)
        and isinstance(wanted.get("json_schema"), dict)
        and "description" in wanted["json_schema"]
    ):
        del body[FORMAT]


@request("chat")
def required_keys_left_out(body: dict[str, Any], _call: Call) -> None:
    """The keyword required is accepted in schemas and ignored."""
    wanted = body.get(FORMAT)
    wrapper = wanted.get("json_schema") if isinstance(wanted, dict) else None
    schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict) and schema["properties"]:
        schema["properties"].pop(next(iter(schema["properties"])))
        schema.pop("required", None)


@answer("chat", when=lambda call: _wanted(call).startswith("json"))
def json_is_cut(body: dict[str, Any], _call: Call) -> None:
    """The last brace of JSON is missing."""
    for choice in choices(body):
        choice["message"]["content"] = (choice["message"]["content"] or "").rstrip("}")


@payload("chat", stream=True, when=lambda call: _wanted(call) == "json_schema")
def json_fences_in_streams(body: dict[str, Any], _call: Call) -> None:
    """Streamed JSON comes in Markdown code fences."""
    for choice in choices(body):
        if "role" in choice["delta"]:
            choice["delta"]["content"] = "```json\n"


@answer("chat", when=lambda call: _wanted(call).startswith("json"))
def json_escaped_twice(body: dict[str, Any], _call: Call) -> None:
    """JSON comes as a JSON string."""
    for choice in choices(body):
        choice["message"]["content"] = json.dumps(choice["message"]["content"])


@answer("chat", when=lambda call: _wanted(call).startswith("json"))
def json_only_parsed(body: dict[str, Any], _call: Call) -> None:
    """JSON comes as an object in `parsed`, and the content is null."""
    for choice in choices(body):
        choice["message"].update(parsed={}, content=None)
