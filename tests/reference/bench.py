"""A bench: the reference server with every scenario recorded on it once, and what a fault changes of the verdicts.

For a fault, the scenarios whose answers change in a rehearsal are sent again with its name in a header, and those that
need them; what did not change is not judged again.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
import tempfile
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from backends import launch, room, wire
from backends.access import Access
from backends.process import ROOM_OF_DIALECTS
from backends.target import Deployment, Target
from backends.wire import Exchange, Request, Role
from conformance.answers import Missing, absence
from conformance.answers.absence import given
from conformance.answers.recording import Recording, Source, answers
from conformance.kit import schema, shapes, steadiness
from conformance.kit.every import Recorded
from conformance.outcomes import Outcome
from conformance.requirements import dialect_rows
from conformance.requirements.check import Check
from conformance.results import CheckResult
from conformance.run import catalogue
from conformance.run.again import judged, recorded
from conformance.run.sending import Sender
from fixtures import scenario
from fixtures.scenario import SCENARIOS, Scenario
from tests.reference import kills
from tests.reference.absent import lacks
from tests.reference.fault import Fault, area_of
from tests.reference.rehearsal import NOW, Rehearsal

ROLES: dict[Role, str] = {"chat": "reference-text", "vision": "reference", "embedding": "reference-embedding"}
KEY = "sk-reference"
THREADS = 8
TIMEOUT = 4.0
"""Seconds for one response of the reference, which needs milliseconds."""

TIMED = {"long_streams", "left_streams", "left_plain", "left_responses"}
"""Scenarios whose times are judged: no other request may be running.

Others run alone because of the last bits of sums, which are always the same here.
"""

_WITNESSES = [name for endpoint in absence.ENDPOINTS for name in endpoint.witnesses]
"""Scenarios that decide which endpoints exist, whichever checks run."""

_RUNS = itertools.count(1)
"""Numbers for runs: `X-Chance` names one, so that the draws of a bench do not depend on what was sent before."""

COMPARING = ("alike.", "effects.")
"""Checks that compare the responses that changed with all others."""

RETRIES = 2
"""How often a check of times must flip again: a busy machine delays any single answer."""


class Bench:
    """A running reference server, with every scenario recorded on it, and every check's verdict.

    `behaviour` is the model behind it, one of `MODELS`; without one, it is the model as the suite expects it. With an
    `area` it has the checks of that area alone, and the scenarios that they need; with a `dialect` those that this
    one can change, on the model that writes it.
    """

    def __init__(
        self,
        base_url: str,
        behaviour: Fault | None = None,
        *,
        area: str = "",
        dialect: str = "",
        timeout: float = TIMEOUT,
    ) -> None:
        self._behind = (behaviour.name,) if behaviour else ()
        self.room = ROOM_OF_DIALECTS if dialect else _room(base_url, self._behind)
        roles: dict[Role, str] = {"chat": f"probe-{dialect}"} if dialect else ROLES
        deployments = tuple(
            Deployment(role=r, base_url=base_url, model=m, room=0 if r == "embedding" else self.room)
            for r, m in roles.items()
        )
        target = Target(
            name="reference", backend="reference", found="", deployments=deployments, access=Access(key=KEY)
        )
        self._sender = Sender(target, timeout)
        self._threads = ThreadPoolExecutor(THREADS)
        self._rehearsal = Rehearsal(KEY, self._behind)
        scenario.load()
        only = [name.removeprefix("test_") for name in dialect_rows.modules()]
        self.checks = [
            check
            for check in catalogue.load().values()
            if (check.id in dialect_rows.checks(dialect) if dialect else kills.area(check.id) not in only)
            and (kills.area(check.id) == area or not area)
        ]
        every = any("every" in check.scenarios for check in self.checks)
        needed = scenario.with_needs(
            [*steadiness.CONTROLS, *_WITNESSES, *(name for c in self.checks for name in _needed(c))]
        )
        self.recorded: dict[str, Recording] = {}
        self.recorded = self._record(SCENARIOS if every else needed)
        slow = [name for name, recording in self.recorded.items() if _was_stopped(recording)]
        self.recorded |= self._record(slow, one_by_one=True)
        self._asked = {name: _asked(self.recorded, name) for name in self.recorded}
        self.sound = self._results(self.recorded, self._record)

    def close(self) -> None:
        """Send nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._sender.close()
        self._rehearsal.close()

    def flips(self, fault: Fault, among: Collection[str] = ()) -> dict[str, CheckResult]:
        """The results of the checks, or of those `among` them, that end otherwise than without the fault."""
        checks = [check for check in self.checks if not among or check.id in among]
        touched = self.touched(fault)
        touched |= {name for name in self.recorded if touched & set(scenario.with_needs([name]))}
        touched |= {name for name in scenario.with_needs(touched) if self._is_stored(name)}
        again = self._record(touched, fault, one_by_one=fault.concurrent)
        if not _NOT_IN_THE_BODY & set(fault.hooks):
            changed = {name for name, r in again.items() if _signature(r) != _signature(self.recorded[name])}
            # What was made from one another is judged together: an id in one is an id in the other.
            kept = {
                need
                for name in again
                if changed & set(scenario.with_needs([name]))
                for need in scenario.with_needs([name])
            }
            again = {name: r for name, r in again.items() if name in kept}
        flipped = self.judged_again(again, checks)
        for _ in range(RETRIES):
            doubtful = [c for c in self.checks if c.id in flipped and any(map(_timed, c.scenarios))]
            if not doubtful:
                break
            names = {name for check in doubtful for name in _needed(check) if name in again}
            once_more = self.judged_again({**again, **self._record(names, fault)}, doubtful)
            for check in doubtful:
                if check.id not in once_more:
                    del flipped[check.id]
        return flipped

    def touched(self, fault: Fault) -> set[str]:
        """The scenarios whose responses the fault changes, so far as a rehearsal tells."""
        return {name for name in self.recorded if self._touches(fault, name)}

    def outcomes(self, fault: Fault, among: Collection[str] = ()) -> dict[str, str]:
        """The outcomes of the checks, or of those `among` them, that a fault flips."""
        return {check: str(result.outcome) for check, result in self.flips(fault, among).items()}

    def under(self, fault: Fault) -> dict[str, CheckResult]:
        """The result of every check on a server that has the fault from the first request on."""
        record = partial(self._record, fault=fault)
        return self._results(record(SCENARIOS), record)

    def judged_again(self, again: dict[str, Recording], among: Collection[Check] = ()) -> dict[str, CheckResult]:
        """The results of the checks that end otherwise with these recordings in the place of those without a fault."""
        asked = {a for name in again for a in self._asked[name]}
        every = [name for name in self.recorded if name in again or not asked.isdisjoint(self._asked[name])]
        seen = _Seen({**self.recorded, **again}, every, _one_a_shape(again))
        flipped = {}
        for check in among or self.checks:
            if "every" not in check.scenarios and not again.keys() & set(check.scenarios):
                continue
            result = seen.judged(check)
            if result.outcome is not self.sound[check.id].outcome and not _nothing_to_judge(check, result):
                flipped[check.id] = result
        return flipped

    def without(self, asked: str) -> dict[str, CheckResult]:
        """All results on a server that lacks endpoints, as `X-Absent` names them."""
        lacking = {
            name
            for name, recording in self.recorded.items()
            if not recording.exchanges or any(lacks(asked, urlsplit(e.url).path) for e in recording.exchanges)
        }
        lacking |= {name for name in self.recorded if lacking & set(scenario.with_needs([name]))}
        seen = _Seen({**self.recorded, **self._record(lacking, without=asked)})
        return {
            check.id: seen.judged(check)
            if "every" in check.scenarios or lacking & set(check.scenarios)
            else self.sound[check.id]
            for check in self.checks
        }

    def _results(
        self, recordings: dict[str, Recording], record: Callable[[Collection[str]], dict[str, Recording]]
    ) -> dict[str, CheckResult]:
        """Every check's result; what a check of times did not decide, or did not find good, is recorded again."""
        seen = _Seen(recordings)
        results = {c.id: seen.judged(c) for c in self.checks}
        for _ in range(RETRIES):
            doubtful = [c for c in self.checks if any(map(_timed, c.scenarios))]
            doubtful = [c for c in doubtful if not results[c.id].outcome.good and not results[c.id].cause]
            recordings |= record({name for check in doubtful for name in _needed(check)})
            seen = _Seen(recordings)
            results |= {c.id: seen.judged(c) for c in doubtful}
        return results

    def _touches(self, fault: Fault, name: str) -> bool:
        if fault.concurrent and not SCENARIOS[name].together:
            return False
        exchanges = self.recorded[name].exchanges
        if not exchanges:
            return True
        if not any(fault.may_touch(e.request.path, e.request.body) for e in exchanges):
            return False
        if fault.concurrent or _SHOWS_IN_TIME & set(fault.hooks) or (SCENARIOS[name].needs and self._is_stored(name)):
            return True
        sent = [e.request for e in exchanges]
        return any(
            fault.may_touch(e.request.path, e.request.body)
            and self._rehearsal.changes(e.request, e.url, fault, name, sent[:at].count(e.request))
            for at, e in enumerate(exchanges)
        )

    def _is_stored(self, name: str) -> bool:
        """Whether the server keeps the answer for a while: it may be forgotten since all was recorded."""
        return any(area_of(e.request.path) == "responses" for e in self.recorded[name].exchanges)

    def _record(
        self, names: Collection[str], fault: Fault | None = None, *, one_by_one: bool = False, without: str = ""
    ) -> dict[str, Recording]:
        """Send the scenarios, needed ones first, many at a time; those whose times are judged last."""
        chosen = [SCENARIOS[n] for n in scenario.with_needs(SCENARIOS) if n in names]
        source = _UnderWay(self.recorded)
        run = next(_RUNS)
        active = ",".join([*self._behind, *([fault.name] if fault else [])])
        headers = ((("x-fault", active),) if active else ()) + ((("x-absent", without),) if without else ())

        def begin(one: Scenario) -> Future[Recording]:
            chance = ("x-chance", f"{one.name}#{run}")
            return self._threads.submit(self._send, one, source, (*headers, chance))

        for one in chosen:
            if not (one_by_one or _timed(one.name)):
                source.futures[one.name] = begin(one)
        wait(source.futures.values())
        for one in chosen:
            if one.name not in source.futures:
                source.futures[one.name] = begin(one)
                wait([source.futures[one.name]])
        return {name: future.result() for name, future in source.futures.items()}

    def answers(self, name: str) -> object:
        """What a check gets for its parameter `name` without faults."""
        return given(_Source(self.recorded), name)

    def _send(self, one: Scenario, source: Source, headers: tuple[tuple[str, str], ...]) -> Recording:
        """As without the headers: requests that are the same are compared."""
        recording = self._sender.send(one, source, headers)
        for exchange in recording.get("exchanges", []):
            sent = exchange["request"]["headers"]
            exchange["request"]["headers"] = [header for header in sent if tuple(header) not in headers]
        return recording


@lru_cache(maxsize=1 << 14)
def _known_violations(name: str, text: str) -> list[schema.Problem]:
    return schema.violations(json.loads(text), name)


def _violations(instance: object, name: str) -> list[schema.Problem]:
    """As `schema.violations`, which takes most of the gate's time, but once for each value."""
    return _known_violations(name, json.dumps(instance))


_check = schema.check_schema


@lru_cache(maxsize=1 << 10)
def _check_text(text: str) -> str | None:
    return _check(json.loads(text))


def _check_schema(value: object) -> str | None:
    """As `schema.check_schema`, but once for each schema."""
    try:
        return _check_text(json.dumps(value))
    except (TypeError, ValueError, RecursionError):
        return _check(value)


def _one_a_shape(recordings: dict[str, Recording]) -> list[str]:
    """Scenarios whose answers are built differently, one of each kind: the SDKs read values alike, and slowly."""
    kinds: dict[object, str] = {}
    for name, recording in recordings.items():
        kinds.setdefault(_shape(recording), name)
    return list(kinds.values())


_VALUE = re.compile(rb'(?<=:)\s*"(?:[^"\\]|\\.)*"(?=[,}\s])|-?[0-9][0-9.e+-]*')


def _shape(recording: Recording) -> object:
    """Paths, status codes and framing of a recording's answers, and keys and types of their JSON."""
    told = ((e.request.path, e.status, e.error, e.header("content-type"), e.body) for e in recording.exchanges)
    return tuple((*about, frozenset(_VALUE.sub(b"0", body).split(b"\n"))) for *about, body in told)


class _Source:
    def __init__(self, recordings: dict[str, Recording]) -> None:
        self._recordings = recordings

    def recording(self, name: str) -> Recording:
        return self._recordings[name]


class _Seen:
    """Recordings to judge: rules over every exchange judge those of `anew`, the SDKs one of each shape (`few`)."""

    def __init__(
        self, recordings: dict[str, Recording], anew: Collection[str] | None = None, few: Collection[str] | None = None
    ) -> None:
        self._source = _Source(recordings)
        self._all = Recorded(self._source, recordings)
        self._anew = self._all if anew is None else Recorded(self._source, anew)
        self._few = Recorded(self._source, _one_a_shape(recordings) if few is None else few)

    def judged(self, check: Check) -> CheckResult:
        every = self._few if check.id.startswith("sdk_") else self._anew
        known = self._all if check.id.startswith(COMPARING) else None
        return judged(check, partial(recorded, self._source, every, known=known), "reference", self._source)


class _UnderWay:
    """What is being sent now, before what was recorded without a fault."""

    def __init__(self, sound: dict[str, Recording]) -> None:
        self.futures: dict[str, Future[Recording]] = {}
        self._sound = sound

    def recording(self, name: str) -> Recording:
        return self.futures[name].result() if name in self.futures else self._sound[name]


_NOT_IN_THE_BODY = {"headers", "wire", "timing", "events", "raw"}
"""Hooks whose effect may show in headers or times only."""

_SHOWS_IN_TIME = {"timing", "events", "raw"}
"""Hooks whose effect may show only when the response is really sent."""

_MADE_UP = re.compile(rb"[A-Za-z0-9]{20,}")


def _signature(recording: Recording) -> list[Any]:
    """What an answer says, without times, and with its made-up ids numbered: all that differs anyway."""
    return [(e.status, e.error, _numbered(NOW.sub(b"", e.body))) for e in recording.exchanges] or [
        recording.get("unsent", "")
    ]


def _numbered(body: bytes) -> bytes:
    seen: dict[bytes, int] = {}
    return _MADE_UP.sub(lambda found: b"#%d" % seen.setdefault(found[0], len(seen)), body)


def _asked(recordings: dict[str, Recording], name: str) -> set[str]:
    """The requests of a scenario; the same requests of other scenarios are compared with them, plain with streamed."""
    found = answers(_Source(recordings), name)
    if isinstance(found, Missing):
        return set()
    return {a.asked for a in (found if isinstance(found, list) else [found])}


def _timed(name: str) -> bool:
    return name in TIMED


def _was_stopped(recording: Recording) -> bool:
    """Whether a program did not end in time, as on a busy machine."""
    return "program" in recording and recording["program"]["exit_code"] is None


def _needed(check: Check) -> list[str]:
    return scenario.with_needs(name for name in check.scenarios if name in SCENARIOS)


def _nothing_to_judge(check: Check, result: CheckResult) -> bool:
    """Whether a rule over every exchange only found no exchange of its kind among those that were sent again."""
    return "every" in check.scenarios and result.outcome in (Outcome.BLOCKED, Outcome.INCONCLUSIVE)


def _room(base_url: str, behind: tuple[str, ...]) -> int:
    """What `backends.room` measures with this model."""
    run = next(_RUNS)
    with wire.client(TIMEOUT, Access(key=KEY)) as http:

        def ask(request: Request, model: str) -> Exchange:
            request = replace(request, headers=(("x-fault", ",".join(behind)), ("x-chance", f"room#{run}")))
            return wire.send(request, base_url, model=model, http=http)

        return room.measure(ask, ROLES["chat"])


@contextmanager
def bench(area: str = "") -> Iterator[Bench]:
    """A bench of the reference server, for all checks or those of an area."""
    with server() as base_url, closing(Bench(base_url, area=area)) as on:
        yield on


@contextmanager
def server() -> Iterator[str]:
    """Start the reference server, and stop it at the end; meanwhile schemas judge once what looks the same."""
    port = launch.free_port()
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "tests.reference", "--port", str(port), "--api-key", KEY, "--delay", "0"]
        started = launch.start(command, port, Path(directory) / "reference")
        try:
            started.wait_until_healthy("/health", 30)
            with (
                patch.object(shapes, "violations", _violations),
                patch.object(schema, "check_schema", _check_schema),
            ):
                yield started.origin + "/v1"
        finally:
            started.stop()
