"""`logit_bias`: makes tokens more or less likely, by their ids.

A bias of 100 forces its token, which shows the text of a token id; no field of a response tells that.
"""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Completion,
    assert_equal,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    shown,
)

REQUEST = "openapi:CreateChatCompletionRequest.logit_bias"
FORCED_TOKENS = 8
CONTENT = "`choices[0].message.content`"
NO_LIMIT = "`max_tokens` has no effect"


def piece(forced: Chat) -> str:
    """The text of the one token of which a forced response consists."""
    return forced.text[: len(forced.text) // FORCED_TOKENS]


def assert_one_token(forced: Chat) -> None:
    """End the check unless the text is one token, repeated until the limit."""
    assert forced.text == piece(forced) * FORCED_TOKENS, (
        f"expected one token {FORCED_TOKENS} times, got {shown(forced.text[:200])} ({CONTENT} with `logit_bias`)"
    )


@check("logit_bias", MUST, REQUEST, core=True)
def test_100_forces_a_token(count: Chat, count_max_tokens: Chat, capital: Chat, bias_forces: Chat) -> None:
    """A `logit_bias` of 100 makes its token the only one that is generated, until `max_tokens` is reached."""
    ignored_unless(bias_forces.text != capital.text, f"{CONTENT} is the same as without `logit_bias`")
    inconclusive_unless(count_max_tokens.said != count.said, NO_LIMIT)
    assert_one_token(bias_forces)
    assert_equal(bias_forces.finish_reason, "length", "`choices[0].finish_reason`")


@check("logit_bias", MUST, REQUEST)
def test_minus_100_bans_a_token(say_token: Chat, say_token_banned: Chat) -> None:
    """A `logit_bias` of -100 keeps its token out of `content`."""
    # The token is a single character: no other tokens can spell the same text.
    wanted = say_token.sent["messages"][0]["content"].removeprefix("Repeat after me: ")
    inconclusive_unless(
        wanted.isascii() and len(wanted) == 1 and say_token.text == wanted,
        f"expected the forced token {shown(wanted)}, one ASCII character, got {shown(say_token.text)} ({CONTENT})",
    )
    ignored_unless(say_token_banned.text != wanted, f"{CONTENT} is the banned token {shown(wanted)}")


@check("logit_bias", MUST, REQUEST)
def test_same_in_streams(
    capital: Chat,
    bias_forces: Chat,
    bias_forces_streamed: Chat,
    say_token_banned: Chat,
    say_token_banned_streamed: Chat,
) -> None:
    """`logit_bias` has the same effect in a stream."""
    inconclusive_unless(bias_forces.said != capital.said, "`logit_bias` has no effect")
    streamed = "`choices[0].delta.content`, joined, with a `logit_bias` of"
    assert_same_text(bias_forces_streamed.text, bias_forces.text, f"{streamed} 100")
    assert_same_text(say_token_banned_streamed.text, say_token_banned.text, f"{streamed} -100")


@check("logit_bias", SHOULD, REQUEST)
def test_value_counts(count: Chat, count_max_tokens: Chat, bias_forces: Chat, bias_forces_the_higher: Chat) -> None:
    """Of two tokens in `logit_bias`, the one with 100 is generated, not the one with 50."""
    inconclusive_unless(count_max_tokens.said != count.said, NO_LIMIT)
    inconclusive_unless(
        bias_forces.text or bias_forces_the_higher.text, f"the forced tokens have no text ({CONTENT} is empty)"
    )
    assert_one_token(bias_forces_the_higher)
    ignored_unless(
        bias_forces_the_higher.text != bias_forces.text, f"{CONTENT} is the token with the lower bias (50, not 100)"
    )


@check("logit_bias", SHOULD, REQUEST)
def test_ids_are_those_of_prompts(
    count: Chat, count_max_tokens: Chat, token_echo: Completion, bias_forces: Chat
) -> None:
    """A token id in `logit_bias` stands for the same token as in a `prompt` of token ids."""
    inconclusive_unless(count_max_tokens.said != count.said, NO_LIMIT)
    inconclusive_unless(
        token_echo.text[:FORCED_TOKENS] == token_echo.text[:1] * FORCED_TOKENS,
        "`choices[0].text` with `echo` does not begin with the tokens of the prompt",
    )
    inconclusive_unless(
        bias_forces.text, f"the forced token has no text of its own, or came as reasoning ({CONTENT} is empty)"
    )
    assert_equal(piece(bias_forces), token_echo.text[:1], f"token in {CONTENT}, compared with `prompt`")


@check("logit_bias", SHOULD, REQUEST)
def test_beyond_100_is_refused(bad_bias_value: list[Chat]) -> None:
    """A `logit_bias` above 100 or below -100 is rejected with 400."""
    for answer in bad_bias_value:
        expect_rejection(answer)


@check("logit_bias", SHOULD, REQUEST)
def test_text_value_is_refused(bad_bias_text_value: Chat) -> None:
    """A string as a value of `logit_bias` is rejected with 400."""
    expect_rejection(bad_bias_text_value)


@check("logit_bias", SHOULD, REQUEST)
def test_key_that_is_no_id_is_refused(bad_bias_key: Chat) -> None:
    """A key of `logit_bias` that is not a token id is rejected with 400."""
    expect_rejection(bad_bias_key)


@check("logit_bias", SHOULD, "docs:api-reference/chat/create")
def test_unknown_id_is_refused(bad_bias_unknown_token: Chat) -> None:
    """A token id in `logit_bias` that is not in the vocabulary is rejected with 400."""
    expect_rejection(bad_bias_unknown_token)


@check("logit_bias", SHOULD, REQUEST)
def test_other_type_is_refused(bad_bias_type: Chat) -> None:
    """A `logit_bias` that is not an object is rejected with 400."""
    expect_rejection(bad_bias_type)
