"""How servers respond if they do not have an endpoint."""

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
    `unknown`, the answer to a path that is none of the API's, is the same. A 405 is never about them, and a 501 only if
    the model of the request cannot do what is asked.
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
    about = _told_of(answer)
    return not about or not re.search("|".join(about), text, re.IGNORECASE)


def _told_of(answer: Exchange) -> list[str]:
    """Patterns in the errors of endpoints that exist."""
    request = answer.request
    in_path = request.body is None or request.path.startswith("/responses/")
    if answer.status == 405 or (answer.status == 501 and in_path):
        return []
    about = ["model", *(rf"(?<!\w){re.escape(name)}(?!\w)" for name in _named(request))]
    if request.path.startswith("/responses/"):
        about += ["response", re.escape(request.path.split("/")[2])]
    return about


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
