"""All that a gateway did in a run, from the requests of the suite and the tape of the upstream."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from backends import redaction
from backends.upstream import CLIENTS_KEY, Arrival
from backends.wire import Exchange
from conformance.gateways import requests, responses
from conformance.gateways.matching import Passage, Sent, line, match
from conformance.gateways.seen import Seen, text
from conformance.results.gateways import Change, Gateway

EXAMPLES = 3
"""Exchanges of a change that are shown with both sides."""

MOST_NAMED = 12
"""Members that the sentence of a change lists."""

ITS_OWN = ("GET /models", "HEAD ", "OPTIONS ")
"""Requests that a gateway may answer itself: it knows its models, and handles preflight requests of browsers."""

Directly = Callable[[str], Exchange | None]
"""The exchange of this name, sent to the upstream without the gateway; None if it was not sent."""


def sent(recordings: dict[str, dict[str, Any]]) -> list[Sent]:
    """The requests of recordings by scenario, each with the name of its exchange."""
    found = []
    for scenario, recording in recordings.items():
        several = recording.get("exchanges", [])
        for number, one in enumerate(several, start=1):
            name = scenario if len(several) == 1 else f"{scenario}[{number}]"
            found.append(Sent(name=name, exchange=Exchange.from_json(one), again="again" in recording))
    return found


def compare(
    target: str, some: Sequence[Sent], arrived: Sequence[Arrival], directly: Directly, key: str | None
) -> Gateway:
    """What a gateway did. `key` is the client's."""
    passages, rest = match(some, arrived)
    reached = [one for one in passages if one.arrivals]
    replaced = {
        given: own
        for one in reached
        for _, own, given in responses.id_pairs(one.sent.exchange, one.arrivals[0])
        if own != given
    }
    matched = [arrival for one in reached for arrival in one.arrivals]
    has_own_key = any(one.has_upstreams_key for one in matched)
    seen: dict[tuple[str, str, bool], dict[str, Seen]] = {}
    named: dict[tuple[str, str, bool], set[str]] = {}
    for passage in passages:
        for one in _of_passage(passage, replaced, has_own_key, directly):
            key_of = (one.side, one.what, one.legal)
            seen.setdefault(key_of, {}).setdefault(passage.sent.name, one)
            named.setdefault(key_of, set()).add(one.named)
    found = [_change(some, named[which] - {""}) for which, some in seen.items()]
    found.sort(key=lambda one: (one.legal, -len(one.exchanges), one.sentence))
    shown = {name for one in found for name in one.examples}
    return Gateway(
        target=target,
        compared=len(reached),
        changes=found,
        unmatched=[one.sent.name for one in passages if not one.arrivals],
        unexplained=dict(Counter(line(r.method, r.path) for r in (one.exchange.request for one in rest))),
        arrived={
            one.sent.name: [arrival.exchange.to_json() for arrival in one.arrivals]
            for one in reached
            if one.sent.name in shown
        },
        notes=list(_notes(matched, key, has_own_key)),
    )


def _of_passage(passage: Passage, replaced: dict[str, str], has_own_key: bool, directly: Directly) -> Iterator[Seen]:
    client = passage.sent.exchange
    if not passage.arrivals:
        yield from _without_the_upstream(passage.sent, directly)
        return
    answering = passage.arrivals[0]
    about = list(requests.changes(client, answering, replaced))
    yield from about
    if not any(one.what == "endpoint" for one in about):
        yield from responses.changes(client, answering)
    if has_own_key and any(one.has_clients_key for one in passage.arrivals):
        yield _leak(next(one for one in passage.arrivals if one.has_clients_key))
    if len(passage.arrivals) > 1 and not passage.sent.again:
        times = f"{len(passage.arrivals)} times"
        sentence = "a request reaches the upstream more than once"
        yield Seen(side="request", what="sent again", sentence=sentence, legal=True, client="once", upstream=times)
    if any(
        one.named == "stream_options" and one.what == "added" for one in about
    ) and b'"usage":{' in client.body.replace(b" ", b""):
        sentence = "a stream has `usage` that the client did not ask for: `stream_options` is added to the request"
        yield Seen(side="response", what="unasked usage", sentence=sentence)


def _without_the_upstream(sent: Sent, directly: Directly) -> Iterator[Seen]:
    """A gateway may answer a request itself if the upstream would give the same answer."""
    client = sent.exchange
    if client.status is None or client.request.hangs_up:
        return
    asked = line(client.request.method, client.request.path)
    answered = f"{client.status}"
    if client.status < 400:
        yield Seen(
            side="response", what="answered", legal=True, client=answered, named=asked,
            sentence="the gateway itself responds to requests, which do not reach the upstream",
        )  # fmt: skip
        return
    other = None if asked.startswith(ITS_OWN) else directly(sent.name)
    status = other.status if other is not None else None
    wrong = status is not None and (status < 400 or status < 500 <= client.status)
    but = "" if status is None else "; the upstream accepts them" if status < 400 else f"; the upstream says {status}"
    yield Seen(
        side="response",
        what=f"rejected {client.status} {status}",
        sentence=f"requests are rejected by the gateway itself with {client.status}{but}",
        named=asked,
        legal=not wrong,
        by_itself=wrong,
        client=text(client.body.decode("utf-8", "replace")),
        upstream=f"{status}, asked without the gateway" if status else "",
    )


def _leak(arrival: Arrival) -> Seen:
    where = [f"header `{name}`" for name, value in arrival.exchange.request.headers if CLIENTS_KEY in value]
    place = " and ".join(where) or "body or path"
    return Seen(
        side="request",
        what=f"key {place}",
        sentence=f"the client's key reaches the upstream ({place})",
        client="the key is the gateway's own business",
        upstream=place,
    )


def _notes(arrived: Sequence[Arrival], key: str | None, has_own_key: bool) -> Iterator[str]:
    if not key:
        yield "Not judged: whether the client's key reaches the upstream. Set OPENAI_API_KEY to the gateway's key."
    elif not redaction.secrets(key):
        short = f"It has fewer than {redaction.SHORTEST} characters."
        yield f"Not judged: whether the client's key reaches the upstream. {short}"
    elif not has_own_key and any(one.has_clients_key for one in arrived):
        yield "The client's key is passed on: the gateway has no key of its own for the upstream."


def _change(seen: dict[str, Seen], named: set[str]) -> Change:
    first = next(iter(seen.values()))
    return Change(
        side=first.side,
        what=first.what,
        sentence=f"{first.sentence}{_list(named)}",
        legal=first.legal,
        by_itself=first.by_itself,
        exchanges=list(seen),
        examples={name: (one.client, one.upstream) for name, one in list(seen.items())[:EXAMPLES]},
    )


def _list(names: set[str]) -> str:
    """What a change is about, in brackets, if it is about several."""
    if not names:
        return ""
    some = [f"`{name}`" for name in sorted(names)]
    more = f" and {len(some) - MOST_NAMED} more" if len(some) > MOST_NAMED else ""
    return f" ({', '.join(some[:MOST_NAMED])}{more})"
