"""Set-ups of servers: a real nginx before the reference server, certificates, and what the suite says of them."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backends import access, address, doctor, launch
from backends.attach import attach
from backends.errors import CannotMeasure
from backends.find import backends
from backends.target import Target, Wanted
from tests.fake import Reply, as_json

MODELS = as_json({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]})
HELLO = as_json({"choices": [{"message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]})

NGINX = """
daemon off; master_process off; pid {directory}/nginx.pid; error_log {directory}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/f;
    uwsgi_temp_path {directory}/u; scgi_temp_path {directory}/s;
    proxy_buffering off; proxy_http_version 1.1;
    {http}
    server {{ listen 127.0.0.1:{port} {listen}; {server} }}
}}
"""


@contextmanager
def nginx(directory: Path, server: str, *, listen: str = "", http: str = "") -> Iterator[str]:
    """A real nginx with these directives in its `http` and `server` blocks; yields its host and port."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("there is no nginx: apt-get install nginx-light")
    port = launch.free_port()
    config = directory / "nginx.conf"
    config.write_text(NGINX.format(directory=directory, port=port, listen=listen, server=server, http=http))
    command = [program, "-e", str(directory / "error.log"), "-p", str(directory), "-c", str(config)]
    process = subprocess.Popen(command)
    try:
        _wait_for(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1000):
        assert process.poll() is None, "nginx ended: is its configuration right?"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError("nginx does not listen")


@dataclass(frozen=True)
class Certificates:
    """Files in PEM format: a certificate authority's certificate, one of its for this machine, and that one's key."""

    authority: Path
    server: Path
    key: Path

    @property
    def nginx(self) -> str:
        """The directives that use them."""
        return f"ssl_certificate {self.server}; ssl_certificate_key {self.key};"


def certificates(directory: Path, *, names: str = "DNS:localhost,IP:127.0.0.1", days: int = 2) -> Certificates:
    """New ones, made by openssl; with negative `days` the server's has expired."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make a certificate")
    made = Certificates(directory / "authority.pem", directory / "server.pem", directory / "server.key")
    authority_key, request = directory / "authority.key", directory / "server.csr"
    for arguments in (
        f"req -x509 -newkey rsa:2048 -noenc -days 2 -subj /CN=authority -keyout {authority_key} -out {made.authority}",
        f"req -newkey rsa:2048 -noenc -subj /CN=server -addext subjectAltName={names} -keyout {made.key} "
        f"-out {request}",
        f"x509 -req -in {request} -CA {made.authority} -CAkey {authority_key} -days {days} -copy_extensions copy "
        f"-out {made.server}",
    ):
        subprocess.run(["openssl", *arguments.split()], check=True, capture_output=True)
    return made


def attached(url: str, *, models: Any = None, timeout: float = 5, backend: str = "url", **options: Any) -> Target:
    """Attach to a server at the address, with these options. Raises CannotMeasure."""
    at = address.read(url)
    allowed = access.to(at, access.given(**{"key": None, **options}))
    wanted = Wanted(backend=backend, base_url=at.base_url, access=allowed, models=models or {}, timeout=timeout)
    return attach(wanted, at.base_url, backends()[backend])


def sentence(url: str, **options: Any) -> tuple[int, str]:
    """The exit code with which a run would stop, and what it would say; 0 and the header's words if it would not."""
    try:
        target = attached(url, **options)
    except CannotMeasure as problem:
        return problem.exit_code, str(problem)
    return 0, f"{target.found}; {target.details.get('warning', '')}"


def doctor_says(url: str, *, model: str | None = None, **options: Any) -> list[str]:
    """The problems that the doctor finds, of any backend."""
    at = address.read(url)
    allowed = access.to(at, access.given(**{"key": None, **options}))
    return [str(f) for f in doctor.examine("url", at.base_url, model, allowed) if f.state == "problem"]


def page(status: int, title: str, **headers: str) -> Reply:
    """A reply for people."""
    html = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return status, {"Content-Type": "text/html", **headers}, html.encode()
