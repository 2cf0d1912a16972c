"""A server that sends responses slowly, or never."""

from __future__ import annotations

import asyncio
import json

from tests.hostile.mode import GOOD, LISTING, PROGRAMS, mode
from tests.hostile.server import Call, chunk, completion


@mode("timeout")
async def silence(call: Call) -> None:
    await asyncio.sleep(3600)


@mode("timeout")
async def status_line_trickles(call: Call) -> None:
    await call.slowly("HTTP/1.1 200 OK" + "K" * 1000)


@mode("timeout")
async def headers_trickle(call: Call) -> None:
    await call.raw("HTTP/1.1 200 OK\r\n")
    await call.slowly("X-A: b\r\n" * 1000)


@mode("timeout")
async def informational_storm(call: Call) -> None:
    await call.forever("HTTP/1.1 103 Early Hints\r\n\r\n", wait=0.01)


@mode("timeout", "fail")
async def informational_flood(call: Call) -> None:
    await call.forever("HTTP/1.1 100 Continue\r\n\r\n" * 1000)


@mode("timeout")
async def headers_then_silence(call: Call) -> None:
    await call.head()
    await asyncio.sleep(3600)


@mode("timeout")
async def body_trickles(call: Call) -> None:
    await call.head(Content_Length="100000")
    await call.slowly(json.dumps(completion("Paris" * 1000)))


@mode("timeout")
async def chunk_extension_trickles(call: Call) -> None:
    await call.head(Transfer_Encoding="chunked")
    await call.slowly("5;" + "x" * 1000)


@mode("timeout")
async def trailers_trickle(call: Call) -> None:
    body = json.dumps(completion("Paris"))
    await call.head(Transfer_Encoding="chunked")
    await call.raw(f"{len(body):x}\r\n{body}\r\n0\r\n")
    await call.slowly("X-A: b\r\n" * 1000)


@mode("timeout")
async def stream_without_end(call: Call) -> None:
    await call.head(kind="text/event-stream")
    await call.forever(f"data: {json.dumps(chunk({'content': 'a'}))}\n\n", wait=0.1)


@mode("pass", "fail", "ignored", path="/props", backend="llamacpp", **GOOD)
async def props_without_end(call: Call) -> None:
    await call.head()
    await call.forever(" ", wait=0.1)


@mode("pass", "fail", "ignored", path="/version", backend="vllm", **GOOD)
async def version_trickles(call: Call) -> None:
    await call.head(Content_Length="100000")
    await call.slowly('{"version": "' + "1" * 1000)


@mode("pass", "fail", "not-run", **LISTING)
async def models_trickle(call: Call) -> None:
    await call.head(Content_Length="100000")
    await call.slowly('{"data": [' + " " * 1000)


@mode("fail", "timeout", "rejected", "blocked", select=PROGRAMS, **GOOD)
async def programs_wait_in_vain(call: Call) -> None:
    await call.json({"error": {"message": "later"}}, "429 Too Many Requests", Retry_After="61", Retry_After_Ms="61000")
