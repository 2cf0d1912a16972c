"""One request and everything that came back: status, headers, raw bytes and when they arrived."""

from __future__ import annotations

import base64
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import quote

import httpx2

from backends import bounds, redaction
from backends.access import Access
from backends.bounds import Body, Spare
from backends.errors import CannotMeasure
from backends.redaction import REDACTED, Secrets

__all__ = ["MODEL", "REDACTED", "Client", "Exchange", "Request", "Role", "WireError", "api_key", "client", "send"]

Role = Literal["chat", "embedding", "vision"]
WireError = Literal["unreachable", "closed", "timeout", "too large", "undecodable"]
Watch = Callable[[int, tuple[tuple[str, str], ...], bytearray], bool]
"""Is given the status, the headers, and what has come of the body, its content encoding undone, whenever more comes;
False hangs up."""

for _name in ("httpx2", "httpcore2"):  # What a server says is written by us alone, who redact it.
    logging.getLogger(_name).setLevel(logging.ERROR)

_LARGE = 1 << 20
_PLAIN = bytes([9, 10, 13, *range(32, 127)])

MODEL = "<model>"
"""Stands in a request body for the name of the model that plays the request's role; `send` puts the name in."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is sent: `body` is JSON (any value), or bytes to be sent as they are, or None for no body.

    `path` is relative to the base URL, which ends in `/v1` (`/chat/completions`); `/../` leads above it. With a header
    `transfer-encoding: chunked` the body is sent in chunks, without its length. `hang_up_after` closes the connection
    once that many bytes of the answer have arrived, `hang_up_in` after that many seconds. A header with an empty value
    is left out, also one that `send` adds by itself. `http_version` is 1.0 for what older proxies and
    clients send; it needs a connection of its own. `room` is for requests whose `max_tokens` or `max_output_tokens`
    only leaves room for the answer: so many tokens, and on top what the model writes beside it.
    """

    method: str = "POST"
    path: str = "/chat/completions"
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    role: Role = "chat"
    hang_up_after: int | None = None
    hang_up_in: float | None = None
    http_version: Literal["1.0", "1.1"] = "1.1"
    room: int | None = None

    @property
    def hangs_up(self) -> bool:
        """Whether the connection may be closed before the end of the response."""
        return self.hang_up_after is not None or self.hang_up_in is not None

    def with_model(self, model: str, room: int = 0) -> Request:
        """The same request with `MODEL` replaced by `model`: in the path, and in the body's `model` or its bytes.

        `room` is how many tokens the model writes beside its answer.
        """
        path = self.path.replace(MODEL, in_path(model))
        body = self.body
        if self.room is not None and isinstance(body, dict):
            body = {**body, limit_of(body): self.room + room}
        if isinstance(body, dict) and body.get("model") == MODEL:
            body = {**body, "model": model}
        if isinstance(body, bytes):
            body = body.replace(MODEL.encode(), model.encode())
        return _replace(self, path=path, body=body)

    def content(self) -> bytes | None:
        """The bytes of the body."""
        if self.body is None or isinstance(self.body, bytes):
            return self.body
        return json.dumps(self.body, ensure_ascii=False).encode()


def limit_of(body: dict[str, Any]) -> str:
    """The parameter that limits the tokens of a response: chat's, or that of the Responses API."""
    return "max_output_tokens" if "max_output_tokens" in body else "max_tokens"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """The recorded wire of one request.

    `reads` are the sizes in bytes of the pieces in which the body arrived, with the time of each in seconds since the
    request was sent. `body` has its content encoding undone. `port` is ours: exchanges with the same one shared a
    connection. `error` says why a response is missing or incomplete: `unreachable` (no connection), `closed` (the
    server closed it early), `timeout`, `too large` (`body` is its beginning), `undecodable` (it is not in the content
    encoding that it names); `status` is then None if not even the headers arrived. `surplus` is the beginning of what
    followed the response on its connection; None: nobody looked, because the response was not read to its end.
    """

    request: Request
    url: str = ""
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    headers_at: float | None = None
    reads: tuple[tuple[float, int], ...] = ()
    error: WireError | None = None
    error_detail: str = ""
    port: int | None = None
    surplus: bytes | None = None
    started_at: float = field(default=0.0, compare=False)
    """Unix time at which the request was sent."""

    def header(self, name: str) -> str | None:
        """The first value of a response header, by its case-insensitive name."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def to_json(self) -> dict[str, Any]:
        """The exchange as plain JSON data, the form in which results files keep it."""
        return {
            "started_at": round(self.started_at, 3),
            "request": {
                "method": self.request.method,
                "url": self.url,
                "path": self.request.path,
                "headers": [list(h) for h in self.request.headers],
                "role": self.request.role,
                "hang_up_after": self.request.hang_up_after,
                "hang_up_in": self.request.hang_up_in,
                "http_version": self.request.http_version,
                "room": self.request.room,
                **_body_to_json(self.request.body),
            },
            "response": {
                "status": self.status,
                "headers": [list(h) for h in self.headers],
                "headers_at_s": self.headers_at,
                "reads": [list(r) for r in self.reads],
                "body": _bytes_to_json(self.body),
                "error": self.error,
                "error_detail": self.error_detail,
                "port": self.port,
                **({} if self.surplus is None else {"surplus": _bytes_to_json(self.surplus)}),
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Exchange:
        """The inverse of `to_json`."""
        sent, got = data["request"], data["response"]
        return cls(
            request=Request(
                method=sent["method"],
                path=sent["path"],
                headers=tuple((k, v) for k, v in sent["headers"]),
                role=sent["role"],
                hang_up_after=sent.get("hang_up_after"),
                hang_up_in=sent.get("hang_up_in"),
                http_version=sent.get("http_version", "1.1"),
                room=sent.get("room"),
                body=read_bytes(sent["body_bytes"]) if "body_bytes" in sent else sent.get("body"),
            ),
            url=sent["url"],
            status=got["status"],
            headers=tuple((k, v) for k, v in got["headers"]),
            body=read_bytes(got["body"]),
            headers_at=got["headers_at_s"],
            reads=tuple((t, n) for t, n in got["reads"]),
            error=got["error"],
            error_detail=got["error_detail"],
            port=got.get("port"),
            surplus=read_bytes(got["surplus"]) if "surplus" in got else None,
            started_at=data["started_at"],
        )


def in_path(model: str) -> str:
    """A model's id as it stands in a URL's path: what would end the path is percent-encoded, a slash is left."""
    return quote(model, safe="/:@!$&'()*+,;=~", errors="surrogatepass")


def api_key() -> str | None:
    """The API key in OPENAI_API_KEY, without white space around it. Raises CannotMeasure if no header can hold it."""
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise CannotMeasure("OPENAI_API_KEY holds characters that no HTTP header may have: set it to the key alone.")
    return key or None


class Client(httpx2.Client):
    """Sends the requests to one server, with its `access`. Large responses share `spare`. It keeps no cookies."""

    def __init__(self, access: Access, **more: Any) -> None:
        self.access = access
        # No proxy of the environment: what is measured is the server itself.
        super().__init__(verify=access.tls(), trust_env=False, **more)
        self.spare = Spare()
        bounds.bind(self)


def client(timeout: float, access: Access | None = None, *, one_connection: bool = False) -> Client:
    """A client for `send`; `timeout` in seconds bounds each wait and, in `send`, the whole exchange.

    Each request has a connection of its own (`Connection: close`): llama-server closes a connection after a stream
    although it announces keep-alive, and a lost race there would look like a fault of the next request. With
    `one_connection`, requests share one, as those of most clients do.
    """
    return Client(
        access or Access(),
        timeout=timeout,
        headers={"connection": "keep-alive" if one_connection else "close"},
        limits=httpx2.Limits(max_keepalive_connections=int(one_connection)),
    )


def send(
    request: Request,
    base_url: str,
    *,
    model: str,
    http: Client,
    room: int = 0,
    until: float | None = None,
    watch: Watch | None = None,
) -> Exchange:
    """Send one request and record what comes back; never raises for what a server or network does.

    `base_url` ends in `/v1`; `http` is a `client()`, shared by all threads; the headers of its access go with each
    request, and its secrets are removed from the exchange, wherever the server repeats them. `room` is how many tokens
    the model writes beside its answer. The exchange ends after the client's timeout, and at the time `until`
    (`time.monotonic`). `watch` sees the response while it comes, with its secrets.
    """
    request = request.with_model(model, room)
    url = _address(base_url.rstrip("/"), request.path)
    got: dict[str, Any] = {"started_at": time.time()}
    body = Body(http.spare)
    try:
        with bounds.exchange(_seconds_for(request, http, until), request.http_version):
            _receive(request, url, http, got, body, watch or (lambda *_: True))
    except bounds.TooLarge as problem:
        got |= {"error": "too large", "error_detail": str(problem)}
    except bounds.Undecodable as problem:
        got |= {"error": "undecodable", "error_detail": str(problem)}
    except httpx2.TimeoutException as problem:
        if request.hang_up_in is None:
            got |= {"error": "timeout", "error_detail": str(problem) or f"no answer within {_seconds(http):g} s"}
    except (httpx2.ConnectError, httpx2.UnsupportedProtocol, httpx2.InvalidURL) as problem:
        got |= {"error": "unreachable", "error_detail": str(problem)}
    except (httpx2.HTTPError, ValueError) as problem:  # ValueError: h11 at a Content-Length of thousands of digits.
        got |= {"error": "closed", "error_detail": str(problem)}
    got |= {"body": bytes(body.kept), "reads": tuple(body.reads)}
    return _redacted(Exchange(request=request, url=url, **got), http.access.secrets())


def _address(base_url: str, path: str) -> str:
    """The URL of a path of the server; a whole URL is left as it is."""
    if path.startswith("/../"):
        return base_url.rpartition("/")[0] + path.removeprefix("/..")
    return base_url + path if path.startswith("/") else path


def _receive(request: Request, url: str, http: Client, got: dict[str, Any], body: Body, watch: Watch) -> None:
    """Send the request, and put what comes back into `got`, fields of an Exchange, and `body` as it comes."""
    start = time.monotonic()
    headers, content = _headers(request, http.access), request.content()
    sent = content if content is None or headers.pop("transfer-encoding", None) != "chunked" else iter([content])
    with http.stream(request.method, http.access.url(url), content=sent, headers=headers) as response:
        got["status"], got["headers_at"] = response.status_code, _elapsed(start)
        got["headers"] = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in response.headers.raw)
        got["port"] = response.extensions["network_stream"].get_extra_info("client_addr")[1]
        body.encoded(response.headers.get("content-encoding"))
        if not watch(got["status"], got["headers"], body.kept):
            return
        for piece in cast(
            httpx2.SyncByteStream, response.stream
        ):  # Unlike `iter_raw`, it leaves the connection open for `surplus`.
            body.add(piece, _elapsed(start))
            if request.hang_up_after is not None and len(body.kept) >= request.hang_up_after:
                return
            if not watch(got["status"], got["headers"], body.kept):
                return
        body.finish()
        got["surplus"] = bounds.surplus(http, response)


def _headers(request: Request, access: Access) -> dict[str, str]:
    """The request's own headers over those that every request has; an empty value leaves one out."""
    headers = {"accept-encoding": "identity"}
    if request.body is not None:
        headers["content-type"] = "application/json"
    headers |= access.sent()
    headers |= {name.lower(): value for name, value in request.headers}
    return {name: value for name, value in headers.items() if value}


def _seconds(http: httpx2.Client) -> float:
    """The time for one response."""
    return http.timeout.read or 60.0


def _seconds_for(request: Request, http: httpx2.Client, until: float | None) -> float:
    """The time for the response to one request."""
    ends = [_seconds(http)]
    if until is not None:
        ends.append(until - time.monotonic())
    if request.hang_up_in is not None:
        ends.append(request.hang_up_in)
    return min(ends)


def _elapsed(start: float) -> float:
    return round(time.monotonic() - start, 4)


def _replace(request: Request, **changes: Any) -> Request:
    return Request(**{**request.__dict__, **changes})


def _redacted(exchange: Exchange, secrets: Secrets) -> Exchange:
    """The exchange without secrets: values of secret headers, and what is secret wherever it stands, in any form.

    What the request itself says openly, such as a model's name, is none in its answer: that would change. The sizes of
    the reads stay as they came; they no longer add up to a body that was changed.
    """
    hidden = hidden_in(exchange.request, secrets)
    changes = {
        "headers": redaction.headers(exchange.headers, hidden),
        "request": _replace(exchange.request, headers=redaction.headers(exchange.request.headers, hidden)),
        "body": _kept(redaction.body(exchange.body, hidden), exchange.error),
        "surplus": redaction.raw(exchange.surplus, hidden)[: bounds.SURPLUS] if exchange.surplus else exchange.surplus,
        "error_detail": redaction.text(exchange.error_detail, hidden),
    }
    return Exchange(**{**exchange.__dict__, **changes})


def hidden_in(request: Request, secrets: Secrets) -> Secrets:
    """What is secret in the response to a request: not what the request itself says."""
    openly = request.content() or b""
    return tuple(secret for secret in secrets if secret.encode() not in openly)


def _kept(body: bytes, error: str | None) -> bytes:
    return body[: bounds.KEPT] if error == "too large" else body


def _bytes_to_json(raw: bytes) -> dict[str, str]:
    if len(raw) > _LARGE and raw.translate(None, _PLAIN):  # Up to six characters a byte in JSON, and four in memory.
        return {"base64": base64.b64encode(raw).decode()}
    try:
        return {"text": raw.decode("utf-8")}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def read_bytes(data: dict[str, str]) -> bytes:
    """Bytes as results files have them: as text, or as base64."""
    return data["text"].encode("utf-8", "surrogatepass") if "text" in data else base64.b64decode(data["base64"])


def _body_to_json(body: Any) -> dict[str, Any]:
    return {"body_bytes": _bytes_to_json(body)} if isinstance(body, bytes) else {"body": body}
