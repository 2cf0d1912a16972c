"""Small gateways that do one thing wrong, or that do what they may, in front of the reference with its tape."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from backends import launch, upstream, wire
from backends.access import Access
from backends.upstream import Upstream
from backends.wire import Request
from conformance.gateways.compare import compare
from conformance.gateways.matching import Sent
from conformance.results.gateways import Gateway
from tests.fake import Reply, serving
from tests.reference.app import create_app
from tests.reference.server import running
from tests.reference.tape import Taped

KEY = "the-clients-own-key"
HOPS = ("host", "content-length", "connection", "transfer-encoding", "accept-encoding", "date", "server")


@dataclass(frozen=True)
class Through:
    """What a scripted gateway has in its hands: the request, and how it is passed on."""

    method: str
    path: str
    body: Any
    headers: dict[str, str]
    ask: Callable[..., Reply]

    def on(self, *, body: Any = None, path: str = "", **headers: str) -> Reply:
        """Pass it on, with these changes. A header with an underscore has a hyphen in its name."""
        changed = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(self.method, path or self.path, self.body if body is None else body, self.headers | changed)


Gate = Callable[[Through], Reply]


def transparent(through: Through) -> Reply:
    """Passes everything on."""
    return through.on()


def request(change: Callable[[dict[str, Any]], None]) -> Gate:
    """A gateway that changes the body of each request."""

    def gate(through: Through) -> Reply:
        if not isinstance(through.body, dict):
            return through.on()
        body = json.loads(json.dumps(through.body))
        change(body)
        return through.on(body=body)

    return gate


def answer(change: Callable[[dict[str, Any]], None]) -> Gate:
    """A gateway that changes each JSON response, errors too."""

    def gate(through: Through) -> Reply:
        status, headers, body = through.on()
        if "json" not in headers.get("content-type", ""):
            return status, headers, body
        whole = json.loads(body)
        change(whole)
        return status, headers, json.dumps(whole).encode()

    return gate


def stream(change: Callable[[list[bytes]], list[bytes]]) -> Gate:
    """A gateway that changes the events of each stream."""

    def gate(through: Through) -> Reply:
        status, headers, body = through.on()
        if "event-stream" not in headers.get("content-type", ""):
            return status, headers, body
        events = change([one for one in body.split(b"\n\n") if one])
        return status, headers, b"".join(one + b"\n\n" for one in events)

    return gate


@contextmanager
def gateway(gate: Gate, origin: str) -> Iterator[str]:
    """A gateway in front of the server at `origin`; yields its base URL."""
    with httpx2.Client(base_url=origin, trust_env=False, timeout=20) as http:

        def ask(method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
            sent = json.dumps(body).encode() if isinstance(body, dict) else body
            kept = {name: value for name, value in headers.items() if name not in HOPS}
            got = http.request(method, path, content=sent, headers=kept)
            return got.status_code, {k: v for k, v in got.headers.items() if k not in HOPS}, got.content

        def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
            try:
                parsed = json.loads(body) if body else b""
            except ValueError:
                parsed = body
            return gate(Through(method, path, parsed, headers, ask))

        with serving(reply) as at:
            yield f"{at}/v1"


@contextmanager
def taped(directory: Path, key: str | None = KEY) -> Iterator[Upstream]:
    """The reference with a tape, in a thread."""
    tape = directory / "tape.jsonl"
    accepted = f"{upstream.KEY} {key}" if key else None
    with running(Taped(create_app(api_key=accepted, delay=0), tape)) as origin:
        process = launch.Process(origin, [], tape, None)  # type: ignore[arg-type]
        yield Upstream(process, tape, f"{origin}/v1", key)


def measured(gate: Gate, requests: dict[str, Request], behind: Upstream) -> Gateway:
    """What a gateway is found to do with some requests, all sent at the same time."""
    before = len(behind.read())
    access = Access(key=behind.key)
    with gateway(gate, behind.process.origin) as base_url, wire.client(20, access) as http:

        def send(name: str) -> Sent:
            return Sent(name=name, exchange=wire.send(requests[name], base_url, model="reference-text", http=http))

        def directly(name: str) -> wire.Exchange:
            return wire.send(requests[name], behind.base_url, model="reference-text", http=http)

        with ThreadPoolExecutor(max_workers=8) as pool:
            sent = list(pool.map(send, requests))
        return compare("gateway", sent, behind.read()[before:], directly, behind.key)
