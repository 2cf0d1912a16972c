"""Attach to a server that runs already: is it an OpenAI API, which models does it have, which roles can they play?"""

from __future__ import annotations

import re
import time
from typing import Any

from backends import api, identify, overlap, patience, roles, room, wire
from backends.absent import ABSENT, looks_absent
from backends.address import root
from backends.errors import NoModel, NotOpenAI
from backends.explain import NOT_READY, must_be_an_api
from backends.roles import Cast, message, parsed
from backends.target import ONE_AT_A_TIME, Deployment, Target, Wanted
from backends.wire import Exchange, Request


def attach(wanted: Wanted, base_url: str, data: dict[str, Any], found: str = "") -> Target:
    """The target at `base_url`, with the models named by the user or, for roles without one, found by asking.

    `data` is the backend's. Raises Unreachable, NotOpenAI, KeyRefused or NoModel, each with a sentence that says what
    to do.
    """
    named = base_url.rstrip("/")
    until = time.monotonic() + wanted.timeout
    load = data.get("doctor", {}).get("load", "")
    with wire.client(wanted.timeout, wanted.access) as http:
        at = api.find(http, named, model=wanted.models.get("chat"), until=until, load=load, say=wanted.say)
        base_url, listed = at.base_url, at.models

        def ask_once(request: Request, model: str = "") -> Exchange:
            return wire.send(request, base_url, model=model, http=http)

        chatting: list[str] = []

        def ask(request: Request, model: str = "") -> Exchange:
            """Ask about a role; once a model chats, what else is refused in passing is waited for."""
            # A model that is loading is one for chats; another may answer 503 because it cannot do what is asked.
            statuses = NOT_READY if request is roles.PROBE["chat"] else (429,)
            got = patience.ask_again(lambda: api.patient(lambda: ask_once(request, model), until, wanted.say, statuses))
            if request is roles.PROBE["chat"] and roles.said(got) is not None:
                chatting.append(model)
            elif chatting and got.status != 500 and patience.passing(got):
                waiting = patience.Patience(lambda: ask_once(roles.PROBE["chat"], chatting[0]))
                got = waiting.send(lambda: [ask_once(request, model)]).exchanges[0]
            return got

        speaks = data.get("attach", {}).get("capabilities", {})
        can = capabilities(ask, base_url, speaks)
        parts = roles.cast(ask, listed or [wanted.models["chat"]], wanted.models, can, speaks)
        if parts.hello is not None and roles.said(parts.hello) is None:
            if not (listed and looks_absent(parts.hello)):  # It may have other endpoints.
                must_be_an_api(parts.hello, base_url, wanted.access)
            _must_know(wanted.models.get("chat"), parts.hello, base_url, listed)
            _must_be_of_use(parts, ask_once, base_url, parts.models.get("chat") or listed[0])
        rooms = _rooms(ask, parts)
        cut = None
        if chatting and not wanted.slots:
            cut = overlap.one_at_a_time(lambda request: ask_once(request, chatting[0]))
    if not parts.proven:
        raise _no_role(parts, base_url, listed)
    facts = identify.attached(base_url, data, next(iter(parts.models.values())), wanted.access)
    why = "; ".join(f"{role}: {parts.models[role]}, {said}" for role, said in parts.chosen.items())
    return Target(
        name=wanted.column(facts.code_path),
        backend=wanted.backend,
        found=found
        or f"attached to {_where(base_url, named)}{', with the query of the address' * bool(wanted.access.query)}",
        version=facts.version or identify.told_version(base_url, [at.listing, parts.hello], wanted.access),
        code_path=facts.code_path,
        deployments=tuple(
            Deployment(role=r, base_url=base_url, model=m, room=rooms.get(m, 0)) for r, m in parts.models.items()
        ),
        missing=parts.missing,
        details={**facts.details, "roles": why, **_warning(wanted, at), **({ONE_AT_A_TIME: cut} if cut else {})},
        slots=1 if cut else facts.slots or Target.slots,
        access=wanted.access,
    )


def capabilities(ask: roles.Ask, base_url: str, speaks: dict[str, Any]) -> roles.Capabilities:
    """A function that asks a server what a model can do; `speaks` is the backend's `attach.capabilities`."""

    def can(model: str) -> list[str] | None:
        if not speaks:
            return None
        told = parsed(ask(Request(path=root(base_url) + speaks["path"], body={"model": model}), model))
        words = told.get(speaks["key"]) if isinstance(told, dict) else None
        return [word for word in words if isinstance(word, str)] if isinstance(words, list) else None

    return can


def _where(base_url: str, named: str) -> str:
    """The base URL, and how it differs from the address that the user named, or from what is usual."""
    if base_url != named:
        return f"{base_url}, since {named} has no /v1 at its end"
    return base_url if base_url.endswith("/v1") else f"{base_url}, which does not end in /v1"


def _rooms(ask: roles.Ask, parts: roles.Cast) -> dict[str, int]:
    """How many tokens each model that chats writes beside its answers."""
    talking = dict.fromkeys(model for role, model in parts.models.items() if role != "embedding")
    return {model: room.measure(ask, model) for model in talking}


def _must_know(named: str | None, hello: Exchange, base_url: str, listed: list[str]) -> None:
    """Raise NoModel if the server rejects a chat because it does not have the model that the user named."""
    if not named or hello.status != 404:
        return
    told = re.search(rf"(?<!\w){re.escape(named)}(?!\w)", message(hello))
    if told or (listed and not lists(listed, named)):
        raise NoModel(f"{base_url} does not know the model {named!r}; it lists {in_short(listed)}.")


def _no_role(parts: Cast, base_url: str, listed: list[str]) -> NoModel:
    """The error for a server whose models answer no request that was tried."""
    if parts.hello is None:
        return NoModel(f"{base_url}: no model that was tried answers ({'; '.join(parts.missing.values())}).")
    told = f"{parts.hello.status or parts.hello.error} {message(parts.hello)}"
    return NoModel(
        f"{base_url}: no model that was tried answers a chat ({listed[0]!r}: {told}); name one that does with --model."
    )


def _must_be_of_use(parts: Cast, ask: roles.Ask, base_url: str, model: str) -> None:
    """Raise NotOpenAI if the server has no endpoint that asks a model.

    A server without chats is measured if it has another endpoint, or makes embeddings.
    """
    hello = parts.hello
    if hello is None or hello.status not in ABSENT or parts.proven - {"chat"}:
        return
    others = ("/embeddings", "/completions", "/responses")
    if all(ask(_short(path), model).status in ABSENT for path in others):
        raise NotOpenAI(
            f"{base_url} answers {hello.status} to /chat/completions ({message(hello)}), and has none of "
            f"{', '.join(others)} for the model {model!r}: is the base URL right, and the model?"
        )


def _short(path: str) -> Request:
    limit = {"/completions": {"max_tokens": 1}, "/responses": {"max_output_tokens": 16}}.get(path, {})
    return Request(
        path=path, body={"model": wire.MODEL, "prompt" if path == "/completions" else "input": "Hi", **limit}
    )


def _warning(wanted: Wanted, at: api.Api) -> dict[str, str]:
    """What is odd but stops no run: the form of the list, and that models which the user named are not listed, since
    servers may load them on demand."""
    said = [f"GET /models: {at.odd}"] if at.odd else []
    unlisted = [m for m in dict.fromkeys(wanted.models.values()) if at.models and not lists(at.models, m)]
    if unlisted:
        said.append(
            f"the server does not list {', '.join(unlisted)} (it lists: {in_short(at.models)}); "
            "unless it loads models on demand, another one may have answered"
        )
    if wanted.access.insecure and at.base_url.startswith("https://"):
        said.append("the server's certificate was not checked (--insecure)")
    return {"warning": "; ".join(said)} if said else {}


def lists(listed: list[str], model: str) -> bool:
    """Whether a model is among those listed. Some servers add `:latest` to a name without a tag."""
    return model in listed or f"{model}:latest" in listed


def in_short(listed: list[str]) -> str:
    """The first of the models that a server lists."""
    return (", ".join(listed[:8]) or "none") + (" …" if len(listed) > 8 else "")
