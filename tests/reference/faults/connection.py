"""Faults below HTTP: heads, lengths and chunks that are wrong, connections that end too early."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call, Gone
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import add, raw, when_left

Pieces = Iterator[bytes]
CHAT = "chat"


@raw(CHAT, stream=True)
def closes_after_streams(pieces: Pieces, _call: Call) -> None:
    """The connection is closed after a stream, without `Connection: close`."""


@raw(CHAT, stream=False)
def content_length_too_long(pieces: Pieces, _call: Call) -> Pieces:
    """Content-Length is larger than the body."""
    yield next(pieces).replace(b"content-length: ", b"content-length: 1")
    yield from pieces


@raw(CHAT, stream=False)
def body_cut(pieces: Pieces, _call: Call) -> Pieces:
    """The connection is closed in the middle of a plain response."""
    yield next(pieces)
    for piece in pieces:
        yield piece[: len(piece) // 2]


@raw(CHAT, stream=False)
def content_length_too_short(pieces: Pieces, _call: Call) -> Pieces:
    """Content-Length is 10 bytes, but the body is longer."""
    head = next(pieces)
    before, _, after = head.partition(b"content-length: ")
    yield before + b"content-length: 10" + after[after.index(b"\r\n") :]
    yield from pieces


@raw(CHAT, stream=False)
def second_response_unasked(pieces: Pieces, _call: Call) -> Pieces:
    """A plain response is sent twice."""
    whole = b"".join(pieces)
    yield whole + whole


@raw(CHAT, stream=True)
def bytes_after_the_last_chunk(pieces: Pieces, _call: Call) -> Pieces:
    """A stream's body is followed by another chunk."""
    for piece in pieces:
        yield piece + b"5\r\nextra\r\n0\r\n\r\n" if piece == b"0\r\n\r\n" else piece


@raw(CHAT, stream=True)
def last_chunk_missing(pieces: Pieces, _call: Call) -> Pieces:
    """A stream's body does not end with the chunk of length 0: the connection is closed instead."""
    return (piece for piece in pieces if piece != b"0\r\n\r\n")


@raw(CHAT, stream=True)
def chunk_sizes_wrong(pieces: Pieces, _call: Call) -> Pieces:
    """The length of a chunk is not a number."""
    for number, piece in enumerate(pieces):
        yield piece if number < 4 else b"zz" + piece


@raw(CHAT, stream=True)
def chunk_in_two_halves(pieces: Pieces, _call: Call) -> Pieces:
    """The connection is closed in the middle of an event."""
    for number, piece in enumerate(pieces):
        if number == 4:
            yield piece[: len(piece) // 2]
            raise Gone
        yield piece


@raw(CHAT, stream=False, when=lambda call: call.status == 200)
def status_line_garbage(pieces: Pieces, _call: Call) -> Pieces:
    """The status line is not HTTP."""
    yield next(pieces).replace(b"HTTP/1.1 200", b"HTTPS 200", 1)
    yield from pieces


@raw(CHAT, stream=False, when=lambda call: "stop" in call.body)
def closed_without_an_answer(pieces: Pieces, _call: Call) -> Pieces:
    """A request with `stop` gets no response: the connection is closed."""
    return iter(())


@raw(CHAT, stream=False, when=lambda call: call.status >= 400)
def refusals_close_the_connection(pieces: Pieces, _call: Call) -> Pieces:
    """An invalid request gets no response: the connection is closed."""
    return iter(())


@raw("completions", when=lambda call: "best_of" in call.body)
def closed_at_best_of(pieces: Pieces, _call: Call) -> Pieces:
    """A request with `best_of` gets no response: the connection is closed."""
    return iter(())


def _is_long(call: Call) -> bool:
    limit = call.body.get("max_tokens")
    return isinstance(limit, int) and limit > 128


_leave_stuck = when_left(_is_long, lambda call: call.state.broken.add("stuck"))


def _stay_stuck(_body: Any, call: Call) -> None:
    if "stuck" in call.state.broken and not call.stream:
        raise ApiError("No slot is free.", status=503)


def _only_one_slot(body: Any, call: Call) -> None:
    later = any(str(message.get("content")).startswith("Count from 2") for message in messages(body))
    if "stuck" in call.state.broken and not call.stream and later:
        raise ApiError("No slot is free.", status=503)


add(
    Fault(
        name="one-slot-after-cancelled-streams",
        sentence="Long streams that clients left keep their slots forever: of several requests, some get 503.",
        area="connection",
        hooks={"wire": _leave_stuck, "request": _only_one_slot},
        on=frozenset([CHAT]),
    )
)


add(
    Fault(
        name="stuck-after-cancelled-streams",
        sentence="A long stream that the client left keeps its slot forever: later requests get 503.",
        area="connection",
        hooks={"wire": _leave_stuck, "request": _stay_stuck},
        on=frozenset([CHAT]),
    )
)
