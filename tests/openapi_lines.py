"""python -m tests.openapi_lines OPENAPI.yaml COMMIT > conformance/requirements/openapi_lines.json

Finds the line of each operation, schema and field in OpenAI's published document (github.com/openai/openai-openapi at
COMMIT), for the links of `conformance/requirements/sources.py`. Only what the measured endpoints use is listed. Names
are those of a check's source: `CreateChatCompletionRequest.stop`, `POST /responses`.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

PATHS = ("/chat/completions", "/completions", "/embeddings", "/models", "/models/{model}", "/responses")
PATHS += ("/responses/{response_id}",)
ERRORS = ("ErrorResponse",)
"""Schemas that the endpoints use, although the document does not say so."""

DEPTH = 2
"""How many fields deep names go."""

_KEY = re.compile(r"( *(?:- )*)\"?([^\s\":#]+)\"?:(?: |$)")
_REFERENCE = re.compile(r"#/components/schemas/([\w-]+)")
_ALL_OF = re.compile(r"^      allOf:\n((?:        .*\n)*)", re.MULTILINE)
_PART = re.compile(r"^        - \$ref: .*/([\w-]+)", re.MULTILINE)


def lines(document: str) -> dict[str, int]:
    """The line of each name, counted from 1."""
    text = document.splitlines()
    paths, schemas = (_blocks(text, heading, indent) for heading, indent in (("paths:", 2), ("  schemas:", 4)))
    found: dict[str, int] = {}
    parts: dict[str, list[str]] = {}
    wanted = [*ERRORS]
    for path in PATHS:
        start, end = paths[path]
        found[path] = start + 1
        found |= {f"{key.upper()} {path}": at + 1 for at, indent, key in _keys(text, start, end) if indent == 4}
        wanted += _REFERENCE.findall("\n".join(text[start:end]))
    for name in wanted:
        if name not in found:
            start, end = schemas[name]
            found[name] = start + 1
            found |= {f"{name}.{field}": at for field, at in reversed(list(_fields(text, start + 1, end)))}
            block = "\n".join(text[start:end]) + "\n"
            parts[name] = _PART.findall("".join(_ALL_OF.findall(block)))
            wanted += _REFERENCE.findall(block)
    for name in reversed(parts):
        for part in parts[name]:
            inherited = {field: at for field, at in found.items() if field.startswith(f"{part}.")}
            found = {f"{name}{field.removeprefix(part)}": at for field, at in inherited.items()} | found
    return dict(sorted(found.items()))


def _blocks(text: list[str], heading: str, indent: int) -> dict[str, tuple[int, int]]:
    """The first and the last line, exclusive, of each key that stands below a heading with this indent."""
    start = text.index(heading)
    end = next(
        (n for n in range(start + 1, len(text)) if text[n].strip() and not text[n].startswith(" " * indent)), len(text)
    )
    starts = [(key, at) for at, depth, key in _keys(text, start + 1, end) if depth == indent]
    return {key: (at, after) for (key, at), (_, after) in pairwise([*starts, ("", end)])}


def _keys(text: list[str], start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """The lines that begin with a key: their index, the key's indent, and the key."""
    for at in range(start, end):
        if match := _KEY.match(text[at]):
            yield at, len(match[1]), match[2]


def _fields(text: list[str], start: int, end: int) -> Iterator[tuple[str, int]]:
    """The fields of a schema, `choices.index`, each with its line. What stands below `properties` is a field."""
    above: list[tuple[int, str, bool]] = []
    for at, indent, key in _keys(text, start, end):
        while above and above[-1][0] >= indent:
            above.pop()
        is_field = bool(above) and above[-1][1:] == ("properties", False)
        names = [name for _, name, field in above if field] + [key]
        if is_field and len(names) <= DEPTH:
            yield ".".join(names), at + 1
        above.append((indent, key, is_field))


if __name__ == "__main__":
    _, file, commit = sys.argv
    found = {"commit": commit, "lines": lines(Path(file).read_text(encoding="utf-8"))}
    print(json.dumps(found, indent=0))
