"""Run a client program, such as an example of a guide, against a target, and record what it sends and what comes back.

Between program and target stands a relay (`relay.py`), which sends what the program sends through `wire.send`. So
a program leaves exchanges like any request, and neither its text nor its output ever holds the API key.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any

from backends import environment, forked, node, redaction, scratch
from backends.redaction import Secrets
from backends.relay import Relay
from backends.wire import MODEL, Client, Exchange, Request, Role, Watch, send

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

    def pass_on(request: Request, watch: Watch) -> Exchange | None:
        if time.monotonic() > until:
            return None
        own = tuple((k, v) for k, v in request.headers if k not in given)
        limit = request.body.get("max_tokens") if isinstance(request.body, dict) else None
        room = limit if type(limit) is int else None  # Programs limit answers only to keep them short.
        request = replace(request, headers=(*own, *headers), role=program.role, room=room)
        exchange = send(request, base_url, model=model, http=http, until=until, watch=watch)
        exchanges.append(exchange)
        return exchange

    with Relay(pass_on, base_url, until, http.access.secrets()) as relay:
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
    if code == forked.LOST:
        raise CannotRun("the process in which it ran was lost: run the suite again")
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
