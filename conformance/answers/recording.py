"""What was recorded of a target: from this run, or from an old results file."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from backends import wire
from backends.bounds import Spare
from backends.program import Ended, Program
from backends.target import Target
from backends.wire import Exchange
from conformance.answers import Answer, Missing, view
from conformance.answers.ran import Ran
from conformance.outcomes import Verdict
from fixtures.scenario import SCENARIOS, Built, Scenario

LARGE = 1 << 20
"""Bytes of a recording's file from which it is not kept in memory."""

IN_MEMORY = 16 << 20
"""Bytes of all files together whose recordings a process keeps in memory.

Parsed recordings take up to ten times as much; the files of a normal run have 6 MB.
"""


class Line(NamedTuple):
    """What an exchange was about, without its bodies."""

    method: str
    path: str
    """Without the query."""
    status: int | None


class Recording(dict[str, Any]):
    """The record of a scenario: its `exchanges` (as JSON), and how a `program` ended; or why it was `unsent`.

    `log` is what a server that we started wrote to its log meanwhile, for all of its clients. `again` says why requests
    were sent again, `lost` why there is nothing to judge although requests were sent, and `fatal` that the server
    stopped answering all clients during this scenario.
    """

    @cached_property
    def exchanges(self) -> list[Exchange]:
        return [Exchange.from_json(e) for e in self.get("exchanges", [])]

    @cached_property
    def lines(self) -> list[Line]:
        """What the exchanges were about; known without reading their bodies."""
        return [
            Line(e["request"]["method"], e["request"]["path"].partition("?")[0], e["response"]["status"])
            for e in self.get("exchanges", [])
        ]

    def answers(self, scenario: Scenario) -> Answer | list[Answer] | Missing:
        """The same with words to read it; made once, so that each body is parsed once and not by every check."""
        if self._answers is None:
            self._answers = self._read(scenario)
        return self._answers

    _answers: Answer | list[Answer] | Missing | None = None

    def _read(self, scenario: Scenario) -> Answer | list[Answer] | Missing:
        if self.get("broken"):
            raise RuntimeError(self["unsent"])
        if "lost" in self:
            return Missing(scenario.name, f"{scenario.name}: {self['lost']}", blocked=True)
        if not self.exchanges and "program" not in self:
            return Missing(
                scenario.name, self.get("unsent", "the recording has no exchange"), blocked=self.get("blocked", False)
            )
        read = [
            view(e.request.path)(scenario.name if self["single"] else f"{scenario.name}[{number}]", e, scenario.control)
            for number, e in enumerate(self.exchanges, start=1)
        ]
        if "program" in self:
            return Ran(scenario.name, read, Ended.from_json(self["program"]))
        return read[0] if self["single"] else read


class OnDisk(Recording):
    """A recording whose exchanges are read whenever they are needed, so that large ones do not add up in memory."""

    def __init__(self, recording: Recording, read: Callable[[], Recording]) -> None:
        super().__init__({key: value for key, value in recording.items() if key not in ("exchanges", "log")})
        self.lines = recording.lines
        self._recording = read

    @property
    def exchanges(self) -> list[Exchange]:
        return self._recording().exchanges

    def answers(self, scenario: Scenario) -> Answer | list[Answer] | Missing:
        return self._recording().answers(scenario)


class Source(Protocol):
    """Where answers come from: a live target, or an old recording."""

    def recording(self, name: str) -> Recording:
        """The recording of a scenario; waits until there is one."""
        ...


class Replay:
    """The exchanges of an old results file whose requests are the same as today."""

    def __init__(self, recordings: Mapping[str, Recording], target: Target) -> None:
        self._recordings = recordings
        self._target = target
        self._found: dict[str, Recording] = {}
        self._memory = Spare(IN_MEMORY)

    def recording(self, name: str) -> Recording:
        """The recording of a scenario, or one that says why there is none."""
        if name not in self._found:
            found = self._find(name)
            size = sum(len(exchange.body) for exchange in found.exchanges)
            held = size <= LARGE and self._memory.take(size)
            self._found[name] = found if held else OnDisk(found, lambda: self._recordings[name])
        return self._found[name]

    def _find(self, name: str) -> Recording:
        """A scenario of the same name may have a different request today; then the recorded response is not judged."""
        kept = self._recordings.get(name)
        if kept is None:
            return Recording(unsent="the recording lacks an exchange that the check needs")
        if "exchanges" not in kept or "lost" in kept:
            return kept
        scenario = SCENARIOS[name]
        try:
            built = scenario.build(*(answers(self, needed) for needed in scenario.needs))
        except Verdict as problem:
            return Recording(unsent=f"{name} needs a response that is missing: {problem}", blocked=True)
        except Exception as problem:
            return Recording(unsent=f"a defect of the suite: could not build {name}: {problem!r}", broken=True)
        if self._is_of(built, kept, draws=scenario.draws):
            return kept
        return Recording(unsent="the suite has changed a request that the check needs since it was recorded")

    def _is_of(self, built: Built, kept: Recording, *, draws: bool) -> bool:
        """Whether a recording is of what a scenario has built."""
        if isinstance(built, Program):
            then = {"sha256": built.sha256, **kept.get("program", {})}  # Recordings of earlier suites have none.
            asked = {"file": built.file.name, "changes": list(map(list, built.changes)), "sha256": built.sha256}
            return asked.items() <= then.items()
        requests = built if isinstance(built, list) else [built]
        deployment = self._target.asked(requests[0].role, requests[0].method)
        if deployment is None or "program" in kept or kept["single"] == isinstance(built, list):
            return False
        today = [request.with_model(deployment.model, deployment.room) for request in requests]
        return len(today) == len(kept.exchanges) and all(
            _same(now, exchange.request, draws=draws) for now, exchange in zip(today, kept.exchanges, strict=True)
        )


def _same(today: wire.Request, then: wire.Request, *, draws: bool) -> bool:
    """Whether two requests are the same.

    The order of keys counts only inside of parameters; seeds of `draws` do not count.
    """

    def asked(request: wire.Request) -> str:
        sent = Exchange(request=request).to_json()["request"]
        if isinstance(request.body, dict):
            sent["body"] = sorted(item for item in request.body.items() if not (draws and item[0] == "seed"))
        return json.dumps({**sent, "role": None, "headers": None, "room": None})

    def same_header(now: tuple[str, str], old: tuple[str, str]) -> bool:
        return now == old or (now[0], wire.REDACTED) == old

    return asked(today) == asked(then) and (
        len(today.headers) == len(then.headers) and all(map(same_header, today.headers, then.headers))
    )


def answers(source: Source, name: str) -> Answer | list[Answer] | Missing:
    """What a check's parameter `name` stands for: the scenario's answer, or its answers if it has several requests."""
    found = source.recording(name).answers(SCENARIOS[name])
    if isinstance(found, list) and SCENARIOS[name].draws:
        readable = [answer for answer in found if answer.readable]
        return readable if len(readable) > 1 else found
    return found
