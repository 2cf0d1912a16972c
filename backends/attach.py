"""Attach to a server that runs already: is it an OpenAI API, which models does it have, which roles can they play?"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from backends import identify, roles, wire
from backends.errors import KeyRefused, NoModel, NotOpenAI, Unreachable
from backends.roles import parsed
from backends.target import Deployment, Target, Wanted
from backends.wire import Exchange, Request


def attach(wanted: Wanted, base_url: str, data: dict[str, Any], found: str = "") -> Target:
    """The target at `base_url`, with the models named by the user or, for roles without one, found by asking.

    `data` is the backend's. Raises Unreachable, NotOpenAI, KeyRefused or NoModel, each with a sentence that says what
    to do.
    """
    base_url = base_url.rstrip("/")
    with wire.client(wanted.timeout) as http:

        def ask(request: Request, model: str = "") -> Exchange:
            return wire.send(request, base_url, model=model, http=http, key=wanted.key)

        listing = ask(Request(method="GET", path="/models"))
        must_be_an_api(listing, base_url, wanted.key)
        listed = listed_models(listing)
        if not listed and "chat" not in wanted.models:
            raise NoModel(
                f"{base_url} lists no model: load one into the server, or name one with --model."
                if listing.status == 200
                else f"{base_url}/models answered {listing.status}, so no model is known: name one with --model."
            )
        speaks = data.get("attach", {}).get("capabilities", {})

        def can(model: str) -> list[str] | None:
            told = parsed(ask(Request(path=origin(base_url) + speaks["path"], body={"model": model}), model))
            return told.get(speaks["key"]) if isinstance(told, dict) else None

        named = {**wanted.models}
        parts = roles.cast(ask, listed or [named["chat"]], named, can, speaks)
        hello = parts.hello
        if hello is not None:
            must_be_an_api(hello, base_url, wanted.key)
            if hello.status == 404 and "chat" in named and named["chat"] in hello.body.decode(errors="replace"):
                raise NoModel(
                    f"{base_url} does not know the model {named['chat']!r}; it lists {', '.join(listed) or 'none'}."
                )
    facts = identify.attached(base_url, data, parts.models["chat"], wanted.key)
    why = "; ".join(f"{role}: {parts.models[role]}, {said}" for role, said in parts.chosen.items())
    return Target(
        name=wanted.name,
        backend=wanted.backend,
        found=found or f"attached to {base_url}{'' if base_url.endswith('/v1') else ', which does not end in /v1'}",
        version=facts.version or listing.header("server"),
        deployments=tuple(Deployment(role=r, base_url=base_url, model=m) for r, m in parts.models.items()),
        missing=parts.missing,
        details={**facts.details, "roles": why},
        slots=facts.slots or Target.slots,
        key=wanted.key,
    )


def origin(base_url: str) -> str:
    """The scheme and host of a URL."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(base_url))


def must_be_an_api(answer: Exchange, base_url: str, key: str | None) -> None:
    """Raise the fitting CannotMeasure if the answer shows that nothing can be measured here."""
    if answer.error == "timeout":
        raise Unreachable(f"{base_url} accepts connections but does not answer; is it still loading its model?")
    if answer.status is None:
        raise Unreachable(
            f"Nothing answers at {base_url} ({answer.error_detail}): start the server, or name another --base-url."
        )
    if answer.status in (401, 403):
        raise KeyRefused(
            f"{base_url} refuses the API key in OPENAI_API_KEY ({answer.status})."
            if key
            else f"{base_url} wants an API key ({answer.status}): set OPENAI_API_KEY."
        )
    if 300 <= answer.status < 400:
        raise NotOpenAI(f"{base_url} redirects to {answer.header('location')}: use that address as --base-url.")
    looks_like_html = answer.body.lstrip()[:1] == b"<" or "html" in (answer.header("content-type") or "")
    if looks_like_html or (answer.status == 200 and not isinstance(parsed(answer), dict)):
        hint = "" if base_url.endswith("/v1") else " The base URL usually ends in /v1."
        raise NotOpenAI(
            f"{answer.url} answers {answer.status} with {'an HTML page' if looks_like_html else 'no JSON object'}, "
            f"not as an OpenAI API does.{hint}"
        )


def listed_models(listing: Exchange) -> list[str]:
    """The ids in the answer to `GET /models`."""
    if listing.status != 200:
        return []
    data = parsed(listing).get("data")
    if not isinstance(data, list):
        raise NotOpenAI(f"{listing.url} answers JSON without a list of models in `data`; is this an OpenAI API?")
    return [m["id"] for m in data if isinstance(m, dict) and isinstance(m.get("id"), str)]
