"""What the hostile server can do, and how a run against it must end: each mode is a function of a few lines."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import urllib.parse
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from backends import bounds
from tests.hostile.server import END, Act, Call, chunk, completion, correct

KEY = "sk-canary/0123456789+abcdef"
"""The key of each run. Nothing that is printed or written may hold it, in any form."""

CHAT = "/v1/chat/completions"
CHECKS = "conformance/checks"


def checks(*names: str) -> tuple[str, ...]:
    """Checks (`area.name`) or areas, as arguments for pytest, which then need not collect all others."""
    parted = [name.partition(".") for name in names]
    return tuple(f"{CHECKS}/test_{area}.py" + (f"::test_{name}" if name else "") for area, _, name in parted)


FEW = checks(
    "chat.answers_with_a_message",
    "chat.finish_reason_is_stop",
    "models.ids_are_unique",
    "streaming.chunks_have_one_id",
    "wire.framing_loses_nothing",
    "wire.answers_are_complete",
    "wire.chat_shape",
    "wire.chunk_shape",
    "wire.ids_are_unique",
)
PROGRAMS = checks("examples.chat_in_python", "examples.chat_with_curl")


TRUE = frozenset({"models.ids_are_unique", "wire.answers_are_complete"})
"""Checks that may pass whatever becomes of chat: the models were listed, and no response was broken off."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """`path` is where it acts. Judged are the checks of `select`: `ends` are the outcomes that each of those which
    read the answer may have, `passes` those that may pass, and `fails` those that must fail. `exits` are exit codes of
    the run. `seconds` end it; `cpu` are seconds of a CPU, since others may keep the machine busy. `most` is in MB, as
    is `size`, which is that of the report."""

    name: str
    act: Act
    path: str = CHAT
    backend: str = "url"
    select: tuple[str, ...] = FEW
    ends: frozenset[str]
    passes: frozenset[str] = TRUE
    fails: frozenset[str] = frozenset()
    exits: frozenset[int] = frozenset({1})
    seconds: float = 300
    cpu: float = 40
    most: int = 500
    size: int = 100
    options: tuple[str, ...] = ()


MODES: dict[str, Mode] = {}

JUDGED = ("chat.answers_with_a_message", "examples.chat_in_python", "examples.chat_with_curl")
"""The checks that read what a mode spoils."""


def mode(*ends: str, path: str = CHAT, **more: object) -> Callable[[Act], Act]:
    """Register the function below, its name with dashes, as a mode; `ends` are the outcomes of the checks of chat."""

    def register(act: Act) -> Act:
        name = act.__name__.replace("_", "-")
        MODES[name] = Mode(name=name, act=act, path=path, ends=frozenset(ends), **more)  # type: ignore[arg-type]
        return act

    return register


GOOD: dict[str, object] = {"exits": frozenset({0, 1})}
LISTING: dict[str, object] = {"path": "/v1/models", "exits": frozenset({0, 1, 11, 12, 13, 14})}
"""The list of models is spoilt; with the models named, chat may be measured without it."""

# Time


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


@mode("fail", "timeout", "rejected", select=PROGRAMS, **GOOD)
async def programs_wait_in_vain(call: Call) -> None:
    await call.json({"error": {"message": "later"}}, "429 Too Many Requests", Retry_After="61", Retry_After_Ms="61000")


# Size


@mode("fail", "timeout")
async def endless_stream(call: Call) -> None:
    await call.head(kind="text/event-stream")
    await call.forever(f"data: {json.dumps(chunk({'content': 'abc'}))}\n\n" * 500)


@mode("fail", "timeout")
async def endless_body(call: Call) -> None:
    await call.head()
    await call.raw('{"choices": "')
    await call.forever("x" * 65536)


@mode("fail", "timeout")
async def half_a_gigabyte(call: Call) -> None:
    await call.head(Content_Length=str(500_000_000))
    for _ in range(7630):
        await call.raw(b" " * 65536)


@mode("fail", "timeout")
async def one_line_of_a_stream(call: Call) -> None:
    await call.head(kind="text/event-stream")
    await call.raw("data: ")
    for _ in range(3200):
        await call.raw(b"x" * 65536)


@mode("fail", "timeout")
async def a_million_choices(call: Call) -> None:
    choice = '{"index":0,"message":{"role":"assistant","content":"x"},"finish_reason":"stop"}'
    await call.head()
    await call.raw('{"id":"a","object":"chat.completion","created":1,"model":"m","choices":[')
    for _ in range(1000):
        await call.raw(f"{choice}," * 1000)
    await call.raw(f"{choice}]}}")


@mode("fail", "timeout")
async def a_million_empty_values(call: Call) -> None:
    await call.body_of('{"choices":[' + "{}," * 2_000_000 + "{}]}")


@cache
def choices(number: int) -> bytes:
    one = completion("x")
    return json.dumps({**one, "choices": [{**one["choices"][0], "index": n} for n in range(number)]}).encode()


@mode("fail", "timeout")
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


@mode("fail", "timeout")
async def one_byte_chunks(call: Call) -> None:
    await call.head(Transfer_Encoding="chunked")
    await call.forever("1\r\nx\r\n" * 10_000)


@mode("fail", "timeout")
async def line_feeds(call: Call) -> None:
    await call.body_of(b"\n" * (15 << 20), kind="text/event-stream" if call.streamed else "application/json")


@mode("fail", "timeout")
async def backslashes(call: Call) -> None:
    """They begin like an escaped key at each place."""
    await call.body_of(b"\\" * (4 << 20))


@mode("fail", "timeout")
async def control_characters(call: Call) -> None:
    """Six bytes each in JSON."""
    await call.body_of(b"\x01" * (15 << 20))


@cache
def wide() -> str:
    return json.dumps(completion("x" * (15 << 20) + "\U0001f600"), ensure_ascii=False)


@mode("fail", "timeout")
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


@mode("fail", "timeout")
async def gzip_bomb(call: Call) -> None:
    await call.body_of(await asyncio.to_thread(bomb), Content_Encoding="gzip")


@mode("fail", "timeout")
async def gzip_bomb_in_gzip(call: Call) -> None:
    await call.body_of(gzip.compress(await asyncio.to_thread(bomb)), Content_Encoding="gzip, gzip")


@mode("pass", "fail", "ignored", path="/props", backend="llamacpp", **GOOD)
async def gzip_bomb_at_props(call: Call) -> None:
    await call.body_of(await asyncio.to_thread(bomb), Content_Encoding="gzip")


@mode("fail", "timeout")
async def header_flood(call: Call) -> None:
    await call.raw("HTTP/1.1 200 OK\r\n")
    await call.forever("X-A: " + "b" * 1000 + "\r\n")


@mode("fail", "timeout")
async def deep_json(call: Call) -> None:
    await call.body_of("[" * 100_000 + "]" * 100_000)


@mode("pass", "fail", "ignored", path="/v1/models", select=FEW + checks("models.lists_the_model"), **GOOD)
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

MUCH: dict[str, object] = {
    "path": "*",
    "select": ALL,
    "options": ("--timeout=20",),
    "size": 1000,
    "cpu": 400,
    "seconds": 900,
}


def much(size: int) -> Act:
    """A correct text of so many bytes in each response of a run."""

    async def act(call: Call) -> None:
        await (call.chat("x" * size) if call.method == "POST" else correct(call))

    return act


def own(act: Act) -> Act:
    """What the act does at each endpoint but those of the API."""

    async def acting(call: Call) -> None:
        await (correct if call.path.startswith("/v1/") else act)(call)

    return acting


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
    MODES[_name] = Mode(name=_name, act=much(_size), ends=frozenset({"pass", "fail"}), **MUCH)  # type: ignore[arg-type]


# The key


def echoing(form: Callable[[str], str]) -> Act:
    """Repeats the key in this form: in a header, in the text, in an error."""

    async def act(call: Call) -> None:
        if call.path == CHAT and call.streamed:
            await call.events(chunk({"role": "assistant", "content": form(call.key)}), END)
        elif call.path == CHAT:
            body = json.dumps(completion("@@")).replace("@@", form(call.key).replace('"', ""))
            await call.body_of(body, X_Key=form(call.key).replace("\n", ""))
        else:
            await call.body_of('{"error": {"message": "' + form(call.key) + '"}}', "404 Not Found")

    return act


FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "slashes-escaped": lambda key: key.replace("/", "\\/"),
    "unicode-escaped": lambda key: "".join(f"\\u{ord(c):04X}" for c in key),
    "percent-encoded": lambda key: urllib.parse.quote(key, safe=""),
    "all-percent-encoded": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64-of-basic": lambda key: base64.b64encode(f"me:{key}".encode()).decode(),
    "base64url": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "percent-encoded-twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "octal": lambda key: "".join(f"\\\\{ord(c):03o}" for c in key),
    "hex": lambda key: key.encode().hex(),
    "hex-in-upper-case": lambda key: key.encode().hex("-").upper(),
    "upper-case": str.upper,
}
for _name, _form in FORMS.items():
    _mode = Mode(name=f"key-{_name}", act=echoing(_form), ends=frozenset({"pass", "fail"}), exits=frozenset({0, 1}))
    MODES[_mode.name] = _mode


@mode("pass", "fail", **GOOD)
async def key_split_over_headers(call: Call) -> None:
    await call.json(completion("Paris"), X_A=call.key[:9], Server=call.key[9:])


@mode("pass", "fail", **GOOD)
async def key_split_over_fields(call: Call) -> None:
    await call.json(completion("Paris", service_tier=call.key[:9], system_fingerprint=call.key[9:]))


@mode("pass", "fail", **GOOD)
async def key_in_trailers(call: Call) -> None:
    body = json.dumps(completion("Paris"))
    await call.head(Transfer_Encoding="chunked")
    await call.raw(f"{len(body):x}\r\n{body}\r\n0\r\nX-Key: {call.key}\r\n\r\n")


@mode("pass", **GOOD)
async def key_after_the_response(call: Call) -> None:
    await call.chat()
    await call.raw("x" * 240 + call.key)


@mode("fail")
async def key_where_a_body_is_cut(call: Call) -> None:
    """It stands across the end of what is kept of a body that is too large."""
    await call.body_of("x" * (bounds.KEPT - 10) + call.key + "x" * (20 << 20))


@mode("pass", "fail", **GOOD)
async def key_split_over_chunks(call: Call) -> None:
    if not call.streamed:
        await call.chat()
        return
    pieces = [chunk({"content": call.key[at : at + 3]}) for at in range(0, len(call.key), 3)]
    await call.events(chunk({"role": "assistant", "content": ""}), *pieces, END)


@mode("fail", "rejected")
async def key_in_location(call: Call) -> None:
    where = f"http://127.0.0.1:9/{urllib.parse.quote(call.key, safe='')}"
    await call.body_of("", "302 Found", Location=where)


@mode("pass", "fail", **GOOD)
async def key_in_a_cookie(call: Call) -> None:
    await call.json(completion("Paris"), Set_Cookie=f"session={call.key}; Path=/")


@mode("fail")
async def key_in_utf16(call: Call) -> None:
    await call.body_of(json.dumps(completion(call.key)).encode("utf-16"))


@mode("pass", "fail", **GOOD)
async def key_in_gzip(call: Call) -> None:
    await call.body_of(gzip.compress(json.dumps(completion(call.key)).encode()), Content_Encoding="gzip")


@mode("fail")
async def key_in_the_status_line(call: Call) -> None:
    await call.raw(f"HTTP/1.1 {call.key}\r\n\r\n")


@mode("pass", "fail", path="*", backend="llamacpp", **GOOD)
async def key_in_own_endpoints(call: Call) -> None:
    if call.path == "/props":
        said = "".join(f"\\u{ord(c):04x}" for c in KEY)
        await call.body_of(f'{{"default_generation_settings": {{}}, "build_info": "{said}", "model_path": "{said}"}}')
    else:
        await correct(call)


@mode("pass", "fail", "not-run", **LISTING)
async def key_in_a_refusal(call: Call) -> None:
    await call.json({"error": {"message": f"Incorrect API key: {call.key}"}}, "401 " + call.key)


@mode("pass", "fail", path="*", **GOOD)
async def key_in_model_ids(call: Call) -> None:
    if call.path == "/v1/models":
        await call.json(
            {"object": "list", "data": [{"id": call.key, "object": "model", "created": 1, "owned_by": "x"}]}
        )
    else:
        await correct(call)


@mode("fail", select=PROGRAMS)
async def key_in_what_programs_print(call: Call) -> None:
    await call.body_of("\x1b[31m" + call.key + "\n::error::" + call.key, "500 No")


# Redirects, files, cookies, connections


@mode("fail", "rejected", select=PROGRAMS)
async def redirect_elsewhere(call: Call) -> None:
    await call.body_of("", "307 Temporary Redirect", Location=f"http://{OTHER}/v1/chat/completions")


OTHER = "localhost:@@"
"""Replaced by the address of a server that must never be asked."""


@mode("fail", "rejected", "timeout", select=PROGRAMS)
async def redirect_to_itself(call: Call) -> None:
    await call.body_of("", "307 Temporary Redirect", Location=CHAT)


def naming(file: str) -> Act:
    async def act(call: Call) -> None:
        await call.json({"default_generation_settings": {}, "build_info": "b1", "model_path": file})

    return act


for _name, _file in {
    "environ": "/proc/self/environ",
    "endless-file": "/dev/zero",
    "password-file": "/etc/passwd",
}.items():
    _ends = frozenset({"pass", "fail"})
    MODES[_name] = Mode(
        name=_name, act=naming(_file), path="/props", backend="llamacpp", ends=_ends, exits=frozenset({0, 1})
    )


@mode("pass", "fail", path="*", **GOOD)
async def cookies(call: Call) -> None:
    if call.path == CHAT:
        await call.json(completion("Paris"), Set_Cookie="seen=1; Path=/")
    else:
        await correct(call)


@mode("pass", "fail", "ignored", path="*", backend="llamacpp", select=checks("concurrency", "chat"), **GOOD)
async def five_thousand_slots(call: Call) -> None:
    if call.path == "/props":
        await call.json({"default_generation_settings": {}, "build_info": "b1", "total_slots": 5000})
    else:
        await asyncio.sleep(0.05)
        await correct(call)


# What a body is not


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

AFTER: dict[str, object] = {
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


# The terminal and the log


@mode("rejected", "fail", **GOOD)
async def commands_in_errors(call: Call) -> None:
    await call.json({"error": {"message": TRICKS, "type": "x", "param": None, "code": None}}, "400 Bad Request")


@mode("pass", "fail", "not-run", **LISTING)
async def commands_while_finding_out(call: Call) -> None:
    await call.body_of(TRICKS, "500 No", X_A="b")


@mode("pass", "fail", path="*", **GOOD)
async def commands_in_model_ids(call: Call) -> None:
    if call.path == "/v1/models":
        await call.json({"object": "list", "data": [{"id": TRICKS, "object": "model", "created": 1, "owned_by": "x"}]})
    else:
        await correct(call)


TRICKS = (
    "\n::error::tricked\r\n::set-output name=a::b\n \t::warning::tricked\n##[error]tricked"
    "\x1b[2J\x1b]0;t\x07\u202e\u2066"
)
