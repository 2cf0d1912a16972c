"""Results folded into causes: each check once, the most important first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.known import Deviation
from conformance.kit.refusals import expect_rejection
from conformance.outcomes import Fail, Level, Outcome
from conformance.results import CheckResult, Finding, read
from conformance.results.causes import Cause, causes, gist, shown_by
from conformance.run.judge import UNKNOWN_PATHS
from tests import made, reports_data

ABSENT = "POST /v1/embeddings is absent (404)"


def check(name: str, outcome: str = "fail", message: str = "", **changes: Any) -> CheckResult:
    return reports_data.check(name, outcome, message=message, **{"core": False, "requirement": "It must.", **changes})


def said(found: list[Cause]) -> dict[str, list[str]]:
    return {cause.sentence: [one.id for one in cause.checks] for cause in found}


def test_what_passed_or_was_not_judged_has_no_cause() -> None:
    outcomes = ("pass", "lenient", "inconclusive", "blocked", "not-run")
    assert causes([check(f"a.{number}", outcome) for number, outcome in enumerate(outcomes)]) == []


def test_an_absent_endpoint_folds_all_that_needs_it() -> None:
    absent = [check("embeddings.a", "rejected", ABSENT, cause=ABSENT), check("errors.b", "blocked", "x", cause=ABSENT)]
    assert said(causes([*absent, check("stop.c", message="no")])) == {
        ABSENT: ["embeddings.a", "errors.b"],
        "It must.": ["stop.c"],
    }


def test_one_message_on_several_exchanges_is_one_cause() -> None:
    some = [
        check("n.a", message="two[1] was rejected: 400 json: cannot read 12", exchanges=["two"]),
        check("n.b", message="three was rejected: 400 json: cannot read 7", exchanges=["three"]),
        check("n.c", message="four failed: 500 json: cannot read 7", exchanges=["four"]),
    ]
    found = causes(some)
    assert said(found) == {"A request was rejected: 400 json: cannot read …": ["n.a", "n.b"], "It must.": ["n.c"]}
    assert [cause.exchanges for cause in found] == [("two[1]", "three"), ("four",)]
    assert found[1].detail == "four failed: 500 json: cannot read 7"


def test_comparisons_that_look_alike_are_not_one_cause() -> None:
    same: dict[str, Any] = {"message": "expected true, got false (HTTP status)", "exchanges": ["count"]}
    some = [check("a.a", **same), check("a.b", **same), check("a.c", **{**same, "exchanges": ["other"]})]
    assert sorted(len(cause.checks) for cause in causes(some)) == [1, 2]


def test_equal_comparisons_of_one_field_are_one_cause() -> None:
    said = ('"stop"', "`choices[0].finish_reason`"), ('"stop"', "`status`"), ("null", "`choices[0].finish_reason`")
    some = [
        check(f"a.{name}{at}", message=f"{before}expected 1, got {got} ({field})", exchanges=[name])
        for name, before in (("one", ""), ("two", "3 of 9 responses: "))
        for at, (got, field) in enumerate(said)
    ]
    assert sorted(len(cause.checks) for cause in causes(some)) == [2, 2, 2]


def test_the_outcomes_of_one_cause_are_equal() -> None:
    same: dict[str, Any] = {"message": "no text", "source": "docs:guide"}
    assert len(causes([check("a.a", "fail", **same), check("a.b", "ignored", **same)])) == 2


def test_a_parameter_that_is_ignored_is_the_cause_of_what_fails_with_it() -> None:
    asked, answered = "openapi:CreateChatCompletionRequest.n", "openapi:CreateChatCompletionResponse.id"
    some = [
        check("n.a", "ignored", "accepted, but there is one choice", source=asked),
        check("n.b", "ignored", "accepted, but all are copies", source="openapi:CreateCompletionRequest.n"),
        check("n.c", message="expected [0, 1], got [0] (`index`)", source=asked),
        check("n.r", "rejected", message="x was rejected: 400 no n", source=asked, exchanges=["x"]),
        check("n.d", message="bad_n was accepted", source=asked, exchanges=["bad_n"]),
        check("n.e", message="expected 2, got 1 (count)", source=answered),
        check(
            "n.f",
            message="expected 2, got 1 (count)",
            source="openapi:CreateChatCompletionRequest.stop",
            requirement="Stop.",
        ),
    ]
    found = causes(some)
    assert found[0].sentence == "`n`: accepted, but there is one choice"
    folded = [[one.id for one in cause.checks] for cause in found if cause.told]
    assert folded == [["n.a", "n.b", "n.c"], ["n.d"], ["n.e"], ["n.f"]]


def test_what_says_the_same_of_an_ignored_parameter_is_its_cause_too() -> None:
    one_choice = "accepted, but expected several choices, got 1 (`choices`)"
    usage = "openapi:ChatCompletionStreamOptions.include_usage"
    some = [
        check("n.a", "ignored", one_choice, source="openapi:CreateChatCompletionRequest.n"),
        check("n.b", "ignored", one_choice, source="openapi:CompletionUsage.completion_tokens"),
        check("n.c", "fail", one_choice, source="openapi:CompletionUsage.total_tokens"),
        check("usage.a", "ignored", "accepted, but no chunk has `usage`", source=usage),
        check("usage.b", message="expected an object, got nothing (`usage`)", source=usage),
        check("usage.c", message="expected an end, got none (data)", source=f"{usage} [DONE]"),
    ]
    assert sorted([one.id for one in cause.checks] for cause in causes(some)) == [
        ["n.a", "n.b"],
        ["n.c"],
        ["usage.a", "usage.b"],
        ["usage.c"],
    ]


def test_what_a_row_says_of_an_ignored_parameter_is_one_cause() -> None:
    logprobs: dict[str, Any] = {"feature": "logprobs", "exchanges": ["capital_logprobs"]}
    source = "openapi:CreateChatCompletionRequest.logprobs"
    some = [
        check("logprobs.a", "ignored", "accepted, but none came", source=source, core=True, **logprobs),
        check("logprobs.b", message="expected an array, got nothing (`logprobs`)", source="docs:x", **logprobs),
        check("logprobs.c", "ignored", "accepted, but none is there", source=f"{source}.top", **logprobs),
        check(
            "logprobs.d", message="expected HTTP status 400, got 500", feature="logprobs", exchanges=["bad_logprobs"]
        ),
        check("logprobs.e", message="two failed: 500", feature="logprobs", exchanges=["two"]),
        check("usage.f", message="expected an array, got nothing (`logprobs`)", source="docs:x"),
    ]
    folded = sorted([one.id for one in cause.checks] for cause in causes(some))
    assert folded == [["logprobs.a", "logprobs.b", "logprobs.c"], ["logprobs.d"], ["logprobs.e"], ["usage.f"]]
    works = check("logprobs.g", "pass", core=True, **logprobs)
    folded = sorted([one.id for one in cause.checks] for cause in causes([*some, works]))
    assert ["logprobs.a", "logprobs.b", "logprobs.c"] not in folded


def test_formats_of_chats_and_of_responses_are_two_parameters() -> None:
    source = "openapi:ResponseFormatJsonSchema"
    some = [
        check(f"{row}.a", "ignored", f"{row}: no", source=source, feature=row)
        for row in ("json_schema", "responses_format")
    ]
    assert sorted(said(causes(some))) == ["`response_format`: json_schema: no", "`text.format`: responses_format: no"]


def test_a_finding_without_checks_is_no_violation() -> None:
    (found,) = causes([], [Finding(target="t", sentence="Requests were rejected temporarily and sent again: 429")])
    assert (found.told, found.violations, found.level) == (True, (), Level.MAY)


def test_invalid_requests_that_are_accepted_are_one_cause() -> None:
    some = []
    for name in ("bad_one", "bad_two"):
        with pytest.raises(Fail) as caught:
            expect_rejection(made.answer(made.chat_body(), name=f"{name}[1]"))
        some.append(check(f"a.{name}", message=str(caught.value), exchanges=[name]))
    assert [cause.sentence for cause in causes(some)] == ["Invalid requests are accepted instead of rejected"]


def test_rules_that_one_response_breaks_are_one_cause() -> None:
    broken = {"exchanges": ["bad_path"], "breaks": ["bad_path"]}
    some = [
        check("wire.a", message="1 of 9 responses: bad_path: body: expected JSON", **broken),
        check("wire.b", message="1 of 9 responses: expected JSON (`Content-Type`)", **broken),
    ]
    assert said(causes(some)) == {"bad_path: body: expected JSON": ["wire.a", "wire.b"]}
    some += [
        check(name, message="1 of 9 responses: expected an end, got none (data)", **broken)
        for name in ("sse.c", "sse.d")
    ]
    (cause,) = causes(some)
    assert [one.id for one in cause.checks] == ["sse.c", "sse.d", "wire.a", "wire.b"]


def test_errors_of_unknown_paths_are_one_cause() -> None:
    some = [check("wire.a", message="x", cause=UNKNOWN_PATHS), check("wire.b", message="y", cause=UNKNOWN_PATHS)]
    listed = Deviation(outcome="fail", checks=("wire.b",), reason="known so", versions=("b1",))
    assert said(causes(some)) == {UNKNOWN_PATHS: ["wire.a", "wire.b"]}
    assert said(causes(some, listed=[listed])) == {UNKNOWN_PATHS: ["wire.a"], "known so": ["wire.b"]}


def test_a_finding_takes_what_failed_on_its_exchanges() -> None:
    finding = Finding(target="llamacpp", sentence="The server cuts streams.", exchanges=["counts_together"])
    cut = check("a.a", message="counts_together[2]: closed", exchanges=["count", "counts_together"])
    other = check("a.b", message="count: closed", exchanges=["count", "counts_together"])
    some = {"exchanges": ["counts_together"], "requirement": "All must."}
    rule = check("a.c", message="2 of 9 responses: x", breaks=["counts_together[1]", "other"], **some)
    found = causes([cut, other, rule], [finding])
    assert said(found) == {"The server cuts streams.": ["a.a"], "It must.": ["a.b"], "All must.": ["a.c"]}
    assert causes([], [finding])[0].evidence == ("counts_together",)


def test_streams_that_nobody_asked_for_explain_what_is_about_their_form() -> None:
    """They are read all the same: what else is wrong with them has causes of its own."""
    finding = Finding(
        target="t",
        sentence="POST /responses streams unless `stream` is `false`",
        exchanges=["respond", "respond_object"],
    )
    some = [
        check("responses.a", message="respond: expected a JSON object, got an event stream", exchanges=["respond"]),
        check("sdk_node.b", message="respond: expected a response, got TypeError", exchanges=["respond"]),
        check("responses.c", "ignored", "accepted, but no format", exchanges=["respond_object"]),
    ]
    folded = sorted([one.id for one in cause.checks] for cause in causes(some, [finding]))
    assert folded == [["responses.a", "sdk_node.b"], ["responses.c"]]


def test_a_listed_deviation_is_the_cause() -> None:
    link = "https://example.com/1"
    listed = Deviation(outcome="fail", checks=("a.a", "a.b"), reason="b is not read", versions=("b1",), link=link)
    found = causes([check("a.a", message="x"), check("a.b", "ignored", "y"), check("a.c")], listed=[listed])
    assert {cause.sentence: cause.link for cause in found} == {"b is not read": listed.link, "`stop`: y": ""}
    assert [cause.kind for cause in found] == ["parameter", "known"]


def test_must_comes_before_should_and_many_before_few() -> None:
    some = [
        check("a.may", message="p q", level=Level.MAY),
        *(check(f"b.{n}", message="x y", level=Level.SHOULD) for n in range(3)),
        check("c.c", message="one"),
        *(check(f"d.{n}", message="two", level=Level.MUST if n else Level.SHOULD) for n in range(2)),
    ]
    assert [[one.id for one in cause.checks] for cause in causes(some)] == [
        ["d.1", "d.0"],
        ["c.c"],
        ["b.0", "b.1", "b.2"],
        ["a.may"],
    ]


def test_what_shows_a_failure() -> None:
    both = {"exchanges": ["count", "count_stop"], "controls": ["count"]}
    assert shown_by(check("a.a", message="count_stop: no", **both)) == ["count_stop"]
    assert shown_by(check("a.a", message="count[3] was rejected: 400 no", **both)) == ["count[3]"]
    assert shown_by(check("a.a", message="expected 1, got 2 (counted)", **both)) == ["count_stop"]
    assert shown_by(check("a.a", message="3 of 9 responses: x", breaks=["x", "y[2]"], **both)) == ["x", "y[2]"]


def test_the_gist_of_a_message() -> None:
    made = check("a.a", message="3 of 212 responses: x[4]: no id 12 in abc123", breaks=["x[4]", "y"])
    assert gist(made) == "…: no id … in …"


OUTCOMES = st.sampled_from([str(outcome) for outcome in Outcome])
MESSAGES = st.sampled_from(["", "x", "count was accepted", "count[2]: no", "expected 1, got 2 (`x`)", "a (b", "[", "…"])


@given(st.lists(st.tuples(OUTCOMES, MESSAGES, st.sampled_from(["", ABSENT]), st.sampled_from(list(Level)))))
def test_each_violation_has_exactly_one_cause(drawn: list[tuple[str, str, str, Level]]) -> None:
    some = [
        check(f"a.c{number}", outcome, message, cause=cause, level=level, exchanges=["count"])
        for number, (outcome, message, cause, level) in enumerate(drawn)
    ]
    found = [one.id for cause in causes(some) for one in cause.checks]
    assert len(found) == len(set(found))
    assert {one.id for one in some if one.outcome.bad or one.outcome == "rejected"} <= set(found)
    assert causes(some) == causes(reversed(some))


def test_a_finding_is_written_and_read(tmp_path: Path) -> None:
    finding = Finding(target="llamacpp", sentence="It dies.", exchanges=["count"])
    path = reports_data.write(tmp_path / "r.jsonl", [check("a.a")], findings=[finding])
    assert read(path).findings == [finding]
