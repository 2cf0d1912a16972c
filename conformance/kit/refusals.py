"""How a check requires that a request is rejected."""

from __future__ import annotations

from conformance.answers import Answer
from conformance.outcomes import Fail, lenient


def expect_rejection(answer: Answer, status: int = 400, *, or_leniently: tuple[int, ...] = (422,)) -> None:
    """The request must be rejected with `status` and an error object; the statuses `or_leniently` are `lenient`.

    OpenAI rejects invalid parameters with 400; several frameworks use 422 for the same thing.
    """
    expected = f"{status} with an error object"
    if answer.ok:
        raise Fail(
            f"{answer.name} was accepted: expected {expected}, got {answer.status}",
            expected=expected,
            actual=_seen(answer),
        )
    if not answer.error_message:
        raise Fail(
            f"{answer.name}: expected {expected}, got {answer.status} without `error.message`",
            expected=expected,
            actual=_seen(answer),
        )
    if answer.status != status:
        said = f"{answer.name}: expected HTTP status {status}, got {answer.status}"
        if answer.status not in or_leniently:
            raise Fail(said, expected=expected, actual=_seen(answer))
        lenient(said)


def _seen(answer: Answer) -> str:
    return f"{answer.status} {answer.wire.body[:300].decode(errors='replace')}"
