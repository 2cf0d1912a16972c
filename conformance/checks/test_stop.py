"""`stop`: generation ends before a given string, which is not in the response."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    assert_equal,
    assert_less,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
)

REQUEST = "openapi:CreateChatCompletionRequest.stop"
REASON = "openapi:CreateChatCompletionResponse.choices.finish_reason"


NO_EFFECT = "expected `stop` to change the content, got the same as without it"
SAME = "expected `content` to end before the stop string, got the same as without `stop`"


def before(control: Chat, *stops: str) -> str:
    """The control's content before the first of the stop strings; it must have one of them."""
    found = [control.text.find(stop) for stop in stops if stop in control.text]
    inconclusive_unless(found, f"expected one of {stops} in the response without `stop`, got none (`content`)")
    return control.text[: min(found)]


@check("stop", MUST, REQUEST, core=True)
def test_ends_the_text(count: Chat, count_stop: Chat) -> None:
    """`stop` ends generation before the stop string, and the string is not in `content`."""
    expected = before(count, count_stop.sent["stop"])
    ignored_unless(count_stop.text != count.text, SAME)
    assert_same_text(count_stop.text, expected)


@check("stop", MUST, REASON)
def test_finish_reason_is_stop(count: Chat, count_stop: Chat, count_stop_streamed: Chat) -> None:
    """`finish_reason` is `stop` for a choice that ended at a stop string."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    assert_equal(count_stop.finish_reason, "stop", "`choices[0].finish_reason`")
    assert_equal(count_stop_streamed.finish_reason, "stop", "`choices[0].finish_reason` of the stream")


@check("stop", MUST, REQUEST)
def test_streamed_text_is_the_same(count: Chat, count_stop: Chat, count_stop_streamed: Chat) -> None:
    """With `stop`, a stream ends at the same place as the plain response."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    assert_same_text(count_stop_streamed.text, count_stop.text, "`choices[0].delta.content`, joined")


@check("stop", SHOULD, REQUEST)
def test_ends_generation(count: Chat, count_stop: Chat) -> None:
    """No more tokens are generated after `stop`: `usage.completion_tokens` is lower than without it."""
    inconclusive_unless(
        count.finish_reason == "stop" or count.tokens("completion") > 20,
        "expected more than 20 tokens without `stop`, got fewer",
    )
    assert_less(count_stop.tokens("completion"), count.tokens("completion"), "`usage.completion_tokens`")


@check("stop", MUST, REQUEST)
def test_list_ends_at_what_comes_first(count: Chat, count_stop_list: Chat) -> None:
    """With several strings in `stop`, the one that comes first in the output ends it."""
    expected = before(count, *count_stop_list.sent["stop"])
    ignored_unless(count_stop_list.text != count.text, SAME)
    assert_same_text(count_stop_list.text, expected)


@check("stop", MUST, REQUEST)
def test_list_same_in_streams(count: Chat, count_stop_list: Chat, count_stop_list_streamed: Chat) -> None:
    """With several strings in `stop`, a stream ends at the same place as the plain response."""
    inconclusive_unless(count_stop_list.said != count.said, NO_EFFECT)
    assert_same_text(count_stop_list_streamed.text, count_stop_list.text, "`choices[0].delta.content`, joined")


@check("stop", MUST, REQUEST)
def test_four_strings_count(count: Chat, count_stop_four: Chat) -> None:
    """`stop` may have four strings, and each of them ends generation."""
    expected = before(count, *count_stop_four.sent["stop"])
    ignored_unless(count_stop_four.text != count.text, SAME)
    assert_same_text(count_stop_four.text, expected)


@check("stop", MUST, REQUEST)
def test_ends_at_several_tokens(count: Chat, count_stop_across: Chat) -> None:
    """`stop` may be a string of several tokens, and `content` ends before the first of them."""
    expected = before(count, count_stop_across.sent["stop"])
    ignored_unless(count_stop_across.text != count.text, SAME)
    assert_same_text(count_stop_across.text, expected)


@check("stop", MUST, REQUEST)
def test_no_part_is_streamed(count: Chat, count_stop_across_streamed: Chat) -> None:
    """No delta has a part of a stop string of several tokens: the server holds back its beginning."""
    expected = before(count, count_stop_across_streamed.sent["stop"])
    ignored_unless(count_stop_across_streamed.text != count.text, SAME)
    assert_same_text(count_stop_across_streamed.text, expected, "`choices[0].delta.content`, joined")


@check("stop", MUST, REQUEST)
def test_beginning_is_no_end(
    count: Chat, count_stop: Chat, count_stop_almost: Chat, count_stop_almost_streamed: Chat
) -> None:
    """Text that only begins like a `stop` string stays complete, and `stop` ignores the prompt, plain and streamed."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    inconclusive_unless(
        count_stop_almost.sent["stop"][-1] not in count.text, "expected none of the question in the content, got some"
    )
    assert_same_text(count_stop_almost.text, count.text)
    assert_same_text(count_stop_almost_streamed.text, count.text, "`choices[0].delta.content`, joined")


@check("stop", SHOULD, REQUEST)
def test_ends_inside_a_token(
    capital: Chat, count: Chat, count_stop: Chat, capital_stop_inside: Chat, capital_stop_inside_streamed: Chat
) -> None:
    """A `stop` string that ends inside of a token ends the text before it, plain and streamed."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    expected = before(capital, capital_stop_inside.sent["stop"])
    for answer in (capital_stop_inside, capital_stop_inside_streamed):
        assert_equal(answer.text, expected, f"`content` of {answer.name}")


@check("stop", MUST, REQUEST)
def test_may_be_at_the_beginning(count: Chat, count_stop_first: Chat, count_stop_first_streamed: Chat) -> None:
    """`content` is empty if the response begins with the `stop` string."""
    assert_equal(before(count, count_stop_first.sent["stop"]), "", "content before the stop string, without `stop`")
    ignored_unless(count_stop_first.text != count.text, SAME)
    for answer in (count_stop_first, count_stop_first_streamed):
        if answer.text:
            assert_same_text(answer.text, "")


@check("stop", MUST, REQUEST)
def test_may_be_beyond_ascii(unicode_words: Chat, unicode_stop: Chat, unicode_stop_streamed: Chat) -> None:
    """`stop` may have characters of several bytes, and no part of a character remains in `content`."""
    expected = before(unicode_words, unicode_stop.sent["stop"])
    ignored_unless(unicode_stop.text != unicode_words.text, SAME)
    assert_same_text(unicode_stop.text, expected)
    assert_same_text(unicode_stop_streamed.text, expected, "`choices[0].delta.content`, joined")


@check("stop", MAY, "de-facto:an empty stop string is no stop string")
def test_empty_text_ends_nothing(count: Chat, count_stop: Chat, stop_empty_text: Chat) -> None:
    """An empty string as `stop` is rejected, or has no effect."""
    inconclusive_unless(count_stop.said != count.said, NO_EFFECT)
    if not stop_empty_text.cleanly_refused:
        assert_same_text(stop_empty_text.text, count.text)


@check("stop", SHOULD, REQUEST)
def test_five_strings_are_refused(bad_stop_five: Chat) -> None:
    """`stop` with more than four strings is rejected with 400."""
    expect_rejection(bad_stop_five)


@check("stop", SHOULD, REQUEST)
def test_number_is_refused(bad_stop_number: Chat) -> None:
    """`stop` that is neither a string nor an array is rejected with 400."""
    expect_rejection(bad_stop_number)


@check("stop", SHOULD, REQUEST)
def test_list_of_numbers_is_refused(bad_stop_list_of_numbers: Chat) -> None:
    """An array with numbers as `stop` is rejected with 400."""
    expect_rejection(bad_stop_list_of_numbers)


@check("stop", SHOULD, "openapi:CreateChatCompletionRequest.stop")
def test_one_string_in_an_array(count: Chat, stop_one_string_in_an_array: Chat) -> None:
    """`stop` may be an array of one string, and ends generation as that string alone does."""
    expected = before(count, *stop_one_string_in_an_array.sent["stop"])
    ignored_unless(stop_one_string_in_an_array.text != count.text, "the response is the same as without `stop`")
    assert_same_text(stop_one_string_in_an_array.text, expected)
