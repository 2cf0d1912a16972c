"""What a client should understand of a response: our own reading, in the form of the SDKs' readings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends import bounds
from conformance.answers import Answer, Completion, Embeddings, Generated, Models, Response
from conformance.answers.lists import unpacked
from conformance.answers.values import expect
from conformance.outcomes import Blocked, Fail
from conformance.outcomes.comparisons import assert_equal

Reading = dict[str, Any]
"""JSON data; what it holds depends on the endpoint."""

COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")

RAISED = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
}
"""The exception for each HTTP status; both SDKs use the same names."""


def reading(answer: Answer) -> Reading:
    """Our own reading of a response; ends the check if it is malformed."""
    if not answer.ok:
        return rejection(raised(answer.status), answer.error_message)
    if isinstance(answer, Generated):
        return {
            "choices": [
                {
                    "index": choice.index,
                    "text": choice.text,
                    "calls": [[call.id, call.name, call.arguments] for call in choice.tool_calls],
                    "finish_reason": choice.finish_reason,
                }
                for choice in answer.choices
            ],
            "usage": counts([one.get("usage") for one in answer.objects]),
        }
    if isinstance(answer, Response):
        calls = [[call.id, call.name, call.arguments] for call in answer.tool_calls]
        return {"text": answer.text, "calls": calls, "status": answer.state}
    if isinstance(answer, Embeddings):
        return {"vectors": [numbers(item.get("embedding")) for item in answer.items]}
    if isinstance(answer, Models):
        return {"ids": answer.ids if is_list(answer) else [answer.body.get("id")]}
    raise Fail(f"{answer.name}: the SDKs have no method for {answer.wire.request.path}")


def assert_reads_alike(got: Reading, expected: Reading, reader: str) -> None:
    """A reader must have read the same as the suite. The message names the first field that differs."""
    path, one, other = _first_difference("", got, expected)
    assert_equal(one, other, f"{path}, as {reader} reads it")


def _first_difference(path: str, got: Any, expected: Any) -> tuple[str, Any, Any]:
    """Where two JSON values first differ, as a path, and what each has there."""
    if isinstance(got, dict) and isinstance(expected, dict):
        for key in dict.fromkeys([*expected, *got]):
            if got.get(key) != expected.get(key):
                return _first_difference(f"{path}.{key}".removeprefix("."), got.get(key), expected.get(key))
    if isinstance(got, list) and isinstance(expected, list) and len(got) == len(expected):
        for at, (one, other) in enumerate(zip(got, expected, strict=True)):
            if one != other:
                return _first_difference(f"{path}[{at}]", one, other)
    return f"`{path}`" if path else "response", got, expected


def rejection(name: str, message: Any) -> Reading:
    """The reading of a rejection: an exception, with the `message` of the error object if there is one."""
    return {"raised": name, "message": message if isinstance(message, str) else ""}


def can_be_sent(answer: Answer) -> bool:
    """Whether the SDKs can send the request: with the path's method, and an object that has what they require."""
    request = answer.wire.request
    if request.method == "GET":
        return isinstance(answer, Models)
    required = {"chat": {"model", "messages"}, "completions": {"model", "prompt"}, "embeddings": {"model", "input"}}
    return answer.asks_clearly and set(answer.sent) >= required.get(kind(answer), {"model"})


def given(answer: Answer) -> bytes:
    """The body that an SDK gets. Ends the check if its objects would take too much time and memory."""
    if bounds.heavy(answer.whole.body):
        raise Blocked(f"{answer.name}: the response has too many values for the suite to give it to an SDK")
    return answer.whole.body


def kind(answer: Answer) -> str:
    """The method of the SDKs that reads a response."""
    if isinstance(answer, Completion):
        return "completions"
    if isinstance(answer, Generated):
        return "chat"
    if isinstance(answer, Models):
        return "models" if is_list(answer) else "model"
    return "embeddings" if isinstance(answer, Embeddings) else "responses"


def is_list(answer: Answer) -> bool:
    """Whether this is the list of models, and not one of them."""
    return answer.wire.request.path == "/models"


def counts(usages: list[Any]) -> list[Any] | None:
    """The counts of the last usage there is: prompt, completion and total."""
    there = [usage for usage in usages if isinstance(usage, Mapping)]
    return [there[-1].get(name) for name in COUNTS] if there else None


def numbers(embedding: Any) -> list[float]:
    """The numbers of an embedding, which is a list, or base64 of float32."""
    if isinstance(embedding, str):
        return unpacked(embedding)
    return expect(embedding, list, "an embedding")


def raised(status: int) -> str:
    """The name of the exception for a status."""
    return RAISED.get(status, "InternalServerError" if status >= 500 else "APIStatusError")


def headers(answer: Answer) -> list[tuple[str, str]]:
    """The headers of an answer, without those that belong to the connection on which it came."""
    gone = ("connection", "content-length", "transfer-encoding", "keep-alive")
    return [(name, value) for name, value in answer.whole.headers if name.lower() not in gone]
