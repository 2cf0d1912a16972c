"""Server-sent events: from objects to bytes, with errors after the first byte in-band."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call, Reply

_log = logging.getLogger(__name__)


def dumps(value: Any) -> bytes:
    """JSON as OpenAI sends it: compact, UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def encode(event: Any, *, named: bool = False) -> bytes:
    """One event: an object, or text such as `[DONE]`; `named` ones have an event line with their type."""
    if isinstance(event, bytes):
        return event  # a fault made it
    data = event.encode() if isinstance(event, str) else dumps(event)
    head = b"event: " + str(event.get("type")).encode() + b"\n" if named and isinstance(event, dict) else b""
    return head + b"data: " + data + b"\n\n"


def body(call: Call, reply: Reply) -> Iterator[bytes]:
    """The bytes of a reply, through the faults' hooks."""
    return iter(call.faults.apply("wire", _raw(call, reply), call))


def _raw(call: Call, reply: Reply) -> Iterator[bytes]:
    if reply.events is None:
        yield reply.body if isinstance(reply.body, bytes) else dumps(reply.body)
        return
    events = call.faults.each_payload(reply.events, call)
    events = iter(call.faults.apply("events", events, call))
    try:
        for event in events:
            call.pulled += 1
            call.state.events += 1
            yield encode(event, named=reply.named)
    except Exception:
        _log.exception("a stream failed")
        error = {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}
        yield encode({"error": error})
