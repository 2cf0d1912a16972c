"""Deviations that are known: `backends/NAME/known.toml` lists the checks that a backend does not pass, and why.

A server's own repository may have such a file, too; there, `versions` may be absent: it is about the server beside it.

versions = ["0.33.0-rc2"]           # those that were measured; an entry may have its own

[[deviation]]                       # a cause, with all the checks that end in the same way because of it
outcome = "ignored"
checks = ["tool_choice.a_name_forces_that_function", "tool_choice.a_name_forces_that_function_in_a_stream"]
reason = "tool_choice with a function's name is treated as auto"
code_path = "GGUF template"         # optional: only on this one of the server's code paths
link = "https://github.com/..."     # optional

[[flaky]]                           # checks that pass in some runs only: they never fail a run, nor are they stale
checks = ["seed.repeats_the_answer"]
reason = "two requests at once share one sampler"
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backends import data, json_lines
from backends.errors import CannotMeasure
from backends.printable import printable, visible

Overlay = Literal["known", "stale"]

GOOD = ("pass", "lenient")
VERDICTS = ("fail", "ignored", "rejected", "timeout")
"""Outcomes that say something about the server; only these can be listed."""

_KEYS = ("outcome", "checks", "reason", "versions", "code_path", "link")

FLAKY = "flaky"
"""The outcome of an entry of `[[flaky]]`."""


class BadKnown(CannotMeasure):
    """A known.toml that cannot be used; `str()` says what is wrong in one sentence."""


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """One entry: a cause, the ids of the checks that it makes end otherwise than with a pass, and how they end.

    It is about the servers that were measured: these `versions` (any, if there are none), on this `code_path` if it
    names one. `listed_in` is the file, as it is named to the user.
    """

    outcome: str
    checks: tuple[str, ...]
    reason: str
    versions: tuple[str, ...]
    code_path: str | None = None
    link: str = ""
    listed_in: str = ""

    def applies_to(self, version: str | None, code_path: str | None) -> bool:
        """Whether the entry is about a server: its version as `Target.version` has it, with or without the word
        `wheel`, or that version's last word."""
        said = version or ""
        measured = {said, said.replace(" wheel ", " "), said.rpartition(" ")[2]} & set(self.versions)
        return (bool(measured) or not self.versions) and self.code_path in (None, code_path)

    def overlay(self, outcome: str) -> Overlay | None:
        """`known` if this is the outcome that is listed, `stale` if the check passes now, None if it is new."""
        if self.outcome == FLAKY:
            return "known" if outcome in VERDICTS else None
        return "known" if outcome == self.outcome else "stale" if outcome in GOOD else None


def path(backend: str) -> Path:
    """Where a backend's deviations are listed; there may be no such file."""
    return Path(__file__).parent / backend / "known.toml"


def read(backend: str, file: Path | None = None) -> list[Deviation]:
    """The backend's deviations as they are listed, in its own file or in another one. Raises BadKnown."""
    named = str(file) if file else f"backends/{backend}/known.toml"
    if file is None and not path(backend).exists():
        return []
    try:
        listed = tomllib.loads((file or path(backend)).read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as problem:
        raise BadKnown(f"{named} cannot be read: {problem}.") from None
    if strange := set(listed) - {"versions", "deviation", FLAKY}:
        raise BadKnown(
            f"{named}: there is no key {min(strange)!r}; it may have versions, [[deviation]] and [[{FLAKY}]]."
        )
    found: list[Deviation] = []
    code_paths = _code_paths(backend)
    for kind in ("deviation", FLAKY):
        entries = listed.get(kind, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise BadKnown(f"{named}: begin each {kind} with [[{kind}]].")
        for number, entry in enumerate(entries, start=1):
            complete = {"versions": listed.get("versions", [] if file else None), **entry}
            if kind == FLAKY:
                complete["outcome"] = FLAKY
            if wrong := _wrong(complete, code_paths, any_version=bool(file)) or _listed_twice(complete, found):
                checks = entry.get("checks")
                of = f" ({checks[0]} …)" if isinstance(checks, list) and checks else ""
                raise BadKnown(f"{named}, {kind} {number}{of}: {wrong}.")
            lists = {key: tuple(complete[key]) for key in ("checks", "versions")}
            found.append(Deviation(**{**complete, **lists}, listed_in=named))
    return found


def load(backend: str, checks: Iterable[str], file: Path | None = None) -> list[Deviation]:
    """As `read`, but each deviation must name one of the suite's `checks`. Raises BadKnown."""
    found = read(backend, file)
    ids = set(checks)
    for entry in found:
        if unknown := [check for check in entry.checks if check not in ids]:
            raise BadKnown(
                f"{entry.listed_in} lists {unknown[0]!r}, and there is no such check: correct its id or remove it."
            )
    return found


def scope(deviations: list[Deviation], file: str, version: str | None, code_path: str | None) -> str:
    """How many of the deviations that a file lists are about this server, in a sentence."""
    applying = sum(one.applies_to(version, code_path) for one in deviations)
    said = f"{applying or 'none'} of the {len(deviations)} entries in {file} apply to this server"
    if applying:
        return said
    measured = ", ".join(dict.fromkeys(version for one in deviations for version in one.versions))
    seen = f"version {version}" if version else "its version is unknown"
    return f"{said} ({seen}; measured: {measured or 'none'}): every deviation is new"


def overlay(
    deviations: list[Deviation], check: str, outcome: str, version: str | None, code_path: str | None
) -> Overlay | None:
    """How a check's outcome compares with what is listed for this server; None: nothing is, or it is new."""
    fitting = [d.overlay(outcome) for d in deviations if check in d.checks and d.applies_to(version, code_path)]
    return "known" if "known" in fitting else next((o for o in fitting if o), None)


def unlisted(results: list[Path], backend: str) -> str:
    """What results files have of a backend that its known.toml lacks, as entries for it; and what is stale there.

    Checks with the same outcome and a similar message are one entry. A person joins the entries that have one cause,
    and writes what the server does as the reason.
    """
    listed = read(backend)
    found: dict[tuple[str, str, str], list[tuple[dict[str, Any], str | None]]] = {}
    stale: dict[str, None] = {}
    for file in results:
        targets: dict[str, dict[str, Any]] = {}
        for _, line in json_lines.read(file):
            if line["kind"] == "header":
                targets = {t["name"]: t for t in line["targets"] if t["backend"] == backend}
            if line["kind"] != "check" or line["target"] not in targets:
                continue
            target = targets[line["target"]]
            about = target["version"], target.get("code_path")
            overlaid = overlay(listed, line["id"], line["outcome"], *about)
            if overlaid == "stale":
                of = f" ({about[1]})" if about[1] else ""
                stale[printable(f"# stale: {line['id']} passes now on {about[0]}{of}")] = None
            elif overlaid is None and line["outcome"] in VERDICTS:
                key = (line["outcome"], about[0] or "", gist(line.get("message", ""), line.get("exchanges", ())))
                found.setdefault(key, []).append((line, about[1]))
    entries = [_entry(outcome, version, group) for (outcome, version, _), group in sorted(found.items())]
    return "\n".join([*entries, *stale])


def _wrong(entry: dict[str, Any], code_paths: tuple[str, ...], *, any_version: bool) -> str | None:
    """What is wrong with an entry, in words; None if nothing is."""
    if strange := sorted(set(entry) - set(_KEYS)):
        return f"there is no key {strange[0]!r}; a deviation may have {', '.join(_KEYS)}"
    for key in ("checks", "versions"):
        words = entry.get(key)
        if key == "versions" and any_version and words == []:
            continue
        if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
            return f"expected an array of at least one string (`{key}`)"
    if pattern := next((version for version in entry["versions"] if re.search(r"[*?\[]", version)), None):
        return f"version {pattern!r} is a pattern; list the versions that were measured"
    if entry.get("outcome") not in (*VERDICTS, FLAKY):
        return f"expected {', '.join(VERDICTS)}, got {entry.get('outcome')!r} (`outcome`)"
    if not isinstance(entry.get("reason"), str) or not entry["reason"].strip():
        return "`reason` is missing: say what the server does"
    if not re.match("https://", str(entry.get("link", "https://"))):
        return f"expected an address that begins with https://, got {entry['link']!r} (`link`)"
    if entry.get("code_path") not in (None, *code_paths):
        known = ", ".join(code_paths) or "none, as its backend.toml has no attach.code_path"
        return f"code_path {entry['code_path']!r} is not one of the server's ({known})"
    return None


def _listed_twice(entry: dict[str, Any], earlier: list[Deviation]) -> str | None:
    """Says which check of an entry an earlier one has too, for the same server."""
    for one in earlier:
        same_path = one.code_path is None or entry.get("code_path") in (None, one.code_path)
        versions = set(one.versions), set(entry["versions"])
        if same_path and (not all(versions) or versions[0] & versions[1]):
            for check in entry["checks"]:
                if check in one.checks:
                    return f"{check} is listed in an earlier deviation too; keep one of them"
    twice = [check for check in entry["checks"] if entry["checks"].count(check) > 1]
    return f"{twice[0]} is listed twice" if twice else None


def _code_paths(backend: str) -> tuple[str, ...]:
    """The code paths that a server of this kind has, as its `backend.toml` names them."""
    file = path(backend).with_name("backend.toml")
    about = data.read(file) if file.exists() else {}
    return tuple(about.get("attach", {}).get("code_path", {}).get("is", {}))


def gist(message: str, exchanges: Iterable[str]) -> str:
    """A check's message without what differs from check to check: names of exchanges, numbers, ids."""
    for name in sorted(exchanges, key=len, reverse=True):
        message = re.sub(rf"(?<![\w.]){re.escape(name)}(\[\d+\])?(?!\w)", "…", message)
    return without_numbers(message)


def without_numbers(text: str) -> str:
    """The text with an ellipsis for each word that has a digit."""
    # Not `\w*\d\w*`: in a long word without a digit that would look for one from each of its letters.
    return re.sub(r"\w+", lambda word: "…" if re.search(r"\d", word[0]) else word[0], text)


def _entry(outcome: str, version: str, group: list[tuple[dict[str, Any], str | None]]) -> str:
    ids = "".join(f"    {_quoted(check)},\n" for check in dict.fromkeys(line["id"] for line, _ in group))
    versions = f"versions = [{_quoted(version)}]\n" if version else ""
    code_paths = {code_path for _, code_path in group}
    only = f"code_path = {_quoted(code_paths.pop() or '')}\n" if len(code_paths) == 1 and None not in code_paths else ""
    reason = _quoted(" ".join(group[0][0].get("message", "").split())[:200])
    return f"[[deviation]]\noutcome = {_quoted(outcome)}\nchecks = [\n{ids}]\n{versions}{only}reason = {reason}\n"


def _quoted(text: str) -> str:
    """A string of TOML; what is invisible is written as an escape that can be read."""
    return json.dumps(visible(text), ensure_ascii=False)
