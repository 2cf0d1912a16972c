"""A temporary rejection is not the server's response to a request: wait, and send the request again."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from backends.wire import Exchange

WAITS = (0.1, 0.2, 0.4, 0.8)
"""Seconds before each further try, where the server does not say how long to wait."""

LIMITED_WAITS = (1.0, 2.0, 4.0, 8.0)
"""The same after a 429, whose limits are counted by the second or minute."""

LONGEST = 60.0
"""Seconds that one request waits at most, all tries together."""

OUTAGE = 75.0
"""If plain requests are rejected for this many seconds, the server counts as gone: a gateway's circuit breaker opens
for 30 or 60 s after some failures, whoever caused them.
"""

GONE = 15.0
"""The same where nothing answers at all."""

SLOW = 2.0
"""Seconds after which a failure that came again is not sent once more: a wait of all `WAITS` has passed meanwhile."""

OWN = 3
"""Requests whose failure with a status came again each time after which a failure with it is taken for the server's own
answer at its second coming, as long as none has passed."""

CAME_AGAIN = "came again each time, while a plain request was answered"

TOO_MANY = 429
_OWN_ANSWERS = (501, 505, 506, 508, 510, 511)
"""Statuses from 500 that depend on the request, and would come again."""


def passing(got: Exchange) -> str | None:
    """What may be different the next time: a rate limit, a failure of the server or of a gateway, no response at all.

    Timeouts do not count, because they have already taken long. Nor is a response that is too large or cannot be
    decoded. Returns it in short (`429`, `closed`), or None for a response.
    """
    if got.error and got.request.hang_up_after is None:
        return got.error if got.error in ("unreachable", "closed") else None
    if got.status in (408, 425, TOO_MANY) or ((got.status or 0) >= 500 and got.status not in _OWN_ANSWERS):
        return str(got.status)
    return "an error in a 200" if got.status == 200 and _is_an_error(got) else None


def _is_an_error(got: Exchange) -> bool:
    """Whether a 200 has only an error object, or a stream that ends with one, as some gateways send."""
    text = got.body
    if (got.header("content-type") or "").startswith("text/event-stream"):
        events = [line for line in text[-4000:].splitlines() if line.startswith(b"data:")]
        text = next((line[5:] for line in reversed(events) if line[5:].strip() != b"[DONE]"), b"")
    if len(text) > 4000 or b'"error"' not in text:
        return False
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and bool(said.get("error")) and not {"choices", "data", "object"} & said.keys()


def asked_to_wait(got: Exchange) -> float | None:
    """The seconds that `Retry-After` asks for, as a number or a date; None if it does not say."""
    value = (got.header("retry-after") or "").strip()
    if value.replace(".", "", 1).isdecimal() and value.isascii():
        return float(value[:9])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def ask_again(ask: Callable[[], Exchange]) -> Exchange:
    """Send a request, again while rejections are temporary: for requests whose response no check judges.

    After a 500 once more: it is mostly the server's own answer, and many of them open a gateway's circuit breaker.
    """
    got = ask()
    for number in range(len(WAITS)):
        if passing(got) is None or (got.status == 500 and number) or _wait(got, number) > LONGEST:
            break
        time.sleep(_wait(got, number))
        got = ask()
    return got


@dataclass(frozen=True)
class Sent:
    """The exchanges of what was sent, why it was sent `again` each time, and what to make of them.

    `refused` says why there is no response to judge although the server answers other requests; `gone` why it answers
    none: then the exchanges are those of the first try.
    """

    exchanges: list[Exchange]
    again: list[str] = field(default_factory=list)
    refused: str = ""
    gone: str = ""


class Patience:
    """Sends until there is a response; the threads that ask one server share it, and so wait together.

    `plain` sends a plain request: where that is answered, a failure is the server's own answer to the other request.
    `stopped` is asked during waits, and ends them.
    """

    def __init__(self, plain: Callable[[], Exchange], stopped: Callable[[], bool] = lambda: False) -> None:
        self._plain = plain
        self._stopped = stopped
        self._not_before = 0.0
        self._own: Counter[str] = Counter()
        self._last_byte = 0.0
        self._lock = threading.Lock()

    def send(self, ask: Callable[[], Sequence[Exchange]]) -> Sent:
        """Send with `ask`, again while what comes is passing; what comes again while others are answered is judged."""
        begun = time.time()
        first = got = self._ask(ask)
        failed = time.monotonic()
        again: list[str] = []
        waited = 0.0
        while refused := _first_passing(got):
            own = self._own[passing(refused) or ""] >= OWN
            if len(again) >= (1 if own else len(WAITS)) or self._stopped():
                break
            wait = _wait(refused, len(again))
            in_short = refused.status != TOO_MANY and asked_to_wait(refused) is None
            if waited + wait > LONGEST or (again and in_short and time.monotonic() - failed > SLOW):
                break
            again.append(f"{passing(refused)}; sent again after {wait:g} s")
            waited += wait
            if refused.status == TOO_MANY or asked_to_wait(refused) is not None:
                self._pause(wait)  # Whatever is sent meanwhile would be refused, too.
            else:
                time.sleep(wait)
            got = self._ask(ask)
        late = any(one.error == "timeout" for one in got)
        if refused is None and not late:
            self._passed(again)
            return Sent(got, again)
        if refused is not None and self._own[passing(refused) or ""] >= OWN:
            return Sent(got, [f"{passing(refused)}; {CAME_AGAIN}"])
        if down := self._down(begun):
            return Sent(first, again, gone=down)
        if refused is None:
            return Sent(got, again)
        got = self._ask(ask)
        refused = _first_passing(got)
        if refused is None:
            self._passed(again)
            return Sent(got, [*again, "sent again after a plain request was answered"])
        if refused.status == TOO_MANY:
            return Sent(got, again, refused=_said(refused))
        with self._lock:
            if refused.status is not None and refused.error is None:
                self._own[passing(refused) or ""] += 1
        return Sent(got, [f"{passing(refused)}; {CAME_AGAIN}"])

    def _passed(self, again: list[str]) -> None:
        """A rejection of this kind was temporary before, so the next one may also be temporary."""
        with self._lock:
            for why in again:
                self._own[why.partition(";")[0]] = -OWN

    def _down(self, since: float) -> str | None:
        """Why the server is taken for gone: what plain requests get all the time. None: one is answered.

        A server that sent a part of a response to anybody `since` then is slow, and not gone.
        """
        begun, wait = time.monotonic(), WAITS[0]
        while True:
            seen = self._plain()
            if seen.error is None and passing(seen) is None:
                return None
            if seen.status == TOO_MANY:
                wait = max(wait, asked_to_wait(seen) or 0.0)
            if seen.error == "timeout" and self._last_byte > since:
                return None
            left = begun + (GONE if seen.error else OUTAGE) - time.monotonic()
            if seen.error == "timeout" or wait > left or self._stopped():
                return _said(seen)
            time.sleep(wait)
            wait = min(2 * wait, 5.0)

    def _ask(self, ask: Callable[[], Sequence[Exchange]]) -> list[Exchange]:
        while (left := self._not_before - time.monotonic()) > 0 and not self._stopped():
            time.sleep(min(left, 0.2))
        got = list(ask())
        generated = [one for one in got if one.request.method == "POST" and one.status == 200 and one.reads]
        last = max((one.started_at + one.reads[-1][0] for one in generated), default=0.0)
        with self._lock:
            self._last_byte = max(self._last_byte, last)
        return got

    def _pause(self, seconds: float) -> None:
        """Wait this many seconds without sending anything."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)


def _first_passing(got: Sequence[Exchange]) -> Exchange | None:
    return next((one for one in got if passing(one)), None)


def _wait(refused: Exchange, number: int) -> float:
    asked = asked_to_wait(refused)
    return asked if asked is not None else (LIMITED_WAITS if refused.status == TOO_MANY else WAITS)[number]


def _said(got: Exchange) -> str:
    """What a plain request got, for a sentence."""
    if got.error == "timeout":
        return f"no answer in time ({got.error_detail})"
    if got.status is None or got.error:
        return f"no answer ({got.error}: {got.error_detail})"
    return f"{got.status} {got.body[:120].decode(errors='replace')}".strip()
