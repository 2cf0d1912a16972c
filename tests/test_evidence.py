"""A check that passes has seen something: not only rejections, and not a parameter without effect."""

from __future__ import annotations

import pytest

from tests.reference.bench import Bench
from tests.reference.faults import FAULTS
from tests.reference.kills import JUDGED

WITHOUT_A_POST = {
    *("errors.preflight_is_answered", "errors.page_from_elsewhere_may_read", "errors.unknown_path_is_not_found"),
    *("examples.models_with_curl", "examples.models_in_python"),
    *("models.lists_the_model", "models.ids_are_unique", "models.retrieves_the_model", "models.is_the_same_as_listed"),
    *("models.encoded_id_is_understood", "models.id_with_a_slash_is_understood"),
    *("models.unknown_id_is_not_found", "models.unknown_id_has_the_code"),
    *("sdk_node.reads_models", "sdk_python.reads_models"),
    *("sdk_node.raises_what_was_refused", "sdk_python.raises_what_was_refused"),
    *("wire.models_are_json", "wire.models_shape"),
    *("wire.errors_are_json", "wire.error_shape", "wire.full_error_shape", "repeats.the_message_is_no_json"),
    "security.errors_tell_nothing_of_the_server",
    *("security.preflights_allow_what_the_sdk_sends", "security.preflights_need_no_key"),
    *("security.pages_may_read_streams_and_errors", "security.pages_may_read_why_a_key_is_refused"),
    *("wire.answers_are_complete", "wire.no_request_breaks_the_server", "connections.nothing_follows_the_response"),
}
"""Checks that have something to judge although the server rejects every POST: GET, OPTIONS, and the rejections."""

IGNORED = {
    "max-tokens-ignored": (
        "max_tokens",
        [
            "max_tokens.default_is_no_limit",
            "agents.a_limit_above_the_context_is_accepted_or_refused",
            "reported.a_limit_may_be_null",  # It is about no limit.
        ],
    ),
    "max-completion-tokens-ignored": ("max_completion_tokens", []),
    "stop-ignored": ("stop", []),
    "n-ignored": ("n", ["n.may_be_1", "effects.there_are_n_choices"]),
    "seed-ignored": ("seed", ["seed.without_it_responses_vary"]),  # It is about requests without one.
    "top-p-ignored": ("top_p", ["top_p.above_1_is_refused", "top_p.negative_is_refused", "top_p.text_is_refused"]),
    "frequency-penalty-ignored": ("frequency_penalty", ["penalties.count_what_was_sampled"]),  # It sends both.
    "presence-penalty-ignored": ("presence_penalty", []),
    "logit-bias-ignored": ("logit_bias", []),
    "logprobs-ignored": (
        "logprobs",
        [
            "logprobs.shape",  # There is no entry whose shape could be judged.
            "effects.each_text_has_logprobs",
            "effects.no_logprobs_unless_asked",
            "effects.logprobs_spell_the_text",
        ],
    ),
    # A call that the model makes by itself must end, too.
    "tool-choice-ignored": (
        "tool_choice",
        ["tool_choice.auto_is_the_default", "reported.a_forced_call_ends", "effects.none_forbids_calls"],
    ),
    "tools-ignored": (
        "tools",
        [
            "tools.no_tools_are_an_empty_list",
            "tools.functions_are_called",
            "tools.function_call_names_a_function",
            "agreement.same_tool_calls",  # No answer has a call, so there is nothing to compare.
            # Rules over every stream, and over every call: those of the deprecated `functions` are still made.
            "repeats.deltas_have_no_empty_list_of_calls",
            "effects.finish_reason_tells_of_calls",
            "repeats.later_pieces_have_no_identity",
            "repeats.a_call_is_not_its_own_text",
            "combined.each_streamed_call_begins_whole",
            "combined.forced_arguments_are_json",
            "forms.inert_parameters_change_nothing_beside_tools",  # It is about parameters that do nothing.
            "reported.tools_are_accepted_beside_other_parameters",  # It is about what is rejected.
            "notation.marks_in_a_question_are_text",  # It is about the text of a user.
            "text_fidelity.layout_is_streamed_beside_tools",  # It is about the text of a model that calls nothing.
        ],
    ),
    "json-schema-ignored": ("json_schema", []),
    "system-message-ignored": ("system_messages", ["messages.developer_message_is_obeyed"]),
    "images-ignored": ("vision", ["vision.a_model_without_eyes_refuses"]),
}
"""Parameters without effect, the row of each, and which of its checks have something to judge all the same: what is
rejected or said aloud although it changes nothing, what has a name of its own, and rules over every response that are
`inconclusive` on such a server, which the bench does not count as a flip."""


@pytest.mark.parametrize("name", ["every-request-not-found", "every-request-rejected"])
def test_no_check_passes_on_rejections_alone(on: Bench, name: str) -> None:
    good = {i for i, result in on.under(FAULTS[name]).items() if result.outcome.good}
    assert sorted(good - WITHOUT_A_POST) == []


def test_bad_images_are_not_judged_where_every_image_is_rejected(on: Bench) -> None:
    ends = on.under(FAULTS["every-image-rejected"])
    good = {i for i, result in ends.items() if i.startswith("vision.") and result.outcome.good}
    assert sorted(good - {"vision.a_model_without_eyes_refuses"}) == []


APART = ("completions", "responses", "examples_", "properties")
"""How rows of other endpoints begin, and of checks that try many parameters at once."""

ALSO_LOWERED = {
    "max-tokens-ignored": {"reasoning"},  # Its limit is the one that thoughts count towards.
    "tools-ignored": {"tool_choice"},  # Without tools there is no choice.
}


@pytest.mark.parametrize("name", IGNORED)
def test_a_parameter_without_effect_passes_no_check_of_its_row_and_lowers_no_other(on: Bench, name: str) -> None:
    row, still_judged = IGNORED[name]
    flipped = on.flips(FAULTS[name])
    assert [c.id for c in on.checks if c.feature == row and c.id not in {*flipped, *still_judged}] == []
    lowered = {
        c.feature for c in on.checks if c.level == "MUST" and c.id in flipped and flipped[c.id].outcome in JUDGED
    }
    others = {one for one in lowered - {row} if not one.startswith(APART)}
    assert others <= ALSO_LOWERED.get(name, set())
