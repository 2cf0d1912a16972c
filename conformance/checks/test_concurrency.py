"""Many requests at once: each gets its own answer."""

import re

from conformance.kit import MUST, SHOULD, Chat, assert_same_text, check, inconclusive_unless, reproduced


@check("concurrency", MUST, "docs:guides/conversation-state requests are independent", core=True)
def test_answers_are_not_mixed(counts_alone: list[Chat], counts_together: list[Chat]) -> None:
    """Of requests sent at once, none gets a part of another's answer."""
    _not_mixed(counts_alone, counts_together)


@check("concurrency", MUST, "docs:guides/conversation-state requests are independent")
def test_streams_are_not_mixed(counts_alone: list[Chat], counts_together_streamed: list[Chat]) -> None:
    """Of streams read at once, none gets a piece of another's."""
    _not_mixed(counts_alone, counts_together_streamed)


@check("concurrency", SHOULD, "docs:guides/advanced-usage#reproducible-outputs")
def test_answers_are_the_same_as_alone(counts_alone: list[Chat], counts_together: list[Chat]) -> None:
    """At temperature 0, requests sent at once get the answers that each gets alone."""
    for together, alone in zip(counts_together, counts_alone, strict=True):
        assert_same_text(together.text, alone.text)


@check("concurrency", SHOULD, "docs:guides/advanced-usage#reproducible-outputs")
def test_seeds_hold_under_load(sampled: list[Chat], sampled_again: list[Chat], seeds_together: list[Chat]) -> None:
    """Requests with the same seed get the same text, also while others with other seeds are under way."""
    inconclusive_unless(
        reproduced(sampled, sampled_again, sampled) >= 3, "the same seed does not give the same answer alone, either"
    )
    inconclusive_unless(len({a.text for a in seeds_together}) > 1, "the model gives one text for every seed")
    first, again = seeds_together[::2], seeds_together[1::2]
    # One pair may differ: what is computed together differs in its last bits.
    assert reproduced(first, again, first, again) >= 3


@check("concurrency", SHOULD, "openapi:CreateChatCompletionRequest.max_tokens")
def test_parameters_are_not_mixed(count: Chat, count_max_tokens: Chat, limits_together: list[Chat]) -> None:
    """Requests sent at once keep their own `max_tokens`: none has more tokens, and not all have the lowest number."""
    inconclusive_unless(count_max_tokens.said != count.said, "`max_tokens` has no effect")
    for answer in limits_together:
        assert answer.tokens("completion") <= answer.sent["max_tokens"]
    inconclusive_unless(sum(answer.truncated for answer in limits_together) > 1, "no two responses reach their limits")
    assert len({answer.tokens("completion") for answer in limits_together if answer.truncated}) > 1


def _not_mixed(alone: list[Chat], together: list[Chat]) -> None:
    """Judge by the words that only one of the questions has in its answer."""
    said = [set(re.findall(r"\w+", answer.text)) for answer in alone]
    for number, answer in enumerate(together):
        foreign = set().union(*said[:number], *said[number + 1 :])
        inconclusive_unless(
            said[number] - foreign, "the model has the same answers to different questions", actual=answer.text
        )
        words = set(re.findall(r"\w+", answer.text))
        if words & (foreign - said[number]) or not words & (said[number] - foreign):
            assert_same_text(answer.text, alone[number].text)
