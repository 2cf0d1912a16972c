"""The report: results files as one page, or as the matrix and a page for each cell.

One target: `index.html` has everything, the wire under the check that judged it, while that stays small. Beyond
`LIMIT`, and with several targets, `index.html` has the matrix and every outcome, and
`evidence/TARGET/FEATURE.html` the verdicts and the wire of a cell.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import multiprocessing
import os
import re
import shutil
import threading
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from backends.known import Deviation
from conformance.requirements import matrix, musts, sources
from conformance.requirements.check import node_id
from conformance.results import CheckResult, Results, suite_version
from reports import causes, clients, diff_text, families, gateways, tool_models, words
from reports.diff import Diff, Kind
from reports.evidence import EVENTS_OPEN, Shown, duration, evidence
from reports.history import History
from reports.hostile import KEPT, cut, difference, visible
from reports.known import deviations, linked
from reports.table import Cell, Column, Row, Table, count, slug, table, tally
from reports.versions import Story, Timeline, of_backend

LIMIT = 8_000_000
"""Bytes of index.html above which the exchanges of one target go to pages of their own; a phone still opens this."""

SIDE_BY_SIDE = 4
"""Columns from which the evidence pages are written by several processes: below it is not worth starting them."""

_CODE = re.compile(r"`([^`\n]+)`")
_TEMPLATES = Path(__file__).parent / "templates"


class Site(Protocol):
    """What a published site adds to the pages: navigation, a column's files, a cell's history."""

    @property
    def timelines(self) -> Sequence[Timeline]:
        """The measured versions of each backend that has some."""
        ...

    def pages(self) -> list[tuple[str, str]]:
        """Other pages: address from the site's root, and title."""
        ...

    def files(self, column: Column) -> list[tuple[str, str]]:
        """A column's files: address from the site's root, and name."""
        ...

    def write_files(self, shown: Table, column: Column, out: Path) -> None:
        """Write them below the site's root."""
        ...

    def history(self, cell: Cell) -> Markup:
        """The history of a cell."""
        ...

    def check_history(self, cell: Cell, check: CheckResult) -> History | None:
        """The same of a check; None if it has no run before this one."""
        ...


def build(results: Sequence[Results], out: Path, *, limit: int = LIMIT) -> Path:
    """Write the report of one or more results files into the directory `out`; returns the path of its index.html.

    Raises OSError if it cannot be written.
    """
    return write(table(results), out, limit=limit)


def write(shown: Table, out: Path, *, limit: int = LIMIT, site: Site | None = None) -> Path:
    """Write the pages of a table into the directory `out`; returns the path of its index.html."""
    out.mkdir(parents=True, exist_ok=True)
    index = out / "index.html"
    if has_dialects(shown):
        (out / "tools.html").write_bytes(render_tools(tool_models.claims(shown)))
    pages = out / "evidence"
    if (pages / ".generated").exists():
        shutil.rmtree(pages)
    apart = len(shown.columns) > 1 or site is not None or _weight(shown) > limit
    whole = b"" if apart else render(shown)
    if apart or len(whole) > limit:
        _write_apart(shown, out, site)
    else:
        index.write_bytes(whole)
    return index


def has_dialects(shown: Table) -> bool:
    """Whether the page of models that call tools has any content."""
    return any(map(families.dialect_of, shown.columns))


def render(shown: Table, *, apart: bool = False, site: Site | None = None) -> bytes:
    """The page of a table; `apart` leaves the exchanges to the evidence pages and links to those."""
    return rendered("index.html.j2", table=shown, apart=apart, root="", site=site)


def render_cell(shown: Table, cell: Cell, site: Site | None = None) -> bytes:
    """The evidence page of a cell."""
    return rendered("evidence.html.j2", table=shown, cell=cell, apart=False, root="../../", site=site)


def render_diff(found: Diff, *, title: str, root: str | None = None) -> bytes:
    """The page of a diff; `root` is where the matrix is, which it then links to."""
    return rendered("diff.html.j2", diff=found, title=title, root=root)


def render_tools(claims: tool_models.Claims) -> bytes:
    """The page of models that call tools."""
    return rendered("tools.html.j2", claims=claims)


def evidence_path(cell: Cell) -> str:
    """Where the evidence page of a cell is, relative to index.html."""
    return f"evidence/{cell.column.key}/{slug(cell.feature.id)}.html"


def sides(column: Column, exchange: Shown) -> Markup:
    """Request and answer of an exchange as HTML; made once, though many checks show it."""
    key = (exchange.scenario, exchange.number)
    if key not in column.rendered:
        gone = ""
        if column.stopped:
            other = not column.restarts(exchange.request["url"])
            gone = _stopped(column.restart, column.results.header["command"], other)
        column.rendered[key] = _wire_template().sides(exchange, gone)
    return column.rendered[key]


@functools.lru_cache(maxsize=200)
def _stopped(restart: str, command: str, other: bool) -> Markup:
    """A note that the server was stopped, and how to start it again: the same for many exchanges."""
    return Markup(_wire_template().stopped(restart, command, other))


def _weight(shown: Table) -> int:
    """About how many bytes of answers the whole page would hold; what is cut on the page counts as cut."""
    recorded = (c.exchanges(name) for c in shown.columns for check in c.checks for name in check.exchanges)
    wires = (wire for one in recorded if one for wire in one.get("exchanges", []))
    return sum(min(len(next(iter(wire["response"]["body"].values()))), KEPT) for wire in wires)


_shared: tuple[Table, Path, Site | None] | None = None
"""What the processes that write pages have in common; they get it by being forked."""


def _write_apart(shown: Table, out: Path, site: Site | None) -> None:
    """Write the index and the pages of each column; the index is written beside the columns, by one of them."""
    global _shared
    _shared = (shown, out, site)
    parts = [None, *range(len(shown.columns))]
    # A fork copies only the thread that forks: with others alive, it might copy a lock that nobody will ever release.
    alone = threading.active_count() == 1 and "fork" in multiprocessing.get_all_start_methods()
    if len(shown.columns) >= SIDE_BY_SIDE and alone:
        _page_values()
        with multiprocessing.get_context("fork").Pool(min(os.cpu_count() or 1, len(parts))) as pool:
            pool.map(_write_part, parts, chunksize=1)
    else:
        for part in parts:
            _write_part(part)
    (out / "evidence" / ".generated").touch()
    _shared = None


def _write_part(number: int | None) -> None:
    """Write the index, or the files and evidence pages of a column."""
    assert _shared is not None
    shown, out, site = _shared
    if number is None:
        (out / "index.html").write_bytes(render(shown, apart=True, site=site))
        return
    column = shown.columns[number]
    (out / "evidence" / column.key).mkdir(parents=True, exist_ok=True)
    for row in shown.rows:
        cell = row.cells[number]
        if cell.checks:
            (out / evidence_path(cell)).write_bytes(render_cell(shown, cell, site))
    if site:
        site.write_files(shown, column, out)
    column.forget()


def rendered(template: str, **values: Any) -> bytes:
    """A page from a template and what it shows."""
    text = _environment().get_template(template).render(**_page_values(), built=time.time(), **values)
    return text.encode("utf-8")


@functools.cache
def _wire_template() -> Any:
    return _environment().get_template("wire.html.j2").module


@functools.cache
def _page_values() -> dict[str, Any]:
    style, script = (_TEMPLATES / "page.css").read_text(), (_TEMPLATES / "page.js").read_text()
    return {
        "style": Markup(style),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        "suite": suite_version(),
    }


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        # Whatever a template prints passes here: no control character or lone surrogate reaches the page.
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "words": words,
        "documents": matrix.CLAIM_SOURCES,
        "evidence": evidence,
        "deviations": deviations,
        "evidence_path": evidence_path,
        "family_of": families.of_column,
        "sides": sides,
        "kinds": list(Kind),
        "diff_text": diff_text,
        "events_open": EVENTS_OPEN,
        "count": count,
        "counts": counts,
        "has_dialects": has_dialects,
        "by_check": by_check,
        "published": musts.by_check().get,
        "source_url": sources.url,
        "backends": backends,
        "by_level": causes.by_level,
        "evidence_of": causes.evidence_of,
        "check_of": causes.check_of,
        "clients": clients,
        "gateways": gateways,
        "story_of": story_of,
        "tally_of": tally,
    }
    environment.filters |= {
        "code": code,
        "prose": prose,
        "duration": duration,
        "moment": moment,
        "slug": slug,
        "test": node_id,
        "difference": lambda actual, expected: difference(expected, actual),
    }
    return environment


def code(text: str) -> Markup:
    """Text for the inside of an element, cut if it is long. Quotes stay as they are: half of JSON is quotes."""
    return Markup(visible(cut(text)).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


@functools.lru_cache(maxsize=2_000)
def prose(text: str) -> Markup:
    """A sentence; text in backticks becomes code."""
    return Markup(_CODE.sub(r"<code>\1</code>", str(code(text)))) if "`" in text else code(text)


def counts(shown: Table) -> dict[str, int]:
    """How many rows of a table with one column have which status, best first."""
    found = Counter(row.cells[0].word for row in shown.rows)
    return {word: found[word] for word in words.STATUS if found[word]}


def by_check(row: Row) -> list[tuple[str, str, str, list[tuple[str, str, Deviation | None]]]]:
    """The checks of a row across its columns: id, level, requirement, and for each column where the evidence is, the
    outcome, which is empty where the column lacks the check, and the known deviation that has a link, if it is one."""
    first = {check.id: check for cell in row.cells for check in cell.checks}
    nothing = ("", None)
    of = [
        (evidence_path(cell), {c.id: (str(c.outcome), linked(cell.column, c)) for c in cell.checks})
        for cell in row.cells
    ]
    return [
        (id, str(one.level), one.requirement, [(path, *has.get(id, nothing)) for path, has in of])
        for id, one in first.items()
    ]


def backends(shown: Table) -> list[str]:
    """The backends of a table's columns, each once."""
    return list(dict.fromkeys(column.backend for column in shown.columns))


def story_of(backend: str, kind: Literal["check", "cell"], id: str) -> Story | None:
    """What the measured versions of a backend say of a check, or of a row's cell."""
    timeline = of_backend(backend)
    if timeline is None:
        return None
    return timeline.check(id) if kind == "check" else timeline.cell(id)


def moment(seconds: float) -> str:
    """A Unix time for reading, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
