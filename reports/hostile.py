"""Text from a server, made safe to show: it controls no terminal, page or file; where it is cut, it says so."""

from __future__ import annotations

import re

KEPT = 12_000
"""Characters of one text that a page shows; the results file has the rest."""

# C0 and C1 controls but tab and line feed, lone surrogates, and what turns the direction of text or hides in it.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)


def visible(text: str) -> str:
    """The text with its invisible characters written as escapes (`\\x1b`, `\\u202e`)."""
    # Most is printable but for its line feeds, and this is quicker than the pattern, whose characters are none of them.
    if text.isprintable() or text.replace("\n", "").isprintable():
        return text
    return _UNSEEN.sub(lambda c: f"\\x{ord(c[0]):02x}" if ord(c[0]) < 256 else f"\\u{ord(c[0]):04x}", text)


def cut(text: str, length: int = KEPT) -> str:
    """At most `length` characters of the text, and a note of how many there are if that is not all."""
    if len(text) <= length:
        return text
    return f"{text[:length]}\n… cut here; {len(text):,} characters in all, the results file has them"


def line(text: str, length: int) -> str:
    """The text as one visible line of at most `length` characters."""
    flat = visible(" ".join(text.split()))
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
