"""What every process of a run under pytest does, and what an xdist worker does in addition."""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from backends import bounds, known, redaction
from backends.access import Access
from backends.printable import printable
from backends.process import KEY
from backends.target import Target
from conformance.answers.recording import Source
from conformance.clients import items as clients
from conformance.kit import steadiness
from conformance.kit.every import Every, Recorded
from conformance.outcomes import NotRun, Outcome, Verdict
from conformance.requirements import dialect_rows, profiles
from conformance.requirements.check import Check
from conformance.results import CheckResult
from conformance.run import catalogue, internals
from conformance.run.direct import Direct
from conformance.run.judge import Judge
from conformance.run.options import Options
from conformance.run.recorder import Recorder
from conformance.run.replaying import replayed, target_of
from conformance.run.sending import Budget
from fixtures import scenario


class Run:
    """What every process of a run does: parametrise by target, mark, hand out answers, judge."""

    def __init__(self, config: pytest.Config, asked: Options) -> None:
        bounds.free_memory_early()
        self.config = config
        self.asked = asked
        self.targets: dict[str, Target] = {}
        self.stopped: str | None = None
        """Why nothing can be measured, in one sentence."""
        self.selected = False
        """Whether checks were selected; pytest may complain of `-m` or `-k` instead, and ends its collection anyway."""
        self.notes: list[str] = []
        """What a replayed file lacks, in sentences for the header."""
        self.hidden = redaction.secrets(*asked.secrets, KEY)
        """What nothing that is written or printed may hold."""
        self._judge = Judge(self.hidden)
        self._known: dict[str, list[known.Deviation]] = {}
        self._needed: list[str] = []
        self._first: list[str] = []
        """Of these, those that are sent first if there is a budget."""
        self._budget: Budget | None = None
        self._quick = asked.profile == "core" or asked.budget is not None
        """Whether core checks come first, or alone."""
        self.reference = clients.Reference()
        self.direct: Direct | None = None
        """The server behind a gateway, asked without it."""
        self._sources: dict[str, Source] = {}
        self._responses: dict[str, Recorded] = {}
        self._turns: dict[str, int] = {}
        """By target, the number of the slot that this process shares with others, where there are fewer than these."""

    # Answers

    @property
    def _in_dialects(self) -> bool:
        """Whether the run measures notations, each with a server of its own."""
        return any(one.dialect for one in self.asked.wanted)

    def source(self, target: str) -> Source:
        """Where the answers of a target come from."""
        if self.stopped is not None:
            raise NotRun(self.stopped)
        return self._sources[target]

    def every(self, target: str) -> Every:
        """The answers to all scenarios that the selected checks need, or to all there are."""
        source = self.source(target)
        if target not in self._responses:
            self._responses[target] = Recorded(source, scenario.with_needs(self._needed or scenario.SCENARIOS))
        return Every.of_recorded(self._responses[target])

    def _record(self, directory: Path, on_wait: Callable[[str, float], None] | None = None) -> None:
        if self.asked.upstream:
            self.direct = Direct(self.reference.target, directory, self.asked.timeout, self._needed)
        last: dict[str, Recorder] = {}
        for name, target in self.targets.items():
            addresses = {d.base_url for d in target.deployments}
            after = next((last[address] for address in addresses if address in last), None)
            sharing = [one for one in self.targets.values() if addresses & {d.base_url for d in one.deployments}]
            recorder = Recorder(
                target,
                directory,
                timeout=self.asked.timeout,
                on_wait=on_wait,
                after=after,
                turn=self._turns.get(name),
                budget=self._budget and self._budget.part(sharing.index(target) + 1, len(sharing)),
            )
            self._sources[name] = recorder  # Before it sends anything: an interrupt from here on closes it.
            recorder.prefetch(*([self._first] if self._budget else []), self._needed)
            last |= dict.fromkeys(addresses, recorder)

    def _replay(self, path: Path) -> None:
        """Take targets and exchanges from old results; note what these lack. Raises BadResults."""
        targets, sources, self.notes = replayed(path)
        self.targets |= targets
        self._sources |= sources

    # Requirements

    @cached_property
    def checks(self) -> dict[str, Check]:
        """Every check by its id, as the run's revision of requirements has it."""
        by = self.asked.requirements
        return {id: by.of(one) if by else one for id, one in catalogue.load().items()}

    def check_of(self, item: pytest.Item) -> Check | None:
        """The check of an item; None for any other test."""
        found: Check | None = getattr(getattr(item, "function", None), "check", None)
        return self.asked.requirements.of(found) if found and self.asked.requirements else found

    def _id_of(self, item: pytest.Item) -> str:
        found = self.check_of(item)
        return found.id if found else ""

    @cached_property
    def _dialects(self) -> dict[str, str]:
        """The dialect of each target that has one, also of those that are replayed."""
        asked = {one.name: one.dialect for one in self.asked.wanted if one.dialect}
        return asked | {
            name: str(one.details["dialect"]) for name, one in self.targets.items() if "dialect" in one.details
        }

    def _suits_dialect(self, item: pytest.Item) -> bool:
        """Whether the check of an item is for its target: in a dialect, only what a notation can change is judged."""
        if not hasattr(item, "callspec") or "target" not in item.callspec.params:
            return True
        dialect = self._dialects.get(item.callspec.params["target"])
        if dialect:
            return self._id_of(item) in dialect_rows.checks(dialect)
        return item.path.stem not in dialect_rows.modules()

    # Collection

    def pytest_ignore_collect(self, collection_path: Path) -> bool | None:
        """The checks that only a run with `--dialect` has, or its replay."""
        usual = not self.asked.replay and not self._in_dialects
        return True if usual and collection_path.stem in dialect_rows.modules() else None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if hasattr(metafunc.function, "check"):
            metafunc.fixturenames.insert(0, "target")
            names = list(self.targets) or [w.name for w in self.asked.wanted]
            metafunc.parametrize("target", names, scope="session")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, session: pytest.Session, items: list[pytest.Item]
    ) -> Generator[None, None, None]:
        for item in items:
            if found := self.check_of(item):
                item.add_marker(found.level.lower())
                item.add_marker(found.feature)
        if others := [item for item in items if not self._suits_dialect(item)]:
            self.config.hook.pytest_deselected(items=others)
            items[:] = [item for item in items if item not in set(others)]
        items.sort(key=_when_answers_are_there)
        if self._quick:
            core = profiles.core(self.checks.values())
            first = [item for item in items if (found := self.check_of(item)) and found.id in core]
            others = [item for item in items if (found := self.check_of(item)) and found.id not in core]
            self._first = scenarios_of(filter(None, map(self.check_of, first)))
            items[:] = first if self.asked.profile == "core" else first + others
            self.config.hook.pytest_deselected(items=others if self.asked.profile == "core" else [])
        names = list(self.targets) or [wanted.name for wanted in self.asked.wanted]
        items += clients.collect(session, self.asked.clients, names, self)
        yield
        self.selected = True

    def _select(self, items: list[pytest.Item]) -> list[Check]:
        """The selected checks, each once; remembers which scenarios they need."""
        checks = list({c.id: c for item in items if (c := self.check_of(item))}.values())
        self._needed = scenarios_of(checks)
        # A quick run sends them when they are needed.
        if not self._quick and any(map(steadiness.is_used_by, checks)):
            self._needed += steadiness.CONTROLS
        if any("every" in c.scenarios for c in checks) and not self._needed:
            self._needed = list(scenario.SCENARIOS)
        gc.freeze()  # Modules and checks stay until the end: searching them for garbage again and again takes seconds.
        return checks

    # Judging

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, Any, Any]:
        self._judge.begin()
        return (yield)

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        self._judge.compared(op, left, right)

    def pytest_assertion_pass(self, item: pytest.Item, orig: str, expl: str) -> None:
        if self.check_of(item):
            self._judge.held(orig, expl)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        found, problem = self.check_of(item), call.excinfo
        if isinstance(item, clients.ClientItem) and call.when == "call":
            return clients.report_of(item, (yield))
        if found is None or (call.when != "call" and not problem):
            return (yield)
        judged = problem and isinstance(problem.value, Verdict | AssertionError)
        with internals.without_traceback(call) if judged else nullcontext():
            report = yield
        given = getattr(item, "funcargs", {})
        result = self._judge.result(
            found,
            target=item.callspec.params["target"],  # type: ignore[attr-defined]
            problem=problem.value if problem else None,
            arguments={name: given.get(name) for name in found.scenarios},
            duration=call.duration,
            source=self._sources.get(item.callspec.params["target"]),  # type: ignore[attr-defined]
        )
        if self.direct:
            result = self.direct.settle(found, result)
        result = replace(result, known=self._overlay(result))
        outcome = result.outcome
        report.when = "call"
        report.outcome = "passed" if outcome.good else "failed" if outcome.bad else "skipped"
        if result.later and outcome.bad:
            report.outcome = "skipped"
        if result.known:
            report.outcome = "skipped" if result.known == "known" else "failed"
        report.conformance = result.to_json()  # type: ignore[attr-defined]
        if outcome is not Outcome.ERROR:
            said = printable(result.message)
            text = f"{(result.known or outcome).upper()} {found.id}: {found.requirement}\n{said}"
            report.longrepr = None if report.passed else (str(item.path), 0, text) if report.skipped else text
        else:
            report.longrepr = "\n".join(map(self._judge.printable, str(report.longrepr).splitlines()))
        return report

    def _overlay(self, result: CheckResult) -> str | None:
        """With `--known`: whether the outcome is a listed deviation, or one that is listed and no longer there."""
        target = self.targets.get(result.target)
        if not self.asked.known or target is None:
            return None
        if target.backend not in self._known:
            self._known[target.backend] = known.load(target.backend, self.checks, self.asked.known_file)
        listed = self._known[target.backend]
        return known.overlay(listed, result.id, result.outcome, target.version, target.code_path)


class WorkerRun(Run):
    """An xdist worker: it is told the targets, and shares recordings with the others through a directory."""

    def __init__(self, config: pytest.Config, asked: Options, told: dict[str, Any]) -> None:
        super().__init__(config, asked)
        self.stopped = told["stopped"]
        self._budget = Budget(*told["budget"]) if told.get("budget") else None
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        self._shared = Path(told["shared"])
        if asked.replay:
            self._replay(asked.replay)
            return
        workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
        for data in told["targets"]:
            name = data["name"]
            slots = max(1, told["slots"][name] // workers)
            if told["slots"][name] < workers:
                number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
                self._turns[name] = number % told["slots"][name]
            logs = {role: Path(log) for role, log in told["logs"][name].items()}
            self.targets[name] = target_of(data, access=Access.from_json(told["access"][name]), logs=logs, slots=slots)

    def pytest_unconfigure(self) -> None:
        self.reference.stop()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._select(session.items)
        if self.selected and not self.stopped and not self.asked.replay:
            self._record(self._shared)


def _end_with(starter: int) -> None:
    """End this process soon after the one that started it, which may be killed while this one waits for a server."""
    while os.getppid() == starter:
        time.sleep(0.5)
    os._exit(1)


def _when_answers_are_there(item: pytest.Item) -> int:
    """The checks of programs come late, then those of scenarios that run alone, and those that judge all exchanges."""
    names = getattr(item, "fixturenames", ())
    if "every" in names:
        return 3
    of = [name for name in names if name in scenario.SCENARIOS]
    if any(map(scenario.runs_alone, of)):
        return 2
    return int(any(scenario.SCENARIOS[name].starts_program for name in of))


def scenarios_of(checks: Iterable[Check]) -> list[str]:
    """The scenarios that are parameters of checks."""
    return [name for check in checks for name in check.scenarios if name in scenario.SCENARIOS]
