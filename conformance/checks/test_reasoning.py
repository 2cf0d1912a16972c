"""Reasoning, which models write before their answer: in a field of its own, and only if it is wanted.

The chat completions API hides reasoning; the fields `reasoning_content` and `reasoning` are a convention of local
servers. These requests use `reasoning_effort`, because that switch is documented.
"""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_at_most,
    assert_equal,
    assert_more,
    assert_none_of,
    assert_same_text,
    assert_unmarked,
    begins_as_reasoning,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    lenient,
    markup_in,
    shown,
)

EFFORT = "openapi:ReasoningEffort"
FIELD = "de-facto:reasoning_content or reasoning, in llama.cpp, Ollama, vLLM, SGLang and DeepSeek's API"
NO_REASONING = "expected the model to reason, got no reasoning (`reasoning_content`)"
ENDLESS = "expected the model to end within `max_tokens`, got a truncated response"
MARKUP = "markers of the model's own notation in `choices[0].message.content`"
EMPTY = "expected a string with text, got an empty one (`choices[0].message.content`)"


@check("reasoning", SHOULD, FIELD, core=True)
def test_thoughts_come_apart(think: Chat) -> None:
    """Reasoning comes in its own field (`reasoning_content` or `reasoning`), and `content` has none of it."""
    assert_unmarked(think, MARKUP)
    inconclusive_unless(think.reasoning, NO_REASONING)
    inconclusive_unless(think.finish_reason != "length", ENDLESS)
    inconclusive_unless(think.text.strip(), EMPTY)
    assert think.reasoning.strip() not in think.text, (
        f"expected no reasoning, got {shown(think.text[:160])} (`choices[0].message.content`)"
    )


@check("reasoning", SHOULD, FIELD)
def test_thoughts_by_default_come_apart(think_by_default: Chat) -> None:
    """A model that reasons by default leaves no trace of it in `content`."""
    assert_unmarked(think_by_default, MARKUP)
    inconclusive_unless(think_by_default.reasoning, NO_REASONING)


@check("reasoning", SHOULD, FIELD)
def test_thoughts_have_no_marks(think: Chat) -> None:
    """`reasoning_content` (or `reasoning`) has no markers of the model's own notation, such as `<think>`."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    assert_none_of(markup_in(think.reasoning), "markers of the model's own notation in the reasoning")


@check("reasoning", MUST, EFFORT)
def test_none_turns_thoughts_off(capital: Chat, think: Chat, think_none: Chat) -> None:
    """With `reasoning_effort: none`, the model responds without reasoning."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    quiet = not think_none.reasoning and not markup_in(think_none.text)
    reasons = capital.reasoning or begins_as_reasoning(capital.text)
    inconclusive_unless(quiet or not reasons, "expected a plain response without reasoning, got one with it")
    ignored_unless(quiet, "expected no reasoning, got some with `reasoning_effort: none`")
    assert think_none.text.strip(), EMPTY


@check("reasoning", SHOULD, FIELD)
def test_streamed_thoughts_are_the_same(think: Chat, think_streamed: Chat) -> None:
    """A stream has the same reasoning and `content` (concatenated) as the plain response."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    assert_same_text(think_streamed.reasoning.strip(), think.reasoning.strip(), "`delta.reasoning_content`, joined")
    if think_streamed.text or think.text:
        assert_same_text(think_streamed.text.strip(), think.text.strip(), "`choices[0].delta.content`, joined")


@check("reasoning", SHOULD, FIELD)
def test_streamed_thoughts_come_first(think_streamed: Chat) -> None:
    """In a stream, all deltas with reasoning come before the first delta with `content`."""
    inconclusive_unless(think_streamed.reasoning, NO_REASONING)
    inconclusive_unless(think_streamed.text.strip(), EMPTY)
    deltas = think_streamed.deltas(think_streamed.choice.index)
    content = [bool((delta.get("content") or "").strip()) for delta in deltas]
    reasoning = [bool(delta.get("reasoning_content") or delta.get("reasoning")) for delta in deltas]
    first, last = content.index(True), max((at for at, one in enumerate(reasoning) if one), default=-1)
    assert last < first, (
        f"expected all reasoning before delta {first}, the first with `content`, got some in delta {last}"
    )


@check("reasoning", SHOULD, "openapi:CreateChatCompletionRequest.max_completion_tokens")
def test_thoughts_count_towards_the_limit(think: Chat, think_cut: Chat) -> None:
    """Reasoning counts towards `max_completion_tokens`, which can end the response before its content."""
    inconclusive_unless(think.reasoning and think.tokens("completion") > 8, NO_REASONING)
    assert_equal(think_cut.finish_reason, "length", "`choices[0].finish_reason`")
    assert_at_most(think_cut.tokens("completion"), 8, "`usage.completion_tokens`")


@check("reasoning", SHOULD, "de-facto:reasoning_content or reasoning")
def test_a_cut_thought_stays_apart(think: Chat, think_cut: Chat) -> None:
    """Reasoning that `max_completion_tokens` truncates does not appear in `content`."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    assert_equal(think_cut.text.strip(), "", "`choices[0].message.content`")


@check("reasoning", SHOULD, "openapi:CompletionUsage.completion_tokens_details.reasoning_tokens")
def test_thoughts_are_counted(think: Chat) -> None:
    """`usage.completion_tokens_details.reasoning_tokens` counts the reasoning, as part of `completion_tokens`."""
    inconclusive_unless(think.reasoning, NO_REASONING)
    details = think.usage.get("completion_tokens_details") or {}
    counted, where = details.get("reasoning_tokens"), "`usage.completion_tokens_details.reasoning_tokens`"
    if counted is None:
        lenient(f"expected the number of tokens of the reasoning, got none ({where})")
        return
    assert_more(counted, 0, where)
    assert_at_most(counted, think.tokens("completion"), where)


@check("reasoning", SHOULD, FIELD)
def test_thoughts_can_be_sent_back(thought_in_history: Chat) -> None:
    """The server accepts its own message with reasoning, unchanged, in `messages`."""
    inconclusive_unless(thought_in_history.finish_reason != "length", ENDLESS)
    assert thought_in_history.text.strip(), EMPTY


@check("reasoning", SHOULD, EFFORT)
def test_an_unknown_effort_is_refused(bad_effort: Chat) -> None:
    """An unknown `reasoning_effort` is rejected with 400."""
    expect_rejection(bad_effort)
