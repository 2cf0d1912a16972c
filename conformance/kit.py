"""Everything that a file of checks needs, in one import."""

from conformance.answers import Answer, Chat, Choice, Completion, Embeddings, Generated, Models, Response, ToolCall
from conformance.certainty import certainty, entries, joined, lead, tokens
from conformance.check import check
from conformance.every import Every
from conformance.markup import markup_in
from conformance.outcomes import Fail, Level, effect, lenient, shown
from conformance.ran import Ran
from conformance.refusals import refused
from conformance.schema import validate_against, violations
from conformance.shapes import fits
from conformance.steadiness import came_again, came_as, mostly_same, moved, same_calls, same_text

MUST, SHOULD, MAY = Level.MUST, Level.SHOULD, Level.MAY

__all__ = [
    "MAY",
    "MUST",
    "SHOULD",
    "Answer",
    "Chat",
    "Choice",
    "Completion",
    "Embeddings",
    "Every",
    "Fail",
    "Generated",
    "Models",
    "Ran",
    "Response",
    "ToolCall",
    "came_again",
    "came_as",
    "certainty",
    "check",
    "effect",
    "entries",
    "fits",
    "joined",
    "lead",
    "lenient",
    "markup_in",
    "mostly_same",
    "moved",
    "refused",
    "same_calls",
    "same_text",
    "shown",
    "tokens",
    "validate_against",
    "violations",
]
