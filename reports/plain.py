"""A site as plain data, for programs and language models: `data.json`, `llms.txt`, `checks.md`."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from conformance.requirements import matrix, musts, sources
from conformance.results import suite_version
from reports import words
from reports.diff import Kind
from reports.hostile import line
from reports.of_checks import by_id
from reports.page import evidence_path
from reports.table import Column, Row, Table, slug
from reports.versions import Story, Timeline

FORMAT = 1
"""Version of `data.json`."""


def data(shown: Table, timelines: Sequence[Timeline]) -> str:
    """All content of the site as JSON: columns, rows with their cells, checks with their outcomes, versions."""
    found = {
        "format": FORMAT,
        "suite": suite_version(),
        "columns": [_column(column) for column in shown.columns],
        "rows": [_row(row, timelines) for row in shown.rows],
        "checks": [one for row in shown.rows for one in _checks(row, timelines)],
        "versions": {timeline.backend: _versions(timeline) for timeline in timelines},
    }
    return json.dumps(found, indent=1) + "\n"


def llms(shown: Table, timelines: Sequence[Timeline]) -> str:
    """What the site is, in Markdown, and where its plain files are."""
    columns = [
        f"- [{_text(c.name)} {_text(c.version)}](capabilities/{c.key}.json): "
        f"{sum(check.outcome.good for check in c.checks)} of {len(c.checks)} checks pass"
        for c in shown.columns
    ]
    of_versions = [f"- [{t.backend} by version](versions/{t.backend}.md): what each version changed" for t in timelines]
    meanings = [f"- {word}: {words.MEANING[word]}" for word in (*words.STATUS, *words.OUTCOME) if word in words.MEANING]
    return "\n".join(
        [
            "# OpenAI API conformance",
            "",
            "> Which parts of OpenAI's API servers such as llama.cpp, Ollama and vLLM support, reject, or silently "
            "ignore. Every verdict was measured, and its exchange is recorded.",
            "",
            "A row is a feature of the API, a column is a server, and a check is one requirement. A page of a row is "
            "`rows/ROW.html`, of a check `checks/CHECK.html`, of a cell `evidence/COLUMN/ROW.html`. These addresses "
            "stay.",
            "",
            "## Data",
            "",
            "- [matrix.md](matrix.md): every row on every server",
            "- [checks.md](checks.md): every check, with its source and its outcomes",
            "- [data.json](data.json): all of this as JSON",
            "- [changes.md](changes.md): what changed since the runs before",
            "- [feed.xml](feed.xml): changes, as an Atom feed",
            *of_versions,
            "",
            "## Servers",
            "",
            *columns,
            "",
            "## Words",
            "",
            *dict.fromkeys(meanings),
            "",
        ]
    )


def checks(shown: Table, timelines: Sequence[Timeline]) -> str:
    """Every check in Markdown: requirement, source, what breaks, outcomes."""
    said = ["# Checks"]
    for row in shown.rows:
        for one in _checks(row, timelines):
            said += [
                "",
                f"## {_text(one['id'])}",
                "",
                f"{one['level']}, row {_text(one['row'])}. {_text(one['requirement'])}",
            ]
            said += ["Source: " + _text(" ".join(filter(None, (one["source"], one["url"]))))]
            said += ["Without it: " + one["breaks"]] if one["breaks"] else []
            for key, ended in one["outcomes"].items():
                said += [f"- {key}: " + ": ".join(filter(None, (ended["outcome"], _text(ended["message"]))))]
            said += [f"- {backend} by version: {since['said']}" for backend, since in one["since"].items()]
    return "\n".join(said) + "\n"


def _text(text: str) -> str:
    """One line of text without HTML."""
    return line(text, 300).replace("<", "&lt;")


def _column(column: Column) -> dict[str, Any]:
    return {
        "key": column.key,
        "name": column.name,
        "backend": column.backend,
        "version": column.target.get("version"),
        "measured": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(column.results.header["started"])),
        "suite": column.results.header["suite"],
        "complete": column.trouble is None,
    }


def _row(row: Row, timelines: Sequence[Timeline]) -> dict[str, Any]:
    feature = row.feature
    return {
        "id": feature.id,
        "title": feature.title,
        "group": feature.group,
        "what": feature.what,
        "page": f"rows/{slug(feature.id)}.html",
        "claims": {source: feature.claims[source] for source in matrix.CLAIM_SOURCES if source in feature.claims},
        "cells": {
            cell.column.key: {"status": cell.word, "because": cell.because, "page": evidence_path(cell)}
            for cell in row.cells
            if cell.checks
        },
        "since": {t.backend: _since(story) for t in timelines if (story := t.cell(feature.id))},
    }


def _checks(row: Row, timelines: Sequence[Timeline]) -> list[dict[str, Any]]:
    return [
        {
            "id": id,
            "row": row.feature.id,
            "level": str(found[0][1].level),
            "core": found[0][1].core,
            "requirement": found[0][1].requirement,
            "source": found[0][1].source,
            "url": sources.url(found[0][1].source),
            "says": must.says if (must := musts.by_check().get(id)) else "",
            "breaks": must.breaks if must else "",
            "page": f"checks/{slug(id)}.html",
            "outcomes": {
                cell.column.key: {"outcome": str(check.outcome), "message": check.message} for cell, check in found
            },
            "since": {t.backend: _since(story) for t in timelines if (story := t.check(id))},
        }
        for id, found in by_id(row).items()
    ]


def _since(story: Story) -> dict[str, str]:
    return {**vars(story.since), "said": str(story.since)}


def _versions(timeline: Timeline) -> list[dict[str, Any]]:
    return [
        {
            "version": version.name,
            "suite": version.suite,
            "outcomes": version.counts,
            "regressions": [change.id for change in version.of(Kind.REGRESSION)],
            "fixes": [change.id for change in version.of(Kind.FIX)],
        }
        for version in reversed(timeline.versions)
    ]
