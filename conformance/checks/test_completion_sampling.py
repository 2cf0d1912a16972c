"""The sampling parameters of the legacy endpoint, each by its effect."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Completion,
    assert_same_text,
    changed_seeded,
    check,
    expect_rejection,
    ignored_unless,
    reproduced,
)


def texts(answers: list[Completion]) -> list[str]:
    """The text of each answer."""
    return [answer.text for answer in answers]


@check("completions", MUST, "openapi:CreateCompletionRequest.max_tokens")
def test_max_tokens_ends_the_text(continuation: Completion, continuation_short: Completion) -> None:
    """A completion has at most `max_tokens` tokens."""
    ignored_unless(continuation_short.text != continuation.text, "the text is the same as with more tokens")
    assert continuation_short.tokens("completion") <= continuation_short.sent["max_tokens"]
    assert continuation_short.finish_reason == "length"


@check("completions", MUST, "openapi:CreateCompletionRequest.stop")
def test_stop_ends_the_text(continuation: Completion, continuation_stop: Completion) -> None:
    """Generation ends before the stop string, which is not part of the text."""
    ignored_unless(continuation_stop.text != continuation.text, "the text is the same as without stop")
    assert_same_text(continuation_stop.text, continuation.text.partition(continuation_stop.sent["stop"])[0])


@check("completions", MUST, "openapi:CreateCompletionRequest.temperature")
def test_temperature_varies_the_text(continuation: Completion, warm: list[Completion]) -> None:
    """A high temperature gives other texts than 0."""
    others = [text for text in texts(warm) if not text.startswith(continuation.text)]
    ignored_unless(others, "the text is the same as at temperature 0")


@check("completions", MUST, "openapi:CreateCompletionRequest.top_p")
def test_tiny_top_p_is_greedy(continuation: Completion, warm: list[Completion], continuation_top_p: Completion) -> None:
    """With a tiny `top_p` only the most likely token is left, at any temperature."""
    ignored_unless(
        reproduced([continuation], [continuation_top_p], warm), "the text is another than the most likely one"
    )


@check("completions", SHOULD, "openapi:CreateCompletionRequest.seed")
def test_seed_repeats_the_text(warm: list[Completion], warm_again: list[Completion]) -> None:
    """The same seed gives the same text, and others give others."""
    # One of three may differ: what is computed together differs in its last bits.
    again = reproduced(warm, warm_again, warm, warm_again)
    ignored_unless(again >= 2, f"only {again} of 3 texts came again with the same seed")
    ignored_unless(len(set(texts(warm_again))) > 1, "three seeds gave one text")


@check("completions", MUST, "openapi:CreateCompletionRequest.logit_bias")
def test_logit_bias_forces_a_token(continuation: Completion, continuation_bias: Completion) -> None:
    """A bias of 100 leaves one token."""
    ignored_unless(continuation_bias.text != continuation.text, "the text is the same as without a bias")
    times = continuation_bias.sent["max_tokens"]
    assert continuation_bias.text == continuation_bias.text[: len(continuation_bias.text) // times] * times


@check("completions", MUST, "openapi:CreateCompletionRequest.frequency_penalty")
def test_frequency_penalty_changes_the_text(
    warm: list[Completion], warm_again: list[Completion], warm_frequency_penalty: list[Completion]
) -> None:
    """With a frequency penalty the same seeds give other texts."""
    ignored_unless(
        changed_seeded(warm, warm_again, warm_frequency_penalty), "the texts are the same as without a penalty"
    )


@check("completions", MUST, "openapi:CreateCompletionRequest.presence_penalty")
def test_presence_penalty_changes_the_text(
    warm: list[Completion], warm_again: list[Completion], warm_presence_penalty: list[Completion]
) -> None:
    """With a presence penalty the same seeds give other texts."""
    ignored_unless(
        changed_seeded(warm, warm_again, warm_presence_penalty), "the texts are the same as without a penalty"
    )


@check("completions", SHOULD, "openapi:CreateCompletionRequest.user")
def test_user_changes_nothing(continuation: Completion, continuation_user: Completion) -> None:
    """`user` is accepted, and does not change the text."""
    assert_same_text(continuation_user.text, continuation.text)


@check("completions", SHOULD, "openapi:CreateCompletionRequest.prompt")
def test_object_as_prompt_is_refused(continuation: Completion, bad_completion_prompt: Completion) -> None:
    """An object is no prompt."""
    expect_rejection(bad_completion_prompt)


@check("errors", MAY, "docs:guides/error-codes model not found")
def test_unknown_model_is_refused(continuation: Completion, bad_completion_model: Completion) -> None:
    """A model that does not exist is answered with 404, not by another model."""
    expect_rejection(bad_completion_model, 404, or_leniently=(400,))
