"""The ledger: for each name of OpenAI's API the checks that cover it, or why none does.

`names.json` has the names, made from OpenAI's document by `tests/ledger_names.py`, which says the rule. Those that only
the newer types of its Python SDK have are in `names_sdk.json` (`sdk.py`). A file an endpoint accounts for them:

    [request]                                     the part of the name before its first dot
    "stop" = ["stop.*"]                           the checks of a name: ids, or all of an area
    "usage.*" = ["usage.counts_and_sums"]         the same for all names below one, that have no row of their own

    [[excluded]]
    why = "Has no meaning on a server of one's own."
    names = ["request.service_tier", "*.moderation"]     names, with all that is below them

A row of a name itself counts first, then an exclusion, then the longest row with `*`. `general.toml` has the checks
that are about no name: rules for every answer, how a connection behaves, agreement of the modes.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from conformance.run import catalogue

HERE = Path(__file__).parent
DOCUMENT, SDK = HERE / "names.json", HERE / "names_sdk.json"
TITLES = {
    "chat": "POST /v1/chat/completions",
    "completions": "POST /v1/completions",
    "embeddings": "POST /v1/embeddings",
    "models": "GET /v1/models",
    "model": "GET /v1/models/{model}",
    "responses": "POST /v1/responses",
}

SCHEMAS = {
    "CreateChatCompletionRequest": ("chat", "request"),
    "CreateChatCompletionResponse": ("chat", "response"),
    "CreateChatCompletionStreamResponse": ("chat", "stream"),
    "CreateCompletionRequest": ("completions", "request"),
    "CreateCompletionResponse": ("completions", "response"),
    "CreateEmbeddingRequest": ("embeddings", "request"),
    "CreateEmbeddingResponse": ("embeddings", "response"),
    "ListModelsResponse": ("models", "response"),
    "CreateResponse": ("responses", "request"),
    "Response": ("responses", "response"),
    "ChatCompletionStreamOptions": ("chat", "request.stream_options"),
    "CompletionUsage": ("chat", "response.usage"),
    "Embedding": ("embeddings", "response.data"),
    "Model": ("model", "response"),
    "ResponseUsage": ("responses", "response.usage"),
}
"""The endpoint and the part of the names that the fields of a schema have."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A line of the ledger, as it is written: a pattern with its checks, or with the reason for having none."""

    endpoint: str
    pattern: str
    checks: tuple[str, ...] = ()
    why: str = ""

    def holds_for(self, name: str) -> bool:
        """Whether a name is this one, or below it as far as the line says so."""
        if self.pattern == name or fnmatchcase(name, self.pattern):
            return True
        return bool(self.why) and fnmatchcase(name, f"{self.pattern}.*")

    def rank(self, name: str) -> tuple[int, int]:
        """Which of several lines counts for a name: the one with the highest rank."""
        return 2 if self.pattern == name else 1 if self.why else 0, len(self.pattern)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A name of the API with what covers it: ids of checks, or the reason why it is excluded; neither if it is open."""

    endpoint: str
    name: str
    checks: tuple[str, ...]
    why: str

    @property
    def state(self) -> str:
        """covered, excluded or open."""
        return "covered" if self.checks else "excluded" if self.why else "open"


@cache
def names() -> dict[str, list[str]]:
    """All names of the API, by endpoint: those of the document, then those of the SDK alone."""
    document, more = (json.loads(file.read_text(encoding="utf-8")) for file in (DOCUMENT, SDK))
    return {endpoint: list(dict.fromkeys([*listed, *more.get(endpoint, [])])) for endpoint, listed in document.items()}


@cache
def entries(endpoint: str) -> tuple[Entry, ...]:
    """The lines of an endpoint's file."""
    data = _read(endpoint)
    excluded = [
        Entry(endpoint=endpoint, pattern=name, why=group["why"])
        for group in data.pop("excluded", [])
        for name in group["names"]
    ]
    covered = [
        Entry(endpoint=endpoint, pattern=f"{part}.{name}", checks=tuple(checks))
        for part, lines in data.items()
        for name, checks in lines.items()
    ]
    return (*covered, *excluded)


@cache
def general() -> dict[str, tuple[str, ...]]:
    """The checks that are about no name, by what they are about."""
    return {about: tuple(checks) for about, checks in _read("general").items()}


@cache
def coverage() -> tuple[Row, ...]:
    """Every name of the API with what covers it, in the order of OpenAI's document."""
    return tuple(_row(endpoint, name) for endpoint, listed in names().items() for name in listed)


def resolve(checks: tuple[str, ...]) -> tuple[str, ...]:
    """The ids of checks, those of an area in place of `area.*`. Raises ValueError for what there is not."""
    known = catalogue.load()
    found: list[str] = []
    for one in checks:
        ids = [id for id in known if fnmatchcase(id, one)]
        if not ids:
            raise ValueError(f"there is no check {one}")
        found += ids
    return tuple(dict.fromkeys(found))


def named(source: str) -> tuple[str, str]:
    """The endpoint and the name that a check's source is about, as far as it tells: `chat`, `request.stop`."""
    schema, _, field = source.removeprefix("openapi:").partition(" ")[0].partition(".")
    endpoint, part = SCHEMAS.get(schema, ("", ""))
    return endpoint, f"{part}.{field}" if part else ""


def _row(endpoint: str, name: str) -> Row:
    fitting = [entry for entry in entries(endpoint) if entry.holds_for(name)]
    best = max(fitting, key=lambda entry: entry.rank(name), default=Entry(endpoint=endpoint, pattern=name))
    return Row(endpoint=endpoint, name=name, checks=resolve(best.checks), why=best.why)


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
