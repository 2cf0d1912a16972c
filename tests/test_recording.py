"""Scenarios are sent as many at a time as a server has slots, and whoever waits for one is never left waiting."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from backends.access import Access
from backends.target import Deployment, Target
from conformance.run.options import Options
from conformance.run.process import Run, WorkerRun
from conformance.run.recorder import Recorder
from fixtures.requests import chat
from fixtures.scenario import SCENARIOS, Scenario, in_order, load
from tests.fake import Reply, as_json, serving
from tests.made import chat_body


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def add(*names: str, alone: bool = False, risky: bool = False) -> None:
        kind = {**dict.fromkeys(("control", "together", "one_connection", "keyed"), False), "alone": alone}
        for name in names:
            made = Scenario(name=name, build=lambda name=name: chat(name), needs=(), purpose="", risky=risky, **kind)  # type: ignore[arg-type]
            monkeypatch.setitem(SCENARIOS, name, made)

    return add


class Server:
    """Answers when it may, and counts what it is asked."""

    def __init__(self) -> None:
        self.asked = self.now = self.most = 0
        self.may = threading.Event()
        self._lock = threading.Lock()

    def reply(self, *_: Any) -> Reply:
        with self._lock:
            self.asked += 1
            self.now += 1
            self.most = max(self.most, self.now)
        self.may.wait(20)
        with self._lock:
            self.now -= 1
        return as_json(chat_body())


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def recorder(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], Recorder]]:
    monkeypatch.setattr("conformance.run.recorder.PATIENCE", 3.0)

    def waits(name: str, seconds: float) -> None:
        raise AssertionError(f"still waiting for {name}")

    with serving(server.reply) as origin:
        at = Deployment(role="chat", base_url=origin + "/v1", model="m")

        def make(slots: int) -> Recorder:
            target = Target(name="t", backend="url", found="", deployments=(at,), slots=slots)
            return Recorder(target, tmp_path, timeout=20, on_wait=waits)

        yield make


@pytest.mark.parametrize("slots", [1, 3])
def test_as_many_at_a_time_as_the_server_has_slots(
    declare: Callable[..., None], recorder: Callable[[int], Recorder], server: Server, slots: int
) -> None:
    names = [f"s{number}" for number in range(5)]
    declare(*names)
    made = recorder(slots)
    made.prefetch(names)
    until = time.monotonic() + 5
    while server.now < slots and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.1)
    server.may.set()
    assert all("exchanges" in made.recording(name) for name in names)
    assert server.most == slots


def test_workers_share_the_slots_of_each_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "4")
    slots = {"large": 9, "small": 1}
    targets = [Target(name=name, backend="url", found="", deployments=()).to_json() for name in slots]
    access = {name: Access().to_json() for name in slots}
    told = {"stopped": None, "shared": tmp_path, "slots": slots, "targets": targets, "access": access}
    asked = Options(wanted=(), report=tmp_path, fail_on=None, replay=None, timeout=5)
    run = WorkerRun(None, asked, {**told, "logs": {name: {} for name in slots}})  # type: ignore[arg-type]
    assert {name: target.slots for name, target in run.targets.items()} == {"large": 2, "small": 1}
    assert run._turns == {"small": 0}


def test_workers_with_one_slot_take_turns(
    declare: Callable[..., None], server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"s{number}" for number in range(6)]
    declare(*names)
    server.may.set()
    monkeypatch.setattr(server, "reply", lambda *asked, reply=server.reply: (time.sleep(0.02), reply(*asked))[1])
    with serving(server.reply) as origin:
        at = Deployment(role="chat", base_url=origin + "/v1", model="m")
        target = Target(name="t", backend="url", found="", deployments=(at,), slots=1)
        workers = [Recorder(target, tmp_path, timeout=20, turn=0) for _ in range(3)]
        for worker in workers:
            worker.prefetch(names)
        assert all("exchanges" in worker.recording(name) for worker in workers for name in names)
    assert (server.asked, server.most) == (6, 1)


def test_who_waits_for_one_that_runs_alone_learns_that_it_could_not_be_recorded(
    declare: Callable[..., None], recorder: Callable[[int], Recorder], server: Server, tmp_path: Path
) -> None:
    declare("first", "second", alone=True)
    made = recorder(1)
    shutil.rmtree(tmp_path / "t")
    made.prefetch(["first", "second"])
    for name in ("first", "second"):
        got = made.recording(name)
        assert got["broken"]
        assert got["unsent"].startswith(f"a defect of the suite: could not record {name}: FileNotFoundError")


def test_what_is_closed_sends_nothing_more(
    declare: Callable[..., None], recorder: Callable[[int], Recorder], server: Server
) -> None:
    declare("first", "second")
    declare("alone", alone=True)
    made = recorder(1)
    made.prefetch(["first", "second", "alone"])
    until = time.monotonic() + 5
    while not server.asked and time.monotonic() < until:
        time.sleep(0.01)
    made.close()
    server.may.set()
    for name in ("second", "alone"):
        with pytest.raises(CancelledError):
            made.recording(name)
    assert server.asked == 1


def test_what_may_stop_a_server_is_sent_last(declare: Callable[..., None], tmp_path: Path) -> None:
    asked: list[str] = []

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        asked.append(json.loads(body)["messages"][0]["content"])
        return as_json(chat_body())

    declare("risk", "risk_too", risky=True)
    declare("alone", alone=True)
    declare("usual", "usual_too")
    names = ["risk", "alone", "usual", "risk_too", "usual_too"]
    with serving(reply) as origin:
        at = Deployment(role="chat", base_url=f"{origin}/v1", model="m")
        target = Target(name="t", backend="url", found="", deployments=(at,), slots=2)
        recorder = Recorder(target, tmp_path, timeout=5)
        recorder.prefetch(names)
        assert all(recorder.recording(name).exchanges[0].status == 200 for name in names)
        recorder.close()
    assert [sorted(asked[:2]), asked[2], sorted(asked[3:])] == [["usual", "usual_too"], "alone", ["risk", "risk_too"]]


def test_risky_scenarios_come_after_what_they_need() -> None:
    usual, alone, risky = in_order(load())
    assert {"capital", "greedy"} <= {*usual, *alone}
    assert {"local_parameters", "capital_after_forms", "bad_role"} <= set(risky)
    assert risky.index("bad_role") < risky.index("lone_surrogate") < risky.index("capital_after_forms")
    before: set[str] = set()
    for name in (*usual, *alone, *risky):
        assert before.issuperset(SCENARIOS[name].needs)
        before.add(name)
    assert before == set(SCENARIOS)


def test_models_of_one_server_are_recorded_one_after_the_other(declare: Callable[..., None], tmp_path: Path) -> None:
    asked: list[str] = []
    under_way, lock = [0, 0], threading.Lock()

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        with lock:
            under_way[0] += 1
            under_way[1] = max(under_way)
            asked.append(json.loads(body)["model"])
        time.sleep(0.05)
        with lock:
            under_way[0] -= 1
        return as_json(chat_body())

    declare("first", "second", "third")
    declare("alone", alone=True)
    needed = ["first", "second", "third", "alone"]
    with serving(reply) as origin:
        run = Run(None, Options(wanted=(), report=tmp_path, fail_on=None, replay=None, timeout=5))  # type: ignore[arg-type]
        run._needed = needed
        for name in ("a", "b", "c"):
            at = Deployment(role="chat", base_url=origin + "/v1", model=name)
            run.targets[name] = Target(name=name, backend="url", found="", deployments=(at,), slots=2)
        run._record(tmp_path)
        recorded = [run.source(name).recording(scenario) for name in ("c", "b", "a") for scenario in needed]
    assert all("exchanges" in one for one in recorded)
    assert "".join(asked) == "aaaabbbbcccc"
    assert under_way[1] == 2


def test_what_a_killed_worker_has_claimed_is_recorded_by_another(
    declare: Callable[..., None],
    recorder: Callable[[int], Recorder],
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("conformance.run.recorder.LOOK", 0.0)
    server.may.set()
    declare("first")
    (made, other) = (recorder(1), recorder(1))
    (tmp_path / "t" / "first.claim").write_text("4194304 0@none")  # More than the largest pid of Linux.
    assert all("exchanges" in one.recording("first") for one in (made, other))
    assert server.asked == 1
