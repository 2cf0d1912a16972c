"""Judge JSON values by the suite's own JSON Schemas, or by those of a request, in readable sentences."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError, best_match, relevance
from jsonschema.protocols import Validator
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

SCHEMAS = Path(__file__).parent.parent / "schemas"
"""One file an object, draft 2020-12: `NAME.json` is what a client needs (MUST), `NAME.full.json` the complete
published form (SHOULD)."""

MISSING = "nothing"
"""What `Problem.actual` says of a key that is not there."""

_CUT = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One place where a value breaks a schema.

    `path` names it as in code (`choices[0].message.role`; `$` is the whole value; a missing key has its own
    path), `rule` says in a sentence what was expected, `actual` shows what was there as JSON, cut at 200
    characters.
    """

    path: str
    rule: str
    actual: str

    def __str__(self) -> str:
        return f"`{self.path}` {self.rule}, got {self.actual}"


def names() -> tuple[str, ...]:
    """The names that `violations` knows, sorted."""
    return tuple(sorted(_schemas()))


def violations(instance: object, name: str) -> list[Problem]:
    """Judge a decoded JSON value by one of the suite's schemas.

    In: the value, and a schema's name (`chat.completion`, or `chat.completion.full` for the published form).
    Out: the problems, the most relevant first; empty if there are none. Raises ValueError for a name that is
    not in `names()`. Source: the official SDK's types for MUST, the published OpenAPI document for SHOULD.
    """
    if name not in _schemas():
        raise ValueError(f"there is no schema {name!r}; there are {', '.join(names())}")
    return _problems(_validator(name), instance)


def validate_against(instance: object, schema: Mapping[str, Any] | bool) -> list[Problem]:
    """Judge a decoded JSON value by a schema that a request carried: a tool's parameters, a response format.

    In: the value and the schema, read as draft 2020-12 whatever its `$schema` says; `format` asserts nothing, and no
    reference is ever fetched. Out: as `violations`. Raises ValueError if the schema is not valid (`check_schema` says
    why), refers to something that is not in it, or refers to itself endlessly.
    """
    broken = check_schema(schema)
    if broken:
        raise ValueError(broken)
    try:
        return _problems(_Strict(schema, registry=Registry()), instance)
    except Unresolvable as missing:
        raise ValueError(f"the schema refers to {missing.ref!r}, which is not in it") from missing
    except RecursionError as endless:
        raise ValueError("the schema refers to itself endlessly, or the value is nested too deeply") from endless


def check_schema(schema: object) -> str | None:
    """Why a value is not a JSON Schema of draft 2020-12, in one sentence; None if it is one."""
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return f"{_path(error.absolute_path)}: {_cut(error.message)}"
    except RecursionError:
        return "$: the schema is too deep"
    return None


def _finite(_: object, value: object) -> bool:
    """JSON has no NaN and no infinities, though Python's parser takes them."""
    whole = isinstance(value, int) and not isinstance(value, bool)  # of any size; too large for math
    return whole or (isinstance(value, float) and math.isfinite(value))


_TYPES = Draft202012Validator.TYPE_CHECKER.redefine("number", _finite)
_Strict = extend(Draft202012Validator, type_checker=_TYPES)


@lru_cache
def _schemas() -> dict[str, Any]:
    return {file.name.removesuffix(".json"): json.loads(file.read_bytes()) for file in SCHEMAS.glob("*.json")}


@lru_cache
def _validator(name: str) -> Validator:
    return _Strict(_inlined(_schemas()[name], name), registry=Registry())


@lru_cache
def _referred(name: str, pointer: str) -> Any:
    target = _schemas()[name]
    for key in pointer.split("/")[1:]:
        target = target[key]
    return _inlined(target, name)


def _inlined(node: Any, name: str) -> Any:
    """A part of the schema `name` with what it refers to in place of each `$ref`, whose lookup costs half the time."""
    if isinstance(node, list):
        return [_inlined(one, name) for one in node]
    if not isinstance(node, dict):
        return node
    others = {key: _inlined(one, name) for key, one in node.items() if key not in ("$schema", "$id", "$defs", "$ref")}
    if "$ref" not in node:
        return others
    file, _, pointer = node["$ref"].partition("#")
    target = _referred(file.removesuffix(".json") or name, pointer)
    return {**others, "allOf": [target, *others.get("allOf", [])]} if others else target


def _problems(validator: Validator, instance: object) -> list[Problem]:
    errors = _ordered(validator.iter_errors(instance))
    return list(dict.fromkeys(problem for error in errors for problem in _of(error)))


def _ordered(errors: Iterable[ValidationError]) -> list[ValidationError]:
    """Most relevant first: less deep, then earlier, then by jsonschema's own relevance."""
    by_relevance = sorted(errors, key=relevance, reverse=True)
    return sorted(by_relevance, key=lambda error: (len(error.path), error.path))


def _of(error: ValidationError) -> Iterator[Problem]:
    nearest = _nearest(error)
    if nearest != [error]:
        for inner in nearest:
            yield from _of(inner)
        return
    where = _path(error.absolute_path)
    if error.validator == "required":
        properties = error.schema.get("properties", {})
        for key in error.validator_value:
            if key not in error.instance:
                about = properties.get(key)
                yield Problem(_join(where, key), "is required" + _because(about), MISSING)
        return
    yield Problem(where, _expected(error) + _because(error.schema), _cut(_shown(error.instance)))


def _nearest(error: ValidationError) -> list[ValidationError]:
    """The problems of one of several allowed forms: the only one with the value's type, else the best match."""
    forms: dict[Any, list[ValidationError]] = {}
    for inner in error.context or ():
        forms.setdefault(inner.schema_path[0], []).append(inner)
    fitting = [form for form in forms.values() if not any(_wrong_kind(inner) for inner in form)]
    if len(fitting) == 1:
        return _ordered(fitting[0])
    best = best_match([error])
    return [best] if best is not None else [error]


def _wrong_kind(error: ValidationError) -> bool:
    return error.validator == "type" and not error.relative_path


def _expected(error: ValidationError) -> str:
    value = error.validator_value
    match error.validator:
        case "type":
            kinds = [value] if isinstance(value, str) else value
            return "must be " + " or ".join(_article(kind) for kind in kinds)
        case "const":
            return f"must be {_shown(value)}"
        case "enum":
            return "must be one of " + ", ".join(_shown(one) for one in value)
        case "minimum":
            return f"must be at least {value}"
        case "maximum":
            return f"must be at most {value}"
        case "minLength" | "minItems" if value == 1:
            return "must not be empty"
        case "minItems":
            return f"must have at least {value} items"
        case "pattern":
            return f"must match {value}"
        case "additionalProperties" if value is False:
            known = ", ".join(map(_shown, error.schema.get("properties", {})))
            return f"must have no keys other than {known or 'none'}"
        case "anyOf" | "oneOf":
            count = "one" if error.validator == "anyOf" else "exactly one"
            return f"must match {count} of the {len(value)} alternatives"
        case _:
            return f"must satisfy `{error.validator}`: {_cut(error.message)}"


def _because(schema: object) -> str:
    """The reason that a schema gives for its rule, or what it says of the value."""
    about = schema.get("description") if isinstance(schema, Mapping) else None
    return f" ({about.rstrip('.')})" if isinstance(about, str) else ""


def _article(kind: str) -> str:
    return kind if kind == "null" else f"an {kind}" if kind[0] in "aio" else f"a {kind}"


def _path(parts: Any) -> str:
    path = "$"
    for part in parts:
        path = _join(path, part)
    return path


def _join(path: str, part: str | int) -> str:
    if isinstance(part, int):
        return f"{path}[{part}]"
    if not part.isidentifier():
        return f"{path}[{_shown(part)}]"
    return part if path == "$" else f"{path}.{part}"


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=repr)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _cut(text: str) -> str:
    return text if len(text) <= _CUT else text[: _CUT - 1] + "…"
