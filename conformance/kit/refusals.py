"""How a check requires that a request is rejected."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.answers import Answer
from conformance.outcomes import Fail, inconclusive_unless, lenient
from conformance.outcomes.comparisons import assert_equal


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


def too_long(answer: Answer) -> bool:
    """Whether the request was rejected because of its length, so that nothing was truncated: cleanly, or `lenient`,
    with a 5xx that says so."""
    if answer.cleanly_refused:
        return True
    if answer.ok or not answer.error_message or not answer.does_not_fit:
        return False
    lenient(f"{answer.name}: expected HTTP status 400, got {answer.status}, which says that the request is too long")
    return True


def assert_streams_rejected(pairs: Iterable[tuple[Answer, Answer]]) -> None:
    """If a plain request was rejected, it must get the same HTTP status as a stream; else `inconclusive`."""
    rejected = [(plain, streamed) for plain, streamed in pairs if plain.cleanly_refused]
    inconclusive_unless(rejected, "none of these requests is rejected without `stream` either")
    for plain, streamed in rejected:
        assert_equal(streamed.status, plain.status, f"HTTP status of {streamed.name}")


def _seen(answer: Answer) -> str:
    return f"{answer.status} {answer.wire.body[:300].decode(errors='replace')}"
