"""An exchange ends in time and is of a bounded size, whatever the server does."""

from __future__ import annotations

import contextlib
import gzip
import json
import socketserver
import threading
import time
import zlib
from collections.abc import Iterator

import pytest

import tests.hostile.modes  # noqa: F401
from backends import bounds, wire
from backends.access import Access
from backends.bounds import Body, Spare, TooLarge, Undecodable
from backends.wire import Exchange, Request
from tests.fake import Reply, as_json, serving
from tests.hostile.mode import MODES
from tests.hostile.server import correct
from tests.hostile.server import serving as hostile

SLOW = [
    "silence",
    "status-line-trickles",
    "headers-trickle",
    "informational-storm",
    "informational-flood",
    "headers-then-silence",
    "body-trickles",
    "chunk-extension-trickles",
    "trailers-trickle",
    "stream-without-end",
]


def gzipped(text: bytes) -> bytes:
    """The same bytes each time: they are part of the tests' names, which workers compare."""
    return gzip.compress(text, mtime=0)


def asked(name: str, timeout: float) -> Exchange:
    with hostile({"*": MODES[name].act}) as (origin, _), wire.client(timeout) as http:
        return wire.send(Request(body={"stream": True}), origin + "/v1", model="m", http=http)


@pytest.mark.parametrize("name", SLOW)
def test_one_deadline_ends_the_whole_exchange(name: str) -> None:
    begun = time.monotonic()
    assert asked(name, 0.5).error == "timeout"
    assert time.monotonic() - begun < 10


def test_a_response_in_time_is_whole() -> None:
    with hostile({"*": correct}) as (origin, _), wire.client(30) as http:
        got = wire.send(Request(method="GET", path="/models"), origin + "/v1", model="m", http=http)
    assert (got.status, got.error) == (200, None)


@pytest.mark.parametrize("name", ["endless-body", "one-line-of-a-stream", "gzip-bomb", "gzip-bomb-in-gzip"])
def test_of_a_response_that_is_too_large_the_beginning_is_kept(name: str) -> None:
    got = asked(name, 60)
    assert got.error == "too large"
    assert got.status == 200
    assert len(got.body) == bounds.KEPT


def receive(body: Body, raw: bytes, step: int = 1000) -> bytes:
    for at in range(0, len(raw), step):
        body.add(raw[at : at + step], at / 1000)
    body.finish()
    return bytes(body.kept)


def decoded(encoding: str | None, raw: bytes, step: int = 1000) -> bytes:
    body = Body(Spare())
    body.encoded(encoding)
    whole = receive(body, raw, step)
    assert sum(size for _, size in body.reads) == len(whole)
    return whole


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [
        (None, b"abc" * 999),
        ("identity", b"abc" * 999),
        ("gzip", gzipped(b"abc" * 999)),
        ("GZIP, x-gzip", gzipped(gzipped(b"abc" * 999))),
        ("deflate", zlib.compress(b"abc" * 999)),
        ("deflate", zlib.compress(b"abc" * 999)[2:-4]),
    ],
)
@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_content_encodings_are_undone(encoding: str | None, raw: bytes, step: int) -> None:
    assert decoded(encoding, raw, step) == b"abc" * 999


@pytest.mark.parametrize(
    ("encoding", "raw"),
    [("gzip", b"{}"), ("gzip", gzipped(b"abc")[:-5]), ("deflate", b"{}"), ("br", b"{}"), ("a, b, c, d", b"")],
)
def test_a_false_encoding_is_seen(encoding: str, raw: bytes) -> None:
    with pytest.raises(Undecodable, match="Content-Encoding"):
        decoded(encoding, raw)


def test_an_empty_body_is_in_every_encoding() -> None:
    """Responses to HEAD, and 204 and 304, have the header and no body."""
    assert decoded("gzip", b"") == b""


def test_parts_are_counted() -> None:
    with pytest.raises(TooLarge, match="1,000,000 values"):
        receive(Body(Spare()), b"{}," * 600_000, 1 << 16)


def test_pieces_are_counted() -> None:
    with pytest.raises(TooLarge, match="50,000 pieces"):
        receive(Body(Spare()), b"x" * 50_001, 1)


def test_a_long_stream_has_any_number_of_pieces() -> None:
    assert len(receive(Body(Spare()), b"x" * 1_600_000, 16)) == 1_600_000


def test_a_run_has_room_for_few_large_bodies_and_many_small_ones() -> None:
    spare = Spare()
    large = b"x" * (15 << 20)
    for _ in range(2):
        receive(Body(spare), large, 1 << 20)
    third = Body(spare)
    with pytest.raises(TooLarge, match="other responses of this run"):
        receive(third, large, 1 << 16)
    assert len(third.kept) == bounds.KEPT + bounds.SPILL
    for _ in range(20):
        receive(Body(spare), b"x" * (1 << 20), 1 << 16)


def test_reads_are_bounded_and_keep_their_sizes() -> None:
    body = Body(Spare())
    for at in range(50_000):
        body.add(b"x", at / 1_000_000)
    assert len(body.reads) < bounds.READS + 20
    assert sum(size for _, size in body.reads) == 50_000


def test_cookies_are_not_sent_back() -> None:
    seen: list[dict[str, str]] = []

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        seen.append(headers)
        status, out, raw = as_json({})
        return status, {**out, "Set-Cookie": "a=b; Path=/"}, raw

    with serving(reply) as origin, wire.client(30, one_connection=True) as http:
        for _ in range(2):
            kept = wire.send(Request(method="GET"), origin, model="m", http=http)
    assert [headers for headers in seen if "cookie" in headers] == []
    assert ("Set-Cookie", wire.REDACTED) in kept.headers


def test_an_undecodable_body_is_recorded_so() -> None:
    got = asked("false-gzip", 30)
    assert got.error == "undecodable"
    assert Exchange.from_json(json.loads(json.dumps(got.to_json()))) == got


@pytest.mark.parametrize("more", ["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged", "x"])
@pytest.mark.parametrize("wait", [0, 0.02])
def test_what_follows_a_response_is_kept_and_is_never_the_next_one(more: str, wait: float) -> None:
    with keeping_alive(more, wait) as base_url, wire.client(10, one_connection=True) as http:
        first = wire.send(Request(method="GET", path="/1"), base_url, model="m", http=http)
        time.sleep(2 * wait)
        second = wire.send(Request(method="GET", path="/2"), base_url, model="m", http=http)
    assert [(got.status, got.body) for got in (first, second)] == [(200, b"/v1/1"), (200, b"/v1/2")]
    assert wait or first.surplus == more.encode()
    assert first.port != second.port


@pytest.mark.parametrize("more", ["", "\r\n"])
def test_empty_lines_may_follow_a_response(more: str) -> None:
    with keeping_alive(more, 0) as base_url, wire.client(10) as http:
        assert wire.send(Request(method="GET", path="/1"), base_url, model="m", http=http).surplus == b""


def test_a_secret_after_a_response_is_removed() -> None:
    access = Access(key="sk-0123456789")
    with keeping_alive("x" * 250 + "sk-0123456789", 0) as base_url, wire.client(10, access) as http:
        got = wire.send(Request(method="GET", path="/1"), base_url, model="m", http=http)
    assert got.surplus == b"x" * 250 + b"[redac"


@contextlib.contextmanager
def keeping_alive(more: str, wait: float) -> Iterator[str]:
    """A server that sends the path back, followed by `more`, on a connection that stays open; yields its base URL."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while path := self.rfile.readline().split(b" ")[1:2]:
                while self.rfile.readline().strip():
                    pass
                whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path[0]), path[0])
                self.wfile.write(whole if wait else whole + more.encode())
                if wait:
                    time.sleep(wait)
                    self.wfile.write(more.encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        server.shutdown()
