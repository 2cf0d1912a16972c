"""What a gateway changes on the way back to the client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from backends.upstream import Arrival, as_json
from backends.wire import Exchange
from conformance.gateways import streams
from conformance.gateways.members import ID_NAMES, Difference, differences, ids
from conformance.gateways.seen import Seen, text

HOPS = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "content-type", "date"}
    | {"server", "via", "vary", "trailer", "upgrade", "alt-svc", "etag", "accept-ranges", "set-cookie", "age"}
)
"""Headers of a connection or a proxy, and one that is compared by itself."""

NEEDED = frozenset({"retry-after", "retry-after-ms"})
"""Headers that change what a client does."""

OWN = frozenset({"created", "created_at", "completed_at", "model", "system_fingerprint", "service_tier"})
"""Members for which a gateway may have values of its own."""

NOT_NEEDED = frozenset({"system_fingerprint", "service_tier"})

SAID = frozenset(
    {"content", "reasoning_content", "refusal", "text", "arguments", "tool_calls", "finish_reason", "usage"}
)
"""Members that clients act on: a gateway must not invent them."""


def changes(client: Exchange, arrival: Arrival) -> Iterator[Seen]:
    """What differs between what the upstream sent and what the client got."""
    upstream = arrival.exchange
    if client.request.hangs_up or client.error in ("too large", "undecodable"):
        return
    if client.error and arrival.whole:
        how = "not in time" if client.error == "timeout" else "only in part"
        sentence = f"the client gets the response {how}, although the upstream sent all of it"
        yield _seen(f"cut {client.error}", sentence, False, client.error_detail, f"{upstream.status}", by_itself=True)
        return
    if not arrival.whole or client.status is None or upstream.status is None:
        return
    if client.status != upstream.status:
        sentence = f"the upstream's {upstream.status} reaches the client as {client.status}"
        what = f"status {upstream.status} {client.status}"
        yield _seen(what, sentence, False, client.status, upstream.status, by_itself=True)
    yield from _headers(client, upstream)
    if client.request.method == "HEAD":
        return
    if upstream.status >= 400:
        yield from _error(client, upstream)
    elif client.status < 400:
        yield from _body(client, upstream)


def id_pairs(client: Exchange, arrival: Arrival) -> list[tuple[str, str, str]]:
    """Each id in a response: where it is, what the upstream sent, and what the client got."""
    if (client.status or 500) >= 400 or (arrival.exchange.status or 500) >= 400:
        return []
    return [one for pair in _values(client, arrival.exchange) for one in ids(*pair)]


def _headers(client: Exchange, upstream: Exchange) -> Iterator[Seen]:
    before = {name.lower(): value for name, value in upstream.headers}
    after = {name.lower(): value for name, value in client.headers}
    kinds = [one.get("content-type", "").partition(";")[0].strip().lower() for one in (before, after)]
    if kinds[0] != kinds[1] and kinds[0]:
        yield _seen(
            "changed header content-type",
            "the client gets another `content-type` than the upstream sent",
            False,
            kinds[1],
            kinds[0],
        )
    for name in sorted(before.keys() - after.keys() - HOPS):
        sentence = "headers of the response do not reach the client"
        needed = name in NEEDED
        yield _seen(f"dropped header{'' if needed else 's'}", sentence, not needed, None, before[name], named=name)
    for name in sorted(after.keys() - before.keys() - HOPS):
        yield _seen("added headers", "headers are added to the response", True, after[name], None, named=_family(name))


def _family(name: str) -> str:
    """A header, or all of its family: `x-litellm-*`."""
    parts = name.split("-")
    if "_" in parts[0]:
        return f"{parts[0].partition('_')[0]}_*"
    return "-".join([*parts[:2], "*"]) if parts[0] == "x" and len(parts) > 2 else name


def _error(client: Exchange, upstream: Exchange) -> Iterator[Seen]:
    before, after = as_json(upstream.body), as_json(client.body)
    if not isinstance(before, dict) or not isinstance(before.get("error"), dict):
        return
    if not isinstance(after, dict) or not isinstance(after.get("error"), dict):
        sentence = "the upstream's error object does not reach the client"
        yield _seen("error object", sentence, False, _readable(client.body), before)
        return
    for one in differences(before["error"], after["error"], "error"):
        said, given = one.before, one.after
        if one.how == "added":
            yield _seen("members of error", "members are added to the error object", True, given, None, named=one.name)
        elif one.path == "error.message" and isinstance(said, str) and said in str(given):
            yield _seen(
                "wrapped error.message", "`error.message` has other text around the upstream's", True, given, said
            )
        elif one.path == "error.message":
            yield _seen("error.message", "the upstream's `error.message` does not reach the client", False, given, said)
        elif one.how == "dropped":
            sentence = f"`{one.path}` of the error object does not reach the client"
            yield _seen(f"dropped {one.path}", sentence, said is None, None, said)
        else:
            sentence = f"`{one.path}` of the error object reaches the client with another value"
            yield _seen(f"changed {one.path}", sentence, said is None, given, said)


def _body(client: Exchange, upstream: Exchange) -> Iterator[Seen]:
    if _is_stream(upstream) and _is_stream(client):
        yield from _stream(client, upstream)
    pairs: dict[str, set[str]] = {}
    places: dict[str, list[str]] = {}
    for before, after in _values(client, upstream):
        for one in differences(before, after):
            if one.path != "usage" or one.how != "dropped" or _wants_usage(client):
                yield from _of_member(one)
        for path, own, given in ids(before, after):
            pairs.setdefault(own, set()).add(given)
            places.setdefault(own, []).append(path)
    for own, forms in pairs.items():
        if len(forms) > 1:
            where = " and ".join(f"`{path}`" for path in dict.fromkeys(places[own]))
            sentence = f"the gateway replaces an id differently in several places of a response ({where})"
            yield _seen(f"id in one place {where}", sentence, False, sorted(forms), own)
    replaced = [given for some in pairs.values() for given in some]
    if len(set(replaced)) < len(pairs):
        yield _seen("ids alike", "different ids reach the client as the same id", False, replaced, list(pairs))
    readable = [as_json(one.body) for one in (upstream, client)]
    if not _is_stream(upstream) and isinstance(readable[0], dict) and not isinstance(readable[1], dict):
        yield _seen(
            "body", "the response's body does not reach the client as JSON", False, _readable(client.body), readable[0]
        )


def _wants_usage(client: Exchange) -> bool:
    """Whether the client wants `usage`: a stream that does not ask for it must not have it, whoever asked upstream."""
    body = client.request.body
    if not isinstance(body, dict) or body.get("stream") is not True or not _is_stream(client):
        return True
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _stream(client: Exchange, upstream: Exchange) -> Iterator[Seen]:
    (before, ended), (after, done) = streams.data(upstream.body), streams.data(client.body)
    if ended and not done:
        yield _seen("dropped [DONE]", "`[DONE]` at the end of a stream does not reach the client", False, "", "[DONE]")
    if len(before) > len(after):
        sentence = "chunks of a stream are merged or left out: the client gets fewer"
        yield _seen("merged chunks", sentence, True, f"{len(after)} chunks", f"{len(before)} chunks")
    elif len(after) > len(before):
        sentence = "chunks of a stream are split or added: the client gets more"
        yield _seen("split chunks", sentence, True, f"{len(after)} chunks", f"{len(before)} chunks")
    given = [{one.get("id") for one in some if isinstance(one, dict)} for some in (before, after)]
    if len(given[0]) == 1 and len(given[1]) > 1:
        sentence = "`id` is not the same in all chunks of a stream"
        yield _seen("id of chunks", sentence, False, sorted(map(str, given[1])), next(iter(given[0])))


def _values(client: Exchange, upstream: Exchange) -> list[tuple[Any, Any]]:
    """The pairs of values that must be the same: the whole bodies, or each event of a stream of the Responses API."""
    if not (_is_stream(upstream) and _is_stream(client)):
        before, after = as_json(upstream.body), as_json(client.body)
        return [(before, after)] if isinstance(before, dict) and isinstance(after, dict) else []
    some = [streams.data(one.body)[0] for one in (upstream, client)]
    if not any(isinstance(one, dict) and "type" in one and "choices" not in one for one in some[0]):
        return [(streams.folded(some[0]), streams.folded(some[1]))]
    return list(_by_type(streams.steps(some[0]), streams.steps(some[1])))


def _by_type(before: Sequence[dict[str, Any]], after: Sequence[dict[str, Any]]) -> Iterator[tuple[Any, Any]]:
    """Events of the same type, in pairs; one that is on one side only is a pair of objects with its type or without."""
    old, new = ([str(one.get("type")) for one in some] for some in (before, after))
    for how, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if how == "equal":
            yield from zip(before[a:b], after[c:d], strict=True)
            continue
        yield from (({f"event {name}": name}, {}) for name in old[a:b])
        yield from (({}, {f"event {name}": name}) for name in new[c:d])


def _of_member(one: Difference) -> Iterator[Seen]:
    if one.empty:
        how = "do not reach the client" if one.how == "dropped" else "are added to the response"
        what, sentence = f"{one.how} nulls", f"members that are `null` or empty {how}"
        yield _seen(what, sentence, True, one.after, one.before, named=one.path)
    elif one.how == "dropped":
        legal = one.name in NOT_NEEDED or one.before == ""
        yield _seen(f"dropped {one.path}", f"`{one.path}` does not reach the client", legal, None, one.before)
    elif one.how == "added" and one.after != "" and (one.name in SAID or one.path.endswith("[]")):
        yield _seen(f"added {one.path}", f"`{one.path}` is added to the response", False, one.after, None)
    elif one.how == "added":
        where = f"`{one.parent}`" if one.parent else "the response"
        yield _seen(f"members of {one.parent}", f"members are added to {where}", True, one.after, None, named=one.name)
    elif one.name in ID_NAMES and isinstance(one.after, str) and one.after:
        yield _seen("own ids", "ids are the gateway's own", True, one.after, one.before, named=one.path)
    else:
        own = one.name in OWN and type(one.before) is type(one.after)
        if one.path != "model" or not own:  # The model's alias is what the client asked for.
            sentence = f"`{one.path}` reaches the client with another value"
            yield _seen(f"changed {one.path}", sentence, own, one.after, one.before)


def _is_stream(exchange: Exchange) -> bool:
    return (exchange.header("content-type") or "").lower().startswith("text/event-stream")


def _readable(body: bytes) -> str:
    return body.decode("utf-8", "replace")


def _seen(
    what: str, sentence: str, legal: bool, client: Any, upstream: Any, by_itself: bool = False, named: str = ""
) -> Seen:
    given = ["" if value is None else text(value) for value in (client, upstream)]
    return Seen(
        side="response", what=what, sentence=sentence, legal=legal, by_itself=by_itself,
        named=named,
        client=given[0], upstream=given[1],
    )  # fmt: skip
