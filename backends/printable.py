"""Text from a server or a program, made safe to print: it cannot control a terminal, or a log that reads commands."""

from __future__ import annotations

import re

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


def printable(text: str) -> str:
    """The text as one visible line. GitHub takes lines that begin with `::`, and `##[` anywhere, for commands."""
    flat = visible(text).replace("\n", "\\n").replace("##[", "#\\#[")
    return f"\\{flat.lstrip()}" if flat.lstrip().startswith("::") else flat
