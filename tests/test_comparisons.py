"""The words that compare: what each says when it does not hold, and what it notes when it does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conformance.outcomes import Fail, notes
from conformance.outcomes import comparisons as words

USAGE = "`usage.completion_tokens`"


@pytest.mark.parametrize(
    ("word", "actual", "wanted", "unwanted", "message"),
    [
        (words.assert_equal, 3, 3, 4, "expected 4, got 3 (`usage.completion_tokens`)"),
        (words.assert_equal, None, None, "a", 'expected "a", got null (`usage.completion_tokens`)'),
        (words.assert_not_equal, 3, 4, 3, "expected anything but 3, got 3 (`usage.completion_tokens`)"),
        (words.assert_in, True, [True], (None, 2), "expected one of null, 2, got true (`usage.completion_tokens`)"),
        (words.assert_in, "a", "abc", "bc", 'expected a part of "bc", got "a" (`usage.completion_tokens`)'),
        (words.assert_contains, [1], 1, 2, "expected 2 in it, got [1] (`usage.completion_tokens`)"),
        (words.assert_at_most, 288, 288, 16, "expected at most 16, got 288 (`usage.completion_tokens`)"),
        (words.assert_at_least, 1, 1, 2, "expected at least 2, got 1 (`usage.completion_tokens`)"),
        (words.assert_more, 1, 0, 1, "expected more than 1, got 1 (`usage.completion_tokens`)"),
        (words.assert_less, 1, 2, 1, "expected less than 1, got 1 (`usage.completion_tokens`)"),
    ],
)
def test_a_comparison_says_what_was_expected_what_came_and_where(
    word: Callable[[Any, Any, str], None], actual: Any, wanted: Any, unwanted: Any, message: str
) -> None:
    noted = notes.begin()
    word(actual, wanted, USAGE)
    assert noted.held[0].startswith(f"{USAGE}: ")
    with pytest.raises(Fail) as failed:
        word(actual, unwanted, USAGE)
    assert str(failed.value) == message
    assert len(noted.held) == 1


def test_none_of_something() -> None:
    words.assert_none_of([], "markup in `content`")
    with pytest.raises(Fail, match=r'expected none, got \["<x>"\] \(markup in `content`\)'):
        words.assert_none_of(["<x>"], "markup in `content`")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        ("a\nb", '"a\\nb"'),
        ([None, True], "[null, true]"),
        ({"b", "a"}, '["a", "b"]'),
        ({(1, 2): 3}, "dict"),
    ],
)
def test_values_are_shown_as_json(value: Any, text: str) -> None:
    assert words.shown(value) == text


def test_a_long_value_is_shown_in_part_in_the_message_and_further_beside_it() -> None:
    with pytest.raises(Fail) as failed:
        words.assert_equal("x" * 1000, "y", "`content`")
    assert len(str(failed.value)) < 300
    assert len(failed.value.actual) > 1000
