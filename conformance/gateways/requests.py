"""What a gateway changes on the way to the upstream."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from backends.upstream import Arrival
from backends.wire import Exchange
from conformance.gateways.matching import line, parsed
from conformance.gateways.members import ID_NAMES, Difference, differences, same
from conformance.gateways.seen import Seen, known, text

HOPS = frozenset(
    {"host", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "expect"}
    | {"content-length", "content-type", "content-encoding", "accept", "accept-encoding", "accept-language"}
    | {"authorization", "cookie", "user-agent", "via", "forwarded", "x-real-ip", "x-request-id", "traceparent"}
    | {"tracestate", "baggage", "priority", "cache-control", "pragma"}
)
"""Headers of a single connection, of a proxy, or of any HTTP client: a gateway has its own."""

OF_SDKS = ("x-stainless-", "x-forwarded-", "sec-", "cf-")
"""How other such headers begin."""

RENAMED = {("max_tokens", "max_completion_tokens"), ("max_completion_tokens", "max_tokens")}
"""Parameters with the same meaning."""

WITHOUT_EFFECT = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "stream_options"}
    | {"stream_options.include_usage", "stream_options.include_obfuscation"}
)
"""Parameters that do not change what the model writes: a gateway may add them."""

DEFAULTS: dict[str, tuple[Any, ...]] = {
    "background": (False,),
    "best_of": (1,),
    "echo": (False,),
    "encoding_format": ("float",),
    "frequency_penalty": (0,),
    "logprobs": (False,),
    "n": (1,),
    "parallel_tool_calls": (True,),
    "presence_penalty": (0,),
    "reasoning.effort": ("medium",),
    "store": (False, True),
    "stream": (False,),
    "temperature": (1,),
    "tool_choice": ("auto",),
    "top_logprobs": (0,),
    "top_p": (1,),
    "truncation": ("disabled",),
}
"""Values that say the same as no value, by OpenAI's document."""

STATE = ("previous_response_id",)
"""Members that name what the upstream keeps."""


def changes(client: Exchange, arrival: Arrival, replaced: Mapping[str, str]) -> Iterator[Seen]:
    """What differs between a request and what arrived. `replaced` has the upstream's id for each that a client got."""
    upstream = arrival.exchange
    moved = _endpoint(client, replaced) != _endpoint(upstream, {})
    if moved and not (client.request.path.startswith("/models/") and upstream.request.path.startswith("/models/")):
        one, other = _line(client), _line(upstream)
        if one == other:
            one, other = client.request.path, upstream.request.path
        sentence = "requests reach the upstream as requests of another endpoint, or with another id"
        yield Seen(
            side="request",
            what="endpoint",
            sentence=sentence,
            legal=True,
            named=_line(client),
            client=one,
            upstream=other,
        )
        return
    yield from _query(client, upstream)
    yield from _headers(client, upstream)
    before, after = parsed(client.request.body), parsed(upstream.request.body)
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _members(before, after, replaced)
    elif before != after and not (before in (None, b"", {}) and after in (None, b"", {})):
        yield _seen("changed body", "the body reaches the upstream with other bytes", False, before, after)


def _members(before: dict[str, Any], after: dict[str, Any], replaced: Mapping[str, str]) -> Iterator[Seen]:
    found = [one for one in differences(before, after) if one.path != "model"]
    dropped = {one.path: one for one in found if one.how == "dropped"}
    added = {one.path: one for one in found if one.how == "added"}
    renamed = [(old, new) for old, new in RENAMED if old in dropped and new in added]
    renamed = [(old, new) for old, new in renamed if dropped[old].before == added[new].after]
    for old, new in renamed:
        yield _seen(f"renamed {old}", f"`{old}` reaches the upstream as `{new}`", True, before[old], after[new])
    gone = {path for pair in renamed for path in pair}
    if not after.get("tools") and after.get("tool_choice") == "none" and "tool_choice" in added:
        gone.add("tool_choice")  # Without tools, it is the default.
    for one in found:
        if one.path not in gone:
            yield _of_member(one, replaced)
    for name in STATE:
        own = before.get(name)
        if isinstance(own, str) and own == after.get(name) and replaced.get(own, own) != own:
            sentence = f"`{name}` reaches the upstream with the gateway's id, which the upstream does not know"
            yield _seen(f"unmapped {name}", sentence, False, own, replaced[own])


def _of_member(one: Difference, replaced: Mapping[str, str]) -> Seen:
    if one.empty:
        how = "do not reach the upstream" if one.how == "dropped" else "are added to the request"
        what, sentence = f"{one.how} nulls", f"members that are `null` or empty {how}"
        return _seen(what, sentence, True, one.before, one.after, one.path)
    if one.how == "dropped" and (_says_nothing(one.path, one.before) or not known(one.path)):
        sentence = "members that are a default, or that OpenAI's document lacks, do not reach the upstream"
        return _seen("dropped", sentence, True, one.before, None, one.path)
    if one.how == "dropped":
        return _seen(f"dropped {one.path}", f"`{one.path}` does not reach the upstream", False, one.before, None)
    if one.how == "added" and (_says_nothing(one.path, one.after) or one.path in WITHOUT_EFFECT or not known(one.path)):
        sentence = "members that are a default, without effect, or not in OpenAI's document are added to the request"
        return _seen("added", sentence, True, None, one.after, one.path)
    if one.how == "added":
        return _seen(f"added {one.path}", f"`{one.path}` is added to the request", False, None, one.after)
    legal = _means_the_same(one)
    if one.name in ID_NAMES and isinstance(one.before, str):
        legal = replaced.get(one.before) == one.after
    sentence = f"`{one.path}` reaches the upstream with another value"
    return _seen(f"changed {one.path}", sentence, legal, one.before, one.after)


def _says_nothing(path: str, value: Any) -> bool:
    return any(same(value, one) for one in DEFAULTS.get(path, ()))


def _means_the_same(one: Difference) -> bool:
    """Whether a changed value is another form of the same: an array of one text, or JSON with other spaces."""
    if one.name in ("content", "input", "prompt", "stop", "output"):
        return _plain(one.before) == _plain(one.after) is not None
    if one.name == "arguments" and isinstance(one.before, str) and isinstance(one.after, str):
        try:
            return bool(json.loads(one.before) == json.loads(one.after))
        except ValueError:
            return False
    return False


def _plain(value: Any) -> str | None:
    """The text of a string, or of an array with one string or text part."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0].get("text", value[0].get("content")) if isinstance(value[0], dict) else value[0]
        return _plain(value)
    return value if isinstance(value, str) else None


def _query(client: Exchange, upstream: Exchange) -> Iterator[Seen]:
    before, after = (parse_qsl(urlsplit(one.request.path).query, True) for one in (client, upstream))
    for name, value in before:
        if (name, value) not in after:
            sentence = f"query parameter `{name}` does not reach the upstream"
            yield _seen(f"dropped ?{name}", sentence, False, value, dict(after).get(name))


def _headers(client: Exchange, upstream: Exchange) -> Iterator[Seen]:
    before = {name.lower(): value for name, value in client.request.headers if value}
    after = {name.lower(): value for name, value in upstream.request.headers}
    for name in filter(_is_end_to_end, sorted(before.keys() - after.keys())):
        yield _seen("dropped headers", "headers do not reach the upstream", True, before[name], None, name)
    for name in filter(_is_end_to_end, sorted(after.keys() - before.keys())):
        yield _seen("added headers", "headers are added to the request", True, None, after[name], name)


def _is_end_to_end(name: str) -> bool:
    return name not in HOPS and not name.startswith(OF_SDKS)


def _endpoint(exchange: Exchange, replaced: Mapping[str, str]) -> tuple[str, str]:
    path = unquote(exchange.request.path.partition("?")[0])
    return exchange.request.method, "/".join(replaced.get(part, part) for part in path.split("/"))


def _line(exchange: Exchange) -> str:
    return line(exchange.request.method, exchange.request.path)


def _seen(what: str, sentence: str, legal: bool, client: Any, upstream: Any, named: str = "") -> Seen:
    given = ["" if value is None else text(_readable(value)) for value in (client, upstream)]
    return Seen(
        side="request", what=what, sentence=sentence, legal=legal, named=named, client=given[0], upstream=given[1]
    )


def _readable(value: Any) -> Any:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
