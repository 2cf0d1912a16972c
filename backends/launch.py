"""Start servers as guarded child processes, wait until they are healthy, stop them."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx2

from backends.errors import CannotStart

ROOT = Path(__file__).parent.parent
POLL = 0.02
"""Seconds between two looks at a starting server's health; small, because the embedded server is up in 0.2 s."""

STOP = 8.0
"""Seconds to wait for a guard to end its server: `guard.GRACE` and some."""


@dataclass
class Server:
    """A server process of ours, and where it answers (`origin`, without `/v1`)."""

    origin: str
    command: list[str]
    log: Path
    guard: subprocess.Popen[bytes]

    def wait_until_healthy(self, path: str, seconds: float) -> None:
        """Return once `path` answers 200; raise CannotStart with the log's end if it ends or `seconds` pass."""
        deadline = time.monotonic() + seconds
        with httpx2.Client(trust_env=False, timeout=5) as http:
            while time.monotonic() < deadline:
                if self.guard.poll() is not None:
                    raise CannotStart(f"{self._name} ended before it answered. Its last words:\n{self._last_words()}")
                try:
                    if http.get(self.origin + path).status_code == 200:
                        return
                except httpx2.HTTPError:
                    pass
                time.sleep(POLL)
        self.stop()
        raise CannotStart(f"{self._name} was not ready after {seconds:g} s; the end of its log:\n{self._last_words()}")

    def stop(self) -> None:
        """Stop the server and wait for its end; calling it twice is fine."""
        if self.guard.stdin and not self.guard.stdin.closed:
            self.guard.stdin.close()
        try:
            self.guard.wait(STOP)
        except subprocess.TimeoutExpired:
            self.guard.kill()

    @property
    def _name(self) -> str:
        return " ".join(self.command[:3])

    def _last_words(self, lines: int = 15) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def start(command: list[str], port: int, log: Path) -> Server:
    """Start a server that will listen on a loopback `port`, its output going to `log`."""
    guard = subprocess.Popen(
        [sys.executable, "-m", "backends.guard", str(log), "--", *command],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    return Server(f"http://127.0.0.1:{port}", command, log, guard)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
