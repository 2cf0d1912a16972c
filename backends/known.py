"""Deviations that are known: `backends/NAME/known.toml` lists the checks that a backend does not pass, and why.

[[deviation]]
check = "tool_choice.named_function_is_called"
outcome = "ignored"
versions = ["0.3*"]        # optional: patterns of the target's version; without them, every version
reason = "tool_choice with a function's name is treated as auto"
link = "https://github.com/..."     # optional
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from backends.errors import CannotMeasure

Overlay = Literal["known", "stale"]

GOOD = ("pass", "lenient")
VERDICTS = ("fail", "ignored", "rejected", "timeout")
"""Outcomes that say something of the server; only these can be listed."""


class BadKnown(CannotMeasure):
    """A known.toml that cannot be used; `str()` says what is wrong in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One entry. `check` is a check's id, `outcome` how it ends."""

    check: str
    outcome: str
    reason: str
    versions: tuple[str, ...] = ()
    link: str = ""

    def applies_to(self, version: str | None) -> bool:
        """Whether the entry is about this version of the server, as `Target.version` has it or as its last word is."""
        names = (version or "", (version or "").rpartition(" ")[2])
        return not self.versions or any(fnmatch(name, pattern) for name in names for pattern in self.versions)

    def overlay(self, outcome: str) -> Overlay | None:
        """`known` if this is the outcome that is listed, `stale` if the check passes now, None if it is news."""
        return "known" if outcome == self.outcome else "stale" if outcome in GOOD else None


def path(backend: str) -> Path:
    """Where a backend's deviations are listed; there may be no such file."""
    return Path(__file__).parent / backend / "known.toml"


def load(backend: str, checks: Iterable[str]) -> list[Deviation]:
    """The backend's deviations; each must name one of the suite's `checks`. Raises BadKnown."""
    file = path(backend)
    if not file.exists():
        return []
    name = f"backends/{backend}/known.toml"
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("deviation", [])
        found = [Deviation(**{**entry, "versions": tuple(entry.get("versions", ()))}) for entry in entries]
    except (tomllib.TOMLDecodeError, TypeError) as problem:
        raise BadKnown(f"{name} cannot be read: {problem}.") from None
    ids = set(checks)
    for entry in found:
        if entry.check not in ids:
            raise BadKnown(f"{name} lists {entry.check!r}, and there is no such check: correct its id, or remove it.")
        if entry.outcome not in VERDICTS:
            raise BadKnown(f"{name}, {entry.check}: the outcome {entry.outcome!r} is none of {', '.join(VERDICTS)}.")
    return found


def overlay(deviations: list[Deviation], check: str, outcome: str, version: str | None) -> Overlay | None:
    """How a check's outcome compares with what is listed for this version; None: nothing is, or it is news."""
    fitting = [d.overlay(outcome) for d in deviations if d.check == check and d.applies_to(version)]
    return "known" if "known" in fitting else next((o for o in fitting if o), None)


def entries(results: Path, backend: str) -> str:
    """Entries to paste into a known.toml, from a results file: what is no pass, with the check's message as reason."""
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    targets = {t["name"] for t in lines[0]["targets"] if t["backend"] == backend}
    return "\n".join(
        _entry(line)
        for line in lines
        if line["kind"] == "check" and line["target"] in targets and line["outcome"] in VERDICTS
    )


def _entry(line: dict[str, Any]) -> str:
    reason = json.dumps(" ".join(line.get("message", "").split())[:200], ensure_ascii=False)
    return f'[[deviation]]\ncheck = "{line["id"]}"\noutcome = "{line["outcome"]}"\nreason = {reason}\n'
