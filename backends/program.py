"""Run a client program, such as an example of a guide, against a target, and record what it sends and what comes back.

Between program and target stands a relay on a port of its own: it sends what the program sends through `wire.send`. So
a program leaves exchanges like any request, and neither its text nor its output ever holds the API key.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, cast
from urllib.parse import urljoin

from backends import bounds, environment, forked, node, redaction, scratch
from backends.redaction import Secrets
from backends.wire import MODEL, Client, Exchange, Request, Role, send

ADDRESS = "http://localhost:8000/v1"
"""How programs name the server; replaced by the relay's address."""

KEPT = 4000
"""Characters that are kept of what a program prints, from the end."""


class CannotRun(Exception):
    """What the program needs is not there; `str()` says what, in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A client that is run, where a scenario otherwise sends a request.

    `file` is Python, JavaScript (`.mjs`) or shell. `changes` are texts that are replaced in it; `MODEL` in them
    stands for the name of the model that plays `role`.
    """

    file: Path
    role: Role = "chat"
    changes: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """What the file says, before the changes."""
        return self.file.read_text(encoding="utf-8")

    @property
    def sha256(self) -> str:
        """Tells the file's text from an earlier one."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a program ended: its exit code (None: it was stopped after its time), and what it printed."""

    exit_code: int | None
    output: str
    errors: str

    def to_json(self, program: Program) -> dict[str, Any]:
        """As a results file has it."""
        changes = [list(change) for change in program.changes]
        return {"file": program.file.name, "sha256": program.sha256, "changes": changes, **vars(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Ended:
        """The inverse of `to_json`."""
        return cls(exit_code=data["exit_code"], output=data["output"], errors=data["errors"])


def run(
    program: Program,
    base_url: str,
    *,
    model: str,
    http: Client,
    headers: tuple[tuple[str, str], ...] = (),
) -> tuple[Ended, list[Exchange]]:
    """Run a program against `base_url`: how it ended, and its exchanges in order.

    `headers` go with each of its requests. It has twice the time of one answer of `http`, a `wire.client()`.
    Raises CannotRun.
    """
    seconds = 2 * (http.timeout.read or 60.0)
    until = time.monotonic() + seconds
    exchanges: list[Exchange] = []
    sent = http.access.sent()
    given = {*sent, "authorization"} if sent else set()  # The key that a program has is a stand-in.

    def pass_on(request: Request) -> Exchange | None:
        if time.monotonic() > until:
            return None
        own = tuple((k, v) for k, v in request.headers if k not in given)
        limit = request.body.get("max_tokens") if isinstance(request.body, dict) else None
        room = limit if type(limit) is int else None  # Programs limit answers only to keep them short.
        request = replace(request, headers=(*own, *headers), role=program.role, room=room)
        exchange = send(request, base_url, model=model, http=http, until=until)
        exchanges.append(exchange)
        return exchange

    with _Relay(pass_on, base_url, until) as relay:
        Thread(target=relay.serve_forever, args=(0.01,), daemon=True).start()
        try:
            text = program.text.replace(ADDRESS, relay.base_url)
            for old, new in program.changes:
                text = text.replace(old, new.replace(MODEL, model))
            ended = _RUNNERS[program.file.suffix](text, program.file.name, seconds, http.access.secrets())
        finally:
            relay.shutdown()
    return ended, exchanges


def _python(text: str, name: str, seconds: float, hidden: Secrets) -> Ended:
    with tempfile.TemporaryDirectory(prefix=scratch.prefix()) as made:
        file = Path(made) / name
        file.write_text(text, encoding="utf-8")
        code, output, errors = forked.run(file, environment.for_clients(), seconds)
    return _stopped(seconds) if code is None else _ended(code, output, errors, hidden)


def _shell(text: str, name: str, seconds: float, hidden: Secrets) -> Ended:
    if not shutil.which("curl"):
        raise CannotRun("there is no curl on PATH: install it for the examples that use it")
    return _process(["sh", "-s"], text, Path.cwd(), seconds, hidden)


def _javascript(text: str, name: str, seconds: float, hidden: Secrets) -> Ended:
    """A module finds packages beside itself, so a copy is run beside a link to the SDK."""
    try:
        sdk, program = node.sdk(), node.node()
    except node.NoNode as problem:
        raise CannotRun(str(problem)) from None
    with tempfile.TemporaryDirectory(prefix=scratch.prefix()) as made:
        directory = Path(made)
        (directory / "node_modules").symlink_to(sdk / "node_modules", target_is_directory=True)
        (directory / name).write_text(text, encoding="utf-8")
        return _process([program, name], "", directory, seconds, hidden)


def _process(command: list[str], stdin: str, directory: Path, seconds: float, hidden: Secrets) -> Ended:
    client = environment.for_clients()
    try:
        done = subprocess.run(
            command, input=stdin.encode(), cwd=directory, env=client, capture_output=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return _stopped(seconds)
    return _ended(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), hidden)


def _stopped(seconds: float) -> Ended:
    return Ended(exit_code=None, output="", errors=f"stopped after {seconds:g} s")


def _ended(exit_code: int | None, output: str, errors: str, hidden: Secrets) -> Ended:
    """curl reports its progress as errors, so these are kept of a failed program only."""
    output, errors = redaction.text(output, hidden)[-KEPT:], redaction.text(errors, hidden)[-KEPT:]
    return Ended(exit_code=exit_code, output=output, errors=errors if exit_code else "")


_RUNNERS: dict[str, Callable[[str, str, float, Secrets], Ended]] = {".py": _python, ".sh": _shell, ".mjs": _javascript}


class _Relay(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, pass_on: Callable[[Request], Exchange | None], server: str, until: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pass_on = pass_on
        self.measured = server.rstrip("/")
        self.until = until
        self.base_url = f"http://127.0.0.1:{self.server_port}/v1"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A program that is gone, and a run that ended (its client is closed), are no faults to print."""
        if not isinstance(sys.exception(), ConnectionError | RuntimeError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Passes a request on, and its answer back once it is whole, with the same status, headers and bytes."""

    OWN = frozenset({"host", "connection", "content-length", "transfer-encoding", "accept-encoding", "content-type"})
    """Headers that belong to one connection, and those that `send` sets itself."""

    LEFT_OUT = OWN - {"content-type"} | {"content-encoding", "set-cookie", "alt-svc", "refresh"}

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        headers = tuple((k.lower(), v) for k, v in self.headers.items() if k.lower() not in self.OWN)
        path = self.path.removeprefix("/v1")
        request = Request(method=self.command, path=path, body=_parsed(raw), headers=headers)
        exchange = cast(_Relay, self.server).pass_on(request)
        self.close_connection = True
        if exchange is None or exchange.status is None:
            return
        # Of an answer that was cut, more is announced than comes, so that the program sees it cut.
        body, cut = exchange.body, bool(exchange.error)
        if bounds.heavy(body):
            body, cut = body[: bounds.KEPT], True
        self.send_response_only(exchange.status)
        for name, value in self._headers(exchange):
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) + cut))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_DELETE = do_POST

    def _headers(self, exchange: Exchange) -> Iterator[tuple[str, str]]:
        """The answer's headers, but no cookie, no redirect that leaves the relay, and no wait beyond the time left."""
        relay = cast(_Relay, self.server)
        for name, value in exchange.headers:
            kind = name.lower()
            if kind in self.LEFT_OUT:
                continue
            if kind == "location":
                aim = urljoin(exchange.url, value)
                if not aim.startswith(relay.measured + "/"):
                    continue
                value = relay.base_url + aim.removeprefix(relay.measured)
            if kind.startswith("retry-after") and not _is_short(value, kind, relay.until - time.monotonic()):
                continue
            yield name, value

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: what matters is recorded."""


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
