"""Find the OpenAI API at an address: under which base URL it is, and which models it lists."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urljoin

from backends.absent import ABSENT
from backends.errors import CannotMeasure, NoModel, NotOpenAI
from backends.explain import NOT_READY, is_html, must_be_an_api
from backends.roles import PROBE, message, parsed
from backends.wire import Client, Exchange, Request, send

PAUSE = 1.0
"""Seconds between two requests to a server that is not ready."""

LIST = Request(method="GET", path="/models")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Api:
    """Where the API is, the ids of the models that it lists, the answer that has them, and what is odd about that."""

    base_url: str
    models: list[str]
    listing: Exchange
    odd: str = ""


def find(http: Client, url: str, *, model: str | None, until: float, load: str = "", say: Say = lambda _: None) -> Api:
    """The API at `url`, or at `url` and `/v1` where that has one.

    `model` is the chat model that the user named: with it, no list of models is needed. `until`, a time of
    `time.monotonic`, bounds the wait for a server that is not ready; `load` says how to load a model. Raises
    CannotMeasure with a sentence for the user.
    """
    seen: dict[str, Exchange] = {}
    for at in [url] if url.endswith("/v1") else [f"{url}/v1", url]:
        seen[at] = patient(partial(send, LIST, at, model="", http=http), until, say)
        entries, odd = _entries(seen[at])
        if ids := _ids(entries):
            return Api(base_url=at, models=ids, listing=seen[at], odd=odd)
        if seen[at].status is None:
            break
    at = min(reversed(seen), key=lambda one: _rank(seen[one]))
    problem = _why_none(seen[at], at, http, load)
    if seen[at].status is None:
        raise problem
    chats = [one for one in seen if model and _chats(http, one, model)]
    if not chats and (other := _elsewhere(http, seen)):
        raise type(problem)(f"{problem} Models are listed at {other}: try --base-url={other}.")
    if model is None:
        raise problem
    at = (chats or [at])[0]
    has = "has no models" if seen[at].status == 200 else f"answers {seen[at].status}"
    return Api(base_url=at, models=[], listing=seen[at], odd=f"it {has}, so the model was taken as named")


def patient(
    ask: Callable[[], Exchange], until: float, say: Say = lambda _: None, statuses: Collection[int] = NOT_READY
) -> Exchange:
    """The server's response once its status is none of `statuses`, or once the time is over."""
    answer = ask()
    told = False
    while answer.status in statuses and time.monotonic() + _pause(answer) < until:
        if not told:
            say(f"waiting for {answer.url}, which answers {answer.status}: it is not ready …")
        told = True
        time.sleep(_pause(answer))
        answer = ask()
    return answer


def _pause(answer: Exchange) -> float:
    """Seconds after which the server wants to be asked again, if it says so."""
    after = answer.header("retry-after") or ""
    return max(PAUSE, float(after)) if after.isdecimal() else PAUSE


def _entries(listing: Exchange) -> tuple[list[Any], str]:
    """The models in the answer to `GET /models`, and in what odd form they are ("" if in the right one)."""
    body = parsed(listing) if listing.status == 200 else None
    if isinstance(body, list):
        return body, "it is an array, not an object with `data`"
    if not isinstance(body, dict):
        return [], ""
    data = body.get("data")
    if isinstance(data, dict):  # By their ids.
        return [data] if "id" in data else [{"id": name} for name in data], "`data` is an object, not an array"
    if isinstance(data, list):
        return data, ""
    return (body["models"], "it has `models`, not `data`") if isinstance(body.get("models"), list) else ([], "")


def _ids(entries: list[Any]) -> list[str]:
    """Each id once that can stand in a request: a string without lone surrogates. An entry may be an id itself."""
    ids = [entry.get("id") if isinstance(entry, dict) else entry for entry in entries]
    strings = [one for one in ids if isinstance(one, str) and one.strip()]
    return list(dict.fromkeys(one for one in strings if one == one.encode(errors="ignore").decode()))


def _rank(listing: Exchange) -> int:
    """A rank of responses: 0 looks most like an API, larger numbers less."""
    if is_html(listing) or listing.status in ABSENT or 300 <= (listing.status or 0) < 400:
        return 2
    return int(listing.status not in (None, 200, 401, 403, *NOT_READY))


def _chats(http: Client, base_url: str, model: str) -> bool:
    """Whether there is an endpoint for chats."""
    answer = send(PROBE["chat"], base_url, model=model, http=http)
    return not is_html(answer) and answer.status is not None and answer.status not in ABSENT


def _elsewhere(http: Client, seen: Collection[str]) -> str | None:
    """The usual base URL at the same host, if it was not yet seen and lists models."""
    usual = urljoin(next(iter(seen)), "/v1")
    return usual if usual not in seen and _ids(_entries(send(LIST, usual, model="", http=http))[0]) else None


def _why_none(listing: Exchange, at: str, http: Client, load: str) -> CannotMeasure:
    """Why the response to `GET /models` has no model that can be measured."""
    try:
        must_be_an_api(listing, at, http.access)
    except CannotMeasure as problem:
        return problem
    if listing.status != 200:
        said = f" (it says: {message(listing)})" if listing.body else ""
        return NoModel(
            f"{at}/models answered {listing.status}, so no model is known: name one with --model, "
            f"if this base URL is right{said}."
        )
    body, (entries, odd) = parsed(listing), _entries(listing)
    if isinstance(body, list) and not any(isinstance(entry, dict) for entry in entries):
        return NotOpenAI(f"{listing.url} answers 200 with no JSON object, but an array; is this an OpenAI API?")
    if entries:
        return NoModel(f"{at} lists models ({len(entries)}), but none has a string as its `id`: name one with --model.")
    if odd or body.get("data", "") not in (None, []):
        said = f" ({message(listing)})" if "error" in body else ""
        return NotOpenAI(
            f"{listing.url} answers JSON without a list of models in `data`{said}; is this an OpenAI API? "
            "If it is, name a model with --model."
        )
    return NoModel(f"{at} lists no model: {load or 'load one into the server'}, or name one with --model.")
