"""Walk through the guide's set-up and troubleshooting sections for one server, and say what is wrong and what to do."""

from __future__ import annotations

import re
import subprocess
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which
from typing import Any, Literal

from backends import api, explain, identify, listening, process, roles, wire
from backends.access import Access
from backends.address import root
from backends.attach import capabilities, in_short, lists
from backends.errors import CannotMeasure, CannotStart, NoModel
from backends.find import backends
from backends.roles import message
from backends.target import Wanted
from backends.wire import Exchange, Request, Role

State = Literal["ok", "problem", "unclear"]

SLOTS = 4
"""Requests at a time that the guide sets up (PARALLEL_SLOTS=4)."""

_TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was seen, and what to do if that is wrong."""

    state: State
    what: str
    seen: str
    do: str = ""

    def __str__(self) -> str:
        return f"{self.state:8}{self.what}: {self.seen}" + (f" → {self.do}" if self.do else "")


@dataclass
class Patient:
    """The server that is examined: its backend's data, its models and how to ask them.

    `model` is the one that chats. `embedders` are the others that could make embeddings.
    """

    data: dict[str, Any]
    base_url: str
    model: str
    embedders: list[str]
    ask: Callable[[Request, str], Exchange]
    asker: identify.Asker
    facts: identify.Facts

    @property
    def hints(self) -> dict[str, Any]:
        """The backend's `doctor` table."""
        return dict(self.data.get("doctor", {}))


@cache
def table() -> dict[str, Any]:
    """What the guide says about models and quantisations: `models.toml`."""
    return tomllib.loads((Path(__file__).parent / "models.toml").read_text(encoding="utf-8"))


def claimed(names: str) -> dict[str, Any] | None:
    """The row of the guide's table of models that fits a model's names: of several, the one whose pattern comes first
    in the names (Hermes-3-Llama-3.1 is a Hermes)."""
    found = [(m.start(), row) for row in table()["model"] for p in row["is"] if (m := re.search(p, names.lower()))]
    return min(found, key=lambda at: at[0])[1] if found else None


def examine(
    backend: str, base_url: str | None = None, model: str | None = None, access: Access | None = None
) -> Iterator[Finding]:
    """The findings, in the order in which they matter; the walk ends where nothing more can be asked."""
    data = backends()[backend]
    hints = data.get("doctor", {})
    try:
        access = access or Access(key=wire.api_key())
    except CannotMeasure as problem:
        yield Finding("problem", "API key", str(problem))
        return
    if base_url is None:
        base_url, seen = listening.look(data, access)
        if base_url is None:
            yield from _not_running(backend, data, "; ".join(seen) or "no address is its own")
            return
    elif not listening.answers(root(base_url), access):
        yield from _silent(hints, base_url, access)
        return
    yield Finding("ok", "running", f"a server answers at {root(base_url)}")
    if data.get("attach") and not listening.is_backend(root(base_url), data, access):
        yield Finding("problem", "kind", f"it is not {data['title']}", "name another --base-url, or the right backend")
    with wire.client(60, access) as http:
        yield from _health(hints, base_url, access)
        try:
            at = api.find(http, base_url, model=model, until=time.monotonic(), load=hints.get("load", ""))
        except CannotMeasure as problem:
            yield Finding("problem", "model" if isinstance(problem, NoModel) else "OpenAI API", str(problem))
            return
        if at.base_url != base_url:
            yield Finding("unclear", "address", f"the API is at {at.base_url}", f"name it: --base-url={at.base_url}")
        if at.odd:
            yield Finding(
                "problem",
                "list of models",
                at.odd,
                "name the models with --model, --embedding-model and --vision-model",
            )
        base_url, listed = at.base_url, at.models
        yield from _model(hints, listed, model)

        def ask(request: Request, model: str) -> Exchange:
            return wire.send(request, base_url, model=model, http=http)

        speaks = data.get("attach", {}).get("capabilities", {})
        chatting, embedding = _by_capability(listed, capabilities(ask, base_url, speaks), speaks)
        named = model or (chatting or listed)[0]
        embedders = [other for other in embedding if other != named][: roles.PROBES]
        facts = identify.attached(base_url, data, named, access)
        with identify.Asker(root(base_url), access, named) as asker:
            patient = Patient(data, base_url, named, embedders, ask, asker, facts)
            chats = True
            for look in (_chat, _embeddings, _tools, _slots, _quantisation, _claim, _gpu):
                for finding in look(patient) if chats or look is not _tools else ():
                    chats = chats and (finding.what, finding.state) != ("chat", "problem")
                    yield finding


def _by_capability(listed: list[str], can: roles.Capabilities, speaks: dict[str, Any]) -> tuple[list[str], list[str]]:
    """The models that say they chat, and those that say they make embeddings; each with those that say nothing."""
    abilities = {model: can(model) for model in listed}

    def able(role: Role) -> list[str]:
        wanted = speaks.get(role, [""])[0]
        return [model for model, told in abilities.items() if told is None or wanted in told]

    return able("chat"), able("embedding")


def _silent(hints: dict[str, Any], base_url: str, access: Access) -> Iterator[Finding]:
    """Why an address that the user named does not answer."""
    if other := listening.in_other_scheme(base_url):
        yield Finding("problem", "running", f"the server speaks {other.partition(':')[0]}", f"try --base-url={other}")
        return
    with wire.client(10, access) as http:
        answer = wire.send(api.LIST, base_url, model="", http=http)
    if said := explain.no_tls(answer, base_url):
        yield Finding("problem", "TLS", said)
        return
    yield Finding("problem", "running", f"nothing answers at {root(base_url)}", _start(hints))
    yield from _container(hints)


def _not_running(backend: str, data: dict[str, Any], seen: str) -> Iterator[Finding]:
    """No server answers at the usual addresses. This is a problem only if the suite cannot start one itself."""
    hints, wanted = data.get("doctor", {}), Wanted(backend=backend)
    if "deploy" not in data:
        yield Finding("problem", "running", seen, _start(hints))
        return
    try:
        chosen = process.program(wanted, data)
        process.with_models(data, wanted)
    except CannotStart as problem:
        yield Finding("problem", "running", seen, _start(hints))
        would = "try a container (--runtime=container)" if "container" in data else "stop"
        yield Finding("unclear", "pytest", f"it would {would}: {problem}")
    else:
        would = f"pytest would start one itself, {chosen.found}"
        yield Finding("unclear", "running", f"{seen}; {would}", f"to measure yours, {_start(hints)}")
    yield from _container(hints)


def _start(hints: dict[str, Any]) -> str:
    return f"start it: {hints['start']}" if "start" in hints else "start it, or name its --base-url"


def _container(hints: dict[str, Any]) -> Iterator[Finding]:
    name = hints.get("container")
    if not name or which("docker") is None:
        return
    try:
        done = subprocess.run(
            ["docker", "ps", "--all", "--filter", f"name={name}", "--format", "{{.Names}}: {{.Status}}"],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except subprocess.TimeoutExpired:
        done = subprocess.CompletedProcess([], 1, "", "docker does not answer")
    if done.returncode != 0:
        yield Finding("unclear", "container", (done.stderr.strip().splitlines() or ["docker failed"])[-1][:160])
    elif not done.stdout.strip():
        yield Finding("unclear", "container", f"there is no container {name}")
    elif "Up" in done.stdout:
        yield Finding("ok", "container", done.stdout.strip(), f"its ports may not be published: docker port {name}")
    else:
        yield Finding("problem", "container", done.stdout.strip(), f"read why: docker logs {name}")


def _health(hints: dict[str, Any], base_url: str, access: Access) -> Iterator[Finding]:
    if "health" not in hints:
        return
    url = root(base_url) + hints["health"]
    with wire.client(10, access) as http:
        answer = wire.send(Request(method="GET", path=url), base_url, model="", http=http)
    if answer.status == 200:
        yield Finding("ok", "health", f"{hints['health']} answers 200")
    else:
        said = answer.error_detail or f"{answer.status} {message(answer)}"
        yield Finding(
            "problem", "health", f"{hints['health']}: {said}", "wait until the model is loaded, or read its log"
        )


def _model(hints: dict[str, Any], listed: list[str], model: str | None) -> Iterator[Finding]:
    if model and listed and not lists(listed, model):
        yield Finding("problem", "model", f"{model} is not listed; there are {in_short(listed)}", hints.get("load", ""))
    elif listed:
        yield Finding("ok", "model", in_short(listed))


def _chat(server: Patient) -> Iterator[Finding]:
    answer = server.ask(roles.PROBE["chat"], server.model)
    if answer.status == 200:
        yield Finding("ok", "chat", f"{server.model} answers")
    elif answer.status == 404:
        embeds = server.ask(roles.PROBE["embedding"], server.model).status == 200
        seen = "this server only makes embeddings" if embeds else f"404 {message(answer)}"
        yield Finding("problem", "chat", seen, server.hints.get("load", "load a chat model"))
    else:
        yield Finding("problem", "chat", f"{answer.status or answer.error}: {message(answer)}", "read the server's log")


def _embeddings(server: Patient) -> Iterator[Finding]:
    refused: list[str] = []
    for model in [server.model, *server.embedders]:
        answer = server.ask(roles.PROBE["embedding"], model)
        if answer.status == 200:
            yield Finding("ok", "embeddings", f"{model} makes them")
            return
        refused.append(f"{model} ({answer.status or answer.error})")
    yield Finding("unclear", "embeddings", f"not from {', '.join(refused)}", server.hints.get("mend_embeddings", ""))


def _tools(server: Patient) -> Iterator[Finding]:
    mend = server.hints.get("mend_tools", "choose a model and a server that support tools")
    says = server.asker.get(server.hints["tools"]) if "tools" in server.hints else None
    has = server.hints.get("tools", {}).get("has")
    template = (has in says) if has and isinstance(says, list) else says
    if template is False:
        yield Finding("problem", "tools", f"{server.data['title']} says that {server.model} has none", mend)
    body = {
        "model": wire.MODEL,
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "tools": [_TOOL],
        "temperature": 0,
        "max_tokens": 200,
    }
    answer = server.ask(Request(path="/chat/completions", body=body), server.model)
    if answer.status != 200:
        yield Finding("problem", "tools", f"rejected, {answer.status or answer.error}: {message(answer)}", mend)
        return
    said = roles.message_of(answer) or {}
    if said.get("tool_calls"):
        name = _TOOL["function"]["name"]  # The only one that was offered.
        yield Finding("ok", "tools", f"{server.model} calls {name}")
    elif re.search(r"<tool_call>|get_weather", str(said.get("content"))):
        seen = f"the call came as text, {str(said['content'])[:60]!r}: no parser, or one for other models"
        yield Finding("problem", "tools", seen, mend)
    elif template is not False:
        seen = f"accepted, but {server.model} answered in words: {str(said.get('content'))[:60]!r}"
        yield Finding("unclear", "tools", seen, "try a model of the guide's table, or a larger one")


def _slots(server: Patient) -> Iterator[Finding]:
    slots = server.facts.slots
    if slots is None:
        yield Finding("unclear", "parallel slots", "the server does not say how many")
    elif slots == 1:
        yield Finding(
            "problem", "parallel slots", "one: requests wait for each other", server.hints.get("mend_slots", "")
        )
    else:
        less = f"; the guide sets up {SLOTS}" if slots < SLOTS else ""
        yield Finding("ok", "parallel slots", f"{slots}{less}")


def _quantisation(server: Patient) -> Iterator[Finding]:
    kind = server.facts.details.get("quantisation")
    if kind is None:
        yield Finding("unclear", "quantisation", "the server does not say")
    elif kind.upper() in table()["quantisation"]["lower"]:
        least = table()["quantisation"]["least"]
        yield Finding("problem", "quantisation", f"{kind} is too low for tools", f"load one of {least} or higher")
    else:
        yield Finding("ok", "quantisation", kind)


def _claim(server: Patient) -> Iterator[Finding]:
    told = server.facts.details
    row = claimed(" ".join([server.model, told.get("model file", ""), told.get("model family", "")]))
    if row is None:
        yield Finding("unclear", "guide", f"{server.model} is not in its table of models")
    elif "no" in row["guide"].values():
        do = "for tools take Llama 3.1, Mistral Nemo or Qwen 2.5"
        yield Finding("problem", "guide", f"it says of {row['title']}: {row['note']}", do)
    else:
        yield Finding("ok", "guide", f"{row['title']} supports tools: {row['note']}")


def _gpu(server: Patient) -> Iterator[Finding]:
    if "gpu_bytes" in server.hints:
        on_gpu = server.asker.get(server.hints["gpu_bytes"])
        whole = server.asker.get(server.hints["all_bytes"])
        if isinstance(on_gpu, int) and isinstance(whole, int) and whole > 0:
            state: State = "ok" if on_gpu >= whole else "problem"
            do = server.hints.get("mend_gpu", "") if state == "problem" else ""
            yield Finding(state, "GPU", f"{on_gpu / whole:.0%} of the model is on it", do)
            return
    if not identify.on_this_machine(server.base_url):
        yield Finding("unclear", "GPU", "the server is on another machine: cannot tell")
    elif found := identify.gpus():
        seen = f"{', '.join(found)}; the server does not say whether it uses it"
        yield Finding("unclear", "GPU", seen, server.hints.get("mend_gpu", ""))
    else:
        yield Finding(
            "unclear", "GPU", "none was found on this machine (no /dev/kfd, no nvidia-smi): it runs on the CPU"
        )
