"""What a nightly job does with results besides pages: it keeps them, and raises an alarm for a regression."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from conformance.results import BadResults, read
from reports import diff_text
from reports.diff import Diff, Kind

WIRE = 2
"""Newest runs of a series that keep their exchanges: the one that is shown, and the one it is compared with."""

LABEL = "conformance-regression"
"""The label by which the one open issue is found."""

BODY = 60_000
"""Characters of an issue's text; GitHub takes 65,536."""

Gh = Callable[[Sequence[str], str], str]
"""Runs GitHub's `gh` with arguments and standard input, and gives its output."""


def keep(new: Path, data: Path) -> list[Path]:
    """Add the results of a night to the data branch's directory; returns where they are kept.

    `new` has a directory for each job, as `actions/download-artifact` leaves them: `llamacpp-rocm/…/results.jsonl`.
    A job's name is its series; shards are `llamacpp-rocm.1`, `llamacpp-rocm.2`. Kept as `SERIES/TIME.jsonl`.
    Runs older than the newest `WIRE` of a series lose their exchanges, which history does not need.
    """
    files = sorted(new.rglob("*.jsonl"))
    if not files:
        raise BadResults(f"No results file below {new}: did any job upload one?")
    kept = []
    for file in files:
        started = float(read(file).header["started"])
        series, _, shard = file.relative_to(new).parts[0].removesuffix(".jsonl").partition(".")
        name = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(started)) + (f".{shard}" if shard else "")
        path = data / re.sub(r"[^A-Za-z0-9_@+-]", "_", series) / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.read_bytes())
        kept.append(path)
    for folder in {path.parent for path in kept}:
        nights = sorted({path.name.partition(".")[0] for path in folder.glob("*.jsonl")})
        for night in nights[:-WIRE]:
            for path in folder.glob(f"{night}*.jsonl"):
                _slim(path)
    return kept


def alarm(found: Diff, link: str, gh: Gh) -> str:
    """Open an issue, or comment on the open one, if anything regressed; returns what was done, in a sentence."""
    hit = [t for t in found.targets if t.checks_of(Kind.REGRESSION) or t.cells_of(Kind.REGRESSION)]
    if not hit:
        return "No regression, no issue."
    names = ", ".join(t.column.name for t in hit)
    body = diff_text.markdown(Diff(targets=tuple(hit)))
    if len(body) > BODY:
        body = body[:BODY].rpartition("\n")[0] + "\n\n… cut here; the page has all of it.\n"
    body = f"{link}\n\n{body}" if link else body
    gh(["label", "create", LABEL, "--force", "--description", "The nightly run found a regression"], "")
    listed = gh(["issue", "list", "--label", LABEL, "--state", "open", "--limit", "1", "--json", "number"], "")
    issues = json.loads(listed or "[]")
    if issues:
        number = str(int(issues[0]["number"]))
        gh(["issue", "comment", number, "--body-file", "-"], body)
        return f"Regressions of {names}: added to issue {number}."
    title = f"Regression: {names}"[:200]
    gh(["issue", "create", "--title", title, "--label", LABEL, "--body-file", "-"], body)
    return f"Regressions of {names}: issue opened."


def run_gh(arguments: Sequence[str], stdin: str) -> str:
    """Run `gh`. Raises OSError if it is not there, subprocess.CalledProcessError if it fails."""
    done = subprocess.run(["gh", *arguments], input=stdin, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def _slim(path: Path) -> None:
    found = path.read_text(encoding="utf-8").splitlines(keepends=True)
    slim = [line for line in found if not line.startswith('{"kind": "exchange"')]
    if len(slim) < len(found):
        path.write_text("".join(slim), encoding="utf-8")
