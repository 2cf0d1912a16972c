"""Requests that are sent at the same time: each gets its own response."""

import re

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_at_least,
    assert_at_most,
    assert_more,
    assert_same_text,
    check,
    inconclusive_unless,
    reproduced,
)


@check("concurrency", MUST, "docs:guides/conversation-state requests are independent", core=True)
def test_answers_are_not_mixed(counts_alone: list[Chat], counts_together: list[Chat]) -> None:
    """`content` has no part of the response to another request that was sent at the same time."""
    _assert_not_mixed(counts_alone, counts_together)


@check("concurrency", MUST, "docs:guides/conversation-state requests are independent")
def test_streams_are_not_mixed(counts_alone: list[Chat], counts_together_streamed: list[Chat]) -> None:
    """The `content` deltas of a stream have no part of another stream that is read at the same time."""
    _assert_not_mixed(counts_alone, counts_together_streamed)


@check("concurrency", SHOULD, "docs:guides/advanced-usage#reproducible-outputs")
def test_answers_are_the_same_as_alone(counts_alone: list[Chat], counts_together: list[Chat]) -> None:
    """At `temperature: 0`, requests that are sent at the same time get the same `content` as when sent alone."""
    for together, alone in zip(counts_together, counts_alone, strict=True):
        assert_same_text(together.text, alone.text, f"`choices[0].message.content` of `{together.name}`")


@check("concurrency", SHOULD, "docs:guides/advanced-usage#reproducible-outputs")
def test_seeds_hold_under_load(sampled: list[Chat], sampled_again: list[Chat], seeds_together: list[Chat]) -> None:
    """The same `seed` gives the same `content`, even while requests with other seeds are running."""
    inconclusive_unless(
        reproduced(sampled, sampled_again, sampled) >= 3,
        "the same `seed` does not give the same `choices[0].message.content` when requests are sent alone",
    )
    inconclusive_unless(
        len({a.text for a in seeds_together}) > 1,
        "the model gives the same `choices[0].message.content` for every `seed`",
    )
    first, again = seeds_together[::2], seeds_together[1::2]
    # One pair may differ: requests that are computed together differ in the last bits of their sums.
    assert_at_least(
        reproduced(first, again, first, again),
        3,
        "number of pairs with the same `seed`, of four, that have the same `choices[0].message.content`",
    )


@check("seed", SHOULD, "docs:guides/advanced-usage#reproducible-outputs")
def test_seeds_hold_beside_others(
    sampled: list[Chat], sampled_again: list[Chat], seeds_together: list[Chat], seeds_beside_others: list[Chat]
) -> None:
    """The same `seed` gives the same `content`, even while requests without a seed are running."""
    inconclusive_unless(
        reproduced(sampled, sampled_again, sampled) >= 3,
        "the same `seed` does not give the same `choices[0].message.content` when requests are sent alone",
    )
    first, again = seeds_together[::2], seeds_together[1::2]
    inconclusive_unless(
        reproduced(first, again, first, again) >= 3,
        "the same `seed` does not give the same `choices[0].message.content` beside other seeds",
    )
    first, again = seeds_beside_others[::3], seeds_beside_others[1::3]
    inconclusive_unless(
        len({answer.text for answer in first}) > 1,
        "the model gives the same `choices[0].message.content` for every `seed`",
    )
    assert_at_least(
        reproduced(first, again, first, again),
        3,
        "number of pairs with the same `seed`, of four, that have the same `choices[0].message.content`",
    )


@check("concurrency", SHOULD, "openapi:CreateChatCompletionRequest.max_tokens")
def test_parameters_are_not_mixed(count: Chat, count_max_tokens: Chat, limits_together: list[Chat]) -> None:
    """Requests that are sent at the same time keep their own `max_tokens`."""
    inconclusive_unless(count_max_tokens.said != count.said, "`max_tokens` has no effect")
    for answer in limits_together:
        assert_at_most(
            answer.tokens("completion"), answer.sent["max_tokens"], f"`usage.completion_tokens` of `{answer.name}`"
        )
    inconclusive_unless(
        sum(answer.truncated for answer in limits_together) > 1,
        "fewer than two responses reached their `max_tokens` (`finish_reason` `length`)",
    )
    assert_more(
        len({answer.tokens("completion") for answer in limits_together if answer.truncated}),
        1,
        "number of different `usage.completion_tokens` of responses with different `max_tokens`",
    )


def _assert_not_mixed(alone: list[Chat], together: list[Chat]) -> None:
    """Judge by the words that only one of the questions has in its response."""
    said = [set(re.findall(r"\w+", answer.text)) for answer in alone]
    for number, answer in enumerate(together):
        foreign = set().union(*said[:number], *said[number + 1 :])
        inconclusive_unless(
            said[number] - foreign,
            f"the response to `{alone[number].name}` has no word of its own: the other responses have the same words",
            actual=answer.text,
        )
        words = set(re.findall(r"\w+", answer.text))
        if words & (foreign - said[number]) or not words & (said[number] - foreign):
            assert_same_text(
                answer.text, alone[number].text, f"`choices[0].message.content` of `{answer.name}`, compared with alone"
            )
