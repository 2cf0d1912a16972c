"""A server whose bodies and whose HTTP are broken."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.hostile.mode import FEW, GOOD, TRUE, checks, mode
from tests.hostile.server import END, Call, chunk, completion


@mode("fail")
async def false_gzip(call: Call) -> None:
    await call.json(completion("Paris"), Content_Encoding="gzip")


@mode("fail")
async def false_deflate(call: Call) -> None:
    await call.json(completion("Paris"), Content_Encoding="deflate")


@mode("fail")
async def unasked_brotli(call: Call) -> None:
    await call.json(completion("Paris"), Content_Encoding="br")


@mode("fail")
async def half_a_gzip(call: Call) -> None:
    await call.body_of(gzip.compress(json.dumps(completion("Paris")).encode())[:-9], Content_Encoding="gzip")


@mode("fail")
async def utf16(call: Call) -> None:
    await call.body_of(json.dumps(completion("Paris")).encode("utf-16"))


@mode("fail")
async def utf32(call: Call) -> None:
    await call.body_of(json.dumps(completion("Paris")).encode("utf-32"))


@mode("fail", passes=TRUE | {"wire.framing_loses_nothing"})
async def not_a_number(call: Call) -> None:
    one = completion("Paris", temperature=float("nan"))
    await (call.events(chunk({"role": "assistant", "content": "a"}) | one) if call.streamed else call.json(one))


@mode("fail", passes=TRUE | {"wire.framing_loses_nothing"})
async def infinite(call: Call) -> None:
    one = completion("Paris", temperature=float("-inf"))
    await (call.events(chunk({"role": "assistant", "content": "a"}) | one) if call.streamed else call.json(one))


# Broken HTTP


@mode("fail")
async def garbage(call: Call) -> None:
    await call.raw(bytes(range(256)) * 10)


@mode("fail")
async def closes_at_once(call: Call) -> None:
    return


@mode("fail")
async def length_of_5000_digits(call: Call) -> None:
    await call.head(Content_Length="9" * 5000)


@mode("fail")
async def negative_length(call: Call) -> None:
    await call.head(Content_Length="-5")


@mode("fail")
async def switches_protocols(call: Call) -> None:
    await call.raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "x" * 1000)


@mode("fail")
async def bad_chunk_size(call: Call) -> None:
    await call.head(Transfer_Encoding="chunked")
    await call.raw("zz\r\nabc\r\n")


@mode("fail")
async def closes_in_the_body(call: Call) -> None:
    await call.head(Content_Length="5000")
    await call.raw('{"choices"')


# Bytes after a response

AFTER: dict[str, Any] = {
    "select": FEW + checks("connections"),
    "fails": frozenset({"connections.nothing_follows_the_response"}),
    **GOOD,
}


@mode("pass", **AFTER)
async def second_response(call: Call) -> None:
    """Both in one packet; the second is another."""
    await call.chat()
    await call.raw("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 6\r\n\r\n", "forged")


@mode("pass", **AFTER)
async def more_than_the_length(call: Call) -> None:
    body = json.dumps(completion("Paris"))
    if call.streamed:
        body = "".join(f"data: {json.dumps(one)}\n\n" for one in (chunk({"role": "assistant", "content": "a"}), END))
        body += "data: [DONE]\n\n"
    kind = "text/event-stream" if call.streamed else "application/json"
    await call.head(kind=kind, Content_Length=str(len(body)))
    await call.raw(body + "surplus")


@mode("pass", **AFTER)
async def garbage_after_the_last_chunk(call: Call) -> None:
    if not call.streamed:
        await call.chat()
        return
    events = "".join(f"data: {json.dumps(one)}\n\n" for one in (chunk({"role": "assistant", "content": "a"}), END))
    await call.head(kind="text/event-stream", Transfer_Encoding="chunked")
    body = events + "data: [DONE]\n\n"
    await call.raw(f"{len(body):x}\r\n{body}\r\n0\r\n\r\ngarbage")
