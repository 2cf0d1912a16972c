"""The pytest plugin: finds the target, hands recorded answers to checks, turns their ends into outcomes and results."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from backends import find
from backends.errors import CannotMeasure
from backends.target import Deployment, Target
from conformance import matrix, options, results
from conformance.answers import Answer, Refused
from conformance.check import Check
from conformance.every import Every
from conformance.judge import Judge
from conformance.options import Options
from conformance.outcomes import Level, NotRun, Outcome
from conformance.recording import Recorder, Recording, Replay, Source, answers
from conformance.results import CheckResult
from fixtures import scenario

CHECKS_DIRECTORY = Path(__file__).parent / "checks"


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    for level in Level:
        config.addinivalue_line("markers", f"{level.lower()}: checks of this level")
    for feature in matrix.features().values():
        config.addinivalue_line("markers", f"{feature.id}: checks of the row {feature.title}")
    scenario.load()
    if not _measures(config):
        return
    asked = options.parse(config)
    worker = getattr(config, "workerinput", None)
    run = _WorkerRun(config, asked, worker) if worker is not None else _MainRun(config, asked)
    config.pluginmanager.register(run, "conformance-run")
    config.pluginmanager.register(_scenario_fixtures(run), "conformance-scenarios")


def _measures(config: pytest.Config) -> bool:
    """Whether the arguments select checks; `pytest tests` starts no server."""
    if config.option.help or config.option.version:
        return False
    paths = [Path(config.invocation_params.dir, arg.partition("::")[0]).resolve() for arg in config.args]
    return any(CHECKS_DIRECTORY.is_relative_to(p) or p.is_relative_to(CHECKS_DIRECTORY) for p in paths)


def _scenario_fixtures(run: _Run) -> object:
    """A plugin with a fixture for each scenario: that is how a check's parameters find their answers."""

    def make(name: str) -> Callable[..., Any]:
        def answer(self: object, target: str) -> Any:
            return answers(run.source(target), name)

        return pytest.fixture(name=name)(answer)

    class ScenarioFixtures:
        @pytest.fixture
        def every(self, target: str) -> Every:
            return run.every(target)

    for name in scenario.SCENARIOS:
        setattr(ScenarioFixtures, name, make(name))
    return ScenarioFixtures()


class _Run:
    """What every process of a run does: parametrise by target, mark, judge."""

    def __init__(self, config: pytest.Config, asked: Options) -> None:
        self.config = config
        self.asked = asked
        self.judge = Judge(asked.keys)
        self.targets: dict[str, Target] = {}
        self.stopped: str | None = None
        """Why nothing can be measured, in one sentence."""
        self.needed: list[str] = []
        self._sources: dict[str, Source] = {}

    @property
    def names(self) -> list[str]:
        """The names of the targets."""
        return [w.name for w in self.asked.wanted]

    # Answers

    def source(self, target: str) -> Source:
        """Where the answers of a target come from."""
        if self.stopped is not None:
            raise NotRun(self.stopped)
        return self._sources[target]

    def every(self, target: str) -> Every:
        """All recorded answers of the scenarios that the selected checks need."""
        found: list[Answer] = []
        for name in scenario.with_needs(self.needed or scenario.SCENARIOS):
            got = answers(self.source(target), name)
            found += [a for a in (got if isinstance(got, list) else [got]) if isinstance(a, Answer)]
        return Every(found)

    def _record(self, directory: Path, threads: int) -> None:
        for name, target in self.targets.items():
            recorder = Recorder(target, directory, timeout=self.asked.timeout, threads=threads)
            recorder.prefetch(self.needed)
            self._sources[name] = recorder

    # Collection

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if hasattr(metafunc.function, "check"):
            metafunc.fixturenames.insert(0, "target")
            metafunc.parametrize("target", self.names, scope="session")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            if found := _check_of(item):
                item.add_marker(found.level.lower())
                item.add_marker(found.feature)
        # What judges all exchanges comes last, when they are there.
        items.sort(key=lambda item: "every" in getattr(item, "fixturenames", ()))

    def selected(self, items: list[pytest.Item]) -> list[Check]:
        """The selected checks, each once."""
        return list({c.id: c for item in items if (c := _check_of(item))}.values())

    # Judging

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, Any, Any]:
        self.judge.begin()
        return (yield)

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> None:
        self.judge.compared(op, left, right)

    def pytest_assertion_pass(self, item: pytest.Item, orig: str, expl: str) -> None:
        if _check_of(item):
            self.judge.held(orig, expl)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        found = _check_of(item)
        if found is None or (call.when != "call" and not call.excinfo):
            return report
        arguments = getattr(item, "funcargs", {})
        result = self.judge.result(
            found,
            target=item.callspec.params["target"],  # type: ignore[attr-defined]
            problem=call.excinfo.value if call.excinfo else None,
            explanation=report.longrepr.reprcrash.message if hasattr(report.longrepr, "reprcrash") else "",
            arguments={name: arguments.get(name) for name in found.scenarios},
            duration=call.duration,
        )
        report.when = "call"
        report.conformance = result.to_json()
        outcome = result.outcome
        report.outcome = "passed" if outcome.good else "failed" if outcome.bad else "skipped"
        if outcome is not Outcome.ERROR:
            text = f"{outcome.upper()} {found.id}: {found.requirement}\n{result.message}"
            report.longrepr = None if outcome.good else (str(item.path), 0, text) if report.skipped else text
        return report


class _MainRun(_Run):
    """The process that the user started: it finds the target and writes the results."""

    def __init__(self, config: pytest.Config, asked: Options) -> None:
        super().__init__(config, asked)
        self.started = time.monotonic()
        self.shared = Path(tempfile.mkdtemp(prefix="openai-conformance-"))
        self.collected: list[CheckResult] = []
        self.exit_code = 0
        self._running: list[find.Running] = []
        self._writer: results.Writer | None = None
        self._written: set[tuple[str, str]] = set()
        self._parallel = bool(
            getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None)
        )
        self._make_report_directory()

    @property
    def results_file(self) -> Path:
        """Where the results are written."""
        return self.asked.report / "results.jsonl"

    def _make_report_directory(self) -> None:
        try:
            self.asked.report.mkdir(parents=True, exist_ok=True)
            probe = self.asked.report / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as problem:
            raise pytest.UsageError(
                f"--report {self.asked.report}: cannot write there ({problem.strerror}); name another directory."
            ) from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        if self.config.option.collectonly:
            return
        try:
            if self.asked.replay:
                self._load(self.asked.replay)
            else:
                for wanted in self.asked.wanted:
                    running = find.run(wanted)
                    self._running.append(running)
                    self.targets[wanted.name] = running.target
        except CannotMeasure as problem:
            self.stopped, self.exit_code = str(problem), problem.exit_code
        except results.BadResults as problem:
            raise pytest.UsageError(f"--replay: {problem}") from None

    def _load(self, path: Path) -> None:
        """Take targets and exchanges from old results."""
        old = results.read_all([path])
        for one in old:
            for header in one.targets:
                name = header["name"]
                self.targets[name] = Target(
                    name=name,
                    backend=header["backend"],
                    version=header["version"],
                    found=f"replayed from {path}",
                    deployments=tuple(Deployment(**d) for d in header["deployments"]),
                    missing=header["missing"],
                    details=header["details"],
                )
                kept = {s: Recording(line) for (t, s), line in one.exchanges.items() if t == name}
                self._sources[name] = Replay(kept)

    @property
    def names(self) -> list[str]:
        if self.asked.replay:
            return list(self.targets)
        return super().names

    def pytest_report_header(self) -> list[str]:
        if self.stopped:
            return [f"cannot measure: {self.stopped}"]
        lines = []
        for target in self.targets.values():
            lines.append(f"measuring: {target.name} {target.version or '(version unknown)'}, {target.found}")
            lines.append("models: " + ", ".join(f"{d.model} ({d.role})" for d in target.deployments))
            lines += [f"no {role} model: {why}" for role, why in target.missing.items()]
        return lines

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker what the main process found out."""
        node.workerinput["conformance"] = {
            "shared": str(self.shared),
            "stopped": self.stopped,
            "replay": str(self.asked.replay) if self.asked.replay else None,
            "report": str(self.asked.report),
            "targets": [{**t.to_json(), "slots": t.slots} for t in self.targets.values()],
        }

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: list[str]) -> None:
        if self._writer is None:
            ids = list(dict.fromkeys(_check_id(i) for i in ids))
            planned = json.loads(node.workeroutput_checks) if hasattr(node, "workeroutput_checks") else None
            self._begin(planned or _planned_from_disk(ids))

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        checks = self.selected(session.items)
        if self._parallel or self.config.option.collectonly or not checks:
            return
        self._begin([_planned(c) for c in checks])
        self.needed = [name for c in checks for name in c.scenarios if name in scenario.SCENARIOS]
        if not self.asked.replay:
            slots = max((t.slots for t in self.targets.values()), default=1)
            self._record(self.shared, slots)

    def _begin(self, planned: list[dict[str, Any]]) -> None:
        self._writer = results.Writer(self.results_file)
        wanted = [{"name": w.name, "backend": w.backend} for w in self.asked.wanted]
        self._writer.header(
            targets=[t.to_json() for t in self.targets.values()] or [_unmeasured(w) for w in wanted],
            selected=planned,
            command=" ".join(["pytest", *self.config.invocation_params.args]),
        )

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
        if (target, name) in self._written or self.stopped:
            return
        self._written.add((target, name))
        if self.asked.replay:
            recording = self._sources[target].recording(name)
        else:
            file = self.shared / target.replace("/", "_") / f"{name}.json"
            recording = (
                Recording(json.loads(file.read_text())) if file.exists() else Recording(unsent="never sent")
            )
        self._writer.exchange(target, name, recording)  # type: ignore[union-attr]

    def pytest_report_teststatus(
        self, report: pytest.TestReport
    ) -> tuple[str, str, tuple[str, dict[str, bool]]] | None:
        line = getattr(report, "conformance", None)
        if line is None:
            return None
        outcome = Outcome(line["outcome"])
        category, letter, colour = _SHOWN[outcome]
        return category, letter, (outcome.upper(), {colour: True})

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if self._writer is not None:
            seen = {(r.id, r.target) for r in self.collected}
            finished = len(seen) == len(self.collected)
            session.exitstatus = self.exit_code or self._verdict(exitstatus)
            stopped = self.stopped or (
                None if finished and exitstatus in (0, 1, 5) else "the run was interrupted"
            )
            self._writer.footer(
                duration=time.monotonic() - self.started, exit_code=int(session.exitstatus), stopped=stopped
            )
        elif self.exit_code:
            session.exitstatus = self.exit_code

    def _verdict(self, exitstatus: int) -> int:
        """pytest's exit code, by `--fail-on` instead of by what pytest counts as failed."""
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            return exitstatus
        order = [Level.MUST, Level.SHOULD, Level.MAY]
        counting = order[: order.index(self.asked.fail_on) + 1] if self.asked.fail_on else []
        failed = any(
            r.outcome is Outcome.ERROR or (r.outcome.bad and r.level in counting) for r in self.collected
        )
        return int(pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK)

    def pytest_unconfigure(self) -> None:
        for source in self._sources.values():
            if isinstance(source, Recorder):
                source.close()
        for running in self._running:
            running.stop()
        shutil.rmtree(self.shared, ignore_errors=True)


class _WorkerRun(_Run):
    """An xdist worker: it is told the target, and shares recordings with the others through a directory."""

    def __init__(self, config: pytest.Config, asked: Options, worker: dict[str, Any]) -> None:
        super().__init__(config, asked)
        told = worker["conformance"]
        self.stopped = told["stopped"]
        self._shared = Path(told["shared"])
        self._threads = 1
        for data in told["targets"]:
            deployments = tuple(Deployment(**d) for d in data.pop("deployments"))
            key = next((w.key for w in asked.wanted if w.name == data["name"]), None)
            self.targets[data["name"]] = Target(deployments=deployments, key=key, **data)
            self._threads = max(1, data["slots"] // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
        if told["replay"]:
            for one in results.read_all([Path(told["replay"])]):
                for name, kept in itertools.groupby(sorted(one.exchanges.items()), key=lambda kv: kv[0][0]):
                    self._sources[name] = Replay({s: Recording(line) for (_, s), line in kept})

    @property
    def names(self) -> list[str]:
        return list(self.targets) or super().names

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        checks = self.selected(session.items)
        self.needed = [name for c in checks for name in c.scenarios if name in scenario.SCENARIOS]
        if not self.stopped and not self._sources:
            self._record(self._shared, self._threads)


_SHOWN: dict[Outcome, tuple[str, str, str]] = {
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


def _check_of(item: pytest.Item) -> Check | None:
    return getattr(getattr(item, "function", None), "check", None)


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


def _check_id(nodeid: str) -> str:
    path, _, name = nodeid.partition("::")
    return f"{Path(path).stem.removeprefix('test_')}.{name.partition('[')[0].removeprefix('test_')}"


def _planned_from_disk(ids: list[str]) -> list[dict[str, Any]]:
    """What the header says of checks that only the workers have imported."""
    from conformance.catalogue import load

    known = load()
    return [_planned(known[i]) for i in ids if i in known]


def _unmeasured(wanted: dict[str, str]) -> dict[str, Any]:
    return {
        **wanted,
        "version": None,
        "found": "not measured",
        "deployments": [],
        "missing": {},
        "details": {},
    }
