"""Faults of structured output."""

from __future__ import annotations

import json
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import add, answer, ignored, payload, request, with_tools

FORMAT = "response_format"
ignored(FORMAT, on="chat", where="in streams", stream=True)
ignored(FORMAT, on="chat", where="with tools", when=with_tools)
ignored(FORMAT, on="chat", where="with n", when=lambda call: isinstance(call.body.get("n"), int) and call.body["n"] > 1)


def _wanted(call: Call) -> str:
    wanted = call.body.get(FORMAT)
    return str(wanted.get("type")) if isinstance(wanted, dict) else ""


@answer("chat", when=lambda call: _wanted(call) == "json_object")
def json_object_with_nan(body: dict[str, Any], _call: Call) -> None:
    """A JSON object has the value NaN, which is not JSON."""
    for choice in choices(body):
        choice["message"]["content"] = '{"answer": NaN}'


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
    """With a schema, the response is any JSON object."""
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
    """The keyword enum in schemas is ignored."""
    if body.get(FORMAT):
        text = json.dumps(body[FORMAT])
        body[FORMAT] = json.loads(text.replace('"enum"', '"x-enum"').replace('"const"', '"x-const"'))


@request("chat")
def bad_schema_accepted(body: dict[str, Any], call: Call) -> None:
    """A json_schema without a schema, or with a broken one, is treated as json_object."""
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
    """The keyword required in schemas is ignored."""
    wanted = body.get(FORMAT)
    wrapper = wanted.get("json_schema") if isinstance(wanted, dict) else None
    schema = wrapper.get("schema") if isinstance(wrapper, dict) else None
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict) and schema["properties"]:
        schema["properties"].pop(next(iter(schema["properties"])))
        schema.pop("required", None)


@answer("chat", when=lambda call: _wanted(call).startswith("json"))
def json_is_cut(body: dict[str, Any], _call: Call) -> None:
    """The last brace of the JSON document is missing."""
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
    """The document comes as a JSON string."""
    for choice in choices(body):
        choice["message"]["content"] = json.dumps(choice["message"]["content"])


@answer("chat", when=lambda call: _wanted(call).startswith("json"))
def json_only_parsed(body: dict[str, Any], _call: Call) -> None:
    """The document is an object in `parsed`, and the content is null."""
    for choice in choices(body):
        choice["message"].update(parsed={}, content=None)


@request("chat")
def format_as_text_accepted(body: dict[str, Any], _call: Call) -> None:
    """A response_format that is a string is treated as its type."""
    if isinstance(body.get(FORMAT), str):
        body[FORMAT] = {"type": body[FORMAT]}


@request("chat")
def unknown_format_is_text(body: dict[str, Any], call: Call) -> None:
    """An unknown format is treated as text."""
    if _wanted(call) not in ("", "text", "json_object", "json_schema"):
        del body[FORMAT]


@request("chat")
def text_is_json(body: dict[str, Any], call: Call) -> None:
    """Any response_format, even text, turns JSON mode on."""
    if _wanted(call) == "text":
        body[FORMAT] = {"type": "json_object"}


def _wrapper(body: dict[str, Any]) -> dict[str, Any]:
    """The json_schema of a request, so far as it has one."""
    wanted = body.get(FORMAT)
    found = wanted.get("json_schema") if isinstance(wanted, dict) else None
    return found if isinstance(found, dict) else {}


def _schema(body: dict[str, Any]) -> dict[str, Any]:
    found = _wrapper(body).get("schema")
    return found if isinstance(found, dict) else {}


@request("chat")
def schema_name_unneeded(body: dict[str, Any], _call: Call) -> None:
    """A json_schema without a name is accepted."""
    if _wrapper(body):
        _wrapper(body).setdefault("name", "answer")


@request("chat")
def schema_name_unchecked(body: dict[str, Any], _call: Call) -> None:
    """A json_schema may have any name."""
    if isinstance(_wrapper(body).get("name"), str):
        _wrapper(body)["name"] = "answer"


@request("chat")
def nonsense_schema_is_any_object(body: dict[str, Any], _call: Call) -> None:
    """A schema with an unknown type allows any object."""
    if _schema(body).get("type") == "nonsense":
        _wrapper(body)["schema"] = {"type": "object", "properties": {}}


def _unknown_keyword(keyword: str) -> None:
    """A fault of a keyword that a server's grammar does not know, and passes over."""

    def forget(body: dict[str, Any], _call: Call) -> None:
        if f'"{keyword}": ' in json.dumps(_schema(body)):
            _wrapper(body)["schema"] = _without(_schema(body), keyword)

    sentence = f"The keyword {keyword} is accepted in schemas and ignored."
    add(Fault(name=f"schema-{keyword}-ignored", sentence=sentence, area="json_output", hooks={"request": forget}))


def _without(value: Any, keyword: str) -> Any:
    if isinstance(value, list):
        return [_without(one, keyword) for one in value]
    if isinstance(value, dict):
        return {k: _without(v, keyword) for k, v in value.items() if k != keyword or isinstance(v, dict)}
    return value


for _keyword in ("pattern", "format"):
    _unknown_keyword(_keyword)


@request("chat")
def list_of_types_is_object(body: dict[str, Any], _call: Call) -> None:
    """An array of types is not understood, and becomes an object."""
    for value in (_schema(body).get("properties") or {}).values():
        if isinstance(value, dict) and isinstance(value.get("type"), list):
            value["type"] = "object"


@request("chat")
def recursion_is_anything(body: dict[str, Any], _call: Call) -> None:
    """A reference to the schema's own root is not followed: any value matches there."""
    if '"$ref": "#"' in json.dumps(_schema(body)):
        _wrapper(body)["schema"] = {"type": "object", "properties": {"label": {"type": "string"}}}


@request("chat")
def wide_schemas_cut(body: dict[str, Any], _call: Call) -> None:
    """Of a schema's keys, only the first twenty count."""
    schema = _schema(body)
    if isinstance(schema.get("properties"), dict) and isinstance(schema.get("required"), list):
        schema["properties"] = dict(list(schema["properties"].items())[:20])
        schema["required"] = [name for name in schema["required"] if name in schema["properties"]]


@answer("chat", when=lambda call: _wanted(call) == "json_schema")
def json_keys_sorted(body: dict[str, Any], _call: Call) -> None:
    """Keys come in alphabetical order."""
    for choice in choices(body):
        if choice["finish_reason"] == "stop" and choice["message"]["content"]:
            value = json.loads(choice["message"]["content"])
            choice["message"]["content"] = json.dumps(value, ensure_ascii=False, sort_keys=True)


@request("chat")
def schema_titles_refused(body: dict[str, Any], _call: Call) -> None:
    """A schema with titles, as pydantic makes them, is rejected."""
    if '"title": ' in json.dumps(_schema(body)):
        raise ApiError("Unsupported keyword 'title'.", param=FORMAT)
