"""Whole runs against the reference behind gateways that fail in passing, or die."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from backends import launch
from conformance import results
from conformance.outcomes import Outcome
from tests.fake import Reply, serving

ROOT = Path(__file__).parent.parent
CHECKS = ("stop", "sampling", "streaming", "models")
BAD: Reply = (502, {"Content-Type": "text/html"}, b"<html>502 Bad Gateway</html>")
LIMIT: Reply = (429, {"Retry-After": "0", "Content-Type": "application/json"}, b'{"error": {"message": "slow down"}}')
CLOSED: Reply = (0, {}, b"")


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = launch.free_port()
    command = [sys.executable, "-m", "tests.reference", "--port", str(port), "--delay", "0"]
    server = launch.start(command, port, tmp_path_factory.mktemp("reference") / "log")
    server.wait_until_healthy("/health", 60)
    yield server.origin
    server.stop()


@contextmanager
def gateway(origin: str, instead: Callable[[int, bytes], Reply | None]) -> Iterator[str]:
    """Passes requests on, unless `instead` has an answer to the nth request with this body."""
    lock, count = threading.Lock(), 0
    with httpx2.Client(base_url=origin, trust_env=False, timeout=20) as http:

        def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
            nonlocal count
            with lock:
                count += 1
                own = instead(count, body)
            if own is not None:
                return own
            kept = {name: headers[name] for name in ("content-type", "authorization") if name in headers}
            got = http.request(method, path, content=body, headers=kept)
            return got.status_code, {"Content-Type": got.headers.get("content-type", "")}, got.content

        with serving(reply) as at:
            yield f"{at}/v1"


def measure(base_url: str, report: Path, *args: str) -> tuple[results.Results, int, str]:
    """The results of a run of some checks, its exit code and what it printed."""
    files = [f"conformance/checks/test_{name}.py" for name in CHECKS]
    command = [sys.executable, "-m", "pytest", "-q", *files, f"--base-url={base_url}", f"--report={report}", *args]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return results.read(report / "results.jsonl"), done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    "instead",
    [
        pytest.param(lambda number, _: BAD if number % 4 == 0 else None, id="each fourth is 502 as HTML"),
        pytest.param(lambda number, _: LIMIT if number % 3 == 0 else None, id="each third is 429"),
        pytest.param(lambda number, _: CLOSED if number % 5 == 0 else None, id="each fifth is closed"),
    ],
)
def test_a_gateways_failure_in_passing_is_no_violation(
    reference: str, instead: Callable[[int, bytes], Reply | None], tmp_path: Path
) -> None:
    with gateway(reference, instead) as base_url:
        read, _, output = measure(base_url, tmp_path)
    wrong = {c.id: c.message for c in read.checks if c.outcome.bad or c.outcome is Outcome.BLOCKED}
    assert wrong.keys() <= {"streaming.pieces_arrive_while_they_are_made"}, output  # This gateway buffers.
    assert any("rejected temporarily and sent again" in found.sentence for found in read.findings)


def test_a_server_that_dies_ends_the_run_with_one_sentence(reference: str, tmp_path: Path) -> None:
    dead = threading.Event()

    def instead(number: int, body: bytes) -> Reply | None:
        if b'"stop": 5' in body or b'"stop": ["' in body:
            dead.set()
        return CLOSED if dead.is_set() else None

    with gateway(reference, instead) as base_url:
        read, code, output = measure(base_url, tmp_path, "--slots=1")
    assert code == 11
    assert read.footer is not None
    assert read.footer["stopped"].startswith("the server no longer answers: no answer (closed")
    assert any(found.sentence.startswith("The server stopped answering while it handled ") for found in read.findings)
    assert not any(c.outcome is Outcome.FAIL for c in read.checks), output
    assert any(c.outcome is Outcome.NOT_RUN for c in read.checks)
    assert "Stopped: the server no longer answers" in output
