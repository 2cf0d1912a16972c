"""The reference as the server behind a gateway, with a tape of what arrives."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backends import launch, redaction, scratch, wire
from backends.errors import CannotMeasure, CannotStart
from backends.target import Target, Wanted
from backends.wire import Exchange, Request

NAME = "reference"
"""The only backend that has a tape; it exists only in a clone of the suite."""

KEY = "the-upstreams-key"
"""The key that the gateway sends to the upstream, if it has its own key. It protects nothing."""

HOST, PORT = "127.0.0.1", 8999

WAIT = 600.0
"""Seconds in which the user may configure the gateway and start it."""

READY = 120.0
"""Seconds in which a gateway that answers may find its upstream: routers look every minute."""

FEW = 4
"""How many of the models that a gateway lists are tried: they may belong to several upstreams."""

HELLO = Request(body={"model": wire.MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]})

LOOK = 0.5
"""Seconds between two looks whether it answers."""

DEEPEST = 60
"""Levels of JSON that are compared member by member."""

CLIENTS_KEY = "[the client's key]"
UPSTREAMS_KEY = "[the upstream's key]"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Where `--upstream` has the reference listen."""

    host: str = HOST
    port: int = PORT


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A request that arrived at the upstream, and what the upstream sent. Times are Unix times.

    `exchange` has `[the client's key]` and `[the upstream's key]` in the place of these; `has_clients_key` and
    `has_upstreams_key` say whether they were anywhere in the request. `whole`: the response was sent to its end.
    """

    exchange: Exchange
    began: float
    ended: float
    whole: bool
    has_clients_key: bool
    has_upstreams_key: bool


@dataclass
class Upstream:
    """The running reference. `key` is the client's, which it accepts, too; without one it needs none."""

    process: launch.Process
    tape: Path
    base_url: str
    key: str | None

    def read(self) -> list[Arrival]:
        """All that has arrived, in the order in which it ended."""
        lines = self.tape.read_text(encoding="utf-8").splitlines() if self.tape.exists() else []
        return [arrival(json.loads(line), self.base_url, self.key) for line in lines]

    def stop(self) -> None:
        """Stop it, and remove its tape."""
        self.process.stop()
        shutil.rmtree(self.tape.parent, ignore_errors=True)


def read_option(text: str) -> Asked:
    """`reference`, or `reference@HOST:PORT`. Raises CannotMeasure with a sentence."""
    found = re.fullmatch(rf"{NAME}(?:@(?:https?://)?([\w.-]+|\[[\w:]+\]):(\d{{1,5}})(?:/v1)?/?)?", text)
    if not found or not 0 < int(found[2] or PORT) < 65536:
        raise CannotMeasure(f"--upstream={text}: expected {NAME}, or {NAME}@HOST:PORT with where it listens.")
    return Asked(host=(found[1] or HOST).strip("[]"), port=int(found[2] or PORT))


def start(asked: Asked, key: str | None) -> Upstream:
    """Start the reference. Raises CannotStart."""
    if importlib.util.find_spec("tests") is None or importlib.util.find_spec("tests.reference") is None:
        raise CannotStart(
            "--upstream needs the reference server, which only a clone of the suite has, with `.[test]`: run it there."
        )
    directory = scratch.make()
    tape = directory / "tape.jsonl"
    command = [sys.executable, "-m", "tests.reference", "--host", asked.host, "--port", str(asked.port)]
    env = {"REFERENCE_API_KEY": f"{KEY} {key}" if key else ""}
    process = launch.start([*command, "--delay", "0", "--tape", str(tape)], asked.port, directory / NAME, env)
    host = f"[{asked.host}]" if ":" in asked.host else asked.host
    if asked.host not in ("0.0.0.0", "::"):
        process.origin = f"http://{host}:{asked.port}"
    try:
        process.wait_until_healthy("/health", 30)
    except BaseException:
        process.stop()
        raise
    return Upstream(process, tape, f"http://{host}:{asked.port}/v1", key)


def how_to_configure(upstream: Upstream, gateway: str) -> str:
    """What the user has to do, in a line."""
    return (
        f"upstream: {upstream.base_url}, key {KEY}, models reference (chat, images), reference-text (chat), "
        f"reference-embedding; have the gateway at {gateway} pass requests on to it"
    )


def await_gateway(wanted: Wanted, upstream: Upstream, say: Callable[[str], None]) -> None:
    """Return once a chat through the gateway arrives at the upstream, or is not going to. Raises CannotMeasure.

    A gateway may answer before it knows its upstream: it gets `READY` seconds more.
    """
    assert wanted.base_url is not None
    until, ready, said = time.monotonic() + WAIT, 0.0, False
    with wire.client(5, wanted.access) as http:
        while not any(one.exchange.request.method == "POST" for one in upstream.read()):
            listing = wire.send(Request(method="GET", path="/models"), wanted.base_url, model="", http=http)
            if listing.status is not None:
                ready = ready or time.monotonic() + READY
                for model in wanted.models.get("chat"), *_listed(listing):
                    if model:
                        wire.send(HELLO, wanted.base_url, model=model, http=http)
            if ready and time.monotonic() > ready:
                return
            if time.monotonic() > until:
                raise CannotMeasure(f"no gateway answered at {wanted.base_url} in {WAIT / 60:g} minutes; start it.")
            if not said:
                say(f"waiting for a request to come through the gateway at {wanted.base_url} …")
                said = True
            time.sleep(LOOK)


def _listed(listing: Exchange) -> list[str]:
    """The first models of a listing."""
    body = as_json(listing.body)
    some = body.get("data") if isinstance(body, dict) else None
    ids = [one.get("id") for one in some if isinstance(one, dict)] if isinstance(some, list) else []
    return [one for one in ids if isinstance(one, str)][:FEW]


def must_be_behind(target: Target, upstream: Upstream) -> Target:
    """The target, which says what is behind it. Raises CannotMeasure if none of its requests arrived there."""
    chats = [one for one in upstream.read() if one.exchange.request.method == "POST"]
    if not chats:
        at = target.deployments[0].base_url
        raise CannotMeasure(
            f"{at} answers, but none of its requests arrived at the upstream: have the gateway pass requests on to "
            f"{upstream.base_url} (key {KEY}), or name the gateway's own address."
        )
    return replace(target, details={**target.details, "upstream": f"the suite's reference at {upstream.base_url}"})


def arrival(line: dict[str, Any], base_url: str, key: str | None) -> Arrival:
    """An arrival from a line of the tape."""
    origin = base_url.removesuffix("/v1")
    sent, got = wire.read_bytes(line["body"]), wire.read_bytes(line["response"])
    text = "\n".join([line["path"], *(f"{name}: {value}" for name, value in line["headers"])])
    hidden = redaction.secrets(key)
    has_key = bool(hidden) and (redaction.text(text, hidden) != text or redaction.raw(sent, hidden) != sent)
    headers = tuple((name, _labelled(value, key)) for name, value in line["headers"])
    path = line["path"]
    request = Request(
        method=line["method"],
        path=path.removeprefix("/v1") if path.startswith("/v1/") else f"/..{path}",
        body=as_json(sent),
        headers=headers,
    )
    return Arrival(
        exchange=Exchange(
            request=request,
            url=origin + path,
            status=line["status"],
            headers=tuple((name, value) for name, value in line["response_headers"]),
            body=got,
            headers_at=round(line["ended"] - line["began"], 4),
            error=None if line["whole"] else "closed",
            started_at=line["began"],
        ),
        began=line["began"],
        ended=line["ended"],
        whole=line["whole"],
        has_clients_key=has_key,
        has_upstreams_key=KEY in text,
    )


def _labelled(value: str, key: str | None) -> str:
    value = value.replace(KEY, UPSTREAMS_KEY)
    return redaction.text(value, redaction.secrets(key)).replace(redaction.REDACTED, CLIENTS_KEY)


def as_json(sent: bytes) -> Any:
    """The body as JSON, or as bytes if it is something else, or too deep to be compared; None if there is none."""
    if not sent:
        return None
    try:
        value = json.loads(sent, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        return sent
    return sent if _is_deep(value) else value


def _finite(number: str) -> float:
    """The number, if results files can hold it."""
    if not math.isfinite(value := float(number)):
        raise ValueError(f"{number} is too large")
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level if isinstance(one, dict | list) for inner in _inner(one)]
        if not level:
            return False
    return True


def _inner(value: dict[str, Any] | list[Any]) -> list[Any]:
    return list(value.values()) if isinstance(value, dict) else value
