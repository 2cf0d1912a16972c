"""Responses written directly to the connection, for bytes that no HTTP library would send. Then it is closed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tests.reference import stream
from tests.reference.call import Call, Gone, Reply

if TYPE_CHECKING:
    from starlette.types import Receive, Send


def _pieces(call: Call, reply: Reply, status: int, headers: dict[str, str]) -> Iterator[bytes]:
    """The head of the answer, then the pieces of its body: chunked if it is a stream, but for HTTP/1.0."""
    body = stream.body(call, reply)
    bare = call.method == "HEAD" or status == 204
    whole = b"" if reply.events is not None else b"".join(body)
    chunked = reply.events is not None and call.http_version != "1.0"
    if chunked:
        headers = {**headers, "transfer-encoding": "chunked"}
    elif reply.events is None and status != 204:
        headers = {**headers, "content-length": str(len(whole))}
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    yield "\r\n".join([*lines, "", ""]).encode("latin-1")
    if reply.events is None:
        yield b"" if bare else whole
        return
    for chunk in body:
        yield framed(chunk) if chunked else chunk
    if chunked:
        yield framed(b"")


def framed(chunk: bytes) -> bytes:
    """A chunk of a chunked body (RFC 9112, 7.1); an empty one is its end."""
    return b"%x\r\n%b\r\n" % (len(chunk), chunk)


def unframed(piece: bytes) -> bytes:
    """What `framed` made a piece of; a piece without a frame is itself."""
    size, found, rest = piece.partition(b"\r\n")
    return rest[: int(size, 16)] if found and size and not size.strip(b"0123456789abcdef") else piece


async def respond(
    call: Call, reply: Reply, status: int, headers: dict[str, str], delay: float, receive: Receive, send: Send
) -> None:
    """Write through the `raw` hooks. uvicorn's `send` is a method of its request, which has the connection."""
    request: Any = send
    connection = request.__self__.transport
    pieces = iter(call.faults.apply("raw", _pieces(call, reply, status, headers), call))
    try:
        for piece in pieces:
            connection.write(piece)
            await asyncio.sleep(delay)
    except Gone:
        pass
    connection.close()
    while (await receive())["type"] != "http.disconnect":
        pass
