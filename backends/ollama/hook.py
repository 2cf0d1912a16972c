"""Give a fresh Ollama its models through its HTTP API: files become blobs, blobs become a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import httpx2

from backends import gguf
from backends.data import roles_of
from backends.errors import CannotStart
from backends.launch import ROOT
from backends.wire import Role

SECONDS = 120.0
"""For one step: hashing and converting a large model takes Ollama a while."""


def make_models(origin: str, deploy: dict[str, Any]) -> dict[Role, str]:
    """Make the model of each role; return why a role has none. Raises CannotStart if the chat model cannot be made."""
    missing: dict[Role, str] = {}
    for role in roles_of(deploy):
        if problem := _made(origin, deploy[role], deploy[role].get("hook", {})):
            if role == "chat":
                raise CannotStart(problem)
            missing[role] = problem
    return missing


def make_others(origin: str, deploy: dict[str, Any], say: Callable[[str], None]) -> list[str]:
    """Make the models of `[[deploy.hook.others]]`; return the names of those that could be made."""
    made = []
    for spec in deploy["hook"].get("others", ()):
        if problem := _made(origin, spec, spec):
            say(f"{problem}; its column is missing.")
        else:
            made.append(spec["model"])
    return made


def _made(origin: str, spec: dict[str, Any], special: dict[str, Any]) -> str:
    """Make a model from the files of `spec`; return why that cannot be, or an empty string."""
    with httpx2.Client(base_url=origin, timeout=SECONDS, trust_env=False) as http:
        try:
            _create(http, spec, special)
        except (_Refused, httpx2.HTTPError) as problem:
            return f"Ollama could not make the model {spec['model']!r} from {spec['file']}: {problem}"
    return ""


class _Refused(Exception):
    """Ollama answered with an error, or the model cannot do what its role needs."""


def _create(http: httpx2.Client, spec: dict[str, Any], special: dict[str, Any]) -> None:
    files = {}
    for file in filter(None, (spec["file"], spec.get("projector"))):
        path = ROOT / file
        raw = path.read_bytes()
        for key, number in special.get("values", {}).items() if file == spec["file"] else ():
            raw = gguf.with_number(path, key, number)
        files[path.name] = _upload(http, raw)
    asked = {"model": spec["model"], "files": files, "stream": False}
    _done(http.post("/api/create", json=asked | _template(special.get("template"))))
    must = special.get("must")
    if must is None or must in _capabilities(http, spec["model"]):
        return
    if "or_template" not in special:
        raise _Refused(f"it says that the model has no {must}")
    _done(http.post("/api/create", json=asked | _template(special["or_template"])))


def _template(file: str | None) -> dict[str, str]:
    return {"template": (ROOT / file).read_text()} if file else {}


def _upload(http: httpx2.Client, raw: bytes) -> str:
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    if http.head(f"/api/blobs/{digest}").status_code != 200:
        _done(http.post(f"/api/blobs/{digest}", content=raw))
    return digest


def _capabilities(http: httpx2.Client, model: str) -> list[str]:
    shown = _done(http.post("/api/show", json={"model": model}))
    return list(shown.json().get("capabilities") or [])


def _done(answer: httpx2.Response) -> httpx2.Response:
    if answer.status_code not in (200, 201):
        raise _Refused(
            f"{answer.request.method} {answer.request.url.path} answered {answer.status_code}: {answer.text[:200]}"
        )
    if answer.content.startswith(b"{") and "error" in answer.json():
        raise _Refused(str(answer.json()["error"])[:200])
    return answer
