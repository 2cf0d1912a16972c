"""A server for tests that gives every path the response it was set up with, on a real socket."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Reply = tuple[int, dict[str, str], bytes]
"""Status, headers and body; status 0 closes the connection without a response."""


def as_json(body: Any, status: int = 200) -> Reply:
    """A JSON reply."""
    return status, {"Content-Type": "application/json"}, json.dumps(body).encode()


def error(status: int, message: str) -> Reply:
    """A refusal with the error object."""
    return as_json(
        {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}, status
    )


@contextmanager
def serving(reply: Callable[[str, str, bytes, dict[str, str]], Reply], tls: Path | None = None) -> Iterator[str]:
    """Serve until the block ends; yields the origin. `reply` gets method, path, body and (lower-case) headers.

    `tls` is a file with a certificate and its key.
    """

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {k.lower(): v for k, v in self.headers.items()}
            status, out, body = reply(self.command, self.path, self.rfile.read(length), headers)
            if not status:
                return
            self.send_response_only(status)
            for name, value in {"Server": "uvicorn", **out, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = do_OPTIONS = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
