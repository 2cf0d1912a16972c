"""The ASGI application: routes, API key, body, faults, and sending. Everything that is not the API itself."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from tests.reference import absent, chat, completions, embeddings, errors, faults, model, models, raw, responses, stream
from tests.reference.call import Call, Gone, Reply, State, new_id, repeatable
from tests.reference.errors import ApiError
from tests.reference.fault import Active, Fault

_log = logging.getLogger(__name__)

VERSION = "1"
BODY_LIMIT = 8 << 20  # bytes; above it the answer is 413
_DELAY = 0.001  # seconds between the events of a stream
Handler = Callable[[Call], Reply]


def _health(_call: Call) -> Reply:
    return Reply({"status": "ok"})


def _state(call: Call) -> Reply:
    state = call.state
    shown = ("requests", "active", "streams", "events", "cancelled")
    return Reply({"version": VERSION} | {name: getattr(state, name) for name in shown})


def _faults(_call: Call) -> Reply:
    known = faults.FAULTS.values()
    return Reply([{"name": f.name, "sentence": f.sentence, "area": f.area, "legal": f.legal} for f in known])


_ROUTES: list[tuple[str, dict[str, Handler]]] = [
    ("/v1/chat/completions", {"POST": chat.create}),
    ("/v1/completions", {"POST": completions.create}),
    ("/v1/embeddings", {"POST": embeddings.create}),
    ("/v1/models", {"GET": models.listed}),
    ("/v1/models/(.+)", {"GET": models.one}),
    ("/v1/responses", {"POST": responses.create}),
    ("/v1/responses/input_tokens", {"POST": responses.input_tokens}),
    ("/v1/responses/compact", {"POST": responses.compact}),
    ("/v1/responses/([^/]+)/cancel", {"POST": responses.cancel}),
    ("/v1/responses/([^/]+)", {"GET": responses.retrieve, "DELETE": responses.delete}),
    ("/v1/responses/([^/]+)/input_items", {"GET": responses.input_items}),
    ("/health", {"GET": _health}),
    ("/reference/state", {"GET": _state}),
    ("/reference/faults", {"GET": _faults}),
]


class App:
    """ASGI 3. `active`: names or Fault objects that hold for every request, besides those of its X-Fault header;
    `without`: the endpoints that it lacks, as its X-Absent header names them; `context`: its size in tokens."""

    def __init__(
        self,
        active: Iterable[str | Fault] = (),
        api_key: str | None = None,
        delay: float = _DELAY,
        without: str = "",
        context: int = model.CONTEXT,
    ) -> None:
        self._absent = without
        self.state = State(context=context)
        self._faults = tuple(faults.get(fault) for fault in active)
        self._api_keys = (api_key or "").split()
        self._delay = delay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.state.requests += 1
        headers = {name.lower(): value for name, value in Headers(scope=scope).items()}
        path = unquote(scope["raw_path"].decode("latin-1").partition("?")[0])
        query = scope["query_string"].decode("latin-1")
        call = Call(scope["method"], path, headers, self.state, Active(self._faults), query=query)
        call.http_version = scope["http_version"]
        self.state.active += 1
        try:
            reply = await self._reply(call, receive)
            await self._send(call, reply, receive, send)
        except Gone:
            self.state.cancelled += 1
        finally:
            self.state.active -= 1

    async def _reply(self, call: Call, receive: Receive) -> Reply:
        try:
            sent = await _read(receive)
            named = [name.strip() for name in call.headers.get("x-fault", "").split(",") if name.strip()]
            call.faults = Active([*self._faults, *(faults.get(name) for name in named)])
            if "x-chance" in call.headers:
                call.chance = repeatable(call.headers["x-chance"], call, sent)
            if call.method == "OPTIONS":
                return Reply(b"", status=204)
            asked = call.headers.get("x-absent", self._absent)
            if asked and (reply := absent.reply(call, asked)):
                return reply
            handler = self._route(call)
            self._authorise(call)
            if call.method == "POST" and handler is not responses.cancel:
                call.body = _parse(call, call.faults.apply("sent", sent, call))
                call.body = call.faults.apply("request", call.body, call)
            reply = await asyncio.to_thread(handler, call)
            if reply.events is None:
                reply.body = call.faults.apply("payload", reply.body, call)
                reply.body = call.faults.apply("answer", reply.body, call)
        except ApiError as error:
            body = call.faults.apply("error", {"error": error.error}, call)
            reply = Reply(body, status=error.status, headers=error.headers)
        except faults.UnknownFault as error:
            reply = Reply({"error": {"message": f"There is no fault {error}.", "type": "harness"}}, status=500)
        except Exception:
            _log.exception("%s %s failed", call.method, call.path)
            failed = {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}
            reply = Reply(call.faults.apply("error", {"error": failed}, call), status=500)
        return reply

    @staticmethod
    def _route(call: Call) -> Handler:
        method = "GET" if call.method == "HEAD" else call.method
        for pattern, handlers in _ROUTES:
            if match := re.fullmatch(pattern, call.path):
                call.argument = match[1] if match.groups() else ""
                if method not in handlers:
                    raise errors.wrong_method(call.path, call.method, ", ".join(handlers))
                return handlers[method]
        raise errors.not_found(call.path, call.method)

    def _authorise(self, call: Call) -> None:
        """With an API key set, /v1 requires `Authorization: Bearer KEY` (RFC 6750; the scheme's case is free)."""
        if not self._api_keys or not call.path.startswith("/v1/"):
            return
        scheme, _, key = call.headers.get("authorization", "").partition(" ")
        right = scheme.lower() == "bearer" and key.strip() in self._api_keys
        if not call.faults.apply("authorised", right, call):
            what = "Incorrect API key provided." if key else "You didn't provide an API key."
            challenge = {"www-authenticate": "Bearer"}
            raise ApiError(what, status=401, code="invalid_api_key", headers=challenge)

    async def _send(self, call: Call, reply: Reply, receive: Receive, send: Send) -> None:
        headers = {
            "content-type": "application/json" if reply.events is None else "text/event-stream; charset=utf-8",
            "x-request-id": new_id("req_", 24),
            "access-control-allow-origin": "*",
            "access-control-expose-headers": "x-request-id",
            **reply.headers,
        }
        if reply.events is not None:
            headers["cache-control"] = "no-cache"
        if call.method == "OPTIONS":
            headers |= {
                "access-control-allow-methods": "GET, POST, DELETE, OPTIONS",
                "access-control-allow-headers": call.headers.get("access-control-request-headers", "*"),
                "access-control-max-age": "600",
            }
        status = call.status = call.faults.apply("status", reply.status, call)
        call.faults.apply("headers", headers, call)
        if pause := call.faults.apply("timing", 0.0, call):
            await _pause(pause, receive)
        if call.faults.has("raw", call):
            await raw.respond(call, reply, status, headers, self._delay, receive, send)
            return
        if reply.events is None:
            chunks = list(stream.body(call, reply))
            if len(chunks) == 1 and status != 204:
                headers.setdefault("content-length", str(len(chunks[0])))
            await _start(send, status, headers)
            for chunk in chunks if call.method != "HEAD" else []:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
            return
        await self._stream(call, reply, status, headers, receive, send)

    async def _stream(
        self, call: Call, reply: Reply, status: int, headers: dict[str, str], receive: Receive, send: Send
    ) -> None:
        """Send while generating: the next event is computed after the last one was sent. Ends when the client goes."""
        gone = asyncio.ensure_future(_until_gone(receive))
        self.state.streams += 1
        try:
            call.pulled = 0
            await _start(send, status, headers)
            before = 0
            for chunk in stream.body(call, reply):
                if gone.done():
                    raise Gone
                if call.pulled != before:
                    wait = (call.pulled - before) * self._delay / reply.pace
                    before = call.pulled
                    await asyncio.wait([gone], timeout=call.faults.apply("timing", wait, call))
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            self.state.streams -= 1
            gone.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await gone


async def _start(send: Send, status: int, headers: dict[str, str]) -> None:
    pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})


async def _pause(seconds: float, receive: Receive) -> None:
    """Wait, but end when the client disconnects."""
    gone = asyncio.ensure_future(_until_gone(receive))
    done, _ = await asyncio.wait([gone], timeout=seconds)
    gone.cancel()
    if done:
        raise Gone


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(receive: Receive) -> bytes:
    """The complete body; a body over the limit is read to its end, so that the client can read the rejection."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message: Message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        size += len(message.get("body", b""))
        if size <= BODY_LIMIT:
            parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    if size > BODY_LIMIT:
        raise ApiError(f"The body is larger than {BODY_LIMIT} bytes.", status=413, code="request_too_large")
    return b"".join(parts)


def _parse(call: Call, raw: bytes) -> dict[str, Any]:
    """The body as a JSON object (RFC 8259: UTF-8, no NaN)."""
    kind = call.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        message = f"Unsupported content type '{kind}'; this server takes application/json."
        raise ApiError(message, status=415, code="unsupported_content_type")
    if not raw.strip():
        raise ApiError("The request has no body; a JSON object is expected.", code="missing_body")
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise ApiError("The body of the request is no valid JSON.", code="invalid_json") from error
    if not isinstance(body, dict):
        raise ApiError("The body of the request is no JSON object.", code="invalid_type")
    if b"\\u" in raw:
        text = json.dumps(body, ensure_ascii=False)
        body = json.loads(text.encode("utf-8", "replace"))  # halves of surrogate pairs become question marks
    assert isinstance(body, dict)
    return body


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def create_app(
    faults: Iterable[str | Fault] = (),
    api_key: str | None = None,
    delay: float = _DELAY,
    without: str = "",
    context: int = model.CONTEXT,
) -> App:
    """The reference server. `delay`: seconds between stream events; `without`: see `absent`."""
    return App(faults, api_key, delay, without, context)
