"""A badge: how many rows have which status, as SVG or for shields.io. Never one percentage."""

from __future__ import annotations

import json
from collections import Counter

from markupsafe import escape

from reports.hostile import visible
from reports.table import Column, Table

LABEL = "openai api"
_GREEN, _AMBER, _PURPLE, _GREY = "#17692f", "#7a4f00", "#8a1c7c", "#59616b"
_GLYPH = 6.7
"""Pixels that a character of Verdana at 11 pixels is wide, on average; the text is stretched to what is reckoned."""


def message(shown: Table, column: Column) -> str:
    """`20 yes · 8 partial · 2 ignored`; a note that a run is incomplete comes first."""
    counted = _counts(shown, column)
    said = [f"{counted[word]} {word}" for word in ("yes", "partial", "ignored", "no", "unknown") if counted[word]]
    return " · ".join([*(["incomplete"] if column.trouble else []), *said]) or "nothing measured"


def svg(shown: Table, column: Column) -> str:
    """The badge as a picture."""
    label, said = LABEL, message(shown, column)
    left, right = (round(len(text) * _GLYPH + 12) for text in (label, said))
    name = escape(visible(f"{column.name} {column.version}: {said}"))

    def text(x: float, width: int, what: str) -> str:
        return f'<text x="{x:g}" y="14" textLength="{width - 12}" lengthAdjust="spacingAndGlyphs">{escape(what)}</text>'

    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{name}">'
        f"<title>{name}</title>"
        f'<rect width="{left}" height="20" fill="#3b4048"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_colour(shown, column)}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f"{text(6, left, label)}{text(left + 6, right, said)}</g></svg>\n"
    )


def shields(shown: Table, column: Column) -> str:
    """What shields.io's endpoint badge reads."""
    colour = _colour(shown, column).removeprefix("#")
    return json.dumps({"schemaVersion": 1, "label": LABEL, "message": message(shown, column), "color": colour}) + "\n"


def _counts(shown: Table, column: Column) -> Counter[str]:
    return Counter(cell.word for row in shown.rows for cell in row.cells if cell.column is column)


def _colour(shown: Table, column: Column) -> str:
    counted = _counts(shown, column)
    if counted["ignored"]:
        return _PURPLE
    if counted["partial"] or counted["no"]:
        return _AMBER
    return _GREEN if counted["yes"] and not counted["unknown"] and not column.trouble else _GREY
