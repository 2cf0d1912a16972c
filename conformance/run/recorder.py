"""Send the scenarios that the selected checks need, each once per target, and keep what was recorded."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

from backends import scratch
from backends.bounds import Spare
from backends.patience import LONGEST, OUTAGE
from backends.target import Target
from conformance.answers.recording import IN_MEMORY, LARGE, OnDisk, Recording
from conformance.run.sending import ALWAYS, Budget, Sender, Turn
from conformance.run.workers import Workers
from fixtures.scenario import SCENARIOS, Scenario, in_order, with_needs

PATIENCE = 5.0
"""Seconds of waiting after which the terminal says so."""

LOOK = 0.5
"""Seconds of waiting for another worker after which its process is checked."""


class Recorder:
    """Sends scenarios to a live target. Workers of one run share what they recorded through a directory.

    Who creates `NAME.claim` first sends the scenario and writes `NAME.json`; the others read it. With
    `after`, the recorder of another model of the same server, nothing is sent before that one has sent everything.
    Those that have the number of a `turn` in common take turns.
    """

    def __init__(
        self,
        target: Target,
        directory: Path,
        *,
        timeout: float,
        on_wait: Callable[[str, float], None] | None = None,
        after: Recorder | None = None,
        turn: int | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._prefetched = threading.Event()
        self._turn = after._prefetched if after else None
        self._directory = directory / target.name.replace("/", "_")
        self._directory.mkdir(parents=True, exist_ok=True)
        self._timeout = timeout
        self._on_wait = on_wait
        shared = ALWAYS if turn is None else Turn(self._directory / f"turn-{turn}")
        self._sender = Sender(target, timeout, gone=self._directory, turn=shared, budget=budget)
        self._pool = Workers(target.slots, "record", *([self._turn.wait] if self._turn else []))
        self._futures: dict[str, Future[Recording]] = {}
        self._memory = Spare(IN_MEMORY)
        self._lock = threading.Lock()
        self._closed = threading.Event()

    def prefetch(self, *groups: Iterable[str]) -> None:
        """Begin to send groups of scenarios with those they need, one group after the other.

        In each group, those that run alone come last, one by one. The risky ones of all groups come at the end.
        """
        split = list(map(in_order, groups))
        risky = dict.fromkeys(name for *_, some in split for name in some)
        phases = [*((usual, alone) for usual, alone, _ in split), (list(risky), [])]
        at_once = phases[0][0]
        later = {name for usual, alone in phases for name in (*usual, *alone)}.difference(at_once)
        with self._lock:
            self._futures.update({name: Future() for name in later if name not in self._futures})
        sent = [self._submit(name) for name in at_once]
        threading.Thread(target=self._run_phases, args=(phases, sent), daemon=True).start()

    def recording(self, name: str) -> Recording:
        """The recording of a scenario; sends it if nobody has yet, and says so every `PATIENCE` seconds of waiting."""
        if name not in self._futures and self._closed.is_set():
            return Recording(unsent=f"{name} was not sent while the server ran", blocked=True)
        if name not in self._futures:
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

    def wait(self, look: Callable[[], None]) -> None:
        """Return once all requested scenarios are sent; call `look` now and then."""
        while not self._prefetched.wait(LOOK):
            look()

    def close(self) -> None:
        """Send nothing more."""
        self._closed.set()
        self._prefetched.set()
        self._pool.close()
        self._sender.close()

    def _run_phases(self, phases: list[tuple[list[str], list[str]]], sent: Sequence[Future[Any]]) -> None:
        """Send what waits: of each phase first those that may run together, then those that run alone."""
        for number, (together, alone) in enumerate(phases):
            if number:
                sent = [self._pool.submit(self._fill, name) for name in together]
            _wait_for(sent)
            if self._turn:
                self._turn.wait()
            for name in alone:
                self._fill(name)
            for name in together:
                self._futures[name].cancel()  # What the pool did not take.
        self._prefetched.set()

    def _fill(self, name: str) -> None:
        """Record a scenario whose future is there already."""
        future = self._futures[name]
        if future.done():
            return
        if self._closed.is_set():
            future.cancel()
            return
        try:
            future.set_result(self._record(SCENARIOS[name]))
        except Exception as problem:
            broken = f"a defect of the suite: could not record {name}: {problem!r}"
            future.set_result(Recording(unsent=broken, broken=True))

    def _submit(self, name: str) -> Future[Recording]:
        with self._lock:
            if name not in self._futures:
                self._futures[name] = self._pool.submit(self._record, SCENARIOS[name])
            return self._futures[name]

    def _record(self, scenario: Scenario) -> Recording:
        kept = self._directory / f"{scenario.name}.json"
        claim = kept.with_suffix(".claim")
        try:
            with claim.open("x") as file:
                file.write(f"{os.getpid()} {scratch.born(os.getpid())}")
        except FileExistsError:
            return self._await(scenario, kept)
        try:
            recording = self._sender.send(scenario, self)
        except Exception as problem:
            recording = Recording(
                unsent=f"a defect of the suite: could not send {scenario.name}: {problem!r}", broken=True
            )
        partial = kept.with_suffix(".partial")
        try:
            partial.write_text(json.dumps(recording))
            partial.rename(kept)
        except OSError as problem:
            return Recording(unsent=f"cannot write {partial}: {problem.strerror}", broken=True)
        return self._held(recording, kept)

    def _held(self, recording: Recording, file: Path) -> Recording:
        """The recording, in memory while there is room."""
        size = file.stat().st_size
        if size <= LARGE and self._memory.take(size):
            return recording
        return OnDisk(recording, lambda: _loaded(file))

    def _await(self, scenario: Scenario, kept: Path) -> Recording:
        """What another worker records: it takes at most a few timeouts, since lists are sent one after the other, and
        what patience costs. If that worker was killed, record it here."""
        begun = time.monotonic()
        claim = kept.with_suffix(".claim")
        while not kept.exists():
            waited = time.monotonic() - begun
            if waited > 10 * self._timeout + LONGEST + OUTAGE:
                return Recording(unsent=f"{kept.stem} was claimed by a worker that never recorded it", broken=True)
            if waited > LOOK and _is_dead(claim) and not kept.exists():
                with contextlib.suppress(FileNotFoundError):  # Yet another worker saw it, too.
                    claim.rename(claim.with_suffix(f".dead-{os.getpid()}"))
                    return self._record(scenario)
            time.sleep(0.005)
        return self._held(_loaded(kept), kept)


def _wait_for(futures: Sequence[Future[Any]]) -> None:
    for future in futures:
        with contextlib.suppress(CancelledError):
            future.exception()


def _is_dead(claim: Path) -> bool:
    """Whether the worker that wrote the claim is gone."""
    try:
        pid, _, since = claim.read_text().partition(" ")
    except FileNotFoundError:
        return False
    return bool(pid) and not scratch.alive(pid, since)


def _loaded(file: Path) -> Recording:
    return Recording(json.loads(file.read_text()))
