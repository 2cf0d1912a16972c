"""Text fidelity: what the model wrote arrives as it is, with its layout, and whatever it looks like."""

from conformance.kit import (
    MAY,
    SHOULD,
    Chat,
    Completion,
    Every,
    Fail,
    Generated,
    assert_at_most,
    assert_equal,
    assert_same_text,
    check,
    inconclusive_unless,
    utf8,
)
from fixtures.scenarios.text_fidelity import VALUES

CONTENT = "openapi:CreateChatCompletionStreamResponse.choices.delta.content"
TOP = "openapi:ChatCompletionTokenLogprob.top_logprobs"
NO_LAYOUT = "the model wrote no line break, tab or space"


def has_layout(text: str) -> bool:
    """Whether there is white space within a text."""
    return any(map(str.isspace, text.strip()))


def assert_exact(answer: Chat) -> None:
    """End the check unless each string of the document is the only one that its schema allows."""
    inconclusive_unless(answer.finish_reason == "stop", "the document was truncated before its end")
    found = answer.document
    inconclusive_unless(
        isinstance(found, dict) and found.keys() == VALUES.keys(), "the document does not have the keys of the schema"
    )
    for name, text in VALUES.items():
        assert_equal(found[name], text, f"`{name}` of the document in `content`")


@check("json_schema", SHOULD, "docs:guides/structured-outputs enum")
def test_forced_strings_arrive_as_they_are(exact_values: Chat) -> None:
    """A string that the schema forces arrives unchanged: line breaks, spaces, markers, emoji and `data: [DONE]`."""
    assert_exact(exact_values)


@check("streaming", SHOULD, CONTENT)
def test_forced_strings_stream_as_they_are(exact_values: Chat, exact_values_streamed: Chat) -> None:
    """In a stream, a string that the schema forces arrives unchanged."""
    inconclusive_unless(exact_values.ok, "the schema is rejected")
    assert_exact(exact_values_streamed)


@check("streaming", SHOULD, CONTENT)
def test_layout_is_streamed(layout_logprobs: Chat, layout_logprobs_streamed: Chat) -> None:
    """`content` of a stream has the same line breaks, tabs and spaces as the plain response."""
    inconclusive_unless("".join(layout_logprobs.text.split()), "the model wrote nothing")
    assert_same_text(layout_logprobs_streamed.text, layout_logprobs.text)
    inconclusive_unless(has_layout(layout_logprobs.text), NO_LAYOUT)


@check("tools", SHOULD, CONTENT)
def test_layout_is_streamed_beside_tools(layout_tools: Chat, layout_tools_streamed: Chat) -> None:
    """With `tools`, `content` of a stream equals that of the plain response, line breaks and spaces included."""
    called = layout_tools.tool_calls or layout_tools_streamed.tool_calls
    inconclusive_unless(not called and "".join(layout_tools.text.split()), "the model wrote no text")
    assert_same_text(layout_tools_streamed.text, layout_tools.text)
    inconclusive_unless(has_layout(layout_tools.text), NO_LAYOUT)


def assert_tokens_make_the_text(answer: Chat) -> None:
    """End the check unless `content` is what the tokens are, apart from characters that tokens cut."""
    inconclusive_unless(answer.choice.logprobs, "expected logprobs, got none (`choices[0].logprobs`)")
    pieces = [
        utf8(entry["token"], "`token`") if entry["bytes"] is None else bytes(entry["bytes"])
        for entry in answer.logprobs
    ]
    for joined in (pieces, pieces[:-1]):  # Some servers have an entry for the end of the response.
        written = b"".join(joined).decode(errors="replace").replace("\ufffd", "")
        if written == answer.text.replace("\ufffd", ""):
            inconclusive_unless(has_layout(written), NO_LAYOUT)
            return
    raise Fail(
        "expected `content` to be the concatenated tokens of `logprobs`, got other text",
        expected=ascii(b"".join(pieces).decode(errors="replace")),
        actual=ascii(answer.text),
    )


@check("chat", SHOULD, "openapi:ChatCompletionTokenLogprob.bytes")
def test_content_is_what_the_tokens_say(layout_logprobs: Chat) -> None:
    """`content` has each line break, tab and space that is in the tokens of `logprobs`."""
    assert_tokens_make_the_text(layout_logprobs)


@check("streaming", SHOULD, "openapi:ChatCompletionTokenLogprob.bytes")
def test_streamed_content_is_what_the_tokens_say(layout_logprobs_streamed: Chat) -> None:
    """`content` of a stream has each line break, tab and space that is in the tokens of `logprobs`."""
    assert_tokens_make_the_text(layout_logprobs_streamed)


@check("streaming", SHOULD, "rfc:8259#8.2 unpaired surrogates make software fail")
def test_no_chunk_has_half_a_character(every: Every) -> None:
    """No chunk's text has half of a surrogate pair: clients join strings, not halves of characters."""
    for answer in every.accepted(Generated, streamed=True):
        for choice in answer.choices:
            for text in (choice.text, choice.reasoning, *(call.arguments for call in choice.tool_calls)):
                utf8(text, f"the text of choice {choice.index}")


@check("logprobs", SHOULD, TOP)
def test_streamed_alternatives_belong_to_their_token(
    capital_logprobs_streamed: Chat, layout_logprobs_streamed: Chat
) -> None:
    """In a stream at temperature 0, each token of `logprobs` is the first of its own `top_logprobs`."""
    for answer in (capital_logprobs_streamed, layout_logprobs_streamed):
        inconclusive_unless(answer.choice.logprobs, "expected logprobs, got none (`choices[0].logprobs`)")
        for entry in answer.logprobs:
            inconclusive_unless(
                entry["top_logprobs"], "expected alternatives, got none (`choices[0].logprobs.content[].top_logprobs`)"
            )
            best = max(one["logprob"] for one in entry["top_logprobs"])
            likeliest = [one["token"] for one in entry["top_logprobs"] if one["logprob"] >= best - 0.001]
            if entry["token"] not in likeliest:
                raise Fail(
                    "a token is not among the likeliest of its own `top_logprobs`",
                    expected=ascii(entry["token"]),
                    actual=ascii(likeliest),
                )


# Legacy completions


def _echoed(answer: Completion) -> None:
    prompt = answer.sent["prompt"]
    squeezed = "".join(answer.text.split())
    inconclusive_unless(squeezed.startswith("".join(prompt.split())[:8]), "`echo` has no effect")
    assert_equal(answer.text[: len(prompt)], prompt, "`choices[0].text`")


@check("completions", MAY, "openapi:CreateCompletionRequest.echo")
def test_an_echo_is_the_prompt(layout_echo: Completion) -> None:
    """With `echo`, `text` begins with the prompt as it was sent, line breaks and tabs included."""
    _echoed(layout_echo)


@check("completions", MAY, "openapi:CreateCompletionRequest.echo")
def test_a_streamed_echo_is_the_prompt(layout_echo_streamed: Completion) -> None:
    """With `echo`, `text` of a stream begins with the prompt as it was sent, line breaks and tabs included."""
    _echoed(layout_echo_streamed)


@check("completions", SHOULD, "openapi:CreateCompletionResponse.choices.text")
def test_a_stream_begins_as_the_text(prose: Completion, prose_streamed: Completion) -> None:
    """`text` of a `/completions` stream equals that of the plain response, including a space at its beginning."""
    inconclusive_unless(prose.text.strip(), "the model wrote nothing")
    assert_same_text(prose_streamed.text, prose.text)


@check("completions", SHOULD, "openapi:CreateCompletionResponse.choices.logprobs.tokens")
def test_text_is_what_the_tokens_say(prose: Completion) -> None:
    """`text` in `/completions` equals the concatenated tokens of `logprobs`, including a space at its beginning."""
    told = prose.choice.raw.get("logprobs")
    inconclusive_unless(
        isinstance(told, dict) and told.get("tokens"), "expected `choices[0].logprobs.tokens`, got none"
    )
    tokens = prose.legacy("tokens", str)
    named = "".join(tokens)
    inconclusive_unless(
        named.isascii() and "\\x" not in named, "expected whole characters in `logprobs.tokens`, got U+FFFD"
    )
    if prose.text != "".join(tokens[:-1]):
        assert_equal(prose.text, named, "`choices[0].text`")


# A limit within a character


@check("usage", SHOULD, "openapi:CreateChatCompletionRequest.max_completion_tokens")
def test_a_limit_within_a_character_holds(
    count: Chat, count_max_tokens: Chat, face_cut: list[Chat], face_cut_streamed: list[Chat]
) -> None:
    """`usage.completion_tokens` is at most `max_tokens`, even if that splits a character of several tokens."""
    inconclusive_unless(count_max_tokens.said != count.said, "`max_tokens` has no effect")
    for answer in (*face_cut, *face_cut_streamed):
        assert_at_most(answer.tokens("completion"), answer.sent["max_tokens"], "`usage.completion_tokens`")


@check("streaming", SHOULD, CONTENT)
def test_a_cut_character_is_left_out(emoji: Chat, face_cut_streamed: list[Chat]) -> None:
    """A character that `max_tokens` splits is left out of a stream: no chunk has U+FFFD in its place."""
    inconclusive_unless("\ufffd" not in emoji.text, "the model also writes U+FFFD without `max_tokens`")
    for answer in face_cut_streamed:
        inconclusive_unless("👍" not in answer.text, "the character has too few tokens for `max_tokens` to split it")
        begun = answer.text.rstrip("\ufffd")
        inconclusive_unless(
            emoji.text.startswith(begun), "the model does not write the same text as without `max_tokens`"
        )
        pieces = [delta["content"] for delta in answer.deltas() if "\ufffd" in (delta.get("content") or "")]
        assert_equal(pieces, [], "chunks with U+FFFD in `delta.content`")
