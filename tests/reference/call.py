"""One request on its way through the server, and the response of a handler."""

from __future__ import annotations

import random
import re
import string
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from fixtures.dialects import dialects
from tests.reference import model
from tests.reference.errors import ApiError, unknown_model
from tests.reference.fault import Active, area_of
from tests.reference.validate import string as is_string

DONE = "[DONE]"
_ALPHABET = string.ascii_letters + string.digits


class Gone(Exception):
    """The client went away; or a fault's `wire` hook raises it to cut the connection."""


@dataclass(frozen=True)
class Model:
    """A model of the server. `org/name:tag` is there because ids may hold `/` and `:`, OpenAI's own because
    the documented examples name them. Those of dialects, `probe-NAME`, are there but not listed."""

    id: str
    chat: bool = True
    vision: bool = True
    listed: bool = True


MODELS = {
    model.id: model
    for model in (
        Model("reference"),
        Model("reference-text", vision=False),
        Model("reference-embedding", chat=False, vision=False),
        Model("org/name:tag"),
        Model("gpt-3.5-turbo", vision=False),
        Model("text-embedding-ada-002", chat=False, vision=False),
        *(Model(f"probe-{name}", vision=False, listed=False) for name in dialects()),
    )
}


@dataclass
class State:
    """What the server has done up to now; shown at GET /reference/state, for the suite's own tests."""

    context: int = model.CONTEXT  # tokens of prompt and response together
    requests: int = 0
    active: int = 0  # answers being generated now
    streams: int = 0  # streams being sent now
    events: int = 0  # stream events generated
    broken: set[str] = field(default_factory=set)  # by which faults, for good
    kept: dict[str, Any] = field(default_factory=dict)  # what faults keep from one request to another
    cancelled: int = 0  # streams ended because the client went away
    asked: dict[str, int] = field(default_factory=lambda: defaultdict(int))  # the same, under the same X-Chance
    prompts: set[tuple[str, int]] = field(default_factory=set)  # what the cache has: beginnings, by their hash
    responses: dict[str, dict[str, Any]] = field(default_factory=dict)  # stored by the Responses API


@dataclass
class Call:
    """A request: what handlers and faults may know of it."""

    method: str
    path: str
    headers: dict[str, str]
    state: State
    faults: Active
    body: dict[str, Any] = field(default_factory=dict)
    argument: str = ""  # the id at the end of the path
    query: str = ""
    http_version: str = "1.1"
    pulled: int = -1  # events of the stream so far; -1 before the headers
    status: int = 200  # of the answer, once it is known
    begun: float = field(default_factory=time.time)
    chance: random.Random = field(default_factory=random.Random)  # all draws without a seed

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True

    @property
    def area(self) -> str:
        """The endpoint that is asked."""
        return area_of(self.path)

    @property
    def created(self) -> int:
        return int(self.begun)


@dataclass
class Reply:
    """An answer: a JSON body, or the events of a stream (`named`: with an SSE event line, as the Responses API has)."""

    body: Any = None
    events: Iterator[Any] | None = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    named: bool = False
    pace: int = 1  # events that a step of generation makes, about


_MADE_UP = re.compile(rb"[A-Za-z0-9]{20,}")


def repeatable(name: str, call: Call, sent: bytes) -> random.Random:
    """The chance of a request under `X-Chance: SEED#RUN`: the k-th time that this is asked in a run, ids in it aside,
    all draws are those of the k-th time in any other run with the same seed."""
    asked = f"{call.method} {call.path} {_MADE_UP.sub(b'', sent)!r}"
    counted = f"{hash(asked)} {name}"
    call.state.asked[counted] += 1
    return random.Random(f"{name.partition('#')[0]} {asked} {call.state.asked[counted]}")


def new_id(prefix: str, length: int = 29) -> str:
    return prefix + "".join(random.choices(_ALPHABET, k=length))


def find_model(body: dict[str, Any], *, chat: bool = True) -> Model:
    """The model that a request names, if it can do this."""
    name = body.get("model")
    if name is None or name == "":
        raise ApiError("you must provide a model parameter", param="model", code="missing_required_parameter")
    is_string(name, "model")
    model = MODELS.get(name)
    if model is None:
        raise unknown_model(name)
    if model.chat != chat:
        raise ApiError(f"The model `{name}` does not do this.", param="model", code="unsupported_model")
    return model
