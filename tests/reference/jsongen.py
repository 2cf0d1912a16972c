"""A value that fits a JSON Schema, made of the prompt's facts where they fit (constrained decoding, in effect)."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable

from tests.reference import facts, regexgen

_DEEP = 6  # levels after which optional properties and items are left out, so that recursion ends
_FORMATS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "P1D",
    "email": "alice@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "url": "https://example.com/",
    "uuid": "123e4567-e89b-42d3-a456-426614174000",
    "json-pointer": "/a",
    "regex": "a",
}


class Unsatisfiable(Exception):
    """No value was found; the message says for what."""


@dataclass
class Hints:
    """What the prompt offers: its text, the plain answer to it, and values to use in order (`wanted`)."""

    text: str = ""
    answer: str = ""
    wanted: list[Any] = field(default_factory=list)


def check_schema(schema: Any) -> str | None:
    """Why this is not a JSON Schema; None if it is one."""
    if not isinstance(schema, dict | bool):
        return "a schema is an object or a boolean"
    try:
        return _problem(json.dumps(schema))
    except RecursionError:
        return "the schema is nested too deeply"


@lru_cache(maxsize=1 << 10)
def _problem(schema: str) -> str | None:
    try:
        Draft202012Validator.check_schema(json.loads(schema))
    except SchemaError as error:
        return f"{error.json_path}: {error.message}"
    except RecursionError:
        return "the schema is nested too deeply"
    return None


def fits(schema: Any, value: Any) -> bool:
    """Whether the value is valid. A reference that leads nowhere, or a broken pattern, counts as no."""
    formats = Draft202012Validator.FORMAT_CHECKER
    try:
        return bool(Draft202012Validator(schema, registry=Registry(), format_checker=formats).is_valid(value))
    except (Unresolvable, RecursionError, re.error):
        return False


def required_of(schema: dict[str, Any]) -> list[str]:
    """The properties that an object must have, with those on which they depend."""
    required = list(schema.get("required", []))
    for name, others in schema.get("dependentRequired", {}).items():
        required += [other for other in others if name in required and other not in required]
    return required


def generate(schema: Any, hints: Hints | None = None) -> Any:
    """A value valid against the schema, or Unsatisfiable."""
    maker = _Maker(schema, hints or Hints())
    for value in maker.values(schema, None, 0):
        if fits(schema, value):
            return value
        break
    value = maker.fallback(schema)
    if value is not None:
        return value
    raise Unsatisfiable(f"no value was found for the schema {json.dumps(schema)[:200]}")


class _Maker:
    def __init__(self, root: Any, hints: Hints) -> None:
        self._root = root
        self._hints = hints
        self._answered = False
        self._bare = False

    def fallback(self, schema: Any) -> Any:
        """Second try without any facts and optional properties."""
        self._bare, self._hints = True, Hints()
        for value, _ in zip(self.values(schema, None, 0), range(50), strict=False):
            if fits(schema, value):
                return value
        return None

    def _resolve(self, schema: Any) -> Any:
        """The schema with its $ref followed and its allOf merged in."""
        for _ in range(64):
            if not isinstance(schema, dict):
                return {} if schema is True or schema is None else {"not": {}}
            if "$ref" in schema:
                rest = {key: value for key, value in schema.items() if key != "$ref"}
                schema = _merge(self._target(schema["$ref"]), rest)
            elif "allOf" in schema:
                rest = {key: value for key, value in schema.items() if key != "allOf"}
                for part in schema["allOf"]:
                    rest = _merge(rest, self._resolve(part))
                schema = rest
            elif "if" in schema:
                rest = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
                schema = _merge(rest, self._resolve(schema.get("then", {})))
            else:
                return schema
        raise Unsatisfiable("references that lead in a circle")

    def _target(self, reference: str) -> Any:
        if not reference.startswith("#"):
            raise Unsatisfiable(f"the reference {reference} leads outside the schema")
        found = self._root
        for step in reference[1:].strip("/").split("/") if len(reference) > 1 else []:
            step = step.replace("~1", "/").replace("~0", "~").replace("%24", "$").replace("%25", "%")
            try:
                found = found[int(step)] if isinstance(found, list) else found[step]
            except (KeyError, IndexError, TypeError, ValueError) as error:
                raise Unsatisfiable(f"the reference {reference} leads nowhere") from error
        return found if isinstance(found, dict) else {}

    def values(self, schema: Any, key: str | None, depth: int) -> Iterator[Any]:
        """Candidates, likeliest first; not every one is valid."""
        if depth > 40:
            raise Unsatisfiable("a schema that only endless values fit")
        schema = self._resolve(schema)
        if "const" in schema:
            yield schema["const"]
            return
        if "enum" in schema:
            told = f"{self._hints.text} {self._hints.answer}".lower()
            yield from sorted(schema["enum"], key=lambda v: str(v).lower() not in told)
            return
        for word in ("anyOf", "oneOf"):
            if word in schema:
                rest = {k: v for k, v in schema.items() if k != word}
                yield from self._branches([_merge(rest, self._resolve(part)) for part in schema[word]], key, depth)
                return
        kinds = schema.get("type") or _kinds(schema)
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            yield from getattr(self, f"_{kind}")(schema, key, depth)

    def _branches(self, parts: list[Any], key: str | None, depth: int) -> Iterator[Any]:
        if depth > _DEEP or self._bare:  # the simplest first: null, then scalars, then arrays
            order = {"null": 0, "string": 1, "boolean": 1, "integer": 1, "number": 1, "array": 2}
            parts = sorted(parts, key=lambda p: order.get(str(p.get("type")), 3 if "$ref" not in p else 4))
        for part in parts:
            try:
                yield from self.values(part, key, depth + 1)
            except Unsatisfiable:
                continue

    def _value(self, schema: Any, key: str | None, depth: int) -> Any:
        first: list[Any] = []
        for value, _ in zip(self.values(schema, key, depth), range(20), strict=False):
            if self._valid(schema, value):
                return value
            first.append(value)
        if not first:
            raise Unsatisfiable(f"nothing for {json.dumps(schema)[:100]}")
        return first[0]

    def _valid(self, schema: Any, value: Any) -> bool:
        """Whether a part of the schema allows the value; its references lead into the whole."""
        if not isinstance(schema, dict) or '"$ref"' not in json.dumps(schema):
            return fits(schema, value)
        if '"#"' in json.dumps(schema):
            return True  # a reference to the root itself: judged as part of the whole value
        return fits({key: self._root[key] for key in ("$defs", "definitions") if key in self._root} | schema, value)

    def _object(self, schema: Any, _key: str | None, depth: int) -> Iterator[Any]:
        properties = schema.get("properties", {})
        required = required_of(schema)
        told = facts.of_keys(self._hints.text, list(properties))
        made: dict[str, Any] = {}
        for name, sub in properties.items():
            wanted = name in required or not (self._bare or depth > _DEEP)
            if not wanted or sub is False:
                continue
            try:
                facts_fit = [value for value in _readings(told.get(name)) if self._valid(sub, value)]
                made[name] = facts_fit[0] if facts_fit else self._value(sub, name, depth + 1)
            except Unsatisfiable:
                if name in required:
                    raise
        extra = schema.get("additionalProperties", {})
        names = [name for name in required if name not in made]
        count = max(schema.get("minProperties", 0) - len(made) - len(names), 0)
        patterns = schema.get("patternProperties", {})
        if patterns and count:
            names += [regexgen.matching(next(iter(patterns)), 1)]
        names += [f"key{n + 1}" for n in range(count)] if not patterns else []
        if not properties and not names and depth == 0 and extra is not False and not self._bare:
            made |= facts.pairs(self._hints.text)
        for name in names:
            fitting = [sub for pattern, sub in patterns.items() if re.search(pattern, name)]
            made[name] = self._value(fitting[0] if fitting else extra or {}, name, depth + 1)
        most = schema.get("maxProperties", len(made))
        for name in [name for name in made if name not in required][::-1][: max(len(made) - most, 0)]:
            del made[name]
        yield made

    def _array(self, schema: Any, key: str | None, depth: int) -> Iterator[Any]:
        fixed = schema.get("prefixItems", [])
        low = max(schema.get("minItems", 0), schema.get("minContains", 1) if "contains" in schema else 0)
        wanted = len(fixed) or (0 if self._bare or depth > _DEEP else 1)
        count = min(max(low, wanted), schema.get("maxItems", 1 << 16))
        items = schema["contains"] if "contains" in schema else schema.get("items", {})
        if items is False:
            count = min(count, len(fixed))
        made: list[Any] = []
        try:
            for at in range(count):
                part = fixed[at] if at < len(fixed) else items
                fresh = self._fresh(part, key, depth, made) if schema.get("uniqueItems") else None
                made.append(self._value(part, key, depth + 1) if fresh is None else fresh[0])
        except Unsatisfiable:
            if len(made) < low:
                raise
        yield made

    def _fresh(self, schema: Any, key: str | None, depth: int, made: Sequence[Any]) -> list[Any] | None:
        """A value that is not in the list yet, in a list of one."""
        for value in self.values(schema, key, depth + 1):
            if value not in made:
                return [value]
        resolved = self._resolve(schema)
        low = resolved.get("minimum", resolved.get("exclusiveMinimum", 0) + 1)
        tries = [low + n for n in range(len(made) + 1)] + [f"item {n + 1}" for n in range(len(made) + 1)]
        return next(([v] for v in tries if v not in made and fits(resolved, v)), None)

    def _string(self, schema: Any, _key: str | None, _depth: int) -> Iterator[str]:
        low, high = schema.get("minLength", 0), schema.get("maxLength", 1 << 16)
        if "pattern" in schema:
            try:
                yield regexgen.matching(schema["pattern"], low)
            except regexgen.Unsupported as error:
                raise Unsatisfiable(f"the pattern {schema['pattern']} is not supported") from error
            return
        if "format" in schema:
            yield _FORMATS.get(schema["format"], "none")
            return
        texts = [str(value) for value in self._hints.wanted[:1] if isinstance(value, str)]
        if self._hints.wanted:
            self._hints.wanted = self._hints.wanted[1:] if texts else self._hints.wanted
        elif not self._answered and self._hints.answer:
            texts, self._answered = [self._hints.answer], True
        yield from (text for text in texts if low <= len(text) <= high)
        for text in ("none", "text"):
            yield text[:high].ljust(low, "e")

    def _integer(self, schema: Any, _key: str | None, _depth: int) -> Iterator[int]:
        for value in self._number({**schema, "multipleOf": schema.get("multipleOf", 1)}, _key, _depth):
            if float(value).is_integer():
                yield int(value)

    def _number(self, schema: Any, _key: str | None, _depth: int) -> Iterator[float | int]:
        low = max(schema.get("minimum", -math.inf), schema.get("exclusiveMinimum", -math.inf))
        high = min(schema.get("maximum", math.inf), schema.get("exclusiveMaximum", math.inf))
        if self._hints.wanted and not isinstance(self._hints.wanted[0], str):
            told, self._hints.wanted = self._hints.wanted[0], self._hints.wanted[1:]
            yield told
        step = schema.get("multipleOf")
        base = low if low > 0 else high if high < 0 else 0
        if step:
            base = math.ceil(base / step) * step if low > 0 else math.floor(base / step) * step
        below, above = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        if below is not None and base <= below:
            base = base + step if step else below + (min((high - below) / 2, 1) if high < math.inf else 1)
        if above is not None and base >= above:
            base = base - step if step else above - (min((above - low) / 2, 1) if low > -math.inf else 1)
        for value in (base, base + (step or 1), base - (step or 1)):
            yield int(value) if float(value).is_integer() else value

    def _boolean(self, _schema: Any, _key: str | None, _depth: int) -> Iterator[bool]:
        yield from (False, True)

    def _null(self, _schema: Any, _key: str | None, _depth: int) -> Iterator[None]:
        yield None


def _readings(value: Any) -> list[Any]:
    """A fact as it is, and as a string."""
    return [] if value is None else [value, str(value)]


def _kinds(schema: dict[str, Any]) -> list[str]:
    """Types that a schema without `type` is about."""
    for kind, words in {
        "object": ("properties", "required", "additionalProperties", "minProperties", "patternProperties"),
        "array": ("items", "prefixItems", "minItems", "contains"),
        "string": ("pattern", "minLength", "maxLength", "format"),
        "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    }.items():
        if any(word in schema for word in words):
            return [kind]
    return ["string", "number", "object", "null"]


def _merge(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Both schemas at once, as far as a generator needs: properties and required are joined, the rest overrides."""
    merged = {**one, **other}
    for word in ("properties", "$defs"):
        if word in one and word in other:
            merged[word] = {**one[word], **other[word]}
    for name in one.get("properties", {}).keys() & other.get("properties", {}).keys():
        both = one["properties"][name], other["properties"][name]
        if all(isinstance(part, dict) for part in both):
            merged["properties"][name] = {**both[0], **both[1]}
    if "required" in one and "required" in other:
        merged["required"] = list(dict.fromkeys(one["required"] + other["required"]))
    return merged
