"""Whole runs behind a real nginx that buffers streams, and behind one that does not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conformance import results
from tests.reference.app import create_app
from tests.reference.server import running
from tests.setups import nginx

ROOT = Path(__file__).parent.parent
LARGE = "proxy_buffering on; proxy_buffer_size 128k; proxy_buffers 8 128k; proxy_busy_buffers_size 256k;"
"""Buffers as large as a stream. With HTTP/1.1, nginx passes each chunk on as it comes, whatever its buffers are."""

CHECKS = ("pieces_arrive", "holds_nothing_back", "framing", "http_1_0", "query_string")


@pytest.mark.parametrize(
    ("directives", "broken"),
    [
        pytest.param("proxy_http_version 1.0;", set(), id="HTTP/1.0 without buffering"),
        pytest.param(
            f"proxy_http_version 1.0; {LARGE}",
            {"streaming.pieces_arrive_while_they_are_made"},
            id="buffers as large as a stream",
        ),
        pytest.param(
            "proxy_buffering on; gzip on; gzip_types text/event-stream;",
            {"operation.compression_holds_nothing_back"},
            id="compression",
        ),
    ],
)
def test_what_a_proxy_holds_back_is_seen(directives: str, broken: set[str], tmp_path: Path) -> None:
    with (
        running(create_app(delay=0.004)) as reference,
        nginx(tmp_path, f"location / {{ {directives} proxy_pass {reference}; }}") as host,
    ):
        command = [sys.executable, "-m", "pytest", "-q", f"--base-url=http://{host}/v1", "-k", " or ".join(CHECKS)]
        command += [f"--report={tmp_path / 'report'}", "--fail-on=never"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    read = results.read(tmp_path / "report" / "results.jsonl")
    assert {check.id for check in read.checks if check.outcome.bad} == broken, done.stdout + done.stderr
    assert len(read.checks) > len(broken)
