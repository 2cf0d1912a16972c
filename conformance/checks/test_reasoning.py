"""Thoughts, which models write before the answer: apart from it, and only if they are wanted.

The API of chat completions hides thoughts; the field for them, `reasoning_content` or `reasoning`, is a convention of
local servers. `reasoning_effort` is the documented switch, so it is what these requests use.
"""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    markup_in,
)

EFFORT = "openapi:ReasoningEffort"
FIELD = "de-facto:reasoning_content or reasoning, in llama.cpp, Ollama, vLLM, SGLang and DeepSeek's API"
NO_THOUGHT = "the model did not think"
ENDLESS = "the model did not end within max_tokens"


@check("reasoning", SHOULD, FIELD, core=True)
def test_thoughts_come_apart(think: Chat) -> None:
    """Thoughts come in a field of their own, and the content is the answer without them."""
    assert markup_in(think.text) == []
    inconclusive_unless(think.reasoning, NO_THOUGHT)
    inconclusive_unless(think.finish_reason != "length", ENDLESS)
    inconclusive_unless(think.text.strip(), "the model wrote nothing after its reasoning")
    assert think.reasoning.strip() not in think.text


@check("reasoning", SHOULD, FIELD)
def test_thoughts_by_default_come_apart(think_by_default: Chat) -> None:
    """A model that thinks without being told to leaves no trace of it in the content."""
    assert markup_in(think_by_default.text) == []
    inconclusive_unless(think_by_default.reasoning, NO_THOUGHT)


@check("reasoning", SHOULD, FIELD)
def test_thoughts_have_no_marks(think: Chat) -> None:
    """Thoughts come without the marks that the model sets around them."""
    inconclusive_unless(think.reasoning, NO_THOUGHT)
    assert markup_in(think.reasoning) == []


@check("reasoning", MUST, EFFORT)
def test_none_turns_thoughts_off(capital: Chat, think: Chat, think_none: Chat) -> None:
    """With `reasoning_effort: none` the model answers without thinking."""
    inconclusive_unless(think.reasoning, NO_THOUGHT)
    quiet = not think_none.reasoning and not markup_in(think_none.text)
    inconclusive_unless(quiet or not capital.reasoning, "the model reasons before each answer")
    ignored_unless(quiet, "the model thinks nevertheless")
    assert think_none.text.strip() != ""


@check("reasoning", SHOULD, FIELD)
def test_streamed_thoughts_are_the_same(think: Chat, think_streamed: Chat) -> None:
    """Streamed thoughts and text join to those of the plain answer."""
    inconclusive_unless(think.reasoning, NO_THOUGHT)
    assert_same_text(think_streamed.reasoning.strip(), think.reasoning.strip())
    if think_streamed.text or think.text:
        assert_same_text(think_streamed.text.strip(), think.text.strip())


@check("reasoning", SHOULD, FIELD)
def test_streamed_thoughts_come_first(think_streamed: Chat) -> None:
    """In a stream all thoughts come before the text."""
    inconclusive_unless(think_streamed.reasoning, NO_THOUGHT)
    inconclusive_unless(think_streamed.text.strip(), "the model gave no answer")
    deltas = think_streamed.deltas(think_streamed.choice.index)
    text = [bool((delta.get("content") or "").strip()) for delta in deltas]
    thoughts = [bool(delta.get("reasoning_content") or delta.get("reasoning")) for delta in deltas]
    assert True not in thoughts[text.index(True) :]


@check("reasoning", SHOULD, "openapi:CreateChatCompletionRequest.max_completion_tokens")
def test_thoughts_count_towards_the_limit(think: Chat, think_cut: Chat) -> None:
    """Thoughts count towards the limit of tokens, which can end the answer before its text begins."""
    inconclusive_unless(think.reasoning and think.tokens("completion") > 8, NO_THOUGHT)
    assert think_cut.finish_reason == "length"
    assert think_cut.tokens("completion") <= 8


@check("reasoning", SHOULD, "de-facto:reasoning_content or reasoning")
def test_a_cut_thought_stays_apart(think: Chat, think_cut: Chat) -> None:
    """A thought that the limit cuts is no part of the text."""
    inconclusive_unless(think.reasoning, NO_THOUGHT)
    assert think_cut.text.strip() == ""


@check("reasoning", SHOULD, "openapi:CompletionUsage.completion_tokens_details.reasoning_tokens")
def test_thoughts_are_counted(think: Chat) -> None:
    """`usage.completion_tokens_details.reasoning_tokens` counts the thoughts, as a part of the completion."""
    inconclusive_unless(think.reasoning, NO_THOUGHT)
    details = think.usage.get("completion_tokens_details") or {}
    assert 0 < (details.get("reasoning_tokens") or 0) <= think.tokens("completion")


@check("reasoning", SHOULD, FIELD)
def test_thoughts_can_be_sent_back(thought_in_history: Chat) -> None:
    """A message with thoughts can be sent back in the history as the server answered it."""
    inconclusive_unless(thought_in_history.finish_reason != "length", ENDLESS)
    assert thought_in_history.text.strip() != ""


@check("reasoning", SHOULD, EFFORT)
def test_an_unknown_effort_is_refused(bad_effort: Chat) -> None:
    """An effort that there is not is refused."""
    expect_rejection(bad_effort)
