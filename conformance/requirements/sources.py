"""Where the source of a requirement is published: `url` makes a link of it.

OpenAI's document and SDKs are linked at a fixed commit or tag, so that a link shows what the requirement was written
from. `python -m tests.openapi_lines` writes the lines of the document.
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

LINES = Path(__file__).parent / "openapi_lines.json"
OPENAPI = "https://github.com/openai/openai-openapi/blob/{commit}/openapi.yaml#L{line}"
DOCS = "https://platform.openai.com/docs/{page}"
REFERENCE = "https://developers.openai.com/api/{page}"
"""Pages of the newer API reference, whose paths begin with `reference/`."""
RFC = "https://www.rfc-editor.org/rfc/rfc{number}.html"

PYTHON = "https://github.com/openai/openai-python/blob/v3.57.0/"
NODE = "https://github.com/openai/openai-node/blob/v6.49.0/"
SDK = {
    "openai-python": f"{PYTHON}README.md",
    "openai-python helpers.md": f"{PYTHON}helpers.md",
    "openai-python accumulate_delta": f"{PYTHON}src/openai/lib/streaming/_deltas.py",
    "openai-python asks for base64": f"{PYTHON}src/openai/resources/embeddings.py",
    "openai-python responses.stream()": f"{PYTHON}src/openai/lib/streaming/responses/_responses.py",
    "openai-python lib/streaming/_deltas.py": f"{PYTHON}src/openai/lib/streaming/_deltas.py",
    "openai-python lib/streaming/responses/_responses.py": f"{PYTHON}src/openai/lib/streaming/responses/_responses.py",
    "accumulate_delta": f"{PYTHON}src/openai/lib/streaming/_deltas.py",
    "models.retrieve": f"{PYTHON}src/openai/resources/models.py",
    "official clients reuse connections": f"{PYTHON}src/openai/_base_client.py",
    "openai-node": f"{NODE}README.md",
    "openai-node helpers.md": f"{NODE}helpers.md",
    "openai-node asks for base64": f"{NODE}src/resources/embeddings.ts",
    "openai-node ChatCompletionStream": f"{NODE}src/lib/ChatCompletionStream.ts",
    "openai-node lib/ChatCompletionStream.js": f"{NODE}src/lib/ChatCompletionStream.ts",
    "dangerouslyAllowBrowser": f"{NODE}README.md#requirements",
}
"""The file for each beginning of an `sdk:` source; the longest counts."""


def url(source: str) -> str | None:
    """The link of a source such as `openapi:Schema.field`; None where nothing is published, or the form is unknown."""
    kind, _, where = source.partition(":")
    match kind:
        case "openapi":
            return _openapi(where)
        case "docs":
            page = re.match(r"[a-z][\w/-]*(#[\w-]+)?", where)
            return (REFERENCE if where.startswith("reference/") else DOCS).format(page=page[0]) if page else None
        case "sdk":
            return _sdk(where)
        case "rfc":
            number = re.match(r"(\d+)(?:#(\d[\d.]*))?", where)
            return RFC.format(number=number[1]) + (f"#section-{number[2]}" if number[2] else "") if number else None
    return None


def _openapi(where: str) -> str | None:
    """An operation (`POST /responses`), or a field (`Schema.field`); else what is above it, as far as it is listed."""
    words = where.split()
    name = " ".join(words[:2]) if words[:1] and words[0].isupper() else "".join(words[:1])
    document = _document()
    while name and name not in document["lines"]:
        name = name.rpartition(".")[0]
    return OPENAPI.format(commit=document["commit"], line=document["lines"][name]) if name else None


def _sdk(where: str) -> str | None:
    start = max((one for one in SDK if where.startswith(one)), key=len, default=None)
    if start is None:
        return None
    file = SDK[start]
    if file.endswith(".md"):
        heading = re.search(r"#[\w-]+", where)
        return file + (heading[0] if heading else "")
    lines = re.search(r"lines? (\d+)(?: to (\d+))?", where) if file.endswith(".py") else None
    return file + (f"#L{lines[1]}" + (f"-L{lines[2]}" if lines[2] else "") if lines else "")


@cache
def _document() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(LINES.read_bytes())
    return found
