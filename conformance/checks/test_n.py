"""`n`: several answers to one request, told apart by their index."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    joined,
    reproduced,
)

REQUEST = "openapi:CreateChatCompletionRequest.n"
CHOICES = "openapi:CreateChatCompletionResponse.choices"
ONE_CHOICE = "there is one choice only"


def indices(answer: Chat) -> list[int]:
    """The indices of the choices, in order."""
    return [choice.index for choice in answer.choices]


@check("n", MUST, REQUEST, core=True)
def test_gives_as_many_choices(capital: Chat, capital_n_2: Chat) -> None:
    """With n=2 there are two choices, with the indices 0 and 1."""
    inconclusive_unless(len(capital.choices) == 1, "there are several choices without n")
    ignored_unless(len(capital_n_2.choices) > 1, ONE_CHOICE)
    assert indices(capital_n_2) == [0, 1]


@check("n", MUST, CHOICES)
def test_choices_are_complete(capital_n_2: Chat, things_n_3: Chat) -> None:
    """Each choice has its own message, with role, text and finish_reason."""
    inconclusive_unless(len(capital_n_2.choices) > 1, ONE_CHOICE)
    for choice in capital_n_2.choices + things_n_3.choices:
        assert choice.role == "assistant"
        assert choice.content is not None
        assert choice.finish_reason in ("stop", "length")


@check("n", MUST, REQUEST)
def test_streams_as_many_choices(capital_n_2_streamed: Chat, things_n_3_streamed: Chat) -> None:
    """A stream has the same choices, told apart by their index."""
    ignored_unless(len(capital_n_2_streamed.choices) > 1, ONE_CHOICE)
    assert indices(capital_n_2_streamed) == [0, 1]
    assert indices(things_n_3_streamed) == [0, 1, 2]


@check("n", MUST, "openapi:CreateChatCompletionStreamResponse.choices")
def test_streams_complete_choices(things_n_3_streamed: Chat) -> None:
    """In a stream each choice has its role and text, and ends once."""
    inconclusive_unless(len(things_n_3_streamed.choices) > 1, ONE_CHOICE)
    ends = [at for at in range(3) for choice in things_n_3_streamed.pieces(at) if choice.get("finish_reason")]
    assert ends == [0, 1, 2]
    for choice in things_n_3_streamed.choices:
        assert choice.role == "assistant"
        assert choice.content is not None


@check("n", MUST, REQUEST)
def test_choices_are_not_copies(
    hot: list[Chat],
    things_n_3: Chat,
    things_n_3_again: Chat,
    things_n_3_streamed: Chat,
    things_n_3_again_streamed: Chat,
) -> None:
    """Each choice is drawn by itself: where answers vary, choices do, in a stream too."""
    # The probe model's answers are the same three times by chance in 4 of 10 000 runs: twice in 1 of 6 million.
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    for twice in ([things_n_3, things_n_3_again], [things_n_3_streamed, things_n_3_again_streamed]):
        varied = [len({choice.text for choice in answer.choices}) > 1 for answer in twice]
        ignored_unless(any(varied), "the choices are copies of one answer")


@check("n", MUST, "openapi:CompletionUsage.completion_tokens")
def test_usage_counts_all(few_tokens: Chat, few_tokens_n_3: Chat) -> None:
    """The usage has the tokens of all choices, and those of the prompt once."""
    ignored_unless(len(few_tokens_n_3.choices) > 1, ONE_CHOICE)
    inconclusive_unless(
        all(c.finish_reason == "length" for c in few_tokens_n_3.choices), "an answer ended before its limit"
    )
    assert few_tokens_n_3.tokens("completion") == 3 * 2
    assert few_tokens_n_3.tokens("prompt") == few_tokens.tokens("prompt")


@check("n", MUST, REQUEST)
def test_may_be_1(capital: Chat, capital_n_1: Chat) -> None:
    """With n=1 there is one choice, as without n."""
    assert indices(capital_n_1) == [0]
    assert_same_text(capital_n_1.text, capital.text)


@check("n", SHOULD, REQUEST)
def test_same_choices_at_temperature_0(capital: Chat, capital_n_2_greedy: Chat) -> None:
    """At temperature 0 several choices are allowed, and are the same."""
    ignored_unless(len(capital_n_2_greedy.choices) > 1, ONE_CHOICE)
    assert indices(capital_n_2_greedy) == [0, 1]
    first, second = capital_n_2_greedy.choices
    assert_same_text(first.text, capital.text)
    assert_same_text(second.text, capital.text)


@check("n", SHOULD, REQUEST)
def test_may_be_more_than_slots(capital_n_9: Chat) -> None:
    """n may be larger than the number of answers on which the server works at a time."""
    ignored_unless(len(capital_n_9.choices) > 1, ONE_CHOICE)
    assert indices(capital_n_9) == list(range(9))


@check("n", SHOULD, REQUEST)
def test_seed_does_not_make_copies(hot: list[Chat], things_n_3_seeded: list[Chat]) -> None:
    """With a seed, too, the choices of one answer differ from each other."""
    inconclusive_unless(len({t.text for t in hot}) > 1, "the model's answer is always the same")
    ignored_unless(len(things_n_3_seeded[0].choices) > 1, ONE_CHOICE)
    assert len({choice.text for choice in things_n_3_seeded[0].choices}) > 1


@check("n", SHOULD, "openapi:CreateChatCompletionRequest.seed")
def test_seed_repeats_all_choices(
    hot: list[Chat], sampled: list[Chat], sampled_again: list[Chat], things_n_3_seeded: list[Chat]
) -> None:
    """With the same seed all choices come again."""
    once, again = (answer.choices for answer in things_n_3_seeded)
    inconclusive_unless(len(once) > 1, ONE_CHOICE)
    inconclusive_unless(
        reproduced(sampled, sampled_again, sampled, hot) >= 3, "the same seed does not give the same answer"
    )
    assert len(again) == len(once)
    for one, other in zip(once, again, strict=True):
        assert_same_text(other.text, one.text)


@check("n", SHOULD, "openapi:CreateChatCompletionResponse.choices.logprobs")
def test_each_choice_has_its_logprobs(things_n_3: Chat, things_n_3_streamed: Chat) -> None:
    """The logprobs of each choice are those of its own tokens, in a stream too."""
    inconclusive_unless(len(things_n_3.choices) > 1 and len(things_n_3_streamed.choices) > 1, ONE_CHOICE)
    for choice in things_n_3.choices + things_n_3_streamed.choices:
        inconclusive_unless(choice.logprobs, "no logprobs came")
        # Half a character is shown in the text, and not always in its token.
        text, *named = (s.replace("\ufffd", "") for s in (choice.text, *[e["token"] for e in choice.logprobs or []]))
        assert joined(named, text) == text


@check("n", SHOULD, REQUEST)
def test_below_1_is_refused(bad_n: list[Chat]) -> None:
    """0 and negative numbers are refused."""
    for answer in bad_n:
        expect_rejection(answer)


@check("n", SHOULD, REQUEST)
def test_above_128_is_refused(bad_n_high: Chat) -> None:
    """More than 128 choices are refused."""
    expect_rejection(bad_n_high)


@check("n", SHOULD, REQUEST)
def test_text_is_refused(bad_n_text: Chat) -> None:
    """A number of choices that is a text is refused."""
    expect_rejection(bad_n_text)
