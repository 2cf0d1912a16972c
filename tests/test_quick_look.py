"""The profile `core`, a budget, and what a run says that it will cost."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from backends.target import Target
from conformance.answers.recording import Recording
from conformance.kit.steadiness import CONTROLS
from conformance.requirements import matrix, profiles
from conformance.results.grading import Agreement
from conformance.run import catalogue, cost, options, progress
from conformance.run.process import scenarios_of
from conformance.run.progress import Progress
from conformance.run.recorder import Recorder
from conformance.run.sending import Budget, Sender
from fixtures import scenario
from reports.table import QUICK, table
from tests.reports_data import check, results

scenario.load()
CHECKS = catalogue.load()
GUIDE = {row.id for row in matrix.features().values() if "guide" in row.claims}


def core() -> list[str]:
    return scenario.with_needs(scenarios_of(CHECKS[id] for id in profiles.core(CHECKS.values())))


# The profile


def test_core_has_the_first_checks_of_each_row_of_the_guide() -> None:
    chosen = [CHECKS[id] for id in profiles.core(CHECKS.values())]
    assert {one.feature for one in chosen} == GUIDE
    for row in GUIDE:
        own = [one for one in chosen if one.feature == row]
        assert 1 < len(own) <= profiles.FIRST
        assert all(one.core or one.level == "MUST" for one in own)
        assert {one.id for one in CHECKS.values() if one.feature == row and one.core} <= {one.id for one in own}


def test_core_is_a_quick_look() -> None:
    """A model that writes 20 tokens a second, on a server with four slots, needs less than two minutes."""
    assert len(profiles.core(CHECKS.values())) < 80
    assert cost.of(core()).tokens < cost.of(scenario.SCENARIOS).tokens / 6
    alone = list(filter(scenario.runs_alone, core()))
    at_once = [name for name in core() if name not in alone]
    assert (cost.of(alone).tokens + cost.of(at_once).tokens / 4) / 20 < 120


def test_a_quick_look_never_says_that_a_document_claims_too_little(tmp_path: Path) -> None:
    shown = {}
    for profile in ("core", "full"):
        run = results(tmp_path, [check("vision.an_image_is_seen", feature="vision", core=True)])
        run.header["profile"] = profile
        (shown[profile],) = [c for row in table([run]).rows for c in row.cells if c.feature.id == "vision"]
    assert shown["full"].feature.claims["guide"]["llamacpp"] == "partial"
    agreements = {profile: cell.claims[0].agreement for profile, cell in shown.items()}
    assert agreements == {"core": Agreement.UNVERIFIED, "full": Agreement.UNDERCLAIMED}
    assert shown["core"].column.trouble == QUICK


# A budget


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (None, None)])
def test_a_budget_is_a_time(text: str | None, seconds: float | None) -> None:
    assert options._seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "-1m", "0s", "1d", "1e9h", "ten m"])
def test_anything_else_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(pytest.UsageError, match=r"^--budget .*: expected a time such as 90s, 10m or 1h\.$"):
        options._seconds(text)


def test_after_the_budget_only_controls_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender(
        Target(name="t", backend="url", found="", deployments=()), 1, budget=Budget("1s", 1, time.monotonic())
    )
    source: Any = None
    unsent = {name: sender.send(scenario.SCENARIOS[name], source) for name in ("hot", "count_repeated")}
    assert "count_repeated" in CONTROLS
    assert unsent["hot"] == {"unsent": "the budget was used up (--budget=1s)"}
    assert unsent["count_repeated"]["unsent"] == "no chat model"
    sender.close()


def test_models_of_one_server_share_the_budget() -> None:
    whole = Budget("10m", 600, 1600)
    assert [whole.part(number, 3).end for number in (1, 2, 3)] == [1200, 1400, 1600]
    assert whole.part(1, 1) == whole


def test_what_comes_first_is_sent_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Core scenarios that run alone, too, are sent before any other."""
    sent: list[str] = []

    def record(_: Recorder, one: scenario.Scenario) -> Recording:
        sent.append(one.name)
        return Recording(unsent="nothing is sent")

    monkeypatch.setattr(Recorder, "_record", record)
    recorder = Recorder(Target(name="t", backend="url", found="", deployments=()), tmp_path, timeout=1)
    recorder.prefetch(core(), scenario.SCENARIOS)
    for name in scenario.SCENARIOS:
        recorder.recording(name)
    assert set(sent[: len(core())]) == set(core())
    assert len(sent) == len(scenario.SCENARIOS)
    recorder.close()


# What a run costs


class Terminal:
    """What a run prints, in place of pytest's terminal."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write_line(self, text: str) -> None:
        self.lines.append(text)


class Config:
    """As much of pytest's as is used."""

    class option:
        verbose = 0

    def __init__(self) -> None:
        self.terminal = Terminal()
        self.pluginmanager = self

    def get_plugin(self, _: str) -> Terminal:
        return self.terminal

    def get_terminal_writer(self) -> Config:
        return self

    width_of_current_line = 0


def said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenarios: int, budget: Budget | None = None, tokens: int = 10
) -> str:
    """What a run says after 100 seconds in which 20 scenarios with twice the usual tokens were recorded."""
    now = [1000.0]
    names = [name for name in scenario.SCENARIOS if not scenario.runs_alone(name)][:scenarios]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(cost, "costs", lambda: dict.fromkeys(names, (2, 10)))
    config: Any = Config()
    run = Progress(config, tmp_path, {"a/b": 1}, names, names[:10], 50, budget)
    (tmp_path / "a_b").mkdir()
    exchange = {"response": {"body": json.dumps({"usage": {"completion_tokens": tokens}})}}
    for name in names[:20]:
        (tmp_path / "a_b" / f"{name}.json").write_text(json.dumps({"exchanges": [exchange, exchange]}))
    now[0] += 100
    run.look(1, 0)
    run.look(2, 0)
    return "\n".join(config.terminal.lines)


def test_a_run_says_once_what_it_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(tmp_path, monkeypatch, 100) == (
        "cost: about 200 requests and 2,000 generated tokens, about 8 min with this server (its first 20 scenarios "
        "took 2 min); --profile=core takes about 50 s"
    )


def test_a_count_that_cannot_be_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "200 requests and 0 generated tokens" in said(tmp_path, monkeypatch, 100, tokens=10**400)


def test_a_run_with_a_budget_says_when_it_stops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert said(tmp_path, monkeypatch, 100, Budget("10m", 600, 1600)).endswith("; it stops after --budget=10m")


@pytest.mark.parametrize("scenarios", [40, 500], ids=["a small run", "too little is known"])
def test_a_run_may_say_nothing_of_its_cost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenarios: int) -> None:
    assert said(tmp_path, monkeypatch, scenarios) == ""


def test_most_scenarios_have_a_cost() -> None:
    """New ones count as usual until somebody writes the file again."""
    assert len(cost.costs().keys() & scenario.SCENARIOS.keys()) > 0.8 * len(scenario.SCENARIOS)
    assert cost.of(["no such scenario"]) == cost.Cost(*cost.USUAL)


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0"), (7, "7"), (42, "42"), (1160, "1,200"), (24_502, "25,000"), (99_600, "100,000")]
)
def test_numbers_are_rounded(number: float, said: str) -> None:
    assert progress.rounded(number) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (45.4, "45 s"), (89.4, "89 s"), (91, "2 min"), (5399, "90 min"), (9000, "2.5 h")],
)
def test_times_are_as_people_say_them(seconds: float, said: str) -> None:
    assert progress.shown(seconds) == said
