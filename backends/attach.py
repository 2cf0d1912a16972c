"""Attach to a server that runs already: is it an OpenAI API, which models does it have, which roles can they play?"""

from __future__ import annotations

import json
from typing import Any

from backends import wire
from backends.errors import CannotMeasure, KeyRefused, NoModel, NotOpenAI, Unreachable
from backends.target import Deployment, Target
from backends.wire import Exchange, Request, Role

# A 32 x 32 red PNG: small enough to be refused or taken at once.
_RED_PNG = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAJ0lEQVR42u3NsQkAAAjAsP7/tF7hIASyp6lTCQQCgUAgEAgEgi"
    "/BAjLD/C5w/SM9AAAAAElFTkSuQmCC"
)


def attach(name: str, backend: str, base_url: str, models: dict[Role, str], key: str | None, timeout: float) -> Target:
    """The target at `base_url`, with the models named by the user or, for roles without one, found by asking.

    Raises Unreachable, NotOpenAI, KeyRefused or NoModel, each with a sentence that says what to do.
    """
    base_url = base_url.rstrip("/")
    with wire.client(timeout) as http:

        def ask(request: Request, model: str = "") -> Exchange:
            return wire.send(request, base_url, model=model, http=http, key=key)

        listing = ask(Request(method="GET", path="/models"))
        _must_be_an_api(listing, base_url, key)
        listed = _listed_models(listing)
        chat_model = models.get("chat") or (listed[0] if listed else None)
        if chat_model is None:
            raise NoModel(
                f"{base_url} lists no model: load one into the server, or name one with --model."
                if listing.status == 200
                else f"{base_url}/models answered {listing.status}, so no model is known: name one with --model."
            )
        hello = ask(_chat("Hello"), chat_model)
        _must_be_an_api(hello, base_url, key)
        if hello.status == 404 and "chat" in models and chat_model in hello.body.decode(errors="replace"):
            raise NoModel(f"{base_url} does not know the model {chat_model!r}; it lists {', '.join(listed) or 'none'}.")

        deployments = [Deployment(role="chat", base_url=base_url, model=chat_model)]
        missing: dict[Role, str] = {}
        for role, request in _ROLE_PROBES.items():
            model = models.get(role, chat_model)
            answer = None if role in models else ask(request, model)
            if answer is None or answer.status in (200, 404, 405):
                # 404 and 405: the endpoint itself is absent. That is the server's answer, and is measured as such.
                deployments.append(Deployment(role=role, base_url=base_url, model=model))
            else:
                missing[role] = (
                    f"the model {model!r} is not one for {role} (the server answered {answer.status}: "
                    f"{_message(answer)}); name another with --{role}-model"
                )
    return Target(
        name=name,
        backend=backend,
        found=f"attached to {base_url}",
        version=listing.header("server"),
        deployments=tuple(deployments),
        missing=missing,
        key=key,
    )


def _chat(content: Any) -> Request:
    body = {"model": wire.MODEL, "messages": [{"role": "user", "content": content}], "max_tokens": 1}
    return Request(path="/chat/completions", body=body)


_ROLE_PROBES: dict[Role, Request] = {
    "embedding": Request(path="/embeddings", body={"model": wire.MODEL, "input": "Hello"}),
    "vision": _chat(
        [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": _RED_PNG}}],
    ),
}


def _must_be_an_api(answer: Exchange, base_url: str, key: str | None) -> None:
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
    if looks_like_html or (answer.status == 200 and not isinstance(_json(answer), dict)):
        hint = "" if base_url.endswith("/v1") else " The base URL usually ends in /v1."
        raise NotOpenAI(
            f"{answer.url} answers {answer.status} with {'an HTML page' if looks_like_html else 'no JSON object'}, "
            f"not as an OpenAI API does.{hint}"
        )


def _listed_models(listing: Exchange) -> list[str]:
    if listing.status != 200:
        return []
    data = _json(listing).get("data")
    if not isinstance(data, list):
        raise NotOpenAI(f"{listing.url} answers JSON without a list of models in `data`; is this an OpenAI API?")
    return [m["id"] for m in data if isinstance(m, dict) and isinstance(m.get("id"), str)]


def _json(answer: Exchange) -> Any:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None


def _message(answer: Exchange) -> str:
    if answer.error:
        return answer.error_detail or answer.error
    body = _json(answer)
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else error
    return str(message or answer.body[:80].decode(errors="replace"))[:160]


__all__ = ["CannotMeasure", "attach"]
