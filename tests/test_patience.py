"""What is refused in passing is sent again; what is the server's own answer is judged; a dead server ends the run."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from backends import patience
from backends.target import Deployment, Target
from conformance.answers import Missing
from conformance.answers.recording import Recording
from conformance.checks import test_wire
from conformance.kit.every import Every, Recorded
from conformance.outcomes import Fail
from conformance.run.findings import findings, told
from conformance.run.recorder import Recorder
from fixtures.requests import chat
from fixtures.scenario import SCENARIOS, Scenario
from tests.fake import Reply, as_json, error, serving
from tests.made import chat_body, exchange, refusal

NAMES = ("first", "second", "third", "fourth", "fifth")
ANSWER = as_json(chat_body())
HTML = {"Content-Type": "text/html"}
PASSING: dict[str, Reply] = {
    "rate limit": (429, {"Retry-After": "0"}, b"{}"),
    "rate limit with a date": (429, {"Retry-After": formatdate(0, usegmt=True)}, b"slow down"),
    "bad gateway as HTML": (502, HTML, b"<html>502 Bad Gateway</html>"),
    "unavailable as JSON": error(503, "no healthy upstream"),
    "gateway timeout without a body": (504, {}, b""),
    "a gateway that says 500": error(500, "Connection error."),
    "overloaded": (529, {}, b"overloaded"),
    "an error in a 200": as_json({"error": {"message": "upstream connect error", "code": 502}}),
    "an error at the end of a stream": (
        200,
        {"Content-Type": "text/event-stream"},
        b'data: {"choices": []}\n\ndata: {"error": {"message": "upstream failed"}}\n\n',
    ),
    "closed": (0, {}, b""),
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "WAITS", (0.01,) * 4)
    monkeypatch.setattr(patience, "LIMITED_WAITS", (0.01,) * 4)
    monkeypatch.setattr(patience, "OUTAGE", 1.0)
    monkeypatch.setattr(patience, "GONE", 0.5)


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = dict.fromkeys(("control", "together", "one_connection", "keyed", "alone"), False)
    for name in NAMES:
        made = Scenario(name=name, build=lambda name=name: chat(name), needs=(), purpose="", **kind)  # type: ignore[arg-type]
        monkeypatch.setitem(SCENARIOS, name, made)


def named(body: bytes) -> str:
    """The scenario of a request; nothing for a plain one."""
    text = json.loads(body)["messages"][0]["content"] if body else ""
    return text if text in NAMES else ""


@contextmanager
def recording(base_url: str, directory: Path, *, timeout: float = 5, slots: int = 2) -> Iterator[dict[str, Recording]]:
    """All recordings of a target."""
    at = Deployment(role="chat", base_url=base_url, model="m")
    made = Recorder(
        Target(name="t", backend="url", found="", deployments=(at,), slots=slots), directory, timeout=timeout
    )
    made.prefetch(NAMES)
    yield {name: made.recording(name) for name in NAMES}
    made.close()


def said(recordings: dict[str, Recording]) -> list[str]:
    read = {name: told(dict(recording)) for name, recording in recordings.items()}
    return [found.sentence for found in findings({"name": "t", "backend": "url", "details": {}}, read)]


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("refusal_", PASSING.values(), ids=PASSING)
def test_what_passes_is_sent_again(refusal_: Reply, tmp_path: Path) -> None:
    asked: dict[str, int] = {}
    lock = threading.Lock()

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        with lock:
            asked[named(body)] = times = asked.get(named(body), 0) + 1
        return ANSWER if times > 2 or not named(body) else refusal_

    with serving(reply) as origin, recording(origin + "/v1", tmp_path) as recordings:
        assert all(r.exchanges[0].status == 200 and b"Paris" in r.exchanges[0].body for r in recordings.values())
        assert all(len(r["again"]) == 2 for r in recordings.values())
    assert len(said(recordings)) == 1
    assert said(recordings)[0].startswith("Requests were rejected temporarily and sent again: ")


@pytest.mark.usefixtures("declared")
def test_what_comes_again_while_others_are_answered_is_judged(tmp_path: Path) -> None:
    own = error(503, "no grammar")
    with (
        serving(lambda _m, _p, body, _h: own if named(body) == "third" else ANSWER) as origin,
        recording(origin + "/v1", tmp_path) as recordings,
    ):
        assert "lost" not in recordings["third"]
        assert recordings["third"].exchanges[0].status == 503
        assert recordings["fifth"].exchanges[0].status == 200


@pytest.mark.usefixtures("declared")
def test_a_limit_that_stays_is_not_judged(tmp_path: Path) -> None:
    limit = error(429, "too many tokens")
    with (
        serving(lambda _m, _p, body, _h: limit if named(body) == "third" else ANSWER) as origin,
        recording(origin + "/v1", tmp_path) as recordings,
    ):
        read = recordings["third"].answers(SCENARIOS["third"])
    assert isinstance(read, Missing)
    assert read.blocked
    assert "too many tokens" in read.why


@pytest.mark.usefixtures("declared")
def test_a_gateway_whose_server_is_gone_ends_the_run(tmp_path: Path) -> None:
    gone = threading.Event()

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        if named(body) == "second":
            gone.set()
        return (502, HTML, b"<html>Bad Gateway</html>") if gone.is_set() else ANSWER

    with serving(reply) as origin, recording(origin + "/v1", tmp_path, slots=1) as recordings:
        assert recordings["first"].exchanges[0].status == 200
        assert "not even to a plain request: 502" in recordings["second"]["lost"]
        assert recordings["fifth"]["unsent"].startswith("the server no longer answers: 502")


@pytest.mark.usefixtures("declared")
def test_a_circuit_breaker_that_closes_again_is_waited_for(tmp_path: Path) -> None:
    """It opens after three failures in a row, whatever is asked then, and closes after a while."""
    own, lock = error(500, "no grammar"), threading.Lock()
    state = {"failures": 0, "until": 0.0}

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        with lock:
            if time.monotonic() < state["until"]:
                return error(503, "no available workers (all circuits open)")
            failed = named(body) == "second"
            state["failures"] = state["failures"] + 1 if failed else 0
            if state["failures"] == 3:
                state.update(failures=0, until=time.monotonic() + 0.3)
        return own if failed else ANSWER

    with serving(reply) as origin, recording(origin + "/v1", tmp_path) as recordings:
        statuses = {name: r.exchanges[0].status for name, r in recordings.items() if "lost" not in r}
    assert statuses == {name: 500 if name == "second" else 200 for name in NAMES}


class Mortal:
    """A server that dies, or hangs from then on, when it gets a scenario's request."""

    def __init__(self, fatal: str, *, hangs: bool = False) -> None:
        self._fatal, self._hangs, self._dead = fatal.encode(), hangs, threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.base_url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/v1"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while not (self._dead.is_set() and not self._hangs):
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        self._open.append(connection)
        asked = connection.recv(1 << 16)
        if b"\r\n\r\n" in asked and not asked.rstrip().endswith(b"}"):
            asked += connection.recv(1 << 16)
        if self._fatal in asked:
            self._dead.set()
        if self._dead.is_set():
            if not self._hangs:
                self._socket.close()
                connection.close()
            return
        body = json.dumps(chat_body()).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        connection.close()


@pytest.mark.usefixtures("declared")
@pytest.mark.parametrize("hangs", [False, True], ids=["dies", "hangs"])
def test_the_request_that_stopped_the_server_is_named(
    hangs: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Mortal('"third"', hangs=hangs)
    begun = time.monotonic()
    with recording(server.base_url, tmp_path, timeout=0.5, slots=1) as recordings:
        assert recordings["second"].exchanges[0].status == 200
        assert "lost" in recordings["third"]
    assert time.monotonic() - begun < 10
    assert said(recordings)[0].startswith("The server stopped answering while it handled third: ")

    class Source:
        def recording(self, name: str) -> Recording:
            return recordings.get(name, Recording(unsent="not sent"))

    every = Every.of_recorded(Recorded(Source(), NAMES))
    assert every.fatal == ["third"]
    for check in (test_wire.test_no_request_breaks_the_server, test_wire.test_answers_are_complete):
        with pytest.raises(Fail, match="third"):
            check(every)


@pytest.mark.parametrize(
    ("status", "body", "passes"),
    [
        (200, chat_body(), None),
        (200, {"object": "response", "status": "failed", "error": {"message": "no"}}, None),
        (400, refusal(), None),
        (404, refusal(), None),
        (501, refusal(), None),
        (500, refusal(), "500"),
        (429, refusal(), "429"),
    ],
)
def test_what_passes(status: int, body: Any, passes: str | None) -> None:
    assert patience.passing(exchange(body, status=status)) == passes


@pytest.mark.parametrize(
    ("value", "seconds"), [("2", 2.0), ("0.5", 0.5), ("soon", None), ("", None), ("-1", None), ("٣", None)]
)
def test_how_long_to_wait(value: str, seconds: float | None) -> None:
    got = exchange(b"", status=429)
    got = type(got)(**{**got.__dict__, "headers": (("Retry-After", value),)})
    assert patience.asked_to_wait(got) == seconds


def late(after: list[Any]) -> Any:
    """A request that gets no response in time; meanwhile `after` are called."""
    for call in after:
        call()
    return [exchange(b"", status=0, error="timeout", error_detail="timed out")]


def test_a_slow_server_is_not_taken_for_gone() -> None:
    """A plain request waits behind the others, too."""
    sender = patience.Patience(lambda: late([])[0])
    answered = [lambda: sender.send(lambda: [exchange(chat_body(), started_at=time.time())])]
    assert sender.send(lambda: late([])).gone == "no answer in time (timed out)"
    sent = sender.send(lambda: late(answered))
    assert (sent.gone, [one.error for one in sent.exchanges]) == ("", ["timeout"])
    time.sleep(0.05)  # The body of a made response comes 0.01 s after its request.
    assert sender.send(lambda: late([])).gone == "no answer in time (timed out)"
    streams = [replace(exchange(chat_body(), started_at=time.time()), error="timeout")]
    assert sender.send(lambda: [*late([]), *streams]).gone == ""
    time.sleep(0.05)
    listed = exchange({"data": []}, path="/models", method="GET", started_at=time.time())
    assert sender.send(lambda: late([lambda: sender.send(lambda: [listed])])).gone != ""  # Nothing was generated.


def test_what_fails_slowly_is_sent_again_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "SLOW", 0.0)
    asked: list[int] = []
    sender = patience.Patience(lambda: exchange(chat_body()))

    def fails() -> list[Any]:
        asked.append(1)
        return [exchange(refusal(), status=500)]

    assert sender.send(fails).again == [f"500; {patience.CAME_AGAIN}"]
    assert len(asked) == 3  # The third after a plain request was answered.
