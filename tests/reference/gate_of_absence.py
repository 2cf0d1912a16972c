"""The gate of absent endpoints: an absent endpoint is one fact and not a violation, whatever its errors say.

Not collected with the other tests, since it takes minutes: `.ci/gate`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.answers.absence import ENDPOINTS
from conformance.results import CheckResult
from conformance.results.causes import causes
from conformance.results.grading import status
from tests.reference.absent import STYLES, VARIATIONS
from tests.reference.bench import Bench, bench
from tests.reference.gate import EVERY

CASES = [
    *zip(list(VARIATIONS)[:-1], STYLES, strict=False),
    ("only-embeddings", "fastapi"),
    ("no-completions", "honest"),
]
CASES += [("no-stored-responses", "gateway")]


@pytest.fixture(scope="session")
def on() -> Iterator[Bench]:
    with bench() as running:
        yield running


def test_every_variation_and_every_style_is_tried() -> None:
    assert {style for _, style in CASES} == set(STYLES)
    assert {variation for variation, _ in CASES} | {"none-but-unknown"} == set(VARIATIONS)


@pytest.mark.parametrize("asked", [" ".join(case) for case in CASES[::EVERY]])
def test_a_server_without_an_endpoint_is_accused_of_nothing(on: Bench, asked: str) -> None:
    assert_one_fact_each(on, asked)


def assert_one_fact_each(on: Bench, asked: str) -> None:
    """On a server that lacks endpoints, no check fails, only their rows are `no`, and each endpoint is one cause."""
    results = on.without(asked)
    assert {r.id: r.message for r in results.values() if r.outcome.bad} == {}
    rows: dict[str, list[CheckResult]] = {}
    for result in results.values():
        rows.setdefault(result.feature, []).append(result)
    said = {row: str(status(some)) for row, some in rows.items()}
    lost = {sentence.partition(" is absent")[0] for r in results.values() if (sentence := r.cause)}
    own = {row for endpoint in ENDPOINTS if endpoint.name in lost for row in endpoint.rows}
    assert {row for row, word in said.items() if word == "no"} <= own
    assert {said[row] for row in own} <= {"no", "partial"}
    assert {word for row, word in said.items() if row not in own} <= {"yes", "unknown"}
    found = causes(results.values())
    caused = [check.id for cause in found for check in cause.checks]
    others = {r.id: f"{r.outcome}: {r.message}" for r in results.values() if not r.outcome.good and r.id not in caused}
    others = {id: said for id, said in others.items() if not id.startswith("effects.")}  # Rules over every response.
    assert others == {}
    assert len(caused) == len(set(caused))
    assert {cause.sentence.partition(" is absent")[0] for cause in found} == lost
