"""What a server that we started writes into its log while a scenario is sent."""

from __future__ import annotations

import contextlib
from pathlib import Path

from backends.wire import REDACTED

KEPT = 4000
"""Characters that are kept of it, from the end: what went wrong is said last."""


def size(log: Path | None) -> int:
    """Bytes that the log has by now; 0 if there is none."""
    with contextlib.suppress(OSError):
        return log.stat().st_size if log else 0
    return 0


def since(log: Path | None, begun: int, key: str | None) -> str:
    """What the log gained since it had `begun` bytes, without the key; where it is long, its last lines and a note."""
    raw = b""
    with contextlib.suppress(OSError):
        if log and size(log) > begun:
            with log.open("rb") as file:
                file.seek(begun)
                raw = file.read()
    text = raw.decode("utf-8", "replace")
    text = text.replace(key, REDACTED) if key else text
    if len(text) <= KEPT:
        return text
    kept = text[-KEPT:]
    kept = kept.partition("\n")[2] or kept
    return f"… {len(text) - len(kept):,} characters before this are left out\n{kept}"
