"""A server that sends large responses."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from functools import cache
from typing import Any

from tests.hostile.mode import ANY, CHAT, FEW, GOOD, KEY, LISTING, MODES, PROGRAMS, TRUE, Mode, checks, mode, own
from tests.hostile.server import END, Act, Call, chunk, completion, correct

LARGE: dict[str, Any] = {
    "options": ("--timeout=10",),
    "select": checks("chat.answers_with_a_message", "wire.answers_are_complete", "wire.chat_shape", "wire.chunk_shape"),
    "cpu": 60,
}
"""Their size ends these responses, also on a busy machine. Few checks read them: each sends more requests."""


@mode("fail", "timeout", **LARGE)
async def endless_stream(call: Call) -> None:
    await call.head(kind="text/event-stream")
    await call.forever(f"data: {json.dumps(chunk({'content': 'abc'}))}\n\n" * 500)


@mode("fail", "timeout", **LARGE)
async def endless_body(call: Call) -> None:
    await call.head()
    await call.raw('{"choices": "')
    await call.forever("x" * 65536)


@mode("fail", "timeout", **LARGE)
async def half_a_gigabyte(call: Call) -> None:
    await call.head(Content_Length=str(500_000_000))
    for _ in range(7630):
        await call.raw(b" " * 65536)


@mode("fail", "timeout", **LARGE)
async def one_line_of_a_stream(call: Call) -> None:
    await call.head(kind="text/event-stream")
    await call.raw("data: ")
    for _ in range(3200):
        await call.raw(b"x" * 65536)


@mode("fail", "timeout", **LARGE)
async def a_million_choices(call: Call) -> None:
    choice = '{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}'
    await call.head()
    await call.raw('{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[')
    for _ in range(1000):
        await call.raw(f"{choice}," * 1000)
    await call.raw(f"{choice}]}}")


@mode("fail", "timeout", **LARGE)
async def a_million_empty_values(call: Call) -> None:
    await call.body_of('{"choices":[' + "{}," * 2_000_000 + "{}]}")


@cache
def choices(number: int) -> bytes:
    one = completion("x")
    return json.dumps({**one, "choices": [{**one["choices"][0], "index": n} for n in range(number)]}).encode()


@mode("pass", "fail", "timeout", "blocked", **(GOOD | LARGE))
async def many_choices(call: Call) -> None:
    """Below each bound, so that they are parsed."""
    await call.body_of(await asyncio.to_thread(choices, 60_000))


@mode("pass", "fail", "ignored", **GOOD)
async def many_events(call: Call) -> None:
    """A long stream that is correct, at most 16 MB."""
    if not call.streamed:
        await call.chat("ab" * 25_000)
        return
    await call.head(kind="text/event-stream")
    await call.raw(f"data: {json.dumps(chunk({'role': 'assistant', 'content': ''}))}\n\n")
    for _ in range(50):
        await call.raw(f"data: {json.dumps(chunk({'content': 'ab'}))}\n\n" * 500)
    await call.raw(f"data: {json.dumps(chunk({'content': 'ab' * 0}))}\n\ndata: {json.dumps(END)}\n\ndata: [DONE]\n\n")


@mode("fail", "timeout", **LARGE)
async def one_byte_chunks(call: Call) -> None:
    await call.head(Transfer_Encoding="chunked")
    await call.forever("1\r\nx\r\n" * 10_000)


@mode("pass", "fail", "timeout", "blocked", **(GOOD | LARGE))
async def line_feeds(call: Call) -> None:
    await call.body_of(b"\n" * (15 << 20), kind="text/event-stream" if call.streamed else "application/json")


@mode("pass", "fail", "timeout", "blocked", **(GOOD | LARGE))
async def backslashes(call: Call) -> None:
    """They begin like an escaped key at each place."""
    await call.body_of(b"\\" * (4 << 20))


@mode("pass", "fail", "timeout", "blocked", **(GOOD | LARGE))
async def control_characters(call: Call) -> None:
    """Six bytes each in JSON."""
    await call.body_of(b"\x01" * (15 << 20))


@mode(
    "pass",
    "fail",
    "timeout",
    "blocked",
    **(
        GOOD | LARGE | {"select": FEW + checks("tools.a_plain_answer_stays_plain", "tools.streamed_text_has_no_markup")}
    ),
)
async def markers_without_end(call: Call) -> None:
    """Each could be a marker of the model's notation as long as the rest of the text."""
    await call.chat("<think <tool_call " * 200_000)


@cache
def wide() -> str:
    return json.dumps(completion("x" * (15 << 20) + "\U0001f600"), ensure_ascii=False)


@mode("pass", "fail", "timeout", "blocked", **(GOOD | LARGE))
async def wide_characters(call: Call) -> None:
    """Four bytes each in memory."""
    await call.body_of(await asyncio.to_thread(wide))


@cache
def bomb() -> bytes:
    """0.3 MB that become 300, made without ever having them in memory: the test's own peak is seen in its child's."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(
        [packer.compress(b'{"build_info": "'), *(packer.compress(b"x" * (1 << 20)) for _ in range(300)), packer.flush()]
    )


@mode("fail", "timeout", **LARGE)
async def gzip_bomb(call: Call) -> None:
    await call.body_of(await asyncio.to_thread(bomb), Content_Encoding="gzip")


@mode("fail", "timeout", **LARGE)
async def gzip_bomb_in_gzip(call: Call) -> None:
    await call.body_of(gzip.compress(await asyncio.to_thread(bomb)), Content_Encoding="gzip, gzip")


@mode("pass", "fail", "ignored", path="/props", backend="llamacpp", **GOOD)
async def gzip_bomb_at_props(call: Call) -> None:
    await call.body_of(await asyncio.to_thread(bomb), Content_Encoding="gzip")


@mode("fail", "timeout", **LARGE)
async def header_flood(call: Call) -> None:
    await call.raw("HTTP/1.1 200 OK\r\n")
    await call.forever("X-A: " + "b" * 1000 + "\r\n")


@mode("fail", "timeout", **LARGE)
async def deep_json(call: Call) -> None:
    await call.body_of("[" * 100_000 + "]" * 100_000)


@mode(
    "pass",
    "fail",
    "ignored",
    path="/v1/models",
    select=FEW + checks("models.lists_the_model"),
    options=("--timeout=10",),
    **GOOD,
)
async def twenty_thousand_models(call: Call) -> None:
    models = [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]
    models += [{**models[0], "id": f"m{n}"} for n in range(20_000)]
    await call.json({"object": "list", "data": models})


@mode("fail", "timeout", select=PROGRAMS)
async def programs_get_too_much(call: Call) -> None:
    await a_million_choices(call)


@mode("pass", "fail", "not-run", **LISTING)
async def models_are_endless(call: Call) -> None:
    await call.head()
    await call.forever(" " * 65536)


ALL = checks(
    *("wire.chat_shape", "wire.full_chat_shape", "wire.chunk_shape", "wire.answers_are_complete", "wire.ids_are_unique")
)
"""Rules over every exchange, alone: then all scenarios are sent."""

MUCH: dict[str, Any] = {
    "path": "*",
    "select": ALL,
    "options": ("--timeout=20",),
    "size": 1300,
    "cpu": 400,
    "seconds": 900,
    "exits": ANY,
}


@mode("pass", "fail", "not-run", **(LISTING | {"path": "*"}), named=False)
async def a_model_id_of_a_megabyte(call: Call) -> None:
    """Each request would repeat it."""
    if call.path == "/v1/models":
        await call.json({"object": "list", "data": [{"id": "m" * (1 << 20), "object": "model"}]})
    else:
        await correct(call)


@mode("rejected", "fail", "blocked", **(GOOD | LARGE), passes=TRUE | {"wire.chat_shape", "wire.chunk_shape"})
async def large_errors(call: Call) -> None:
    """Each message repeats it, each page shows it."""
    long = "no " * 700_000
    await call.json({"error": {"message": long, "type": long, "param": None, "code": long}}, "400 Bad Request")


@mode("pass", "fail", **GOOD)
async def large_headers(call: Call) -> None:
    """Many of them, as large as HTTP's parser takes."""
    headers = {f"X_{number}": "x" * 1500 for number in range(50)}
    await (call.chat() if call.streamed else call.json(completion("Paris"), **headers))


@mode("pass", "fail", path="*", backend="ollama", **GOOD)
async def large_facts(call: Call) -> None:
    """What a server tells of itself stands in headers, cells and file names."""
    long = "v" * 3_000_000
    if call.path.startswith("/v1/"):
        await correct(call)
    else:
        await call.json(
            {
                "version": long,
                "details": {"family": long, "quantization_level": long},
                "models": [{"name": "m", "model": "m", "digest": long}],
            }
        )


@mode(
    "pass", "fail", "ignored", path="*", **(GOOD | LARGE | {"select": FEW + checks("tools", "logprobs", "embeddings")})
)
async def many_of_everything(call: Call) -> None:
    """Tool calls, logprobs and numbers, ten thousand each."""
    if call.path == "/v1/embeddings":
        await call.json({"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5] * 100_000}]})
    elif call.path == CHAT and not call.streamed:
        function = {"name": "get_weather", "arguments": "{}"}
        calls = [{"id": f"c{n}", "type": "function", "function": function} for n in range(10_000)]
        tokens = [{"token": "x", "bytes": [120], "logprob": -1.0, "top_logprobs": []} for _ in range(10_000)]
        message = {"role": "assistant", "content": "x" * 10_000, "tool_calls": calls}
        choice = {"index": 0, "message": message, "logprobs": {"content": tokens}, "finish_reason": "tool_calls"}
        await call.json(completion("", choices=[choice]))
    else:
        await correct(call)


def much(size: int) -> Act:
    """A correct text of so many bytes in each response of a run."""

    async def act(call: Call) -> None:
        if call.method != "POST":
            await correct(call)
        else:
            await call.body_of(long(size, call.streamed), kind="text/event-stream" if call.streamed else JSON)

    return act


@cache
def long(size: int, streamed: bool) -> bytes:
    """A correct response whose text has so many characters."""
    if not streamed:
        return json.dumps(completion("x" * size)).encode()
    events = [chunk({"role": "assistant", "content": ""}), chunk({"content": "x" * size}), END]
    return "".join([*(f"data: {json.dumps(one)}\n\n" for one in events), "data: [DONE]\n\n"]).encode()


JSON = "application/json"


async def deep(call: Call) -> None:
    await call.body_of("[" * 100_000 + "]" * 100_000)


async def endless(call: Call) -> None:
    await call.head()
    await call.forever(" " * 65536)


async def tells_the_key(call: Call) -> None:
    await call.json({"version": KEY, "models": [{"name": KEY, "model": KEY}], "build_info": KEY}, Server=KEY)


for _backend in ("ollama", "vllm", "llamacpp"):
    for _act in (deep, endless, tells_the_key):
        _name = f"{_act.__name__.replace('_', '-')}-at-own-endpoints-of-{_backend}"
        MODES[_name] = Mode(
            name=_name,
            act=own(_act),
            path="*",
            backend=_backend,
            ends=frozenset({"pass", "fail"}),
            exits=frozenset({0, 1}),
        )

for _name, _size in {"a-megabyte-each": 1_000_000, "fifteen-megabytes-each": 15 << 20}.items():
    MODES[_name] = Mode(name=_name, act=much(_size), ends=frozenset({"pass", "fail"}), **MUCH)
