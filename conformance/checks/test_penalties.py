"""`frequency_penalty` and `presence_penalty`: tokens that were used become less likely.

Servers report the logprobs of the model, which penalties do not move; so the text is judged.
"""

from collections import Counter

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_mostly_same,
    assert_same_text,
    certainty,
    changed_seeded,
    check,
    entries,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    lead,
    tokens,
)

FREQUENCY = "openapi:CreateChatCompletionRequest.frequency_penalty"
PRESENCE = "openapi:CreateChatCompletionRequest.presence_penalty"


NO_EFFECT = "the penalty has no effect"


def differ(some: list[Chat], others: list[Chat]) -> bool:
    """Whether a parameter changed any of some answers."""
    return any(one.said != other.said for one, other in zip(some, others, strict=True))


def repeats(text: str) -> bool:
    """Whether a text ends in one piece of at most eight characters, or in two or three characters, again and again."""
    tail = text[-32:]
    periodic = any((tail[:size] * 32)[:32] == tail for size in range(1, 9))
    return len(tail) == 32 and (periodic or len(set(tail)) <= 3)


def most_used(answer: Chat) -> int:
    """How often the token comes that comes most often."""
    return Counter(tokens(answer)).most_common(1)[0][1]


def surely_kept(likely: Chat) -> tuple[str, int]:
    """The beginning of an answer that a penalty of 2 a use cannot change, and how many of its tokens were used before.

    It ends where the model is not sure enough of its token. The prompt's uses count, since some servers count them, and
    nothing is known of tokens that may be of the marks of turns.
    """
    named, text, used = tokens(likely), "", 0
    prompt = likely.sent["messages"][0]["content"]
    for at, token in enumerate(named):
        uses = named[:at].count(token) + prompt.count(token)
        if set("<|>\n") & set(token) or lead(entries(likely)[at]) < 2 * uses + 0.2:
            break
        text += token
        used += uses > 0
    return text, used


def parting(likely: Chat, other: Chat) -> tuple[str, str, str] | None:
    """The prompt and the text before the first token in which two answers differ; and the two tokens.

    Nothing where the model was not sure of its token: there the last bits of a sum decide. Nor if a token may be of the
    marks of turns: those are in the prompt that the server makes of the messages, and penalties may count that.
    """
    ours, theirs = tokens(likely), tokens(other)
    prompt = likely.sent["messages"][0]["content"] + likely.reasoning
    for at, (one, two) in enumerate(zip(ours, theirs, strict=False)):
        if one != two:
            if lead(entries(likely)[at]) < 0.2 or set("<|>") & set(one + two):
                return None
            return prompt + "".join(ours[:at]), one, two
    return None


@check("frequency_penalty", MUST, FREQUENCY, core=True)
def test_frequency_ends_repetition(repetitive: Chat, repetitive_frequency_penalty: Chat) -> None:
    """A frequency_penalty of 2 changes a text that uses one token again and again."""
    # A separator that was used 20 times has a logit 40 lower, e^-40: more than any model is sure of.
    inconclusive_unless(
        max(map(repetitive.text.count, "\n, ")) >= 20, "the text without a penalty has no separator 20 times"
    )
    ignored_unless(repetitive_frequency_penalty.text != repetitive.text, "the text is the same as without a penalty")
    assert not repeats(repetitive_frequency_penalty.text)


@check("frequency_penalty", MUST, FREQUENCY)
def test_frequency_same_in_streams(
    repetitive: Chat, repetitive_frequency_penalty: Chat, repetitive_frequency_penalty_streamed: Chat
) -> None:
    """A stream with a frequency_penalty has the same text as the plain answer."""
    inconclusive_unless(repetitive_frequency_penalty.said != repetitive.said, NO_EFFECT)
    assert_same_text(repetitive_frequency_penalty_streamed.text, repetitive_frequency_penalty.text)


@check("frequency_penalty", SHOULD, FREQUENCY)
def test_frequency_below_0_repeats(repetitive: Chat, repetitive_frequency_reward: Chat) -> None:
    """A frequency_penalty of -2 makes the text end in one piece, again and again."""
    # Each use adds 2 to the logit of the token that leads already, until nothing else is ever chosen.
    inconclusive_unless(
        max(map(repetitive.text.count, "\n, ")) >= 20, "the text without a penalty has no separator 20 times"
    )
    inconclusive_unless(not repeats(repetitive.text), "the text without a penalty repeats itself already")
    ignored_unless(repetitive_frequency_reward.text != repetitive.text, "the text is the same as without a penalty")
    assert repeats(repetitive_frequency_reward.text)


@check("frequency_penalty", SHOULD, "docs:api-reference/parameter-details")
def test_frequency_takes_2_for_each_use(
    repetitive: Chat, repetitive_frequency_penalty: Chat, sure: list[Chat], sure_frequency_penalty: list[Chat]
) -> None:
    """A frequency_penalty of 2 takes 2 from a token's logit for each use, and no more."""
    inconclusive_unless(repetitive_frequency_penalty.said != repetitive.said, NO_EFFECT)
    inconclusive_unless(
        not any(one.reasoning for one in sure), "tokens of the reasoning are used as well, and have no logprobs"
    )
    kept = [surely_kept(answer) for answer in sure]
    inconclusive_unless(any(uses for _, uses in kept), "the model is not sure enough of any token that it uses again")
    for (text, _), other in zip(kept, sure_frequency_penalty, strict=True):
        assert_same_text(other.text[: len(text)], text)


@check("presence_penalty", MUST, PRESENCE, core=True)
def test_presence_changes_the_text(
    sampled: list[Chat],
    sampled_again: list[Chat],
    sampled_presence_penalty: list[Chat],
    unsure: list[Chat],
    greedy: list[Chat],
    unsure_presence_reward: list[Chat],
) -> None:
    """A presence_penalty of 2 or -2 changes uncertain answers that come again without it."""
    # With each of 30 seeds on llama.cpp; on vLLM the probe model may say one word to each seed, and only -2 shows.
    before, again = [*sampled, unsure[0]], [*sampled_again, greedy[0]]
    after = [*sampled_presence_penalty, unsure_presence_reward[0]]
    ignored_unless(changed_seeded(before, again, after), "the answers are the same as without a penalty")


@check("presence_penalty", MUST, PRESENCE)
def test_presence_same_in_streams(
    sampled: list[Chat],
    sampled_streamed: list[Chat],
    sampled_presence_penalty: list[Chat],
    sampled_presence_penalty_streamed: list[Chat],
) -> None:
    """A stream with a presence_penalty has the same text as the plain answer, where that holds without it."""
    repeated = sum(one.text == other.text for one, other in zip(sampled, sampled_streamed, strict=True))
    inconclusive_unless(repeated >= 3, "the same seed gives another answer in a stream")
    inconclusive_unless(differ(sampled, sampled_presence_penalty), NO_EFFECT)
    assert_mostly_same(sampled_presence_penalty_streamed, sampled_presence_penalty)


@check("presence_penalty", MUST, PRESENCE)
def test_presence_counts_once(
    sampled: list[Chat], sampled_presence_penalty: list[Chat], sure: list[Chat], sure_presence_penalty: list[Chat]
) -> None:
    """A presence_penalty of 2 takes 2 from a logit and no more, however often the token was used."""
    inconclusive_unless(
        not any(one.reasoning for one in sure), "tokens of the reasoning are used as well, and have no logprobs"
    )
    inconclusive_unless(differ(sampled, sampled_presence_penalty), NO_EFFECT)
    pairs = [(one, other) for one, other in zip(sure, sure_presence_penalty, strict=True) if certainty(one) > 2.2]
    repeated = [most_used(one) for one, _ in pairs]
    inconclusive_unless(max(repeated, default=0) >= 7, "no answer that uses a token seven times is sure enough")
    for one, other in pairs:
        assert_same_text(other.text, one.text)


@check("presence_penalty", SHOULD, PRESENCE)
def test_presence_is_about_used_tokens(
    unsure: list[Chat], unsure_presence_penalty: list[Chat], unsure_presence_reward: list[Chat]
) -> None:
    """A used token is the first to give way to another with a penalty, and the first to come instead with a reward."""
    penalized = [
        (p, one, other)
        for one, other in zip(unsure, unsure_presence_penalty, strict=True)
        if (p := parting(one, other))
    ]
    rewarded = [
        (p, one, other) for one, other in zip(unsure, unsure_presence_reward, strict=True) if (p := parting(one, other))
    ]
    inconclusive_unless(penalized + rewarded, "the model is so sure of its answers that 2 changes nothing")
    wrong = [(one, other) for (before, gone, _), one, other in penalized if gone not in before]
    wrong += [(one, other) for (before, _, come), one, other in rewarded if come not in before]
    for one, other in wrong:
        assert_same_text(other.text, one.text)


@check("frequency_penalty", SHOULD, "docs:api-reference/parameter-details")
def test_count_what_was_sampled(
    sampled: list[Chat], sampled_presence_penalty: list[Chat], used_in_prompt: Chat, used_in_prompt_penalized: Chat
) -> None:
    """Penalties count the tokens of the answer, not those of the prompt."""
    inconclusive_unless(differ(sampled, sampled_presence_penalty), NO_EFFECT)
    assert_same_text(used_in_prompt_penalized.text[:1], used_in_prompt.text[:1])


@check("frequency_penalty", SHOULD, FREQUENCY)
def test_frequency_beyond_2_is_refused(bad_frequency_penalty: list[Chat]) -> None:
    """A frequency_penalty above 2 or below -2 is refused."""
    for answer in bad_frequency_penalty:
        expect_rejection(answer)


@check("frequency_penalty", SHOULD, FREQUENCY)
def test_frequency_text_is_refused(bad_frequency_penalty_text: Chat) -> None:
    """A frequency_penalty that is no number is refused."""
    expect_rejection(bad_frequency_penalty_text)


@check("presence_penalty", SHOULD, PRESENCE)
def test_presence_beyond_2_is_refused(bad_presence_penalty: list[Chat]) -> None:
    """A presence_penalty above 2 or below -2 is refused."""
    for answer in bad_presence_penalty:
        expect_rejection(answer)


@check("presence_penalty", SHOULD, PRESENCE)
def test_presence_text_is_refused(bad_presence_penalty_text: Chat) -> None:
    """A presence_penalty that is no number is refused."""
    expect_rejection(bad_presence_penalty_text)
