"""Attach to a server that runs already: is it an OpenAI API, which models does it have, which roles can they play?"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from backends import identify, listening, roles, wire
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
            raise _no_model(listing, base_url)
        speaks = data.get("attach", {}).get("capabilities", {})

        def can(model: str) -> list[str] | None:
            told = parsed(ask(Request(path=origin(base_url) + speaks["path"], body={"model": model}), model))
            return told.get(speaks["key"]) if isinstance(told, dict) else None

        parts = roles.cast(ask, listed or [wanted.models["chat"]], wanted.models, can, speaks)
    if parts.hello is not None:
        must_be_an_api(parts.hello, base_url, wanted.key)
        _must_know(wanted.models.get("chat"), parts.hello, base_url, listed)
    facts = identify.attached(base_url, data, parts.models["chat"], wanted.key)
    why = "; ".join(f"{role}: {parts.models[role]}, {said}" for role, said in parts.chosen.items())
    return Target(
        name=wanted.name,
        backend=wanted.backend,
        found=found or f"attached to {base_url}{'' if base_url.endswith('/v1') else ', which does not end in /v1'}",
        version=facts.version or listing.header("server"),
        deployments=tuple(Deployment(role=r, base_url=base_url, model=m) for r, m in parts.models.items()),
        missing=parts.missing,
        details={**facts.details, "roles": why, **_warning(wanted, listed)},
        slots=facts.slots or Target.slots,
        key=wanted.key,
    )


def _no_model(listing: Exchange, base_url: str) -> NoModel:
    if listing.status == 200:
        return NoModel(f"{base_url} lists no model: load one into the server, or name one with --model.")
    return NoModel(f"{base_url}/models answered {listing.status}, so no model is known: name one with --model.")


def _must_know(named: str | None, hello: Exchange, base_url: str, listed: list[str]) -> None:
    """Raise NoModel if the server refuses to chat because it has no model of the name that the user gave."""
    if named and hello.status == 404 and named in hello.body.decode(errors="replace"):
        raise NoModel(f"{base_url} does not know the model {named!r}; it lists {in_short(listed)}.")


def _warning(wanted: Wanted, listed: list[str]) -> dict[str, str]:
    """That models which the user named are not listed: no error, because servers may load them on demand."""
    unlisted = [model for model in dict.fromkeys(wanted.models.values()) if listed and not lists(listed, model)]
    if not unlisted:
        return {}
    said = f"the server does not list {', '.join(unlisted)} (it lists: {in_short(listed)})"
    return {"warning": f"{said}; unless it loads models on demand, another one may have answered"}


def lists(listed: list[str], model: str) -> bool:
    """Whether a model is among those listed; Ollama's names end in `:latest` where the user names no tag."""
    return model in listed or f"{model}:latest" in listed


def in_short(listed: list[str]) -> str:
    """The first of the models that a server lists."""
    return (", ".join(listed[:8]) or "none") + (" …" if len(listed) > 8 else "")


def origin(base_url: str) -> str:
    """The scheme and host of a URL."""
    return "{0.scheme}://{0.netloc}".format(urlsplit(base_url))


def must_be_an_api(answer: Exchange, base_url: str, key: str | None) -> None:
    """Raise the fitting CannotMeasure if the answer shows that nothing can be measured here."""
    if answer.status in (None, 400) and (other := listening.in_other_scheme(base_url)):
        speaks = other.partition("://")[0]
        raise Unreachable(f"The server at {base_url} speaks {speaks}: try --base-url={other}.")
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
