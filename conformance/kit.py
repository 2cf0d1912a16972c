"""Everything that a file of checks needs, in one import."""

from conformance.answers import Answer, Chat, Choice, Completion, Embeddings, Models, ToolCall
from conformance.check import check
from conformance.every import Every
from conformance.outcomes import Fail, Level, effect, lenient, shown
from conformance.refusals import refused
from conformance.schema import validate_against, violations

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
    "Models",
    "ToolCall",
    "check",
    "effect",
    "lenient",
    "refused",
    "shown",
    "validate_against",
    "violations",
]
