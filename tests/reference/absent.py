"""Servers that have only some of the endpoints: `X-Absent: VARIATION STYLE` takes the others away from a request."""

from __future__ import annotations

import re

from tests.reference.call import Call, Reply
from tests.reference.errors import ApiError

_ALL = ("chat/completions", "completions", "embeddings", "models(/.+)?", "responses(/.+)?")

VARIATIONS: dict[str, tuple[str, ...]] = {
    "only-embeddings": tuple(one for one in _ALL if one not in ("embeddings", "models(/.+)?")),
    "only-chat": tuple(one for one in _ALL if one not in ("chat/completions", "models(/.+)?")),
    "no-responses": ("responses(/.+)?",),
    "no-completions": ("completions",),
    "no-models": ("models(/.+)?",),
    "no-single-models": ("models/.+",),
    "no-stored-responses": ("responses/.+",),
    "none-but-unknown": ("no/such/path",),
}
"""Patterns of the paths below /v1 that a server lacks; the last has all, and shows its style on unknown paths alone."""

STYLES: dict[str, tuple[int, str, str]] = {
    "openai": (404, "application/json", '{"error": {"message": "Invalid URL (%s)", "type": "invalid_request_error"}}'),
    "fastapi": (404, "application/json", '{"detail":"Not Found"}'),
    "fastapi-method": (405, "application/json", '{"detail":"Method Not Allowed"}'),
    "text": (404, "text/plain", "404 page not found"),
    "html": (404, "text/html", "<!DOCTYPE html><title>404</title><p>This page does not exist. Models are elsewhere."),
    "empty": (404, "text/plain", ""),
    "not-implemented": (501, "text/html", "<html><body><h1>Unsupported method ('POST')</h1></body></html>"),
    "honest": (501, "application/json", '{"error": {"message": "This server has no such endpoint.", "code": 501}}'),
    "gateway": (501, "text/plain", "responses and their models are not implemented in gateway mode"),
}
"""The response to an unknown path: status, content type, body."""


def lacks(asked: str, path: str) -> bool:
    """Whether `X-Absent: asked` takes a path away. Raises ApiError if it names no variation and style."""
    variation, _, style = asked.partition(" ")
    if variation not in VARIATIONS or style not in STYLES:
        raise ApiError(f"X-Absent names no variation and style: {asked!r}.")
    return any(re.fullmatch(f"/v1/{pattern}", path) for pattern in VARIATIONS[variation])


def reply(call: Call, asked: str) -> Reply | None:
    """The response to a request whose path is absent; None if the path exists."""
    if not lacks(asked, call.path):
        return None
    status, kind, body = STYLES[asked.partition(" ")[2]]
    return Reply(
        body.replace("%s", f"{call.method} {call.path}").encode(), status=status, headers={"content-type": kind}
    )
