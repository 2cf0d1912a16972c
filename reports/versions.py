"""What each version of a server changed."""

from __future__ import annotations

from collections import Counter
from typing import Any

from conformance.outcomes import Outcome
from conformance.results.versions import outcomes
from reports.diff import Kind, check_kind

DECIDED = (Outcome.PASS, Outcome.LENIENT, Outcome.FAIL, Outcome.IGNORED, Outcome.REJECTED, Outcome.TIMEOUT)


def timeline(kept: dict[str, Any], backend: str) -> str:
    """What each version changed, as Markdown, newest first. What was not decided before or after is left out."""
    versions = sorted(kept["versions"], key=_in_order)
    before: dict[str, Outcome] = {}
    parts = []
    for version in versions:
        now = dict(outcomes(kept, version))
        changed: dict[Kind, list[str]] = {Kind.REGRESSION: [], Kind.FIX: []}
        for id, outcome in now.items():
            kind = check_kind(before[id], outcome) if id in before and outcome in DECIDED else None
            if kind in changed:
                changed[kind].append(f"`{id}` ({before[id]} → {outcome})")
        counts = Counter(now.values())
        said = ", ".join(f"{counts[one]} {one}" for one in Outcome if counts[one])
        lines = [f"## {version}", "", f"{said}.", ""]
        for kind, word in ((Kind.REGRESSION, "Regressed"), (Kind.FIX, "Fixed")):
            lines += [f"- {word}: {one}" for one in sorted(changed[kind])]
        parts.append("\n".join(lines).strip() if version != versions[0] else "\n".join(lines[:3]))
        before |= {id: outcome for id, outcome in now.items() if outcome in DECIDED}
    suites = sorted({one["suite"] for one in kept["versions"].values()})
    head = (
        f"# {backend} by version\n\nMade by `python -m reports versions {backend}` from `{backend}.json`; "
        f"measured by {', '.join(suites)}. A change is a check that ended better or worse than in the last version "
        "in which it was decided.\n"
    )
    return "\n".join([head, *(f"{part}\n" for part in reversed(parts))])


def _in_order(version: str) -> list[int]:
    return [int(number) for number in version.replace("-", ".").split(".") if number.isdigit()]
