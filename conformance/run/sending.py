"""Send the scenarios that the selected checks need, each once per target, and keep what was recorded."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any

from backends import log, program, roles, scratch, wire
from backends.bounds import NO_ROOM, Spare
from backends.patience import LONGEST, OUTAGE, Patience, Sent
from backends.program import CannotRun, Ended, Program
from backends.target import Deployment, Target
from backends.wire import Exchange
from conformance.answers.recording import IN_MEMORY, LARGE, OnDisk, Recording, Source, answers
from conformance.kit.steadiness import CONTROLS
from conformance.outcomes import Verdict
from conformance.run.workers import Workers
from fixtures.scenario import SCENARIOS, Scenario, in_order, with_needs

PATIENCE = 5.0
"""Seconds after which somebody who waits for an answer is told so."""

FEW = 3
"""Scenarios in a row without any response after which nothing more is sent."""

LOOK = 0.5
"""Seconds after which somebody who waits for another worker looks whether that is alive."""

LARGE_IN_A_ROW = 20
"""Scenarios in a row whose responses are too large after which nothing more is sent."""

PLAIN_SECONDS = 20.0
"""For the plain request that shows whether a server is there."""


ALWAYS = contextlib.nullcontext()


@dataclasses.dataclass(frozen=True)
class Budget:
    """For how long a run sends requests: as the user wrote it, in seconds, and when it ends, by `time.monotonic()`."""

    text: str
    seconds: float
    end: float

    def part(self, number: int, of: int) -> Budget:
        """The share of one of several models of a server, which take turns; `number` counts from 1."""
        return dataclasses.replace(self, end=self.end - self.seconds * (1 - number / of))

    @property
    def used_up(self) -> str:
        """Why a scenario was not sent."""
        return f"the budget was used up (--budget={self.text})"


class Turn:
    """Held by one process at a time: a lock on a file, which Windows lacks. For one thread of each process."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("w")

    def __enter__(self) -> None:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        if sys.platform != "win32":
            import fcntl

            fcntl.flock(self._file, fcntl.LOCK_UN)


class Sender:
    """Sends scenarios to a target, one or several requests of each.

    With a directory `gone` it is patient: what is refused in passing is sent again, and nothing is sent to a
    model that no longer answers. All senders of a run share the directory, in which a file says so of a role. Those
    with the same `turn` send one after the other. After the end of a `budget`, only the controls are sent that a judge
    asks for: without them, a difference would count against the server.
    """

    def __init__(
        self,
        target: Target,
        timeout: float,
        gone: Path | None = None,
        turn: contextlib.AbstractContextManager[Any] = ALWAYS,
        budget: Budget | None = None,
    ) -> None:
        self._budget = budget
        self._target = target
        self._timeout = timeout
        self._http = wire.client(timeout, target.access)
        self._brief = wire.client(min(timeout, PLAIN_SECONDS), target.access)
        self._together = Workers(16, "together")
        self._gone = gone
        self._turn = turn
        self._patience: dict[Deployment, Patience] = {}
        self._lost: Counter[Deployment] = Counter()
        self._large: Counter[Deployment] = Counter()
        self._closed = threading.Event()

    def send(self, scenario: Scenario, source: Source, headers: tuple[tuple[str, str], ...] = ()) -> Recording:
        """Send one scenario; what it needs comes from `source`, and `headers` go with each request."""
        if self._is_over() and scenario.name not in CONTROLS:
            return self._unsent()
        try:
            built = scenario.build(*(answers(source, needed) for needed in scenario.needs))
        except Verdict as problem:
            return Recording(unsent=f"{scenario.name} needs a response that is missing: {problem}", blocked=True)
        first = built[0] if isinstance(built, list) else built
        role = first.role
        deployment = self._target.asked(role, "POST" if isinstance(first, Program) else first.method)
        if deployment is None:
            return Recording(unsent=self._target.missing.get(role, f"no {role} model"), blocked=True, single=True)
        if scenario.keyed and not self._target.access.key:
            why = "this target has no API key: start the server with one, and set OPENAI_API_KEY"
            return Recording(unsent=why, blocked=True, single=True)
        if why_gone := self._is_gone(deployment):
            return Recording(unsent=why_gone)
        file = self._target.logs.get(role)
        begun = log.size(file)
        answered = not self._lost[deployment]
        if isinstance(built, Program):
            recording = self._run(built, deployment, headers)
        else:
            recording = self._ask(scenario, built, deployment, headers)
        if "lost" in recording and answered and _had_the_request(recording):
            recording["fatal"] = True
        if "exchanges" in recording and (gained := log.since(file, begun, self._target.access.secrets())):
            recording["log"] = gained
        return recording

    def _ask(
        self,
        scenario: Scenario,
        built: wire.Request | list[wire.Request],
        at: Deployment,
        headers: tuple[tuple[str, str], ...],
    ) -> Recording:
        """Send the requests of a scenario; those of one connection or `together` are sent again together."""
        requests = built if isinstance(built, list) else [built]
        own = scenario.one_connection
        http = wire.client(self._timeout, self._target.access, one_connection=True) if own else self._http
        http.spare = self._http.spare

        def exchange(request: wire.Request) -> Exchange:
            request = dataclasses.replace(request, headers=(*request.headers, *headers))
            return wire.send(request, at.base_url, model=at.model, http=http, room=at.room)

        sent: list[Sent] = []
        if scenario.together:
            sent.append(self._patiently(at, lambda: self._together.map(exchange, requests)))
        elif own:
            sent.append(self._patiently(at, lambda: list(map(exchange, requests))))
        else:
            for request in requests:
                sent.append(self._patiently(at, lambda request=request: [exchange(request)]))  # type: ignore[misc]
                if sent[-1].gone:
                    break
                if len(sent) < len(requests) and self._is_over() and scenario.name not in CONTROLS:
                    return self._unsent()
        if own:
            http.close()
        return Recording(
            exchanges=[one.to_json() for part in sent for one in part.exchanges],
            single=not isinstance(built, list),
            **_told(sent),
        )

    def _is_over(self) -> bool:
        return self._budget is not None and time.monotonic() > self._budget.end

    def _unsent(self) -> Recording:
        assert self._budget is not None
        return Recording(unsent=self._budget.used_up)

    def _run(self, built: Program, at: Deployment, headers: tuple[tuple[str, str], ...]) -> Recording:
        """Run a program; its exchanges, and how it ended."""
        ended: list[Ended] = []

        def run() -> list[Exchange]:
            how, exchanges = program.run(built, at.base_url, model=at.model, http=self._http, headers=headers)
            ended.append(how)
            return exchanges

        try:
            sent = self._patiently(at, run)
        except CannotRun as problem:
            return Recording(unsent=str(problem), blocked=True, single=True)
        exchanges = [e.to_json() for e in sent.exchanges]
        return Recording(exchanges=exchanges, single=False, program=ended[-1].to_json(built), **_told([sent]))

    def _patiently(self, at: Deployment, ask: Callable[[], list[Exchange]]) -> Sent:
        """Send; with patience, if this sender has any."""
        if self._gone is None:
            return Sent(ask())

        def plain() -> Exchange:
            return wire.send(roles.PROBE[at.role], at.base_url, model=at.model, http=self._brief)

        patience = self._patience.setdefault(
            at, Patience(plain, lambda: self._closed.is_set() or self._is_over() or bool(self._is_gone(at)))
        )
        with self._turn:
            sent = patience.send(ask)
        self._lost[at] = self._lost[at] + 1 if sent.gone else 0
        if self._lost[at] >= FEW:
            what = "" if at.role == "chat" else f" requests to the {at.role} model"
            self._mark(at).write_text(f"the server no longer answers{what}: {sent.gone}", errors="replace")
        details = [one.error_detail for one in sent.exchanges if one.error == "too large"]
        too_large = next((detail for detail in details if detail != NO_ROOM), "")
        self._large[at] = self._large[at] + 1 if too_large else 0
        if self._large[at] >= LARGE_IN_A_ROW:
            said = f"{LARGE_IN_A_ROW} responses in a row were too large: {too_large}"
            self._mark(at).with_suffix(".large").write_text(said)
        return sent

    def _is_gone(self, at: Deployment) -> str:
        """Why nothing is sent to a model any more, or to any of its server; empty while it answers."""
        chat = self._target.deployment("chat")
        same_server = [chat] if chat and chat.base_url == at.base_url else []
        for deployment in [at, *same_server] if self._gone else []:
            for suffix in (".gone", ".large"):
                with contextlib.suppress(OSError):
                    return self._mark(deployment).with_suffix(suffix).read_text()
        return ""

    def _mark(self, at: Deployment) -> Path:
        assert self._gone is not None
        return self._gone / f"{at.role}.gone"

    def close(self) -> None:
        """Send nothing more."""
        self._closed.set()
        self._together.close()
        self._http.close()
        self._brief.close()


def _had_the_request(recording: Recording) -> bool:
    """Whether a server had a request to which it gave no response."""
    return any(exchange.error in ("closed", "timeout") for exchange in recording.exchanges)


def _told(sent: list[Sent]) -> dict[str, Any]:
    """What a recording says beside its exchanges of how they were sent."""
    told: dict[str, Any] = {}
    if again := [why for part in sent for why in part.again]:
        told["again"] = again
    if refused := next((part.refused for part in sent if part.refused), ""):
        told["lost"] = f"the server rejected it each time, but not other requests: {refused}"
    if any(one.error_detail == NO_ROOM for part in sent for one in part.exchanges):
        told["lost"] = f"the response was not read to its end: {NO_ROOM}"
    if gone := next((part.gone for part in sent if part.gone), ""):
        told["lost"] = f"the server did not respond, not even to a plain request: {gone}"
    return told


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
        """Return once everything is sent that was asked for; call `look` now and then."""
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
