"""An HTTP server between a client and a target: it sends what the client sends through `wire.send`, which records it,
and gives the client what comes back while it comes."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

from backends import bounds, redaction
from backends.redaction import Secrets
from backends.wire import Exchange, Request, Watch, hidden_in

LARGEST = bounds.MOST
"""Bytes of the largest request that is passed on."""

IDLE = 60.0
"""Seconds that a client may take between two parts of a request."""

RECORDING = 5.0
"""Seconds that a response may take to be recorded when its client has all of it."""

Mend = Callable[[bytes], bytes]
"""Changes a line of a stream, or the whole body of another response."""

PassOn = Callable[[Request, Watch], Exchange | None]
"""Sends a request of the client, and gives `watch` what comes; None: nothing is sent any more."""


class Relay(ThreadingHTTPServer):
    """The relay on a port of its own, or on `listening`, a socket that listens already.

    A path below `/v1` is one of the API of `server`, the base URL of the target; any other is one of its host. Nothing
    of `secrets` gets to the client, but for what its request says itself. `mending` makes, for each request, what
    changes its response on the way to the client.
    """

    daemon_threads = True

    def __init__(
        self,
        pass_on: PassOn,
        server: str,
        until: float,
        secrets: Secrets = (),
        listening: socket.socket | None = None,
        mending: Callable[[Request], Mend] | None = None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=listening is None)
        if listening is not None:
            self.socket.close()
            self.socket = listening
            self.server_port = listening.getsockname()[1]
        self.pass_on = pass_on
        self.measured = server.rstrip("/")
        self.until = until
        self.secrets = secrets
        self.mending = mending
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"
        self._passing = 0
        self._changed = threading.Condition()

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Within this block, a request is passed on."""
        with self._changed:
            self._passing += 1
        try:
            yield
        finally:
            with self._changed:
                self._passing -= 1
                self._changed.notify_all()

    def shutdown(self) -> None:
        """Stop when what is passed on has ended: a client may have all of a response before it is recorded."""
        super().shutdown()
        with self._changed:
            self._changed.wait_for(lambda: not self._passing, min(RECORDING, max(0.0, self.until - time.monotonic())))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not print errors of a client that is gone, or of a run that ended (its client is closed)."""
        if not isinstance(sys.exception(), OSError | RuntimeError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Passes one request of a connection on, and closes it after the response."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE

    OF_CONNECTION = frozenset(
        {"host", "connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect"}
        | {"content-length", "transfer-encoding", "accept-encoding"}
    )
    """Headers that belong to one connection, and those that `send` sets itself."""

    LEFT_OUT = OF_CONNECTION | {"content-encoding", "set-cookie", "alt-svc", "refresh"}

    def do_POST(self) -> None:
        self.close_connection = True
        raw = self._body()
        if raw is None:
            return
        body = _parsed(raw)
        left_out = self.OF_CONNECTION if isinstance(body, bytes) else self.OF_CONNECTION | {"content-type"}
        headers = tuple((k.lower(), v) for k, v in self.headers.items() if k.lower() not in left_out)
        if self._is_chunked:
            headers = (*headers, ("transfer-encoding", "chunked"))
        request = Request(method=self.command, path=_path(self.path), body=body, headers=headers)
        relay = cast(Relay, self.server)
        mend = relay.mending(request) if relay.mending else None
        given = _Given(self, hidden_in(request, relay.secrets), mend)
        with relay.passing():
            given.end(relay.pass_on(request, given.more))

    do_GET = do_HEAD = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST

    @property
    def _is_chunked(self) -> bool:
        return "chunked" in (self.headers.get("transfer-encoding") or "").lower()

    def _body(self) -> bytes | None:
        """The body of the request; None if it is too large or malformed, which the client is told."""
        try:
            if self._is_chunked:
                return b"".join(self._chunks())
            size = int(self.headers.get("content-length") or 0)
            if not 0 <= size <= LARGEST:
                raise OverflowError
            return self.rfile.read(size)
        except OverflowError:
            self.send_error(413, f"the relay passes on requests of up to {LARGEST >> 20} MB")
        except ValueError:
            self.send_error(400, "the length of the request body cannot be read")
        return None

    def _chunks(self) -> Iterator[bytes]:
        left = LARGEST
        while size := int(self.rfile.readline(1024).partition(b";")[0], 16):
            left -= size
            if left < 0 or size < 0:
                raise OverflowError
            yield self.rfile.read(size)
            self.rfile.readline(1024)
        while self.rfile.readline(65536).strip():  # Trailers.
            pass

    def passed_on(self, headers: tuple[tuple[str, str], ...]) -> Iterator[tuple[str, str]]:
        """The response's headers, but no cookie, no redirect that leaves the relay, no wait beyond the time left."""
        relay = cast(Relay, self.server)
        for name, value in headers:
            kind = name.lower()
            if kind in self.LEFT_OUT and not (kind == "content-length" and self.command == "HEAD"):
                continue
            if kind == "location":
                aim = urljoin(relay.measured + _path(self.path), value)
                if not aim.startswith(relay.measured + "/"):
                    continue
                value = relay.base_url + aim.removeprefix(relay.measured)
            if kind.startswith("retry-after") and not _is_short(value, kind, relay.until - time.monotonic()):
                continue
            yield name, value

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what matters is recorded."""


class _Given:
    """What a client gets of a response: each part as it comes or, where something is secret or mended, each line."""

    def __init__(self, handler: _Handler, hidden: Secrets, mend: Mend | None) -> None:
        self._handler = handler
        self._hidden = hidden
        self._mend = mend
        self._whole = False
        self._kept = bytearray()
        self._at = 0
        self._parts = 0
        self._begun = False
        self._too_many = False
        self._chunked = False

    def more(self, status: int, headers: tuple[tuple[str, str], ...], kept: bytearray) -> bool:
        """Give the client what is new; False if it has gone."""
        self._kept = kept
        try:
            if not self._begun:
                self._begin(status, headers)
            if not self._whole:
                self._give(kept.rfind(b"\n") + 1 if self._hidden or self._mend else len(kept))
        except OSError:
            return False
        return True

    def end(self, exchange: Exchange | None) -> None:
        """The response has ended. Of one that was cut, the client sees no end."""
        if exchange is None or exchange.error or not self._begun:
            return
        self._give(len(self._kept))
        if self._chunked and not self._too_many:
            self._handler.wfile.write(b"0\r\n\r\n")

    def _begin(self, status: int, headers: tuple[tuple[str, str], ...]) -> None:
        self._begun = True
        handler = self._handler
        has_body = handler.command != "HEAD" and status >= 200 and status not in (204, 304)
        self._chunked = has_body and handler.request_version != "HTTP/1.0"
        kind = next((value for name, value in headers if name.lower() == "content-type"), "")
        self._whole = self._mend is not None and not kind.lower().startswith("text/event-stream")
        handler.send_response_only(status)
        for name, value in handler.passed_on(redaction.headers(headers, self._hidden)):
            handler.send_header(name, value)
        if self._chunked:
            handler.send_header("transfer-encoding", "chunked")
        handler.send_header("connection", "close")
        handler.end_headers()
        handler.wfile.flush()

    def _give(self, end: int) -> None:
        """The body up to `end`. Of one with so many parts that an SDK's objects would fill the memory, no more."""
        if end <= self._at:
            return
        piece = bytes(self._kept[self._at : end])
        self._at = end
        self._parts += bounds.number_of_parts(piece)
        self._too_many = self._too_many or self._parts > bounds.MOST_PARTS // 10
        if self._too_many:
            return
        piece = mended(redaction.body(piece, self._hidden), self._mend, whole=self._whole)
        self._handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece)
        self._handler.wfile.flush()


def mended(body: bytes, mend: Mend | None, *, whole: bool) -> bytes:
    """A body, or some lines of a stream, as a client gets it."""
    if mend is None:
        return body
    return mend(body) if whole else b"".join(map(mend, body.splitlines(keepends=True)))


def _path(asked: str) -> str:
    """The path of `wire.Request` for what a client asks the relay for."""
    parts = urlsplit(asked)  # A client that takes the relay for a proxy writes a whole URL.
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    below = path.removeprefix("/v1")
    return below if below != path and below.startswith("/") else f"/..{path}"


def _is_short(wait: str, kind: str, seconds: float) -> bool:
    """Whether a client that waits as a Retry-After says is back within so many seconds."""
    try:
        return float(wait) / (1000 if kind.endswith("-ms") else 1) < seconds
    except ValueError:
        return False


def _parsed(raw: bytes) -> Any:
    """The JSON that was sent; anything else as it is."""
    try:
        return json.loads(raw) if raw else None
    except ValueError:
        return raw
