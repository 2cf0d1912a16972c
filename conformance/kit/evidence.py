"""Whether a pass has evidence: if a server rejects every request, its rejection of a bad one shows nothing."""

from __future__ import annotations

from typing import Any

from conformance.answers import Answer, Missing
from conformance.answers.recording import Source, answers
from conformance.kit.every import Every
from conformance.outcomes import Inconclusive

PLAIN = {
    "/chat/completions": "capital",
    "/completions": "continuation",
    "/embeddings": "embedding",
    "/responses": "respond_capital",
}
"""The plain request to each endpoint."""

AN_IMAGE = "look_red"
"""The plain request with an image: if a server rejects every image, its rejection of a bad one shows nothing."""


def plain_requests(arguments: dict[str, Any]) -> list[str]:
    """The scenarios that the server must have accepted if a pass with these arguments is to count.

    Empty if the server accepted one of the check's own requests, or if none of them is a POST.
    """
    read = [a for argument in arguments.values() for a in _answers(argument)]
    asked = [a for a in read if not a.control and a.exchange.request.method == "POST"]
    if any(a.ok for a in read):
        return []
    return list(dict.fromkeys(filter(None, map(_plain, asked))))


def unproved(source: Source, names: list[str]) -> str:
    """Why a pass that depends on these scenarios shows nothing; an empty string if it does."""
    for name in names:
        plain = answers(source, name)
        if isinstance(plain, Missing):
            return f"{name}, the plain request to the same endpoint, was not sent: {plain.why}"
        if isinstance(plain, Answer) and not plain.ok:
            return f"{name}, the plain request to the same endpoint, was rejected too: {plain.exchange.status}"
    return ""


def responding_model(models: Answer, *answers: Answer) -> str:
    """The model of the first of these responses that can be read, from the same server as `models`; the check is
    inconclusive if there is none."""
    models.assert_accepted()
    for one in answers:
        if isinstance(one, Answer) and one.readable and _server(one) == _server(models):
            return str(one.sent["model"])
    raise Inconclusive("no model of this server responded to any request")


def _server(answer: Answer) -> str:
    return answer.exchange.url.removesuffix(answer.exchange.request.path)


def _plain(answer: Answer) -> str | None:
    request = answer.exchange.request
    return AN_IMAGE if request.role == "vision" else PLAIN.get(request.path)


def _answers(argument: Any) -> list[Answer]:
    if isinstance(argument, Missing | Every) or argument is None:
        return []
    return [a for a in (argument if isinstance(argument, list) else [argument]) if isinstance(a, Answer)]
