"""Addresses as people write them: read as they were meant, or refused in one sentence without what is secret."""

from __future__ import annotations

import contextlib
import http.server
import json
import socket
import threading
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from backends import address, find, listening, wire
from backends.access import Access
from backends.address import Address
from backends.errors import CannotMeasure
from backends.target import Wanted
from backends.wire import MODEL, Request, send
from fixtures.scenario import SCENARIOS
from fixtures.scenario import load as load_scenarios
from tests.fake import Reply, as_json, serving
from tests.made import answer
from tests.reference.app import create_app
from tests.reference.server import listen, serve
from tests.reference.server import url as url_of
from tests.setups import HELLO, MODELS, attached, sentence

SCHEME = "begin with http:// or https://, e.g. "
BRACKETS = "an IPv6 address stands in brackets, e.g. http://[::1]:8000/v1."


@pytest.mark.parametrize(
    ("text", "url", "login"),
    [
        ("http://h:1/v1", "http://h:1/v1", None),
        (" http://h:1/v1// ", "http://h:1/v1", None),
        ("HTTPS://Host/v1", "https://Host/v1", None),
        ("http://h", "http://h", None),
        ("http://[::1]:8000/v1/", "http://[::1]:8000/v1", None),
        ("http://[fe80::1%25eth0]/v1", "http://[fe80::1%25eth0]/v1", None),
        ("http://127.0.0.1:9/@me/v1", "http://127.0.0.1:9/@me/v1", None),
        ("http://me:pw@h/v1", "http://h/v1", ("me", "pw")),
        ("https://me:p%40w@[::1]:1/v1", "https://[::1]:1/v1", ("me", "p%40w")),
        ("http://me:p@w@h/v1", "http://h/v1", ("me", "p@w")),
        ("http://:pw@h/v1", "http://h/v1", ("", "pw")),
    ],
)
def test_an_address(text: str, url: str, login: tuple[str, str] | None) -> None:
    assert address.read(text) == Address(url, login)


def test_an_address_with_a_query() -> None:
    """As some gateways have a version of the API, or a key, in it."""
    at = address.read("http://h:1/v1/?api-version=preview&key=canary#top")
    assert at == Address("http://h:1/v1", None, "api-version=preview&key=canary")
    assert "canary" not in repr(at)
    seen: list[str] = []

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        seen.append(path)
        return MODELS if "/models?" in path else HELLO

    with serving(reply) as origin:
        target = attached(f"{origin}/v1?api-version=preview&key=canary")
        assert target.found == f"attached to {origin}/v1, with the query of the address"
    assert {path.partition("?")[2] for path in seen} == {"api-version=preview&key=canary"}
    assert "canary" not in json.dumps(target.to_json())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("localhost:8000/v1", SCHEME + "http://localhost:8000/v1."),
        ("127.0.0.1:8000", SCHEME + "http://127.0.0.1:8000."),
        ("[::1]:8000/v1", SCHEME + "http://[::1]:8000/v1."),
        ("http:/localhost:8000/v1", SCHEME + "http://localhost:8000/v1."),
        ("http//localhost:8000/v1", SCHEME + "http://localhost:8000/v1."),
        ("htp://localhost/v1", SCHEME + "http://localhost/v1."),
        ("http:localhost/v1", SCHEME + "http://127.0.0.1:8000/v1."),
        ("//localhost/v1", SCHEME + "http://127.0.0.1:8000/v1."),
        ("unix:///run/server.sock", SCHEME + "http://127.0.0.1:8000/v1."),
        ("'http://localhost/v1'", SCHEME + "http://127.0.0.1:8000/v1."),
        ("me:canary@h:80/v1", SCHEME + "http://127.0.0.1:8000/v1."),
        ("http://h h/v1", "an address has no spaces in it."),
        ("http://", "the host is missing, e.g. http://127.0.0.1:8000/v1."),
        ("http:///v1", "the host is missing, e.g. http://127.0.0.1:8000/v1."),
        ("http://:8000/v1", "the host is missing, e.g. http://127.0.0.1:8000/v1."),
        ("http://::1:8000/v1", BRACKETS),
        ("http://[::1:8000/v1", BRACKETS),
        ("http://canary@h/v1", "put the key into OPENAI_API_KEY, not into the address."),
        ("canary@h/v1", "put the key into OPENAI_API_KEY, not into the address."),
        ("http://me:can/ary@h/v1", "characters that must be percent-encoded, such as %2F for /."),
        ("h:1/v1?api-key=canary", SCHEME + "http://h:1/v1?[redacted]."),
        ("http://h/v1/models?api-key=canary", "leave out /models, so that it ends in /v1."),
        ("http://h/v1/chat/completions", "leave out /chat/completions, so that it ends in /v1."),
        ("http://h/v1/models/", "leave out /models, so that it ends in /v1."),
        ("http://me:canary@h/v1/responses", "leave out /responses, so that it ends in /v1."),
    ],
)
def test_what_is_no_address(text: str, said: str) -> None:
    with pytest.raises(CannotMeasure) as problem:
        address.read(text)
    assert str(problem.value).startswith("--base-url")
    assert said in str(problem.value)
    assert "canary" not in str(problem.value)


def test_the_column_is_named_without_the_login() -> None:
    base_url = address.read("http://me:canary@h:1/v1").base_url
    assert Wanted(backend="url", base_url=base_url).name == "url@h:1"


def test_a_server_with_an_ipv6_address() -> None:
    try:
        sock, stop = listen("::1"), threading.Event()
    except OSError:
        pytest.skip("this machine has no IPv6")
    url = url_of(sock)
    thread = threading.Thread(target=serve, args=(create_app(), sock, stop), daemon=True)
    thread.start()
    target = attached(url + "/v1", backend="reference")
    stop.set()
    thread.join(5)
    assert target.version == "1"
    assert target.name == f"reference@{url.removeprefix('http://')}"


def test_ollama_host_may_be_an_ipv6_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_HOST", "http://[fd00::1]:8888")
    assert listening.usual_urls(find.backends()["ollama"]) == ["http://[fd00::1]:8888/v1"]


@pytest.mark.parametrize("path", ["/v1", "", "/v1/"])
def test_nothing_answers(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:9")
    code, said = sentence(f"http://127.0.0.1:9{path}")
    assert code == 11
    assert said.startswith("Nothing answers at http://127.0.0.1:9")
    assert said.endswith(
        "; the suite asks it without the proxy in ALL_PROXY): start the server, or name another --base-url."
    )


# Ids of models in paths

IDS = ["a#b", "a?b=c", "100%", "%41", "my model", "org/model", "model:tag", "ä", "a\\b", '"', "a&b", "{x}"]


@pytest.mark.parametrize("model", IDS)
@pytest.mark.parametrize("scenario", ["model", "model_encoded", "model_with_slash"])
def test_an_id_is_whole_in_a_path(scenario: str, model: str) -> None:
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    load_scenarios()
    listed = answer({"object": "list", "data": [{"id": model, "object": "model"}]}, path="/models", method="GET")
    needs = [listed] * len(SCENARIOS[scenario].needs)
    request = SCENARIOS[scenario].build(*needs)
    assert isinstance(request, Request)
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server, wire.client(5) as client:
        threading.Thread(target=server.handle_request, daemon=True).start()
        got = send(request, f"http://127.0.0.1:{server.server_port}/v1", model=model, http=client)
    assert got.status == 204
    assert unquote(urlsplit(seen[0]).path) == f"/v1/models/{model}"
    assert urlsplit(seen[0]).query == ""


def test_an_id_in_a_body_is_left_as_it_is() -> None:
    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        return as_json(json.loads(body))

    with serving(reply) as origin, wire.client(5, Access()) as client:
        for model in IDS:
            got = send(Request(body={"model": MODEL}), origin, model=model, http=client)
            assert json.loads(got.body) == {"model": model}


def test_a_port_of_something_else() -> None:
    """Such as a database: it takes connections, and says something that is not HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            for _ in range(9):
                with contextlib.suppress(OSError):
                    connection, _ = server.accept()
                    connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                    connection.close()

        threading.Thread(target=greet, daemon=True).start()
        base_url = f"http://127.0.0.1:{server.getsockname()[1]}/v1"
        code, said = sentence(base_url)
    assert code == 11
    assert said.startswith(f"What answers at {base_url} does not speak HTTP, or hangs up (")
    assert said.endswith("): is this the port of the server?")
