"""What a recorded Ollama did, judged again on both of its code paths: every deviation is known, and none is stale."""

from __future__ import annotations

import lzma
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from backends import known
from conformance import results
from conformance.results import CheckResult, Results

ROOT = Path(__file__).parent.parent
RECORDED = ROOT / "tests/recordings/ollama.jsonl.xz"
GGUF, MODELFILE = "ollama (GGUF template)", "ollama (Modelfile template)"
BUILT_GGUF, BUILT = (f"ollama, built from source ({path} template)" for path in ("GGUF", "Modelfile"))

SHOWN = {
    "chat.answers_with_a_message": ("pass", "pass", "pass"),
    "completions.list_gives_a_choice_for_each": ("rejected", "rejected", "rejected"),
    "errors.wrong_method_is_refused": ("fail", "fail", "fail"),
    "json_mode.the_answer_is_an_object": ("ignored", "pass", "ignored"),
    "max_tokens.completion_counts_tokens": ("ignored", "ignored", "ignored"),
    "reasoning.thoughts_come_apart": ("pass", "rejected", "pass"),
    "tool_choice.none_forbids_calls": ("ignored", "ignored", "ignored"),
    "tools.a_cut_call_has_finish_reason_length": ("fail", "pass", "pass"),
    "tools.the_model_calls_a_function": ("pass", "pass", "pass"),
    "vision.a_model_without_eyes_refuses": ("fail", "pass", "pass"),
}

OURS = ("messages.developer_message_is_obeyed", "reasoning.thoughts_by_default_come_apart")
NO_THINKING = "does not support thinking"
"""When the Modelfile path of 0.33.0-rc2 was recorded, our own TEMPLATE had neither reasoning nor the developer's role.
These checks, and those whose request was rejected with this sentence, tell nothing of Ollama."""


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Results:
    directory = tmp_path_factory.mktemp("replayed")
    (directory / "recorded.jsonl").write_bytes(lzma.decompress(RECORDED.read_bytes()))
    command = [sys.executable, "-m", "pytest", "-q", "--known", f"--replay={directory}/recorded.jsonl"]
    subprocess.run([*command, f"--report={directory}"], cwd=ROOT, capture_output=True, text=True, timeout=300)
    return results.read(directory / "results.jsonl")


@pytest.mark.parametrize("check", SHOWN)
def test_what_ollama_shows(replayed: Results, check: str) -> None:
    outcomes = {c.target: c.outcome for c in replayed.checks if c.id == check}
    if "not-run" in outcomes.values():
        pytest.skip("its scenario sends another request than was recorded")
    assert (outcomes[GGUF], outcomes[MODELFILE], outcomes[BUILT]) == SHOWN[check]


@pytest.mark.parametrize("target", [GGUF, MODELFILE, BUILT_GGUF, BUILT])
def test_all_deviations_are_known(replayed: Results, target: str) -> None:
    """Every deviation that shows is listed, at any level (`python -m backends known ollama RESULTS` drafts others)."""

    def ours(check: CheckResult) -> bool:
        return target == MODELFILE and (check.id in OURS or NO_THINKING in check.message)

    of_target = [c for c in replayed.checks if c.target == target]
    unlisted = [c for c in of_target if c.outcome in known.VERDICTS and c.known != "known" and not ours(c)]
    assert not unlisted, "add to an entry of backends/ollama/known.toml with the same outcome:\n" + "\n".join(
        f'"{c.id}",  # {c.outcome}: {c.message[:200]}' for c in unlisted
    )
    stale = [c.id for c in of_target if c.known == "stale"]
    assert not stale, f"these are no deviations any more; remove them from backends/ollama/known.toml: {stale}"
    counts = Counter(c.outcome for c in of_target)
    assert counts["error"] == 0
    assert counts["pass"] > 100
