"""The gate of refusals: a server that rejects a parameter cleanly is accused of nothing, and only its own row falls.

Not collected with the other tests, since it takes a minute or two: `.ci/gate`.
"""

from __future__ import annotations

import pytest

from conformance.results import CheckResult
from conformance.results.grading import Status, status
from tests.reference.bench import Bench
from tests.reference.faults import FAULTS
from tests.reference.gate import EVERY, REFUSING

ROWS = {
    "refuses-tools": {"tools", "tool_choice", "parallel_tools"},
    "refuses-response-format": {"json_mode", "json_schema"},
    "refuses-stream": {"streaming"},
    "refuses-stream-options": {"usage", "streaming"},
    "refuses-parallel-tool-calls": {"parallel_tools"},
    "refuses-reasoning-effort": {"reasoning"},
    "refuses-top-logprobs": {"logprobs"},
    "wants-turns-that-alternate": {"conversation"},
    "refuses-values-at-the-edge": {"max_tokens", "top_p"},
    "as-groq": {"logprobs", "logit_bias", "n", "messages"},
    "as-cerebras": {"frequency_penalty", "presence_penalty", "logit_bias", "chat"},
    "forbids-what-it-does-not-know": {"logprobs", "logit_bias", "chat", "max_completion_tokens"},
    "wants-temperatures-up-to-1": {"temperature"},
    "wants-few-alternatives": {"logprobs"},
    "as-a-reasoning-model-of-openai": {
        *("temperature", "top_p", "frequency_penalty", "presence_penalty", "max_tokens", "logprobs", "logit_bias"),
        "stop",
    },
}
"""The rows that may fall where they have another name than the parameter."""


@pytest.mark.parametrize("name", [fault.name for fault in REFUSING[::EVERY]])
def test_only_the_row_of_a_rejected_parameter_falls(on: Bench, name: str) -> None:
    flipped = on.flips(FAULTS[name])
    wrong = {check: result.message for check, result in flipped.items() if result.outcome.bad}
    assert wrong == {}, f"these checks accuse a server though it rejects cleanly ({FAULTS[name].sentence}): {wrong}"
    ends = {**on.sound, **flipped}
    rows = {check.feature for check in on.checks if check.id in flipped}
    fallen = {row for row in rows if _status(on, ends, row) in (Status.NO, Status.IGNORED, Status.PARTIAL)}
    fallen = {row for row in fallen if not row.startswith("examples_")}  # An example has what it has.
    assert fallen <= ROWS.get(name, {name.removeprefix("refuses-").replace("-", "_")}), f"{name} lowers {fallen}"


def _status(on: Bench, ends: dict[str, CheckResult], row: str) -> Status:
    return status([ends[check.id] for check in on.checks if check.feature == row])
