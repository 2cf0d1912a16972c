"""The glyph that goes with each word; a colour never stands alone, and a glyph never without its word."""

from __future__ import annotations

from conformance.results.grading import Agreement

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

CAUSE = {"absent": "⊖", "finding": "•", "gateway": "⇄"}
"""Of a cause without violations: an endpoint that is absent, a finding about the whole server, what a gateway does."""

AGREEMENT = {
    Agreement.CONFIRMED: "confirmed",
    Agreement.OVERCLAIMED: "overclaimed",
    Agreement.UNDERCLAIMED: "underclaimed",
    Agreement.UNVERIFIED: "unverified",
}

MEANING = {
    "yes": "every core check and every MUST passes; a note says what is missing",
    "partial": "a core check passes, but a MUST or another core check does not",
    "ignored": "accepted without effect",
    "no": "rejected, failed or absent",
    "unknown": "not decided; never green",
    "pass": "the exchange shows the required behaviour",
    "lenient": "an alternative that is accepted",
    "fail": "the exchange shows a violation",
    "rejected": "4xx or 501 with an error object, or the endpoint is absent",
    "inconclusive": "the model did not show what is judged",
    "blocked": "not judged, because something that the check needs failed",
    "timeout": "no complete response in time",
    "error": "an error of the suite, not of the server",
    "not-run": "selected, but not run; never counts as passing",
}
"""What each word means, for the legend."""

FIX = {
    "fail": "The response breaks the requirement: change what the message names.",
    "ignored": "The server accepts the parameter and does nothing with it: give it its effect, or reject it with 400 "
    "and an error object.",
    "rejected": "The server rejects the request cleanly, which is correct for a feature that it does not support. "
    "To support the feature, accept the request.",
    "timeout": "No complete response came in time: respond earlier, and end each stream.",
}
"""What a server's author changes when a check ends so."""

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
"""The short name of a document whose claims are compared; `CLAIM_SOURCES` of `conformance/requirements/matrix.py` has
the long ones."""
