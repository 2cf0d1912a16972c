"""`POST /completions`: the legacy endpoint, with prompts in four forms and a few parameters of its own."""

from itertools import accumulate

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Completion,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    joined,
)

BEGINNING = 8
"""Characters that tell two continuations apart; what follows may differ where prompts are computed together."""

NO_LOGPROBS = "there are no logprobs"


def beginnings(answer: Completion) -> list[str]:
    """How the text of each choice begins."""
    return [choice.text[:BEGINNING] for choice in answer.choices]


def assert_same_beginnings(answer: Completion, expected: list[str]) -> None:
    """End the check unless the choices begin like those of other answers."""
    assert len(answer.choices) == len(expected)
    for one, other in zip(beginnings(answer), expected, strict=True):
        assert_same_text(one, other)


# The answer


@check("completions", MUST, "openapi:CreateCompletionResponse.choices")
def test_continues_the_prompt(continuation: Completion) -> None:
    """A prompt is continued by one choice with a text."""
    assert [choice.index for choice in continuation.choices] == [0]
    assert continuation.finish_reason in ("stop", "length")
    assert continuation.text


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt", core=True)
def test_other_prompts_continue_otherwise(from_four: Completion, from_thirteen: Completion) -> None:
    """Two prompts have two continuations."""
    assert from_four.text != from_thirteen.text


@check("completions", MUST, "openapi:CreateCompletionResponse.usage")
def test_usage_counts_and_sums(continuation: Completion) -> None:
    """The usage counts the tokens of prompt and completion, and their sum."""
    assert continuation.tokens("prompt") >= len(continuation.sent["prompt"].split())
    assert 0 < continuation.tokens("completion") <= continuation.sent["max_tokens"]
    assert continuation.tokens("total") == continuation.tokens("prompt") + continuation.tokens("completion")


@check("completions", SHOULD, "openapi:CreateCompletionResponse.model")
def test_names_the_model(continuation: Completion) -> None:
    """The answer names the model that was asked for, perhaps with its version."""
    assert str(continuation.sent["model"]) in str(continuation.body.get("model"))


@check("completions", MAY, "de-facto:ids of completions")
def test_id_has_the_prefix(continuation: Completion) -> None:
    """The id begins with `cmpl-`."""
    assert str(continuation.body.get("id")).startswith("cmpl-")


@check("completions", MUST, "openapi:CreateCompletionRequest.stream")
def test_stream_joins_to_the_text(continuation: Completion, continuation_streamed: Completion) -> None:
    """A stream joins to the plain text, and ends for the same reason."""
    assert_same_text(continuation_streamed.text, continuation.text)
    assert continuation_streamed.finish_reason == continuation.finish_reason


@check("completions", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_stream_has_the_usage(continuation: Completion, continuation_streamed: Completion) -> None:
    """A stream that is asked for its usage has the same as the plain answer."""
    assert continuation_streamed.tokens("prompt") == continuation.tokens("prompt")
    if continuation_streamed.text == continuation.text:
        assert continuation_streamed.tokens("completion") == continuation.tokens("completion")
        assert continuation_streamed.tokens("total") == continuation.tokens("total")


@check("completions", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_comes_last(continuation_streamed: Completion) -> None:
    """The usage of a stream comes in a last chunk of its own, whose choices are empty."""
    assert [chunk.get("choices") for chunk in continuation_streamed.chunks if chunk.get("usage")] == [[]]


@check("completions", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_no_usage_unless_asked(continuation_stream_only: Completion) -> None:
    """Without `include_usage` no chunk has a `usage`."""
    assert [chunk["usage"] for chunk in continuation_stream_only.chunks if chunk.get("usage") is not None] == []


@check("completions", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_is_null_before(continuation_streamed: Completion) -> None:
    """With `include_usage`, `usage` is `null` in all chunks but the last."""
    assert [chunk["usage"] for chunk in continuation_streamed.chunks[:-1] if chunk.get("usage") is not None] == []


# Prompts


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt")
def test_list_gives_a_choice_for_each(prompt_list: Completion) -> None:
    """A list of two prompts has two choices, numbered from 0."""
    assert [choice.index for choice in prompt_list.choices] == [0, 1]


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt")
def test_list_is_continued_in_order(from_four: Completion, from_thirteen: Completion, both_counts: Completion) -> None:
    """Each prompt of a list is continued, in the order of the list."""
    assert_same_beginnings(both_counts, [*beginnings(from_four), *beginnings(from_thirteen)])


@check("completions", MUST, "openapi:CreateCompletionRequest.stream")
def test_streamed_list_is_continued_in_order(both_counts: Completion, both_counts_streamed: Completion) -> None:
    """A stream tells the choices of a list apart by their index."""
    assert_same_beginnings(both_counts_streamed, beginnings(both_counts))


@check("completions", MUST, "openapi:CreateCompletionResponse.usage")
def test_usage_counts_the_list(from_four: Completion, from_thirteen: Completion, both_counts: Completion) -> None:
    """The usage of a list counts all its prompts."""
    assert both_counts.tokens("prompt") == from_four.tokens("prompt") + from_thirteen.tokens("prompt")


@check("completions", MUST, "openapi:CreateCompletionRequest.n")
def test_list_with_n(both_counts: Completion, both_counts_twice: Completion) -> None:
    """Two prompts with two choices each have four choices: first those of the first prompt."""
    ignored_unless(len(both_counts_twice.choices) > 2, "there is one choice for each prompt")
    first, second = beginnings(both_counts)[:1], beginnings(both_counts)[1:]
    assert_same_beginnings(both_counts_twice, 2 * first + 2 * second)


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt")
def test_tokens_are_one_prompt(prompt_tokens: Completion) -> None:
    """A list of token ids is one prompt, to which a model may add its first token."""
    assert [choice.index for choice in prompt_tokens.choices] == [0]
    assert 3 <= prompt_tokens.tokens("prompt") <= 4


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt")
def test_token_lists_are_prompts(prompt_tokens: Completion, prompt_token_lists: Completion) -> None:
    """Each of several lists of token ids is a prompt of its own."""
    assert [choice.index for choice in prompt_token_lists.choices] == [0, 1]
    assert_same_text(beginnings(prompt_token_lists)[0], beginnings(prompt_tokens)[0])


# Parameters of this endpoint alone


@check("completions", SHOULD, "openapi:CreateCompletionRequest.max_tokens")
def test_default_length_is_16_tokens(default_length: Completion) -> None:
    """Without max_tokens a completion has at most 16 tokens."""
    pieces = [choice["text"] for choice in default_length.pieces() if choice.get("text")]
    assert len(pieces) <= 16
    assert default_length.tokens("completion") <= 16


@check("completions", MUST, "openapi:CreateCompletionRequest.echo")
def test_echo_repeats_the_prompt(continuation: Completion, continuation_echo: Completion) -> None:
    """`echo` gives the prompt back in front of its continuation."""
    ignored_unless(continuation_echo.text != continuation.text, "the text is the same as without echo")
    prompt = continuation_echo.sent["prompt"]
    assert continuation_echo.text[: len(prompt)] == prompt
    assert_same_text(continuation_echo.text[len(prompt) :], continuation.text)


@check("completions", SHOULD, "de-facto:evaluations read the likelihood of a prompt from echo with logprobs")
def test_echo_has_the_logprobs_of_the_prompt(continuation_echo_logprobs: Completion) -> None:
    """`echo` with `logprobs` tells how likely each token of the prompt is; nothing precedes the first."""
    answer = continuation_echo_logprobs
    ignored_unless(answer.choice.raw.get("logprobs"), NO_LOGPROBS)
    assert "".join(answer.legacy("tokens", str)).startswith(answer.sent["prompt"])
    assert len(answer.legacy("token_logprobs", float, null_first=True)) == len(answer.legacy("tokens", str)) - 1


@check("completions", SHOULD, "openapi:CreateCompletionRequest.suffix")
def test_suffix_is_read(function_head: Completion, function_suffix: Completion) -> None:
    """`suffix` reaches the model: it has more tokens to read, or writes another text."""
    longer = function_suffix.tokens("prompt") > function_head.tokens("prompt")
    written = function_suffix.text.removesuffix(function_suffix.sent["suffix"])
    ignored_unless(
        longer or written.rstrip() != function_head.text.rstrip(), "the model reads and writes what it does without"
    )


@check("completions", MUST, "openapi:CreateCompletionRequest.n")
def test_n_gives_choices(continuation_n: Completion) -> None:
    """`n` is the number of choices."""
    ignored_unless(len(continuation_n.choices) > 1, "there is one choice")
    assert [choice.index for choice in continuation_n.choices] == [0, 1]


@check("completions", SHOULD, "openapi:CreateCompletionRequest.best_of")
def test_best_of_gives_the_best(best_of_forced: Completion, continuation_best_of: Completion) -> None:
    """Of several candidates only the best is given."""
    inconclusive_unless(
        best_of_forced.tokens("completion") > best_of_forced.sent["max_tokens"], "there are no several candidates"
    )
    assert [choice.index for choice in continuation_best_of.choices] == [0]


@check("completions", SHOULD, "openapi:CreateCompletionRequest.best_of")
def test_best_of_makes_candidates(best_of_forced: Completion) -> None:
    """`best_of` makes several candidates, whose tokens are all counted."""
    inconclusive_unless(best_of_forced.finish_reason == "length", "the candidates ended early")
    ignored_unless(best_of_forced.tokens("completion") > best_of_forced.sent["max_tokens"], "one candidate is counted")


@check("completions", SHOULD, "openapi:CreateCompletionRequest.best_of")
def test_best_of_less_than_n_is_refused(continuation_best_of: Completion, bad_best_of: Completion) -> None:
    """There must be as many candidates as choices."""
    expect_rejection(bad_best_of)


@check("completions", MAY, "openapi:CreateCompletionRequest.best_of")
def test_best_of_is_not_streamed(continuation_best_of: Completion, bad_best_of_streamed: Completion) -> None:
    """The best of several candidates cannot be streamed before all are there."""
    expect_rejection(bad_best_of_streamed)


# Legacy logprobs


@check("completions", MUST, "openapi:CreateCompletionResponse.choices.logprobs")
def test_logprobs_are_parallel_arrays(continuation_logprobs: Completion) -> None:
    """`logprobs` are four arrays with one entry a token, whose tokens join to the text."""
    answer = continuation_logprobs
    ignored_unless(answer.choice.raw.get("logprobs"), NO_LOGPROBS)
    tokens, tops = answer.legacy("tokens", str), answer.legacy("top_logprobs", dict)
    assert joined(tokens, answer.text) == answer.text
    assert len(answer.legacy("token_logprobs", float)) == len(tokens)
    assert len(answer.legacy("text_offset", int)) == len(tops) == len(tokens)


@check("completions", MUST, "openapi:CreateCompletionRequest.logprobs")
def test_logprobs_have_alternatives(continuation_logprobs: Completion) -> None:
    """Each place has the most likely tokens, as many as were asked for, and the chosen one."""
    ignored_unless(continuation_logprobs.choice.raw.get("logprobs"), NO_LOGPROBS)
    tops = continuation_logprobs.legacy("top_logprobs", dict)
    assert [top for top in tops if not 2 <= len(top) <= 3] == []
    chosen = zip(continuation_logprobs.legacy("tokens", str), tops, strict=False)
    assert [token for token, top in chosen if token not in top] == []


@check("completions", SHOULD, "openapi:CreateCompletionResponse.choices.logprobs")
def test_text_offsets_are_those_of_the_tokens(continuation_logprobs: Completion) -> None:
    """`text_offset` is where each token begins, counted from any place."""
    ignored_unless(continuation_logprobs.choice.raw.get("logprobs"), NO_LOGPROBS)
    offsets = continuation_logprobs.legacy("text_offset", int)
    lengths = map(len, continuation_logprobs.legacy("tokens", str))
    assert [offset - offsets[0] for offset in offsets] == list(accumulate(lengths, initial=0))[:-1]


@check("completions", SHOULD, "openapi:CreateCompletionRequest.logprobs")
def test_zero_logprobs_are_those_of_the_chosen(continuation_logprobs_zero: Completion) -> None:
    """`logprobs: 0` tells only the chosen tokens."""
    answer = continuation_logprobs_zero
    ignored_unless(answer.choice.raw.get("logprobs"), NO_LOGPROBS)
    assert joined(answer.legacy("tokens", str), answer.text) == answer.text
    assert len(answer.legacy("token_logprobs", float)) == len(answer.legacy("tokens", str))


@check("completions", SHOULD, "openapi:CreateCompletionRequest.logprobs")
def test_logprobs_are_absent_by_default(continuation: Completion, continuation_logprobs: Completion) -> None:
    """Without `logprobs` there are none."""
    inconclusive_unless(continuation_logprobs.choice.raw.get("logprobs"), NO_LOGPROBS)
    assert continuation.choice.raw.get("logprobs") is None


@check("completions", SHOULD, "openapi:CreateCompletionRequest.logprobs")
def test_more_than_five_logprobs_are_refused(
    continuation_logprobs: Completion, bad_completion_logprobs: Completion
) -> None:
    """`logprobs` is at most 5."""
    expect_rejection(bad_completion_logprobs)
