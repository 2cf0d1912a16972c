"""The gate: the reference passes every check, every fault is caught, and flips the declared checks and no others.

    python -m tests.reference.gate [FAULT ...]     print what each fault flips, in the form of kills.toml

All scenarios are recorded once without a fault. For a fault, the scenarios of the areas that it can touch are sent again with
its name in a header, and those that need them; what did not change is not judged again.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backends import launch, wire
from backends.wire import Exchange, Request
from conformance import catalogue
from conformance.answers import Answer, Missing
from conformance.check import Check
from conformance.every import Every
from conformance.judge import Judge
from conformance.outcomes import Outcome, Verdict
from conformance.recording import Recording, answers
from conformance.results import CheckResult
from fixtures import scenario
from fixtures.scenario import SCENARIOS, Scenario
from tests.reference.fault import Fault
from tests.reference.faults import FAULTS

KILLS = Path(__file__).parent / "kills.toml"
"""The declared kill matrix: for each fault the checks that it flips, and to which outcome."""

MODELS = {"chat": "reference", "vision": "reference", "embedding": "reference-embedding"}
THREADS = 8
TIMEOUT = 20.0
"""Seconds for one answer of the reference; it needs milliseconds."""


def kills() -> dict[str, dict[str, str]]:
    """The declared kill matrix."""
    return tomllib.loads(KILLS.read_text()) if KILLS.exists() else {}


class Bench:
    """A running reference server, with every scenario recorded on it, and every check's verdict."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._http = wire.client(TIMEOUT)
        self._threads = ThreadPoolExecutor(THREADS)
        self._together = ThreadPoolExecutor(16)
        scenario.load()
        self.checks = list(catalogue.load().values())
        self._sound: dict[str, Recording] = {}
        self._sound = self._record(scenario.with_needs(SCENARIOS), None)
        self.sound = {c.id: self._judged(c, self._sound, self._sound) for c in self.checks}

    def flips(self, fault: Fault) -> dict[str, CheckResult]:
        """The results of the checks that end otherwise than without the fault."""
        touched = {name for name in SCENARIOS if self._touches(fault, name)}
        touched |= {name for name in SCENARIOS if touched & set(scenario.with_needs([name]))}
        again = self._record([n for n in scenario.with_needs(SCENARIOS) if n in touched], fault.name)
        recordings = {**self._sound, **again}
        flipped = {}
        for check in self.checks:
            if "every" not in check.scenarios and not touched & set(check.scenarios):
                continue
            result = self._judged(check, recordings, again)
            if result.outcome is not self.sound[check.id].outcome and not _nothing_to_judge(check, result):
                flipped[check.id] = result
        return flipped

    def _touches(self, fault: Fault, name: str) -> bool:
        sent = [e.request for e in self._sound[name].exchanges]
        return not sent or any(
            fault.may_touch(r.path, isinstance(r.body, dict) and r.body.get("stream") is True) for r in sent
        )

    def _record(self, names: Iterable[str], fault: str | None) -> dict[str, Recording]:
        """Send the scenarios, needed ones first, many at a time; those that run alone last."""
        done: dict[str, Recording] = {}
        waiting = [SCENARIOS[n] for n in names]
        while waiting:
            source = _Source({**self._sound, **done})
            ready = [s for s in waiting if not s.alone and all(n in done or not _among(n, waiting) for n in s.needs)]
            if ready:
                sent = list(self._threads.map(lambda s: self._send(s, source, fault), ready))
            else:
                ready = [next(s for s in waiting if not any(_among(n, waiting) for n in s.needs))]
                sent = [self._send(ready[0], source, fault)]
            done.update({s.name: recording for s, recording in zip(ready, sent, strict=True)})
            waiting = [s for s in waiting if s.name not in done]
        return done

    def _send(self, one: Scenario, source: _Source, fault: str | None) -> Recording:
        try:
            built = one.build(*(answers(source, needed) for needed in one.needs))
        except Verdict as problem:
            return Recording(unsent=str(problem), blocked=True)
        requests = built if isinstance(built, list) else [built]

        def send(request: Request) -> dict[str, Any]:
            headers = (*request.headers, ("x-fault", fault)) if fault else request.headers
            faulty = Request(**{**request.__dict__, "headers": headers})
            exchange = wire.send(faulty, self._base_url, model=MODELS[request.role], http=self._http)
            return Exchange(**{**exchange.__dict__, "request": request.with_model(MODELS[request.role])}).to_json()

        exchanges = list(self._together.map(send, requests) if one.together else map(send, requests))
        return Recording(exchanges=exchanges, single=not isinstance(built, list))

    def _judged(self, check: Check, recordings: dict[str, Recording], anew: dict[str, Recording]) -> CheckResult:
        source = _Source(recordings)
        judge = Judge()
        judge.begin()
        arguments: dict[str, Any] = {}
        problem: Exception | None = None
        try:
            for name in check.scenarios:
                arguments[name] = Every(list(_all(source, anew))) if name == "every" else answers(source, name)
            check.function(**arguments)
        except Exception as raised:
            problem = raised
        return judge.result(
            check, target="reference", problem=problem, explanation=str(problem), arguments=arguments, duration=0
        )


class _Source:
    def __init__(self, recordings: dict[str, Recording]) -> None:
        self._recordings = recordings

    def recording(self, name: str) -> Recording:
        return self._recordings[name]


def _among(name: str, waiting: list[Scenario]) -> bool:
    return any(s.name == name for s in waiting)


def _all(source: _Source, names: Iterable[str]) -> Iterator[Answer]:
    for name in names:
        got = answers(source, name)
        if not isinstance(got, Missing):
            yield from got if isinstance(got, list) else [got]


def _nothing_to_judge(check: Check, result: CheckResult) -> bool:
    """Whether a rule over every exchange only found no exchange of its kind among those that were sent again."""
    return "every" in check.scenarios and result.outcome is Outcome.BLOCKED


@contextmanager
def bench() -> Iterator[Bench]:
    """Start the reference server, and stop it at the end."""
    port = launch.free_port()
    log = Path("/tmp") / f"reference-{port}.log"
    server = launch.start([sys.executable, "-m", "tests.reference", "--port", str(port)], port, log)
    try:
        server.wait_until_healthy("/health", 30)
        yield Bench(server.origin + "/v1")
    finally:
        server.stop()
        log.unlink(missing_ok=True)


def main(names: list[str]) -> None:
    """Print what faults flip, as TOML; what the reference itself does not pass comes first, as comments."""
    with bench() as on:
        for check_id, result in on.sound.items():
            if result.outcome is not Outcome.PASS:
                print(f"# NOT SOUND {check_id}: {result.outcome} {result.message}")
        for fault in [FAULTS[n] for n in names] if names else FAULTS.values():
            print(f"\n# {fault.sentence}\n[{fault.name}]")
            for check_id, result in on.flips(fault).items():
                print(f'"{check_id}" = "{result.outcome}"  # {result.message.splitlines()[0][:100]}')


if __name__ == "__main__":
    main(sys.argv[1:])
