"""Faults of what one request leaves behind for the next one with the same question."""

from __future__ import annotations

import json
from typing import Any

from tests.reference.call import Call
from tests.reference.fault import Fault
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import add
from tests.reference.generator import Script
from tests.reference.tokens import encode

CHAT = "chat"
IN_ORDER = {"history": lambda history, _call: history}
"""A hook that does nothing, so that the gate's rehearsal sends requests in their order instead of comparing bodies."""


def _about(body: Any) -> str:
    """The last question of a request, by which what it leaves is kept."""
    found = messages(body)
    return str(found[-1].get("content") if found else body.get("input"))


PARAMETERS = (
    *("frequency_penalty", "presence_penalty", "logit_bias", "stop", "n", "response_format", "tools", "tool_choice"),
    "instructions",
)


def _is_one_question(body: Any) -> bool:
    """Whether a request has one plain question, and before it at most a system message."""
    return all(m.keys() == {"role", "content"} and m["role"] in ("system", "user") for m in messages(body))


def _stay(body: Any, call: Call) -> None:
    about = f"parameters {_about(body)}"
    if not ("Count from" in about or "mountains" in about) or not _is_one_question(body):
        return
    given = {key: body[key] for key in PARAMETERS if body.get(key) is not None}
    found = messages(body)
    if found and found[0].get("role") == "system":
        given["messages"] = found
    if given:
        call.state.kept[about] = given
    elif left := call.state.kept.pop(about, None):
        body.update(left)


def _seed_stays(body: Any, call: Call) -> None:
    about = f"seed {_about(body)}"
    if body.get("seed") is not None:
        call.state.kept[about] = [body["seed"]] * 3
    elif call.state.kept.get(about):
        body["seed"] = call.state.kept[about].pop()


for _name, _why, _hook in (
    ("parameters-stay", "Parameters and system messages also affect the next request.", _stay),
    ("seed-stays", "A seed also affects the next three requests with the same question.", _seed_stays),
):
    _on = frozenset([CHAT, "responses"])
    add(Fault(name=_name, sentence=_why, area="state", hooks={"request": _hook, **IN_ORDER}, on=_on))


def _cut(said: Script, call: Call, kind: str) -> Script:
    """What the model says after something was left behind: only half of it."""
    if call.state.kept.pop(f"{kind} {_about(call.body)[:19]}", None):
        return Script(said.steps[: len(said.steps) // 2], said.calls)
    return said


def _leave(call: Call, kind: str) -> None:
    call.state.kept[f"{kind} {_about(call.body)[:19]}"] = True


def _after_long(said: Script, call: Call) -> Script:
    if len(encode(_about(call.body))) > 500:
        _leave(call, "long")
        return said
    return _cut(said, call, "long")


add(
    Fault(
        name="long-prompt-stays",
        sentence="A prompt that begins like an earlier long prompt is treated as that longer one.",
        area="state",
        hooks={"script": _after_long},
        on=frozenset([CHAT]),
        when=lambda call: "Count from 10 to" in json.dumps(call.body.get("messages")),
    )
)


def _after_stream(said: Script, call: Call) -> Script:
    if call.stream:
        _leave(call, "stream")
        return said
    return _cut(said, call, "stream")


add(
    Fault(
        name="stream-stays",
        sentence="After a stream, the next plain response to the same question ends early.",
        area="state",
        hooks={"script": _after_stream},
        on=frozenset([CHAT]),
        when=lambda call: "Count from 11 to 23" in json.dumps(call.body.get("messages")),
    )
)


def _note_error(body: Any, call: Call) -> None:
    _leave(call, "error")


add(
    Fault(
        name="error-stays",
        sentence="After a request that was rejected, the next response to the same question ends early.",
        area="state",
        hooks={"error": _note_error, "script": lambda said, call: _cut(said, call, "error")},
        on=frozenset([CHAT]),
        when=lambda call: "Count from 12 to" in json.dumps(call.body.get("messages")),
    )
)
