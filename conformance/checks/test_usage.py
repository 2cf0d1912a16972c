"""`usage`: the counts of tokens, which bills and context windows rely on."""

from conformance.kit import MAY, MUST, Chat, check, inconclusive_unless
from fixtures.scenarios.chat import TEN_WORDS


@check("usage", MUST, "openapi:CompletionUsage", core=True)
def test_counts_and_sums(capital: Chat) -> None:
    """An answer counts the tokens of prompt and completion, and their sum."""
    assert capital.tokens("prompt") > 0
    assert capital.tokens("completion") > 0
    assert capital.tokens("total") == capital.tokens("prompt") + capital.tokens("completion")


@check("usage", MUST, "openapi:CompletionUsage.prompt_tokens", core=True)
def test_prompt_tokens_grow_with_the_prompt(capital: Chat, longer_first_question: Chat) -> None:
    """A longer prompt has more tokens: each word of a conversation is one or more."""
    said = [message["content"] for message in longer_first_question.sent["messages"]]
    assert longer_first_question.tokens("prompt") >= len(" ".join(said).split())
    assert longer_first_question.tokens("prompt") >= capital.tokens("prompt") + len(TEN_WORDS.split())


@check("usage", MUST, "openapi:CompletionUsage.prompt_tokens")
def test_equal_prompts_count_the_same(capital_twice: list[Chat]) -> None:
    """The same prompt has the same number of tokens again, cached or not."""
    first, second = capital_twice
    assert second.tokens("prompt") == first.tokens("prompt")


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens")
def test_completion_tokens_grow_with_the_answer(capital: Chat, count: Chat) -> None:
    """A longer answer has more tokens."""
    inconclusive_unless(len(count.text) > 2 * len(capital.text), "the answers are of similar length")
    assert count.tokens("completion") > capital.tokens("completion")


@check("usage", MUST, "openapi:CompletionUsage.completion_tokens")
def test_completion_tokens_fit_the_answer(count: Chat) -> None:
    """An answer has no fewer tokens than words, and no more than it may have."""
    assert count.tokens("completion") >= len(count.text.split())
    assert count.tokens("completion") <= count.sent["max_tokens"]


@check("usage", MAY, "openapi:CompletionUsage.prompt_tokens_details.cached_tokens")
def test_cached_tokens_are_told(capital_twice: list[Chat]) -> None:
    """The answer says how many tokens of the prompt were in a cache."""
    assert "cached_tokens" in (capital_twice[1].usage.get("prompt_tokens_details") or {})
