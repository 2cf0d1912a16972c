"""CTRF (Common Test Report Format), a JSON document that many reporters of CI servers read."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from conformance.outcomes import Outcome
from conformance.results import CheckResult, suite_version
from reports.hostile import cut, visible
from reports.table import Column, Table

_STATUS = {Outcome.PASS: "passed", Outcome.LENIENT: "passed", Outcome.NOT_RUN: "pending"}
_STATUS |= {o: "failed" for o in Outcome if o.bad}
"""All others are `other`: neither passed nor violated."""


def export(shown: Table) -> str:
    """The document."""
    tests = [_test(column, check) for column in shown.columns for check in column.checks]
    counted = Counter(test["status"] for test in tests)
    starts = [float(column.results.header["started"]) for column in shown.columns]
    stops = [
        float(column.results.header["started"]) + float((column.results.footer or {}).get("duration", 0))
        for column in shown.columns
    ]
    return json.dumps(
        {
            "reportFormat": "CTRF",
            "specVersion": "0.0.0",
            "results": {
                "tool": {"name": "openai-conformance", "version": suite_version()},
                "summary": {
                    "tests": len(tests),
                    **{status: counted[status] for status in ("passed", "failed", "skipped", "pending", "other")},
                    "start": int(min(starts, default=0) * 1000),
                    "stop": int(max(stops, default=0) * 1000),
                },
                "tests": tests,
            },
        },
        indent=1,
    )


def _test(column: Column, check: CheckResult) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": visible(f"{column.name}: {check.id}"),
        "status": _STATUS.get(check.outcome, "other"),
        "duration": round(check.duration * 1000),
        "rawStatus": str(check.outcome),
        "suite": [visible(column.name), visible(check.feature)],
        "tags": [str(check.level), *(["core"] if check.core else [])],
        "extra": {"requirement": visible(check.requirement), "source": visible(check.source)},
    }
    if check.message:
        made["message"] = visible(cut(check.message))
    return made
