"""An Atom feed of a site: what each run, and each version of a server, changed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from xml.etree import ElementTree as xml

from reports import diff_text
from reports.diff import Kind, TargetDiff, compare
from reports.history import Series
from reports.hostile import visible
from reports.table import slug
from reports.versions import Timeline

ATOM = "http://www.w3.org/2005/Atom"
NAME = "tag:openai-conformance,2026:"
"""The beginning of ids: an entry is the same one wherever the site is published."""

RUNS = 30
"""How many of the newest runs of a series the feed has."""

_TOLD = (Kind.REGRESSION, Kind.FIX)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What changed: where the site shows it, when it was measured (Unix time), and a line for each change."""

    id: str
    title: str
    link: str
    at: float
    lines: tuple[str, ...]


def entries(series: Sequence[Series], timelines: Sequence[Timeline]) -> list[Entry]:
    """Everything that changed, newest first."""
    found = [*(one for of in series for one in _runs(of)), *(one for of in timelines for one in _versions(of))]
    return sorted(found, key=lambda entry: (-entry.at, entry.id))


def atom(found: Sequence[Entry]) -> str:
    """The entries as a feed; its links are relative to where it lies."""
    xml.register_namespace("", ATOM)
    feed = xml.Element(f"{{{ATOM}}}feed")

    def add(parent: xml.Element, name: str, text: str = "", **attributes: str) -> xml.Element:
        made = xml.SubElement(parent, f"{{{ATOM}}}{name}", attributes)
        made.text = visible(text) or None
        return made

    add(feed, "id", NAME + "changes")
    add(feed, "title", "OpenAI API conformance: changes")
    add(feed, "updated", _moment(max((entry.at for entry in found), default=0)))
    add(add(feed, "author"), "name", "openai-conformance")
    add(feed, "link", rel="self", href="feed.xml")
    add(feed, "link", rel="alternate", href="index.html")
    for entry in found:
        made = add(feed, "entry")
        add(made, "id", NAME + entry.id)
        add(made, "title", entry.title)
        add(made, "updated", _moment(entry.at))
        add(made, "link", rel="alternate", href=entry.link)
        add(made, "content", "\n".join(entry.lines), type="text")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(feed, encoding="unicode") + "\n"


def _runs(of: Series) -> Iterator[Entry]:
    """The runs of a series that changed anything."""
    key = slug(of.name)
    for (_, before), (run, after) in pairwise(list(zip(of.runs, of.tables, strict=True))[-RUNS:]):
        changed = compare(before, after, before.columns[0], after.columns[0])
        lines = tuple(_lines(changed))
        if lines:
            at = float(run.header["started"])
            yield Entry(
                id=f"runs/{key}/{int(at)}",
                title=f"{of.name} {diff_text.versions(changed)}: {_counted(changed.counts)}",
                link=f"changes.html#{key}",
                at=at,
                lines=lines,
            )


def _lines(changed: TargetDiff) -> Iterator[str]:
    for kind in _TOLD:
        for one in changed.checks_of(kind):
            assert one.before is not None
            yield f"{kind}: {one.check.id} ({one.before.outcome} → {one.check.outcome}): {one.check.requirement}"


def _versions(of: Timeline) -> Iterator[Entry]:
    """The versions that changed anything."""
    for version in of.versions:
        told = [one for kind in _TOLD for one in version.of(kind)]
        if told:
            yield Entry(
                id=f"versions/{of.backend}/{version.name}",
                title=f"{of.backend} {version.name}: {_counted({kind: len(version.of(kind)) for kind in _TOLD})}",
                link=f"versions/{of.backend}.html#{slug(version.name)}",
                at=version.measured,
                lines=tuple(
                    f"{one.kind}: {one.id} ({one.before} → {one.after})"
                    + (f": {one.check.requirement}" if one.check else "")
                    for one in told
                ),
            )


def _counted(counts: dict[Kind, int]) -> str:
    return f"{counts.get(Kind.REGRESSION, 0)} regressed, {counts.get(Kind.FIX, 0)} fixed"


def _moment(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
