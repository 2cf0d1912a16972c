"""Send the scenarios that the selected checks need, each once per target, and hand out what was recorded."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

from backends import wire
from backends.target import Target
from backends.wire import Exchange
from conformance.answers import Answer, Missing, view
from conformance.outcomes import Verdict
from fixtures.scenario import SCENARIOS, Scenario, with_needs

PATIENCE = 5.0
"""Seconds after which somebody who waits for an answer is told so."""


class Recording(dict[str, Any]):
    """What is kept of a scenario: its `exchanges` (as JSON), or why it was `unsent`."""

    @property
    def exchanges(self) -> list[Exchange]:
        return [Exchange.from_json(e) for e in self.get("exchanges", [])]


class Source(Protocol):
    """Where answers come from: a live target, or an old recording."""

    def recording(self, name: str) -> Recording:
        """The recording of a scenario; waits until there is one."""
        ...


class Recorder:
    """Sends scenarios to a live target. Workers of one run share what they recorded through a directory.

    Who creates `NAME.claim` first sends the scenario and writes `NAME.json`; the others read it.
    """

    def __init__(
        self,
        target: Target,
        directory: Path,
        *,
        timeout: float,
        threads: int,
        on_wait: Callable[[str, float], None] | None = None,
    ) -> None:
        self.target = target
        self.directory = directory / target.name.replace("/", "_")
        self.directory.mkdir(parents=True, exist_ok=True)
        self._timeout = timeout
        self._on_wait = on_wait
        self._http = wire.client(timeout)
        self._pool = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="record")
        self._together = ThreadPoolExecutor(max_workers=16, thread_name_prefix="together")
        self._futures: dict[str, Future[Recording]] = {}
        self._lock = threading.Lock()

    def prefetch(self, names: Iterable[str]) -> None:
        """Begin to send the scenarios and those they need; those that must run alone come last, one by one."""
        ordered = with_needs(names)
        for name in ordered:
            if not SCENARIOS[name].alone:
                self._submit(name)
        threading.Thread(
            target=self._run_alone, args=([n for n in ordered if SCENARIOS[n].alone],), daemon=True
        ).start()

    def recording(self, name: str) -> Recording:
        """The recording of a scenario; sends it if nobody has yet, and says so every `PATIENCE` seconds of waiting."""
        for needed in with_needs([name]):
            self._submit(needed)
        future = self._futures[name]
        begun = time.monotonic()
        while True:
            try:
                return future.result(PATIENCE)
            except TimeoutError:
                if self._on_wait:
                    self._on_wait(name, time.monotonic() - begun)

    def close(self) -> None:
        """Send nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._together.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def _run_alone(self, names: list[str]) -> None:
        with self._lock:
            others = [f for n, f in self._futures.items() if n not in names]
        for future in others:
            with contextlib.suppress(BaseException):
                future.result()
        for name in names:
            with contextlib.suppress(BaseException):
                self._submit(name).result()

    def _submit(self, name: str) -> Future[Recording]:
        with self._lock:
            if name not in self._futures:
                self._futures[name] = self._pool.submit(self._record, SCENARIOS[name])
            return self._futures[name]

    def _record(self, scenario: Scenario) -> Recording:
        kept = self.directory / f"{scenario.name}.json"
        claim = kept.with_suffix(".claim")
        try:
            os.close(os.open(claim, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return self._await(kept)
        try:
            recording = self._send(scenario)
        except Exception as problem:
            recording = Recording(unsent=f"our harness could not send {scenario.name}: {problem!r}", broken=True)
        partial = kept.with_suffix(".partial")
        partial.write_text(json.dumps(recording))
        partial.rename(kept)
        return recording

    def _await(self, kept: Path) -> Recording:
        """What another worker records; it takes at most a few timeouts, since lists are sent one after the other."""
        deadline = time.monotonic() + 10 * self._timeout
        while not kept.exists():
            if time.monotonic() > deadline:
                return Recording(unsent=f"{kept.stem} was claimed by a worker that never recorded it", broken=True)
            time.sleep(0.005)
        return Recording(json.loads(kept.read_text()))

    def _send(self, scenario: Scenario) -> Recording:
        try:
            built = scenario.build(*(answers(self, needed) for needed in scenario.needs))
        except Verdict as problem:
            return Recording(unsent=f"{scenario.name} needs an answer that is missing: {problem}", blocked=True)
        requests = built if isinstance(built, list) else [built]
        deployment = self.target.deployment(requests[0].role)
        if deployment is None:
            role = requests[0].role
            return Recording(unsent=self.target.missing.get(role, f"no {role} model"), blocked=True, single=True)

        def send(request: wire.Request) -> dict[str, Any]:
            exchange = wire.send(
                request, deployment.base_url, model=deployment.model, http=self._http, key=self.target.key
            )
            return exchange.to_json()

        exchanges = list(self._together.map(send, requests) if scenario.together else map(send, requests))
        return Recording(exchanges=exchanges, single=not isinstance(built, list))


class Replay:
    """The exchanges of an old results file."""

    def __init__(self, recordings: dict[str, Recording]) -> None:
        self._recordings = recordings

    def recording(self, name: str) -> Recording:
        """The recording of a scenario, or one that says that there is none."""
        return self._recordings.get(name) or Recording(unsent=f"the recording has no exchange called {name}")


def answers(source: Source, name: str) -> Answer | list[Answer] | Missing:
    """What a check's parameter `name` stands for: the scenario's answer, or its answers if it has several requests."""
    scenario = SCENARIOS[name]
    recording = source.recording(name)
    if recording.get("broken"):
        raise RuntimeError(recording["unsent"])
    exchanges = recording.exchanges
    if not exchanges:
        return Missing(name, recording["unsent"], blocked=recording.get("blocked", False))
    if recording["single"]:
        return view(exchanges[0].request.path)(name, exchanges[0], scenario.control)
    return [
        view(e.request.path)(f"{name}[{number}]", e, scenario.control) for number, e in enumerate(exchanges, start=1)
    ]
