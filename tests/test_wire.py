"""Sending and recording: what goes out, what is kept, and that no secret is."""

from __future__ import annotations

import json
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends import wire
from backends.access import Access
from backends.wire import MODEL, Exchange, Request, send
from tests.fake import Reply, as_json, serving
from tests.made import exchange

texts = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.binary() | texts.map(str.encode), st.lists(st.tuples(st.floats(0, 99), st.integers(0, 9))))
def test_exchanges_survive_json(body: bytes, reads: list[tuple[float, int]]) -> None:
    made = Exchange(request=Request(body=body), status=200, body=body, reads=tuple(reads), started_at=1.0)
    assert Exchange.from_json(json.loads(json.dumps(made.to_json()))) == made


@given(st.text("abcdef0123456789-", min_size=8), texts, texts)
def test_a_key_is_redacted_wherever_it_stands(key: str, before: str, after: str) -> None:
    made = exchange((before + key + after).encode(), error_detail=f"{before}{key}")
    kept = json.dumps(wire._redacted(made, (key,)).to_json(), ensure_ascii=False)
    assert key not in kept.replace(wire.REDACTED, "") or key in json.dumps(before + after, ensure_ascii=False)


def test_the_model_is_put_in() -> None:
    request = Request(path=f"/models/{MODEL}", body={"model": MODEL, "x": MODEL})
    assert request.with_model("org/name:1b").path == "/models/org/name:1b"
    assert request.with_model("m").body == {"model": "m", "x": MODEL}


def test_what_is_sent() -> None:
    seen: list[tuple[str, str, bytes, dict[str, str]]] = []

    def reply(*request: object) -> Reply:
        seen.append(request)  # type: ignore[arg-type]
        return as_json({})

    with serving(reply) as origin, wire.client(5, Access(key="sk-secret")) as http:
        got = send(Request(body={"model": MODEL}), origin + "/v1", model="m", http=http)
    method, path, body, headers = seen[0]
    assert (method, path, json.loads(body)) == ("POST", "/v1/chat/completions", {"model": "m"})
    assert headers["authorization"] == "Bearer sk-secret"
    assert headers["connection"] == "close"
    assert got.status == 200
    assert "sk-secret" not in json.dumps(got.to_json())


def test_unreachable() -> None:
    with wire.client(5) as http:
        assert send(Request(body={}), "http://127.0.0.1:9/v1", model="m", http=http).error == "unreachable"


def whole_request(connection: socket.socket) -> bytes:
    """A request with its JSON body: a connection that is closed with unread bytes is reset."""
    got = b""
    while not got.endswith(b"}"):
        got += connection.recv(1 << 16)
    return got


@pytest.mark.parametrize(
    ("says", "error", "status"),
    [
        (b"", "closed", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "closed", 200),
        (b"nonsense\r\n\r\n", "closed", None),
        (None, "timeout", None),
    ],
)
def test_servers_that_break_off(says: bytes | None, error: str, status: int | None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            whole_request(connection)
            if says is None:
                threading.Event().wait(1.5)
            else:
                connection.sendall(says)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with wire.client(0.7) as http:
            got = send(Request(body={}), url, model="m", http=http)
    assert (got.error, got.status) == (error, status)


def test_an_endless_answer_ends_at_the_timeout() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            try:
                while True:
                    connection.sendall(b": ping\n\n")
                    threading.Event().wait(0.05)
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with wire.client(0.5) as http:
            got = send(Request(body={}), url, model="m", http=http)
    assert got.error == "timeout"
    assert got.body.startswith(b": ping")


def test_hanging_up_after_some_bytes() -> None:
    with serving(lambda *_: (200, {}, b"x" * 100_000)) as origin, wire.client(5) as http:
        got = send(Request(body={}, hang_up_after=10), origin, model="m", http=http)
    assert got.error is None
    assert 10 <= len(got.body) <= 100_000


def test_hanging_up_after_some_time() -> None:
    gone = threading.Event()

    def wait(*_: object) -> Reply:
        gone.wait(5)
        return as_json({})

    with serving(wait) as origin, wire.client(5) as http:
        got = send(Request(body={}, hang_up_in=0.2), origin, model="m", http=http)
        gone.set()
    assert (got.status, got.error) == (None, None)
    assert Exchange.from_json(got.to_json()).request.hang_up_in == 0.2


def test_http_1_0_is_sent_as_such() -> None:
    """The head of the request as the server got it; the response ends with the connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening, wire.client(5) as http:
        heads: list[bytes] = []

        def serve() -> None:
            connection, _ = listening.accept()
            with connection:
                heads.append(whole_request(connection))
                connection.sendall(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{}")

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        asked = Request(path="/chat/completions?a=b", body={"say": " HTTP/1.1\r\n"}, http_version="1.0")
        got = send(asked, url, model="m", http=http)
    assert heads[0].startswith(b"POST /v1/chat/completions?a=b HTTP/1.0\r\n")
    assert (got.status, got.body, got.error) == (200, b"{}", None)
    assert Exchange.from_json(got.to_json()).request == got.request


def test_a_header_with_an_empty_value_is_left_out() -> None:
    seen: list[dict[str, str]] = []

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        seen.append(headers)
        return as_json({})

    with serving(reply) as origin, wire.client(5, Access(key="sk-secret")) as http:
        send(Request(headers=(("authorization", ""),)), origin, model="m", http=http)
    assert "authorization" not in seen[0]


def test_one_connection_carries_several_requests() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            connection, _ = listening.accept()
            for _ in range(2):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

        threading.Thread(target=serve, daemon=True).start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}/v1"
        with wire.client(5, one_connection=True) as http:
            first, second = (send(Request(method="GET"), url, model="m", http=http) for _ in range(2))
    assert first.status == second.status == 200
    assert first.port == second.port is not None
