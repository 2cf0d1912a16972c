"""Faults of cancelling: what goes on although its client has left."""

from __future__ import annotations

import time
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.kit import add, when_left

CHAT, RESPONSES = "chat", "responses"
LONG, MANY = 3000, 192
"""`max_tokens` of the scenarios whose clients leave: of the long responses, and of the forty streams."""

GOES_ON = 3.5
"""Seconds for which the only slot is taken after the last client has left."""

LEFT = 8
"""Clients after which it is the last: requests in between would only wait for each other."""


def _is_long(call: Call) -> bool:
    return LONG in (call.body.get("max_tokens"), call.body.get("max_output_tokens"))


def _is_long_response(call: Call) -> bool:
    return call.area == RESPONSES and _is_long(call)


def _left(call: Call) -> None:
    """Count a client that has left; with the last one the slot is taken."""
    call.state.kept["left"] = call.state.kept.get("left", 0) + 1
    if call.state.kept["left"] % LEFT == 0:
        call.state.kept["busy"] = time.monotonic() + GOES_ON


def _wait(seconds: float, call: Call) -> float:
    """A short request waits for the slot."""
    if call.pulled >= 0 or _is_long(call):
        return seconds
    return max(seconds, call.state.kept.pop("busy", 0) - time.monotonic())


def _begun(_body: Any, call: Call) -> None:
    if _is_long(call):
        _left(call)


def _plain(seconds: float, call: Call) -> float:
    return 0.5 if _is_long(call) else _wait(seconds, call)


add(
    Fault(
        name="streams-go-on-without-client",
        sentence="A stream is generated to its end although its client has left, and takes the only slot.",
        area="cancel",
        hooks={"wire": when_left(_is_long, _left), "timing": _wait},
        on=frozenset([CHAT]),
        when=lambda call: call.stream or "Spain" in str(call.body.get("messages")),
    )
)
add(
    Fault(
        name="plain-responses-go-on-without-client",
        sentence="A plain response is generated to its end although its client has left, and takes the only slot.",
        area="cancel",
        hooks={"request": _begun, "timing": _plain},
        on=frozenset([CHAT]),
        stream=False,
        when=lambda call: _is_long(call) or "Portugal" in str(call.body.get("messages")),
    )
)
add(
    Fault(
        name="streamed-responses-go-on-without-client",
        sentence="In the Responses API, a stream goes on without its client, and takes the only slot.",
        area="cancel",
        hooks={"request": _begun, "timing": _wait},
        on=frozenset([CHAT, RESPONSES]),
        when=lambda call: _is_long_response(call) or "Italy" in str(call.body.get("messages")),
    )
)


def _is_one_of_many(call: Call) -> bool:
    return bool(call.body.get("max_tokens") == MANY)


def _leak(call: Call) -> None:
    call.state.kept["leaked"] = call.state.kept.get("leaked", 0) + 1


def _wedged(_body: Any, call: Call) -> None:
    if call.state.kept.get("leaked", 0) > 30 and "+" in str(call.body.get("messages")):
        raise ApiError("No slot is free.", status=503)


add(
    Fault(
        name="wedged-after-thirty-left-streams",
        sentence="Of each stream whose client left something stays, and after thirty of them requests get 503.",
        area="cancel",
        hooks={"wire": when_left(_is_one_of_many, _leak), "request": _wedged},
        on=frozenset([CHAT]),
    )
)
