"""Whether a fault changes a response, found out without a socket, so that only changed requests are sent again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
from collections import defaultdict
from copy import deepcopy
from typing import Any
from urllib.parse import unquote, urlsplit

from backends.wire import Request
from tests.reference.app import App
from tests.reference.call import Call, State
from tests.reference.fault import Active, Fault

Answer = list[tuple[Any, ...]]
"""The ASGI messages of an answer: status and headers, then the pieces of the body; the times in it left out."""

NOW = re.compile(rb'(_at|created)": ?1[0-9]{9}\b')
"""A time in an answer, which differs from answer to answer anyway."""


SEEN = 20
"""Messages of a response after which a client that closes its connection is taken to have left."""


class _Left(Exception):
    """The client closed its connection."""


class Rehearsal:
    """The reference server's application, called directly, one request after the other, with the chance that it had.

    It has stored no responses, so what refers to earlier ones cannot be rehearsed.
    """

    def __init__(self, api_key: str, behind: tuple[str, ...] = ()) -> None:
        self._behind = behind
        self._app = App(api_key=api_key, delay=0)
        self._key = api_key
        self._loop = asyncio.new_event_loop()
        self._sound: dict[int, Answer] = {}

    def changes(self, request: Request, url: str, fault: Fault, seed: str, before: int) -> bool:
        """Whether the fault changes the answer to a request that was sent to `url`, with the same chance (`X-Chance`)
        after so many of its kind."""
        dice = seed, before
        if id(request) not in self._sound:
            self._sound[id(request)] = self._answer(request, url, dice)
        sound = self._sound[id(request)]
        only = set(fault.hooks)
        if only == {"error"} and sound[0][0] < 400:
            return False
        if only == {"request"} and not self._changes_body(request, url, fault):
            return False
        return self._answer(request, url, dice, fault) != sound

    def _changes_body(self, request: Request, url: str, fault: Fault) -> bool:
        body = request.body
        if not isinstance(body, dict):
            return body is not None
        headers = {name.lower(): value for name, value in request.headers}
        parts = urlsplit(url)
        call = Call(request.method, parts.path, headers, State(), Active([fault]), body=deepcopy(body))
        call.query, call.http_version = parts.query, request.http_version
        try:
            return json.dumps(call.faults.apply("request", call.body, call)) != json.dumps(body)
        except Exception:  # refused, or crashed
            return True

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    def _answer(self, request: Request, url: str, dice: tuple[str, int], fault: Fault | None = None) -> Answer:
        parts = urlsplit(url)
        headers = {"content-type": "application/json"} if request.body is not None else {}
        headers |= {"authorization": f"Bearer {self._key}"} | {name.lower(): value for name, value in request.headers}
        headers |= {"x-chance": dice[0], "x-fault": ",".join([*self._behind, *([fault.name] if fault else [])])}
        scope = {
            "type": "http",
            "http_version": request.http_version,
            "method": request.method,
            "path": unquote(parts.path),
            "raw_path": parts.path.encode(),
            "query_string": parts.query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items() if value],
        }
        said: Answer = []
        leaves = request.hangs_up and not (fault and "wire" in fault.hooks)  # Those may change what comes last.
        asked = [{"type": "http.request", "body": request.content() or b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not asked:
                await asyncio.Event().wait()  # the client stays
            return asked.pop()

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                said.append((message["status"], *message["headers"]))
            else:
                said.append((NOW.sub(b"", message["body"]),))
            if leaves and len(said) >= SEEN:
                raise _Left

        random.seed(f"{dice} {request.body}")  # of ids
        self._app.state.asked = defaultdict(lambda: dice[1])
        with contextlib.suppress(_Left):
            self._loop.run_until_complete(self._app(scope, receive, send))
        return said
