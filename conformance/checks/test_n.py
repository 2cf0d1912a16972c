"""`n`: several choices for one request, told apart by their index."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_at_least,
    assert_at_most,
    assert_equal,
    assert_in,
    assert_more,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    reproduced,
    spelled,
    whole,
)

REQUEST = "openapi:CreateChatCompletionRequest.n"
CHOICES = "openapi:CreateChatCompletionResponse.choices"
ONE_CHOICE = "expected several choices, got 1 (`choices`)"
SAME = "expected responses that vary at a high `temperature`, got the same one each time"


def indices(answer: Chat) -> list[int]:
    """The indices of the choices, in order."""
    return [choice.index for choice in answer.choices]


@check("n", MUST, REQUEST, core=True)
def test_gives_as_many_choices(capital: Chat, capital_n_2: Chat) -> None:
    """With `n: 2`, `choices` has two elements, with `index` 0 and 1."""
    inconclusive_unless(
        len(capital.choices) == 1, f"expected 1 choice without `n`, got {len(capital.choices)} (`choices`)"
    )
    ignored_unless(len(capital_n_2.choices) > 1, ONE_CHOICE)
    assert_equal(indices(capital_n_2), [0, 1], "`index` of the choices")


@check("n", MUST, CHOICES)
def test_choices_are_complete(capital_n_2: Chat, things_n_3: Chat) -> None:
    """With `n`, each choice has its own `message` with `role` and `content`, and its own `finish_reason`."""
    inconclusive_unless(len(capital_n_2.choices) > 1, ONE_CHOICE)
    for choice in capital_n_2.choices + things_n_3.choices:
        where = f"`choices[{choice.index}]"
        assert_equal(choice.role, "assistant", f"{where}.message.role`")
        assert choice.content is not None, f"expected a string, got null ({where}.message.content`)"
        assert_in(choice.finish_reason, ("stop", "length"), f"{where}.finish_reason`")


@check("n", MUST, REQUEST)
def test_streams_as_many_choices(capital_n_2_streamed: Chat, things_n_3_streamed: Chat) -> None:
    """With `n`, a stream has `n` choices, distinguished by `index`."""
    ignored_unless(len(capital_n_2_streamed.choices) > 1, ONE_CHOICE)
    assert_equal(indices(capital_n_2_streamed), [0, 1], "`index` of the streamed choices")
    assert_equal(indices(things_n_3_streamed), [0, 1, 2], "`index` of the streamed choices")


@check("n", MUST, "openapi:CreateChatCompletionStreamResponse.choices")
def test_streams_complete_choices(things_n_3_streamed: Chat) -> None:
    """In a stream with `n`, each choice has its own `role` and `content`, and one `finish_reason`."""
    inconclusive_unless(len(things_n_3_streamed.choices) > 1, ONE_CHOICE)
    ends = [at for at in range(3) for choice in things_n_3_streamed.pieces(at) if choice.get("finish_reason")]
    assert_equal(ends, [0, 1, 2], "`index` of the streamed choices with a `finish_reason`")
    for choice in things_n_3_streamed.choices:
        where = f"`choices[{choice.index}].delta"
        assert_equal(choice.role, "assistant", f"{where}.role`")
        assert choice.content is not None, f"expected a string, got null ({where}.content`)"


@check("n", MUST, REQUEST)
def test_choices_are_not_copies(
    hot: list[Chat],
    things_n_3: Chat,
    things_n_3_again: Chat,
    things_n_3_streamed: Chat,
    things_n_3_again_streamed: Chat,
) -> None:
    """With `n`, each choice is sampled independently: where responses vary, `choices` also differ."""
    # The probe model's answers are the same three times by chance in 4 of 10 000 runs: twice in 1 of 6 million.
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    for twice in ([things_n_3, things_n_3_again], [things_n_3_streamed, things_n_3_again_streamed]):
        varied = [len({choice.text for choice in answer.choices}) > 1 for answer in twice]
        ignored_unless(any(varied), "expected choices that differ, got copies of one (`choices[].message.content`)")


@check("n", MUST, "openapi:CompletionUsage.completion_tokens")
def test_usage_counts_all(few_tokens: Chat, few_tokens_n_3: Chat) -> None:
    """With `n`, `completion_tokens` counts the tokens of all choices, and `prompt_tokens` counts the prompt once."""
    ignored_unless(len(few_tokens_n_3.choices) > 1, ONE_CHOICE)
    inconclusive_unless(few_tokens.tokens("completion") <= 2, "`max_tokens` does not limit a response without `n`")
    full = sum(choice.finish_reason == "length" for choice in few_tokens_n_3.choices)
    written = sum(bool(choice.text) for choice in few_tokens_n_3.choices if choice.finish_reason != "length")
    # A choice that ended before has one or two tokens: servers may count the one that ends it.
    least = 2 * full + written
    inconclusive_unless(least > 2, "expected choices with more than two tokens together, got choices that ended before")
    assert_at_least(few_tokens_n_3.tokens("completion"), least, "`usage.completion_tokens` with `n: 3`")
    assert_at_most(few_tokens_n_3.tokens("completion"), 3 * 2, "`usage.completion_tokens` with `n: 3`")
    assert_equal(few_tokens_n_3.tokens("prompt"), few_tokens.tokens("prompt"), "`usage.prompt_tokens` with `n: 3`")


@check("n", MUST, REQUEST)
def test_may_be_1(capital: Chat, capital_n_1: Chat) -> None:
    """With `n: 1` there is one choice, with the same content as without `n`."""
    assert_equal(indices(capital_n_1), [0], "`index` of the choices")
    assert_same_text(capital_n_1.text, capital.text)


@check("n", SHOULD, REQUEST)
def test_same_choices_at_temperature_0(capital: Chat, capital_n_2_greedy: Chat) -> None:
    """With `n: 2` and `temperature: 0`, both choices have the same content."""
    ignored_unless(len(capital_n_2_greedy.choices) > 1, ONE_CHOICE)
    assert_equal(indices(capital_n_2_greedy), [0, 1], "`index` of the choices")
    first, second = capital_n_2_greedy.choices
    assert_same_text(first.text, capital.text)
    assert_same_text(second.text, capital.text)


@check("n", SHOULD, REQUEST)
def test_may_be_more_than_slots(capital_n_9: Chat) -> None:
    """`n` may be larger than the number of requests that the server handles at once."""
    ignored_unless(len(capital_n_9.choices) > 1, ONE_CHOICE)
    assert_equal(indices(capital_n_9), list(range(9)), "`index` of the choices")


@check("n", SHOULD, REQUEST)
def test_seed_does_not_make_copies(hot: list[Chat], things_n_3_seeded: list[Chat]) -> None:
    """With `seed` and `n`, the choices of one response still differ from each other."""
    inconclusive_unless(len({t.text for t in hot}) > 1, SAME)
    ignored_unless(len(things_n_3_seeded[0].choices) > 1, ONE_CHOICE)
    varied = {choice.text for choice in things_n_3_seeded[0].choices}
    assert_more(len(varied), 1, "different `choices[].message.content`")


@check("n", SHOULD, "openapi:CreateChatCompletionRequest.seed")
def test_seed_repeats_all_choices(
    hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat], things_n_3_seeded: list[Chat]
) -> None:
    """With the same `seed`, all choices of a request with `n` are reproduced."""
    once, again = (answer.choices for answer in things_n_3_seeded)
    inconclusive_unless(len(once) > 1, ONE_CHOICE)
    inconclusive_unless(
        reproduced(sampled, sampled_again, sampled, hot) >= 3,
        "expected the same response to the same `seed`, got another",
    )
    assert_equal(len(again), len(once), "length of `choices` of the second response")
    for one, other in zip(once, again, strict=True):
        assert_same_text(other.text, one.text, f"`choices[{one.index}].message.content` of the second response")


@check("n", SHOULD, "openapi:CreateChatCompletionResponse.choices.logprobs")
def test_each_choice_has_its_logprobs(things_n_3: Chat, things_n_3_streamed: Chat) -> None:
    """With `n`, each choice has the `logprobs` of its own tokens, plain and streamed."""
    inconclusive_unless(len(things_n_3.choices) > 1 and len(things_n_3_streamed.choices) > 1, ONE_CHOICE)
    for choice in things_n_3.choices + things_n_3_streamed.choices:
        inconclusive_unless(choice.logprobs, "expected an array, got nothing (`choices[].logprobs.content`)")
        where = f"tokens of `choices[{choice.index}].logprobs.content`, joined"
        assert_equal(spelled(choice.logprobs or [], choice.text), whole(choice.text), where)


@check("n", SHOULD, REQUEST)
def test_below_1_is_refused(bad_n: list[Chat]) -> None:
    """`n` below 1 is rejected with 400."""
    for answer in bad_n:
        expect_rejection(answer)


@check("n", SHOULD, REQUEST)
def test_above_128_is_refused(bad_n_high: Chat) -> None:
    """`n` above 128 is rejected with 400."""
    expect_rejection(bad_n_high)


@check("n", SHOULD, REQUEST)
def test_text_is_refused(bad_n_text: Chat) -> None:
    """A string as `n` is rejected with 400."""
    expect_rejection(bad_n_text)
