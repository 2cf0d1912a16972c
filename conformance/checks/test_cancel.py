"""Cancelling: a server stops generating when the client has left, and serves the next request."""

from collections.abc import Sequence

from conformance.kit import (
    SHOULD,
    Chat,
    Fail,
    Response,
    assert_at_most,
    check,
    inconclusive_unless,
    shown,
)
from fixtures.scenarios.cancel import ROUNDS, TOKENS

BUSY = 2.5
"""Seconds for which a request may wait anyway, because the machine is busy."""

SOURCE = "rfc:9112#9.5 a client may close its connection at any time"


def seconds_for_all(long_streams: list[Chat]) -> float:
    """How long a response of `TOKENS` tokens takes at the pace of the fastest of some streams."""
    paces = []
    for answer in long_streams:
        pieces = sum(bool(delta.get("content")) for delta in answer.deltas())
        inconclusive_unless(pieces > 50, "the model gave no long response, so its speed is not known")
        paces.append(pieces / max(answer.arrivals[-1], 0.001))
    return TOKENS / max(paces)


def assert_no_wait(long_streams: list[Chat], left: Sequence[Chat | Response]) -> None:
    """End the check unless each request of a round got its response long before those left before would have ended.

    A server that goes on shows it in each round; one round in which nothing waits is enough.
    """
    most = max(seconds_for_all(long_streams) / 2, BUSY)
    size = len(left) // ROUNDS
    longest = min(longest_wait(left[begin : begin + size]) for begin in range(0, len(left), size))
    assert_at_most(round(longest, 2), round(most, 2), "seconds until the next request got its response")


def longest_wait(left: Sequence[Chat | Response]) -> float:
    """The most seconds that a request of one round waited for its response."""
    *gone, question = left
    for answer in gone:
        refused = (answer.exchange.status or 200) >= 400
        inconclusive_unless(not refused, f"{answer.name} was rejected, so its client had no response to leave")
    if question.exchange.error == "timeout":
        raise Fail("expected a response to the next request in time, got none", expected="a response", actual="none")
    question.assert_accepted()
    return max([answer.wire.headers_at or 0.0 for answer in gone if answer.exchange.status] + [question.arrived])


@check("connections", SHOULD, SOURCE)
def test_a_stream_stops_when_its_client_leaves(long_streams: list[Chat], left_streams: list[Chat]) -> None:
    """Generation of a stream stops when its client disconnects: the next request does not wait for it."""
    for answer in (one for one in left_streams if one.streamed):
        ended = "[DONE]" in answer.exchange.body.decode(errors="replace")
        inconclusive_unless(not ended, "a stream ended before its client disconnected")
    assert_no_wait(long_streams, left_streams)


@check("connections", SHOULD, SOURCE)
def test_a_plain_response_stops_when_its_client_leaves(long_streams: list[Chat], left_plain: list[Chat]) -> None:
    """Generation of a plain response stops when its client disconnects: the next request does not wait for it."""
    assert_no_wait(long_streams, left_plain)


@check("connections", SHOULD, SOURCE)
def test_a_streamed_response_stops_when_its_client_leaves(
    long_streams: list[Chat], left_responses: list[Chat | Response]
) -> None:
    """In the Responses API, generation of a stream stops when its client disconnects."""
    for answer in (one for one in left_responses if one.streamed):
        ended = b"response.completed" in answer.exchange.body
        inconclusive_unless(not ended, "a stream ended before its client disconnected")
    assert_no_wait(long_streams, left_responses)


@check("connections", SHOULD, SOURCE)
def test_many_that_leave_do_no_harm(
    counts_together: list[Chat], left_in_rounds: list[Chat], greetings_after_rounds: list[Chat]
) -> None:
    """After forty clients disconnected from their streams, the server handles as many requests at once as before."""
    for before in counts_together:
        inconclusive_unless(before.ok, "the server does not accept several requests at once")
    inconclusive_unless(any(answer.ok for answer in left_in_rounds), "no stream was accepted")
    for answer in greetings_after_rounds:
        assert answer.finish_reason in ("stop", "length"), (
            f"expected `stop` or `length`, got {shown(answer.finish_reason)} (`finish_reason` of {answer.name})"
        )
