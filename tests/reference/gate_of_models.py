"""The gate of models: no check fails because of a legal model, and faults are still found behind other models.

Not collected with the other tests, since it takes minutes: `.ci/gate`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from conformance.outcomes import Outcome
from tests.reference.bench import Bench, server
from tests.reference.faults import FAULTS
from tests.reference.gate import DECLARED, EVERY, MODELS

TIMEOUT = 30.0
"""Seconds for one answer: some models write until the context is full, on a busy machine."""

OPEN = 0.05
"""The largest share of checks that a model may leave open (`inconclusive` or `blocked`)."""

OPEN_BY = {
    "thinks-without-end": 0.48,  # No answer ever comes.
    "never-ends": 0.06,
    "gibberish-by-chance": 0.30,
    "gibberish": 0.30,
    "refusal-field": 0.25,
    "ends-at-once": 0.25,
    "refuses-politely": 0.20,
    "drifts-much": 0.20,
    "numbers-its-tries": 0.20,
    "calls-nothing": 0.15,
    "drifts": 0.12,
    "drifts-late": 0.10,
    "knows-nothing": 0.10,
    "calls-as-text": 0.10,
    "thinks-at-any-length": 0.10,
    "sure-now-and-then": 0.10,
}
"""The same for models that show little of what is judged."""

BEHIND = ("thinks-long", "small-talk-first")
"""Models behind which the faults that matter most must still be found."""

FOUND = 0.9
"""The share of them that must be."""


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    with server() as base_url:
        yield base_url


@pytest.mark.parametrize("name", [model.name for model in MODELS[::EVERY]])
def test_no_check_fails_because_of_a_model(url: str, name: str) -> None:
    with closing(Bench(url, FAULTS[name], timeout=TIMEOUT)) as on:
        ends = {check: result.outcome for check, result in on.sound.items()}
        wrong = {check: on.sound[check].message for check, seen in ends.items() if seen.bad}
        assert wrong == {}, f"these checks fail because of a model ({FAULTS[name].sentence}): {wrong}"
        left_open = [check for check, seen in ends.items() if seen in (Outcome.INCONCLUSIVE, Outcome.BLOCKED)]
        assert len(left_open) <= OPEN_BY.get(name, OPEN) * len(ends), f"{name} leaves open: {left_open}"


def faults_that_matter(on: Bench) -> list[str]:
    """Every third of the sharp faults that turn a core check red: for these a user looks at the matrix."""
    core = {check.id for check in on.checks if check.core}
    red = {
        name
        for name, entry in DECLARED.items()
        if any(id in core and Outcome(seen).bad for id, seen in entry.rows.items())
    }
    chat = [name for name in DECLARED if name in red and not FAULTS[name].concurrent]
    return [name for name in chat if not FAULTS[name].on or "chat" in FAULTS[name].on][::3]


@pytest.mark.skipif(EVERY > 1, reason="takes minutes for each model: all of .ci/gate has it")
@pytest.mark.parametrize("name", BEHIND)
def test_faults_are_found_behind_other_models(url: str, name: str) -> None:
    with closing(Bench(url, FAULTS[name], timeout=TIMEOUT)) as on:
        matter = faults_that_matter(on)
        missed = [f for f in matter if not any(r.outcome.bad for r in on.flips(FAULTS[f]).values())]
        found = 1 - len(missed) / len(matter)
        print(f"{name}: {len(matter) - len(missed)} of {len(matter)} faults found; missed: {missed}")
        assert found >= FOUND, f"behind {name} only {found:.0%} of {len(matter)} faults are found; missed: {missed}"
