"""The results file: JSON Lines with everything about a run, described by `results.schema.json`.

A header, then `exchange`, `check`, `client`, `finding` and `gateway` lines in the order in which they happened, then a
footer. Lines are flushed as they are written, so an interrupted run leaves a readable file. It has no footer, and
readers call it incomplete.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from backends import json_lines, redaction
from backends.errors import CannotWrite
from backends.json_lines import BadResults as BadResults
from backends.redaction import Secrets
from backends.suite import sdk_versions
from backends.suite import suite_version as suite_version
from conformance.outcomes import Level, Outcome
from conformance.requirements import dialect_rows
from conformance.requirements.renamed import renamed as renamed
from conformance.results.clients import ClientResult
from conformance.results.gateways import Gateway

FORMAT = 1
"""Version of the results format; readers reject files of a later version."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """The verdict of one check on one target.

    `expected` and `actual` are short texts; `held` are the assertions that held, as text; `exchanges` the scenarios
    that were judged, of which `controls` show what happens without the parameter. `cause` is the cause that the judge
    sees (an endpoint is absent, or only errors of unknown paths fail); `breaks` are all exchanges that break a rule
    over every exchange. `known` says whether the outcome is a listed deviation (`known`), or one that is listed and no
    longer there (`stale`). `later`: the run judges by a revision of requirements that lacks the check, which therefore
    is not in the grade and fails nothing.
    """

    id: str
    target: str
    feature: str
    level: Level
    core: bool
    source: str
    requirement: str
    outcome: Outcome
    message: str = ""
    expected: str = ""
    actual: str = ""
    held: list[str] = field(default_factory=list)
    exchanges: list[str] = field(default_factory=list)
    controls: list[str] = field(default_factory=list)
    cause: str = ""
    breaks: list[str] = field(default_factory=list)
    duration: float = 0.0
    known: str | None = None
    later: bool = False

    def to_json(self) -> dict[str, Any]:
        """The `check` line, without empty values."""
        data = {k: v for k, v in vars(self).items() if v not in ("", [], None) and (k, v) != ("later", False)}
        return {"kind": "check", **data, "level": str(self.level), "outcome": str(self.outcome)}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> CheckResult:
        """The inverse of `to_json`; keys of later suites are left out."""
        known = {k: v for k, v in line.items() if k in cls.__dataclass_fields__}
        return cls(**{**known, "level": Level(line["level"]), "outcome": Outcome(line["outcome"])})


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What is true of a whole server and explains many checks, in a sentence, with the exchanges that it touches.

    Checks that fail on these exchanges are folded beneath it.
    """

    target: str
    sentence: str
    exchanges: list[str] = field(default_factory=list)


_TEXT = r'("(?:[ !#-\[\]-~]|\\(?:["\\/bfnrt]|u[0-9a-f]{4}))*")'
_EXCHANGE = re.compile(rf'\{{"kind": "exchange", "target": {_TEXT}, "scenario": {_TEXT}[,}}].*\}}')
"""An exchange line as the writer writes it, whole."""


IN_MEMORY = 32 << 20
"""Bytes of exchange lines that are kept in memory; those beyond stay in their file."""


@dataclass(frozen=True)
class InFile:
    """A line of a file; `str()` reads it."""

    file: Path
    at: int
    size: int

    def __str__(self) -> str:
        with self.file.open("rb") as file:
            file.seek(self.at)
            return file.read(self.size).decode()


Line = str | dict[str, Any] | InFile


class Exchanges(MutableMapping[tuple[str, str], dict[str, Any]]):
    """Exchange lines by target and scenario, each parsed whenever it is asked for: they are most of a file, and most
    readers need few. `lines` has them as they are kept: as text, parsed, or in their file."""

    def __init__(self, lines: Mapping[tuple[str, str], Line]) -> None:
        self.lines = dict(lines)

    def __getitem__(self, key: tuple[str, str]) -> dict[str, Any]:
        line = self.lines[key]
        parsed: dict[str, Any] = line if isinstance(line, dict) else json.loads(str(line))
        return parsed

    def __setitem__(self, key: tuple[str, str], line: dict[str, Any]) -> None:
        self.lines[key] = line

    def __delitem__(self, key: tuple[str, str]) -> None:
        del self.lines[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.lines)

    def __len__(self) -> int:
        return len(self.lines)

    def renamed(self, name: str) -> Exchanges:
        """The exchanges of one target under another name."""
        found: dict[tuple[str, str], Line] = {}
        for key, line in self.lines.items():
            if isinstance(line, str) and (parts := _EXCHANGE.fullmatch(line)):
                found[name, key[1]] = line[: parts.start(1)] + json.dumps(name) + line[parts.end(1) :]
            else:
                found[name, key[1]] = {**self[key], "target": name}
        return Exchanges(found)


@dataclass(frozen=True, kw_only=True)
class Results:
    """What a results file says; `footer` is None if the run was cut."""

    header: dict[str, Any]
    checks: list[CheckResult]
    exchanges: Exchanges
    footer: dict[str, Any] | None
    findings: list[Finding] = field(default_factory=list)
    clients: list[ClientResult] = field(default_factory=list)
    gateways: list[Gateway] = field(default_factory=list)

    @property
    def targets(self) -> list[dict[str, Any]]:
        """The targets, as `Target.to_json` gives them."""
        return list(self.header["targets"])

    def with_not_run(self) -> list[CheckResult]:
        """The checks, with a `not-run` for each selected check without a line, so that totals are right."""
        seen = {(c.id, c.target) for c in self.checks}
        reason = (self.footer or {}).get("stopped") or "the run was cut before this check"
        return self.checks + [
            CheckResult.from_json({**planned, "target": target["name"], "outcome": "not-run", "message": reason})
            for target in self.targets
            for planned in self.header["selected"]
            if (planned["id"], target["name"]) not in seen and _is_planned(planned["id"], target)
        ]


def _is_planned(id: str, target: dict[str, Any]) -> bool:
    """Whether a selected check is for the target: a dialect's column has only those that it can change."""
    dialect = target["details"].get("dialect")
    return dialect not in dialect_rows.families() or id in dialect_rows.checks(dialect)


class Writer:
    """Writes a results file line by line; nothing of `hidden` gets into it."""

    def __init__(self, path: Path, hidden: Secrets = ()) -> None:
        self.path = path
        self._hidden = hidden
        self._file: TextIO = path.open("w", encoding="utf-8")

    def header(
        self,
        *,
        targets: list[dict[str, Any]],
        selected: list[dict[str, Any]],
        command: str,
        profile: str = "full",
        requirements: str = "",
    ) -> None:
        """The first line: what is measured, which checks are selected, and the requirements that they have."""
        self._write(
            {
                "kind": "header",
                "format": FORMAT,
                "suite": suite_version(),
                "sdks": sdk_versions(),
                "started": round(time.time(), 3),
                "command": command,
                "profile": profile,
                "requirements": requirements,
                "targets": targets,
                "selected": selected,
            }
        )

    def exchange(self, target: str, scenario: str, recording: str | dict[str, Any]) -> None:
        """The wire of one scenario: its `exchanges`, or why it was `unsent`, as an object or as its JSON."""
        head = json.dumps({"kind": "exchange", "target": target, "scenario": scenario})
        self._write_line(f"{head[:-1]}, {(recording if isinstance(recording, str) else json.dumps(recording))[1:]}")

    def check(self, result: CheckResult) -> None:
        """The verdict of one check."""
        self._write(result.to_json())

    def finding(self, found: Finding) -> None:
        """What is true of a whole server."""
        self._write({"kind": "finding", **vars(found)})

    def client(self, result: ClientResult) -> None:
        """What a real client did."""
        self._write(result.to_json())

    def gateway(self, found: Gateway) -> None:
        """How a gateway changed requests and responses."""
        self._write(found.to_json())

    def footer(self, *, duration: float, exit_code: int, stopped: str | None) -> None:
        """The last line: wall time in seconds, pytest's exit code, and why the run stopped early, if it did."""
        self._write({"kind": "footer", "duration": round(duration, 3), "exit_code": exit_code, "stopped": stopped})
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        # ASCII only: what a server says may hold lone surrogates, which no UTF-8 file can.
        self._write_line(json.dumps(line))

    def _write_line(self, line: str) -> None:
        try:
            self._file.write(redaction.line(line, self._hidden) + "\n")
            self._file.flush()
        except OSError as problem:
            with contextlib.suppress(OSError):
                self._file.close()  # It would try again, and complain.
            raise CannotWrite(f"{self.path}: cannot write on ({problem.strerror}); make room and run again.") from None


def read(path: Path) -> Results:
    """Read a results file, complete or not; each line is validated. Raises BadResults."""
    header: dict[str, Any] = {}
    footer: dict[str, Any] | None = None
    checks: list[CheckResult] = []
    exchanges: dict[tuple[str, str], Line] = {}
    findings: list[Finding] = []
    clients: list[ClientResult] = []
    gateways: list[Gateway] = []
    room = IN_MEMORY
    for text, line, at in json_lines.read_with_places(path):
        match line["kind"]:
            case "header":
                header = {**line, "selected": [_renamed(one) for one in line["selected"]]}
            case "exchange":
                room -= len(text)
                kept = text if room >= 0 else InFile(path, at, len(text.encode()))
                exchanges[line["target"], line["scenario"]] = kept
            case "check":
                checks.append(CheckResult.from_json(_renamed(line)))
            case "finding":
                findings.append(Finding(**{key: line[key] for key in ("target", "sentence", "exchanges")}))
            case "client":
                clients.append(ClientResult.from_json(line))
            case "gateway":
                gateways.append(Gateway.from_json(line))
            case "footer":
                footer = line
    return Results(
        header=header,
        checks=checks,
        exchanges=Exchanges(exchanges),
        footer=footer,
        findings=findings,
        clients=clients,
        gateways=gateways,
    )


def _renamed(line: dict[str, Any]) -> dict[str, Any]:
    return {**line, "id": renamed().get(line["id"], line["id"])}


def read_all(paths: Iterable[Path]) -> list[Results]:
    """Read results files, and those below directories; raises BadResults if there are none."""
    files: list[Path] = []
    for path in paths:
        files += sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise BadResults("No results file there: name a results.jsonl, or a directory that has one.")
    return [read(file) for file in files]
