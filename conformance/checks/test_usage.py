"""`usage`: token counts, which bills and context windows depend on."""

from conformance.kit import (
    MAY,
    MUST,
    Chat,
    assert_at_least,
    assert_at_most,
    assert_contains,
    assert_equal,
    assert_more,
    check,
    inconclusive_unless,
)
from fixtures.scenarios.chat import TEN_WORDS

PROMPT = "`usage.prompt_tokens`"
COMPLETION = "`usage.completion_tokens`"


@check("usage", MUST, "openapi:CompletionUsage", core=True)
def test_counts_and_sums(capital: Chat) -> None:
    """`usage` has `prompt_tokens`, `completion_tokens` and their sum, `total_tokens`."""
    assert_more(capital.tokens("prompt"), 0, PROMPT)
    assert_more(capital.tokens("completion"), 0, COMPLETION)
    both = capital.tokens("prompt") + capital.tokens("completion")
    assert_equal(capital.tokens("total"), both, "`usage.total_tokens`")


@check("usage", MUST, "openapi:CompletionUsage.prompt_tokens", core=True)
def test_prompt_tokens_grow_with_the_prompt(capital: Chat, longer_first_question: Chat) -> None:
    """`usage.prompt_tokens` is at least the number of words in `messages`, and grows with them."""
    said = [message["content"] for message in longer_first_question.sent["messages"]]
    words = len(" ".join(said).split())
    assert_at_least(longer_first_question.tokens("prompt"), words, f"{PROMPT}, for as many words")
    least = capital.tokens("prompt") + len(TEN_WORDS.split())
    assert_at_least(longer_first_question.tokens("prompt"), least, f"{PROMPT} with ten more words")


@check("usage", MUST, "openapi:CompletionUsage.prompt_tokens")
def test_equal_prompts_count_the_same(capital_twice: list[Chat]) -> None:
    """`usage.prompt_tokens` is the same for the same prompt, cached or not."""
    first, second = capital_twice
    assert_equal(second.tokens("prompt"), first.tokens("prompt"), f"{PROMPT} of the second request")


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens")
def test_completion_tokens_grow_with_the_answer(capital: Chat, count: Chat) -> None:
    """`usage.completion_tokens` is larger for a longer response."""
    inconclusive_unless(
        len(count.text) > 2 * len(capital.text), "expected responses of different lengths, got similar ones"
    )
    assert_more(count.tokens("completion"), capital.tokens("completion"), f"{COMPLETION} of a longer response")


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens")
def test_completion_tokens_fit_the_answer(count: Chat) -> None:
    """`usage.completion_tokens` is at least the number of words, and at most `max_tokens`."""
    assert_at_least(count.tokens("completion"), len(count.text.split()), f"{COMPLETION}, for as many words")
    assert_at_most(count.tokens("completion"), count.sent["max_tokens"], f"{COMPLETION}, limited by `max_tokens`")


@check("usage", MAY, "openapi:CompletionUsage.prompt_tokens_details.cached_tokens")
def test_cached_tokens_are_told(capital_twice: list[Chat]) -> None:
    """`usage.prompt_tokens_details.cached_tokens` says how much of the prompt was cached."""
    details = capital_twice[1].usage.get("prompt_tokens_details") or {}
    assert_contains(details, "cached_tokens", "`usage.prompt_tokens_details` of the second request")
