"""Everything that a file of checks needs, in one import."""

from conformance.answers import Answer, Chat, Choice, Completion, Embeddings, Generated, Models, Response, ToolCall
from conformance.answers.ran import Ran
from conformance.answers.values import utf8
from conformance.kit.certainty import certainty, entries, is_part, joined, lead, spelled, tokens, whole
from conformance.kit.every import Every
from conformance.kit.evidence import responding_model
from conformance.kit.likeness import beginning_of, decided_before_stop, decided_by, differing, prompt_of
from conformance.kit.markup import assert_unmarked, begins_as_reasoning, call_markup_in, calls_in, markup_in
from conformance.kit.refusals import assert_streams_rejected, expect_rejection, too_long
from conformance.kit.schema import validate_against, violations
from conformance.kit.shapes import assert_matches_schema
from conformance.kit.steadiness import (
    assert_mostly_same,
    assert_same_calls,
    assert_same_text,
    changed_seeded,
    reproduced,
    reproduced_at_most,
    says,
)
from conformance.kit.traits import traits
from conformance.outcomes import Fail, Level, ignored_unless, ignored_unless_varied, inconclusive_unless, lenient
from conformance.outcomes.comparisons import (
    assert_at_least,
    assert_at_most,
    assert_contains,
    assert_equal,
    assert_in,
    assert_less,
    assert_more,
    assert_none_broken,
    assert_none_of,
    assert_not_equal,
    shown,
)
from conformance.requirements.check import check

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
    "assert_at_least",
    "assert_at_most",
    "assert_contains",
    "assert_equal",
    "assert_in",
    "assert_less",
    "assert_matches_schema",
    "assert_more",
    "assert_mostly_same",
    "assert_none_broken",
    "assert_none_of",
    "assert_not_equal",
    "assert_same_calls",
    "assert_same_text",
    "assert_streams_rejected",
    "assert_unmarked",
    "beginning_of",
    "begins_as_reasoning",
    "call_markup_in",
    "calls_in",
    "certainty",
    "changed_seeded",
    "check",
    "decided_before_stop",
    "decided_by",
    "differing",
    "entries",
    "expect_rejection",
    "ignored_unless",
    "ignored_unless_varied",
    "inconclusive_unless",
    "is_part",
    "joined",
    "lead",
    "lenient",
    "markup_in",
    "prompt_of",
    "reproduced",
    "reproduced_at_most",
    "responding_model",
    "says",
    "shown",
    "spelled",
    "tokens",
    "too_long",
    "traits",
    "utf8",
    "validate_against",
    "violations",
    "whole",
]
