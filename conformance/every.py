"""All exchanges of a run, for the rules that hold for each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from conformance.answers import Answer, Missing
from conformance.outcomes import Blocked
from conformance.recording import LARGE, Source, answers
from fixtures.scenario import SCENARIOS

A = TypeVar("A", bound=Answer)


class Every:
    """The recorded answers of a target, as the parameter `every` of a check.

    Iterating remembers which answer is being judged, so that a failing `assert` is shown with its exchange.
    Answers to OPTIONS and HEAD are left out: they have no body.
    """

    @classmethod
    def of_scenarios(cls, source: Source, names: Iterable[str]) -> Every:
        """The answers to the scenarios that were sent.

        Those that share a connection are left out: whether a server closes it before the next request arrives is a race
        that has its own check, and would make every rule here end differently from run to run.
        """
        return cls(_Recorded(source, [name for name in names if not SCENARIOS[name].one_connection]))

    def __init__(self, answers: Iterable[Answer]) -> None:
        self._all = answers
        self.judged: Answer | None = None

    @property
    def judged_with(self) -> list[Answer]:
        """The answer that is being judged, and those to the same request."""
        judged = self.judged
        return [a for a in self._answers if a.asked == judged.asked] if judged else []

    @property
    def _answers(self) -> Iterator[Answer]:
        return (a for a in self._all if a.exchange.request.method not in ("OPTIONS", "HEAD"))

    def of(self, kind: type[A], where: Callable[[A], bool] = lambda _: True, *, what: str = "") -> Iterator[A]:
        """The answers of a kind for which `where` holds; the check is blocked if there is none (`what` names them)."""
        found = False
        for answer in self._answers:
            if isinstance(answer, kind) and where(answer):
                found = True
                self.judged = answer
                yield answer
        if not found:
            raise Blocked(f"no {what or kind.__name__} exchange was recorded that this could be judged on")

    def accepted(self, kind: type[A], *, streamed: bool | None = None, malformed: bool = False) -> Iterator[A]:
        """The whole 2xx answers of a kind; only streams, or only plain ones, if `streamed` is given.

        Answers that cannot be read are left out, so that one of them does not end every check: the checks that judge
        shapes and framing ask for them with `malformed`.
        """
        return self.of(
            kind,
            lambda a: _whole(a) and a.ok and streamed in (None, a.streamed) and (malformed or a.readable),
            what=f"accepted {'streamed ' if streamed else ''}{kind.__name__}",
        )

    def pairs(
        self, kind: type[A], where: Callable[[A], bool] = lambda _: True, *, accepted: bool = True
    ) -> Iterator[tuple[A, A]]:
        """The plain and the streamed answer to each request that was sent both ways at temperature 0.

        Both are whole and, unless `accepted` is false, 2xx and readable. `where` chooses among the streams.
        """
        plain = {
            a.asked: _unread(a)
            for a in self._answers
            if isinstance(a, kind) and _whole(a) and not a.streamed and "stream_options" not in a.sent
        }

        def is_twin(answer: A) -> bool:
            other = plain.get(answer.asked)
            if other is None or not answer.streamed or not _whole(answer) or answer.sent.get("temperature") != 0:
                return False
            return where(answer) and (not accepted or (answer.readable and _unread(other).readable))

        for streamed in self.of(kind, is_twin, what=f"plain and streamed {kind.__name__}"):
            yield _unread(plain[streamed.asked]), streamed

    def refused(self) -> Iterator[Answer]:
        """The answers with a 4xx or 5xx."""
        return self.of(Answer, lambda a: (a.exchange.status or 0) >= 400 and not a.exchange.error, what="refused")


def _unread(answer: A) -> A:
    """The answer; a large one without what was parsed of it, so that many do not add up in memory."""
    return answer if len(answer.exchange.body) < LARGE else replace(answer)


class _Recorded:
    """The answers to scenarios, made whenever they are iterated over: a source does not keep large ones in memory."""

    def __init__(self, source: Source, names: Iterable[str]) -> None:
        self._source = source
        self._names = list(names)
        for name in self._names:  # Waits until all have been sent.
            source.recording(name)

    def __iter__(self) -> Iterator[Answer]:
        for name in self._names:
            got = answers(self._source, name)
            if not isinstance(got, Missing):
                yield from got if isinstance(got, list) else [got]


def _whole(answer: Answer) -> bool:
    """Whether the answer came to its end, we did not hang up before, and it was clear if a stream was asked for."""
    wire = answer.exchange
    came = wire.status is not None and not wire.error and wire.request.hang_up_after is None
    return came and answer.asks_clearly
