"""Run one task of a client against a target: in a scratch directory, with no network but the relay, and bounded."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends import redaction, scratch
from backends.program import KEPT, Ended
from backends.relay import Mend, Relay
from backends.wire import Client as Http
from backends.wire import Exchange, Request, Watch, send
from conformance.clients import install
from conformance.clients.data import Row

LAUNCHER = Path(__file__).with_name("launcher.py")

KEY = "sk-of-no-use"
"""The key that clients have: the relay sends the target's own."""

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What some clients print in spite of NO_COLOR."""

UNKNOWN_MODEL = "no-such-model-4711"

WORDS = 12_000
"""Words of a prompt that is longer than the context of most local servers, and as short as an environment allows."""

PROMPTS = {
    "plain": "What is the capital of France?",
    "streamed": "What is the capital of France?",
    "tools": "What is the weather in Paris?",
    "structured": "Give me the capital of France as JSON.",
    "errors": "What is the capital of France?",
    "overflow": "word " * WORDS,
}


@dataclass(frozen=True, kw_only=True)
class Change:
    """What the relay changes on the way: requests, responses (`mending` makes one for each request), and in words what.

    `request` gets the JSON body of a request and returns it, changed or not.
    """

    says: str
    request: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    mending: Callable[[Request], Mend] | None = None


@dataclass(frozen=True, kw_only=True)
class Did:
    """What a client did in one task. `stopped` says why the suite stopped it; empty if it ended by itself."""

    ended: Ended
    exchanges: tuple[Exchange, ...]
    seconds: float
    stopped: str = ""
    alone: bool = False
    """Whether it had a network of its own."""


def run(row: Row, task: str, base_url: str, *, model: str, http: Http, change: Change | None = None) -> Did:
    """Run a task of an installed client. `http` is a `wire.client()` of the target."""
    client = row.client
    until = time.monotonic() + client.seconds
    exchanges: list[Exchange] = []
    storm = threading.Event()

    def pass_on(request: Request, watch: Watch) -> Exchange | None:
        if time.monotonic() > until or len(exchanges) >= client.requests:
            storm.set()
            return None
        own = tuple((k, v) for k, v in request.headers if k not in {*http.access.sent(), "authorization"})
        body = request.body
        if change and change.request and isinstance(body, dict):
            body = change.request(body)
        number = len(exchanges)
        exchanges.append(Exchange(request=request))
        since, left = time.monotonic(), []

        def watched(status: int, headers: tuple[tuple[str, str], ...], kept: bytearray) -> bool:
            stays = watch(status, headers, kept)
            if not stays:
                left.append(round(time.monotonic() - since, 3))
            return stays

        done = send(
            replace(request, headers=own, body=body), base_url, model=model, http=http, until=until, watch=watched
        )
        exchanges[number] = replace(done, request=replace(done.request, hang_up_in=left[0])) if left else done
        return exchanges[number]

    begun = time.monotonic()
    with _directory(row) as home:
        secrets = http.access.secrets()

        def relay(listening: socket.socket | None) -> Relay:
            return Relay(pass_on, base_url, until, secrets, listening, change.mending if change else None)

        asked = {
            "CLIENT_TASK": task,
            "CLIENT_API": row.api,
            "CLIENT_MODEL": UNKNOWN_MODEL if task == "errors" else model,
            "CLIENT_PROMPT": client.prompt if task == "tools" and client.prompt else PROMPTS[task],
        }
        code, alone = _started(row, home, asked, relay, until, storm)
        output, errors = (redaction.text(_end_of(home / name), secrets) for name in ("output", "errors"))
    stopped = ""
    if storm.is_set() and time.monotonic() < until:
        stopped = f"after {client.requests} requests"
    elif code is None:
        stopped = f"after {client.seconds:g} s"
    ended = Ended(exit_code=None if stopped else code, output=output, errors=errors)
    done = tuple(exchanges)
    return Did(ended=ended, exchanges=done, seconds=round(time.monotonic() - begun, 2), stopped=stopped, alone=alone)


def _started(
    row: Row,
    home: Path,
    asked: dict[str, str],
    relay: Callable[[socket.socket | None], Relay],
    until: float,
    storm: threading.Event,
) -> tuple[int | None, bool]:
    """Run the program, which gets what it has to know as `asked`: its exit code, and whether its network was its own.

    It ends when its time is over, or at a `storm`; and with it all that it started.
    """
    ours, its = socket.socketpair()
    with ours, (home / "output").open("wb") as output, (home / "errors").open("wb") as errors:
        with its:
            program = subprocess.Popen(
                [sys.executable, "-I", str(LAUNCHER), str(its.fileno()), *_command(row, home)],
                cwd=home / "work",
                env=_environment(row, home) | asked,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                pass_fds=[its.fileno()],
                start_new_session=True,
            )
        try:
            ours.settimeout(30)
            _, given, _, _ = socket.recv_fds(ours, 1, 1)
            with relay(socket.socket(fileno=given[0]) if given else None) as between:
                threading.Thread(target=between.serve_forever, args=(0.01,), daemon=True).start()
                try:
                    ours.sendall(between.base_url.encode())
                    return _waited(program, until, storm), bool(given)
                finally:
                    _kill(program)
                    between.shutdown()
        finally:
            _kill(program)


def _waited(program: subprocess.Popen[bytes], until: float, storm: threading.Event) -> int | None:
    while program.poll() is None and time.monotonic() < until and not storm.is_set():
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.wait(0.05)
    return program.poll()


def _kill(program: subprocess.Popen[bytes]) -> None:
    """End it with its whole process group, including programs that it left running."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, signal.SIGKILL)
    program.wait()


@contextlib.contextmanager
def _directory(row: Row) -> Iterator[Path]:
    """A directory with the program, an empty `work`, and a `node_modules` beside them if it is in JavaScript."""
    home = scratch.make()
    try:
        (home / "work").mkdir()
        shutil.copyfile(row.client.directory / row.client.program, home / row.client.program)
        if row.client.language == "node":
            (home / "node_modules").symlink_to(install.directory(row.client) / "node_modules")
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _command(row: Row, home: Path) -> list[str]:
    """The program of a command line is Python, whatever that is written in."""
    program = home / row.client.program
    if program.suffix == ".mjs":
        return [shutil.which("node") or "node", str(program)]
    python = install.directory(row.client) / "bin" / "python"
    return [str(python if row.client.language == "python" else sys.executable), "-B", "-s", str(program)]


def _environment(row: Row, home: Path) -> dict[str, str]:
    """None of our environment variables except the path of programs."""
    node = shutil.which("node")
    path = [str(Path(node).parent)] if node else []
    return {
        "PATH": os.pathsep.join([*path, "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
        "CI": "1",
        "NO_COLOR": "1",
        "DO_NOT_TRACK": "1",
        "OPENAI_API_KEY": KEY,
        "CLIENT_HOME": str(install.directory(row.client)),
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        **dict(row.client.env),
    }


def _end_of(file: Path) -> str:
    with file.open("rb") as opened:
        opened.seek(max(0, file.stat().st_size - KEPT))
        return _COLOUR.sub("", opened.read().decode(errors="replace"))


def recorded(row: Row, task: str, did: Did) -> dict[str, Any]:
    """The run as an exchange line of a results file has it."""
    program = {"file": row.client.program, "changes": [], **vars(did.ended)}
    return {
        "exchanges": [json.loads(json.dumps(e.to_json())) for e in did.exchanges],
        "single": False,
        "program": program,
    }
