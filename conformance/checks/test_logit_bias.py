"""`logit_bias`: tokens made more or less likely by their ids.

A bias of 100 forces the token of any id, and so shows what the id stands for, which no answer tells.
"""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Completion,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
)

REQUEST = "openapi:CreateChatCompletionRequest.logit_bias"
FORCED_TOKENS = 8
NO_LIMIT = "`max_tokens` has no effect"


def piece(forced: Chat) -> str:
    """The text of the token that an answer consists of."""
    return forced.text[: len(forced.text) // FORCED_TOKENS]


@check("logit_bias", MUST, REQUEST, core=True)
def test_100_forces_a_token(count: Chat, count_max_tokens: Chat, capital: Chat, bias_forces: Chat) -> None:
    """A bias of 100 makes a token the only one, again and again until the limit."""
    ignored_unless(bias_forces.text != capital.text, "the text is the same as without a bias")
    inconclusive_unless(count_max_tokens.said != count.said, NO_LIMIT)
    assert bias_forces.text == piece(bias_forces) * FORCED_TOKENS
    assert bias_forces.finish_reason == "length"


@check("logit_bias", MUST, REQUEST)
def test_minus_100_bans_a_token(say_token: Chat, say_token_banned: Chat) -> None:
    """A bias of -100 keeps a token out of an answer that consists of it."""
    # The token is a single character, which no other token spells, so that the same text cannot come in another way.
    wanted = say_token.sent["messages"][0]["content"].removeprefix("Repeat after me: ")
    inconclusive_unless(
        wanted.isascii() and len(wanted) == 1 and say_token.text == wanted, "the model did not say the token"
    )
    ignored_unless(say_token_banned.text != wanted, "the banned token came")


@check("logit_bias", MUST, REQUEST)
def test_same_in_streams(
    capital: Chat,
    bias_forces: Chat,
    bias_forces_streamed: Chat,
    say_token_banned: Chat,
    say_token_banned_streamed: Chat,
) -> None:
    """A bias has the same effect in a stream."""
    inconclusive_unless(bias_forces.said != capital.said, "`logit_bias` has no effect")
    assert_same_text(bias_forces_streamed.text, bias_forces.text)
    assert_same_text(say_token_banned_streamed.text, say_token_banned.text)


@check("logit_bias", SHOULD, REQUEST)
def test_value_counts(count: Chat, count_max_tokens: Chat, bias_forces: Chat, bias_forces_the_higher: Chat) -> None:
    """Of two tokens with a bias, the one with 100 comes and not the one with 50."""
    inconclusive_unless(count_max_tokens.said != count.said, NO_LIMIT)
    inconclusive_unless(bias_forces.text or bias_forces_the_higher.text, "the tokens have no text")
    assert bias_forces_the_higher.text == piece(bias_forces_the_higher) * FORCED_TOKENS
    ignored_unless(bias_forces_the_higher.text != bias_forces.text, "the lower bias won")


@check("logit_bias", SHOULD, REQUEST)
def test_ids_are_those_of_prompts(
    count: Chat, count_max_tokens: Chat, token_echo: Completion, bias_forces: Chat
) -> None:
    """The token of an id is the same as in a prompt that is given as token ids."""
    inconclusive_unless(count_max_tokens.said != count.said, NO_LIMIT)
    inconclusive_unless(
        token_echo.text[:FORCED_TOKENS] == token_echo.text[:1] * FORCED_TOKENS, "the prompt's tokens do not come back"
    )
    inconclusive_unless(bias_forces.text, "the token has no text of its own, or was written into the reasoning")
    assert piece(bias_forces) == token_echo.text[:1]


@check("logit_bias", SHOULD, REQUEST)
def test_beyond_100_is_refused(bad_bias_value: list[Chat]) -> None:
    """A bias above 100 or below -100 is refused."""
    for answer in bad_bias_value:
        expect_rejection(answer)


@check("logit_bias", SHOULD, REQUEST)
def test_text_value_is_refused(bad_bias_text_value: Chat) -> None:
    """A bias that is no number is refused."""
    expect_rejection(bad_bias_text_value)


@check("logit_bias", SHOULD, REQUEST)
def test_key_that_is_no_id_is_refused(bad_bias_key: Chat) -> None:
    """A key that is no token id is refused."""
    expect_rejection(bad_bias_key)


@check("logit_bias", SHOULD, "docs:api-reference/chat/create")
def test_unknown_id_is_refused(bad_bias_unknown_token: Chat) -> None:
    """An id that the vocabulary does not have is refused."""
    expect_rejection(bad_bias_unknown_token)


@check("logit_bias", SHOULD, REQUEST)
def test_other_type_is_refused(bad_bias_type: Chat) -> None:
    """A logit_bias that is no object is refused."""
    expect_rejection(bad_bias_type)
