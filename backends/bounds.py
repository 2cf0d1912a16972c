"""Bounds of one exchange, which hold whatever a server sends: its time from connect to the last byte, and its size."""

from __future__ import annotations

import contextlib
import ctypes
import http.cookiejar
import socket
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import httpx2

MOST = 16 << 20
"""Bytes of one response body, content encodings undone. The largest of a healthy run has 0.2 MB."""

MOST_ON_WIRE = 2 * MOST
"""Bytes of one response as it comes: with its head, its framing, and in its content encoding."""

MOST_PARTS = 1_000_000
"""Values and lines of one response body. Each takes some hundred bytes once it is parsed, however short it is."""

MOST_PIECES = 50_000
TINY = 16
"""A response body may not come in more pieces (chunks, or reads of the connection) of fewer bytes each on average.
Reading a piece takes time, however short it is. An event of a stream has a hundred bytes or more."""

PART = 16
PLAIN = 1 << 20
"""Weight of a body that is always read: its bytes, and `PART` for each of its parts."""

SPARE = 32 << 20
"""Weight that all bodies of a run may have together beyond `PLAIN` each."""

KEPT = 64 << 10
"""Bytes that are kept of a body that is too large."""

SPILL = 8 << 10
"""Bytes beyond `KEPT` that are read, but kept only until secrets are removed: one may stand across the end."""

SURPLUS = 256
"""Bytes that are kept of what follows a response."""

CLOSING = 0.05
"""Seconds that a server has to close a connection after its response, where the request asks it to."""

READS = 4096
"""Reads of one response from which those that follow within `SOON` seconds are kept as one."""

SOON = 0.01

NO_ROOM = f"with the other responses of this run, more than {SPARE >> 20} MB"
"""The reason for not reading a response further that would not be too large alone."""

_ENDS = (b",", b"[", b"{", b"\n", b"\r")
_TRIES = 16 << 10


class TooLarge(Exception):
    """A response is larger than the suite reads; `str()` says which limit it exceeds."""


class Undecodable(Exception):
    """A body is not in the content encoding that its header names; `str()` says so."""


@dataclass
class Spare:
    """What the bodies of a run may still take together; shared by threads."""

    left: int = SPARE
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, weight: int) -> bool:
        """Whether that much was left; then it is taken. A negative weight gives back."""
        with self._lock:
            if weight > self.left:
                return False
            self.left -= weight
            return True


class Body:
    """A response body while it arrives: what is kept of it, and how much of the `spare` it has taken."""

    def __init__(self, spare: Spare) -> None:
        self.kept = bytearray()
        self.reads: list[tuple[float, int]] = []
        self._spare = spare
        self._decoders: list[_Decoder] = []
        self._size = 0
        self._parts = 0
        self._pieces = 0
        self._taken = 0
        self._cut = False

    def encoded(self, encodings: str | None) -> None:
        """The response has begun, with this Content-Encoding. Raises Undecodable if it is none of the known."""
        self._decoders = [_Decoder(name) for name in reversed(_names(encodings))]

    def add(self, piece: bytes, at: float) -> None:
        """A piece arrives after `at` seconds. Raises TooLarge, after which little is left, or Undecodable."""
        for decoded in self._decoded(piece, self._decoders):
            self._keep(decoded, at)

    def finish(self) -> None:
        """The body has ended. Raises Undecodable if its encoding has not, TooLarge if there was no room for it."""
        for decoder in self._decoders:
            decoder.finish()
        if self._cut:
            raise TooLarge(NO_ROOM)

    def _decoded(self, piece: bytes, decoders: list[_Decoder]) -> Iterator[bytes]:
        if not decoders:
            yield piece
            return
        for decoded in decoders[0].add(piece):
            yield from self._decoded(decoded, decoders[1:])

    def _keep(self, piece: bytes, at: float) -> None:
        self._size += len(piece)
        self._parts += number_of_parts(piece)
        self._pieces += 1
        if self._size > MOST:
            self._too_large(f"more than {MOST >> 20} MB")
        if self._parts > MOST_PARTS:
            self._too_large(f"more than {MOST_PARTS:,} values or lines")
        if self._pieces > MOST_PIECES and self._size < TINY * self._pieces:
            self._too_large(f"more than {MOST_PIECES:,} pieces of a few bytes")
        if self._cut:
            return
        self.kept += piece
        if len(self.reads) >= READS and at - self.reads[-1][0] < SOON:
            self.reads[-1] = (self.reads[-1][0], self.reads[-1][1] + len(piece))
        else:
            self.reads.append((at, len(piece)))
        missing = self._size + PART * self._parts - PLAIN - self._taken
        if missing > 0 and self._spare.take(missing):
            self._taken += missing
        elif missing > 0:  # The rest is only counted: is it too large by itself?
            self._cut = True
            self._drop()

    def _too_large(self, than: str) -> None:
        self._drop()
        raise TooLarge(than)

    def _drop(self) -> None:
        del self.kept[KEPT + SPILL :]
        self._spare.take(-self._taken)
        self._taken = 0


class _Decoder:
    """Undoes gzip or deflate, a bounded piece at a time."""

    def __init__(self, name: str) -> None:
        if name not in ("gzip", "x-gzip", "deflate"):
            raise Undecodable(f"`Content-Encoding: {name}`, although the request accepts only `identity`")
        self._name = name
        self._first = b""
        self._inflate = zlib.decompressobj(31) if name != "deflate" else None

    def add(self, piece: bytes) -> Iterator[bytes]:
        if not piece:
            return
        self._first = self._first or piece[:1]
        if self._inflate is None:  # Some servers send deflate without its head, whose first byte ends in 8.
            self._inflate = zlib.decompressobj(15 if self._first[0] & 15 == 8 else -15)
        while piece and not self._inflate.eof:
            try:
                decoded = self._inflate.decompress(piece, 1 << 16)
            except zlib.error:
                raise Undecodable(f"`Content-Encoding: {self._name}`, but the body is not {self._name}") from None
            piece = self._inflate.unconsumed_tail
            if decoded:
                yield decoded

    def finish(self) -> None:
        if self._first and self._inflate and not self._inflate.eof:
            raise Undecodable(f"`Content-Encoding: {self._name}`, but the body ends in the middle")


def _names(encoding: str | None) -> list[str]:
    names = [name for one in (encoding or "").split(",") if (name := one.strip().lower()) not in ("", "identity")]
    if len(names) > 3:
        raise Undecodable(f"`Content-Encoding` names {len(names)} encodings")
    return names


@dataclass
class _Limits:
    """What is left of the exchange of this thread."""

    deadline: float
    old: bool = False
    wire: int = MOST_ON_WIRE

    def seconds(self, otherwise: float | None) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore2.ReadTimeout()
        return left if otherwise is None else min(left, otherwise)


_limits: ContextVar[_Limits | None] = ContextVar("limits", default=None)


@contextlib.contextmanager
def exchange(seconds: float, http_version: str = "1.1") -> Iterator[None]:
    """In this block, a client of this thread that is bound ends its exchange after so many seconds.

    httpcore2 writes no other version than HTTP/1.1, so for 1.0 the request line is changed below it.
    """
    token = _limits.set(_Limits(time.monotonic() + seconds, old=http_version == "1.0"))
    try:
        yield
    finally:
        _limits.reset(token)


def bind(client: httpx2.Client) -> None:
    """Bound each `exchange` of the client, and let it keep no cookies: what a server sets is not sent back.

    httpx2's own timeouts bound each read, not their number, so the bound is put below it: on each read and write of the
    connection.
    """
    client.cookies.jar.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    for transport in (client._transport, *client._mounts.values()):
        if isinstance(transport, httpx2.HTTPTransport):
            transport._pool._network_backend = _Backend(transport._pool._network_backend)


def surplus(client: httpx2.Client, response: httpx2.Response) -> bytes:
    """What follows a response on its connection, which the next request would take for its own response.

    Call it when the body has been read, before the response is closed. Empty lines are allowed (RFC 9112, 9.2). After
    anything else the connection is not used again.
    """
    stream = response.extensions["network_stream"]
    pool = client._transport._pool  # type: ignore[attr-defined]
    for connection in pool.connections:
        inner: Any = getattr(connection, "_connection", None)
        if getattr(inner, "_network_stream", None) is not stream:
            continue
        found = inner._h11_state.trailing_data[0] + _rest(stream, response.request.headers.get("connection") == "close")
        if found := found.lstrip(b"\r\n"):
            inner._h11_state.send_failed()
        return bytes(found[: SURPLUS + SPILL])
    return b""


def _rest(stream: Any, closing: bool) -> bytes:
    """What else has come, up to the end of a connection that is to be closed."""
    found, until = b"", time.monotonic() + (CLOSING if closing else 0)
    with contextlib.suppress(httpcore2.TimeoutException, httpcore2.NetworkError, TooLarge):
        while len(found.lstrip(b"\r\n")) < SURPLUS and len(found) < KEPT:
            if not (piece := stream.read(KEPT, max(0.0, until - time.monotonic()))):
                break
            found += piece
    return found


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, inner: httpcore2.NetworkBackend) -> None:
        self._inner = inner

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, *args: Any, **more: Any) -> Any:
        """Try each address of the host, with its share of the time that is left."""
        limits = _limits.get()
        if limits is None:
            return _Stream(self._inner.connect_tcp(host, port, timeout, *args, **more))
        try:
            found = [str(one[4][0]) for one in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
        except (OSError, UnicodeError) as problem:
            raise httpcore2.ConnectError(str(problem)) from None
        addresses = list(dict.fromkeys(found))
        for left in range(len(addresses), 0, -1):
            try:
                seconds = limits.seconds(timeout) / left
                return _Stream(self._inner.connect_tcp(addresses[-left], port, seconds, *args, **more))
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if left == 1:
                    raise
        raise httpcore2.ConnectError(f"{host} has no address")

    def sleep(self, seconds: float) -> None:
        self._inner.sleep(seconds)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream) -> None:
        self._inner = inner

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        limits = _limits.get()
        if limits is None:
            return self._inner.read(max_bytes, timeout)
        piece = self._inner.read(max_bytes, limits.seconds(timeout))
        limits.wire -= len(piece)
        if limits.wire < 0:
            raise TooLarge(f"more than {MOST_ON_WIRE >> 20} MB on the wire")
        return piece

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        limits = _limits.get()
        if limits and limits.old:
            buffer, limits.old = buffer.replace(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", 1), False
        for at in range(0, len(buffer), _TRIES):
            self._inner.write(buffer[at : at + _TRIES], limits.seconds(timeout) if limits else timeout)

    def start_tls(self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None) -> Any:
        limits = _limits.get()
        seconds = limits.seconds(timeout) if limits else timeout
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, seconds))

    def close(self) -> None:
        self._inner.close()

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def heavy(body: bytes, parts: int = MOST_PARTS // 10) -> bool:
    """Whether a body has so many parts that an SDK's objects of it would take too much memory."""
    return number_of_parts(body) > parts


def number_of_parts(body: bytes) -> int:
    """About how many values and lines a body has."""
    return sum(map(body.count, _ENDS))


def free_memory_early() -> None:
    """Have glibc give large blocks back to the system. By itself it keeps many: those that other threads freed."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        m_mmap_threshold, m_arena_max = -3, -8
        libc.mallopt(m_mmap_threshold, 1 << 18)
        libc.mallopt(m_arena_max, 2)
