"""Endpoints that a server does not have.

An absent endpoint is one fact: its own row says so, and its responses lower no other row. A check gets `Absent` in
place of each response of such an endpoint, and ends when it reads it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import cast

from backends.absent import ABSENT, looks_absent
from backends.wire import Exchange
from conformance.answers import Absent, Answer, Missing
from conformance.answers.ran import Ran
from conformance.answers.recording import Line, Source, answers
from conformance.outcomes import EndpointAbsent
from fixtures.scenario import with_needs


@dataclass(frozen=True)
class Endpoint:
    """A method and a path of the API, in which `{...}` stands for an id.

    `witnesses` are scenarios with a plain, valid request to it: they decide whether it is there. If none of them could
    be sent, the endpoint called `parent` decides. `rows` of the matrix are about this endpoint.
    """

    method: str
    path: str
    witnesses: tuple[str, ...]
    rows: tuple[str, ...]
    parent: str = ""

    @property
    def name(self) -> str:
        """Its name in the API's documents."""
        return f"{self.method} /v1{self.path}"

    def is_at(self, path: str) -> bool:
        """Whether a request's path is this one."""
        id = ".+" if self.path.startswith("/models") else "[^/]+"  # A model's id may have a slash.
        return bool(re.fullmatch(re.sub(r"\{\w+\}", id, self.path), path))

    def is_asked(self, line: Line) -> bool:
        """Whether an exchange is with it."""
        return line.method == self.method and self.is_at(line.path)


UNKNOWN = "bad_path"
"""The scenario that requests a path that no server has."""

_RESPONSES = ("responses", "responses_stream", "responses_tools", "responses_format", "responses_state")
_STORED = (("responses_state",), "POST /v1/responses")

ENDPOINTS = (
    Endpoint("POST", "/chat/completions", ("capital", "count"), ("chat",)),
    Endpoint("POST", "/completions", ("continuation", "from_four"), ("completions",)),
    Endpoint("POST", "/embeddings", ("embedding", "embedding_many"), ("embeddings",)),
    Endpoint("GET", "/models", ("models_list",), ("models",)),
    Endpoint("GET", "/models/{model}", ("model",), ("retrieve_model",)),
    Endpoint("POST", "/responses", ("respond_capital", "respond_count"), _RESPONSES),
    Endpoint("GET", "/responses/{id}", ("retrieved",), *_STORED),
    Endpoint("GET", "/responses/{id}/input_items", ("input_items",), *_STORED),
    Endpoint("DELETE", "/responses/{id}", ("deleted",), *_STORED),
    Endpoint("POST", "/responses/{id}/cancel", (), ("responses_state",), "GET /v1/responses/{id}"),
    Endpoint("POST", "/responses/input_tokens", ("input_tokens_counted",), *_STORED),
    Endpoint("POST", "/responses/compact", ("compacted",), *_STORED),
)
"""The endpoints that scenarios use."""


def given(source: Source, name: str) -> Answer | list[Answer] | Missing:
    """What a check gets for its parameter `name`: the responses, with `Absent` for those of absent endpoints.

    A scenario that was not sent because it needs a response of such an endpoint is absent too.
    """
    return standing_in(source, answers(source, name))


def standing_in(source: Source, found: Answer | list[Answer] | Missing) -> Answer | list[Answer] | Missing:
    """The same with `Absent` in place of the responses of absent endpoints."""
    if isinstance(found, Missing):
        return _or_absent_need(source, found)
    if isinstance(found, Answer):
        return _or_absent(source, found)
    several = cast("list[Answer]", [_or_absent(source, answer) for answer in found])
    return Ran(found.name, several, found.ended) if isinstance(found, Ran) else several


def absent(source: Source, endpoint: Endpoint) -> str | None:
    """One sentence if the server does not have an endpoint; None if it has it, or if that is not known."""
    witnesses = [source.recording(name) for name in endpoint.witnesses]
    statuses = [line.status for one in witnesses for line in one.lines if endpoint.is_asked(line)]
    if not statuses and endpoint.parent:
        parent = next(one for one in ENDPOINTS if one.name == endpoint.parent)
        return absent(source, parent)
    if not statuses or any(status not in ABSENT for status in statuses):
        return None
    asked = [
        exchange
        for one in witnesses
        for exchange, line in zip(one.exchanges, one.lines, strict=True)
        if endpoint.is_asked(line)
    ]
    unknown = next(iter(source.recording(UNKNOWN).exchanges), None)
    if not all(looks_absent(exchange, unknown) for exchange in asked):
        return None
    return f"{endpoint.name} is absent ({', '.join(sorted({str(status) for status in statuses}))})"


def is_unknown(exchange: Exchange) -> bool:
    """Whether a request has a path or a method that the API does not have either."""
    path = exchange.request.path.partition("?")[0]
    return not any(one.method == exchange.request.method and one.is_at(path) for one in ENDPOINTS)


def _or_absent(source: Source, answer: Answer) -> Answer | Absent:
    """The response, or `Absent` if its endpoint is absent."""
    request = answer.exchange.request
    verdict = None if answer.ok else _verdict(source, request.method, request.path.partition("?")[0])
    if verdict is None:
        return answer
    return Absent(answer.name, str(verdict), True, answer.control, verdict, exchange=answer.exchange)


def _or_absent_need(source: Source, missing: Missing) -> Missing:
    """A scenario that was not sent, with the verdict of the absent endpoint that it needs, if there is one."""
    for needed in with_needs([missing.name]) if missing.blocked else ():
        for line in source.recording(needed).lines:
            if verdict := _verdict(source, line.method, line.path):
                return replace(missing, verdict=verdict)
    return missing


def _verdict(source: Source, method: str, path: str) -> EndpointAbsent | None:
    """The verdict on responses to this method and path, if their endpoint is absent."""
    at = [one for one in ENDPOINTS if one.is_at(path)]
    # A method that the API does not have is absent if the path is.
    for endpoint in [one for one in at if one.method == method] or at:
        if sentence := absent(source, endpoint):
            return EndpointAbsent(sentence, endpoint.rows)
    return None
