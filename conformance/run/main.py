"""The process that the user started: it finds the targets, records, and writes the results."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shlex
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends import find, known, redaction, scratch, suite, upstream
from backends.errors import CannotMeasure, CannotStart, CannotWrite, NoReader, Unreachable
from backends.printable import printable
from backends.target import Running, Target, Wanted
from backends.wire import Role
from conformance import results
from conformance.gateways import compare
from conformance.kit import steadiness
from conformance.outcomes import Outcome
from conformance.requirements import profiles, revisions
from conformance.requirements.check import Check
from conformance.results import CheckResult
from conformance.run import catalogue, ending, internals
from conformance.run.direct import Direct
from conformance.run.options import Options, shown
from conformance.run.process import Run, scenarios_of
from conformance.run.progress import Progress
from conformance.run.recorder import Recorder
from conformance.run.sending import Budget
from conformance.run.writing import ResultsFile
from fixtures import scenario

SHOWN: dict[Outcome, tuple[str, str, str]] = {
    Outcome.PASS: ("passed", ".", "green"),
    Outcome.LENIENT: ("lenient", "l", "green"),
    Outcome.FAIL: ("fail", "F", "red"),
    Outcome.IGNORED: ("ignored", "I", "purple"),
    Outcome.REJECTED: ("rejected", "r", "yellow"),
    Outcome.INCONCLUSIVE: ("inconclusive", "?", "yellow"),
    Outcome.BLOCKED: ("blocked", "b", "yellow"),
    Outcome.TIMEOUT: ("timeout", "T", "red"),
    Outcome.ERROR: ("error", "E", "red"),
    Outcome.NOT_RUN: ("not-run", "-", "yellow"),
}
"""How pytest shows an outcome: its word in the last line, its letter, its colour."""

SHOWN_KNOWN = {"known": ("known", "k", "yellow"), "stale": ("stale", "S", "red")}
"""How it shows one that `--known` knows of."""


class MainRun(Run):
    """The process that the user started: it finds the targets and writes the results."""

    def __init__(self, config: pytest.Config, asked: Options) -> None:
        super().__init__(config, asked)
        self._results = ResultsFile(self._recorded)
        self._arrived_before = 0
        self._started = time.monotonic()
        scratch.clear()
        self._shared = scratch.make()
        self._exit_code = 0
        self._running: list[Running] = []
        self._upstream: upstream.Upstream | None = None
        self._progress: Progress | None = None
        self._has_workers = internals.has_workers(config)
        if not config.option.collectonly:
            self._make_report_directory()

    @property
    def results_file(self) -> Path:
        """Where the results are written."""
        return self.asked.report / "results.jsonl"

    @property
    def has_results(self) -> bool:
        """Whether this run wrote that file, and not an earlier one with the same --report."""
        return self._results.begun

    # Beginning

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionstart(self) -> Generator[None, None, None]:
        if not self.config.option.collectonly:
            self._find_targets()
        try:
            yield
        except EOFError:  # As xdist says it.
            pytest.exit(
                "a worker process ended before it began; run again, or without -n.", pytest.ExitCode.INTERNAL_ERROR
            )

    def _find_targets(self) -> None:
        try:
            if self.asked.replay:
                self._replay(self.asked.replay)
            if self.asked.known:
                named = self.targets.values() or self.asked.wanted
                self._known = {
                    one.backend: known.load(one.backend, self.checks, self.asked.known_file) for one in named
                }
            if not self.asked.replay and not self._in_dialects:
                for wanted in self.asked.wanted:
                    self._begin_upstream(wanted)
                    self._running.append(find.run(replace(wanted, say=self._say)))
                    for target in (self._running[-1].target, *self._running[-1].others):
                        self.targets[target.name] = self._before_upstream(target)
            if not self.asked.replay and self.asked.budget:
                end = time.monotonic() + self.asked.budget
                self._budget = Budget(self.config.getoption("--budget"), self.asked.budget, end)
        except known.BadKnown as problem:
            raise pytest.UsageError(f"--known: {problem}") from None
        except CannotMeasure as problem:
            self._stop(problem)
        except results.BadResults as problem:
            raise pytest.UsageError(f"--replay: {problem}") from None

    def _stop(self, problem: CannotMeasure) -> None:
        self.stopped, self._exit_code = redaction.text(str(problem), self.hidden), problem.exit_code

    def _begin_upstream(self, gateway: Wanted) -> None:
        """With --upstream: start the reference, say where it is, and wait for the gateway. Raises CannotMeasure."""
        if self.asked.upstream and gateway.base_url:
            self._upstream = upstream.start(self.asked.upstream, gateway.access.key)
            self._say(upstream.how_to_configure(self._upstream, gateway.base_url))
            upstream.await_gateway(gateway, self._upstream, self._say)

    def _before_upstream(self, target: Target) -> Target:
        if self._upstream is None:
            return target
        target = upstream.must_be_behind(target, self._upstream)
        self._arrived_before = len(self._upstream.read())
        return target

    def _make_report_directory(self) -> None:
        """The directory that --report names, else a new one, because another run may begin in the same second."""
        named, number = self.asked.report, 1
        try:
            named.parent.mkdir(parents=True, exist_ok=True)
            while True:
                try:
                    self.asked.report.mkdir(exist_ok=bool(self.config.getoption("--report")))
                    break
                except FileExistsError:
                    if self.config.getoption("--report"):
                        raise
                    number += 1
                    self.asked = replace(self.asked, report=named.with_name(f"{named.name}-{number}"))
            with tempfile.TemporaryFile(dir=self.asked.report):
                pass
        except OSError as problem:
            raise pytest.UsageError(
                f"--report {self.asked.report}: cannot write there ({problem.strerror}); name another directory."
            ) from None

    def pytest_report_header(self) -> list[str]:
        if self.stopped:
            return []  # It is said once, at the end, which -q shows, too.
        lines = [*self.notes, f"requirements: {self._requirements()}"]
        for target in self.targets.values():
            lines.append(f"measuring: {target.name} {target.version or '(version unknown)'}, {target.found}")
            lines.append("models: " + ", ".join(f"{d.model} ({d.role})" for d in target.deployments))
            lines += [
                f"assumed: {d.model} writes up to {d.room} tokens besides its answer (reasoning or other text); "
                "`max_tokens` is raised by this number"
                for d in target.deployments
                if d.room
            ]
            if "roles" in target.details:
                lines.append(f"chosen: {target.details['roles']}")
            lines += [f"no {role} model: {why}" for role, why in target.missing.items()]
            if "warning" in target.details:
                lines.append(f"warning: {target.details['warning']}")
            if self.asked.known:
                listed = self._known[target.backend]
                lines.append(f"known: {known.scope(listed, self._listed_in(target), target.version, target.code_path)}")
        return [self._judge.printable(line) for line in lines]

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker what this process found out."""
        node.workerinput["conformance"] = {
            "shared": str(self._shared),
            "stopped": self.stopped,
            "budget": dataclasses.astuple(self._budget) if self._budget else None,
            "slots": {t.name: t.slots for t in self.targets.values()},
            "targets": [t.to_json() for t in self.targets.values()],
            "access": {t.name: t.access.to_json() for t in self.targets.values()},
            "logs": {t.name: {role: str(log) for role, log in t.logs.items()} for t in self.targets.values()},
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """The first worker has collected; this process has not, and reads the checks from disk."""
        if ids and not self._results.begun:
            named = dict.fromkeys(_check_id(node_id) for node_id in ids)
            selected = [self.checks[i] for i in named if i in self.checks]
            self._begin(selected)
            self._show_progress(selected)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        checks = self._select(session.items)
        if self._has_workers or self.config.option.collectonly or not (session.items and self.selected):
            return
        if self._in_dialects and not self.asked.replay:
            self._show_progress(checks)
            try:
                self._record_dialects()
            except CannotMeasure as problem:
                self._stop(problem)
            finally:
                self._begin(checks)
            return
        self._begin(checks)
        self._show_progress(checks)
        if checks and not self.asked.replay and not self.stopped:
            self._record(self._shared, self._say_wait)

    def _record_dialects(self) -> None:
        """Start a server for each dialect, send all that judges may ask for, and stop it. Raises CannotMeasure."""
        needed = [*self._needed, *steadiness.CONTROLS]
        number = len(self.asked.wanted)
        for position, wanted in enumerate(self.asked.wanted, start=1):
            begun = time.monotonic()
            running = _found(wanted)
            self._running.append(running)
            target = running.target
            self.targets[target.name] = target
            budget = self._budget and self._budget.part(position, number)
            recorder = Recorder(target, self._shared, timeout=self.asked.timeout, budget=budget)
            self._sources[target.name] = recorder
            started = time.monotonic()
            recorder.prefetch(*([self._first] if budget else []), needed)
            recorder.wait(self._look)
            recorder.close()
            running.stop()
            took = f"{started - begun:.0f} s to start, {time.monotonic() - started:.0f} s to measure"
            self._say(f"{position} of {number}: {target.name}, {target.missing.get('chat') or took}")

    def _requirements(self) -> str:
        """The requirements by which the run judges, in words."""
        by = self.asked.requirements
        return by.name if by else revisions.told(catalogue.load().values())

    def _begin(self, selected: list[Check]) -> None:
        unmeasured = [
            Target(name=w.name, backend=w.backend, found="not measured", deployments=()) for w in self.asked.wanted
        ]
        started_as = suite.started_as or ["pytest", *map(str, self.config.invocation_params.args)]
        with _or_exit():
            self._results.begin(
                self.results_file,
                self.hidden,
                targets=[t.to_json() for t in list(self.targets.values()) or unmeasured],
                selected=[_planned(c) for c in selected],
                profile=self.asked.profile,
                requirements=self._requirements(),
                command=shlex.join(shown(started_as)),
            )

    def _show_progress(self, selected: list[Check]) -> None:
        if self.asked.replay or self.stopped or not selected:
            return
        names = scenario.with_needs(self._needed or scenarios_of(selected))
        core = profiles.core(self.checks.values()) if self.asked.profile == "full" else set()
        quick = scenario.with_needs(scenarios_of(check for check in selected if check.id in core))
        slots = {target.name: target.slots for target in self.targets.values()}
        slots = slots or {wanted.name: Target.slots for wanted in self.asked.wanted}
        checks = len(selected) * len(slots)
        self._progress = Progress(self.config, self._shared, slots, names, quick, checks, self._budget)

    def _look(self) -> None:
        if self._progress:
            checks = self._results.checks
            self._progress.look(len(checks), sum(one.outcome.bad and not one.later for one in checks))

    def _say_wait(self, name: str, seconds: float) -> None:
        self._look()
        self._say(f" waiting for {name} … {seconds:.0f} s")

    def _say(self, text: str) -> None:
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            if self._progress:
                self._progress.before_line()
            terminal.write_line(self._judge.printable(text))

    # Results

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        with _or_exit():
            if client := getattr(report, "client", None):
                self._results.client(client)
            if line := getattr(report, "conformance", None):
                self._results.check(CheckResult.from_json(line))
                self._look()

    def _recorded(self, target: str, name: str) -> Any:
        """What was recorded of a scenario, by any process of the run, as an object or as its JSON; None: nothing."""
        if self.stopped:
            return None
        if self.asked.replay:
            return self._sources[target].recording(name)
        file = self._shared / target.replace("/", "_") / f"{name}.json"
        return file.read_text() if file.exists() else None

    def _no_longer_answering(self) -> str | None:
        """Why nothing more was sent to the targets, if that is so of all."""
        said = [
            next((mark.read_text() for mark in (self._shared / name.replace("/", "_")).glob("*.gone")), None)
            for name in self.targets
        ]
        return next(iter(said), None) if all(said) else None

    def _cut_by_budget(self) -> str | None:
        """A sentence that the budget was too small for all checks; None if it was not."""
        if self._budget is None or not any(r.outcome is Outcome.NOT_RUN for r in self._results.checks):
            return None
        return self._budget.used_up

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        line = getattr(report, "conformance", None) or getattr(report, "client", {}).get("result")
        if line is None:
            return None
        outcome = Outcome(line["outcome"])
        if line.get("later") and outcome.bad:
            return "later", "n", ("LATER", {"yellow": True})
        category, letter, colour = SHOWN_KNOWN.get(line.get("known"), SHOWN[outcome])
        if self._progress and self._progress.live:
            return category, "", ("", {})
        return category, letter, (line.get("known", outcome).upper(), {colour: True})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._end_at_once)
        gone = self._no_longer_answering()
        done = self._results.checks, self._results.clients
        judged = ending.exit_code(exitstatus, *done, self.asked.fail_on)
        session.exitstatus = self._exit_code or (Unreachable.exit_code if gone else judged)
        if not self._results.begun:
            return
        try:
            self._finish(session, exitstatus, gone)
        except CannotWrite as problem:
            session.exitstatus = problem.exit_code
            self._say(str(problem))

    def _end_at_once(self, *_: object) -> None:
        """What Ctrl-C does while the page is written; pytest itself would show a traceback from here on."""
        self._say(f"\ninterrupted while the report was written. Results: {self.results_file}")
        self.pytest_unconfigure()
        sys.stdout.flush()
        os._exit(pytest.ExitCode.INTERRUPTED)

    def _finish(self, session: pytest.Session, exitstatus: int, gone: str | None) -> None:
        self._results.rest(self.targets)
        self._write_gateway(session)
        interrupted = None if exitstatus in (0, 1, 5) else "the run was interrupted"
        self._results.end(
            duration=time.monotonic() - self._started,
            exit_code=int(session.exitstatus),
            stopped=self.stopped or interrupted or gone or self._cut_by_budget(),
        )

    def _write_gateway(self, session: pytest.Session) -> None:
        """Compare both sides of the gateway. A change that it may not make can fail the run."""
        if self._upstream is None:
            return
        self.direct = self.direct or Direct(self.reference.target, self._shared, self.asked.timeout, self._needed)
        for name, target in self.targets.items():
            recordings = {one: self._recorded(name, one) for one in scenario.SCENARIOS}
            read = {k: json.loads(v) if isinstance(v, str) else v for k, v in recordings.items() if v}
            arrived = self._upstream.read()[self._arrived_before :]
            found = compare.compare(name, compare.sent(read), arrived, self.direct.exchange, target.access.key)
            self._results.gateway(found)
            if session.exitstatus == pytest.ExitCode.OK and found.fails(self.asked.fail_on):
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and not self.config.option.collectonly:
            why = self.stopped or "no check fits -m and -k; see `pytest --markers` and `pytest --collect-only -q`"
            said = "\n".join(map(printable, f"nothing was measured: {why}".splitlines()))
            terminalreporter.write_line(said, red=True, bold=True)
        if ending.nothing_judged(self._results.checks, self._results.clients):
            terminalreporter.write_line(
                "nothing was judged: all checks are blocked or not-run; causes are above", red=True
            )
        for result in (r for r in self._results.checks if r.known == "stale"):
            file = self._listed_in(self.targets[result.target])
            terminalreporter.write_line(f"stale: {result.id} passes now: remove its entry from {file}", red=True)

    def _listed_in(self, target: Target) -> str:
        """The file with the known deviations of a target, as it is named to the user."""
        return str(self.asked.known_file or f"backends/{target.backend}/known.toml")

    def pytest_unconfigure(self) -> None:
        if signal.getsignal(signal.SIGINT) == self._end_at_once:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        for source in self._sources.values():
            if isinstance(source, Recorder):
                source.close()
        if self.direct:
            self.direct.close()
        for running in self._running:
            running.stop()
        if self._upstream:
            self._upstream.stop()
        self.reference.stop()
        shutil.rmtree(self._shared, ignore_errors=True)


@contextlib.contextmanager
def _or_exit() -> Iterator[None]:
    """Ends the run where results cannot be written."""
    try:
        yield
    except CannotWrite as problem:
        pytest.exit(str(problem), returncode=problem.exit_code)


def _found(wanted: Wanted) -> Running:
    """The server of a dialect. If it does not start with its template, its column says why."""
    try:
        return find.run(wanted)
    except CannotStart as problem:
        if not find.reads_dialects(wanted):
            raise
        about = "no reader for this notation" if isinstance(problem, NoReader) else "no server in this notation"
        why = f"{about}: {str(problem).splitlines()[0]}"
        details = {"dialect": str(wanted.dialect)}
        missing: dict[Role, str] = {"chat": why}
        return Running(
            Target(
                name=wanted.name,
                backend=wanted.backend,
                found="not started",
                deployments=(),
                missing=missing,
                details=details,
            )
        )


def _check_id(node_id: str) -> str:
    path, _, name = node_id.partition("::")
    return f"{Path(path).stem.removeprefix('test_')}.{name.partition('[')[0].removeprefix('test_')}"


def _planned(check: Check) -> dict[str, Any]:
    """What the header says of a selected check."""
    return {
        "id": check.id,
        "feature": check.feature,
        "level": str(check.level),
        "core": check.core,
        "source": check.source,
        "requirement": check.requirement,
        **({"later": True} if check.later else {}),
    }
