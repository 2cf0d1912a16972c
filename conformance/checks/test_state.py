"""State: a request changes nothing for the next one, whatever its parameters were and however it ended."""

import json
import re
from collections.abc import Iterator

from conformance.answers import Answer, Chat, Response
from conformance.kit import (
    SHOULD,
    Every,
    Fail,
    assert_equal,
    assert_same_calls,
    assert_same_text,
    check,
    inconclusive_unless,
    reproduced,
    shown,
)
from conformance.kit.steadiness import beginning

QUESTIONS = 4
"""Questions that must get a broken response only when they are sent again, so that it is no chance."""
SOURCE = "docs:guides/conversation-state requests are independent"


def assert_unchanged(answers: list[Chat], *, accepted: bool = True) -> None:
    """End the check unless the last response is the first one again; the request between them had to be accepted."""
    before, between, after = answers
    inconclusive_unless(
        between.ok or not accepted,
        f"expected `{between.name}` to be accepted, got {between.exchange.status} (HTTP status)",
    )
    assert_equal(len(after.choices), len(before.choices), "number of `choices`")
    assert_equal(bool(after.choice.logprobs), bool(before.choice.logprobs), "whether `logprobs` came unasked")
    assert_same_calls(after, before)
    assert_same_text(after.said, before.said)
    assert_equal(after.finish_reason, before.finish_reason, "`finish_reason`")


@check("concurrency", SHOULD, SOURCE)
def test_sampling_parameters_leave_nothing(after_sampling: list[Chat]) -> None:
    """`temperature`, `top_p`, `seed` and penalties of a request have no effect on the next one."""
    assert_unchanged(after_sampling)


@check("concurrency", SHOULD, SOURCE)
def test_a_bias_leaves_nothing(after_bias: list[Chat]) -> None:
    """`logit_bias` of a request has no effect on the next one."""
    assert_unchanged(after_bias)


@check("concurrency", SHOULD, SOURCE)
def test_stop_and_limits_leave_nothing(after_stop: list[Chat]) -> None:
    """`stop`, `max_tokens` and `logprobs` of a request have no effect on the next one."""
    assert_unchanged(after_stop)


@check("concurrency", SHOULD, SOURCE)
def test_choices_leave_nothing(after_n: list[Chat]) -> None:
    """`n` of a request has no effect on the next one."""
    assert_unchanged(after_n)


@check("concurrency", SHOULD, SOURCE)
def test_a_schema_leaves_nothing(after_format: list[Chat]) -> None:
    """`response_format` of a request has no effect on the next one."""
    assert_unchanged(after_format)


@check("concurrency", SHOULD, SOURCE)
def test_tools_leave_nothing(after_tools: list[Chat]) -> None:
    """`tools` and `tool_choice` of a request have no effect on the next one."""
    assert_unchanged(after_tools)


@check("concurrency", SHOULD, SOURCE)
def test_an_effort_leaves_nothing(after_effort: list[Chat]) -> None:
    """`reasoning_effort` of a request has no effect on the next one."""
    assert_unchanged(after_effort)


@check("concurrency", SHOULD, SOURCE)
def test_a_system_message_leaves_nothing(after_system: list[Chat]) -> None:
    """A system message of a request has no effect on the next one."""
    assert_unchanged(after_system)


@check("concurrency", SHOULD, SOURCE)
def test_a_long_prompt_leaves_nothing(after_long: list[Chat]) -> None:
    """A long prompt that begins as the next one does has no effect on it, cached or not."""
    assert_unchanged(after_long)


@check("concurrency", SHOULD, SOURCE)
def test_a_known_beginning_changes_nothing(shared_beginnings: list[Chat]) -> None:
    """A request whose prompt begins as an earlier one gets the same response as one whose prompt is new."""
    texts = [answer.said for answer in shared_beginnings]
    new, known = [texts[0], texts[2]], [texts[3], texts[1]]
    inconclusive_unless(
        new == [texts[4], texts[6]] and known == [texts[7], texts[5]] and all(new),
        "the response depends on the number in the system message",
    )
    # Sums of a cached prompt may be rounded in another way, which may change the end of a text, but not both texts.
    if all(2 * len(beginning(*pair)) < len(pair[1]) for pair in zip(known, new, strict=True)):
        assert_same_text(known[0], new[0], f"reasoning and text of `{shared_beginnings[3].name}`")


@check("concurrency", SHOULD, SOURCE)
def test_a_client_that_left_leaves_nothing(after_leaving: list[Chat]) -> None:
    """A stream whose client left has no effect on the next request."""
    assert_unchanged(after_leaving)


@check("concurrency", SHOULD, SOURCE)
def test_an_error_leaves_nothing(after_error: list[Chat]) -> None:
    """A request that was rejected, or that failed, has no effect on the next one."""
    assert_unchanged(after_error, accepted=False)


BROKEN = re.compile(r"(.{1,12}?)\1{7,}.{0,12}", re.DOTALL)
"""A text that repeats one token, or a few, again and again."""


def is_broken(answer: Chat) -> bool:
    """Whether a response is empty, or nothing but one token again and again."""
    return not answer.tool_calls and (not answer.said.strip() or BROKEN.fullmatch(answer.said.strip()) is not None)


def broken_again(answers: Iterator[Answer]) -> set[str]:
    """The responses that are broken though the first one to the same request of their scenario is not.

    Responses of a model may be broken by chance, but then some of the first ones are broken, too: none is returned.
    """
    firsts = dict[tuple[str, str], bool]()
    broken = dict[str, str]()
    for answer in answers:
        if not (isinstance(answer, Chat) and answer.ok and answer.readable) or answer.sent.get("temperature") != 0:
            continue
        sent = json.dumps(answer.sent, sort_keys=True)
        first = firsts.setdefault((answer.name.partition("[")[0], sent), is_broken(answer))
        if first and not is_broken(answer):
            return set()
        if not first and is_broken(answer):
            broken[answer.asked] = answer.name
    return set(broken.values()) if len(broken) >= QUESTIONS else set()


@check("concurrency", SHOULD, SOURCE)
def test_a_repeated_request_gets_a_response(every: Every) -> None:
    """A request that is sent again gets a response as at first, and not an empty one or one token again and again."""
    for answer in every.accepted(Chat):
        if answer.name in every.once(broken_again):
            raise Fail(f"expected the response that came at first, got {shown(answer.said[:40])} ({answer.name})")


@check("responses", SHOULD, SOURCE)
def test_instructions_leave_nothing(after_instructions: list[Response]) -> None:
    """`instructions` and `text.format` of a response have no effect on a later response that does not continue it."""
    before, between, after = after_instructions
    inconclusive_unless(
        between.ok, f"expected `{between.name}` to be accepted, got {between.exchange.status} (HTTP status)"
    )
    assert_same_text(after.text, before.text)


@check("seed", SHOULD, SOURCE)
def test_a_seed_leaves_nothing(sampled: list[Chat], sampled_again: list[Chat], after_seed: list[Chat]) -> None:
    """`seed` of a request has no effect on later requests without one: their responses still vary."""
    inconclusive_unless(len({answer.said for answer in sampled}) == len(sampled), "the model's responses do not vary")
    inconclusive_unless(
        reproduced(sampled, sampled_again, sampled) >= 3, "the same `seed` does not give the same response"
    )
    seeded, *unseeded = after_seed
    same = [answer.said for answer in unseeded if answer.said == seeded.said]
    assert len(same) < len(unseeded), (
        f"expected responses that vary without `seed`, got that of the earlier `seed` in all {len(same)} (`content`)"
    )
