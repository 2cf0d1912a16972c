"""`logprobs` and `top_logprobs`: how likely each token was, and which tokens were the likeliest."""

from typing import Any

from conformance.kit import (
    MAY,
    MUST,
    SHOULD,
    Chat,
    Every,
    assert_at_most,
    assert_equal,
    assert_less,
    assert_matches_schema,
    assert_none_of,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    is_part,
    joined,
    shown,
    spelled,
    utf8,
    whole,
)

REQUEST = "openapi:CreateChatCompletionRequest.logprobs"
TOP = "openapi:CreateChatCompletionRequest.top_logprobs"
ENTRY = "openapi:ChatCompletionTokenLogprob"
LOGPROBS = "`choices[0].logprobs`"
CONTENT = "`choices[0].logprobs.content`"
TOP_LOGPROBS = "`choices[0].logprobs.content[].top_logprobs`"
LOGPROB = "`choices[0].logprobs.content[].logprob`"
MISSING = f"{LOGPROBS} is missing, `null` or empty"
NO_ALTERNATIVES = f"{TOP_LOGPROBS} is empty for all tokens"


def as_bytes(answer: Chat) -> bytes:
    """The bytes of all tokens, joined; a token without `bytes` has those of its text."""
    entries = answer.logprobs
    pieces = [utf8(entry["token"], "`token`") if entry["bytes"] is None else bytes(entry["bytes"]) for entry in entries]
    return joined(pieces, utf8(answer.text, "`content`"))


def assert_spells(answer: Chat) -> None:
    """End the check unless the bytes join to the text.

    Incomplete characters, which some models write, are left out on both sides.
    """
    assert_equal(
        as_bytes(answer).decode(errors="replace").replace("\ufffd", ""),
        answer.text.replace("\ufffd", ""),
        f"`bytes` of {CONTENT}, joined, in `{answer.name}`",
    )


def assert_no_alternatives(answer: Chat) -> None:
    """End the check unless no entry has an alternative."""
    assert_none_of([entry["top_logprobs"] for entry in answer.logprobs if entry["top_logprobs"]], TOP_LOGPROBS)


@check("logprobs", MUST, REQUEST, core=True)
def test_come_for_each_token(capital: Chat, capital_logprobs: Chat) -> None:
    """With `logprobs: true`, `logprobs.content` has an entry for each token, and they concatenate to `content`."""
    ignored_unless(capital_logprobs.choice.logprobs, MISSING)
    assert_equal(
        spelled(capital_logprobs.logprobs, capital_logprobs.text),
        whole(capital_logprobs.text),
        f"`token` of the entries of {CONTENT}, joined",
    )
    assert_same_text(capital_logprobs.text, capital.text, "`choices[0].message.content` with `logprobs`")


@check("logprobs", MUST, ENTRY)
def test_shape(every: Every) -> None:
    """Each entry of `logprobs.content` has `token`, `logprob` and `top_logprobs`, an array that may be empty."""
    told = [
        choice["logprobs"]
        for answer in every.accepted(Chat)
        for one in answer.objects
        for choice in one["choices"]
        if choice.get("logprobs") is not None
    ]
    inconclusive_unless(told, "no response has `choices[].logprobs`")
    for logprobs in told:
        assert_matches_schema(logprobs, "logprobs")


@check("logprobs", SHOULD, REQUEST)
def test_absent_by_default(capital: Chat, capital_streamed: Chat, capital_logprobs: Chat) -> None:
    """Without the parameter `logprobs`, `choices[0].logprobs` is absent or `null`."""
    inconclusive_unless(capital_logprobs.choice.logprobs, f"{MISSING} even with `logprobs: true`")
    assert_equal(capital.choice.logprobs, None, CONTENT)
    assert_equal(capital_streamed.choice.logprobs, None, f"{CONTENT} of the streamed response")


@check("logprobs", SHOULD, REQUEST)
def test_false_means_none(capital_logprobs: Chat, logprobs_false: Chat) -> None:
    """With `logprobs: false`, `choices[0].logprobs` is absent or `null`."""
    inconclusive_unless(capital_logprobs.choice.logprobs, f"{MISSING} even with `logprobs: true`")
    assert_equal(logprobs_false.choice.logprobs, None, CONTENT)


@check("logprobs", MUST, ENTRY + ".logprob")
def test_are_logarithms_of_probabilities(capital_logprobs: Chat, hot_logprobs: list[Chat]) -> None:
    """Each `logprob`, of a token and of its `top_logprobs`, is a number that is at most 0."""
    for entry in [e for answer in (capital_logprobs, *hot_logprobs) for e in answer.logprobs]:
        for value in [entry["logprob"], *(top["logprob"] for top in entry["top_logprobs"])]:
            assert isinstance(value, int | float), f"expected a number, got {shown(value)} ({LOGPROB})"
            assert_at_most(value, 0.001, LOGPROB)


@check("logprobs", MUST, ENTRY + ".logprob")
def test_tell_tokens_apart(hot_logprobs: list[Chat]) -> None:
    """The probabilities in `top_logprobs` differ, and add up to 1 at most."""
    alternatives = [[t["logprob"] for t in e["top_logprobs"]] for a in hot_logprobs for e in a.logprobs]
    told = {e["logprob"] for a in hot_logprobs for e in a.logprobs}.union(*alternatives)
    ignored_unless(any(alternatives) and len(told) > 1, f"all {LOGPROB} are equal")
    most = max(sum(2.718281828**value for value in values) for values in alternatives)
    assert_less(most, 1.01, f"sum of the probabilities of {TOP_LOGPROBS}")


@check("logprobs", MUST, ENTRY + ".bytes")
def test_bytes_spell_the_text(capital_logprobs: Chat, unicode_logprobs: Chat) -> None:
    """The concatenated `bytes` of the tokens are `content` in UTF-8, even where a character has several tokens."""
    assert_spells(capital_logprobs)
    assert_spells(unicode_logprobs)


@check("logprobs", MUST, ENTRY + ".bytes")
def test_streamed_bytes_spell_the_text(unicode_logprobs_streamed: Chat) -> None:
    """The concatenated `bytes` of streamed tokens are `content` in UTF-8, even where a character has several tokens."""
    inconclusive_unless(unicode_logprobs_streamed.text, "the model wrote no `content`")
    assert_spells(unicode_logprobs_streamed)


@check("logprobs", SHOULD, "openapi:CreateChatCompletionResponse.choices.logprobs.content")
def test_none_for_the_end(capital_logprobs: Chat) -> None:
    """`logprobs.content` has no entry for the end token, whose text is not in `content`."""
    inconclusive_unless(
        capital_logprobs.finish_reason != "length", "`max_tokens` truncated the response before its end token"
    )
    assert_none_of(
        [entry["token"] for entry in capital_logprobs.logprobs if not entry["token"]],
        f"entries of {CONTENT} with an empty `token`",
    )


@check("logprobs", SHOULD, ENTRY + ".bytes")
def test_bytes_are_there(capital_logprobs: Chat) -> None:
    """Each entry of `logprobs.content`, and of its `top_logprobs`, has the UTF-8 `bytes` of its token."""
    for entry in capital_logprobs.logprobs:
        for token in (entry, *entry["top_logprobs"]):
            wanted = list(utf8(token["token"], "`token`"))
            assert token["bytes"] == wanted or is_part(token["token"]), (
                f"expected {wanted}, got {shown(token['bytes'])} "
                f"(`bytes` of the token {shown(token['token'])} in {CONTENT})"
            )


@check("logprobs", MUST, TOP, core=True)
def test_top_has_as_many_as_asked(capital_logprobs: Chat) -> None:
    """Each entry of `logprobs.content` has alternatives, but no more than `top_logprobs` asks for."""
    ignored_unless(any(entry["top_logprobs"] for entry in capital_logprobs.logprobs), NO_ALTERNATIVES)
    most = max(len(entry["top_logprobs"]) for entry in capital_logprobs.logprobs)
    assert_at_most(most, 3, f"number of entries of {TOP_LOGPROBS}")


@check("logprobs", MUST, TOP)
def test_top_20(hot_logprobs: list[Chat]) -> None:
    """`top_logprobs: 20`, the highest value, is accepted, and gives at most 20 alternatives for each token."""
    most = max((len(entry["top_logprobs"]) for answer in hot_logprobs for entry in answer.logprobs), default=0)
    ignored_unless(most, NO_ALTERNATIVES)
    assert_at_most(most, 20, f"number of entries of {TOP_LOGPROBS}")


@check("logprobs", MAY, ENTRY + ".top_logprobs")
def test_top_is_sorted(hot_logprobs: list[Chat]) -> None:
    """The entries of `top_logprobs` are different tokens, and the likeliest comes first."""
    tops = [entry["top_logprobs"] for answer in hot_logprobs for entry in answer.logprobs]
    inconclusive_unless(any(len(top) > 1 for top in tops), f"no {TOP_LOGPROBS} has two entries")
    for top in tops:
        values = [token["logprob"] for token in top]
        assert_equal(values, sorted(values, reverse=True), f"`logprob` of the entries of {TOP_LOGPROBS}")
        named = [token["token"] for token in top if token["token"] and "\ufffd" not in token["token"]]
        assert_equal(len(set(named)), len(named), f"number of different tokens in {TOP_LOGPROBS}")


@check("logprobs", SHOULD, ENTRY + ".top_logprobs")
def test_token_is_among_the_top(capital_logprobs: Chat, count_logprobs_cut: Chat) -> None:
    """At `temperature: 0`, `top_logprobs[0]` is the token that was generated, with the same `logprob`."""
    for entry in capital_logprobs.logprobs + count_logprobs_cut.logprobs:
        first = f"the first entry of {TOP_LOGPROBS}"
        assert_equal(entry["top_logprobs"][0]["token"], entry["token"], f"`token` of {first}")
        apart = abs(entry["top_logprobs"][0]["logprob"] - entry["logprob"])
        assert_less(apart, 0.01, f"difference of the `logprob` of a token and of {first}")


@check("logprobs", SHOULD, ENTRY + ".logprob")
def test_token_agrees_with_the_top(hot_logprobs: list[Chat]) -> None:
    """A token has the same `logprob` in its entry as in its `top_logprobs`, whether it was likely or not."""
    entries = [e for answer in hot_logprobs for e in answer.logprobs]
    inconclusive_unless(any(entry["top_logprobs"] for entry in entries), NO_ALTERNATIVES)
    for entry in entries:
        same = [top["logprob"] for top in entry["top_logprobs"] if top["token"] == entry["token"]]
        if same:
            apart = min(abs(value - entry["logprob"]) for value in same)
            assert_less(apart, 0.01, f"difference of the `logprob` of a token and of the same token in {TOP_LOGPROBS}")


@check("logprobs", MUST, ENTRY)
def test_unlikely_tokens_have_their_own(hot_logprobs: list[Chat]) -> None:
    """A sampled token that is not the likeliest has a lower `logprob` than the likeliest one."""
    entries = [entry for answer in hot_logprobs for entry in answer.logprobs]
    ignored_unless(all(entry["top_logprobs"] for entry in entries), f"{TOP_LOGPROBS} is empty for some token")
    likeliest = [max(entry["top_logprobs"], key=lambda top: top["logprob"]) for entry in entries]
    unlikely = [(e, best) for e, best in zip(entries, likeliest, strict=True) if best["token"] != e["token"]]
    inconclusive_unless(unlikely, "every sampled token is the likeliest one")
    for entry, best in unlikely:
        assert_at_most(entry["logprob"], best["logprob"], f"{LOGPROB} of a token that is not the likeliest")


@check("logprobs", SHOULD, REQUEST)
def test_as_many_as_tokens(count_logprobs_cut: Chat) -> None:
    """`logprobs.content` has one entry for each token in `usage.completion_tokens`."""
    inconclusive_unless(
        not count_logprobs_cut.reasoning,
        f"`usage.completion_tokens` includes reasoning, which has no entry in {CONTENT}",
    )
    inconclusive_unless(
        count_logprobs_cut.finish_reason == "length",
        "the response is shorter than `max_tokens`, so it may count an end token without an entry",
    )
    assert_equal(
        len(count_logprobs_cut.logprobs),
        count_logprobs_cut.tokens("completion"),
        f"number of entries of {CONTENT}, compared with `usage.completion_tokens`",
    )


@check("logprobs", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.logprobs")
def test_same_in_streams(capital_logprobs: Chat, capital_logprobs_streamed: Chat) -> None:
    """A stream has the same tokens with the same `logprob` as the plain response."""
    ignored_unless(capital_logprobs_streamed.choice.logprobs, f"{MISSING} in all chunks")
    assert_same_text(capital_logprobs_streamed.text, capital_logprobs.text, "`choices[0].delta.content`, joined")
    plain, streamed = ([e for e in a.logprobs if e["token"]] for a in (capital_logprobs, capital_logprobs_streamed))
    assert_equal([e["token"] for e in streamed], [e["token"] for e in plain], f"`token` of the streamed {CONTENT}")
    # With large quantised models, the last bits of sums made a difference of 0.12 on llama.cpp.
    apart = max(abs(s["logprob"] - p["logprob"]) for s, p in zip(streamed, plain, strict=True))
    assert_less(apart, 0.5, f"difference of the streamed {LOGPROB} and the plain one")


@check("logprobs", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.logprobs")
def test_stream_with_their_text(capital_logprobs_streamed: Chat) -> None:
    """In a stream, `logprobs.content` of a chunk has the tokens of the `content` in this chunk or an earlier one."""
    text = ""
    named: list[Any] = []
    for choice, delta in zip(capital_logprobs_streamed.pieces(), capital_logprobs_streamed.deltas(), strict=True):
        text += delta.get("content") or ""
        named += (choice.get("logprobs") or {}).get("content") or []
        sent, told = whole(text), spelled(named, text)
        assert sent.startswith(told) or told.startswith(sent), (
            f"expected {shown(sent[-80:])}, got {shown(told[-80:])} (tokens of the chunks so far in {CONTENT})"
        )
    assert_equal(spelled(named, text), whole(text), f"`token` of all chunks in {CONTENT}, joined")


@check("logprobs", SHOULD, TOP)
def test_top_0_gives_the_token_only(capital_logprobs: Chat, top_logprobs_0: Chat) -> None:
    """With `top_logprobs: 0`, each entry of `logprobs.content` has an empty `top_logprobs`."""
    inconclusive_unless(
        any(entry["top_logprobs"] for entry in capital_logprobs.logprobs),
        f"{NO_ALTERNATIVES} even with `top_logprobs: 3`",
    )
    ignored_unless(top_logprobs_0.choice.raw.get("logprobs"), MISSING)
    assert_no_alternatives(top_logprobs_0)


@check("logprobs", SHOULD, TOP)
def test_no_alternatives_unless_asked(capital_logprobs: Chat, logprobs_only: Chat) -> None:
    """Without the parameter `top_logprobs`, each entry of `logprobs.content` has an empty `top_logprobs`."""
    inconclusive_unless(
        any(entry["top_logprobs"] for entry in capital_logprobs.logprobs),
        f"{NO_ALTERNATIVES} even with `top_logprobs: 3`",
    )
    assert_no_alternatives(logprobs_only)


@check("logprobs", SHOULD, TOP)
def test_top_21_is_refused(bad_top_logprobs_21: Chat) -> None:
    """`top_logprobs` greater than 20 is rejected with 400."""
    expect_rejection(bad_top_logprobs_21)


@check("logprobs", SHOULD, TOP)
def test_top_below_0_is_refused(bad_top_logprobs_negative: Chat) -> None:
    """A negative `top_logprobs` is rejected with 400."""
    expect_rejection(bad_top_logprobs_negative)


@check("logprobs", SHOULD, TOP)
def test_top_alone_is_refused(bad_top_logprobs_alone: Chat) -> None:
    """`top_logprobs` without `logprobs: true` is rejected with 400."""
    expect_rejection(bad_top_logprobs_alone)


@check("logprobs", SHOULD, REQUEST)
def test_text_is_refused(bad_logprobs_text: Chat) -> None:
    """A string as `logprobs` is rejected with 400."""
    expect_rejection(bad_logprobs_text)
