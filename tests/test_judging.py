"""How a check ends is its outcome, and the outcomes of a row are its status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers import Answer, Chat, Missing
from conformance.kit.every import Every
from conformance.kit.refusals import expect_rejection
from conformance.outcomes import Blocked, Inconclusive, Level, Outcome, ignored_unless, inconclusive_unless, lenient
from conformance.outcomes.comparisons import assert_none_broken, assert_none_of
from conformance.requirements import matrix
from conformance.requirements.check import Check, check
from conformance.requirements.musts import of_model
from conformance.results import CheckResult
from conformance.results.grading import Agreement, Status, agreement, grade, status
from conformance.run import catalogue
from conformance.run.judge import LONG, SHORT, Judge
from tests.made import answer, chat_body, refusal

CHECK = Check(
    id="area.name",
    feature="stop",
    level=Level.MUST,
    core=True,
    source="openapi:X",
    requirement="It is so.",
    scenarios=("subject",),
    function=lambda **_: None,
)


def judged(problem: BaseException | None, **arguments: object) -> CheckResult:
    """The result of a check that ended so."""
    judge = Judge(("sk-canary",))
    return judge.result(CHECK, target="t", problem=problem, arguments=arguments, duration=0)


def ending(action: object) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        action()  # type: ignore[operator]
    return caught.value


REFUSED_CONTROL = answer(refusal(), status=400, control=True)
REFUSED = answer(refusal(), status=400)
USAGE = {**chat_body()["usage"], "completion_tokens_details": 7}
ONE_MODEL = answer({"id": "m", "object": "model", "created": 1, "owned_by": "me"}, path="/models/m", method="GET")
MISSHAPEN = answer({**chat_body(), "usage": USAGE})
MISSING = Missing("subject", "no model", blocked=True)


def test_returning_is_a_pass() -> None:
    assert judged(None).outcome is Outcome.PASS


def test_words_end_with_their_outcomes() -> None:
    assert judged(ending(lambda: ignored_unless(False, "nothing changed"))).message == "accepted, but nothing changed"
    assert judged(ending(lambda: ignored_unless(False, "x"))).outcome is Outcome.IGNORED
    assert judged(ending(lambda: inconclusive_unless(False, "x"))).outcome is Outcome.INCONCLUSIVE


def test_no_outcome_is_both_good_and_bad() -> None:
    assert [outcome for outcome in Outcome if outcome.good and outcome.bad] == []


def test_leniency_is_shown() -> None:
    judge = Judge()
    lenient("422 where 400 is usual")
    result = judge.result(CHECK, target="t", problem=None, arguments={}, duration=0)
    assert (result.outcome, result.message) == (Outcome.LENIENT, "422 where 400 is usual")


def test_what_a_model_did_excuses_no_broken_request() -> None:
    refused = answer({"choices": [{"index": 0, "message": {"role": "assistant", "content": None, "refusal": "No."}}]})
    broken = answer(refusal(), status=500)
    pair = [refused, broken]
    assert judged(ending(lambda: assert_none_of(["b"], "calls in `content`")), all=pair).outcome is Outcome.INCONCLUSIVE
    assert judged(ending(lambda: assert_none_broken(["b"], "5xx")), all=pair).outcome is Outcome.FAIL
    assert judged(ending(broken.assert_accepted), all=pair).outcome is Outcome.FAIL


def test_a_refused_control_blocks_unless_it_is_what_is_judged() -> None:
    problem = ending(lambda: REFUSED_CONTROL.text)
    assert judged(problem, control=REFUSED_CONTROL, subject=answer(chat_body())).outcome is Outcome.BLOCKED
    assert judged(problem, control=[REFUSED_CONTROL], subject=[answer(chat_body())]).outcome is Outcome.BLOCKED
    assert judged(problem, control=REFUSED_CONTROL, subject=MISSING).message.startswith("the control made was rejected")
    assert judged(problem, control=REFUSED_CONTROL).outcome is Outcome.REJECTED
    problem = ending(lambda: REFUSED.text)
    assert judged(problem, control=answer(chat_body(), control=True), subject=REFUSED).outcome is Outcome.REJECTED


def test_a_crash_of_ours_is_never_the_servers_fault() -> None:
    crash = IndexError("list index out of range")
    assert judged(crash).outcome is Outcome.ERROR
    assert judged(crash, subject=answer(chat_body()), other=REFUSED, missing=MISSING).outcome is Outcome.ERROR
    assert judged(crash, every=Every([MISSHAPEN])).outcome is Outcome.ERROR  # which was not being read
    assert judged(crash, subject=ONE_MODEL).outcome is Outcome.ERROR


def test_a_crash_on_what_has_not_the_published_shape_is() -> None:
    every = Every([MISSHAPEN])
    assert list(every.of(Answer)) == [MISSHAPEN]
    crash = AttributeError("'int' object has no attribute 'get'")
    for arguments in ({"subject": MISSHAPEN}, {"subject": [answer(chat_body()), MISSHAPEN]}, {"every": every}):
        result = judged(crash, **arguments)
        assert (result.outcome, result.actual) == (Outcome.FAIL, "7")
        assert result.message.startswith("`usage.completion_tokens_details` must be an object or null")


def test_assertions_show_both_sides() -> None:
    judge = Judge()
    judge.compared("==", "left", "right")
    result = judge.result(
        CHECK,
        target="t",
        problem=AssertionError("expected 'right', got 'left' (`content`)\nassert x"),
        arguments={},
        duration=0,
    )
    assert (result.outcome, result.expected, result.actual) == (Outcome.FAIL, '"right"', '"left"')
    assert result.message == "expected 'right', got 'left' (`content`)"


@pytest.mark.parametrize(("op", "expected"), [("==", "2"), ("<", "< 2"), ("in", "in 2"), ("is not", "is not 2")])
def test_what_is_expected_says_how_it_was_compared(op: str, expected: str) -> None:
    judge = Judge()
    judge.compared(op, 1, 2)
    problem = AssertionError("the answer is short\nassert 1 == 2\n + where")
    result = judge.result(CHECK, target="t", problem=problem, arguments={}, duration=0)
    assert (result.message, result.expected, result.actual) == ("the answer is short", expected, "1")


def test_a_comparison_that_was_followed_by_one_that_held_is_not_shown() -> None:
    judge = Judge()
    judge.compared("==", 1, 2)
    judge.held("any(one == 2 for one in found)", "True")
    result = judge.result(CHECK, target="t", problem=AssertionError(), arguments={}, duration=0)
    assert (result.message, result.expected, result.actual) == ("", "", "")


@pytest.mark.parametrize(("given", "text"), [(None, ""), ("two", "two"), (2, "2"), ([], "[]")])
def test_verdicts_show_what_they_are_given(given: object, text: str) -> None:
    result = judged(Inconclusive("x", expected=given, actual=given))
    assert (result.expected, result.actual) == (text, text)


def test_the_last_assertions_that_held_are_shown_in_short() -> None:
    judge = Judge(("sk-canary",))
    for number in range(7):
        judge.held(f"{number} == {number}", f"{number} == {number}")
    judge.held("len(found) == 2", "2 == 2\n + where 2 = len([1, 2])")
    judge.held(f"KEY != '{'sk-canary' * SHORT}'", "True")
    result = judge.result(CHECK, target="t", problem=None, arguments={}, duration=0)
    assert result.held[:-1] == [*(f"{number} == {number}" for number in range(1, 7)), "len(found) == 2    # 2 == 2"]
    assert result.held[-1].startswith("KEY != '[redacted][redacted]")
    assert result.held[-1].endswith("… (3019 characters)")


def test_secrets_and_control_characters_never_leave() -> None:
    result = judged(ending(lambda: inconclusive_unless(False, "sk-canary \x1b[31m \x9f \ud800 <b>\r\té\n")))
    assert result.message == "[redacted] \\x1b[31m \\x9f \\ud800 <b>\\r\té\n"


def test_only_long_texts_are_cut() -> None:
    assert judged(Inconclusive("x" * LONG)).message == "x" * LONG
    assert judged(Inconclusive("x" * (LONG + 1))).message == f"{'x' * LONG}… ({LONG + 1} characters)"


def test_what_was_judged_is_told_from_its_controls() -> None:
    several = [answer(chat_body(), control=True), answer(chat_body(), control=True)]
    result = judged(None, control=several, subject=answer(chat_body()), unused=None, every=Every([REFUSED_CONTROL]))
    assert (result.exchanges, result.controls) == (["control", "subject"], ["control"])
    every = Every([REFUSED_CONTROL])
    next(every.rejected())
    assert (judged(None, every=every).exchanges, judged(None, every=every).controls) == (["made"], [])


def test_every_names_the_answer_that_was_judged() -> None:
    every = Every([answer(chat_body(), name="a"), answer(chat_body(), name="b[2]")])
    answers = every.accepted(type(answer(chat_body())))
    next(answers), next(answers)
    assert judged(AssertionError(), every=every).exchanges == ["b"]


def broken(function: Callable[[Every], None]) -> CheckResult:
    """The result of a rule over four answers, a to d, of which b and d have no text."""
    texts = {"a": "Paris", "b[1]": "", "c": "Rome", "d": ""}
    every = Every([answer(chat_body(text), name=name) for name, text in texts.items()])
    problem = ending(lambda: function(every))
    check = replace(CHECK, scenarios=("every",), function=function)
    return Judge().result(check, target="t", problem=problem, arguments={"every": every}, duration=0)


def test_a_rule_over_every_exchange_tells_all_that_break_it() -> None:
    def has_text(every: Every) -> None:
        for one in every.accepted(Chat):
            assert one.text, "no text"

    result = broken(has_text)
    assert (result.breaks, result.exchanges) == (["b[1]", "d"], ["b", "d"])
    assert result.message == "2 of 4 responses: no text"


def test_what_the_model_explains_breaks_no_rule_and_hides_none() -> None:
    def says_paris(every: Every) -> None:
        for one in every.accepted(Chat):
            assert one.text == "Paris", "another text"

    def ended_on(*texts: str | None) -> CheckResult:
        bodies = [chat_body(text, **({"refusal": "No."} if text is None else {})) for text in texts]
        sent = [{"model": "m", "seed": number} for number in range(len(texts))]
        every = Every([answer(body, name=f"n{at}", sent=sent[at]) for at, body in enumerate(bodies)])
        problem = ending(lambda: says_paris(every))
        check = replace(CHECK, scenarios=("every",), function=says_paris)
        return Judge().result(check, target="t", problem=problem, arguments={"every": every}, duration=0)

    only = ended_on("Paris", None)
    assert (only.outcome, only.breaks) == (Outcome.INCONCLUSIVE, [])
    both = ended_on(None, "Rome", "Paris")
    assert (both.outcome, both.breaks, both.exchanges) == (Outcome.FAIL, ["n1"], ["n1", "n0"])
    assert both.message == "1 of 3 responses: another text"


def test_a_rule_about_all_exchanges_together_tells_where_it_ended() -> None:
    def texts_differ(every: Every) -> None:
        seen: list[str] = []
        for one in every.accepted(Chat):
            assert one.text not in seen, "twice"
            seen.append(one.text)

    result = broken(texts_differ)
    assert (result.breaks, result.exchanges, result.message) == ([], ["d"], "twice")


def test_every_without_fitting_answers_is_blocked() -> None:
    with pytest.raises(Blocked):
        list(Every([]).rejected())


def test_missing_answers_are_named() -> None:
    assert judged(ending(lambda: MISSING.text), subject=MISSING).exchanges == ["subject"]


@pytest.mark.parametrize(
    ("made", "asked", "outcome"),
    [
        (answer(refusal(), status=400), {}, Outcome.PASS),
        (answer(refusal(), status=422), {}, Outcome.LENIENT),
        (answer(refusal(), status=400), {"status": 404}, Outcome.FAIL),
        (answer(refusal(), status=404), {"status": 404}, Outcome.PASS),
        (answer(refusal(), status=400), {"status": 404, "or_leniently": (400,)}, Outcome.LENIENT),
        (answer(refusal(), status=404), {}, Outcome.FAIL),
        (answer(refusal(), status=500), {}, Outcome.FAIL),
        (answer({"detail": "x"}, status=400), {}, Outcome.FAIL),
        (answer(chat_body()), {}, Outcome.FAIL),
    ],
)
def test_refused(made: Any, asked: Any, outcome: Outcome) -> None:
    judge = Judge()
    problem = None
    try:
        expect_rejection(made, **asked)
    except Exception as raised:
        problem = raised
    assert judge.result(CHECK, target="t", problem=problem, arguments={}, duration=0).outcome is outcome


def test_declaration_demands_a_source_and_a_sentence() -> None:
    with pytest.raises(ValueError, match="source"):
        check("stop", Level.MUST, "somebody said so")(lambda: None)
    with pytest.raises(ValueError, match="docstring"):
        check("stop", Level.MUST, "openapi:X")(lambda: None)


# Grading


@dataclass(frozen=True)
class Graded:
    outcome: Outcome
    core: bool = False
    level: Level = Level.MUST
    id: str = "area.name"
    exchanges: list[str] = field(default_factory=list)
    controls: list[str] = field(default_factory=list)
    cause: str = ""
    message: str = ""


REFUSAL = {"exchanges": ["capital", "bad_role"], "controls": ["capital"]}
DIMENSIONS = "embeddings.dimensions_shorten_the_vector"

graded = st.builds(
    Graded,
    outcome=st.sampled_from(list(Outcome)),
    core=st.booleans(),
    level=st.sampled_from(list(Level)),
    id=st.sampled_from(["stop.ends_the_text", "n.usage_counts_all", "area.name"]),
    exchanges=st.sampled_from([["count"], ["bad_role"], []]),
)


@given(st.lists(graded))
def test_yes_means_that_every_core_check_and_every_must_is_good(results: list[Graded]) -> None:
    """But for bad input that is accepted, and what a model rejects: both are in the note."""
    said = grade(results)
    needed = [r for r in results if r.core or r.level is Level.MUST]
    excused = [r for r in needed if "bad_role" in r.exchanges or of_model(r.id)]
    all_good = all(r.outcome.good for r in needed) and any(r.core for r in results)
    if all_good:
        assert said.status is Status.YES
    elif said.status is Status.YES:
        assert all(r.outcome.good for r in needed if r not in excused)
        assert said.because


CORE = Graded(Outcome.PASS, core=True)


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ([], Status.UNKNOWN),
        ([Graded(Outcome.PASS)], Status.UNKNOWN),
        ([CORE], Status.YES),
        ([CORE, Graded(Outcome.FAIL, level=Level.MAY)], Status.YES),
        ([CORE, Graded(Outcome.FAIL, level=Level.SHOULD)], Status.YES),
        ([CORE, Graded(Outcome.REJECTED)], Status.PARTIAL),
        ([CORE, Graded(Outcome.TIMEOUT), Graded(Outcome.IGNORED)], Status.PARTIAL),
        ([CORE, Graded(Outcome.NOT_RUN)], Status.UNKNOWN),
        ([CORE, Graded(Outcome.BLOCKED, core=True), Graded(Outcome.FAIL)], Status.UNKNOWN),
        ([CORE, Graded(Outcome.FAIL, core=True)], Status.PARTIAL),
        ([CORE, Graded(Outcome.ERROR, core=True), Graded(Outcome.IGNORED, core=True)], Status.PARTIAL),
        ([Graded(Outcome.ERROR, core=True), Graded(Outcome.REJECTED, core=True)], Status.NO),
        ([Graded(Outcome.FAIL, core=True), Graded(Outcome.IGNORED, core=True)], Status.IGNORED),
        ([CORE, Graded(Outcome.FAIL, **REFUSAL)], Status.YES),
        ([CORE, Graded(Outcome.NOT_RUN, **REFUSAL)], Status.UNKNOWN),
        ([Graded(Outcome.PASS, core=True, **REFUSAL), Graded(Outcome.FAIL, **REFUSAL)], Status.PARTIAL),
        ([CORE, Graded(Outcome.REJECTED, id=DIMENSIONS)], Status.YES),
        ([CORE, Graded(Outcome.IGNORED, id=DIMENSIONS)], Status.PARTIAL),
        ([Graded(Outcome.REJECTED, core=True, id="n.gives_as_many_choices")], Status.UNKNOWN),
    ],
)
def test_a_cell_says_what_its_core_checks_and_its_musts_do(results: list[Graded], said: Status) -> None:
    assert status(results) is status(results[::-1]) is said


def test_a_cell_says_what_fails_for_a_user() -> None:
    stop = Graded(Outcome.PASS, core=True, id="stop.ends_the_text")
    later = Graded(Outcome.FAIL, id="stop.may_be_beyond_ascii")
    first = Graded(Outcome.FAIL, id="stop.four_strings_count")
    assert grade([stop, later, first]).because == "fourth `stop` string has no effect"
    assert grade([stop, replace(first, outcome=Outcome.REJECTED)]).because.endswith("has no effect (rejected)")
    some = replace(first, message="2 of 9 responses: expected …")
    assert grade([stop, some]).because.endswith("has no effect (2 of 9)")
    assert grade([stop, replace(some, message="9 of 9 responses: expected …")]).because.endswith("has no effect")
    assert grade([Graded(Outcome.FAIL, core=True, id="stop.ends_the_text")]).because == "text goes on past `stop`"
    assert grade([Graded(Outcome.REJECTED, core=True)]).because == "rejected with an error"
    assert grade([Graded(Outcome.REJECTED, core=True, cause="absent")]).because == "endpoint absent"
    assert grade([Graded(Outcome.REJECTED, core=True, cause="absent", id=DIMENSIONS)]).because == "endpoint absent"
    needs = Graded(Outcome.BLOCKED, core=True, cause="absent")
    assert grade([needs]).because == grade([Graded(Outcome.PASS, core=True), replace(needs, core=False)]).because
    assert grade([needs]).because == "needs an absent endpoint"
    undecided = [Graded(outcome, core=True) for outcome in (Outcome.NOT_RUN, Outcome.INCONCLUSIVE, Outcome.NOT_RUN)]
    assert grade([CORE, *undecided]).because == "not decided: 2 not-run, 1 inconclusive"
    assert grade([Graded(Outcome.IGNORED, core=True)]).because == ""
    assert grade([CORE]).because == ""


def test_a_cell_names_its_core_checks_where_they_differ() -> None:
    cores = matrix.features()["tool_choice"].cores
    none, required, named = (
        Graded(outcome, core=True, id=id)
        for id, outcome in zip(cores, (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.IGNORED), strict=True)
    )
    assert grade([named, required, none], cores).because == "none ✓ required ? named ✕"


def test_a_yes_says_what_it_leaves_out() -> None:
    assert grade([CORE, Graded(Outcome.FAIL, level=Level.SHOULD, **REFUSAL)]).because == "bad input not rejected"
    assert grade([CORE, Graded(Outcome.REJECTED, id=DIMENSIONS)]).because == "this model rejects `dimensions`"
    assert grade([CORE, Graded(Outcome.FAIL, level=Level.MAY, **REFUSAL)]).because == ""
    alone = grade([Graded(Outcome.REJECTED, core=True, id="n.gives_as_many_choices")])
    assert (alone.status, alone.because) == (Status.UNKNOWN, "this model rejects `n`")


def test_rows_with_several_core_checks_name_each() -> None:
    several: dict[str, list[str]] = {}
    for one in catalogue.load().values():
        if one.core:
            several.setdefault(one.feature, []).append(one.id)
    for row in matrix.features().values():
        needed = several[row.id] if len(several[row.id]) > 1 else []
        assert sorted(row.cores) == sorted(needed), (
            f"name the core checks of {row.id} in conformance/requirements/matrix.toml"
        )


@given(st.lists(graded), graded)
def test_more_trouble_never_makes_a_cell_better(results: list[Graded], more: Graded) -> None:
    order = [Status.NO, Status.IGNORED, Status.PARTIAL, Status.UNKNOWN, Status.YES]
    if not more.outcome.good and any(r.core for r in results):
        assert order.index(status([*results, more])) <= order.index(status(results)) or status(results) is Status.NO


@pytest.mark.parametrize(
    ("claim", "measured", "said"),
    [
        ("yes", Status.YES, Agreement.CONFIRMED),
        ("yes", Status.PARTIAL, Agreement.OVERCLAIMED),
        ("yes", Status.IGNORED, Agreement.OVERCLAIMED),
        ("partial", Status.YES, Agreement.UNDERCLAIMED),
        ("partial", Status.PARTIAL, Agreement.CONFIRMED),
        ("partial", Status.NO, Agreement.OVERCLAIMED),
        ("no", Status.PARTIAL, Agreement.UNDERCLAIMED),
        ("no", Status.NO, Agreement.CONFIRMED),
        ("no", Status.IGNORED, Agreement.CONFIRMED),
        ("yes", Status.UNKNOWN, Agreement.UNVERIFIED),
        (None, Status.YES, None),
    ],
)
def test_agreement(claim: str | None, measured: Status, said: Agreement | None) -> None:
    assert agreement(claim, measured) is said


def test_inconclusive_is_a_verdict() -> None:
    assert judged(Inconclusive("x")).outcome is Outcome.INCONCLUSIVE


def test_what_is_missing_is_no_evidence_of_a_pass() -> None:
    assert judged(None, subject=answer(chat_body()), other=MISSING).exchanges == ["subject"]
    assert judged(ending(lambda: MISSING.text), subject=answer(chat_body()), other=MISSING).exchanges == [
        "subject",
        "other",
    ]


LONG_PROMPT = {"model": "m", "messages": [{"role": "user", "content": "word " * 300}]}


@pytest.mark.parametrize(
    "error",
    [
        {"message": "This model's maximum context length is 1024 tokens.", "code": "context_length_exceeded"},
        {"message": "the request exceeds the available size", "type": "exceed_context_size_error"},
        {"message": "The input (5000 tokens) is longer than the model's context length (4096 tokens)."},
    ],
)
def test_a_request_that_does_not_fit_into_the_context_is_not_judged(error: dict[str, Any]) -> None:
    def outcome(sent: dict[str, Any]) -> Outcome:
        refused = answer({"error": error}, status=400, sent=sent, name="a")
        return judged(ending(refused.assert_accepted), a=refused).outcome

    assert outcome(LONG_PROMPT) is Outcome.INCONCLUSIVE
    assert outcome({"model": "m", "max_tokens": 1500}) is Outcome.INCONCLUSIVE
    assert outcome({"model": "m", "previous_response_id": "resp_1"}) is Outcome.INCONCLUSIVE
    assert outcome({"model": "m"}) is Outcome.REJECTED, "a short request fits into any context"


def test_a_long_request_that_is_rejected_for_another_reason_is_rejected() -> None:
    refused = answer({"error": {"message": "no"}}, status=400, sent=LONG_PROMPT, name="a")
    assert judged(ending(refused.assert_accepted), a=refused).outcome is Outcome.REJECTED
