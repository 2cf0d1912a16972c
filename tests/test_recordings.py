"""A replay of recordings of a real Ollama: what they show is judged, the rest is not run, and nothing is made up."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from conformance import results
from conformance.results import Results
from tests.recordings import import_ollama

ROOT = Path(__file__).parent.parent
RECORDED = ROOT / "tests/recordings/ollama-0.33.0-rc2.jsonl"

SHOWN = {
    "chat.answers_with_a_message": "pass",
    "completions.list_gives_a_choice_for_each": "rejected",
    "embeddings.base64_is_the_same_vector": "pass",
    "errors.unknown_path_is_not_found": "pass",
    "errors.wrong_method_is_refused": "fail",
    "json_schema.a_prompt_for_json_fits_the_schema": "pass",
    "json_schema.keys_come_in_the_order_of_the_schema": "fail",
    "max_tokens.completion_counts_tokens": "ignored",
    "max_tokens.finish_reason_is_length": "pass",
    "models.lists_the_model": "lenient",
    "n.gives_as_many_choices": "ignored",
    "parallel_tools.false_allows_one_call": "ignored",
    "responses.a_question_is_answered": "pass",
    "streaming.usage_comes_last": "pass",
    "tool_choice.a_name_forces_that_function": "ignored",
    "tool_choice.none_forbids_calls": "ignored",
    "tool_choice.required_forces_a_call": "ignored",
    "tools.a_cut_call_has_finish_reason_length": "fail",
    "tools.the_model_calls_a_function": "pass",
    "vision.a_model_without_eyes_refuses": "fail",
    "wire.errors_are_json": "fail",
    # Nothing was recorded that could show these.
    "seed.repeats_the_answer": "not-run",
    "stop.ends_the_text": "not-run",
    "vision.an_image_is_seen": "not-run",
}


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Results:
    """The recordings judged by every check; with what is known, the run has nothing to complain about."""
    report = tmp_path_factory.mktemp("replayed")
    command = [sys.executable, "-m", "pytest", "-q", "--backend=ollama", "--known"]
    done = subprocess.run(
        [*command, f"--replay={RECORDED}", f"--report={report}"], cwd=ROOT, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == pytest.ExitCode.OK, done.stdout
    return results.read(report / "results.jsonl")


@pytest.mark.parametrize(("check", "outcome"), SHOWN.items())
def test_what_ollama_shows(replayed: Results, check: str, outcome: str) -> None:
    assert {c.id: c.outcome for c in replayed.checks}[check] == outcome


def test_all_that_is_bad_is_known(replayed: Results) -> None:
    """Every deviation that shows is listed, at any level."""
    assert [c.id for c in replayed.checks if c.outcome.bad and c.known != "known"] == []
    counts = Counter(c.outcome for c in replayed.checks)
    assert counts["error"] == 0
    assert counts["pass"] > 150
    assert counts["not-run"] > 300


def test_a_scenario_needs_its_own_recordings(tmp_path: Path) -> None:
    """A request that was recorded once answers one scenario of one request, and none of two."""
    body = {"model": "probe", "temperature": 0, "max_tokens": 48, "messages": []}
    question = [{"role": "user", "content": "What is the capital of France?"}]
    response = {
        "status": 200,
        "headers": [["Date", "Sun, 22 Nov 2026 23:39:50 GMT"]],
        "headers_at_s": 0.1,
        "reads": [[0.1, 2]],
        "body": {"text": "{}"},
    }
    sent = {"method": "POST", "path": "/v1/chat/completions", "body": {**body, "messages": question}}
    (tmp_path / "one.json").write_text(json.dumps({"scenario": "one", "request": sent, "response": response}))
    header, *exchanges, footer = import_ollama.lines(import_ollama.Recordings(tmp_path))
    assert (header["kind"], footer["kind"]) == ("header", "footer")
    names = [line["scenario"] for line in exchanges]
    assert "capital" in names
    assert "capital_twice" not in names
    assert "capital_streamed" not in names
