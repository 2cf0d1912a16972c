"""An exchange with words to read it, for any endpoint, and stand-ins for exchanges that do not exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backends.wire import Exchange
from conformance.answers import sse
from conformance.answers.values import expect, parsed
from conformance.outcomes import Blocked, Fail, NotRun, Outcome, TimedOut, Verdict

_CONTEXT = re.compile(
    r"context.?(length|limit|size|window)|exceed_context|(input|prompt)\b( \([^()]*\))? is too (long|large)", re.I
)
"""How servers say that a request does not fit into the model's context."""

LONG_BODY, LONG_LIMIT = 1000, 500
"""A request with at least this many bytes, or with such a token limit, may not fit into a model's context."""


class Refused(Verdict):
    """A check read a rejection: the outcome is `rejected` if the rejection is clean, else `fail`.

    If the request is long, and the server says that it does not fit into the model's context, it is `inconclusive`.
    """

    def __init__(self, answer: Answer) -> None:
        clean = answer.cleanly_refused
        self.outcome = Outcome.FAIL
        if clean:
            self.outcome = Outcome.INCONCLUSIVE if answer.does_not_fit else Outcome.REJECTED
        self.answer = answer
        said = answer.error_message if clean else f"{answer.exchange.body[:160].decode(errors='replace')!r}"
        bare = "was rejected without an error object" if 400 <= answer.status < 500 else "failed"
        how = "was rejected" if clean else bare
        super().__init__(
            f"{answer.name} {how}: {answer.status} {said}",
            expected="2xx, or a clean rejection: 4xx or 501 with an error object",
            actual=f"{answer.status} {answer.exchange.body[:300].decode(errors='replace')}",
        )


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """One exchange of a scenario. `name` is the scenario's, with a number if it has several requests."""

    name: str
    exchange: Exchange
    control: bool = False

    def __repr__(self) -> str:
        return self.name

    # What was sent

    @property
    def sent(self) -> dict[str, Any]:
        """The request's JSON object; empty if it had none."""
        return sent(self.wire)

    @property
    def asks_for_stream(self) -> bool:
        """Whether the request asks for a stream."""
        body = self.exchange.request.body
        return isinstance(body, dict) and body.get("stream") is True

    @property
    def asks_for_none(self) -> bool:
        """Whether the request is a JSON object in which `stream` is absent, null or false."""
        body = self.exchange.request.body
        return isinstance(body, dict) and body.get("stream") in (None, False)

    @cached_property
    def unasked(self) -> bool:
        """Whether the response is a stream although the request does not ask for one."""
        kind = (self.exchange.header("content-type") or "").partition(";")[0].strip().lower()
        return self.asks_for_none and self.ok and kind == "text/event-stream"

    @property
    def streamed(self) -> bool:
        """Whether this is a stream, requested or not; both are read with the same words."""
        return self.asks_for_stream or self.unasked

    @cached_property
    def asked(self) -> str:
        """The request without `stream` and `stream_options`, as a string: the same for a plain and a streamed one."""
        request = self.exchange.request
        body = request.body
        if isinstance(body, dict):
            body = {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
        return f"{request.method} {request.path} {request.headers} {body!r}"

    @property
    def asks_clearly(self) -> bool:
        """Whether `stream` is a boolean or absent: after `"stream": "yes"` either form of response may come."""
        body = self.exchange.request.body
        return not isinstance(body, dict) or body.get("stream") in (None, True, False)

    # The bare wire

    @property
    def wire(self) -> Exchange:
        """The exchange; ends the check if no response came."""
        error = self.exchange.error
        if error == "unreachable":
            raise Blocked(f"{self.name}: the server no longer accepts connections ({self.exchange.error_detail})")
        if error == "timeout":
            detail = self.exchange.error_detail
            raise TimedOut(f"{self.name}: expected a complete response in time, got none ({detail})", self)
        if error == "too large":
            raise Fail(
                f"{self.name}: expected a response that fits in memory, got more: {self.exchange.error_detail}",
                expected="a response that fits in a client's memory",
                actual=self.exchange.error_detail,
            )
        if error == "undecodable":
            raise Fail(
                f"{self.name}: expected a body in the encoding that `Content-Encoding` names, got another: "
                f"{self.exchange.error_detail}",
                expected="a body in the encoding that `Content-Encoding` names",
                actual=self.exchange.error_detail,
            )
        if self.exchange.status is None:
            raise Fail(
                f"{self.name}: expected an HTTP response, got a closed connection",
                expected="an HTTP response",
                actual=self.exchange.error_detail,
            )
        return self.exchange

    @property
    def whole(self) -> Exchange:
        """The exchange; ends the check if the body did not arrive completely."""
        wire = self.wire
        if wire.error and not wire.request.hangs_up:
            raise Fail(
                f"{self.name}: expected the whole body, got a connection that closed after {len(wire.body)} bytes",
                expected="the whole body",
                actual=f"{wire.error_detail} after {len(wire.body)} bytes",
            )
        return wire

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.wire.status or 0

    @property
    def ok(self) -> bool:
        """Whether the HTTP status is 2xx; never ends the check."""
        return self.exchange.status is not None and 200 <= self.exchange.status < 300

    @property
    def content_type(self) -> str:
        """The media type of `Content-Type`, in lower case, without parameters."""
        return (self.wire.header("content-type") or "").partition(";")[0].strip().lower()

    # The body

    @cached_property
    def json(self) -> Any:
        """The body as JSON, with any status."""
        return parsed(self.whole.body, f"{self.name}: body", wanted="JSON")

    @cached_property
    def body(self) -> dict[str, Any]:
        """The JSON object of a 2xx response."""
        self.assert_accepted()
        if self.unasked:
            raise Blocked(f"{self.name}: expected a JSON object, got an event stream, which has its own check")
        return expect(self.json, dict, f"{self.name}: body")

    def assert_accepted(self) -> None:
        """End the check unless the HTTP status is 2xx."""
        if not 200 <= self.status < 300:
            raise Refused(self)

    @cached_property
    def readable(self) -> bool:
        """Whether this is a 2xx response in which all words of its class find what they read; never ends the check."""
        try:
            self._read()
        except Verdict:
            return False
        return True

    def _read(self) -> None:
        """Read everything; ends the check if something is malformed."""
        self.assert_accepted()

    # Rejections

    @property
    def cleanly_refused(self) -> bool:
        """Whether this is a 4xx or 501 whose JSON body has an `error` object with a message."""
        return (400 <= self.status < 500 or self.status == 501) and bool(self.error_message)

    @property
    def does_not_fit(self) -> bool:
        """Whether this rejects a long request because it does not fit into the model's context; never ends the check.

        The prompt of a request with `previous_response_id` also contains the stored response.
        """
        request = self.exchange.request
        sent = request.body if isinstance(request.body, dict) else {}
        limits = [limit for name, limit in sent.items() if name.startswith("max_") and isinstance(limit, int)]
        long = max(limits, default=0) >= LONG_LIMIT or len(request.content() or b"") >= LONG_BODY
        goes_on = any(sent.get(name) for name in ("previous_response_id", "conversation"))
        try:
            return (long or goes_on) and bool(_CONTEXT.search(json.dumps(self.error)))
        except Verdict:
            return False

    @cached_property
    def error(self) -> dict[str, Any]:
        """The `error` object of a rejection."""
        if self.ok:
            raise Fail(
                f"{self.name} was accepted: expected 4xx with an error object, got {self.status}",
                expected="4xx with an error object",
                actual=f"{self.status}",
            )
        envelope = expect(self.json, dict, f"{self.name}: body of the rejection")
        return expect(envelope.get("error"), dict, f"{self.name}: `error`")

    @property
    def error_message(self) -> str:
        """The `message` of the error object, or an empty string; never ends the check."""
        try:
            message = self.error.get("message")
        except Verdict:
            return ""
        return message if isinstance(message, str) else ""

    # The stream

    @cached_property
    def events(self) -> sse.Parsed:
        """The events of a streamed response."""
        self.assert_accepted()
        if self.content_type != "text/event-stream":
            raise Fail(
                f"{self.name}: expected text/event-stream, got {self.content_type or 'nothing'} (`Content-Type`)",
                expected="Content-Type: text/event-stream",
                actual=f"Content-Type: {self.wire.header('content-type')}",
            )
        return sse.parse(self.whole.body)

    @cached_property
    def data(self) -> list[str]:
        """The data of each event, in order, `[DONE]` included."""
        pending = [self.events.pending] if self.events.pending else []
        return [event.data for event in (*self.events.events, *pending)]

    @cached_property
    def arrivals(self) -> list[float]:
        """When each event of a stream was complete, in seconds since the request was sent."""
        times = sse.timed(self.events.events, self.wire.reads)
        last = self.wire.reads[-1][0] if self.wire.reads else 0.0
        return [last if seconds is None else seconds for seconds in times]

    @property
    def arrived(self) -> float:
        """When the last byte of the body had arrived, in seconds since the request was sent."""
        return self.wire.reads[-1][0] if self.wire.reads else self.wire.headers_at or 0.0

    @property
    def tells_an_error(self) -> bool:
        """Whether a stream has an error object among its chunks; never ends the check."""
        try:
            return self.streamed and any(_is_an_error(json.loads(data)) for data in self.data if '"error"' in data)
        except (Verdict, ValueError, RecursionError):
            return False

    @cached_property
    def chunks(self) -> list[dict[str, Any]]:
        """The JSON objects of a stream, in order, without `[DONE]`; an error object among them ends the check."""
        objects = []
        for number, data in enumerate(d for d in self.data if d.strip() != "[DONE]"):
            what = f"{self.name}: event {number}"
            chunk = expect(parsed(data, what), dict, what)
            if _is_an_error(chunk):
                raise Fail(f"{self.name}: expected chunks, got an error object in event {number}", actual=data[:300])
            objects.append(chunk)
        return objects


@dataclass(frozen=True, eq=False)
class Missing:
    """Stands for the responses of a scenario that was not sent: a check that reads anything of it ends.

    The check ends with `verdict` if there is one, else with `why`.
    """

    name: str
    why: str
    blocked: bool
    control: bool = False
    verdict: Verdict | None = None

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        raise self._verdict()

    def __getitem__(self, _: Any) -> Any:
        raise self._verdict()

    def __iter__(self) -> Iterator[Any]:
        raise self._verdict()

    def __len__(self) -> int:
        raise self._verdict()

    def _verdict(self) -> Verdict:
        return self.verdict or (Blocked if self.blocked else NotRun)(self.why)


@dataclass(frozen=True, eq=False, kw_only=True)
class Absent(Missing):
    """Stands for a response of an endpoint that the server does not have; only the request can be read."""

    exchange: Exchange

    @property
    def sent(self) -> dict[str, Any]:
        """The request's JSON object; empty if it had none."""
        return sent(self.exchange)


def sent(exchange: Exchange) -> dict[str, Any]:
    """The JSON object of a request; empty if it had none."""
    body = exchange.request.body
    return dict(body) if isinstance(body, dict) else {}


def _is_an_error(chunk: Any) -> bool:
    """Whether the data of an event is an error object instead of a chunk."""
    return isinstance(chunk, dict) and "error" in chunk and "choices" not in chunk and "type" not in chunk
