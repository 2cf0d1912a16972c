"""The report: results files as one page, or, if that would be large, with a page for each cell's wire.

`index.html` always has the matrix and every check. The exchanges stand under their check while the page stays small
(one target does); beyond `LIMIT`, those of a cell go to `evidence/TARGET/FEATURE.html`, rendered by the same template.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from conformance import matrix
from conformance.results import CheckResult, Results, suite_version
from reports import words
from reports.evidence import EVENTS_OPEN, duration, evidence
from reports.hostile import KEPT, cut, difference, visible
from reports.table import Cell, Row, Table, slug, table

LIMIT = 8_000_000
"""Bytes of index.html above which the exchanges go to pages of their own; a phone still opens this at once."""

_TEMPLATES = Path(__file__).parent / "templates"


def build(results: Sequence[Results], out: Path, *, limit: int = LIMIT) -> Path:
    """Write the report of one or more results files into the directory `out`; returns the path of its index.html.

    Raises OSError if it cannot be written.
    """
    shown = table(results)
    out.mkdir(parents=True, exist_ok=True)
    index = out / "index.html"
    pages = out / "evidence"
    if (pages / ".generated").exists():
        shutil.rmtree(pages)
    apart = _weight(shown) > limit or len(whole := render(shown)) > limit
    if apart:
        whole = render(shown, apart=True)
        _write_evidence(shown, pages)
    index.write_bytes(whole)
    return index


def render(shown: Table, *, apart: bool = False) -> bytes:
    """The page of a table; `apart` leaves the exchanges to the evidence pages and links to those."""
    return _page("index.html.j2", table=shown, apart=apart, root="")


def render_cell(shown: Table, cell: Cell) -> bytes:
    """The evidence page of a cell."""
    return _page("evidence.html.j2", table=shown, cell=cell, apart=False, root="../../")


def evidence_path(cell: Cell) -> str:
    """Where the evidence page of a cell is, relative to index.html."""
    return f"evidence/{cell.column.key}/{slug(cell.feature.id)}.html"


def _weight(shown: Table) -> int:
    """About how many bytes of answers the whole page would hold; what is cut on the page counts as cut."""
    recorded = (c.exchanges(name) for c in shown.columns for check in c.checks for name in check.exchanges)
    wires = (wire for one in recorded if one for wire in one.get("exchanges", []))
    return sum(min(len(next(iter(wire["response"]["body"].values()))), KEPT) for wire in wires)


def _write_evidence(shown: Table, pages: Path) -> None:
    for row in shown.rows:
        for cell in row.cells:
            if cell.checks:
                path = pages.parent / evidence_path(cell)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(render_cell(shown, cell))
    (pages / ".generated").touch()


def _page(template: str, **values: Any) -> bytes:
    style, script = (_TEMPLATES / "page.css").read_text(), (_TEMPLATES / "page.js").read_text()
    text = (
        _environment()
        .get_template(template)
        .render(
            style=Markup(style),
            script=Markup(script),
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            suite=suite_version(),
            built=time.time(),
            **values,
        )
    )
    return text.encode("utf-8")


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        # Whatever a template prints passes here: no control character or lone surrogate reaches the page.
        finalize=lambda value: visible(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "words": words,
        "documents": matrix.CLAIM_SOURCES,
        "evidence": evidence,
        "evidence_path": evidence_path,
        "events_open": EVENTS_OPEN,
        "count": count,
        "counts": counts,
        "by_check": by_check,
    }
    environment.filters |= {
        "code": code,
        "prose": prose,
        "duration": duration,
        "moment": moment,
        "slug": slug,
        "difference": lambda actual, expected: difference(expected, actual),
    }
    return environment


def code(text: str) -> Markup:
    """Text for the inside of an element, cut if it is long. Quotes stay as they are: half of JSON is quotes."""
    return Markup(escape(visible(cut(text))).replace("&#34;", '"').replace("&#39;", "'"))


def prose(text: str) -> Markup:
    """A sentence, in which `this` is code."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(code(text))))


def counts(shown: Table) -> dict[str, int]:
    """How many rows of a table with one column have which status, best first."""
    found = Counter(row.cells[0].word for row in shown.rows)
    return {word: found[word] for word in words.STATUS if found[word]}


def by_check(row: Row) -> list[tuple[str, str, list[tuple[Cell, CheckResult | None]]]]:
    """The checks of a row across its columns: id, requirement, and each cell with its result, if it has one."""
    requirements = {check.id: check.requirement for cell in row.cells for check in cell.checks}
    of = [(cell, {check.id: check for check in cell.checks}) for cell in row.cells]
    return [(id, said, [(cell, has.get(id)) for cell, has in of]) for id, said in requirements.items()]


def count(number: int, thing: str) -> str:
    """`1 check`, `2 checks`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def moment(seconds: float) -> str:
    """A Unix time for reading, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
