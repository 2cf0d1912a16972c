"""A server that handles one request at a time is noticed; one that is only slow, limited or faulty is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from backends import overlap, wire
from backends.wire import Exchange, Request
from tests.fake import Reply, error, serving
from tests.made import chunk, stream

SSE = {"Content-Type": "text/event-stream"}
WHOLE: Reply = (200, SSE, stream(chunk({"content": "1"}), chunk({}, "stop")))
CUT: Reply = (200, SSE, stream(chunk({"content": "1"})))
BUSY = error(503, "busy")
LIMITED: Reply = (429, {"Retry-After": "1"}, b"{}")


def shown(answer: Callable[[int, int], Reply]) -> str | None:
    """What is noticed of a server whose answer depends on how many requests are under way, and on how many came."""
    lock, counts = threading.Lock(), {"now": 0, "all": 0}
    most = 0

    def reply(*_: object) -> Reply:
        nonlocal most
        with lock:
            counts["now"] += 1
            counts["all"] += 1
            number = counts["all"]
        until = time.monotonic() + 0.3
        while counts["now"] < 2 and time.monotonic() < until:
            time.sleep(0.005)
        with lock:
            most = counts["now"]
            got = answer(most, number)
        time.sleep(0.05)
        with lock:
            counts["now"] -= 1
        return got

    with serving(reply) as origin, wire.client(5) as http:

        def ask(request: Request) -> Exchange:
            return wire.send(request, origin + "/v1", model="m", http=http)

        return overlap.one_at_a_time(ask)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        pytest.param(lambda now, number: WHOLE, None, id="sound"),
        pytest.param(lambda now, number: CUT, None, id="never a finish_reason"),
        pytest.param(lambda now, number: BUSY, None, id="always busy"),
        pytest.param(lambda now, number: LIMITED if now > 1 else WHOLE, None, id="rate limit"),
        pytest.param(lambda now, number: error(502, "passing") if now > 1 else WHOLE, None, id="passing"),
        pytest.param(lambda now, number: CUT if number == 1 else WHOLE, None, id="cut once"),
        pytest.param(
            lambda now, number: CUT if now > 1 else WHOLE,
            "a stream ends without `finish_reason` when another request arrives",
            id="cuts",
        ),
        pytest.param(
            lambda now, number: CUT if now > 1 and number > overlap.AT_A_TIME else WHOLE,
            "a stream ends without `finish_reason` when another request arrives",
            id="cuts, but not in the first round",
        ),
        pytest.param(
            lambda now, number: BUSY if now > 1 else WHOLE,
            "a request is rejected with 503 while another is running",
            id="rejects",
        ),
    ],
)
def test_what_is_noticed(answer: Callable[[int, int], Reply], sentence: str | None) -> None:
    assert shown(answer) == sentence
