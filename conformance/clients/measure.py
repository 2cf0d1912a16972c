"""One task of a client with a target: run, judged, compared with the reference, and its cause proved by repair."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from backends import find, wire
from backends.errors import CannotMeasure
from backends.printable import printable
from backends.target import Running, Target, Wanted
from conformance.clients import install, repairs
from conformance.clients.data import Row
from conformance.clients.judging import Judged, judge, settle
from conformance.clients.repairs import Repair
from conformance.clients.running import Change, Did, recorded, run
from conformance.clients.turns import turns
from conformance.outcomes import Outcome
from conformance.results.clients import ClientResult

REFERENCE = "reference"
"""The backend that is correct; it is only in a clone."""

LONGEST = 2000
"""Characters of a message."""

COUNTS = (Outcome.FAIL, Outcome.IGNORED, Outcome.REJECTED, Outcome.TIMEOUT)
"""Outcomes that count against the server, so that the reference is asked."""

Run = Callable[[Row, str, Target, Change | None], Did]


@dataclass
class Reference:
    """The reference, started when it is first needed, and what clients did with it."""

    why_none: str = ""
    _running: Running | None = None
    _did: dict[tuple[str, str, bool], Judged] = field(default_factory=dict)

    def judged(self, row: Row, task: str, forced: Change | None, runs: Run) -> Judged | None:
        """What the same client does there; None if there is no reference, and `why_none` says why."""
        target = self.target()
        if target is None:
            return None
        key = (row.id, task, forced is not None)
        if key not in self._did:
            self._did[key] = judge(task, runs(row, task, target, forced), row.client.tool)
        return self._did[key]

    def stop(self) -> None:
        """Stop it, if it was started."""
        if self._running:
            self._running.stop()

    def target(self) -> Target | None:
        """The reference; None if there is none, and `why_none` says why."""
        if self._running is None and not self.why_none:
            try:
                if REFERENCE not in find.backends():
                    raise CannotMeasure("it is only in a clone of the suite, with `.[test]`: run the clients there")
                self._running = find.run(Wanted(backend=REFERENCE))
            except CannotMeasure as problem:
                self.why_none = str(problem)
        return self._running.target if self._running else None


def run_on(row: Row, task: str, target: Target, change: Change | None, timeout: float = 60.0) -> Did:
    """Run a task of an installed client against the chat model of a target."""
    at = target.deployment("chat")
    assert at is not None
    with wire.client(timeout, target.access) as http:
        did = run(row, task, at.base_url, model=at.model, http=http, change=change)
    return replace(did, exchanges=tuple(repairs.as_received(e, change) for e in did.exchanges))


def unmeasured(row: Row, task: str, target: str) -> ClientResult:
    """The result of a task that was not measured."""
    client = row.client
    which: dict[str, Any] = {"client": client.name, "title": client.title, "version": client.version, "api": row.api}
    return ClientResult(**which, task=task, target=target, outcome=Outcome.BLOCKED)


def measure(
    row: Row, task: str, target: Target, reference: Reference, runs: Run = run_on, lacking: str | None = None
) -> tuple[ClientResult, dict[str, Any]]:
    """The result, and the exchanges as a results file has them, those of the first run that was judged.

    `lacking` says why the client cannot run; None: look.
    """
    result = unmeasured(row, task, target.name)
    why = install.lacking(row.client) if lacking is None else lacking
    if not why and target.deployment("chat") is None:
        why = target.missing.get("chat", "no chat model")
    if why:
        return replace(result, message=why), {"unsent": why, "blocked": True}
    force = None
    did = runs(row, task, target, None)
    judged = judge(task, did, row.client.tool)
    if judged.forceable and (force := forcing(row, did)):
        did = runs(row, task, target, force)
        judged = judge(task, did, row.client.tool)
        if judged.forceable:
            judged = replace(judged, message=f"{judged.message}, not even with `tool_choice: required`")
    proved: list[Repair] = []
    if judged.outcome in COUNTS and judged.outcome is not Outcome.TIMEOUT:
        again = judge(task, runs(row, task, target, force), row.client.tool)
        if again.outcome not in COUNTS:
            why = f"a second run ended otherwise ({again.outcome}); the first: {judged.message}"
            judged = Judged(outcome=Outcome.INCONCLUSIVE, message=why)
    if judged.outcome in COUNTS:
        judged = settle(judged, reference.judged(row, task, force, runs), reference.why_none)
    if judged.outcome in COUNTS and judged.outcome is not Outcome.TIMEOUT:
        proved = _needed(row, task, target, did, force, runs)
    result = replace(
        result, outcome=judged.outcome, message=printable(judged.message)[:LONGEST], requests=len(did.exchanges),
        seconds=did.seconds,
        forced=force is not None,
    )  # fmt: skip
    if proved:
        cause = " and ".join(one.sentence for one in proved)
        result = replace(result, cause=f"works once {cause}", checks=[one.check for one in proved])
    elif judged.outcome is not Outcome.BLOCKED:
        result = replace(result, checks=list(judged.checks))
    return result, recorded(row, task, did)


def forcing(row: Row, did: Did) -> Change | None:
    """Make the model call a tool: one is offered, and it is required. None for a client whose tool could do harm."""
    offered = [name for turn in turns(did.exchanges) for name in turn.tools]
    kept = row.client.tool or next(iter(offered), "")
    if kept not in offered or (row.client.prompt and not row.client.harmless):
        return None

    def request(body: dict[str, Any]) -> dict[str, Any]:
        tools = [one for one in body.get("tools") or () if one.get("function", one).get("name") == kept]
        history = [*(body.get("messages") or ()), *(i for i in body.get("input") or () if isinstance(i, dict))]
        done = any(one.get("role") == "tool" or one.get("type") == "function_call_output" for one in history)
        return body if done or not tools else {**body, "tools": tools, "tool_choice": "required"}

    return Change(says=f"`tool_choice: required`, with `{kept}` alone", request=request)


def _needed(row: Row, task: str, target: Target, did: Did, force: Change | None, runs: Run) -> list[Repair]:
    """The repairs with which the client does its task, none of which can be left out; empty if none helps.

    What a repaired run meets that the failed one did not reach is mended, too. Each is tried twice: what the model
    writes may be the reason once.
    """

    def done(some: list[Repair]) -> Did:
        did = runs(row, task, target, repairs.change(some, after=force))
        # The model may call a tool in one run, and none in the next.
        if judge(task, did, row.client.tool).forceable and (forced := force or forcing(row, did)):
            return runs(row, task, target, repairs.change(some, after=forced))
        return did

    def works(did: Did) -> bool:
        return judge(task, did, row.client.tool).outcome.good

    needed: list[Repair] = []
    while more := [one for one in repairs.fitting(did.exchanges) if one not in needed]:
        needed = [*needed, *more]
        if works(did := done(needed)) or works(did := done(needed)):
            break
    else:
        return []
    for one in list(needed):
        rest = [other for other in needed if other is not one]
        if rest and (works(done(rest)) or works(done(rest))):
            needed = rest
    return needed
