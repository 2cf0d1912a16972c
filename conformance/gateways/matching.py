"""Which requests at the upstream came from which request of the suite.

A gateway may reorder, repeat, rename and drop. Time only excludes: an arrival before a request was sent, or after its
response had ended, does not belong to it. Among the rest, the content decides: the members of the request, and how much
of the upstream's response is in the client's. Requests with the same content are alike, and any of them will do.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backends.upstream import Arrival, as_json
from backends.wire import Exchange
from conformance.gateways.members import leaves

EARLY, LATE = 0.02, 1.0
"""Seconds by which an arrival may seem too early or too late: times are rounded, and clients may leave early.
"""

ALIKE, DOUBTFUL = 0.6, 0.1
"""How alike the content of a request and an arrival must be at least, from 0 to 1; and if the response is proof."""

PROOF = 1.0
"""How much of the upstream's response the client's must have, as `_answered_with` counts it, to be proof."""

AGAIN = 0.9
"""How similar two arrivals are if the second is a repetition of the first."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A request of the suite with its response: the name of its exchange, and whether the suite itself repeated it."""

    name: str
    exchange: Exchange
    again: bool = False

    @property
    def ended(self) -> float:
        """The Unix time at which its response had ended."""
        taken = [at for at, _ in self.exchange.reads] + [self.exchange.headers_at or 0.0]
        waited = 3600.0 if self.exchange.error == "timeout" else 0.0
        return self.exchange.started_at + max(taken) + waited

    @cached_property
    def content(self) -> Content:
        """What is compared of the request."""
        return Content.of(self.exchange)


@dataclass(frozen=True)
class Passage:
    """A request of the suite, and what of it arrived at the upstream; nothing, if the gateway answered it.

    The first arrival is the one whose response the client got.
    """

    sent: Sent
    arrivals: tuple[Arrival, ...]


@dataclass(frozen=True)
class Content:
    """Method and path of a request, its members with their values, its strings alone, and its model."""

    line: tuple[str, str]
    members: Counter[tuple[str, str]]
    strings: Counter[str]
    model: str

    @classmethod
    def of(cls, exchange: Exchange) -> Content:
        """The content of a request, without the model, for which a gateway has names of its own."""
        body = parsed(exchange.request.body)
        model = ""
        if isinstance(body, dict):
            model = str(body.get("model"))
            body = {key: value for key, value in body.items() if key != "model"}
        some = [("", repr(body))] if isinstance(body, bytes) else list(leaves(body)) if body is not None else []
        strings = Counter(value for _, value in some if value.startswith('"'))
        return cls((exchange.request.method, line("", exchange.request.path)), Counter(some), strings, model)


def match(sent: Sequence[Sent], arrived: Sequence[Arrival]) -> tuple[list[Passage], list[Arrival]]:
    """A passage for each request that was sent, and the arrivals that belong to none of them.

    Each request gets the arrival that is most like it, and those that repeat this one.
    """
    arrivals = sorted(arrived, key=lambda one: one.began)
    contents = [Content.of(one.exchange) for one in arrivals]
    begun = [one.began for one in arrivals]
    pairs: list[tuple[bool, float, int, int]] = []
    aliases: dict[str, set[str]] = {}
    for number, one in enumerate(sent):
        for other in _within(begun, one):
            score = alike(one.content, contents[other])
            answered = _answered_with(one.exchange, arrivals[other].exchange)
            if score >= ALIKE or (score >= DOUBTFUL and answered > PROOF):
                elsewhere = one.content.line != contents[other].line
                pairs.append((elsewhere, -score - answered, number, other))
            if answered > PROOF:
                aliases.setdefault(contents[other].model, set()).add(one.content.model)
    of: dict[int, list[int]] = {}
    taken: set[int] = set()
    # The upstream's name of a model is for those names of the gateway for which it was proved, if it was for any.
    pairs = [one for one in pairs if _may_be(sent[one[2]].content.model, aliases.get(contents[one[3]].model))]
    for _, _, number, other in sorted(pairs):
        if number not in of and other not in taken:
            of[number] = [other]
            taken.add(other)
    for _, _, number, other in sorted(pairs):
        # What has no content may also be of the gateway itself: it asks for models and health.
        if other not in taken and contents[other].members and alike(contents[of[number][0]], contents[other]) >= AGAIN:
            of[number].append(other)
            taken.add(other)
    passages = [Passage(one, tuple(arrivals[other] for other in of.get(number, ()))) for number, one in enumerate(sent)]
    return passages, [one for number, one in enumerate(arrivals) if number not in taken]


def _may_be(model: str, proved: set[str] | None) -> bool:
    return proved is None or model in proved


def alike(one: Content, other: Content) -> float:
    """How alike the content of two requests is, from 0 to 1. Of one that is sent to another endpoint, strings count."""
    if one.line[0] != other.line[0]:
        return 0.0
    if one.line[1] == other.line[1]:
        # A gateway adds its own defaults: what of the request has arrived counts most.
        score = 0.1 + 0.7 * _share(one.members, other.members) + 0.2 * _overlap(one.members, other.members)
        return score / 2 if other.strings and not one.strings & other.strings else score
    return 0.8 * _overlap(one.strings, other.strings) if one.strings else 0.0


def line(method: str, path: str) -> str:
    """Method and path, with `{id}` in the place of an id."""
    parts = path.partition("?")[0].split("/")
    named = ["{id}" if number > 1 and parts[1] in ("models", "responses") and _is_id(part) else part
             for number, part in enumerate(parts)]  # fmt: skip
    return f"{method} {'/'.join(named[:3] if parts[1:2] == ['models'] else named)}"


def _is_id(part: str) -> bool:
    return part not in ("input_items", "cancel", "compact", "input_tokens")


def parsed(body: Any) -> Any:
    """A body as JSON data, if it is JSON, and not too deep; else as bytes."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    return as_json(raw)


def _within(begun: Sequence[float], one: Sent) -> Iterable[int]:
    first = bisect_left(begun, one.exchange.started_at - EARLY)
    return range(first, bisect_right(begun, one.ended + LATE))


def _share(of: Counter[Any], other: Counter[Any]) -> float:
    """The share of the one that is in the other."""
    return (of & other).total() / of.total() if of else _overlap(of, other)


def _overlap(one: Counter[Any], other: Counter[Any]) -> float:
    either = (one | other).total()
    return (one & other).total() / either if either else 1.0


def _answered_with(client: Exchange, upstream: Exchange) -> float:
    """How much of the upstream's response is in the client's, up to 2.4. An id that went through is proof."""
    given, got = upstream.body, client.body
    found = [one for one in _ids(given) if one in got]
    status = 0.1 if client.status == upstream.status else 0.0
    said = as_json(given) if (upstream.status or 0) >= 400 else None
    error = said.get("error") if isinstance(said, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    told = 0.5 if isinstance(message, str) and message.encode() in got else 0.0
    return (1.5 if found else 0.0) + told + status + 0.3 * _overlap(Counter(_words(given)), Counter(_words(got)))


def _ids(body: bytes) -> set[bytes]:
    return set(re.findall(rb'"((?:chatcmpl|cmpl|resp|msg|fc|call|rs|ctc)[-_][\w-]{8,})"', body))


def _words(body: bytes) -> list[bytes]:
    return body.split(b'"')[:400]
