"""Whether a pass rests on something: that a bad request is rejected shows nothing where every request is."""

from __future__ import annotations

from typing import Any

from conformance.answers import Answer, Missing
from conformance.every import Every
from conformance.recording import Source, answers

PLAIN = {
    "/chat/completions": "capital",
    "/completions": "continuation",
    "/embeddings": "embedding",
    "/responses": "respond_capital",
}
"""The plain request to each endpoint."""

AN_IMAGE = "look_red"
"""The plain request with an image: where every image is rejected, a bad one says nothing."""


def plain_requests(arguments: dict[str, Any]) -> list[str]:
    """The scenarios that must have been accepted, so that a check which passed with these arguments has shown anything.

    None where the server accepted one of the requests that the check was called with, or where none of them is a POST.
    """
    read = [a for argument in arguments.values() for a in _answers(argument)]
    asked = [a for a in read if not a.control and a.exchange.request.method == "POST"]
    if any(a.ok for a in read):
        return []
    return list(dict.fromkeys(filter(None, map(_plain, asked))))


def unproved(source: Source, names: list[str]) -> str:
    """Why the pass of a check that needs these scenarios has shown nothing, or an empty string."""
    for name in names:
        plain = answers(source, name)
        if isinstance(plain, Missing):
            return f"{name}, the plain request to the same endpoint, was not sent: {plain.why}"
        if isinstance(plain, Answer) and not plain.ok:
            return f"{name}, the plain request to the same endpoint, was not accepted either: {plain.exchange.status}"
    return ""


def _plain(answer: Answer) -> str | None:
    request = answer.exchange.request
    return AN_IMAGE if request.role == "vision" else PLAIN.get(request.path)


def _answers(argument: Any) -> list[Answer]:
    if isinstance(argument, Missing | Every) or argument is None:
        return []
    return [a for a in (argument if isinstance(argument, list) else [argument]) if isinstance(a, Answer)]
