"""What a client does with a server in trouble: how often it sends requests, when it ends, and what its user sees.

This depends only on the client, so it is measured once, with our own server: `python -m conformance.clients retries
all` writes `retries.json`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from backends.target import Deployment, Target
from conformance.clients.data import Row
from conformance.clients.judging import seen_by_user
from conformance.clients.measure import run_on

FILE = Path(__file__).with_name("retries.json")

SECONDS = 45.0
REQUESTS = 30
"""Bounds of one run: a client that reaches one would go on."""

TROUBLES: dict[str, tuple[int, dict[str, Any]]] = {
    "500": (500, {"message": "Internal error.", "type": "server_error", "param": None, "code": None}),
    "overflow": (
        400,
        {
            "message": "This model's maximum context length is 4096 tokens. However, your messages resulted in 9000 "
            "tokens. Please reduce the length of the messages.",
            "type": "invalid_request_error",
            "param": "messages",
            "code": "context_length_exceeded",
        },
    ),
}
"""The responses of the server: an error of its own, or that the context is too long."""


def measure(row: Row) -> dict[str, dict[str, Any]]:
    """For each trouble: `requests`, `seconds`, why the client was `stopped`, its `exit_code`, and what it `shows`."""
    bounded = replace(row, client=replace(row.client, seconds=SECONDS, requests=REQUESTS))
    task = next(task for task in ("plain", "streamed", "structured") if task in row.client.tasks)
    found = {}
    for name, (status, error) in TROUBLES.items():
        with _always(status, error) as url:
            at = Deployment(role="chat", base_url=f"{url}/v1", model="model")
            did = run_on(bounded, task, Target(name=name, backend="url", found="", deployments=(at,)), None)
        found[name] = {
            "requests": sum(exchange.request.method == "POST" for exchange in did.exchanges),
            "seconds": round(did.seconds),
            "stopped": did.stopped,
            "exit_code": did.ended.exit_code,
            "shows": seen_by_user(did, error["message"]),
        }
    return found


def read() -> dict[str, Any]:
    """What was measured, by the row's id, with the `version` of the client."""
    return dict(json.loads(FILE.read_text(encoding="utf-8"))) if FILE.exists() else {}


def write(kept: dict[str, Any]) -> None:
    """Keep what was measured."""
    FILE.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf-8")


@contextmanager
def _always(status: int, error: dict[str, Any]) -> Iterator[str]:
    """A server that gives every request the same error."""
    body = json.dumps({"error": error}).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response_only(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
