"""A hostile server: raw asyncio, correct but for what its mode does. It serves from a thread, on a port of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from backends import roles, room

STEP = 0.2
"""Seconds between two bytes of a trickling response: so short that no single read of a client times out."""


@dataclass
class Seen:
    """What the server saw: its requests, and how many it had open at once."""

    requests: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    open: int = 0
    most: int = 0
    dead: asyncio.Event = field(default_factory=asyncio.Event)
    """Once it is set, the server takes no more connections."""


@dataclass
class Call:
    """One request, and the connection to answer it on."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    writer: asyncio.StreamWriter
    seen: Seen

    @property
    def asked(self) -> dict[str, Any]:
        """The body's JSON object."""
        with contextlib.suppress(ValueError, RecursionError):
            if isinstance(body := json.loads(self.body or b"{}"), dict):
                return body
        return {}

    @property
    def streamed(self) -> bool:
        return self.asked.get("stream") is True

    @property
    def key(self) -> str:
        """The API key that came."""
        return self.headers.get("authorization", "").removeprefix("Bearer ")

    async def raw(self, *pieces: bytes | str) -> None:
        """Bytes as they are; text is sent in UTF-8."""
        for piece in pieces:
            self.writer.write(piece.encode() if isinstance(piece, str) else piece)
            await self.writer.drain()

    async def slowly(self, text: str) -> None:
        """A byte at a time."""
        for char in text:
            await self.raw(char)
            await asyncio.sleep(STEP)

    async def forever(self, *pieces: bytes | str, wait: float = 0.0) -> None:
        """The pieces again and again, until the client goes away."""
        while True:
            await self.raw(*pieces)
            await asyncio.sleep(wait)

    async def head(self, status: str = "200 OK", kind: str = "application/json", **headers: str) -> None:
        """Status line and headers of a response whose end is that of its connection."""
        lines = [f"HTTP/1.1 {status}", f"Content-Type: {kind}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        await self.raw("\r\n".join(lines) + "\r\n\r\n")

    async def body_of(self, raw: bytes | str, status: str = "200 OK", kind: str = "application/json", **h: str) -> None:
        """A whole response."""
        raw = raw.encode() if isinstance(raw, str) else raw
        await self.head(status, kind, Content_Length=str(len(raw)), **h)
        await self.raw(raw)

    async def json(self, value: Any, status: str = "200 OK", **headers: str) -> None:
        await self.body_of(json.dumps(value), status, **headers)

    async def events(self, *chunks: Any) -> None:
        """A whole stream."""
        await self.head(kind="text/event-stream")
        await self.raw("".join(f"data: {json.dumps(one)}\n\n" for one in chunks), "data: [DONE]\n\n")

    async def chat(self, text: str = "Paris", **more: Any) -> None:
        """A correct chat completion, plain or streamed as it was asked for."""
        if self.streamed:
            await self.events(
                *[chunk(delta) for delta in ({"role": "assistant", "content": ""}, {"content": text})], END
            )
        else:
            await self.json(completion(text, **more))


Act = Callable[[Call], Awaitable[None]]


def completion(text: str, **more: Any) -> dict[str, Any]:
    """A chat completion object."""
    choice = {"index": 0, "message": {"role": "assistant", "content": text, "refusal": None}, "logprobs": None}
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}
    choices = [{**choice, "finish_reason": "stop"}]
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1764400000, "model": "m"}
    return {**head, "choices": choices, "usage": usage, **more}


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    """A chunk of a stream."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1764400000, "model": "m"}
    return {**head, "choices": [choice]}


END = chunk({}, "stop")


def is_first(call: Call) -> bool:
    """Whether the suite only finds out what the chat model is. Without that nothing would be measured."""
    hello = call.asked.get("messages") == roles.PROBE["chat"].body["messages"]
    return call.path == "/v1/chat/completions" and (hello or call.asked.get("max_tokens") == room.MOST)


async def correct(call: Call) -> None:
    """What the server does unless its mode does something else."""
    if call.path == "/v1/models":
        await call.json({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]})
    elif call.path == "/v1/chat/completions":
        await call.chat()
    else:
        await call.json(
            {"error": {"message": "no such path", "type": "x", "param": None, "code": None}}, "404 Not Found"
        )


@contextlib.contextmanager
def serving(acts: dict[str, Act], *, spares_first: bool = True) -> Iterator[tuple[str, Seen]]:
    """Serve until the block ends; yields the origin, and what was seen. `acts` are by path; `*` stands for any.
    The requests that find out what the model is (`is_first`) get a good response, unless `spares_first` is false."""
    seen, loop = Seen(), asyncio.new_event_loop()
    loop.set_exception_handler(lambda *_: None)  # Of acts that are cancelled at the end.

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.open += 1
        seen.most = max(seen.most, seen.open)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, ValueError):
            async for call in calls(reader, writer, seen):
                seen.requests.append((call.method, call.path, call.headers))
                act = acts.get(call.path, acts.get("*", correct))
                acting = asyncio.ensure_future((correct if spares_first and is_first(call) else act)(call))
                gone = asyncio.ensure_future(reader.read(1))
                await asyncio.wait({acting, gone}, return_when=asyncio.FIRST_COMPLETED)
                acting.cancel()
                gone.cancel()
                break
        seen.open -= 1
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(connected, "127.0.0.1", 0, limit=1 << 24))

    async def die() -> None:
        await seen.dead.wait()
        server.close()

    dying = loop.create_task(die())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", seen
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        dying.cancel()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        server.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()


async def calls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: Seen) -> AsyncIterator[Call]:
    """The requests of a connection."""
    while head := await reader.readuntil(b"\r\n\r\n"):
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        yield Call(method, path, headers, body, writer, seen)
