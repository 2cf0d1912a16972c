"""All exchanges of a run, for the rules that hold for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from conformance.answers import Answer
from conformance.outcomes import Blocked

A = TypeVar("A", bound=Answer)


class Every:
    """The recorded answers of a target, as the parameter `every` of a check.

    Iterating remembers which answer is being judged, so that a failing `assert` is shown with its exchange.
    """

    def __init__(self, answers: list[Answer]) -> None:
        self._answers = answers
        self.judged: Answer | None = None

    def of(self, kind: type[A], where: Callable[[A], bool] = lambda _: True, *, what: str = "") -> Iterator[A]:
        """The answers of a kind for which `where` holds; the check is blocked if there is none (`what` names them)."""
        fitting = [answer for answer in self._answers if isinstance(answer, kind) and where(answer)]
        if not fitting:
            raise Blocked(f"no {what or kind.__name__} exchange was recorded that this could be judged on")
        for answer in fitting:
            self.judged = answer
            yield answer

    def accepted(self, kind: type[A], *, streamed: bool | None = None) -> Iterator[A]:
        """The 2xx answers of a kind; only streams, or only plain ones, if `streamed` is given."""
        return self.of(
            kind,
            lambda a: a.ok and not a.exchange.error and streamed in (None, a.streamed),
            what=f"accepted {'streamed ' if streamed else ''}{kind.__name__}",
        )

    def refused(self) -> Iterator[Answer]:
        """The answers with a 4xx or 5xx."""
        return self.of(Answer, lambda a: (a.exchange.status or 0) >= 400 and not a.exchange.error, what="refused")
