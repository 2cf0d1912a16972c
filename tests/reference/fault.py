"""Faults: named single deviations of the reference server, as functions hung on a few hooks of a request's way.

A request passes the hooks in this order (each gets what passes there, and the Call):

    authorised (bool, call) -> bool   whether the API key is right, if there is one
    sent      (bytes, call)           the bytes of a request's body, before they are parsed
    request   (body, call)            the parsed body, before it is validated
    sampling  (sampling, call)        the generator's parameters
    history   (messages, call)        the conversation, before the model reads it
    script    (script, call)          what the model wants to say
    reader    (reader, call)          what reads a model's raw text, in a dialect
    read      (iterator, call)        what it found: content, reasoning and calls
    payload   (dict, call)            a plain answer, or each event of a stream, as a JSON object to change in place
    answer    (dict, call) -> any     a whole plain answer
    events    (iterator, call)        the objects of a stream, and `[DONE]`
    error     (dict, call) -> any     the body of an error
    status    (int, call) -> int
    headers   (dict, call)            to change in place
    wire      (iterator, call)        the bytes of the body, plain or streamed
    timing    (seconds, call)         how long to wait before the headers (call.pulled is -1), or before an event
    raw       (iterator, call)        the bytes on the connection: the head first, then each framed piece of the body
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Hook = Callable[[Any, Any], Any]
HOOKS = (
    *(
        "authorised",
        "sent",
        "request",
        "history",
        "sampling",
        "script",
        "reader",
        "read",
        "payload",
        "answer",
        "events",
    ),
    *("events", "error", "status", "headers", "wire", "timing", "raw"),
)


def area_of(path: str) -> str:
    """The endpoint that a path belongs to: chat, completions, embeddings, models, responses, or other."""
    name = path.removeprefix("/v1").removeprefix("/").split("/")[0]
    return name if name in ("chat", "completions", "embeddings", "models", "responses") else "other"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One deviation, on requests to the endpoints `on` (none: all) that stream or not (None: both), have `parameter`,
    and for which `when` holds. A `legal` one is allowed by the API and flips no check; `kills.toml` declares which
    checks the others must flip. A `model` one is what some model writes, and no check may fail because of it. A
    `concurrent` one acts only on requests that are under way at the same time.
    """

    name: str
    sentence: str
    area: str
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    on: frozenset[str] = frozenset()
    stream: bool | None = None
    when: Callable[[Any], bool] | None = None
    parameter: str | None = None
    legal: bool = False
    model: bool = False
    concurrent: bool = False

    def may_touch(self, path: str, body: Any) -> bool:
        """Whether the fault can affect a request like this; `when` is called with the Call itself."""
        body = body if isinstance(body, dict) else {}
        if set(self.hooks) == {"events"} and body.get("stream") is not True:
            return False
        return self._is_for(path, body.get("stream") is True) and (self.parameter is None or self.parameter in body)

    def touches(self, call: Any) -> bool:
        return self._is_for(call.path, call.stream) and (self.when is None or self.when(call))

    def _is_for(self, path: str, stream: bool) -> bool:
        return (not self.on or area_of(path) in self.on) and self.stream in (None, stream)


class Active:
    """The faults of one request, applied hook by hook."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)

    def __bool__(self) -> bool:
        return bool(self.faults)

    def has(self, hook: str, call: Any) -> bool:
        return any(hook in fault.hooks and fault.touches(call) for fault in self.faults)

    def apply(self, hook: str, value: Any, call: Any) -> Any:
        """The value after every fault's hook; a hook that returns None changed it in place, or nothing."""
        for fault in self.faults:
            function = fault.hooks.get(hook)
            if function and fault.touches(call):
                changed = function(value, call)
                value = value if changed is None else changed
        return value

    def each_payload(self, events: Iterator[Any], call: Any) -> Iterator[Any]:
        """Events with the payload hooks applied to those that are objects."""
        for event in events:
            yield self.apply("payload", event, call) if isinstance(event, dict) else event
