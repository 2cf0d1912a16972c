"""The glyph that goes with each word; a colour never stands alone, and a glyph never without its word."""

from __future__ import annotations

from conformance.grading import Agreement

STATUS = {"yes": "✓", "partial": "◐", "ignored": "⊘", "no": "✕", "unknown": "?", "not measured": "·"}
"""Of a cell, and of a claim."""

OUTCOME = {
    "pass": "✓",
    "lenient": "≈",
    "fail": "✕",
    "ignored": "⊘",
    "rejected": "⊖",
    "inconclusive": "?",
    "blocked": "‖",
    "timeout": "◷",
    "error": "!",
    "not-run": "–",
}
"""Of a check."""

CAUSE = {"absent": "⊖", "finding": "✕"}
"""Of a cause without violations: an endpoint that is absent, a finding about the whole server."""

AGREEMENT = {
    Agreement.CONFIRMED: "confirmed",
    Agreement.OVERCLAIMED: "overclaimed",
    Agreement.UNDERCLAIMED: "underclaimed",
    Agreement.UNVERIFIED: "unverified",
}

MEANING = {
    "yes": "every core check and MUST passes; a note says what it leaves out",
    "partial": "a core check works, and another or a MUST does not",
    "ignored": "accepted, without effect",
    "no": "refused, absent or wrong",
    "unknown": "could not be decided; accuses nobody",
    "pass": "the wire shows what is required",
    "lenient": "an accepted alternative to it",
    "fail": "the wire shows a violation",
    "rejected": "refused with a clean error: honestly unsupported",
    "inconclusive": "the model did not produce what is judged",
    "blocked": "a prerequisite failed",
    "timeout": "no answer in time",
    "error": "our own fault, not the server's",
    "not-run": "selected, and not run; never counted as passing",
}
"""What each word means, for the legend."""

SOURCES = {
    "openapi": "OpenAI's OpenAPI document",
    "docs": "OpenAI's documentation",
    "sdk": "an official client needs it",
    "rfc": "an Internet standard that the API is built on",
    "guide": "the compatibility guide",
    "de-facto": "what every known server does",
}
"""Where a requirement comes from."""

DOCUMENTS = {"guide": "guide", "own": "own docs"}
"""The short name of a document whose claims are compared; `conformance.matrix.CLAIM_SOURCES` has the long ones."""
