"""What arrives at the reference and what it sends, as lines of a file: `--upstream=reference` compares both sides of a
gateway with it."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Taped:
    """The application with a tape: each exchange is a line of JSON, written when it has ended."""

    def __init__(self, app: ASGIApp, file: Path) -> None:
        self._app = app
        self._file = file.open("a", encoding="utf-8")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent, got = bytearray(), bytearray()
        line: dict[str, Any] = {"began": time.time(), "method": scope["method"], "path": _path(scope)}
        line |= {"headers": _headers(scope["headers"]), "status": None, "response_headers": [], "whole": False}

        async def hear() -> Message:
            message = await receive()
            sent.extend(message.get("body", b""))
            return message

        async def say(message: Message) -> None:
            await send(message)
            if message["type"] == "http.response.start":
                line["status"] = message["status"]
                line["response_headers"] = _headers(message.get("headers", ()))
            else:
                got.extend(message.get("body", b""))
                line["whole"] = not message.get("more_body", False)

        try:
            await self._app(scope, hear, say)
        finally:
            line |= {"ended": time.time(), "body": _bytes(bytes(sent)), "response": _bytes(bytes(got))}
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()


def _path(scope: Scope) -> str:
    """The path as it was written, with its query."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _headers(pairs: Any) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in pairs]


def _bytes(raw: bytes) -> dict[str, str]:
    """As results files have bytes."""
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}
