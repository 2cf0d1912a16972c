"""Revisions of the requirements: every check's level, row, source and sentence, frozen under a name in
`revisions/NAME.json`. A run with `--requirements=NAME` judges and grades by them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from conformance.outcomes import Level
from conformance.requirements.renamed import renamed

FOLDER = Path(__file__).parent / "revisions"


class BadRevision(Exception):
    """A revision cannot be read or frozen; a sentence for the user."""


class Required(Protocol):
    """What a check and its result have in common."""

    @property
    def id(self) -> str: ...
    @property
    def feature(self) -> str: ...
    @property
    def level(self) -> Level: ...
    @property
    def core(self) -> bool: ...
    @property
    def source(self) -> str: ...
    @property
    def requirement(self) -> str: ...


T = TypeVar("T", bound=Required)

KEYS = ("feature", "level", "core", "source", "requirement")
"""What a revision freezes of each check."""


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A frozen set of requirements: `checks` has the values of `KEYS` by the present id of each check.

    `frozen` is the day, and `suite` the version of the suite that was frozen.
    """

    name: str
    frozen: str
    suite: str
    checks: dict[str, dict[str, Any]]

    def of(self, one: T) -> T:
        """A check or a result with the level, row, source and sentence of this revision; `later` if it lacks it."""
        had = self.checks.get(one.id)
        return replace(one, later=True) if had is None else replace(one, **had, later=False)  # type: ignore[type-var]

    def changes(self, checks: Iterable[Required]) -> dict[str, list[str]]:
        """How the checks of today differ: the ids of those that are new, gone, or have another level, row or sentence.

        Kinds without any are left out.
        """
        now = {check.id: check for check in checks}
        both = [id for id in now if id in self.checks]
        found = {
            "new": [id for id in now if id not in self.checks],
            "gone": [id for id in self.checks if id not in now],
            "level": [id for id in both if self._differs(now[id], "level", "core")],
            "row": [id for id in both if self._differs(now[id], "feature")],
            "sentence": [id for id in both if self._differs(now[id], "requirement", "source")],
        }
        return {kind: ids for kind, ids in found.items() if ids}

    def _differs(self, check: Required, *keys: str) -> bool:
        return any(getattr(check, key) != self.checks[check.id][key] for key in keys)


@cache
def revisions() -> dict[str, Revision]:
    """Every revision by its name, oldest first. Raises BadRevision."""
    found = [_read(file) for file in FOLDER.glob("*.json")]
    return {one.name: one for one in sorted(found, key=lambda one: (one.frozen, one.name))}


def newest() -> Revision:
    """The revision that was frozen last."""
    return list(revisions().values())[-1]


def revision(name: str) -> Revision:
    """The revision of a name. Raises BadRevision."""
    if name not in revisions():
        raise BadRevision(f"there is no revision {name!r}; choose one of {', '.join(revisions())}.")
    return revisions()[name]


def told(checks: Iterable[Required]) -> str:
    """What the checks of today require, in words: `2026-11`, or `2026-11 with unreleased changes (1 level, 2 new)`."""
    last = newest()
    counts = ", ".join(f"{len(ids)} {kind}" for kind, ids in sorted(last.changes(checks).items()))
    return f"{last.name} with unreleased changes ({counts})" if counts else last.name


def write(name: str, frozen: str, suite: str, checks: Iterable[Required], folder: Path = FOLDER) -> Path:
    """Freeze checks under a name, and return the file. Raises BadRevision if there is one already."""
    file = folder / f"{name}.json"
    if file.exists():
        raise BadRevision(f"{name} already exists: choose another name.")
    if not name.replace("-", "").isdigit():
        raise BadRevision(f"{name}: name a revision by its month or day, as 2026-11 or 2026-11-30.")
    kept = {one.id: {key: getattr(one, key) for key in KEYS} for one in sorted(checks, key=lambda one: one.id)}
    data = {"frozen": frozen, "suite": suite, "digest": digest(kept), "checks": kept}
    folder.mkdir(exist_ok=True)
    file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return file


def digest(checks: Mapping[str, Any]) -> str:
    """A hash of frozen checks, which shows whether they were changed afterwards."""
    return hashlib.sha256(json.dumps(checks, sort_keys=True).encode()).hexdigest()


def _read(file: Path) -> Revision:
    data = json.loads(file.read_text(encoding="utf-8"))
    if digest(data["checks"]) != data["digest"]:
        raise BadRevision(f"{file.name} was changed after it was frozen: restore it, and freeze a new revision.")
    checks = {renamed().get(id, id): {**one, "level": Level(one["level"])} for id, one in data["checks"].items()}
    return Revision(name=file.stem, frozen=data["frozen"], suite=data["suite"], checks=checks)
