"""`POST /completions`: four forms of `prompt`, and the parameters that only this endpoint has."""

from itertools import accumulate

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Choice,
    Completion,
    Every,
    assert_at_least,
    assert_at_most,
    assert_contains,
    assert_equal,
    assert_in,
    assert_more,
    assert_none_of,
    assert_not_equal,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    is_part,
    lenient,
    shown,
    spelled,
    whole,
)

BEGINNING = 8
"""Characters that are compared of two continuations; the rest may differ where prompts are computed together."""

LONG = 40
"""Characters of a text that no server makes in one step, even if it accepts several tokens that were guessed."""

TEXT = "`choices[0].text`"
INDEXES = "`choices[].index`"
PROMPT_TOKENS, COMPLETION_TOKENS = "`usage.prompt_tokens`", "`usage.completion_tokens`"
NO_LOGPROBS = "`choices[0].logprobs` is missing or empty"


def beginnings(answer: Completion) -> list[str]:
    """How the text of each choice begins."""
    return [choice.text[:BEGINNING] for choice in answer.choices]


def assert_same_beginnings(answer: Completion, expected: list[str]) -> None:
    """End the check unless the choices begin like those of other responses."""
    assert_equal(len(answer.choices), len(expected), "number of entries of `choices`")
    for place, (one, other) in enumerate(zip(beginnings(answer), expected, strict=True)):
        assert_same_text(one, other, f"beginning of `choices[{place}].text`")


# The response


@check("completions", MUST, "openapi:CreateCompletionResponse.choices")
def test_continues_the_prompt(continuation: Completion) -> None:
    """A string as `prompt` gets one choice, which has a `text` and the `finish_reason` `stop` or `length`."""
    assert_equal([choice.index for choice in continuation.choices], [0], INDEXES)
    assert_in(continuation.finish_reason, ("stop", "length"), "`choices[0].finish_reason`")
    assert continuation.text, f"expected a text, got an empty one ({TEXT})"


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt", core=True)
def test_other_prompts_continue_otherwise(
    from_four: Completion, from_thirteen: Completion, likely_after_counts: list[Completion]
) -> None:
    """Two different prompts get two different texts, or at least other log probabilities."""
    if from_four.text == from_thirteen.text:
        shown_by = [one for one in likely_after_counts if one.ok and one.choice.raw.get("logprobs")]
        told = [one.legacy("token_logprobs", float) for one in shown_by]
        inconclusive_unless(len(told) == 2, "the model writes the same after both prompts")
        first, second = told
        assert_not_equal(
            shown(first),
            shown(second),
            "`choices[0].logprobs.token_logprobs`, compared with the response to another prompt",
        )
        inconclusive_unless(False, "the model writes the same after both prompts, and is not equally sure of it")


@check("completions", MUST, "openapi:CreateCompletionResponse.usage")
def test_usage_counts_and_sums(continuation: Completion) -> None:
    """`usage` counts the tokens of prompt and completion, and `total_tokens` is their sum."""
    assert_at_least(continuation.tokens("prompt"), len(continuation.sent["prompt"].split()), PROMPT_TOKENS)
    assert_more(continuation.tokens("completion"), 0, COMPLETION_TOKENS)
    assert_at_most(continuation.tokens("completion"), continuation.sent["max_tokens"], COMPLETION_TOKENS)
    assert_equal(
        continuation.tokens("total"),
        continuation.tokens("prompt") + continuation.tokens("completion"),
        "`usage.total_tokens`",
    )


@check("completions", SHOULD, "openapi:CreateCompletionResponse.model")
def test_names_the_model(continuation: Completion) -> None:
    """`model` in the response contains the `model` of the request; a version may be added."""
    assert_contains(str(continuation.body.get("model")), str(continuation.sent["model"]), "`model`")


@check("completions", MAY, "de-facto:ids of completions")
def test_id_has_the_prefix(continuation: Completion) -> None:
    """The `id` begins with `cmpl-`; another prefix is lenient, unless it is that of another object."""
    given = str(continuation.body.get("id"))
    mistaken = given.startswith(("chatcmpl-", "resp_", "call_"))
    assert not mistaken, f"expected an id that begins with `cmpl-`, got another object's, {shown(given)} (`id`)"
    if not given.startswith("cmpl-"):
        lenient(f"expected an id that begins with `cmpl-`, got {shown(given)} (`id`)")


@check("completions", MUST, "openapi:CreateCompletionRequest.stream")
def test_stream_joins_to_the_text(continuation: Completion, continuation_streamed: Completion) -> None:
    """A stream has the same `text` (concatenated) and the same `finish_reason` as the plain response."""
    assert_same_text(continuation_streamed.text, continuation.text, f"{TEXT} of the streamed response, joined")
    assert_equal(
        continuation_streamed.finish_reason,
        continuation.finish_reason,
        "`choices[0].finish_reason` of the streamed response",
    )


@check("completions", SHOULD, "openapi:CreateCompletionRequest.stream")
def test_a_long_text_comes_in_pieces(long_continuation_streamed: Completion) -> None:
    """A stream has the `text` of a long continuation in several chunks."""
    text = long_continuation_streamed.text
    inconclusive_unless(len(text) > LONG, f"expected more than {LONG} characters of text, got fewer", actual=text)
    written = [raw["text"] for raw in long_continuation_streamed.pieces() if raw.get("text")]
    assert_more(len(written), 1, f"number of chunks with `text`, for {len(text)} characters")


@check("completions", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_stream_has_the_usage(continuation: Completion, continuation_streamed: Completion) -> None:
    """With `stream_options.include_usage`, a stream has the same `usage` as the plain response."""
    of_stream = "of the streamed response"
    assert_equal(continuation_streamed.tokens("prompt"), continuation.tokens("prompt"), f"{PROMPT_TOKENS} {of_stream}")
    if continuation_streamed.text == continuation.text:
        assert_equal(
            continuation_streamed.tokens("completion"),
            continuation.tokens("completion"),
            f"{COMPLETION_TOKENS} {of_stream}",
        )
        assert_equal(
            continuation_streamed.tokens("total"), continuation.tokens("total"), f"`usage.total_tokens` {of_stream}"
        )


@check("completions", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_comes_last(continuation_streamed: Completion) -> None:
    """The `usage` of a stream comes in one chunk of its own, whose `choices` array is empty."""
    assert_equal(
        [chunk.get("choices") for chunk in continuation_streamed.chunks if chunk.get("usage")],
        [[]],
        "`choices` of each chunk that has a `usage`",
    )


@check("completions", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_no_usage_unless_asked(continuation_stream_only: Completion) -> None:
    """Without `stream_options.include_usage`, no chunk has a `usage`."""
    assert_none_of(
        [chunk["usage"] for chunk in continuation_stream_only.chunks if chunk.get("usage") is not None],
        "`usage` of the chunks",
    )


@check("completions", SHOULD, "openapi:ChatCompletionStreamOptions.include_usage")
def test_usage_is_null_before(continuation_streamed: Completion) -> None:
    """With `stream_options.include_usage`, `usage` is `null` in all chunks but the last."""
    assert_none_of(
        [chunk["usage"] for chunk in continuation_streamed.chunks[:-1] if chunk.get("usage") is not None],
        "`usage` of the chunks before the last",
    )


# Prompts


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt")
def test_list_gives_a_choice_for_each(prompt_list: Completion) -> None:
    """An array of two strings as `prompt` gets two choices, with the indexes 0 and 1."""
    assert_equal([choice.index for choice in prompt_list.choices], [0, 1], INDEXES)


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt")
def test_list_is_continued_in_order(from_four: Completion, from_thirteen: Completion, both_counts: Completion) -> None:
    """With an array as `prompt`, `choices` are in the order of the prompts."""
    assert_same_beginnings(both_counts, [*beginnings(from_four), *beginnings(from_thirteen)])


@check("completions", MUST, "openapi:CreateCompletionRequest.stream")
def test_streamed_list_is_continued_in_order(both_counts: Completion, both_counts_streamed: Completion) -> None:
    """In a stream, `choices[].index` says which `prompt` of the array a chunk continues."""
    assert_same_beginnings(both_counts_streamed, beginnings(both_counts))


@check("completions", MUST, "openapi:CreateCompletionResponse.usage")
def test_usage_counts_the_list(from_four: Completion, from_thirteen: Completion, both_counts: Completion) -> None:
    """With an array as `prompt`, `usage.prompt_tokens` is the sum over all prompts."""
    assert_equal(
        both_counts.tokens("prompt"),
        from_four.tokens("prompt") + from_thirteen.tokens("prompt"),
        f"{PROMPT_TOKENS} of two prompts",
    )


@check("completions", MUST, "openapi:CreateCompletionRequest.n")
def test_list_with_n(both_counts: Completion, both_counts_twice: Completion) -> None:
    """Two prompts with `n: 2` get four choices: first two for the first prompt, then two for the second."""
    ignored_unless(
        len(both_counts_twice.choices) > 2,
        f"`n` has no effect: expected 4 entries of `choices`, got {len(both_counts_twice.choices)}",
    )
    first, second = beginnings(both_counts)[:1], beginnings(both_counts)[1:]
    assert_same_beginnings(both_counts_twice, 2 * first + 2 * second)


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt")
def test_tokens_are_one_prompt(prompt_tokens: Completion) -> None:
    """An array of token ids as `prompt` is one prompt; the server may add the model's first token (BOS)."""
    assert_equal([choice.index for choice in prompt_tokens.choices], [0], INDEXES)
    assert_in(prompt_tokens.tokens("prompt"), (3, 4), f"{PROMPT_TOKENS} of a prompt of 3 token ids")


@check("completions", MUST, "openapi:CreateCompletionRequest.prompt")
def test_token_lists_are_prompts(prompt_tokens: Completion, prompt_token_lists: Completion) -> None:
    """In an array of arrays of token ids, each inner array is a `prompt` of its own."""
    assert_equal([choice.index for choice in prompt_token_lists.choices], [0, 1], INDEXES)
    assert_same_text(beginnings(prompt_token_lists)[0], beginnings(prompt_tokens)[0], f"beginning of {TEXT}")


# Parameters of this endpoint alone


@check("completions", SHOULD, "openapi:CreateCompletionRequest.max_tokens")
def test_default_length_is_16_tokens(default_length: Completion) -> None:
    """Without `max_tokens`, a completion has at most 16 tokens."""
    pieces = [choice["text"] for choice in default_length.pieces() if choice.get("text")]
    assert_at_most(len(pieces), 16, "number of chunks that have a `text`")
    assert_at_most(default_length.tokens("completion"), 16, COMPLETION_TOKENS)


@check("completions", MUST, "openapi:CreateCompletionRequest.echo")
def test_echo_repeats_the_prompt(continuation: Completion, continuation_echo: Completion) -> None:
    """With `echo: true`, `text` begins with the prompt, and the continuation follows."""
    ignored_unless(continuation_echo.text != continuation.text, f"{TEXT} is the same as without `echo`")
    prompt = continuation_echo.sent["prompt"]
    assert_equal(continuation_echo.text[: len(prompt)], prompt, f"beginning of {TEXT} with `echo`")
    assert_same_text(continuation_echo.text[len(prompt) :], continuation.text, f"{TEXT} after the echoed prompt")


@check("completions", SHOULD, "de-facto:evaluations read the likelihood of a prompt from echo with logprobs")
def test_echo_has_the_logprobs_of_the_prompt(continuation_echo_logprobs: Completion) -> None:
    """With `echo`, `logprobs` includes the prompt's tokens, and `token_logprobs[0]` is `null`."""
    answer = continuation_echo_logprobs
    ignored_unless(answer.choice.raw.get("logprobs"), NO_LOGPROBS)
    prompt = answer.sent["prompt"]
    spelled = "".join(answer.legacy("tokens", str))
    assert_equal(spelled[: len(prompt)], prompt, "beginning of `choices[0].logprobs.tokens`, joined")
    assert_equal(
        len(answer.legacy("token_logprobs", float, null_first=True)),
        len(answer.legacy("tokens", str)) - 1,
        "number of entries of `choices[0].logprobs.token_logprobs` after the first",
    )


@check("completions", SHOULD, "openapi:CreateCompletionRequest.suffix")
def test_suffix_is_read(
    from_four: Completion, from_thirteen: Completion, function_head: Completion, function_suffix: Completion
) -> None:
    """`suffix` reaches the model: `usage.prompt_tokens` is larger, or `text` differs."""
    longer = function_suffix.tokens("prompt") > function_head.tokens("prompt")
    written = function_suffix.text.removesuffix(function_suffix.sent["suffix"])
    inconclusive_unless(longer or from_four.text != from_thirteen.text, "the model writes the same after any prompt")
    ignored_unless(
        longer or written.rstrip() != function_head.text.rstrip(),
        f"{PROMPT_TOKENS} is no larger than without `suffix`, and {TEXT} is the same",
    )


@check("completions", MUST, "openapi:CreateCompletionRequest.n")
def test_n_gives_choices(continuation_n: Completion) -> None:
    """`choices` has `n` entries, with indexes from 0."""
    ignored_unless(len(continuation_n.choices) > 1, "`n` has no effect: expected 2 entries of `choices`, got 1")
    assert_equal([choice.index for choice in continuation_n.choices], [0, 1], INDEXES)


@check("completions", SHOULD, "openapi:CreateCompletionRequest.best_of")
def test_best_of_gives_the_best(best_of_forced: Completion, continuation_best_of: Completion) -> None:
    """With `best_of`, `choices` has only the best candidate."""
    inconclusive_unless(
        best_of_forced.tokens("completion") > best_of_forced.sent["max_tokens"],
        f"`best_of` has no effect: {COMPLETION_TOKENS} counts one candidate only",
    )
    assert_equal([choice.index for choice in continuation_best_of.choices], [0], INDEXES)


@check("completions", SHOULD, "openapi:CreateCompletionRequest.best_of")
def test_best_of_makes_candidates(best_of_forced: Completion) -> None:
    """`usage.completion_tokens` counts the tokens of all candidates that `best_of` asks for."""
    inconclusive_unless(
        best_of_forced.finish_reason == "length",
        f"the candidate ended early: `choices[0].finish_reason` is {shown(best_of_forced.finish_reason)}",
    )
    ignored_unless(
        best_of_forced.tokens("completion") > best_of_forced.sent["max_tokens"],
        f"{COMPLETION_TOKENS} counts one candidate only",
    )


@check("completions", SHOULD, "openapi:CreateCompletionRequest.best_of")
def test_best_of_less_than_n_is_refused(continuation_best_of: Completion, bad_best_of: Completion) -> None:
    """A `best_of` that is smaller than `n` is rejected with 400."""
    expect_rejection(bad_best_of)


@check("completions", MAY, "openapi:CreateCompletionRequest.best_of")
def test_best_of_is_not_streamed(continuation_best_of: Completion, bad_best_of_streamed: Completion) -> None:
    """`best_of: 2` with `stream: true` is rejected with 400."""
    expect_rejection(bad_best_of_streamed)


# Legacy logprobs


@check("completions", MUST, "openapi:CreateCompletionResponse.choices.logprobs")
def test_logprobs_are_parallel_arrays(continuation_logprobs: Completion) -> None:
    """The four arrays of `logprobs` have one entry for each token, and the concatenated `tokens` equal `text`."""
    answer = continuation_logprobs
    ignored_unless(answer.choice.raw.get("logprobs"), NO_LOGPROBS)
    tokens, tops = answer.legacy("tokens", str), answer.legacy("top_logprobs", dict)
    assert_equal(spelled(tokens, answer.text), whole(answer.text), "`choices[0].logprobs.tokens`, joined")
    number = "number of entries of `choices[0].logprobs"
    assert_equal(len(answer.legacy("token_logprobs", float)), len(tokens), f"{number}.token_logprobs`")
    assert_equal(len(answer.legacy("text_offset", int)), len(tokens), f"{number}.text_offset`")
    assert_equal(len(tops), len(tokens), f"{number}.top_logprobs`")


@check("completions", MUST, "openapi:CreateCompletionRequest.logprobs")
def test_logprobs_have_alternatives(continuation_logprobs: Completion) -> None:
    """Each entry of `top_logprobs` has as many of the likeliest tokens as requested, and the chosen token."""
    ignored_unless(continuation_logprobs.choice.raw.get("logprobs"), NO_LOGPROBS)
    tops = continuation_logprobs.legacy("top_logprobs", dict)
    entries = "`choices[0].logprobs.top_logprobs`"
    assert_none_of([top for top in tops if not 2 <= len(top) <= 3], f"entries of {entries} without 2 or 3 tokens")
    chosen = zip(continuation_logprobs.legacy("tokens", str), tops, strict=False)
    assert_none_of([token for token, top in chosen if token not in top], f"chosen tokens that are not in {entries}")


@check("completions", SHOULD, "openapi:CreateCompletionResponse.choices.logprobs")
def test_text_offsets_are_those_of_the_tokens(continuation_logprobs: Completion) -> None:
    """`logprobs.text_offset` says where each token begins; the first offset may be any number."""
    ignored_unless(continuation_logprobs.choice.raw.get("logprobs"), NO_LOGPROBS)
    offsets = continuation_logprobs.legacy("text_offset", int)
    tokens = continuation_logprobs.legacy("tokens", str)
    inconclusive_unless(not any(map(is_part, tokens)), "the model wrote characters of several tokens")
    lengths = map(len, tokens)
    assert_equal(
        [offset - offsets[0] for offset in offsets],
        list(accumulate(lengths, initial=0))[:-1],
        "`choices[0].logprobs.text_offset`, counted from its first entry",
    )


def offsets(answer: Completion, choice: Choice) -> tuple[list[str], list[int]] | None:
    """The tokens of a choice and where each begins, of all chunks; None where clients cannot tell."""
    tokens: list[str] = []
    found: list[int] = []
    for piece in answer.pieces(choice.index) if answer.streamed else [choice.raw]:
        told = piece.get("logprobs")
        names, places = (told.get("tokens"), told.get("text_offset")) if isinstance(told, dict) else ([], [])
        if not isinstance(names, list) or not isinstance(places, list) or len(names) != len(places):
            return None
        tokens, found = [*tokens, *names], [*found, *places]
    readable = all(isinstance(one, str) and not is_part(one) for one in tokens)
    return (tokens, found) if found and readable and all(isinstance(at, int) for at in found) else None


@check("completions", SHOULD, "openapi:CreateCompletionResponse.choices.logprobs")
def test_text_offsets_go_on(every: Every) -> None:
    """`logprobs.text_offset` goes on from one token to the next, also from one chunk of a stream to the next."""
    judged = False
    for answer in every.accepted(Completion):
        for choice in answer.choices:
            if told := offsets(answer, choice):
                judged = True
                tokens, found = told
                expected = list(accumulate(map(len, tokens), initial=found[0]))[:-1]
                assert_equal(found, expected, f"`choices[{choice.index}].logprobs.text_offset`")
    inconclusive_unless(judged, "no response has `logprobs.text_offset`")


@check("completions", SHOULD, "openapi:CreateCompletionRequest.logprobs")
def test_zero_logprobs_are_those_of_the_chosen(continuation_logprobs_zero: Completion) -> None:
    """With `logprobs: 0`, `logprobs` has the chosen tokens and their logprobs."""
    answer = continuation_logprobs_zero
    ignored_unless(answer.choice.raw.get("logprobs"), NO_LOGPROBS)
    tokens = answer.legacy("tokens", str)
    assert_equal(spelled(tokens, answer.text), whole(answer.text), "`choices[0].logprobs.tokens`, joined")
    assert_equal(
        len(answer.legacy("token_logprobs", float)),
        len(tokens),
        "number of entries of `choices[0].logprobs.token_logprobs`",
    )


@check("completions", SHOULD, "openapi:CreateCompletionRequest.logprobs")
def test_logprobs_are_absent_by_default(continuation: Completion, continuation_logprobs: Completion) -> None:
    """Without the parameter `logprobs`, `choices[0].logprobs` is absent or `null`."""
    inconclusive_unless(
        continuation_logprobs.choice.raw.get("logprobs"), f"{NO_LOGPROBS} although `logprobs` asks for it"
    )
    assert_equal(continuation.choice.raw.get("logprobs"), None, "`choices[0].logprobs`")


@check("completions", SHOULD, "openapi:CreateCompletionRequest.logprobs")
def test_more_than_five_logprobs_are_refused(
    continuation_logprobs: Completion, bad_completion_logprobs: Completion
) -> None:
    """`logprobs` greater than 5 is rejected with 400."""
    expect_rejection(bad_completion_logprobs)
