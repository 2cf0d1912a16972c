"""The outcomes of a check, and the words that end a check with an outcome other than `fail`."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from conformance.outcomes import notes


class Level(StrEnum):
    """RFC 2119. MUST: the published API says so, and clients break or get wrong results without it."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


class Outcome(StrEnum):
    """The verdict of one check."""

    PASS = "pass"
    LENIENT = "lenient"
    FAIL = "fail"
    IGNORED = "ignored"
    REJECTED = "rejected"
    INCONCLUSIVE = "inconclusive"
    BLOCKED = "blocked"
    TIMEOUT = "timeout"
    ERROR = "error"
    NOT_RUN = "not-run"

    @property
    def good(self) -> bool:
        """Whether the wire shows what is required. Nothing else counts as passing."""
        return self in (Outcome.PASS, Outcome.LENIENT)

    @property
    def bad(self) -> bool:
        """Whether this fails a run: the server is at fault, or the suite is."""
        return self in (Outcome.FAIL, Outcome.IGNORED, Outcome.TIMEOUT, Outcome.ERROR)


class Verdict(Exception):
    """Ends a check with an outcome other than `pass`; `expected` and `actual` are shown beside the message."""

    outcome: Outcome

    def __init__(self, message: str, *, expected: Any = None, actual: Any = None) -> None:
        super().__init__(message)
        self.expected = expected
        self.actual = actual


class Fail(Verdict):
    """The wire shows a violation."""

    outcome = Outcome.FAIL


class Broken(Fail):
    """A valid or invalid request got a 5xx, or an error that cannot be read. No model explains that."""


class Marked(Fail):
    """A text has markers of reasoning. The judge looks whether the model writes them into everything."""


class Unreadable(Fail):
    """Arguments of a call are not JSON, without `strict`. The judge looks whether those of strict functions are."""


class Ignored(Verdict):
    """The server accepted a parameter, and it had no effect."""

    outcome = Outcome.IGNORED


class Unvaried(Ignored):
    """Random draws are all the same. The judge tests whether the model's probabilities explain that."""


class Inconclusive(Verdict):
    """The model did not produce what the check judges."""

    outcome = Outcome.INCONCLUSIVE


class Blocked(Verdict):
    """A prerequisite failed, and the check could not judge."""

    outcome = Outcome.BLOCKED


class EndpointAbsent(Blocked):
    """The server has no such endpoint, as `sentence` says.

    For checks of the endpoint's own `rows`, this is a rejection.
    """

    def __init__(self, sentence: str, rows: tuple[str, ...]) -> None:
        super().__init__(f"not judged: {sentence}")
        self.sentence = sentence
        self.rows = rows


class TimedOut(Verdict):
    """No complete response came in time. `answer` is the one that was being read."""

    outcome = Outcome.TIMEOUT

    def __init__(self, message: str, answer: object = None) -> None:
        super().__init__(message)
        self.answer = answer


class NotRun(Verdict):
    """Nothing was sent, or the recording lacks it."""

    outcome = Outcome.NOT_RUN


def lenient(why: str) -> None:
    """Accept an alternative to what the API says: the check ends `lenient` instead of `pass`, and `why` is shown."""
    notes.current().lenient.append(why)


def ignored_unless(observed: object, otherwise: str, *, expected: Any = None, actual: Any = None) -> None:
    """The parameter must have had an effect; `otherwise` completes "accepted, but …". Outcome: `ignored`."""
    if not observed:
        raise Ignored(f"accepted, but {otherwise}", expected=expected, actual=actual)


def ignored_unless_varied(varied: object, otherwise: str) -> None:
    """Random responses must have varied.

    Outcome: `ignored`, or `inconclusive` if the model's probabilities leave no room for variation.
    """
    if not varied:
        raise Unvaried(f"accepted, but {otherwise}")


def inconclusive_unless(observed: object, otherwise: str, *, expected: Any = None, actual: Any = None) -> None:
    """The model must have produced what is judged; `otherwise` says what came instead. Outcome: `inconclusive`."""
    if not observed:
        raise Inconclusive(otherwise, expected=expected, actual=actual)
