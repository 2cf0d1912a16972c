"""One run under pytest: finds the targets, records, judges, writes the results; alone or with xdist workers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends import find, known
from backends.errors import CannotMeasure
from backends.target import Deployment, Target
from conformance import catalogue, results
from conformance.check import Check
from conformance.every import Every
from conformance.judge import Judge
from conformance.options import Options
from conformance.outcomes import Level, NotRun, Outcome
from conformance.recording import Recorder, Recording, Replay, Source
from conformance.results import CheckResult
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


class Run:
    """What every process of a run does: parametrise by target, mark, hand out answers, judge."""

    def __init__(self, config: pytest.Config, asked: Options) -> None:
        self.config = config
        self.asked = asked
        self.targets: dict[str, Target] = {}
        self.stopped: str | None = None
        """Why nothing can be measured, in one sentence."""
        self._judge = Judge(asked.keys)
        self._known: dict[str, list[known.Deviation]] = {}
        self._needed: list[str] = []
        self._sources: dict[str, Source] = {}

    # Answers

    def source(self, target: str) -> Source:
        """Where the answers of a target come from."""
        if self.stopped is not None:
            raise NotRun(self.stopped)
        return self._sources[target]

    def every(self, target: str) -> Every:
        """The answers to all scenarios that the selected checks need, or to all there are."""
        return Every.of_scenarios(self.source(target), scenario.with_needs(self._needed or scenario.SCENARIOS))

    def _record(self, directory: Path, threads: int, on_wait: Callable[[str, float], None] | None = None) -> None:
        for name, target in self.targets.items():
            recorder = Recorder(target, directory, timeout=self.asked.timeout, threads=threads, on_wait=on_wait)
            recorder.prefetch(self._needed)
            self._sources[name] = recorder

    def _replay(self, path: Path) -> None:
        """Take targets and exchanges from old results."""
        for one in results.read_all([path]):
            for old in one.targets:
                kept = {s: Recording(line) for (t, s), line in one.exchanges.items() if t == old["name"]}
                self._sources[old["name"]] = Replay(kept)
                self.targets[old["name"]] = _target(old, found=f"replayed from {path}")

    # Collection

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if hasattr(metafunc.function, "check"):
            metafunc.fixturenames.insert(0, "target")
            names = list(self.targets) or [w.name for w in self.asked.wanted]
            metafunc.parametrize("target", names, scope="session")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if found := _check_of(item):
                item.add_marker(found.level.lower())
                item.add_marker(found.feature)
        items.sort(key=_when_answers_are_there)

    def _select(self, items: list[pytest.Item]) -> list[Check]:
        """The selected checks, each once; remembers which scenarios they need."""
        checks = list({c.id: c for item in items if (c := _check_of(item))}.values())
        self._needed = [name for c in checks for name in c.scenarios if name in scenario.SCENARIOS]
        if any("every" in c.scenarios for c in checks) and not self._needed:
            self._needed = list(scenario.SCENARIOS)
        return checks

    # Judging

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self) -> Generator[None, Any, Any]:
        self._judge.begin()
        return (yield)

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        self._judge.compared(op, left, right)

    def pytest_assertion_pass(self, item: pytest.Item, orig: str, expl: str) -> None:
        if _check_of(item):
            self._judge.held(orig, expl)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        found = _check_of(item)
        if found is None or (call.when != "call" and not call.excinfo):
            return report
        given = getattr(item, "funcargs", {})
        result = self._judge.result(
            found,
            target=item.callspec.params["target"],  # type: ignore[attr-defined]
            problem=call.excinfo.value if call.excinfo else None,
            explanation=getattr(getattr(report.longrepr, "reprcrash", None), "message", ""),
            arguments={name: given.get(name) for name in found.scenarios},
            duration=call.duration,
        )
        result = replace(result, known=self._overlay(result))
        outcome = result.outcome
        report.when = "call"
        report.outcome = "passed" if outcome.good else "failed" if outcome.bad else "skipped"
        if result.known:
            report.outcome = "skipped" if result.known == "known" else "failed"
        report.conformance = result.to_json()  # type: ignore[attr-defined]
        if outcome is not Outcome.ERROR:
            text = f"{(result.known or outcome).upper()} {found.id}: {found.requirement}\n{result.message}"
            report.longrepr = None if report.passed else (str(item.path), 0, text) if report.skipped else text
        return report

    def _overlay(self, result: CheckResult) -> str | None:
        """With `--known`: whether the outcome is a listed deviation, or one that is listed and no longer there."""
        target = self.targets.get(result.target)
        if not self.asked.known or target is None:
            return None
        if target.backend not in self._known:
            self._known[target.backend] = known.load(target.backend, catalogue.load())
        return known.overlay(self._known[target.backend], result.id, result.outcome, target.version)


class MainRun(Run):
    """The process that the user started: it finds the targets and writes the results."""

    def __init__(self, config: pytest.Config, asked: Options) -> None:
        super().__init__(config, asked)
        self.collected: list[CheckResult] = []
        self._started = time.monotonic()
        self._shared = Path(tempfile.mkdtemp(prefix="openai-conformance-"))
        self._exit_code = 0
        self._running: list[find.Running] = []
        self._writer: results.Writer | None = None
        self._written: set[tuple[str, str]] = set()
        self._has_workers = bool(getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None))
        if not config.option.collectonly:
            self._make_report_directory()

    @property
    def results_file(self) -> Path:
        """Where the results are written."""
        return self.asked.report / "results.jsonl"

    # Beginning

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if self.config.option.collectonly:
            return
        try:
            for wanted in self.asked.wanted if self.asked.known else ():
                known.load(wanted.backend, catalogue.load())
            if self.asked.replay:
                self._replay(self.asked.replay)
            else:
                for wanted in self.asked.wanted:
                    self._running.append(find.run(replace(wanted, say=self._say)))
                    self.targets[wanted.name] = self._running[-1].target
        except known.BadKnown as problem:
            raise pytest.UsageError(f"--known: {problem}") from None
        except CannotMeasure as problem:
            self.stopped, self._exit_code = str(problem), problem.exit_code
        except results.BadResults as problem:
            raise pytest.UsageError(f"--replay: {problem}") from None

    def _make_report_directory(self) -> None:
        try:
            self.asked.report.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.asked.report):
                pass
        except OSError as problem:
            raise pytest.UsageError(
                f"--report {self.asked.report}: cannot write there ({problem.strerror}); name another directory."
            ) from None

    def pytest_report_header(self) -> list[str]:
        if self.stopped:
            return [f"cannot measure: {self.stopped}"]
        lines = []
        for target in self.targets.values():
            lines.append(f"measuring: {target.name} {target.version or '(version unknown)'}, {target.found}")
            lines.append("models: " + ", ".join(f"{d.model} ({d.role})" for d in target.deployments))
            if "roles" in target.details:
                lines.append(f"chosen: {target.details['roles']}")
            lines += [f"no {role} model: {why}" for role, why in target.missing.items()]
        return lines

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker what this process found out."""
        node.workerinput["conformance"] = {
            "shared": str(self._shared),
            "stopped": self.stopped,
            "slots": self._slots,
            "targets": [t.to_json() for t in self.targets.values()],
            "keys": {t.name: t.key for t in self.targets.values()},
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """The first worker has collected; this process has not, and reads the checks from disk."""
        if self._writer is None:
            known = catalogue.load()
            selected = dict.fromkeys(_check_id(node_id) for node_id in ids)
            self._begin([known[i] for i in selected if i in known])

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        checks = self._select(session.items)
        if self._has_workers or self.config.option.collectonly or not checks:
            return
        self._begin(checks)
        if not self.asked.replay and not self.stopped:
            self._record(self._shared, self._slots, self._say_wait)

    @property
    def _slots(self) -> int:
        return max((t.slots for t in self.targets.values()), default=1)

    def _begin(self, selected: list[Check]) -> None:
        self._writer = results.Writer(self.results_file)
        unmeasured = [
            Target(name=w.name, backend=w.backend, found="not measured", deployments=()) for w in self.asked.wanted
        ]
        self._writer.header(
            targets=[t.to_json() for t in list(self.targets.values()) or unmeasured],
            selected=[_planned(c) for c in selected],
            command=" ".join(["pytest", *self.config.invocation_params.args]),
        )

    def _say_wait(self, name: str, seconds: float) -> None:
        self._say(f" waiting for {name} … {seconds:.0f} s")

    def _say(self, text: str) -> None:
        terminal = self.config.pluginmanager.get_plugin("terminalreporter")
        if terminal is not None:
            terminal.write_line(text)

    # Results

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        line = getattr(report, "conformance", None)
        if line is None or self._writer is None:
            return
        result = CheckResult.from_json(line)
        self.collected.append(result)
        for name in scenario.with_needs(result.exchanges):
            self._write_exchange(result.target, name)
        self._writer.check(result)

    def _write_exchange(self, target: str, name: str) -> None:
        if self._writer is None or self.stopped or (target, name) in self._written:
            return
        if self.asked.replay:
            recording = self._sources[target].recording(name)
        else:
            file = self._shared / target.replace("/", "_") / f"{name}.json"
            if not file.exists():
                return
            recording = Recording(json.loads(file.read_text()))
        self._written.add((target, name))
        self._writer.exchange(target, name, recording)

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        line = getattr(report, "conformance", None)
        if line is None:
            return None
        outcome = Outcome(line["outcome"])
        category, letter, colour = SHOWN_KNOWN.get(line.get("known"), SHOWN[outcome])
        return category, letter, (line.get("known", outcome).upper(), {colour: True})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        session.exitstatus = self._exit_code or self._verdict(exitstatus)
        if self._writer is None:
            return
        for target in self.targets:
            for name in scenario.SCENARIOS:
                self._write_exchange(target, name)
        interrupted = None if exitstatus in (0, 1, 5) else "the run was interrupted"
        self._writer.footer(
            duration=time.monotonic() - self._started,
            exit_code=int(session.exitstatus),
            stopped=self.stopped or interrupted,
        )

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self.stopped:
            terminalreporter.write_line(f"cannot measure: {self.stopped}", red=True, bold=True)
        for result in (r for r in self.collected if r.known == "stale"):
            file = f"backends/{self.targets[result.target].backend}/known.toml"
            terminalreporter.write_line(f"stale: {result.id} passes now: remove its entry from {file}", red=True)

    def _verdict(self, exitstatus: int) -> int:
        """pytest's exit code, by `--fail-on` instead of by what pytest counts as failed."""
        if not self.collected or exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return exitstatus
        order = list(Level)
        counting = order[: order.index(self.asked.fail_on) + 1] if self.asked.fail_on else []
        news = [r for r in self.collected if r.known != "known"]
        failed = any(
            r.outcome is Outcome.ERROR or r.known == "stale" or (r.outcome.bad and r.level in counting) for r in news
        )
        return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)

    def pytest_unconfigure(self) -> None:
        for source in self._sources.values():
            if isinstance(source, Recorder):
                source.close()
        for running in self._running:
            running.stop()
        shutil.rmtree(self._shared, ignore_errors=True)


class WorkerRun(Run):
    """An xdist worker: it is told the targets, and shares recordings with the others through a directory."""

    def __init__(self, config: pytest.Config, asked: Options, told: dict[str, Any]) -> None:
        super().__init__(config, asked)
        self.stopped = told["stopped"]
        self._shared = Path(told["shared"])
        self._threads = max(1, told["slots"] // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
        if asked.replay:
            self._replay(asked.replay)
            return
        keys = told["keys"]
        for data in told["targets"]:
            self.targets[data["name"]] = _target(data, key=keys.get(data["name"]))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._select(session.items)
        if not self.stopped and not self.asked.replay:
            self._record(self._shared, self._threads)


def _target(data: dict[str, Any], **changes: Any) -> Target:
    """The inverse of `Target.to_json`."""
    deployments = tuple(Deployment(**d) for d in data["deployments"])
    return Target(**{**data, "deployments": deployments, **changes})


def _when_answers_are_there(item: pytest.Item) -> int:
    """Checks that judge all exchanges come last, and before them those of scenarios that run alone, after the rest."""
    names = getattr(item, "fixturenames", ())
    return 2 if "every" in names else int(any(scenario.runs_alone(n) for n in names if n in scenario.SCENARIOS))


def _check_of(item: pytest.Item) -> Check | None:
    return getattr(getattr(item, "function", None), "check", None)


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
    }
