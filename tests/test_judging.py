"""How a check ends is its outcome, and the outcomes of a row are its status."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.answers import Missing
from conformance.check import Check, check
from conformance.every import Every
from conformance.grading import Agreement, Status, agreement, status
from conformance.judge import Judge
from conformance.outcomes import Blocked, Inconclusive, Level, Outcome, effect, lenient, shown
from conformance.refusals import refused
from conformance.results import CheckResult
from tests.made import answer, chat_body, refusal

CHECK = Check(
    id="area.name",
    feature="stop",
    level=Level.MUST,
    core=True,
    source="openapi:X",
    requirement="It is so.",
    scenarios=("subject",),
    function=lambda: None,
)


def judged(problem: BaseException | None, **arguments: object) -> CheckResult:
    """The result of a check that ended so."""
    judge = Judge(("sk-canary",))
    return judge.result(CHECK, target="t", problem=problem, explanation="", arguments=arguments, duration=0)


def ending(action: object) -> BaseException:
    with pytest.raises(Exception) as caught:  # noqa: PT011
        action()  # type: ignore[operator]
    return caught.value


REFUSED_CONTROL = answer(refusal(), status=400, control=True)
REFUSED = answer(refusal(), status=400)


def test_returning_is_a_pass() -> None:
    assert judged(None).outcome is Outcome.PASS


def test_words_end_with_their_outcomes() -> None:
    assert judged(ending(lambda: effect(False, "nothing changed"))).message == "accepted, but nothing changed"
    assert judged(ending(lambda: effect(False, "x"))).outcome is Outcome.IGNORED
    assert judged(ending(lambda: shown(False, "x"))).outcome is Outcome.INCONCLUSIVE


def test_leniency_is_shown() -> None:
    judge = Judge()
    lenient("422 where 400 is usual")
    result = judge.result(CHECK, target="t", problem=None, explanation="", arguments={}, duration=0)
    assert (result.outcome, result.message) == (Outcome.LENIENT, "422 where 400 is usual")


def test_a_refused_control_blocks_unless_it_is_what_is_judged() -> None:
    problem = ending(lambda: REFUSED_CONTROL.text)
    assert judged(problem, control=REFUSED_CONTROL, subject=answer(chat_body())).outcome is Outcome.BLOCKED
    assert judged(problem, control=REFUSED_CONTROL).outcome is Outcome.REJECTED
    problem = ending(lambda: REFUSED.text)
    assert judged(problem, control=answer(chat_body(), control=True), subject=REFUSED).outcome is Outcome.REJECTED


def test_a_crash_of_ours_is_never_the_servers_fault() -> None:
    assert judged(IndexError("list index out of range")).outcome is Outcome.ERROR


def test_assertions_show_both_sides() -> None:
    judge = Judge()
    judge.compared("==", "left", "right")
    result = judge.result(
        CHECK, target="t", problem=AssertionError(), explanation="assert 'left' == 'right'", arguments={}, duration=0
    )
    assert (result.outcome, result.expected, result.actual) == (Outcome.FAIL, "'right'", "'left'")
    assert result.message == "not so: 'left' == 'right'"


def test_secrets_and_control_characters_never_leave() -> None:
    result = judged(ending(lambda: shown(False, "sk-canary \x1b[31m \ud800 <b>")))
    assert result.message == "[redacted] \\x1b[31m \\ud800 <b>"


def test_every_names_the_answer_that_was_judged() -> None:
    every = Every([answer(chat_body(), name="a"), answer(chat_body(), name="b[2]")])
    answers = every.accepted(type(answer(chat_body())))
    next(answers), next(answers)
    assert judged(AssertionError(), every=every).exchanges == ["b"]


def test_every_without_fitting_answers_is_blocked() -> None:
    with pytest.raises(Blocked):
        list(Every([]).refused())


def test_missing_answers_are_named() -> None:
    missing = Missing("subject", "no model", blocked=True)
    assert judged(ending(lambda: missing.text), subject=missing).exchanges == ["subject"]


@pytest.mark.parametrize(
    ("made", "outcome"),
    [
        (answer(refusal(), status=400), Outcome.PASS),
        (answer(refusal(), status=422), Outcome.LENIENT),
        (answer(refusal(), status=404), Outcome.FAIL),
        (answer(refusal(), status=500), Outcome.FAIL),
        (answer({"detail": "x"}, status=400), Outcome.FAIL),
        (answer(chat_body()), Outcome.FAIL),
    ],
)
def test_refused(made: object, outcome: Outcome) -> None:
    judge = Judge()
    problem = None
    try:
        refused(made, 400)  # type: ignore[arg-type]
    except Exception as raised:
        problem = raised
    assert judge.result(CHECK, target="t", problem=problem, explanation="", arguments={}, duration=0).outcome is outcome


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


graded = st.builds(
    Graded, outcome=st.sampled_from(list(Outcome)), core=st.booleans(), level=st.sampled_from(list(Level))
)


@given(st.lists(graded))
def test_yes_means_that_every_core_check_and_every_must_is_good(results: list[Graded]) -> None:
    said = status(results)
    needed = [r for r in results if r.core or r.level is Level.MUST]
    all_good = all(r.outcome.good for r in needed) and any(r.core for r in results)
    assert (said is Status.YES) == all_good


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
