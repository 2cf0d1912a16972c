"""A server whose words control a terminal, or a log that reads commands."""

from __future__ import annotations

import json

from tests.hostile.mode import FEW, GOOD, LISTING, checks, mode
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


@mode("rejected", "fail", **GOOD)
async def commands_in_long_errors(call: Call) -> None:
    """Wherever a line is broken, a command begins the next."""
    error = {"message": " ".join([COMMAND] * 60), "type": COMMAND, "param": COMMAND, "code": COMMAND}
    await call.json({"error": error}, "400 Bad Request")


@mode("pass", "fail", "rejected", select=FEW + checks("tools", "logprobs", "responses"), **(GOOD | {"path": "*"}))
async def commands_in_every_string(call: Call) -> None:
    """Names, ids, types, reasons: what messages show of a response."""
    if call.path == "/v1/models":
        await correct(call)
        return
    function = {"name": TRICKS, "arguments": TRICKS, TRICKS: TRICKS}
    calls = [{"index": 0, "id": TRICKS, "type": TRICKS, "function": function}]
    message = {"role": TRICKS, "content": TRICKS, "tool_calls": calls}
    choice = {"index": TRICKS, "message": message, "delta": message, "finish_reason": TRICKS, "logprobs": TRICKS}
    body = {"id": TRICKS, "object": TRICKS, "model": TRICKS, "choices": [choice], "usage": TRICKS, "status": TRICKS}
    if call.streamed:
        await call.head(kind="text/event-stream")
        await call.raw(f"event: {TRICKS}\n\n: {TRICKS}\n\n", f"data: {json.dumps(body)}\n\ndata: {TRICKS}\n\n")
    else:
        await call.json(body, X_A="\x9b2J\x1b[2J::error::tricked")


COMMAND = "::error::tricked"

TRICKS = (
    "\n::error::tricked\r\n::set-output name=a::b\n \t::warning::tricked\n##[error]tricked\r::error::tricked"
    "\x0b::error::tricked\x0c::error::tricked\x85::error::tricked\u2028::error::tricked\u2029::error::tricked"
    "\n##vso[task.complete]\n::stop-commands::a\n::add-mask::a\x1b[2J\x1b]0;t\x07\x9b2J\x90q\x9c\u202e\u2066\u200b\0\x08\x7f"
    "</script><script>alert(1)</script>`$(touch /tmp/tricked)` |a| <!-- ]]> %0A::error::tricked"
)
"""Commands of GitHub and Azure at the beginning of what some readers take for a line, and controls of terminals."""
