"""A server whose bodies and whose HTTP are broken."""

from __future__ import annotations

import gzip
import json
from typing import Any

from tests.hostile.mode import FEW, GOOD, TRUE, checks, mode
from tests.hostile.server import END, Call, chunk, completion, correct
from tests.made import replaced


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


NOT_JSON: list[bytes] = [
    b'\xef\xbb\xbf{"choices": []}',
    b"",
    b"null",
    b"[]",
    b'"choices"',
    b"5",
    b"{}{}",
    b'{"choices": [],}',
    b"{'choices': []}",
    b'{"choices": [] /* none */}',
    b'{"choices": "\xff\xfe\xc0\xaf"}',
    b'{"choices": "\0"}',
    b'{"choices"\0: []}',
    b'{"created": ' + b"9" * 100_000 + b', "choices": []}',
    b'{"choices": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}",
    b"<html><body>Welcome</body></html>",
    b"data: {}\n\ndata: [DONE]\n\n",
]


@mode(
    "pass",
    "fail",
    path="*",
    select=checks("chat", "streaming", "usage", "tools", "embeddings", "models", "errors", "responses"),
    fails=frozenset({"chat.names_the_model", "chat.id_has_the_prefix"}),
)
async def bodies_that_are_no_objects(call: Call) -> None:
    """A different one for each request."""
    if call.method == "GET":
        await correct(call)
        return
    raw = NOT_JSON[len(call.seen.requests) % len(NOT_JSON)]
    if call.streamed:
        await call.body_of(b"data: " + raw + b"\n\ndata: [DONE]\n\n", kind="text/event-stream")
    else:
        await call.body_of(raw)


ODD_VALUES = [
    "\ud800", "\0", 10**4000, -(10**300), 1e300, True, None, [], {}, [[]], {"": {}}, "", " ", "x" * 100_000, -1, 0.5,
]  # fmt: skip


EVERY_CHECK: dict[str, Any] = {
    "select": ("conformance/checks",),
    "options": ("--timeout=10",),
    "cpu": 200,
    "seconds": 200,
}
"""The suite's programs run, too, which take longer than a second to start on a busy machine."""


@mode("pass", "fail", "ignored", path="*", **(GOOD | EVERY_CHECK))
async def odd_values_everywhere(call: Call) -> None:
    """Each response has an odd value in the place of each field of one depth; the whole suite reads them."""
    if call.method == "GET":
        await correct(call)
        return
    number = len(call.seen.requests)
    odd, depth = ODD_VALUES[number % len(ODD_VALUES)], number // len(ODD_VALUES) % 5
    if call.streamed:
        await call.events(replaced(chunk({"role": "assistant", "content": "Paris"}), odd, depth), END)
    else:
        await call.json(replaced(completion("Paris"), odd, depth))


@mode("fail", passes=TRUE | {"wire.framing_loses_nothing"})
async def names_that_come_twice(call: Call) -> None:
    body = json.dumps(completion("Paris"))
    body = body[:-1] + ', "choices": []}'
    await (
        call.body_of(f"data: {body}\n\ndata: [DONE]\n\n", kind="text/event-stream")
        if call.streamed
        else call.body_of(body)
    )


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


CHUNKED = [
    "-1\r\nabc\r\n0\r\n\r\n",
    "0x5\r\nabcde\r\n0\r\n\r\n",
    "5\r\nabcdefgh\r\n0\r\n\r\n",
    "ffffffffffffffffffff\r\nabc",
    "5 5\r\nabcde\r\n0\r\n\r\n",
    "5\nabcde\n0\n\n",
    "\r\n\r\n",
    "5\r\nabcde",
    "0\r\n",
]
HEADS = [
    "HTTP/9.9 200 OK",
    "HTTP/1.1 99 Low",
    "HTTP/1.1 999 High\r\nContent-Length: 2",
    "HTTP/1.1 2000 OK",
    "HTTP/1.1 -1 OK",
    "HTTP/1.1",
    "200 OK",
    "HTTP/1.1 200 OK\r\nContent-Length: 5, 6",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6",
    "HTTP/1.1 200 OK\r\nContent-Length: +5",
    "HTTP/1.1 200 OK\r\nContent-Length: 0x5",
    "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip",
    "HTTP/1.1 200 OK\r\nContent-Length 5",
    "HTTP/1.1 200 OK\r\n: 5",
    "HTTP/1.1 200 OK\r\nX-\0: 5",
    "HTTP/1.1 200 OK\r\n folded",
    "HTTP/1.1 200 OK\r\nContent-Type: \xff\xfe; charset=\xff",
    "HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=no-such\r\nContent-Length: 2",
    "HTTP/1.1 200 \xff\r\nContent-Length: 2",
    "HTTP/1.1 204 No Content\r\nContent-Length: 5",
    "HTTP/1.1 304 Not Modified",
    "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2",
    "SSH-2.0-OpenSSH_9.9",
    "\x16\x03\x01\x02\x00\x01",
    "PRI * HTTP/2.0",
]


@mode(
    "fail",
    "rejected",
    "timeout",
    path="*",
    select=checks("chat", "streaming", "stop", "errors"),
    exits=frozenset({0, 1, 11}),
    passes=TRUE | {"streaming.only_when_asked"},
)
async def bad_chunks_and_heads(call: Call) -> None:
    """A different one for each request."""
    if call.method == "GET":
        await correct(call)
        return
    number = len(call.seen.requests) % (len(CHUNKED) + len(HEADS))
    if number < len(CHUNKED):
        await call.head(Transfer_Encoding="chunked")
        await call.raw(CHUNKED[number].encode("latin-1"))
    else:
        await call.raw((HEADS[number - len(CHUNKED)] + "\r\n\r\n{}").encode("latin-1"))


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
