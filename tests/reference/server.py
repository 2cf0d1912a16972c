"""Running the reference server: as a separate process, or in a thread of a test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


def _config(app: Any) -> uvicorn.Config:
    # Without WebSockets, so that a request to upgrade gets the response to the plain request (RFC 9110, 7.8).
    return uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=1, ws="none"
    )


def listen(host: str = "127.0.0.1", port: int = 0) -> socket.socket:
    """A listening socket; port 0 takes a free one. With its protocol named, asyncio turns Nagle's algorithm off."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, port))
    sock.listen(256)
    return sock


def url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(app: Any, sock: socket.socket, stop: threading.Event | None = None) -> None:
    """Serve until `stop` is set."""
    server = uvicorn.Server(_config(app))
    if stop:

        def watch() -> None:
            stop.wait()
            server.should_exit = True

        threading.Thread(target=watch, daemon=True).start()
    server.run(sockets=[sock])


@contextmanager
def running(app: Any) -> Iterator[str]:
    """The base URL (without /v1) of a server in a thread, for the length of a with block."""
    sock, stop = listen(), threading.Event()
    thread = threading.Thread(target=serve, args=(app, sock, stop), daemon=True)
    thread.start()
    try:
        yield url(sock)
    finally:
        stop.set()
        thread.join(5)
