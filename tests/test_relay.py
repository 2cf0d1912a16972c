"""The relay between a client and a target: what it passes on, when, and what it keeps back."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from backends import bounds, wire
from backends.access import Access
from backends.relay import Relay, _path
from backends.wire import Exchange, Request, Watch
from tests.fake import Reply, as_json, serving

SECRET = "sk-very-secret-1"


@contextmanager
def relaying(url: str, key: str | None = None) -> Iterator[tuple[http.client.HTTPConnection, list[Exchange]]]:
    """A connection to a relay of the server at `url`, and what it records."""
    recorded: list[Exchange] = []
    with wire.client(5, Access(key=key)) as target:

        def pass_on(request: Request, watch: Watch) -> Exchange:
            recorded.append(wire.send(request, url + "/v1", model="m", http=target, watch=watch))
            return recorded[-1]

        with Relay(pass_on, url + "/v1", time.monotonic() + 30, target.access.secrets()) as relay:
            threading.Thread(target=relay.serve_forever, args=(0.01,), daemon=True).start()
            try:
                yield http.client.HTTPConnection("127.0.0.1", relay.server_port, timeout=5), recorded
            finally:
                relay.shutdown()


@contextmanager
def raw_server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that reads the head of one request, and then does as it is told."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            one, _ = server.accept()
            with one:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    head += one.recv(1)
                answer(one)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("key", [None, SECRET])
def test_an_event_arrives_before_the_next_is_made(key: str | None) -> None:
    seen = threading.Event()

    def answer(one: socket.socket) -> None:
        one.sendall(STREAM + b"data: 1\n\n")
        assert seen.wait(4), "the first event did not arrive while the response went on"
        one.sendall(b"data: 2\n\n")

    with raw_server(answer) as url, relaying(url, key) as (client, recorded):
        client.request("GET", "/v1/x")
        response = client.getresponse()
        assert response.read1() == b"data: 1\n\n"
        seen.set()
        assert response.read() == b"data: 2\n\n"
    assert recorded[0].body == b"data: 1\n\ndata: 2\n\n"


def test_a_secret_that_arrives_in_two_parts_is_kept_from_the_client() -> None:
    def answer(one: socket.socket) -> None:
        one.sendall(STREAM + b"data: sk-very-")
        time.sleep(0.05)
        one.sendall(b"secret-1\n\ndata: end\n\n")

    with raw_server(answer) as url, relaying(url, SECRET) as (client, recorded):
        client.request("GET", "/v1/x")
        assert client.getresponse().read() == b"data: [redacted]\n\ndata: end\n\n"
    assert b"secret" not in recorded[0].body


def test_a_response_that_was_cut_has_no_end() -> None:
    def answer(one: socket.socket) -> None:
        one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf")

    with raw_server(answer) as url, relaying(url) as (client, recorded):
        client.request("GET", "/v1/x")
        with pytest.raises(http.client.IncompleteRead):
            client.getresponse().read()
    assert recorded[0].error == "closed"


def test_a_client_that_hangs_up_ends_the_request_to_the_server() -> None:
    closed = threading.Event()

    def answer(one: socket.socket) -> None:
        one.sendall(STREAM)
        try:
            for _ in range(1000):
                one.sendall(b"data: x\n\n")
                time.sleep(0.005)
        except OSError:
            closed.set()

    with raw_server(answer) as url, relaying(url) as (client, _):
        client.request("GET", "/v1/x")
        client.getresponse().read1()
        assert client.sock is None  # The response has the connection, and closes it.
        client.close()
        del client
        assert closed.wait(4), "the server writes on"


def test_a_client_that_has_all_of_a_response_ends_after_it_is_recorded() -> None:
    recorded: list[str] = []

    def pass_on(request: Request, watch: Watch) -> None:
        watch(200, (), bytearray(b"{}"))
        time.sleep(0.3)
        recorded.append(request.path)

    relay = Relay(pass_on, "http://127.0.0.1:9/v1", time.monotonic() + 30)
    threading.Thread(target=relay.serve_forever, args=(0.01,), daemon=True).start()
    with relay, socket.create_connection(("127.0.0.1", relay.server_port)) as client:
        client.sendall(b"GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
        while b"{}" not in client.recv(65536):
            pass
        relay.shutdown()
    assert recorded == ["/models"]


def test_head_has_the_length_and_no_body() -> None:
    asked: list[str] = []

    def answer(one: socket.socket) -> None:
        asked.append("HEAD")
        one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nX-Own: 1\r\n\r\n")

    with raw_server(answer) as url, relaying(url) as (client, recorded):
        client.request("HEAD", "/v1/models")
        response = client.getresponse()
        assert (response.status, response.getheader("content-length"), response.read()) == (200, "7", b"")
        assert response.getheader("x-own") == "1"
    assert recorded[0].request.method == "HEAD"


def seen_by_server() -> tuple[list[tuple[str, str, bytes]], Callable[[str, str, bytes, dict[str, str]], Reply]]:
    seen: list[tuple[str, str, bytes]] = []

    def reply(method: str, path: str, body: bytes, _: dict[str, str]) -> Reply:
        seen.append((method, path, body))
        return as_json({})

    return seen, reply


def test_a_chunked_request_is_passed_on_in_chunks() -> None:
    got: list[bytes] = []

    def answer(one: socket.socket) -> None:
        while not b"".join(got).endswith(b"0\r\n\r\n"):
            got.append(one.recv(65536))
        one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    with raw_server(answer) as url, relaying(url) as (client, recorded):
        parts = [b'{"model":', b' "mine"}']
        client.request("POST", "/v1/chat/completions", iter(parts), encode_chunked=True)
        assert client.getresponse().read() == b"{}"
    assert recorded[0].request.body == {"model": "mine"}
    assert b'{"model": "mine"}' in b"".join(got)


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"Content-Length: 99999999999", 413),
        (b"Content-Length: many", 400),
        (b"Transfer-Encoding: chunked\r\n\r\nfffffffff", 413),
        (b"Transfer-Encoding: chunked\r\n\r\nzz", 400),
    ],
)
def test_a_request_that_cannot_be_read_is_not_passed_on(head: bytes, status: int) -> None:
    with relaying("http://127.0.0.1:9") as (client, recorded):
        with socket.create_connection(("127.0.0.1", client.port), timeout=5) as one:
            one.sendall(b"POST /v1/x HTTP/1.1\r\nHost: x\r\n" + head + b"\r\n\r\n")
            assert int(one.recv(65536).split()[1]) == status
        assert not recorded


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ("/v1/models?a=1", "/models?a=1"),
        ("/api/tags", "/../api/tags"),
        ("/v1", "/../v1"),
        ("/v1beta/x", "/../v1beta/x"),
        ("http://elsewhere.example/v1/models", "/models"),
        ("//elsewhere.example/x", "/../x"),
    ],
)
def test_a_path_stays_on_the_server(asked: str, path: str) -> None:
    assert _path(asked) == path


def test_any_path_and_method_reaches_the_server() -> None:
    seen, reply = seen_by_server()
    with serving(reply) as url:
        for method, path in [("GET", "/api/tags"), ("DELETE", "/v1/responses/1"), ("OPTIONS", "/v1/models")]:
            with relaying(url) as (client, _):
                client.request(method, path)
                assert client.getresponse().read() == b"{}"
    assert [(method, path) for method, path, _ in seen] == [
        ("GET", "/api/tags"), ("DELETE", "/v1/responses/1"), ("OPTIONS", "/v1/models"),
    ]  # fmt: skip


def test_a_body_that_would_fill_the_memory_of_an_sdk_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_PARTS", 1000)
    body = json.dumps({"data": [1] * 500})
    with serving(lambda *_: (200, {}, body.encode())) as url, relaying(url) as (client, recorded):
        client.request("GET", "/v1/models")
        with pytest.raises(http.client.IncompleteRead):
            client.getresponse().read()
    assert recorded[0].body == body.encode()
