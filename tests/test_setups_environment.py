"""What the environment says to clients (proxies, certificates, settings) is not the server's fault, and not asked."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import environment
from conformance import results
from tests.reference.app import create_app
from tests.reference.server import running

ROOT = Path(__file__).parent.parent


@pytest.fixture
def trap() -> Iterator[tuple[str, list[int]]]:
    """A port where nobody should connect, and who did."""
    came: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                came.append(address[1])
                connection.close()

        threading.Thread(target=accept, daemon=True).start()
        yield f"127.0.0.1:{server.getsockname()[1]}", came


@pytest.mark.parametrize("case", ["socks", "http", "nonsense"])
def test_no_client_is_misled(case: str, trap: tuple[str, list[int]], tmp_path: Path) -> None:
    """The official SDKs, the programs in Python, shell and JavaScript, and the suite's own requests go straight."""
    at, came = trap
    proxies = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
    told = {
        "socks": {"ALL_PROXY": f"socks5://{at}", "all_proxy": f"socks5h://{at}", "NO_PROXY": "example.com"},
        "http": dict.fromkeys(proxies, f"http://{at}") | {"NO_PROXY": "", "NODE_USE_ENV_PROXY": "1"},
        "nonsense": dict.fromkeys(proxies, "::nonsense")
        | {"NO_PROXY": "[", "SSL_CERT_FILE": "/nowhere", "SSL_CERT_DIR": "/nowhere", "NODE_OPTIONS": "--nonsense"}
        | {"OPENAI_BASE_URL": f"http://{at}/v1", "OPENAI_ORG_ID": "org", "OPENAI_LOG": "debug"},
    }[case]
    clean = {name: value for name, value in os.environ.items() if name not in (*proxies, "NO_PROXY", "no_proxy")}
    with running(create_app()) as reference:
        command = [
            *(sys.executable, "-m", "pytest", "-q", "conformance/checks/test_examples.py", "--fail-on=should"),
            *("conformance/checks/test_sdk_python.py", "conformance/checks/test_sdk_node.py"),
            *("-k", "chat_in or stream_in or usage", f"--base-url={reference}/v1", f"--report={tmp_path / 'run'}"),
        ]
        done = subprocess.run(command, cwd=ROOT, env=clean | told, capture_output=True, text=True, timeout=300)
    outcomes = {c.id: c.outcome for c in results.read(tmp_path / "run" / "results.jsonl").checks}
    assert done.returncode == 0, done.stdout
    assert outcomes["examples.chat_in_python"] == "pass"
    assert set(outcomes.values()) <= {"pass", "blocked"}, "without node, its checks are blocked"
    assert came == []


def test_what_is_kept_from_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"PATH": "/bin", "HOME": "/root", "DOCKER_HOST": "tcp://x", "XDG_CACHE_HOME": "/c"}
    gone = {"ALL_PROXY", "http_proxy", "SSL_CERT_FILE", "OPENAI_API_KEY", "CURL_CA_BUNDLE", "NODE_OPTIONS"}
    monkeypatch.setattr(os, "environ", kept | dict.fromkeys(gone, "x") | {"NO_PROXY": "a"})
    assert environment.for_clients() == kept | {"NO_PROXY": "*", "no_proxy": "*"}
    assert os.environ["ALL_PROXY"] == "x", "this process keeps its own"
