"""`logprobs` and `top_logprobs`: how likely each token was, and which others were."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Every,
    assert_matches_schema,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    joined,
    utf8,
)

REQUEST = "openapi:CreateChatCompletionRequest.logprobs"
TOP = "openapi:CreateChatCompletionRequest.top_logprobs"
ENTRY = "openapi:ChatCompletionTokenLogprob"
NEVER = "no logprobs ever come"


def spelled(answer: Chat) -> bytes:
    """The bytes of all tokens together; those of a token without `bytes` are its text's."""
    entries = answer.logprobs
    pieces = [utf8(entry["token"], "`token`") if entry["bytes"] is None else bytes(entry["bytes"]) for entry in entries]
    return joined(pieces, utf8(answer.text, "`content`"))


def assert_spells(answer: Chat) -> None:
    """The bytes must spell the text; halves of characters, which some models write, are left out on both sides."""
    assert spelled(answer).decode(errors="replace").replace("\ufffd", "") == answer.text.replace("\ufffd", "")


@check("logprobs", MUST, REQUEST, core=True)
def test_come_for_each_token(capital: Chat, capital_logprobs: Chat) -> None:
    """With logprobs there is an entry for each token, and the tokens make up the same text."""
    ignored_unless(capital_logprobs.choice.logprobs, "no logprobs came")
    assert joined([e["token"] for e in capital_logprobs.logprobs], capital_logprobs.text) == capital_logprobs.text
    assert_same_text(capital_logprobs.text, capital.text)


@check("logprobs", MUST, ENTRY)
def test_shape(every: Every) -> None:
    """`logprobs` has all that clients read: `token`, `logprob` and `top_logprobs`, an array even if it is empty."""
    told = [
        choice["logprobs"]
        for answer in every.accepted(Chat)
        for one in answer.objects
        for choice in one["choices"]
        if choice.get("logprobs") is not None
    ]
    inconclusive_unless(told, NEVER)
    for logprobs in told:
        assert_matches_schema(logprobs, "logprobs")


@check("logprobs", SHOULD, REQUEST)
def test_absent_by_default(capital: Chat, capital_streamed: Chat, capital_logprobs: Chat) -> None:
    """Without the parameter there are no logprobs."""
    inconclusive_unless(capital_logprobs.choice.logprobs, NEVER)
    assert capital.choice.logprobs is None
    assert capital_streamed.choice.logprobs is None


@check("logprobs", SHOULD, REQUEST)
def test_false_means_none(capital_logprobs: Chat, logprobs_false: Chat) -> None:
    """With `logprobs: false` there are none."""
    inconclusive_unless(capital_logprobs.choice.logprobs, NEVER)
    assert logprobs_false.choice.logprobs is None


@check("logprobs", MUST, ENTRY + ".logprob")
def test_are_logarithms_of_probabilities(capital_logprobs: Chat, hot_logprobs: list[Chat]) -> None:
    """Each logprob is a number not above 0, of the token as of its alternatives."""
    for entry in [e for answer in (capital_logprobs, *hot_logprobs) for e in answer.logprobs]:
        for value in [entry["logprob"], *(top["logprob"] for top in entry["top_logprobs"])]:
            assert isinstance(value, int | float)
            assert value <= 0.001


@check("logprobs", MUST, ENTRY + ".logprob")
def test_tell_tokens_apart(hot_logprobs: list[Chat]) -> None:
    """The probabilities are the model's: alternatives differ, and together they are not more than certain."""
    alternatives = [[t["logprob"] for t in e["top_logprobs"]] for a in hot_logprobs for e in a.logprobs]
    ignored_unless(any(len(set(values)) > 1 for values in alternatives), "all tokens are equally likely")
    assert max(sum(2.718281828**value for value in values) for values in alternatives) < 1.01


@check("logprobs", MUST, ENTRY + ".bytes")
def test_bytes_spell_the_text(capital_logprobs: Chat, unicode_logprobs: Chat) -> None:
    """The bytes of the tokens, put together, are the text in UTF-8, also where tokens cut characters."""
    assert_spells(capital_logprobs)
    assert_spells(unicode_logprobs)


@check("logprobs", MUST, ENTRY + ".bytes")
def test_streamed_bytes_spell_the_text(unicode_logprobs_streamed: Chat) -> None:
    """In a stream, too, no entry of a cut character is lost."""
    inconclusive_unless(unicode_logprobs_streamed.text, "the model wrote nothing")
    assert_spells(unicode_logprobs_streamed)


@check("logprobs", SHOULD, "openapi:CreateChatCompletionResponse.choices.logprobs.content")
def test_none_for_the_end(capital_logprobs: Chat) -> None:
    """The end of the answer is no token of its text, and has no entry."""
    inconclusive_unless(capital_logprobs.finish_reason != "length", "the answer does not come to its end")
    assert [entry["token"] for entry in capital_logprobs.logprobs if not entry["token"]] == []


@check("logprobs", SHOULD, ENTRY + ".bytes")
def test_bytes_are_there(capital_logprobs: Chat) -> None:
    """Each entry, and each alternative, has its bytes."""
    for entry in capital_logprobs.logprobs:
        for token in (entry, *entry["top_logprobs"]):
            assert token["bytes"] == list(utf8(token["token"], "`token`")) or "\ufffd" in token["token"]


@check("logprobs", MUST, TOP, core=True)
def test_top_has_as_many_as_asked(capital_logprobs: Chat) -> None:
    """With `top_logprobs` entries have alternatives, at most as many as it says."""
    ignored_unless(any(entry["top_logprobs"] for entry in capital_logprobs.logprobs), "no alternatives came")
    assert max(len(entry["top_logprobs"]) for entry in capital_logprobs.logprobs) <= 3


@check("logprobs", MUST, TOP)
def test_top_20(hot_logprobs: list[Chat]) -> None:
    """`top_logprobs: 20`, the highest value, is accepted and gives at most 20 alternatives."""
    most = max((len(entry["top_logprobs"]) for answer in hot_logprobs for entry in answer.logprobs), default=0)
    ignored_unless(most, "no alternatives came")
    assert most <= 20


@check("logprobs", SHOULD, ENTRY + ".top_logprobs")
def test_top_is_sorted(hot_logprobs: list[Chat]) -> None:
    """Alternatives are different tokens, the likeliest first."""
    tops = [entry["top_logprobs"] for answer in hot_logprobs for entry in answer.logprobs]
    inconclusive_unless(any(len(top) > 1 for top in tops), "no alternatives came")
    for top in tops:
        values = [token["logprob"] for token in top]
        assert values == sorted(values, reverse=True)
        named = [token["token"] for token in top if token["token"] and "\ufffd" not in token["token"]]
        assert len(set(named)) == len(named)


@check("logprobs", SHOULD, ENTRY + ".top_logprobs")
def test_token_is_among_the_top(capital_logprobs: Chat, count_logprobs_cut: Chat) -> None:
    """At temperature 0 the token that came is the first alternative, with the same logprob."""
    for entry in capital_logprobs.logprobs + count_logprobs_cut.logprobs:
        assert entry["top_logprobs"][0]["token"] == entry["token"]
        assert abs(entry["top_logprobs"][0]["logprob"] - entry["logprob"]) < 0.01


@check("logprobs", SHOULD, ENTRY + ".logprob")
def test_token_agrees_with_the_top(hot_logprobs: list[Chat]) -> None:
    """A token has the same logprob as among its alternatives, however likely it was."""
    entries = [e for answer in hot_logprobs for e in answer.logprobs]
    inconclusive_unless(any(entry["top_logprobs"] for entry in entries), "no alternatives came")
    for entry in entries:
        same = [top["logprob"] for top in entry["top_logprobs"] if top["token"] == entry["token"]]
        assert not same or min(abs(value - entry["logprob"]) for value in same) < 0.01


@check("logprobs", MUST, ENTRY)
def test_unlikely_tokens_have_their_own(hot_logprobs: list[Chat]) -> None:
    """A token that was drawn although it was not the likeliest has a lower logprob than that one."""
    entries = [entry for answer in hot_logprobs for entry in answer.logprobs]
    ignored_unless(all(entry["top_logprobs"] for entry in entries), "no alternatives came")
    likeliest = [max(entry["top_logprobs"], key=lambda top: top["logprob"]) for entry in entries]
    unlikely = [(e, best) for e, best in zip(entries, likeliest, strict=True) if best["token"] != e["token"]]
    inconclusive_unless(unlikely, "every token is the likeliest one")
    for entry, best in unlikely:
        assert entry["logprob"] <= best["logprob"]


@check("logprobs", SHOULD, REQUEST)
def test_as_many_as_tokens(count_logprobs_cut: Chat) -> None:
    """There is one entry for each completion token that `usage` counts."""
    inconclusive_unless(not count_logprobs_cut.reasoning, "the tokens are those of the reasoning, which has no entries")
    inconclusive_unless(count_logprobs_cut.finish_reason == "length", "the response was not truncated")
    assert len(count_logprobs_cut.logprobs) == count_logprobs_cut.tokens("completion")


@check("logprobs", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.logprobs")
def test_same_in_streams(capital_logprobs: Chat, capital_logprobs_streamed: Chat) -> None:
    """A stream has the same tokens with the same logprobs as the plain answer."""
    ignored_unless(capital_logprobs_streamed.choice.logprobs, "no logprobs came in the stream")
    assert_same_text(capital_logprobs_streamed.text, capital_logprobs.text)
    plain, streamed = ([e for e in a.logprobs if e["token"]] for a in (capital_logprobs, capital_logprobs_streamed))
    assert [e["token"] for e in streamed] == [e["token"] for e in plain]
    # The last bits of large quantised models' sums made 0.12 of difference on llama.cpp.
    assert max(abs(s["logprob"] - p["logprob"]) for s, p in zip(streamed, plain, strict=True)) < 0.5


@check("logprobs", SHOULD, "openapi:CreateChatCompletionStreamResponse.choices.logprobs")
def test_stream_with_their_text(capital_logprobs_streamed: Chat) -> None:
    """In a stream, the entries of a chunk are those of the text in the chunk or before it."""
    text = named = ""
    for choice, delta in zip(capital_logprobs_streamed.pieces(), capital_logprobs_streamed.deltas(), strict=True):
        text += delta.get("content") or ""
        named += "".join(e["token"] for e in (choice.get("logprobs") or {}).get("content") or [])
        assert text.startswith(named) or named.startswith(text)
    assert named == text


@check("logprobs", SHOULD, TOP)
def test_top_0_gives_the_token_only(capital_logprobs: Chat, top_logprobs_0: Chat) -> None:
    """With `top_logprobs: 0` there are entries without alternatives."""
    inconclusive_unless(any(entry["top_logprobs"] for entry in capital_logprobs.logprobs), "no alternatives ever come")
    ignored_unless(top_logprobs_0.choice.raw.get("logprobs"), "there are no logprobs")
    assert [entry["top_logprobs"] for entry in top_logprobs_0.logprobs] == [[]] * len(top_logprobs_0.logprobs)


@check("logprobs", SHOULD, TOP)
def test_no_alternatives_unless_asked(capital_logprobs: Chat, logprobs_only: Chat) -> None:
    """Without top_logprobs there are entries without alternatives."""
    inconclusive_unless(any(entry["top_logprobs"] for entry in capital_logprobs.logprobs), "no alternatives ever come")
    assert [entry["top_logprobs"] for entry in logprobs_only.logprobs] == [[]] * len(logprobs_only.logprobs)


@check("logprobs", SHOULD, TOP)
def test_top_21_is_refused(bad_top_logprobs_21: Chat) -> None:
    """More than 20 alternatives are refused."""
    expect_rejection(bad_top_logprobs_21)


@check("logprobs", SHOULD, TOP)
def test_top_below_0_is_refused(bad_top_logprobs_negative: Chat) -> None:
    """A negative number of alternatives is refused."""
    expect_rejection(bad_top_logprobs_negative)


@check("logprobs", SHOULD, TOP)
def test_top_alone_is_refused(bad_top_logprobs_alone: Chat) -> None:
    """Alternatives without logprobs are refused."""
    expect_rejection(bad_top_logprobs_alone)


@check("logprobs", SHOULD, REQUEST)
def test_text_is_refused(bad_logprobs_text: Chat) -> None:
    """A logprobs that is no boolean is refused."""
    expect_rejection(bad_logprobs_text)
