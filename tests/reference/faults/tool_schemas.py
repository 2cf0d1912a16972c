"""Faults in schemas: keywords that are dropped, schemas for which the grammar fails open, values that change."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.behaviours import _rewritten
from tests.reference.faults.kit import add, payload, request, script
from tests.reference.faults.tools import _calls, _functions
from tests.reference.generator import Script

OPEN = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}
"""What a server keeps that does not keep the schema."""


def _schemas(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of a request: of its functions and of its response format."""
    wanted = body.get("response_format")
    wrapper = wanted.get("json_schema") if isinstance(wanted, dict) else None
    for holder, key in [*((f, "parameters") for f in _functions(body)), (wrapper, "schema")]:
        if isinstance(holder, dict) and isinstance(holder.get(key), dict):
            yield holder[key]


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all that is in it; keys of properties are taken for keywords, too."""
    if isinstance(schema, dict):
        yield schema
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _parts(inner)


_BESIDE = {"prefixItems": "items", "patternProperties": "additionalProperties"}
"""What no value fits once the keyword is gone: it goes with it."""


def _dropped(keyword: str) -> None:
    """A fault `KEYWORD-of-schemas-dropped`."""

    def drop(body: dict[str, Any], _call: Call) -> None:
        for part in [part for schema in _schemas(body) for part in _parts(schema)]:
            if part.pop(keyword, None) is not None:
                part.pop(_BESIDE.get(keyword, ""), None)

    _add(f"{keyword} of schemas dropped", f"{keyword} is dropped from schemas, and not enforced.", drop)


def _failing_open(name: str, sentence: str, when: Callable[[dict[str, Any]], bool]) -> None:
    """A fault: schemas in which a part is like this are not enforced."""

    def fail(body: dict[str, Any], _call: Call) -> None:
        for schema in _schemas(body):
            if any(when(part) for part in _parts(schema)):
                schema.clear()
                schema.update(OPEN)

    _add(name, sentence, fail)


def _add(name: str, sentence: str, hook: Callable[[dict[str, Any], Call], None]) -> None:
    dashed = re.sub("([A-Z])", r"-\1", name).lower().replace(" ", "-").replace("$", "")
    area = __name__.rpartition(".")[2]
    add(Fault(name=dashed, sentence=sentence, area=area, hooks={"request": hook}, on=frozenset({"chat"})))


for _keyword in (
    *("anyOf", "oneOf", "allOf", "$ref", "const", "pattern", "format", "minLength", "minimum", "maximum"),
    *("exclusiveMinimum", "multipleOf", "minItems", "uniqueItems", "prefixItems", "contains", "patternProperties"),
    *("not", "if", "dependentRequired"),
):
    _dropped(_keyword)


def _mixed(part: dict[str, Any]) -> bool:
    values = part.get("enum")
    return isinstance(values, list) and len({type(value) for value in values}) > 1


_failing_open("mixed enums fail open", "An enum with values of several types is not enforced.", _mixed)
_failing_open(
    "nested patterns fail open",
    "A schema with a pattern inside of items is not enforced.",
    lambda part: isinstance(part.get("items"), dict) and "pattern" in part["items"],
)
_failing_open(
    "classes in patterns fail open",
    "A pattern with a class such as \\d is not enforced.",
    lambda part: isinstance(part.get("pattern"), str) and "\\d" in part["pattern"],
)
_failing_open(
    "loose patterns fail open",
    "A pattern without anchors is not enforced.",
    lambda part: isinstance(part.get("pattern"), str) and not part["pattern"].startswith("^"),
)
_failing_open(
    "escaped patterns fail open",
    "A pattern with an escaped character is not enforced.",
    lambda part: isinstance(part.get("pattern"), str) and "\\." in part["pattern"],
)
_failing_open(
    "nested lengths fail open",
    "A maxLength of 2,000 inside of items is not enforced.",
    lambda part: any(inner.get("maxLength") == 2000 for inner in _parts(part.get("items"))),
)
_failing_open(
    "large lengths fail open",
    "A maxLength above 2,000 makes a grammar that is too large, so nothing is enforced.",
    lambda part: isinstance(part.get("maxLength"), int) and part["maxLength"] > 2000,
)
_failing_open(
    "large arrays fail open",
    "A maxItems above 2,000 makes a grammar that is too large, so nothing is enforced.",
    lambda part: isinstance(part.get("maxItems"), int) and part["maxItems"] > 2000,
)
_failing_open(
    "maps fail open",
    "additionalProperties with a schema is not enforced.",
    lambda part: isinstance(part.get("additionalProperties"), dict),
)
_failing_open(
    "open objects fail open",
    "additionalProperties true is treated as any object.",
    lambda part: part.get("additionalProperties") is True and "properties" in part,
)
_failing_open("definitions fail open", "Only $defs is read, not definitions.", lambda part: "definitions" in part)
_failing_open("schema dialects fail open", "A schema that names its dialect is not enforced.", lambda p: "$schema" in p)
_failing_open(
    "optional properties fail open",
    "Schemas with optional properties are not enforced.",
    lambda part: part.get("type") == "object" and set(part.get("properties", ())) > set(part.get("required", ())),
)
_failing_open(
    "properties without type fail open",
    "A schema with a property without a type is not enforced.",
    lambda part: {} in part.get("properties", {}).values() if isinstance(part.get("properties"), dict) else False,
)


@request("chat")
def keys_of_properties_sanitised(body: dict[str, Any], _call: Call) -> None:
    """Keys of properties lose all but letters, digits and underscores."""
    for schema in _schemas(body):
        if isinstance(schema.get("properties"), dict) and isinstance(schema.get("required"), list):
            schema["properties"] = {re.sub(r"[^a-zA-Z0-9_]", "_", k): v for k, v in schema["properties"].items()}
            schema["required"] = [re.sub(r"[^a-zA-Z0-9_]", "_", str(key)) for key in schema["required"]]


# Values


def _changed(name: str, sentence: str, change: Callable[[str], str]) -> None:
    def hook(said: Script, _call: Call) -> Script:
        return _rewritten(said, change)

    hook.__name__, hook.__doc__ = name, sentence
    script("chat")(hook)


def _typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _typed(inner) for key, inner in value.items()}
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_empty(inner) for key, inner in value.items() if inner not in ("", [], {})}
    return [_without_empty(inner) for inner in value] if isinstance(value, list) else value


def _again(change: Callable[[Any], Any]) -> Callable[[str], str]:
    """The change of a value as that of its JSON; the input of a custom tool, which is text, stays as it is."""

    def again(text: str) -> str:
        try:
            return json.dumps(change(json.loads(text)), ensure_ascii=False)
        except ValueError:
            return text

    return again


_changed(
    "integers_of_arguments_are_doubles",
    "Integers of arguments above 2^53 are rounded as JavaScript does.",
    lambda text: re.sub(r"\d{16,}", lambda match: str(int(float(match[0]))), text),
)
_changed(
    "control_characters_of_arguments_dropped",
    "Control characters are dropped from arguments.",
    lambda text: re.sub(r"\\u00[01].", "", text),
)
_changed("escapes_of_arguments_doubled", "Escapes in arguments are escaped again.", lambda t: t.replace("\\", "\\\\"))
_changed(
    "separators_of_arguments_dropped",
    "Line separators and zero-width characters are dropped from arguments.",
    lambda text: re.sub("[\u2028\u2029\u200b]", "", text),
)
_changed("strings_of_arguments_typed", "Strings of arguments that look like JSON become values.", _again(_typed))
_changed(
    "digits_of_arguments_are_numbers",
    "Strings of arguments that are integers become numbers, whatever the schema says.",
    lambda text: re.sub(r': ?"([1-9]\d*)"', r": \1", text),
)
_changed("empty_values_of_arguments_dropped", "Empty values are dropped from arguments.", _again(_without_empty))
_changed(
    "long_arguments_truncated",
    "Strings of arguments are truncated after 512 characters.",
    lambda text: re.sub(r'"([^"]{512})[^"]*"', r'"\1"', text),
)


# Functions


@payload("chat")
def long_function_names_truncated(body: Any, _call: Call) -> None:
    """Names of functions are truncated after 60 characters."""
    for call in _calls(body):
        if "name" in call["function"]:
            call["function"]["name"] = call["function"]["name"][:60]


@request("chat")
def function_names_of_any_length(body: dict[str, Any], _call: Call) -> None:
    """Too long names of functions are accepted and truncated."""
    for function in _functions(body):
        if isinstance(function.get("name"), str):
            function["name"] = function["name"][:64]


@request("chat")
def dots_in_function_names_replaced(body: dict[str, Any], _call: Call) -> None:
    """Dots in the name of a function are replaced instead of rejected."""
    for function in _functions(body):
        if isinstance(function.get("name"), str):
            function["name"] = function["name"].replace(".", "_")


@request("chat")
def null_in_a_function_crashes(body: dict[str, Any], _call: Call) -> None:
    """A function with a member that is null gets a 500."""
    if any(value is None for function in _functions(body) for value in function.values()):
        raise TypeError("null")


@request("chat")
def null_description_is_a_string(body: dict[str, Any], _call: Call) -> None:
    """A description that is null reaches the model as "None"."""
    for function in _functions(body):
        if "description" in function and function["description"] is None:
            function["description"] = "None"


@request("chat")
def empty_parameters_crash(body: dict[str, Any], _call: Call) -> None:
    """A function with an empty object as parameters gets a 500."""
    if any(function.get("parameters") == {} for function in _functions(body)):
        raise KeyError("properties")


@request("chat")
def descriptions_with_braces_dropped(body: dict[str, Any], _call: Call) -> None:
    """Descriptions that look like templates do not reach the model."""
    for function in _functions(body):
        if "{{" in str(function.get("description")):
            function.pop("description")


@request("chat")
def enums_hidden_from_the_model(body: dict[str, Any], _call: Call) -> None:
    """Unless a call is required, the model reads only the type of properties."""
    for function in _functions(body) if body.get("tool_choice") is None else ():
        for part in _parts(function.get("parameters")):
            for keyword in ("enum", "description"):
                if "type" in part:
                    part.pop(keyword, None)


@request("chat")
def keywords_without_grammar_refused(body: dict[str, Any], _call: Call) -> None:
    """Functions with a keyword that grammars lack are rejected, even if no call is required."""
    for schema in _schemas(body):
        if body.get("tool_choice") is None and any("not" in part for part in _parts(schema)):
            raise ApiError("Unable to make a grammar.", param="tools")


@request("chat")
def only_64_tools(body: dict[str, Any], _call: Call) -> None:
    """Tools after the 64th are dropped."""
    if isinstance(body.get("tools"), list):
        body["tools"] = body["tools"][:64]


@request("chat")
def long_descriptions_truncated(body: dict[str, Any], _call: Call) -> None:
    """Descriptions of functions are truncated after 200 characters."""
    for function in _functions(body):
        if isinstance(function.get("description"), str):
            function["description"] = function["description"][:200]


@request("chat")
def parameters_in_a_string_read(body: dict[str, Any], _call: Call) -> None:
    """Parameters may be a string of JSON."""
    for function in _functions(body):
        if isinstance(function.get("parameters"), str):
            function["parameters"] = json.loads(function["parameters"])


@request("chat")
def keywords_of_the_wrong_type_dropped(body: dict[str, Any], _call: Call) -> None:
    """Keywords whose value is of the wrong type are dropped."""
    for part in [part for schema in _schemas(body) for part in _parts(schema)]:
        for keyword in ("pattern", "items", "enum"):
            if isinstance(part.get(keyword), int):
                part.pop(keyword)
