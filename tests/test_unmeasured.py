"""Checks that must not pass where nothing was measured."""

from __future__ import annotations

import pytest

from conformance.answers import Missing
from conformance.checks import test_models, test_wire
from conformance.kit.every import Every
from conformance.outcomes import Inconclusive, TimedOut
from tests.made import answer, chat_body

LISTED = answer({"object": "list", "data": [{"id": "m", "object": "model"}]}, path="/models", method="GET")
CHAT = answer(chat_body())
REFUSED = answer({"error": {"message": "no"}}, status=400)
LATE = answer(chat_body(), error="timeout")
BROKEN = answer(chat_body(), error="closed")


@pytest.mark.parametrize("accepted", ["capital", "embedding", "look_red"])
def test_the_list_has_the_model_of_any_role_that_responds(accepted: str) -> None:
    roles = {name: CHAT if name == accepted else REFUSED for name in ("capital", "embedding", "look_red")}
    test_models.test_lists_the_model(**roles, models_list=LISTED)
    other = answer({"object": "list", "data": [{"id": "other"}]}, path="/models", method="GET")
    with pytest.raises(AssertionError):
        test_models.test_lists_the_model(**roles, models_list=other)


def test_where_no_model_responds_the_list_is_not_judged() -> None:
    missing = Missing("embedding", "no embedding model", blocked=True)
    with pytest.raises(Inconclusive):
        test_models.test_lists_the_model(REFUSED, missing, REFUSED, LISTED)


def test_responses_are_complete() -> None:
    test_wire.test_answers_are_complete(Every([CHAT, LISTED]))


def test_a_response_that_is_late_is_not_complete() -> None:
    with pytest.raises(TimedOut):
        test_wire.test_answers_are_complete(Every([LATE, CHAT]))


def test_what_is_broken_off_is_said_before_what_is_late() -> None:
    with pytest.raises(AssertionError):
        test_wire.test_answers_are_complete(Every([LATE, BROKEN, CHAT]))
