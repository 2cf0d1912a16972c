"""The published site: the matrix of the newest runs, what changed since the runs before, histories, files.

index.html  changes.html  tools.html  kill-matrix.html, if it was written before (python -m tests.reference.killmatrix)
clients.html  clients/CLIENT.html
evidence/KEY/ROW.html  rows/ROW.html  checks/CHECK.html  versions/BACKEND.html#VERSION
results/KEY.jsonl  capabilities/KEY.json  badges/KEY.svg  badges/KEY.shields.json
llms.txt  data.json  checks.md  matrix.md  changes.md  versions/BACKEND.md  feed.xml
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup

from conformance.clients import kept
from conformance.results import CheckResult, Line, Results
from reports import diff_text, feed, history, markdown, of_checks, of_clients, page, plain, tool_models, versions
from reports.diff import Diff, compare
from reports.exports import OF_COLUMN
from reports.history import History, Series, sparkline
from reports.table import Cell, Column, Table, table
from reports.versions import Timeline

KILL_MATRIX = "kill-matrix.html"


@dataclass(frozen=True)
class Published:
    """What the pages of a site show beside a report's; columns are in the order of the series."""

    series: tuple[Series, ...]
    timelines: Sequence[Timeline]
    proved: bool
    """Whether the kill matrix, which proves the checks, is there."""

    def pages(self) -> list[tuple[str, str]]:
        """The other pages."""
        proof = [(KILL_MATRIX, "Proof: every check finds its faults")] if self.proved else []
        pages = [("changes.html", "What changed"), ("tools.html", "Models that call tools")]
        pages += [("clients.html", "Real clients")]
        pages += [(f"versions/{one.backend}.html", f"{one.backend} by version") for one in self.timelines]
        data = [("feed.xml", "Feed"), ("llms.txt", "Plain text"), ("data.json", "Data"), ("matrix.md", "Markdown")]
        return pages + data + proof

    def files(self, column: Column) -> list[tuple[str, str]]:
        """A column's files."""
        return [
            (f"results/{column.key}.jsonl", "results"),
            (f"capabilities/{column.key}.json", "capabilities"),
            (f"badges/{column.key}.svg", "badge"),
            (f"badges/{column.key}.shields.json", "shields"),
        ]

    def write_files(self, shown: Table, column: Column, out: Path) -> None:
        """Write them."""
        folders = {"capabilities": "capabilities", "badge": "badges", "shields": "badges"}
        for name, (export, ending) in OF_COLUMN.items():
            _write(out / folders[name] / f"{column.key}{ending}", export(shown, column))
        _write(out / "results" / f"{column.key}.jsonl", lines(column.results))

    def history(self, cell: Cell) -> Markup:
        """The history of a cell in its newest runs."""
        points = self.series[cell.column.number - 1].points(cell.feature.id)
        if not points:
            return Markup("")
        return Markup('<p class="history">{} <span>{}</span></p>').format(sparkline(points), history.summary(points))

    def check_history(self, cell: Cell, check: CheckResult) -> History | None:
        """The history of a check."""
        points = self.series[cell.column.number - 1].check(check.id)
        if len(points) < 2:
            return None
        return History(picture=sparkline(points), summary=history.summary(points), flaky=history.flaky(points))


def build(directory: Path, out: Path) -> Path:
    """Write the site of all results below a directory; returns the path of its index.html.

    Raises BadResults, or OSError if it cannot be written.
    """
    found = history.series(directory)
    shown = table([_named(one.runs[-1], one.name) for one in found])
    timelines = versions.measured()
    site = Published(tuple(found), timelines, proved=(out / KILL_MATRIX).exists())
    index = page.write(shown, out, site=site)
    of_checks.write(shown, site, out)
    of_clients.write(kept.read(), out, [check.id for column in shown.columns for check in column.checks])
    changes = changed(found, shown)
    (out / "changes.html").write_bytes(page.render_diff(changes, title="What changed since the run before", root=""))
    _write(out / "changes.md", diff_text.markdown(changes))
    _write(out / "matrix.md", markdown.table(shown))
    _write(out / "data.json", plain.data(shown, timelines))
    _write(out / "checks.md", plain.checks(shown, timelines))
    _write(out / "llms.txt", plain.llms(shown, timelines))
    _write(out / "feed.xml", feed.atom(feed.entries(found, timelines)))
    for timeline in timelines:
        _write(out / "versions" / f"{timeline.backend}.md", versions.markdown(timeline))
    (out / "tools.html").write_bytes(page.render_tools(tool_models.claims(shown)))
    return index


def changed(found: Sequence[Series], newest: Table | None = None) -> Diff:
    """The newest run of each series against the one before; series with one run are left out."""
    newest = newest or table([_named(one.runs[-1], one.name) for one in found])
    return Diff(
        targets=tuple(
            replace(compare(one.tables[-2], newest, one.tables[-2].columns[0], column), flaky=one.flaky())
            for one, column in zip(found, newest.columns, strict=True)
            if len(one.runs) > 1
        )
    )


def lines(run: Results) -> str:
    """A run as the lines of a results file."""
    found: list[Line] = [run.header, *run.exchanges.lines.values()]
    found += [check.to_json() for check in run.checks]
    found += [client.to_json() for client in run.clients]
    found += [gateway.to_json() for gateway in run.gateways]
    found += [{"kind": "finding", **vars(one)} for one in run.findings]
    found += [run.footer] if run.footer else []
    return "".join((json.dumps(line) if isinstance(line, dict) else str(line)) + "\n" for line in found)


def _named(run: Results, name: str) -> Results:
    """The run with its target named as its series, so that two columns of the same server can be told apart."""
    [target] = run.targets
    old = target["name"]
    if name == old:
        return run
    return Results(
        header={**run.header, "targets": [{**target, "name": name}]},
        checks=[type(check)(**{**vars(check), "target": name}) for check in run.checks],
        exchanges=run.exchanges.renamed(name),
        footer=run.footer,
        clients=[replace(client, target=name) for client in run.clients],
        findings=[replace(found, target=name) for found in run.findings],
        gateways=[replace(found, target=name) for found in run.gateways],
    )


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", errors="backslashreplace")
