"""All exchanges of a run, for the rules that hold for each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from conformance.absence import standing_in
from conformance.answers import Absent, Answer, view
from conformance.outcomes import Blocked
from conformance.recording import LARGE, OnDisk, Source
from fixtures.scenario import SCENARIOS

A = TypeVar("A", bound=Answer)


class Every:
    """The recorded answers of a target, as the parameter `every` of a check.

    Iterating remembers which answer is being judged, so that a failing `assert` is shown with its exchange.
    Answers to OPTIONS and HEAD are left out: they have no body. So are those of absent endpoints, whose errors are all
    the same: what an unknown path is answered with has a scenario of its own.
    """

    @classmethod
    def of_scenarios(cls, source: Source, names: Iterable[str]) -> Every:
        """The answers to the scenarios that were sent.

        Those that share a connection are left out: whether a server closes it before the next request arrives is a race
        that has its own check, and would make every rule here end differently from run to run.
        """
        recorded = _Recorded(source, names)
        return cls(recorded, recorded.absent, recorded.fatal)

    def __init__(self, answers: Iterable[Answer], absent: Sequence[Absent] = (), fatal: Sequence[str] = ()) -> None:
        self.fatal = list(fatal)
        """The scenarios during which the server stopped answering anybody."""
        self._all = answers
        self._absent = absent
        self.judged: Answer | None = None
        self._fits: Callable[[Answer], bool] = lambda _: False
        self._only: Answer | None = None

    @property
    def judged_with(self) -> list[Answer]:
        """The answer that is being judged, and those to the same request."""
        judged = self.judged
        return [a for a in self._answers if a.asked == judged.asked] if judged else []

    @property
    def _answers(self) -> Iterator[Answer]:
        return (a for a in self._all if a.exchange.request.method not in ("OPTIONS", "HEAD"))

    def named(self, names: Collection[str]) -> list[Answer]:
        """The answers with these names."""
        return [a for a in self._answers if a.name in names]

    def of(self, kind: type[A], where: Callable[[A], bool] = lambda _: True, *, what: str = "") -> Iterator[A]:
        """The answers of a kind for which `where` holds; the check is blocked if there is none (`what` names them)."""
        self._fits = lambda answer: isinstance(answer, kind) and where(answer)
        found = False
        for answer in [self._only] if self._only else self._answers:
            if isinstance(answer, kind) and where(answer):
                found = True
                self.judged = answer
                yield answer
        if not found:
            for one in self._absent:
                if issubclass(view(one.exchange.request.path), kind):
                    raise one.verdict or Blocked(one.why)
            raise Blocked(f"expected a recorded {what or kind.__name__} exchange, got none")

    def one_by_one(self) -> Iterator[Answer]:
        """The answers of the last `of`. While one is yielded, `of` gives it alone, so that a check can be run on it."""
        fits = self._fits
        for answer in self._answers:
            if fits(answer):
                self._only = answer
                yield answer
                self._only = None

    def accepted(self, kind: type[A], *, streamed: bool | None = None, malformed: bool = False) -> Iterator[A]:
        """The whole 2xx answers of a kind; only streams, or only plain ones, if `streamed` is given.

        Answers that cannot be read are left out, so that one of them does not end every check: the checks that judge
        shapes and framing ask for them with `malformed`. So are answers to requests that should have been rejected.
        """
        return self.of(
            kind,
            lambda a: (
                _whole(a) and a.ok and not is_bad(a) and streamed in (None, a.streamed) and (malformed or a.readable)
            ),
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
            for accepted_ones in (False, True)  # One that was accepted tells most of a request, so it comes last.
            for a in self._answers
            if a.ok is accepted_ones and isinstance(a, kind) and _whole(a)
            if not a.streamed and "stream_options" not in a.sent
        }

        def is_twin(answer: A) -> bool:
            other = plain.get(answer.asked)
            if other is None or not answer.asks_for_stream or not _whole(answer) or answer.sent.get("temperature") != 0:
                return False
            readable = answer.readable and _unread(other).readable and not is_bad(answer)
            return where(answer) and (readable or not accepted)

        for streamed in self.of(kind, is_twin, what=f"plain and streamed {kind.__name__}"):
            yield _unread(plain[streamed.asked]), streamed

    def rejected(self) -> Iterator[Answer]:
        """The answers with a 4xx or 5xx."""
        return self.of(Answer, lambda a: (a.exchange.status or 0) >= 400 and not a.exchange.error, what="rejected")


def is_bad(answer: Answer) -> bool:
    """Whether the request is one that must be rejected: what an answer to it holds is no rule's business."""
    return answer.name.startswith("bad_")


def _fits(answer: Answer, streamed: bool | None) -> bool:
    return _whole(answer) and answer.ok and streamed in (None, answer.streamed)


def _unread(answer: A) -> A:
    """The answer; a large one without what was parsed of it, so that many do not add up in memory."""
    return answer if len(answer.exchange.body) < LARGE else replace(answer)


class _Recorded:
    """The answers to scenarios. Large ones are read whenever they are iterated over, and not kept in memory."""

    def __init__(self, source: Source, names: Iterable[str]) -> None:
        self._source = source
        self.fatal: list[str] = []
        self.absent: list[Absent] = []
        self._parts: list[str | list[Answer]] = []
        for name in names:
            recording = source.recording(name)  # Waits until it has been sent.
            if recording.get("fatal"):
                self.fatal.append(name)
            if not SCENARIOS[name].one_connection:
                self._parts.append(name if isinstance(recording, OnDisk) else self._read(name))

    def __iter__(self) -> Iterator[Answer]:
        for part in self._parts:
            yield from self._read(part) if isinstance(part, str) else part

    def _read(self, name: str) -> list[Answer]:
        got = standing_in(self._source, self._source.recording(name).answers(SCENARIOS[name]))
        several = got if isinstance(got, list) else [got]
        self.absent += [one for one in several if isinstance(one, Absent)]
        return [one for one in several if isinstance(one, Answer)]


def _whole(answer: Answer) -> bool:
    """Whether the answer came to its end, we did not hang up before, and it was clear if a stream was asked for."""
    wire = answer.exchange
    came = wire.status is not None and not wire.error and wire.request.hang_up_after is None
    return came and answer.asks_clearly
