"""What a check says of a request that must be refused."""

from __future__ import annotations

from conformance.answers import Answer
from conformance.outcomes import Fail, lenient


def expect_rejection(answer: Answer, status: int = 400, *, or_leniently: tuple[int, ...] = (422,)) -> None:
    """The request must be refused with `status` and an error object; the other statuses are accepted as `lenient`.

    OpenAI answers invalid parameters with 400; 422 is what several frameworks use for the same thing.
    """
    expected = f"{status} with an error object"
    if answer.ok:
        raise Fail(f"{answer.name} was accepted", expected=expected, actual=_seen(answer))
    if not answer.error_message:
        raise Fail(f"{answer.name}: refused without an error object", expected=expected, actual=_seen(answer))
    if answer.status != status:
        if answer.status not in or_leniently:
            raise Fail(f"{answer.name}: refused with another status", expected=expected, actual=_seen(answer))
        lenient(f"{answer.name}: {answer.status} where {status} is usual")


def _seen(answer: Answer) -> str:
    return f"{answer.status} {answer.wire.body[:300].decode(errors='replace')}"
