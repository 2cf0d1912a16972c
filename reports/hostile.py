"""Text from a server, made safe to show: it cannot control a terminal, page or file. Shortened text says so."""

from __future__ import annotations

from backends.printable import printable, visible

__all__ = ["KEPT", "cut", "difference", "line", "visible"]

KEPT = 12_000
"""Characters of one text that a page shows; the results file has the rest."""


def cut(text: str, length: int = KEPT) -> str:
    """At most `length` characters of the text, and a note of how many there are if that is not all."""
    if len(text) <= length:
        return text
    return f"{text[:length]}\n… cut here; {len(text):,} characters in all, the results file has them"


def line(text: str, length: int) -> str:
    """The text as one visible line of at most `length` characters, which no log takes for a command."""
    flat = printable(" ".join(text.split()))
    return flat if len(flat) <= length else flat[: max(length - 1, 0)] + "…"


def difference(expected: str, actual: str) -> tuple[tuple[str, str, str], tuple[str, str, str]]:
    """Both texts in three parts: the same beginning, what differs, the same end."""
    shorter = min(len(expected), len(actual))
    start = next((n for n in range(shorter) if expected[n] != actual[n]), shorter)
    rest = shorter - start
    end = next((n for n in range(rest) if expected[-1 - n] != actual[-1 - n]), rest)

    def parts(text: str) -> tuple[str, str, str]:
        return text[:start], text[start : len(text) - end], text[len(text) - end :]

    return parts(expected), parts(actual)
