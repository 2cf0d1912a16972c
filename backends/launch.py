"""Start servers as guarded child processes, wait until they are healthy, stop them."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from backends import wire
from backends.errors import CannotStart

ROOT = Path(__file__).parent.parent
POLL = 0.02
"""Seconds between two looks at a starting server's health; small, because the embedded server is up in 0.2 s."""

STOP = 8.0
"""Seconds to wait for a guard to end its server: `guard.GRACE` and some."""

_TAKEN = ("address already in use", "couldn't bind", "errno 98", "failed to bind")


@dataclass
class Process:
    """A server process of ours, and where it answers (`origin`, without `/v1`)."""

    origin: str
    command: list[str]
    log: Path
    guard: subprocess.Popen[bytes]

    def wait_until_healthy(self, path: str, seconds: float) -> None:
        """Return once `path` answers 200; raise CannotStart with the log's end if it ends or `seconds` pass."""
        deadline = time.monotonic() + seconds
        asked = wire.Request(method="GET", path=self.origin + path)
        with wire.client(5) as http:
            while time.monotonic() < deadline:
                healthy = wire.send(asked, "", model="", http=http).status == 200
                if self.guard.poll() is not None:
                    raise CannotStart(self._why_it_ended())
                if healthy:
                    return
                time.sleep(POLL)
        raise CannotStart(
            f"{self._name} was not ready after {seconds:g} s. Its log is {self.log}; it ends:\n{self.last_words()}"
        )

    def ask_to_stop(self) -> None:
        """Begin to stop the server, and return at once."""
        if self.guard.stdin and not self.guard.stdin.closed:
            with contextlib.suppress(OSError):
                self.guard.stdin.write(b".")  # An orderly end; see backends.guard.
                self.guard.stdin.flush()
            with contextlib.suppress(OSError):
                self.guard.stdin.close()

    def stop(self) -> None:
        """Stop the server and wait for its end; calling it twice is fine."""
        self.ask_to_stop()
        try:
            self.guard.wait(STOP)
        except subprocess.TimeoutExpired:
            self.guard.kill()
            self.guard.wait()

    def last_words(self, lines: int = 15) -> str:
        """The end of the log."""
        return "\n".join(self.text().splitlines()[-lines:])

    def text(self) -> str:
        """The log."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    @property
    def _name(self) -> str:
        return " ".join(self.command[:3])

    def _why_it_ended(self) -> str:
        if any(words in self.text().lower() for words in _TAKEN):
            return (
                f"{self._name} could not have the address {self.origin}: another program took that port. Run again; "
                "if it happens again, end that program, or measure it with --base-url."
            )
        return f"{self._name} ended before it answered. Its log is {self.log}; it ends:\n{self.last_words()}"


def start(command: list[str], port: int, directory: Path, env: dict[str, str] | None = None) -> Process:
    """Start a server that will listen on a loopback `port`; its log goes into the new `directory`.

    `env` goes over this process's environment: what a backend's data sets is the same on every machine.
    """
    directory.mkdir(parents=True)
    log = directory / "server.log"
    guard = subprocess.Popen(
        [sys.executable, "-m", "backends.guard", str(log), "--", *command],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_ignore_interrupts if os.name == "posix" else None,
    )
    return Process(f"http://127.0.0.1:{port}", command, log, guard)


def _ignore_interrupts() -> None:
    """Until the guard has a handler of its own."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
