"""Decorators that make a fault of a function of two or three lines: its name, its docstring and its hook are the fault.

    @payload(on="chat")
    def usage_zero(body, call):
        \"\"\"All counts of usage are zero.\"\"\"
        if body.get("usage"):
            body["usage"] = dict.fromkeys(body["usage"], 0)

Conditions go into the decorator: `on` one or more areas, `stream` True or False, `when` any predicate of the Call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.reference.fault import HOOKS, Fault, Hook

FAULTS: dict[str, Fault] = {}


def add(fault: Fault) -> None:
    """Put a fault into the table; names are unique."""
    if fault.name in FAULTS:
        raise ValueError(f"there are two faults named {fault.name}")
    unknown = set(fault.hooks) - set(HOOKS)
    if unknown:
        raise ValueError(f"{fault.name}: no such hook: {unknown}")
    FAULTS[fault.name] = fault


Predicate = Callable[[Any], bool]


def _areas(on: str | Iterable[str]) -> frozenset[str]:
    return frozenset([on] if isinstance(on, str) else on)


def hook(
    kind: str,
    on: str | Iterable[str] = (),
    *,
    stream: bool | None = None,
    when: Predicate | None = None,
    legal: bool = False,
    model: bool = False,
    concurrent: bool = False,
) -> Callable[[Hook], Hook]:
    """The decorator behind all others."""

    def decorate(function: Hook) -> Hook:
        add(
            Fault(
                name=function.__name__.strip("_").replace("_", "-"),
                sentence=(function.__doc__ or "").strip(),
                area=function.__module__.rpartition(".")[2],
                hooks={kind: function, "timing": _linger} if concurrent else {kind: function},
                on=_areas(on),
                stream=stream,
                when=when,
                legal=legal,
                model=model,
                concurrent=concurrent,
            )
        )
        return function

    return decorate


def _linger(seconds: float, call: Any) -> float:
    """Keep a request under way long enough for those that are sent with it."""
    return 0.1 if call.pulled < 0 else seconds


def _named(kind: str) -> Callable[..., Callable[[Hook], Hook]]:
    def decorator(on: str | Iterable[str] = (), **options: Any) -> Callable[[Hook], Hook]:
        return hook(kind, on, **options)

    return decorator


sent = _named("sent")
request = _named("request")
history = _named("history")
sampling = _named("sampling")
script = _named("script")
reader = _named("reader")
read = _named("read")
payload = _named("payload")
answer = _named("answer")
events = _named("events")
error = _named("error")
status = _named("status")
headers = _named("headers")
wire = _named("wire")
timing = _named("timing")
authorised = _named("authorised")
raw = _named("raw")


def when_left(meant: Predicate, then: Callable[[Any], None]) -> Callable[..., Iterator[bytes]]:
    """A hook `wire` that calls `then` when the client of a stream that is `meant` leaves before its end.

    A comment at the end of such a stream lets the rehearsal see that the fault may touch it.
    """

    def wire(chunks: Iterator[bytes], call: Any) -> Iterator[bytes]:
        try:
            yield from chunks
            if call.stream and meant(call):
                yield b": end\n\n"
        except GeneratorExit:
            if call.stream and meant(call):
                then(call)
            raise

    return wire


def later_turn(call: Any) -> bool:
    """Whether an earlier answer is part of the question."""
    found = call.body.get("messages")
    return isinstance(found, list) and any(isinstance(m, dict) and m.get("role") == "assistant" for m in found)


def with_tools(call: Any) -> bool:
    return bool(call.body.get("tools"))


def several_choices(call: Any) -> bool:
    return (call.body.get("n") or 1) > 1


def having(name: str) -> Predicate:
    """Whether a request has a parameter."""
    return lambda call: call.body.get(name) is not None


def ignored(
    *names: str,
    on: str | Iterable[str] = (),
    where: str = "",
    stream: bool | None = None,
    when: Predicate | None = None,
) -> None:
    """For each parameter a fault `NAME-ignored`: it is accepted and has no effect, always or somewhere."""
    area = sys._getframe(1).f_globals["__name__"].rpartition(".")[2]
    for name in names:

        def drop(body: dict[str, Any], _call: Any, name: str = name) -> None:
            body.pop(name, None)

        add(
            Fault(
                name=f"{name} ignored {where}".strip().replace("_", "-").replace(" ", "-"),
                sentence=f"The parameter {name} is accepted and ignored {where}".rstrip() + ".",
                area=area,
                hooks={"request": drop},
                on=_areas(on),
                parameter=name,
                stream=stream,
                when=when,
            )
        )
