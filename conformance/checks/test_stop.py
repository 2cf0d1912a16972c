"""`stop`: generation ends at a given text, which is not part of the answer."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
)

REQUEST = "openapi:CreateChatCompletionRequest.stop"
REASON = "openapi:CreateChatCompletionResponse.choices.finish_reason"


NO_EFFECT = "`stop` has no effect"


def before(control: Chat, *stops: str) -> str:
    """The control's text before the first of the stop strings; it must have one of them."""
    found = [control.text.find(stop) for stop in stops if stop in control.text]
    inconclusive_unless(found, f"the answer without stop has none of {stops}")
    return control.text[: min(found)]


@check("stop", MUST, REQUEST, core=True)
def test_ends_the_text(count: Chat, count_stop: Chat) -> None:
    """Generation ends before the stop string, which is not part of the text."""
    expected = before(count, count_stop.sent["stop"])
    ignored_unless(count_stop.text != count.text, "the text is the same as without stop")
    assert_same_text(count_stop.text, expected)


@check("stop", MUST, REASON)
def test_finish_reason_is_stop(count: Chat, count_stop: Chat, count_stop_streamed: Chat) -> None:
    """A choice that ended at a stop string has finish_reason `stop`."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    assert count_stop.finish_reason == "stop"
    assert count_stop_streamed.finish_reason == "stop"


@check("stop", MUST, REQUEST)
def test_streamed_text_is_the_same(count: Chat, count_stop: Chat, count_stop_streamed: Chat) -> None:
    """A stream ends at the same place as the plain answer."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    assert_same_text(count_stop_streamed.text, count_stop.text)


@check("stop", SHOULD, REQUEST)
def test_ends_generation(count: Chat, count_stop: Chat) -> None:
    """No further tokens are generated: the usage is lower than without stop."""
    inconclusive_unless(
        count.finish_reason == "stop" or count.tokens("completion") > 20, "the answer is too short to compare"
    )
    assert count_stop.tokens("completion") < count.tokens("completion")


@check("stop", MUST, REQUEST)
def test_list_ends_at_what_comes_first(count: Chat, count_stop_list: Chat) -> None:
    """Of several stop strings, the one that comes first in the text ends it."""
    expected = before(count, *count_stop_list.sent["stop"])
    ignored_unless(count_stop_list.text != count.text, "the text is the same as without stop")
    assert_same_text(count_stop_list.text, expected)


@check("stop", MUST, REQUEST)
def test_list_same_in_streams(count: Chat, count_stop_list: Chat, count_stop_list_streamed: Chat) -> None:
    """A stream with several stop strings ends at the same place."""
    inconclusive_unless(count_stop_list.said != count.said, NO_EFFECT)
    assert_same_text(count_stop_list_streamed.text, count_stop_list.text)


@check("stop", MUST, REQUEST)
def test_four_strings_count(count: Chat, count_stop_four: Chat) -> None:
    """The last of four stop strings, as many as there may be, ends the text."""
    expected = before(count, *count_stop_four.sent["stop"])
    ignored_unless(count_stop_four.text != count.text, "the text is the same as without stop")
    assert_same_text(count_stop_four.text, expected)


@check("stop", MUST, REQUEST)
def test_ends_at_several_tokens(count: Chat, count_stop_across: Chat) -> None:
    """A stop string of several tokens ends the text before its first one."""
    expected = before(count, count_stop_across.sent["stop"])
    ignored_unless(count_stop_across.text != count.text, "the text is the same as without stop")
    assert_same_text(count_stop_across.text, expected)


@check("stop", MUST, REQUEST)
def test_no_part_is_streamed(count: Chat, count_stop_across_streamed: Chat) -> None:
    """A stream has no part of a stop string of several tokens: it holds back what may be its beginning."""
    expected = before(count, count_stop_across_streamed.sent["stop"])
    ignored_unless(count_stop_across_streamed.text != count.text, "the text is the same as without stop")
    assert_same_text(count_stop_across_streamed.text, expected)


@check("stop", MUST, REQUEST)
def test_beginning_is_no_end(
    count: Chat, count_stop: Chat, count_stop_almost: Chat, count_stop_almost_streamed: Chat
) -> None:
    """Text that only begins like a stop string, or is in the prompt only, stays whole, in a stream too."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    inconclusive_unless(count_stop_almost.sent["stop"][-1] not in count.text, "the answer repeats the question")
    assert_same_text(count_stop_almost.text, count.text)
    assert_same_text(count_stop_almost_streamed.text, count.text)


@check("stop", MUST, REQUEST)
def test_may_be_at_the_beginning(count: Chat, count_stop_first: Chat, count_stop_first_streamed: Chat) -> None:
    """An answer that begins with the stop string is empty."""
    assert before(count, count_stop_first.sent["stop"]) == ""
    ignored_unless(count_stop_first.text != count.text, "the text is the same as without stop")
    for answer in (count_stop_first, count_stop_first_streamed):
        if answer.text:
            assert_same_text(answer.text, "")


@check("stop", MUST, REQUEST)
def test_may_be_beyond_ascii(unicode_words: Chat, unicode_stop: Chat, unicode_stop_streamed: Chat) -> None:
    """A stop string of several bytes ends the text, and no half of a character remains."""
    expected = before(unicode_words, unicode_stop.sent["stop"])
    ignored_unless(unicode_stop.text != unicode_words.text, "the text is the same as without stop")
    assert_same_text(unicode_stop.text, expected)
    assert_same_text(unicode_stop_streamed.text, expected)


@check("stop", MAY, "de-facto:an empty stop string is no stop string")
def test_empty_text_ends_nothing(count: Chat, count_stop: Chat, stop_empty_text: Chat) -> None:
    """An empty stop string is refused, or has no effect."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    if not stop_empty_text.cleanly_refused:
        assert_same_text(stop_empty_text.text, count.text)


@check("stop", SHOULD, REQUEST)
def test_five_strings_are_refused(bad_stop_five: Chat) -> None:
    """More than four stop strings are refused."""
    expect_rejection(bad_stop_five)


@check("stop", SHOULD, REQUEST)
def test_number_is_refused(bad_stop_number: Chat) -> None:
    """A stop that is neither text nor list is refused."""
    expect_rejection(bad_stop_number)


@check("stop", SHOULD, REQUEST)
def test_list_of_numbers_is_refused(bad_stop_list_of_numbers: Chat) -> None:
    """A list of stops that are no texts is refused."""
    expect_rejection(bad_stop_list_of_numbers)


@check("stop", SHOULD, "openapi:CreateChatCompletionRequest.stop")
def test_one_string_in_an_array(count: Chat, stop_one_string_in_an_array: Chat) -> None:
    """`stop` may be an array of one string, and ends generation as that string alone does."""
    expected = before(count, *stop_one_string_in_an_array.sent["stop"])
    ignored_unless(stop_one_string_in_an_array.text != count.text, "the response is the same as without `stop`")
    assert_same_text(stop_one_string_in_an_array.text, expected)
