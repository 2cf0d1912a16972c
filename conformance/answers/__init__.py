"""Recorded exchanges with the words that checks use to read them.

Plain and streamed responses are read with the same words. A check that reads something that is not there ends: with
`Refused` for a rejection, with `Fail` for a malformed response. It need not test for this first.
"""

from __future__ import annotations

from conformance.answers.answer import Absent, Answer, Missing, Refused
from conformance.answers.generated import Chat, Choice, Completion, Generated, ToolCall
from conformance.answers.lists import Embeddings, Models
from conformance.answers.response import Response

VIEWS: dict[str, type[Answer]] = {
    "/chat/completions": Chat,
    "/completions": Completion,
    "/embeddings": Embeddings,
    "/models": Models,
    "/responses/input_tokens": Answer,
    "/responses/compact": Answer,
    "/responses": Response,
}
"""The class for each path, and for the paths below it; the first match counts."""


def view(path: str) -> type[Answer]:
    """The class that reads an exchange with `path`, whatever its query."""
    path = path.partition("?")[0]
    fitting = [cls for known, cls in VIEWS.items() if path == known or path.startswith(known + "/")]
    return fitting[0] if fitting else Answer


__all__ = [
    "VIEWS",
    "Absent",
    "Answer",
    "Chat",
    "Choice",
    "Completion",
    "Embeddings",
    "Generated",
    "Missing",
    "Models",
    "Refused",
    "Response",
    "ToolCall",
    "view",
]
