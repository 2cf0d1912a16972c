"""What an answer looks like where a server has no such endpoint."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from backends.wire import Exchange, Request

ABSENT = (404, 405, 501)
"""Statuses of an endpoint that is not there: not found, method not allowed, not implemented."""


_NUMBER = re.compile(r"\d+")


def looks_absent(answer: Exchange, unknown: Exchange | None = None) -> bool:
    """Whether an answer says that the server has no such endpoint, whatever the form of its body.

    A 404 that is about the model, or about the response in the path, comes from an endpoint that is there; but not if
    `unknown`, the answer to a path that is none of the API's, is the same.
    """
    if answer.status not in ABSENT or answer.error:
        return False
    text = _text(answer)
    if (
        unknown is not None
        and answer.status == unknown.status
        and _NUMBER.sub("", text) == _NUMBER.sub("", _text(unknown))
    ):
        return True
    if text.startswith("<"):
        return True  # An API says in JSON that it has no such model.
    about = ["model", *(rf"(?<!\w){re.escape(name)}(?!\w)" for name in _named(answer.request))]
    if answer.request.path.startswith("/responses/"):
        about += ["response", re.escape(answer.request.path.split("/")[2])]
    return not re.search("|".join(about), text, re.IGNORECASE)


def _text(answer: Exchange) -> str:
    """The body without the address that was asked."""
    text = answer.body.decode(errors="replace").replace("\\/", "/").strip()
    for address in _addresses(answer):
        text = text.replace(address, "")
    return text


def _addresses(answer: Exchange) -> list[str]:
    """What was asked for, in the forms in which an error may repeat it; the longest first."""
    asked = {answer.url, urlsplit(answer.url).path, answer.request.path.partition("?")[0]}
    return sorted(filter(None, asked | set(map(unquote, asked))), key=len, reverse=True)


def _named(request: Request) -> list[str]:
    """The name of the model that was asked for."""
    name = request.body.get("model") if isinstance(request.body, dict) else request.path.partition("/models/")[2]
    return [unquote(name)] if isinstance(name, str) and name else []
