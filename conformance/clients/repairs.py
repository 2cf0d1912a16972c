"""Deviations that the relay can mend on the way, to prove that one of them is why a client fails.

Each repair names the check that finds the deviation, and says what it adds.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backends.relay import Mend, mended
from backends.wire import Exchange, Request
from conformance.clients.running import Change

Event = dict[str, Any]
MendEvent = Callable[[Event], Event]


@dataclass(frozen=True, kw_only=True)
class Repair:
    """A deviation and its repair. `sentence` completes "works once …"; `check` is the id of the check that finds it.

    `events` makes, for each response, what changes its events, or its body; `request` changes a request's body.
    """

    name: str
    sentence: str
    check: str
    events: Callable[[Request], MendEvent] | None = None
    request: Callable[[dict[str, Any]], dict[str, Any]] | None = None


def _places(_: Request) -> MendEvent:
    """Each item gets the number of those that were added before it."""
    added: list[Any] = []

    def mend(event: Event) -> Event:
        kind = str(event.get("type", ""))
        item = event.get("item_id") or (event.get("item") or {}).get("id")
        if kind == "response.output_item.added":
            added.append(item)
        if not kind.startswith(("response.output_", "response.content_", "response.function_", "response.reasoning_")):
            return event
        more = (
            {} if "output_index" in event else {"output_index": added.index(item) if item in added else len(added) - 1}
        )
        has_parts = kind.startswith(("response.output_text", "response.content_part", "response.reasoning_text"))
        return {**event, **more, **({"content_index": 0} if has_parts and "content_index" not in event else {})}

    return mend


def _numbers(_: Request) -> MendEvent:
    seen: list[None] = []

    def mend(event: Event) -> Event:
        if not str(event.get("type", "")).startswith("response."):
            return event
        seen.append(None)
        return {"sequence_number": len(seen) - 1, **event}

    return mend


def _beginnings(request: Request) -> MendEvent:
    body = request.body if isinstance(request.body, dict) else {}

    def mend(event: Event) -> Event:
        if event.get("type") not in ("response.created", "response.in_progress"):
            return event
        usual = {
            "created_at": 0,
            "model": body.get("model", ""),
            "output": [],
            "tools": [],
            "parallel_tool_calls": True,
        }
        return {**event, "response": {**usual, **(event.get("response") or {})}}

    return mend


def _call_indexes(_: Request) -> MendEvent:
    def mend(chunk: Event) -> Event:
        for choice in chunk.get("choices") or ():
            for at, call in enumerate((choice.get("delta") or {}).get("tool_calls") or ()):
                call.setdefault("index", at)
        return chunk

    return mend


def _typed_messages(body: dict[str, Any]) -> dict[str, Any]:
    """Messages of `input` that say `role` and no `type` get one."""
    items = body.get("input")
    if not isinstance(items, list):
        return body
    typed = [{"type": "message", **i} if isinstance(i, dict) and "role" in i else i for i in items]
    return {**body, "input": typed}


REPAIRS = (
    Repair(
        name="output-index",
        sentence="events have `output_index`",
        check="responses_stream.events_say_which_item",
        events=_places,
    ),
    Repair(
        name="sequence-number",
        sentence="events have `sequence_number`",
        check="responses_stream.events_are_numbered",
        events=_numbers,
    ),
    Repair(
        name="created-response",
        sentence="the response in `response.created` has `created_at` and `model`",
        check="responses_stream.shape",
        events=_beginnings,
    ),
    Repair(
        name="call-index",
        sentence="deltas of tool calls have `index`",
        check="tools.streamed_calls_are_the_same",
        events=_call_indexes,
    ),
    Repair(
        name="message-type",
        sentence="earlier messages have `type: message`",
        check="histories.messages_need_no_id",
        request=_typed_messages,
    ),
)


def change(repairs: Sequence[Repair], after: Change | None = None) -> Change:
    """What the relay changes to make these repairs, of requests that `after` may have changed already."""

    def request(body: dict[str, Any]) -> dict[str, Any]:
        body = after.request(body) if after and after.request else body
        for one in repairs:
            body = one.request(body) if one.request else body
        return body

    def mending(of: Request) -> Mend:
        functions = [one.events(of) for one in repairs if one.events]
        return lambda part: _on_json(part, functions)

    return Change(says=" and ".join(one.sentence for one in repairs), request=request, mending=mending)


def fitting(exchanges: Sequence[Exchange]) -> list[Repair]:
    """The repairs that would change anything of these exchanges."""
    return [one for one in REPAIRS if any(_changes(one, exchange) for exchange in exchanges)]


def as_received(exchange: Exchange, made: Change | None) -> Exchange:
    """The exchange with the response that the client got."""
    if made is None or made.mending is None:
        return exchange
    streamed = (exchange.header("content-type") or "").lower().startswith("text/event-stream")
    return replace(exchange, body=mended(exchange.body, made.mending(exchange.request), whole=not streamed))


def _changes(repair: Repair, exchange: Exchange) -> bool:
    body = exchange.request.body
    if repair.request and isinstance(body, dict) and repair.request(body) != body:
        return True
    return as_received(exchange, change([repair])).body != exchange.body


def _on_json(part: bytes, functions: Sequence[MendEvent]) -> bytes:
    """A body, or a line of a stream, with its JSON object changed; what has none, or is not changed, stays as it is."""
    head, data = (b"data: ", part[5:]) if part.startswith(b"data:") else (b"", part)
    try:
        event = json.loads(data)
    except ValueError:
        return part
    if not isinstance(event, dict):
        return part
    for function in functions:
        event = function(event)
    end = part[len(part.rstrip(b"\r\n")) :]
    return part if event == json.loads(data) else head + json.dumps(event).encode() + end
