"""A server whose words control a terminal, or a log that reads commands."""

from __future__ import annotations

from tests.hostile.mode import GOOD, LISTING, mode
from tests.hostile.server import Call, correct


@mode("rejected", "fail", **GOOD)
async def commands_in_errors(call: Call) -> None:
    await call.json({"error": {"message": TRICKS, "type": "x", "param": None, "code": None}}, "400 Bad Request")


@mode("pass", "fail", "not-run", **LISTING)
async def commands_while_finding_out(call: Call) -> None:
    await call.body_of(TRICKS, "500 No", X_A="b")


@mode("pass", "fail", path="*", **GOOD)
async def commands_in_model_ids(call: Call) -> None:
    if call.path == "/v1/models":
        await call.json({"object": "list", "data": [{"id": TRICKS, "object": "model", "created": 1, "owned_by": "x"}]})
    else:
        await correct(call)


TRICKS = (
    "\n::error::tricked\r\n::set-output name=a::b\n \t::warning::tricked\n##[error]tricked"
    "\x1b[2J\x1b]0;t\x07\u202e\u2066"
)
