"""Results for other programs: a format's name, and the function that writes it.

A format is of a whole table, or of one column; the latter makes a file for each target.
"""

from __future__ import annotations

from collections.abc import Callable

from reports import markdown
from reports.exports import badge, capabilities, ctrf, junit
from reports.table import Column, Table

OF_TABLE: dict[str, tuple[Callable[[Table], str], str]] = {
    "markdown": (markdown.table, ".md"),
    "junit": (junit.export, ".junit.xml"),
    "ctrf": (ctrf.export, ".ctrf.json"),
}
"""Formats that hold all targets, with the ending of their files."""

OF_COLUMN: dict[str, tuple[Callable[[Table, Column], str], str]] = {
    "capabilities": (capabilities.export, ".json"),
    "badge": (badge.svg, ".svg"),
    "shields": (badge.shields, ".shields.json"),
}
"""Formats of which each target has its own."""
