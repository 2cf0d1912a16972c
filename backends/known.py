"""Deviations that are known: `backends/NAME/known.toml` lists the checks that a backend does not pass, and why.

An entry is a cause, with all the checks that end in the same way because of it:

[[deviation]]
outcome = "ignored"
checks = ["tool_choice.a_name_forces_that_function", "tool_choice.a_name_forces_that_function_in_a_stream"]
versions = ["0.3*"]        # optional: patterns of the target's version; without them, every version
reason = "tool_choice with a function's name is treated as auto"
link = "https://github.com/..."     # optional
"""

from __future__ import annotations

import json
import re
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
    """One entry: a cause, the ids of the checks that it makes end otherwise than with a pass, and how they end."""

    outcome: str
    checks: tuple[str, ...]
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


def read(backend: str) -> list[Deviation]:
    """The backend's deviations as they are listed. Raises BadKnown."""
    file = path(backend)
    if not file.exists():
        return []
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("deviation", [])
        return [_deviation(entry) for entry in entries]
    except (ValueError, TypeError, AttributeError) as problem:
        raise BadKnown(f"backends/{backend}/known.toml cannot be read: {problem}.") from None


def load(backend: str, checks: Iterable[str]) -> list[Deviation]:
    """The backend's deviations; each must name one of the suite's `checks`. Raises BadKnown."""
    name = f"backends/{backend}/known.toml"
    found = read(backend)
    ids = set(checks)
    for entry in found:
        if unknown := [check for check in entry.checks if check not in ids]:
            raise BadKnown(f"{name} lists {unknown[0]!r}, and there is no such check: correct its id, or remove it.")
        if entry.outcome not in VERDICTS:
            raise BadKnown(f"{name}, {entry.checks[0]}: outcome {entry.outcome!r} is none of {', '.join(VERDICTS)}.")
    return found


def scope(deviations: list[Deviation], backend: str, version: str | None) -> str:
    """How many of a backend's deviations are about this version of its server, in a sentence."""
    applying = sum(one.applies_to(version) for one in deviations)
    file = f"backends/{backend}/known.toml"
    said = f"{applying or 'none'} of the {len(deviations)} entries in {file} apply to this server"
    seen = f"version {version}" if version else "its version is unknown"
    return said if applying else f"{said} ({seen}): everything counts as news"


def overlay(deviations: list[Deviation], check: str, outcome: str, version: str | None) -> Overlay | None:
    """How a check's outcome compares with what is listed for this version; None: nothing is, or it is news."""
    fitting = [d.overlay(outcome) for d in deviations if check in d.checks and d.applies_to(version)]
    return "known" if "known" in fitting else next((o for o in fitting if o), None)


def entries(results: Path, backend: str) -> str:
    """A draft of a known.toml from a results file: what is no pass, grouped by outcome and similar message.

    A person joins the groups that have one cause, and writes what the server does as the reason.
    """
    lines = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
    versions = {t["name"]: t["version"] for t in lines[0]["targets"] if t["backend"] == backend}
    groups: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for line in lines:
        if line["kind"] == "check" and line["target"] in versions and line["outcome"] in VERDICTS:
            groups.setdefault((line["outcome"], versions[line["target"]] or "", _gist(line)), []).append(line)
    return "\n".join(_entry(outcome, version, group) for (outcome, version, _), group in sorted(groups.items()))


def _deviation(entry: dict[str, Any]) -> Deviation:
    """An entry as it stands in the file; raises TypeError."""
    lists = {key: entry.get(key, []) for key in ("checks", "versions")}
    if not lists["checks"] or not all(isinstance(words, list) for words in lists.values()):
        raise TypeError("checks and versions are lists, and checks has at least one id")
    return Deviation(**{**entry, **{key: tuple(words) for key, words in lists.items()}})


def _gist(line: dict[str, Any]) -> str:
    """A check's message without what differs from check to check: names of scenarios, numbers, ids."""
    text = str(line.get("message", ""))
    for name in sorted(line.get("exchanges", ()), key=len, reverse=True):
        text = re.sub(rf"\b{name}\b(\[\d+\])?", "…", text)
    return re.sub(r"\w*\d\w*", "…", text)


def _entry(outcome: str, version: str, group: list[dict[str, Any]]) -> str:
    ids = "".join(f'    "{check}",\n' for check in dict.fromkeys(line["id"] for line in group))
    versions = f"versions = [{json.dumps(version, ensure_ascii=False)}]\n" if version else ""
    reason = json.dumps(" ".join(group[0].get("message", "").split())[:200], ensure_ascii=False)
    return f'[[deviation]]\noutcome = "{outcome}"\nchecks = [\n{ids}]\n{versions}reason = {reason}\n'
