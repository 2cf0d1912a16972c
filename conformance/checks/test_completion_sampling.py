"""The sampling parameters of `POST /completions`, each judged by its effect."""

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Completion,
    assert_at_most,
    assert_equal,
    assert_same_text,
    changed_seeded,
    check,
    expect_rejection,
    ignored_unless,
    ignored_unless_varied,
    reproduced,
    shown,
)

TEXT = "`choices[0].text`"


def texts(answers: list[Completion]) -> list[str]:
    """The text of each response."""
    return [answer.text for answer in answers]


@check("completions", MUST, "openapi:CreateCompletionRequest.max_tokens")
def test_max_tokens_ends_the_text(continuation: Completion, continuation_short: Completion) -> None:
    """`max_tokens` limits `usage.completion_tokens`, and `finish_reason` is `length` when it is reached."""
    ignored_unless(continuation_short.text != continuation.text, f"{TEXT} is the same as with a larger `max_tokens`")
    assert_at_most(
        continuation_short.tokens("completion"), continuation_short.sent["max_tokens"], "`usage.completion_tokens`"
    )
    assert_equal(continuation_short.finish_reason, "length", "`choices[0].finish_reason`")


@check("completions", MUST, "openapi:CreateCompletionRequest.stop")
def test_stop_ends_the_text(continuation: Completion, continuation_stop: Completion) -> None:
    """`stop` ends generation before the stop string, and the string is not in `text`."""
    ignored_unless(continuation_stop.text != continuation.text, f"{TEXT} is the same as without `stop`")
    assert_same_text(
        continuation_stop.text, continuation.text.partition(continuation_stop.sent["stop"])[0], f"{TEXT} with `stop`"
    )


@check("completions", MUST, "openapi:CreateCompletionRequest.temperature")
def test_temperature_varies_the_text(continuation: Completion, warm: list[Completion]) -> None:
    """A high `temperature` gives a different `text` than `temperature: 0`."""
    others = [text for text in texts(warm) if not text.startswith(continuation.text)]
    ignored_unless_varied(others, f"{TEXT} is the same as at `temperature: 0`, whatever the `seed`")


@check("completions", MUST, "openapi:CreateCompletionRequest.top_p")
def test_tiny_top_p_is_greedy(continuation: Completion, warm: list[Completion], continuation_top_p: Completion) -> None:
    """A tiny `top_p` leaves only the likeliest token, at any `temperature`."""
    ignored_unless(
        reproduced([continuation], [continuation_top_p], warm),
        f"{TEXT} with a tiny `top_p` differs from the one at `temperature: 0`",
    )


@check("completions", SHOULD, "openapi:CreateCompletionRequest.seed")
def test_seed_repeats_the_text(warm: list[Completion], warm_again: list[Completion]) -> None:
    """The same `seed` gives the same text, and different seeds give different texts."""
    # One of three may differ: requests that are computed together differ in the last bits of their sums.
    again = reproduced(warm, warm_again, warm, warm_again)
    ignored_unless(again >= 2, f"only {again} of 3 texts were reproduced with the same `seed` ({TEXT})")
    ignored_unless_varied(len(set(texts(warm_again))) > 1, f"three different seeds gave the same text ({TEXT})")


@check("completions", MUST, "openapi:CreateCompletionRequest.logit_bias")
def test_logit_bias_forces_a_token(continuation: Completion, continuation_bias: Completion) -> None:
    """A `logit_bias` of 100 makes its token the only one that is generated."""
    ignored_unless(continuation_bias.text != continuation.text, f"{TEXT} is the same as without `logit_bias`")
    times = continuation_bias.sent["max_tokens"]
    text = continuation_bias.text
    assert text == text[: len(text) // times] * times, (
        f"expected one token {times} times, got {shown(text[:200])} ({TEXT} with `logit_bias`)"
    )


@check("completions", MUST, "openapi:CreateCompletionRequest.frequency_penalty")
def test_frequency_penalty_changes_the_text(
    warm: list[Completion], warm_again: list[Completion], warm_frequency_penalty: list[Completion]
) -> None:
    """`frequency_penalty` changes the `text` that a `seed` gives."""
    ignored_unless(
        changed_seeded(warm, warm_again, warm_frequency_penalty),
        f"{TEXT} is the same as without `frequency_penalty`, for every `seed`",
    )


@check("completions", MUST, "openapi:CreateCompletionRequest.presence_penalty")
def test_presence_penalty_changes_the_text(
    warm: list[Completion], warm_again: list[Completion], warm_presence_penalty: list[Completion]
) -> None:
    """`presence_penalty` changes the `text` that a `seed` gives."""
    ignored_unless(
        changed_seeded(warm, warm_again, warm_presence_penalty),
        f"{TEXT} is the same as without `presence_penalty`, for every `seed`",
    )


@check("completions", SHOULD, "openapi:CreateCompletionRequest.user")
def test_user_changes_nothing(continuation: Completion, continuation_user: Completion) -> None:
    """`user` is accepted, and does not change `text`."""
    assert_same_text(continuation_user.text, continuation.text, f"{TEXT} with `user`")


@check("completions", SHOULD, "openapi:CreateCompletionRequest.prompt")
def test_object_as_prompt_is_refused(continuation: Completion, bad_completion_prompt: Completion) -> None:
    """An object as `prompt` is rejected with 400."""
    expect_rejection(bad_completion_prompt)


@check("errors", MAY, "docs:guides/error-codes model not found")
def test_unknown_model_is_refused(continuation: Completion, bad_completion_model: Completion) -> None:
    """An unknown `model` in `POST /completions` is rejected with 404."""
    expect_rejection(bad_completion_model, 404, or_leniently=(400,))
