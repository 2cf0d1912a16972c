"""Does a server handle requests that overlap? Some cut the stream that is running when another request arrives."""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from backends import wire
from backends.wire import Exchange, Request

AT_A_TIME = 3
"""Streams that overlap: with more than two, some do even if the server is quick."""

ROUNDS = 4
"""How often this must be seen: a rate limit or a gateway's temporary failure looks alike, but does not repeat."""

MISSED = 1
"""Rounds in which it may not be seen: on a busy machine, one stream may end before the next request arrives."""

_STREAM = Request(
    body={
        "model": wire.MODEL,
        "messages": [{"role": "user", "content": "Count from 1 to 100."}],
        "max_tokens": 64,
        "stream": True,
    }
)
_ENDED = re.compile(rb'"finish_reason"\s*:\s*"')


def one_at_a_time(ask: Callable[[Request], Exchange]) -> str | None:
    """How a server shows, each time, that it handles one request at a time; None: it does not, or cannot be asked.

    A server that queues requests is not one of these. Sends a few short streams if nothing is wrong.
    """
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        shown = None
        seen = missed = 0
        while seen < ROUNDS:
            streams = list(threads.map(ask, [_STREAM] * AT_A_TIME))
            cut = next(filter(None, map(_cut, streams)), None)
            missed += cut is None
            if missed > MISSED or (cut and _cut(ask(_STREAM)) is not None):
                return None  # Alone, the same happens: it has another reason.
            seen += cut is not None
            shown = cut or shown
        return shown


def _cut(got: Exchange) -> str | None:
    """What is wrong with a stream that overlaps with another; None: nothing that shows this."""
    if got.status in (429, 503) and got.header("retry-after") is None:
        return f"a request is rejected with {got.status} while another is running"
    if got.status == 200 and got.error != "timeout" and not _ENDED.search(got.body):
        return "a stream ends without `finish_reason` when another request arrives"
    return None
