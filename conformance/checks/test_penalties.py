"""`frequency_penalty` and `presence_penalty`: tokens that were used become less likely.

Servers report the logprobs of the model, which penalties do not move, and therefore the checks compare strings.
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
    is_part,
    lead,
    shown,
    tokens,
)

FREQUENCY = "openapi:CreateChatCompletionRequest.frequency_penalty"
PRESENCE = "openapi:CreateChatCompletionRequest.presence_penalty"


NO_EFFECT = "expected the penalty to change a response, got the same responses"
SAME = "expected other content than without the penalty, got the same (`choices[0].message.content`)"
NO_SEPARATOR = "expected a separator 20 times in the content without a penalty, got fewer"
REASONING = "expected no reasoning: its tokens count as used, and have no logprobs"


def differ(some: list[Chat], others: list[Chat]) -> bool:
    """Whether a parameter changed any of some responses."""
    return any(one.said != other.said for one, other in zip(some, others, strict=True))


def repeats(text: str) -> bool:
    """Whether a string ends by repeating at most eight characters, or has only two or three different ones there."""
    tail = text[-32:]
    periodic = any((tail[:size] * 32)[:32] == tail for size in range(1, 9))
    return len(tail) == 32 and (periodic or len(set(tail)) <= 3)


def most_used(answer: Chat) -> int:
    """How often the most frequent token was used."""
    return Counter(tokens(answer)).most_common(1)[0][1]


def surely_kept(likely: Chat) -> tuple[str, int]:
    """The beginning of a response that a penalty of 2 a use cannot change, and how many of its tokens were used before.

    It ends where the model is not sure enough of its token. Uses in the prompt count, since some servers count them. It
    also ends at a token that may be part of the template's turn markers, of which nothing is known.
    """
    named, text, used = tokens(likely), "", 0
    prompt = likely.sent["messages"][0]["content"]
    for at, token in enumerate(named):
        uses = named[:at].count(token) + prompt.count(token)
        if set("<|>\n") & set(token) or is_part(token) or lead(entries(likely)[at]) < 2 * uses + 0.2:
            break
        text += token
        used += uses > 0
    return text, used


def first_difference(likely: Chat, other: Chat) -> tuple[str, str, str] | None:
    """The prompt and the content before the first token in which two responses differ; and the two tokens.

    None where the model was not sure of its token, because rounding decides there. Also None if a token may be part of
    the template's turn markers: they are in the rendered prompt, and penalties may count that.
    """
    ours, theirs = tokens(likely), tokens(other)
    prompt = likely.sent["messages"][0]["content"] + likely.reasoning
    for at, (one, two) in enumerate(zip(ours, theirs, strict=False)):
        if one != two:
            if lead(entries(likely)[at]) < 0.2 or set("<|>") & set(one + two) or is_part(one) or is_part(two):
                return None
            return prompt + "".join(ours[:at]), one, two
    return None


@check("frequency_penalty", MUST, FREQUENCY, core=True)
def test_frequency_ends_repetition(repetitive: Chat, repetitive_frequency_penalty: Chat) -> None:
    """`frequency_penalty: 2` changes a response that repeats one token again and again."""
    # A separator that was used 20 times has a logit 40 lower, e^-40: more than any model is sure of.
    inconclusive_unless(max(map(repetitive.text.count, "\n, ")) >= 20, NO_SEPARATOR)
    ignored_unless(repetitive_frequency_penalty.text != repetitive.text, SAME)
    assert not repeats(repetitive_frequency_penalty.text), (
        "expected content that does not repeat itself, "
        f"got one that ends in {shown(repetitive_frequency_penalty.text[-32:])} (`choices[0].message.content`)"
    )


@check("frequency_penalty", MUST, FREQUENCY)
def test_frequency_same_in_streams(
    repetitive: Chat, repetitive_frequency_penalty: Chat, repetitive_frequency_penalty_streamed: Chat
) -> None:
    """With `frequency_penalty`, a stream has the same content as the plain response."""
    inconclusive_unless(repetitive_frequency_penalty.said != repetitive.said, NO_EFFECT)
    assert_same_text(
        repetitive_frequency_penalty_streamed.text,
        repetitive_frequency_penalty.text,
        "`choices[0].delta.content`, joined",
    )


@check("frequency_penalty", SHOULD, FREQUENCY)
def test_frequency_below_0_repeats(repetitive: Chat, repetitive_frequency_reward: Chat) -> None:
    """`frequency_penalty: -2` makes the response end in one repeated token or phrase."""
    # Each use adds 2 to the logit of the token that leads already, until nothing else is ever chosen.
    inconclusive_unless(max(map(repetitive.text.count, "\n, ")) >= 20, NO_SEPARATOR)
    inconclusive_unless(not repeats(repetitive.text), "expected content that does not repeat itself without a penalty")
    ignored_unless(repetitive_frequency_reward.text != repetitive.text, SAME)
    assert repeats(repetitive_frequency_reward.text), (
        "expected content that ends in one repeated token, "
        f"got one that ends in {shown(repetitive_frequency_reward.text[-32:])} (`choices[0].message.content`)"
    )


@check("frequency_penalty", SHOULD, "docs:api-reference/parameter-details")
def test_frequency_takes_2_for_each_use(
    repetitive: Chat, repetitive_frequency_penalty: Chat, sure: list[Chat], sure_frequency_penalty: list[Chat]
) -> None:
    """`frequency_penalty: 2` lowers a token's logit by 2 for each earlier use, and by no more."""
    inconclusive_unless(repetitive_frequency_penalty.said != repetitive.said, NO_EFFECT)
    inconclusive_unless(not any(one.reasoning for one in sure), REASONING)
    kept = [surely_kept(answer) for answer in sure]
    inconclusive_unless(any(uses for _, uses in kept), "expected a repeated token of which the model is sure, got none")
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
    """`presence_penalty` of 2 or -2 changes responses that are reproduced without it."""
    # With each of 30 seeds on llama.cpp; on vLLM the probe model may say one word to each seed, and only -2 shows.
    before, again = [*sampled, unsure[0]], [*sampled_again, greedy[0]]
    after = [*sampled_presence_penalty, unsure_presence_reward[0]]
    ignored_unless(
        changed_seeded(before, again, after), "expected other responses than without the penalty, got the same"
    )


@check("presence_penalty", MUST, PRESENCE)
def test_presence_same_in_streams(
    sampled: list[Chat],
    sampled_streamed: list[Chat],
    sampled_presence_penalty: list[Chat],
    sampled_presence_penalty_streamed: list[Chat],
    unsure: list[Chat],
    unsure_presence_reward: list[Chat],
    unsure_presence_reward_streamed: list[Chat],
) -> None:
    """With `presence_penalty`, a stream has the same content as the plain response, if both agree without it."""
    rewarded = zip(unsure, unsure_presence_reward, unsure_presence_reward_streamed, strict=True)
    changed = [(plain, streamed) for before, plain, streamed in rewarded if plain.said != before.said]
    for plain, streamed in changed:
        assert_same_text(streamed.text, plain.text)
    repeated = sum(one.text == other.text for one, other in zip(sampled, sampled_streamed, strict=True))
    differs = differ(sampled, sampled_presence_penalty)
    if differs or not changed:
        inconclusive_unless(repeated >= 3, "expected the same response to the same `seed` in a stream, got another")
        inconclusive_unless(differs, NO_EFFECT)
        assert_mostly_same(sampled_presence_penalty_streamed, sampled_presence_penalty)


@check("presence_penalty", MUST, PRESENCE)
def test_presence_counts_once(
    sampled: list[Chat],
    sampled_presence_penalty: list[Chat],
    unsure: list[Chat],
    unsure_presence_reward: list[Chat],
    sure: list[Chat],
    sure_presence_penalty: list[Chat],
) -> None:
    """`presence_penalty: 2` lowers a used token's logit by 2 once, however often it was used."""
    inconclusive_unless(not any(one.reasoning for one in sure), REASONING)
    has_effect = differ(sampled, sampled_presence_penalty) or differ(unsure, unsure_presence_reward)
    inconclusive_unless(has_effect, NO_EFFECT)
    pairs = [(one, other) for one, other in zip(sure, sure_presence_penalty, strict=True) if certainty(one) > 2.2]
    repeated = [most_used(one) for one, _ in pairs]
    inconclusive_unless(max(repeated, default=0) >= 7, "expected a sure response that uses a token 7 times, got none")
    for one, other in pairs:
        assert_same_text(other.text, one.text)


@check("presence_penalty", SHOULD, PRESENCE)
def test_presence_is_about_used_tokens(
    unsure: list[Chat], unsure_presence_penalty: list[Chat], unsure_presence_reward: list[Chat]
) -> None:
    """A positive `presence_penalty` first replaces a used token; a negative one first brings one back."""
    penalized = [
        (p, one, other)
        for one, other in zip(unsure, unsure_presence_penalty, strict=True)
        if (p := first_difference(one, other))
    ]
    rewarded = [
        (p, one, other)
        for one, other in zip(unsure, unsure_presence_reward, strict=True)
        if (p := first_difference(one, other))
    ]
    inconclusive_unless(penalized + rewarded, "expected a penalty of 2 to change a response, got the same responses")
    wrong = [(one, other) for (before, gone, _), one, other in penalized if gone not in before]
    wrong += [(one, other) for (before, _, come), one, other in rewarded if come not in before]
    for one, other in wrong:
        assert_same_text(other.text, one.text)


@check("frequency_penalty", SHOULD, "docs:api-reference/parameter-details")
def test_count_what_was_sampled(
    sampled: list[Chat],
    sampled_presence_penalty: list[Chat],
    repetitive: Chat,
    repetitive_frequency_penalty: Chat,
    used_in_prompt: Chat,
    used_in_prompt_penalized: Chat,
) -> None:
    """Penalties count the tokens of the response, not those of the prompt."""
    by_frequency = repetitive.text != repetitive_frequency_penalty.text
    inconclusive_unless(by_frequency or differ(sampled, sampled_presence_penalty), NO_EFFECT)
    assert_same_text(used_in_prompt_penalized.text[:1], used_in_prompt.text[:1])


@check("frequency_penalty", SHOULD, FREQUENCY)
def test_frequency_beyond_2_is_refused(bad_frequency_penalty: list[Chat]) -> None:
    """`frequency_penalty` above 2 or below -2 is rejected with 400."""
    for answer in bad_frequency_penalty:
        expect_rejection(answer)


@check("frequency_penalty", SHOULD, FREQUENCY)
def test_frequency_text_is_refused(bad_frequency_penalty_text: Chat) -> None:
    """`frequency_penalty` that is not a number is rejected with 400."""
    expect_rejection(bad_frequency_penalty_text)


@check("presence_penalty", SHOULD, PRESENCE)
def test_presence_beyond_2_is_refused(bad_presence_penalty: list[Chat]) -> None:
    """`presence_penalty` above 2 or below -2 is rejected with 400."""
    for answer in bad_presence_penalty:
        expect_rejection(answer)


@check("presence_penalty", SHOULD, PRESENCE)
def test_presence_text_is_refused(bad_presence_penalty_text: Chat) -> None:
    """`presence_penalty` that is not a number is rejected with 400."""
    expect_rejection(bad_presence_penalty_text)


@check("frequency_penalty", SHOULD, FREQUENCY)
def test_frequency_counts_beside_other_parameters(penalties_beside: list[Chat]) -> None:
    """`frequency_penalty` also changes a response with tools, and one after a tool's result."""
    (plain, penalised), *beside = zip(penalties_beside[::2], penalties_beside[1::2], strict=True)
    inconclusive_unless(plain.said != penalised.said, NO_EFFECT)
    telling = [two for two in beside if all(one.ok for one in two) and max(map(two[0].text.count, "\n, ")) >= 20]
    inconclusive_unless(telling, NO_SEPARATOR)
    for alone, changed in telling:
        ignored_unless(changed.said != alone.said, f"{changed.name}: `frequency_penalty` has no effect")
