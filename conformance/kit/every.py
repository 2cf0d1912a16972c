"""All exchanges of a run, for rules that hold for each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar, cast

from backends.wire import Request
from conformance.answers import Absent, Answer, view
from conformance.answers.absence import standing_in
from conformance.answers.recording import OnDisk, Source
from conformance.outcomes import Blocked
from fixtures.scenario import SCENARIOS

A = TypeVar("A", bound=Answer)
T = TypeVar("T")

LARGE = 64 << 10
"""A body with more bytes is not kept in memory while others are read."""


class Every:
    """The recorded responses of a target, as the parameter `every` of a check.

    Iterating remembers the response that is being judged: the result shows its exchange. Responses to OPTIONS and HEAD
    are left out, since they have no body, and those of paths above `/v1`, which are the server's own. So are attempts
    to open a WebSocket, which a server rejects before they come to its API. Those of absent endpoints are left out too:
    their errors are all the same, and a scenario of its own requests an unknown path.
    """

    @classmethod
    def of_recorded(cls, recorded: Recorded, known: Recorded | None = None) -> Every:
        """The recorded responses, for one of the checks that judge them; others may be `known`, and not be judged."""
        return cls(recorded, list(recorded.absent.values()), recorded.fatal, known)

    def __init__(
        self,
        answers: Iterable[Answer],
        absent: Sequence[Absent] = (),
        fatal: Sequence[str] = (),
        known: Iterable[Answer] | None = None,
    ) -> None:
        self.fatal = list(fatal)
        """The scenarios during which the server stopped responding to every request."""
        self._all = answers
        self._known = answers if known is None else known
        self._absent = absent
        self.judged: Answer | None = None
        self._fits: Callable[[Answer], bool] = lambda _: False
        self._only: Answer | None = None
        self._by_request: dict[str, set[str]] | None = None
        """Names of answers by what was asked."""
        self._plain_ones: dict[type, dict[str, Any]] = {}
        self._made: dict[Any, Any] = {}
        self._firsts: dict[Any, dict[str, str]] = {}
        """By kind and function that makes keys: the name of the first response with each key."""

    @property
    def judged_with(self) -> list[Answer]:
        """The response that is being judged, and those to the same request."""
        if self.judged is None:
            return []
        if self._by_request is None:
            self._by_request = {}
            for answer in self._answers:
                self._by_request.setdefault(answer.asked, set()).add(answer.name)
        return self.named(self._by_request.get(self.judged.asked, ()))

    @property
    def _answers(self) -> Iterator[Answer]:
        return _with_body(self._all)

    def named(self, names: Collection[str]) -> list[Answer]:
        """The responses with these names."""
        return _of_these(self._all, names)

    def of(self, kind: type[A], where: Callable[[A], bool] = lambda _: True, *, what: str = "") -> Iterator[A]:
        """The responses of a kind for which `where` holds. Blocks the check if there are none; `what` names them."""
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
        """The responses of the last `of`, one by one. Meanwhile `of` yields only that one, to run a check on it."""
        fits = self._fits
        for answer in self._answers:
            if fits(answer):
                self._only = answer
                yield answer
                self._only = None

    def accepted(self, kind: type[A], *, streamed: bool | None = None, malformed: bool = False) -> Iterator[A]:
        """The complete 2xx responses of a kind; only streams, or only plain ones, if `streamed` is given.

        Responses that cannot be read are left out, because one of them would end every check. Checks of shapes and
        framing include them with `malformed`. Responses to requests that should have been rejected are left out too.
        """
        return self.of(
            kind,
            lambda a: streamed in (None, a.streamed) and _is_good(a, malformed=malformed),
            what=f"accepted {'streamed ' if streamed else ''}{kind.__name__}",
        )

    def pairs(
        self, kind: type[A], where: Callable[[A], bool] = lambda _: True, *, accepted: bool = True
    ) -> Iterator[tuple[A, A]]:
        """The plain and the streamed response to each request that was sent both ways with `temperature: 0`.

        Both are complete and, unless `accepted` is false, 2xx and readable. `where` selects streams.
        """
        plain = self._plain(kind)
        others: dict[str, A] = {}
        """The twin of the last stream, by its name."""

        def is_twin(answer: A) -> bool:
            others.clear()
            other = plain.get(answer.asked)
            if other is None or not answer.asks_for_stream or not _whole(answer) or answer.sent.get("temperature") != 0:
                return False
            others[answer.name] = other = cast(A, self.named([other])[0]) if isinstance(other, str) else other
            readable = answer.readable and other.readable and not is_bad(answer)
            return where(answer) and (readable or not accepted)

        for streamed in self.of(kind, is_twin, what=f"plain and streamed {kind.__name__}"):
            yield others[streamed.name], streamed

    def twins(
        self, kind: type[A], key: Callable[[A], str | None], *, of: Callable[[A], str | None] | None = None
    ) -> Iterator[tuple[A, A]]:
        """Each accepted response with the first one that has the same key, plain ones before streams.

        `key` tells what of a request decides the response; requests without a key are left out. So are a plain and a
        streamed response to the same request, which `pairs` has. `of` makes the keys of those that may be the first.
        """
        of = of or key
        if (kind, of) not in self._firsts:
            self._firsts[kind, of] = self._first(kind, of, True) | self._first(kind, of, False)
        firsts, others = self._firsts[kind, of], dict[str, A]()

        def has_twin(answer: A) -> bool:
            others.clear()
            found = _is_good(answer) and key(answer)
            if not found or found not in firsts or firsts[found] == answer.name:
                return False
            other = cast(A, _of_these(self._known, [firsts[found]])[0])
            others[answer.name] = other
            return other.asked != answer.asked or other.streamed == answer.streamed

        for answer in self.of(kind, has_twin, what=f"{kind.__name__} with another to nearly the same request"):
            yield others[answer.name], answer

    def _first(self, kind: type[A], key: Callable[[A], str | None], streamed: bool) -> dict[str, str]:
        found: dict[str, str] = {}
        for answer in _with_body(self._known):
            if isinstance(answer, kind) and answer.streamed == streamed and _is_good(answer) and (at := key(answer)):
                found.setdefault(at, answer.name)
        return found

    def _plain(self, kind: type[A]) -> dict[str, A | str]:
        """By what was asked: the plain responses of a kind, or the names of large ones, to save memory."""
        if kind not in self._plain_ones:
            self._plain_ones[kind] = {
                a.asked: a.name if len(a.exchange.body) > LARGE else a
                for accepted_ones in (False, True)  # An accepted one tells more, and replaces a rejected one.
                for a in self._answers
                if a.ok is accepted_ones and isinstance(a, kind) and _whole(a)
                if not a.streamed and "stream_options" not in a.sent
            }
        return self._plain_ones[kind]

    def once(self, make: Callable[[Iterator[Answer]], T]) -> T:
        """What a function makes of all known responses, whichever of them is being judged; it is called once."""
        if make not in self._made:
            self._made[make] = make(_with_body(self._known))
        return cast(T, self._made[make])

    def legal(self) -> Iterator[Answer]:
        """The responses to requests that may be accepted, rejections included. Those at the edge of what is legal,
        and those that do not fit into the model's context, are left out."""

        def may_be_accepted(answer: Answer) -> bool:
            risky = SCENARIOS[answer.name.partition("[")[0]].risky
            return _whole(answer) and not (is_bad(answer) or risky or (not answer.ok and answer.does_not_fit))

        return self.of(Answer, may_be_accepted, what="legal")

    def rejected(self) -> Iterator[Answer]:
        """The responses with a 4xx or 5xx."""
        return self.of(Answer, lambda a: (a.exchange.status or 0) >= 400 and not a.exchange.error, what="rejected")


def is_bad(answer: Answer) -> bool:
    """Whether the request must be rejected; no other rule judges the response to it."""
    return answer.name.startswith("bad_")


def _of_these(answers: Iterable[Answer], names: Collection[str]) -> list[Answer]:
    among = answers.of(names) if isinstance(answers, Recorded) else answers
    return [answer for answer in _with_body(among) if answer.name in names]


def _with_body(answers: Iterable[Answer]) -> Iterator[Answer]:
    return (answer for answer in answers if _is_of_the_api(answer.exchange.request))


def _is_of_the_api(request: Request) -> bool:
    opens_websocket = ("upgrade", "websocket") in request.headers
    return request.method not in ("OPTIONS", "HEAD") and not request.path.startswith("/../") and not opens_websocket


class Recorded:
    """The responses to scenarios. Large ones are read on each iteration, and not kept in memory.

    Scenarios that share a connection are left out: whether a server closes it before the next request arrives is a
    race, which has its own check.
    """

    def __init__(self, source: Source, names: Iterable[str]) -> None:
        self._source = source
        self.fatal: list[str] = []
        self.absent: dict[str, Absent] = {}
        self._parts: dict[str, list[Answer] | None] = {}  # None: read anew
        for name in names:
            recording = source.recording(name)  # Waits until it has been sent.
            if recording.get("fatal"):
                self.fatal.append(name)
            if not SCENARIOS[name].one_connection:
                self._parts[name] = None if isinstance(recording, OnDisk) else self._read(name)

    def __iter__(self) -> Iterator[Answer]:
        for name, part in self._parts.items():
            yield from self._read(name) if part is None else part

    def of(self, names: Collection[str]) -> Iterator[Answer]:
        """The answers to the scenarios that have these names, or names of one of their requests."""
        for name in dict.fromkeys(name.partition("[")[0] for name in names):
            if name in self._parts:
                part = self._parts[name]
                yield from self._read(name) if part is None else part

    def _read(self, name: str) -> list[Answer]:
        got = standing_in(self._source, self._source.recording(name).answers(SCENARIOS[name]))
        several = got if isinstance(got, list) else [got]
        self.absent |= {one.name: one for one in several if isinstance(one, Absent)}
        return [one for one in several if isinstance(one, Answer)]


def _is_good(answer: Answer, *, malformed: bool = False) -> bool:
    """Whether the response is complete, 2xx and, unless it may be `malformed`, readable, and was to be accepted.

    A stream with an error object is a rejection that comes late; its HTTP status is judged apart.
    """
    readable = not answer.tells_an_error if malformed else answer.readable
    return _whole(answer) and answer.ok and not is_bad(answer) and readable


def _whole(answer: Answer) -> bool:
    """Whether the response is complete, we did not hang up, and `stream` of the request is valid."""
    wire = answer.exchange
    came = wire.status is not None and not wire.error and not wire.request.hangs_up
    return came and answer.asks_clearly
