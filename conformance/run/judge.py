"""How a check ended, as a result: outcome, message, expected and actual value."""

from __future__ import annotations

import re
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from backends import redaction
from backends.printable import printable
from backends.redaction import Secrets
from conformance.answers import Answer, Missing, Refused
from conformance.answers.absence import is_unknown
from conformance.answers.recording import Source, answers
from conformance.kit.every import Every
from conformance.kit.evidence import plain_requests, unproved
from conformance.kit.shapes import misshapen
from conformance.kit.steadiness import unsteady
from conformance.outcomes import Broken, EndpointAbsent, Outcome, TimedOut, Unvaried, Verdict, notes
from conformance.outcomes.comparisons import shown
from conformance.outcomes.notes import Drift, tolerant
from conformance.requirements.check import Check
from conformance.results import CheckResult
from conformance.run.excuses import excuse, frame, no_end, of_the_model, refused_for
from conformance.run.sureness import too_sure

UNKNOWN_PATHS = "Errors of unknown paths and methods are not those of the API"
"""The cause of checks that fail only on these errors."""

ENDS = "capital"
"""The control whose response shows whether the model ends by itself."""

SHOWN = 3
"""How many of the exchanges that break a rule a result shows first."""

SHORT, LONG = 300, 2000
"""Characters kept of an assertion that held, and of any other string; exchanges are kept whole."""

ROWS = {
    "parallel_tool_calls": ("parallel_tools",),
    "max_output_tokens": ("responses",),
    "tools": ("tools", "tool_choice", "parallel_tools", "responses_tools"),
    "response_format": ("json_mode", "json_schema"),
    "stream": ("streaming", "responses_stream"),
    "stream_options": ("streaming", "usage"),
    "reasoning_effort": ("reasoning",),
}
"""The rows of parameters that have another name; those of the examples count for each."""

ACCUSING = (Outcome.FAIL, Outcome.IGNORED)

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Judge:
    """Collects what pytest's hooks report while a check runs, and makes a result of it."""

    def __init__(self, hidden: Secrets = ()) -> None:
        self._hidden = hidden
        self.begin()

    def begin(self) -> None:
        """A check begins."""
        self._compared: tuple[str, object, object] | None = None
        self._notes = notes.begin()

    def compared(self, op: str, left: object, right: object) -> None:
        """A comparison in an `assert` failed."""
        self._compared = (op, left, right)

    def held(self, source: str, explanation: str) -> None:
        """An `assert` held."""
        self._compared = None
        seen = explanation.partition("\n")[0]
        self._notes.held.append(source if seen == source else f"{source}    # {seen}")

    def result(
        self,
        check: Check,
        *,
        target: str,
        problem: BaseException | None,
        arguments: dict[str, Any],
        duration: float,
        source: Source | None = None,
    ) -> CheckResult:
        """The result of a check that ended with `problem`; None: it returned.

        If responses that must be the same differ, and `source` shows that the target's responses to identical requests
        differ too, the check is run again, `tolerant`. If the model's behaviour explains the outcome, the result is
        `inconclusive`.
        """
        outcome, message, expected, actual = self._ending(problem, arguments)
        cause = ""
        if isinstance(problem, EndpointAbsent):
            cause = problem.sentence
            if check.feature in problem.rows:
                outcome, message = Outcome.REJECTED, cause
        proofs = plain_requests(arguments) if outcome.good and source else []
        name = refused_for(problem.answer) if isinstance(problem, Refused) else None
        own = check.feature in ROWS.get(name, (name,)) or check.feature.startswith("examples_") if name else True
        if outcome is Outcome.REJECTED and not own:
            outcome, message = Outcome.BLOCKED, f"{message} (the check does not judge `{name}`)"
        if source and (nothing := unproved(source, proofs)):
            outcome, message = Outcome.BLOCKED, nothing
        if outcome.good and (unsent := next(filter(_is_unsent, arguments.values()), None)) is not None:
            outcome, message = Outcome.NOT_RUN, unsent.why
        if outcome.good:  # The check did not need what is missing.
            arguments = {name: argument for name, argument in arguments.items() if not isinstance(argument, Missing)}
        held = list(self._notes.held)
        judged, controls = _exchanges(arguments)
        judged += [name for name in proofs if name not in judged]
        controls += [name for name in proofs if name not in controls]
        accused = outcome in ACCUSING
        mode: AbstractContextManager[None] = nullcontext()
        every = next((a for a in arguments.values() if isinstance(a, Every) and a.judged), None)
        if accused and source and self._notes.compares and (drift := unsteady(source)):
            mode = tolerant(drift)
            outcome, message, expected, actual = self._tolerantly(check, arguments, drift, every)
            judged += [name for name in drift.shows if name not in judged]
            controls += [name for name in drift.shows if name not in controls]
        breaks: list[str] = []
        if every and accused:
            with mode:
                broken, of = self._breaking(check, arguments, every)
            if broken:
                breaks = list(broken)
                outcome, message, expected, actual = broken[breaks[0]]
                message = f"{len(breaks)} of {of} responses: {message or check.requirement}"
                judged = list(dict.fromkeys([*(name.partition("[")[0] for name in breaks[:SHOWN]), *judged]))
        explicable = not breaks and not isinstance(problem, Broken | Refused)
        if outcome in ACCUSING and explicable and (why := excuse(_read(arguments), frame(source) if source else 1)):
            outcome, message = Outcome.INCONCLUSIVE, f"{why}; otherwise: {message}"
        if outcome is Outcome.FAIL and source and (why := of_the_model(problem, source)):
            outcome, message = Outcome.INCONCLUSIVE, f"{why}; otherwise: {message}"
        if isinstance(problem, Unvaried) and outcome is Outcome.IGNORED and source:
            why, shows = too_sure(_read(arguments), source)
            judged += [name for name in shows if name not in judged]
            controls += [name for name in shows if name not in controls]
            if why:
                outcome, message = Outcome.INCONCLUSIVE, f"{why}; otherwise: {message}"
        late = problem.answer if isinstance(problem, TimedOut) else None
        if isinstance(late, Answer) and source and (why := no_end(late, answers(source, ENDS))):
            outcome, message = Outcome.INCONCLUSIVE, why
        if outcome is Outcome.FAIL and _only_unknown_paths(breaks, message, arguments):
            cause = UNKNOWN_PATHS
        return CheckResult(
            id=check.id,
            target=target,
            feature=check.feature,
            level=check.level,
            core=check.core,
            source=check.source,
            requirement=check.requirement,
            outcome=outcome,
            message=self.clean(message),
            expected=self.clean(expected),
            actual=self.clean(actual),
            held=[self.clean(said, SHORT) for said in held],
            exchanges=judged,
            controls=controls,
            cause=cause,
            breaks=breaks,
            duration=round(duration, 4),
            later=check.later,
        )

    def printable(self, text: str) -> str:
        """The text as one line that is safe to print."""
        return printable(self.clean(text))

    def clean(self, text: str, length: int = LONG) -> str:
        """A string that is safe to print: without secrets, control characters and lone surrogates, and not too long."""
        text = redaction.text(text, self._hidden)
        text = _CONTROL.sub(lambda c: c[0].encode("unicode_escape").decode(), text)
        return text if len(text) <= length else f"{text[:length]}… ({len(text)} characters)"

    def _ending(self, problem: BaseException | None, arguments: dict[str, Any]) -> tuple[Outcome, str, str, str]:
        """Outcome, message, expected, actual."""
        if problem is None:
            return (
                (Outcome.LENIENT, "; ".join(self._notes.lenient), "", "")
                if self._notes.lenient
                else (Outcome.PASS, "", "", "")
            )
        if isinstance(problem, Refused) and _only_control(problem.answer, arguments):
            return Outcome.BLOCKED, f"the control {problem}", "", ""
        if isinstance(problem, Verdict):
            return problem.outcome, str(problem), _text(problem.expected), _text(problem.actual)
        if isinstance(problem, AssertionError):
            return Outcome.FAIL, str(problem).partition("\n")[0], *self._difference()
        if malformed := next(filter(None, map(misshapen, _read(arguments))), None):
            return Outcome.FAIL, str(malformed), _text(malformed.expected), _text(malformed.actual)
        return Outcome.ERROR, f"a defect of the suite: {type(problem).__name__}: {problem}", "", ""

    def _tolerantly(
        self, check: Check, arguments: dict[str, Any], drift: Drift, every: Every | None
    ) -> tuple[Outcome, str, str, str]:
        """How the check ends when it is run again, if the target's drift may be why responses differ.

        Then any statement of a check about the text or the number of tokens of several responses may be due to chance.
        """
        self._notes.lenient.clear()
        self._notes.generated.clear()
        with tolerant(drift):
            outcome, message, expected, actual = self._ending(problem_of(check, arguments), arguments)
        if outcome is Outcome.FAIL and drift.early and len(self._notes.generated) > 1 and not every:
            outcome = Outcome.INCONCLUSIVE
        if message:
            message = f"{message}; identical requests also get different responses ({' and '.join(drift.shows)})"
        return outcome, message, expected, actual

    def _breaking(
        self, check: Check, arguments: dict[str, Any], every: Every
    ) -> tuple[dict[str, tuple[Outcome, str, str, str]], int]:
        """The endings of a rule on each exchange that breaks it, by name, and the number of exchanges that it judges.

        The check is run on each exchange separately; an exchange that the model's behaviour explains does not break the
        rule. If the exchange on which the check ended passes separately, the rule is about all exchanges together, and
        the result is empty.
        """
        last = every.judged
        ends: dict[str, tuple[Outcome, str, str, str]] = {}
        excused: set[str] = set()
        for one in every.one_by_one():
            self._compared = None
            ends[one.name] = self._ending(problem_of(check, arguments), arguments)
            if ends[one.name][0] in ACCUSING and excuse(every.judged_with):
                excused.add(one.name)
        every.judged = last
        if last is None or last.name not in ends or ends[last.name][0].good:
            return {}, len(ends)
        broken = {name: ending for name, ending in ends.items() if ending[0] in ACCUSING and name not in excused}
        return broken, len(ends)

    def _difference(self) -> tuple[str, str]:
        if self._compared is None:
            return "", ""
        op, left, right = self._compared
        return (shown(right, LONG) if op == "==" else f"{op} {shown(right, LONG)}"), shown(left, LONG)


def problem_of(check: Check, arguments: dict[str, Any]) -> Exception | None:
    """How a check ends when it is run outside of pytest."""
    try:
        check.function(**arguments)
    except Exception as problem:
        return problem
    return None


def _is_unsent(argument: Any) -> bool:
    """Whether a scenario that the check names was not sent, and not because of what the server responded."""
    return isinstance(argument, Missing) and not argument.blocked and argument.verdict is None


def _only_control(refused: Answer, arguments: dict[str, Any]) -> bool:
    """Whether the rejected request is a control, and the check judges something else."""
    others = [a for argument in arguments.values() for a in _answers(argument) if not a.control]
    return refused.control and bool(others)


def _only_unknown_paths(breaks: list[str], message: str, arguments: dict[str, Any]) -> bool:
    """Whether a check failed only on unknown paths: all that break its rule, or the one that its message names."""
    read = [
        *_read(arguments),
        *(a for every in arguments.values() if isinstance(every, Every) for a in every.named(breaks)),
    ]
    failed = [a for a in read if a.name in breaks or message.startswith(f"{a.name}:")]
    return bool(failed) and all(is_unknown(a.exchange) for a in failed)


def _exchanges(arguments: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The names of the judged scenarios, and of the controls among them."""
    judged: dict[str, bool] = {}
    for name, argument in arguments.items():
        if isinstance(argument, Every):
            if argument.judged:
                judged[argument.judged.name.partition("[")[0]] = False
        elif argument is not None:
            judged[name] = any(a.control for a in _answers(argument))
    return list(judged), [name for name, control in judged.items() if control]


def _read(arguments: dict[str, Any]) -> list[Answer]:
    """The responses that a check was reading when it ended."""
    found = [a for argument in arguments.values() for a in _answers(argument) if isinstance(a, Answer)]
    return found + [a for every in arguments.values() if isinstance(every, Every) for a in every.judged_with]


def _answers(argument: Any) -> list[Answer | Missing]:
    if isinstance(argument, Missing):
        return [argument]
    return [a for a in (argument if isinstance(argument, list) else [argument]) if isinstance(a, Answer)]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else repr(value)
