"""What a server that we started writes into its log while a scenario is sent."""

from __future__ import annotations

import contextlib
from pathlib import Path

from backends import redaction
from backends.redaction import Secrets

KEPT = 4000
"""Characters that are kept from the end of the log, because errors come last."""

READ = 1 << 20
"""Bytes that are read of it, from the end."""


def size(log: Path | None) -> int:
    """Bytes that the log has by now; 0 if there is none."""
    with contextlib.suppress(OSError):
        return log.stat().st_size if log else 0
    return 0


def since(log: Path | None, begun: int, hidden: Secrets) -> str:
    """What the log gained since it had `begun` bytes, without secrets; where it is long, its last lines and a note."""
    raw, skipped = b"", 0
    with contextlib.suppress(OSError):
        if log and (ends := size(log)) > begun:
            with log.open("rb") as file:
                skipped = max(ends - begun - READ, 0)
                file.seek(begun + skipped)
                raw = file.read(READ)
    # A part of a secret may stand where the reading begins, so that is never kept.
    text = redaction.text(raw.decode("utf-8", "replace"), hidden)
    if len(text) <= KEPT and not skipped:
        return text
    kept = text[-KEPT:]
    kept = kept.partition("\n")[2] or kept
    return f"… {len(text) - len(kept) + skipped:,} characters before this are left out\n{kept}"
