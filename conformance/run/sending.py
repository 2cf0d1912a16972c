"""Send scenarios to a server, with patience for one that is busy, and notice one that no longer responds."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from backends import log, program, roles, wire
from backends.bounds import NO_ROOM
from backends.patience import Patience, Sent
from backends.program import CannotRun, Ended, Program
from backends.target import Deployment, Target
from backends.wire import Exchange
from conformance.answers.recording import Recording, Source, answers
from conformance.kit.steadiness import CONTROLS
from conformance.outcomes import Verdict
from conformance.run.workers import Workers
from fixtures.scenario import Scenario

FEW = 3
"""Scenarios in a row without any response after which nothing more is sent."""

LARGE_IN_A_ROW = 20
"""Scenarios in a row whose responses are too large after which nothing more is sent."""

PLAIN_SECONDS = 20.0
"""For the plain request that shows whether a server is there."""


ALWAYS = contextlib.nullcontext()


@dataclasses.dataclass(frozen=True)
class Budget:
    """How long a run sends requests: as the user wrote it, in seconds, and its end by `time.monotonic()`."""

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

    With a directory `gone` it is patient: temporarily rejected requests are sent again, and nothing is sent to a model
    that no longer answers. All senders of a run share the directory, which has a file for each role that no longer
    answers. Those with the same `turn` send one after the other. After the end of a `budget`, only controls that a
    judge needs are sent: without them, a difference would count against the server.
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
    """Whether the server received a request and gave no response."""
    return any(exchange.error in ("closed", "timeout") for exchange in recording.exchanges)


def _told(sent: list[Sent]) -> dict[str, Any]:
    """What a recording says beside its exchanges of how they were sent."""
    told: dict[str, Any] = {}
    if again := [why for part in sent for why in part.again]:
        told["again"] = again
    if refused := next((part.refused for part in sent if part.refused), ""):
        told["lost"] = f"the server rejected this request each time, but accepted others: {refused}"
    if any(one.error_detail == NO_ROOM for part in sent for one in part.exchanges):
        told["lost"] = f"the response was not read completely: {NO_ROOM}"
    if gone := next((part.gone for part in sent if part.gone), ""):
        told["lost"] = f"the server did not respond, not even to a plain request: {gone}"
    return told
