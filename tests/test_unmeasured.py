"""Checks that must not pass where nothing was measured."""

from __future__ import annotations

import pytest

from conformance.checks import test_models, test_wire
from conformance.every import Every
from conformance.outcomes import TimedOut
from tests.made import answer, chat_body

LISTED = answer({"object": "list", "data": [{"id": "m", "object": "model"}]}, path="/models", method="GET")
CHAT = answer(chat_body())
LATE = answer(chat_body(), error="timeout")
BROKEN = answer(chat_body(), error="closed")


def test_a_listed_model_that_chats_is_the_model_that_answers() -> None:
    test_models.test_lists_the_model(CHAT, LISTED)


def test_responses_are_complete() -> None:
    test_wire.test_answers_are_complete(Every([CHAT, LISTED]))


def test_a_response_that_is_late_is_not_complete() -> None:
    with pytest.raises(TimedOut):
        test_wire.test_answers_are_complete(Every([LATE, CHAT]))


def test_what_is_broken_off_is_said_before_what_is_late() -> None:
    with pytest.raises(AssertionError):
        test_wire.test_answers_are_complete(Every([LATE, BROKEN, CHAT]))
