"""Reads files of JSON Lines that anybody may have written: each line is validated before it is used.

Results files are such files; their schema, `conformance/results/results.schema.json`, is data that both rooms read.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from backends.suite import suite_version

RESULTS = Path(__file__).parent.parent / "conformance" / "results" / "results.schema.json"
"""The schema of a results file: `$defs` has one for each `kind` of line."""

LONGEST = 1 << 28
"""Bytes of a line; the largest that the suite writes is far below."""

IS_IT = "is this a results.jsonl of this suite?"

Complaint = Callable[[Any], str]
"""Says what is wrong with a value: where, and what was expected, as `.targets[0].name: must be a string`; empty if
nothing is."""


class BadResults(Exception):
    """A file that is no results file; `str()` says why in one sentence."""


def read(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The lines of a results file in their order, as text and as JSON: a header, others, perhaps a footer.

    Raises BadResults, with the number of the line.
    """
    return ((text, line) for text, line, _ in read_with_places(path))


def read_with_places(path: Path) -> Iterator[tuple[str, dict[str, Any], int]]:
    """The same, each line with the byte at which it begins.

    A last line that was cut is left out. Lines of this version of the suite have no keys that the schema lacks; lines
    of others may have some. Raises BadResults, with the number of the line.
    """
    extra = True
    kind: Any = None
    names: set[str] = set()
    number = 0
    for number, (text, whole, at) in enumerate(_texts(path), start=1):
        where = f"{path}, line {number}"
        try:
            line = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            if number > 1 and not whole:
                return  # The run was cut while it wrote this line.
            raise BadResults(f"{where}, is not JSON; {IS_IT}") from None
        previous, kind = kind, line.get("kind") if isinstance(line, dict) else None
        if (number == 1) != (kind == "header"):
            wrong = "does not begin with a header" if number == 1 else f"has a second header in line {number}"
            raise BadResults(f"{path} {wrong}; {IS_IT}")
        if kind == "header":
            _must_be_of_our_format(path, line)
            extra = line.get("suite") != suite_version()
        if previous == "footer":
            raise BadResults(f"{where}, comes after the footer; a results file has the lines of one run.")
        if not isinstance(kind, str) or kind not in _kinds(extra):
            raise BadResults(f"{where}, has no `kind` that is one of {', '.join(_kinds(extra))}; {IS_IT}")
        if wrong := _kinds(extra)[kind](line):
            raise BadResults(f"{where}: {wrong.lstrip('.')}; {IS_IT}")
        if kind == "header":
            names = {target["name"] for target in line["targets"]}
            if len(names) < len(line["targets"]):
                raise BadResults(f"{where}: two targets have the same name; {IS_IT}")
        elif line.get("target", next(iter(names), None)) not in names and kind != "footer":
            raise BadResults(f"{where}: the header has no target {line['target']!r}; {IS_IT}")
        yield text, line, at
    if not number:
        raise BadResults(f"{path} does not begin with a header: it is empty; {IS_IT}")


def _texts(path: Path) -> Iterator[tuple[str, bool, int]]:
    """The lines of a file, each with whether it has its end, and where it begins. Raises BadResults."""
    at = 0
    try:
        if path.exists() and not path.is_file():
            raise BadResults(f"{path} is no regular file; {IS_IT}")
        with path.open("rb") as file:
            for number, raw in enumerate(iter(lambda: file.readline(LONGEST), b""), start=1):
                if len(raw) == LONGEST:
                    raise BadResults(f"{path}, line {number}, is longer than {LONGEST >> 20} MB; {IS_IT}")
                try:
                    yield raw.decode().rstrip("\r\n"), raw.endswith(b"\n"), at
                except UnicodeDecodeError:
                    wrong = f"line {number} is not UTF-8"
                    raise BadResults(f"{path} cannot be read as a results file: {wrong}; {IS_IT}") from None
                at += len(raw)
    except (OSError, ValueError) as problem:  # ValueError: a null byte in the path.
        why = getattr(problem, "strerror", None) or problem
        raise BadResults(f"{path} cannot be read as a results file: {why}.") from None


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _must_be_of_our_format(path: Path, header: dict[str, Any]) -> None:
    ours = json.loads(RESULTS.read_bytes())["$defs"]["header"]["properties"]["format"]["const"]
    written = header.get("format")
    if isinstance(written, int) and written > ours:
        raise BadResults(f"{path} was written by a later suite ({header.get('suite')}): update this one.")


@cache
def _kinds(extra: bool) -> dict[str, Complaint]:
    """By kind, what is wrong with a line; with `extra`, keys that the schema lacks are not."""
    schema = json.loads(RESULTS.read_bytes())
    kinds = [one["$ref"].removeprefix("#/$defs/") for one in schema["oneOf"]]
    made: dict[str, Complaint] = {}
    return {kind: _complaint(schema["$defs"][kind], schema["$defs"], made, extra) for kind in kinds}


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool) and value == value,
    "null": lambda value: value is None,
}


def _complaint(schema: dict[str, Any], defs: dict[str, Any], made: dict[str, Complaint], extra: bool) -> Complaint:
    """A schema as a function, which is many times faster than a general validator. It knows the keywords that
    `results.schema.json` has. `made` has the functions of `defs` by name."""

    def of(inner: dict[str, Any]) -> Complaint:
        return _complaint(inner, defs, made, extra)

    rules: list[Complaint] = []
    if "$ref" in schema:
        name = schema["$ref"].removeprefix("#/$defs/")
        if name not in made:
            made[name] = of(defs[name])
        rules.append(made[name])
    if "type" in schema:
        rules.append(_type(schema["type"] if isinstance(schema["type"], list) else [schema["type"]]))
    if "const" in schema or "enum" in schema:
        rules.append(_enum(schema.get("enum", [schema.get("const")])))
    if "pattern" in schema or "minLength" in schema or "contentEncoding" in schema:
        rules.append(_string(schema))
    if "minimum" in schema or "maximum" in schema:
        rules.append(_range(schema.get("minimum", float("-inf")), schema.get("maximum", float("inf"))))
    if "minItems" in schema or "maxItems" in schema:
        rules.append(_length(schema.get("minItems", 0), schema.get("maxItems", float("inf"))))
    if "items" in schema:
        rules.append(_items(of(schema["items"])))
    if "prefixItems" in schema:
        rules.append(_tuple([of(one) for one in schema["prefixItems"]]))
    if "properties" in schema or "additionalProperties" in schema or "required" in schema:
        others = schema.get("additionalProperties", True)
        rules.append(
            _object(
                {key: of(one) for key, one in schema.get("properties", {}).items()},
                of(others) if isinstance(others, dict) else None,
                others is not False or extra,
                schema.get("required", []),
            )
        )
    if "propertyNames" in schema:
        rules.append(_names(of(schema["propertyNames"])))
    if "oneOf" in schema:
        rules.append(_one_of([of(one) for one in schema["oneOf"]], schema["oneOf"]))
    return rules[0] if len(rules) == 1 else lambda value: next((w for rule in rules if (w := rule(value))), "")


def _type(kinds: list[str]) -> Complaint:
    tests = [_TYPES[kind] for kind in kinds]
    said = f": must be of type {' or '.join(kinds)}"
    return lambda value: "" if any(test(value) for test in tests) else said


def _enum(values: list[Any]) -> Complaint:
    said = f": must be {' or '.join(map(json.dumps, values))}"
    return lambda value: "" if any(value == one and type(value) is type(one) for one in values) else said


def _string(schema: dict[str, Any]) -> Complaint:
    pattern = re.compile(re.sub(r"\$$", r"\\Z", schema.get("pattern", "")))
    shortest = schema.get("minLength", 0)
    is_base64 = schema.get("contentEncoding") == "base64"

    def complaint(value: Any) -> str:
        if not isinstance(value, str):
            return ""
        if len(value) < shortest:
            return ": must not be empty"
        if not pattern.search(value):
            return f": must match {schema['pattern']}"
        if is_base64:
            try:
                base64.b64decode(value, validate=True)
            except ValueError:
                return ": must be base64"
        return ""

    return complaint


def _range(least: float, most: float) -> Complaint:
    def complaint(value: Any) -> str:
        if not _TYPES["number"](value) or least <= value <= most:
            return ""
        return f": must be at least {least:g}" if value < least else f": must be at most {most:.15g}"

    return complaint


def _length(least: int, most: float) -> Complaint:
    said = f": must have {least} items" if least == most else f": must have at least {least} items"
    return lambda value: said if isinstance(value, list) and not least <= len(value) <= most else ""


def _items(inner: Complaint) -> Complaint:
    def complaint(value: Any) -> str:
        for number, one in enumerate(value if isinstance(value, list) else ()):
            if wrong := inner(one):
                return f"[{number}]{wrong}"
        return ""

    return complaint


def _tuple(inner: list[Complaint]) -> Complaint:
    def complaint(value: Any) -> str:
        for number, (test, one) in enumerate(zip(inner, value if isinstance(value, list) else (), strict=False)):
            if wrong := test(one):
                return f"[{number}]{wrong}"
        return ""

    return complaint


def _object(inner: dict[str, Complaint], others: Complaint | None, extra: bool, required: list[str]) -> Complaint:
    def complaint(value: Any) -> str:
        if not isinstance(value, dict):
            return ""
        for key in required:
            if key not in value:
                return f".{key}: is required"
        for key, one in value.items():
            test = inner.get(key, others)
            if test is not None:
                if wrong := test(one):
                    return f".{key if key in inner else json.dumps(key)}{wrong}"
            elif key not in inner and not extra:
                return f": must have no key {json.dumps(key)}"
        return ""

    return complaint


def _names(inner: Complaint) -> Complaint:
    def complaint(value: Any) -> str:
        names = value if isinstance(value, dict) else ()
        return next(
            (f": key {json.dumps(name)}{wrong.replace(':', '', 1)}" for name in names if (wrong := inner(name))), ""
        )

    return complaint


def _one_of(inner: list[Complaint], forms: list[dict[str, Any]]) -> Complaint:
    keys = [f"`{'` and `'.join(form['required'])}`" for form in forms]
    said = f": must have either {' or '.join(keys)}"

    def complaint(value: Any) -> str:
        wrong = [test(value) for test in inner]
        if wrong.count("") == 1:
            return ""
        # The form that the value's keys fit says more than that none does.
        fitting = [
            w
            for w, form in zip(wrong, forms, strict=True)
            if isinstance(value, dict) and set(form["required"]) <= set(value)
        ]
        return fitting[0] if len(fitting) == 1 and fitting[0] else said

    return complaint
