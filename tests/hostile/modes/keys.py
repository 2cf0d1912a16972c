"""A server that repeats the key."""

from __future__ import annotations

import base64
import gzip
import html
import json
import textwrap
import urllib.parse
from collections.abc import Callable, Iterable

from backends import bounds
from tests.hostile.mode import ANY, CHAT, GOOD, GOOD_ENDS, KEY, LISTING, MODES, PROGRAMS, Mode, mode
from tests.hostile.server import END, Act, Call, chunk, completion, correct

FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "upper case": str.upper,
    "escaped slashes": lambda key: key.replace("/", "\\/"),
    "unicode escapes": lambda key: "".join(f"\\u{ord(c):04X}" for c in key),
    "escapes of escapes": lambda key: "".join(f"\\\\u{ord(c):04x}" for c in key),
    "octal": lambda key: "".join(f"\\{ord(c):03o}" for c in key),
    "percent-encoded": lambda key: urllib.parse.quote(key, safe=""),
    "all percent-encoded": lambda key: "".join(f"%{ord(c):02x}" for c in key),
    "percent-encoded twice": lambda key: urllib.parse.quote(urllib.parse.quote(key, safe=""), safe=""),
    "HTML": lambda key: "".join(f"&#x{ord(c):x};" for c in key),
    "HTML twice": lambda key: html.escape("".join(f"&#{ord(c)};" for c in key)),
    "names of HTML": lambda key: key.replace("/", "&sol;").replace("+", "&plus;"),
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of a login": lambda key: base64.b64encode(f"me:{key}".encode()).decode(),
    "base64url": lambda key: base64.urlsafe_b64encode(key.encode()).decode().rstrip("="),
    "base64 of UTF-16": lambda key: base64.b64encode(key.encode("utf-16-le")).decode(),
    "base64 on lines": lambda key: "\n".join(textwrap.wrap(base64.b64encode(key.encode()).decode(), 20)),
    "hex": lambda key: key.encode().hex(),
    "hex with dashes": lambda key: key.encode().hex("-").upper(),
    "hex of UTF-16": lambda key: key.encode("utf-16-le").hex(),
    "hex on lines": lambda key: key.encode().hex("\n"),
    "numbers": lambda key: json.dumps(list(key.encode()), indent=1),
}
"""How a key may be written."""


def echoing(forms: Iterable[Callable[[str], str]], where: str = CHAT) -> Act:
    """Repeats the key in these forms: in a header, in the text, in an error."""

    async def act(call: Call) -> None:
        said = [form(call.key or KEY) for form in forms]
        text = " | ".join(said)
        if call.path == where and call.streamed:
            await call.events(chunk({"role": "assistant", "content": text}), END)
        elif call.path == where:
            headers = {f"X_Key_{number}": one for number, one in enumerate(said) if "\n" not in one}
            await call.json(completion(text), **headers)
        else:
            await call.json({"error": {"message": text}}, "404 Not Found")

    return act


MODES["key-in-every-form"] = Mode(name="key-in-every-form", act=echoing(FORMS.values()), ends=GOOD_ENDS, exits=ANY)


@mode("pass", "fail", **GOOD)
async def key_unescaped_in_json(call: Call) -> None:
    """The escapes are those of the document itself."""
    escaped = "".join(f"\\u{ord(c):04x}" for c in call.key)
    body = json.dumps(completion("@@")).replace("@@", escaped + call.key.replace("/", "\\/"))
    await (call.events(chunk({"content": call.key}), END) if call.streamed else call.body_of(body))


@mode("pass", "fail", **GOOD)
async def key_split_in_every_form(call: Call) -> None:
    """Over the deltas of a stream, and over strings of a document."""
    whole = " | ".join(form(call.key) for form in FORMS.values())
    pieces = [whole[at : at + 5] for at in range(0, len(whole), 5)]
    if call.streamed:
        await call.events(*[chunk({"content": piece}) for piece in pieces], END)
    else:
        await call.json(completion("Paris", metadata=pieces))


@mode("pass", "fail", **GOOD)
async def key_in_many_places(call: Call) -> None:
    """A key of an object, arguments of a tool call, logprobs with their bytes, headers and their names."""
    key, half = call.key, call.key[:9]
    function = {"name": key, "arguments": json.dumps({key: json.dumps({"a": key})})}
    calls = [{"index": 0, "id": key, "type": "function", "function": function}]
    tokens = [{"token": part, "bytes": list(part.encode()), "top_logprobs": []} for part in (half, key[9:])]
    message = {"role": "assistant", "content": "a", "tool_calls": calls, key: key}
    choice = {"index": 0, "logprobs": {"content": tokens}, "finish_reason": "stop"}
    if not call.streamed:
        name = "X_" + base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")
        await call.json(
            completion("a", choices=[{**choice, "message": message}]), **{name: "1", "Retry_After": key, "Server": key}
        )
        return
    split = [{"index": 0, "function": {"arguments": json.dumps({"a": key})[at : at + 4]}} for at in range(0, 40, 4)]
    events = [{**chunk(message), "choices": [{**choice, "delta": {"tool_calls": [one]}}]} for one in split]
    events += [
        {**chunk({}), "choices": [{**choice, "delta": {"content": one["token"]}, "logprobs": {"content": [one]}}]}
        for one in tokens
    ]
    await call.head(kind="text/event-stream")
    await call.raw(f": {key}\n\nid: {key}\nevent: {key}\nretry: {key}\ndata: {json.dumps(chunk(message))}\n\n")
    await call.raw("".join(f"data: {json.dumps(one)}\r\r" for one in [*events, END]), "data: [DONE]\n\n")


@mode("pass", "fail", **GOOD)
async def key_split_over_lines(call: Call) -> None:
    """An event of several lines, and a document on each line."""
    halves = [{"content": call.key[:9]}, {"content": call.key[9:]}]
    if call.streamed:
        events = [
            json.dumps(chunk(half), indent=1).replace("\n", "\ndata: ") for half in [{"role": "assistant"}, *halves]
        ]
        await call.head(kind="text/event-stream")
        await call.raw("".join(f"data: {one}\n\n" for one in events), f"data: {json.dumps(END)}\n\ndata: [DONE]\n\n")
    else:
        await call.body_of("\n".join(json.dumps(half) for half in halves))


@mode("pass", "fail", **GOOD)
async def key_in_framing(call: Call) -> None:
    """Where no reader looks: extensions of chunks, trailers, an informational response."""
    body = json.dumps(completion("Paris"))
    await call.raw(f"HTTP/1.1 103 Early Hints\r\nX-Key: {call.key}\r\n\r\n")
    await call.head(Transfer_Encoding="chunked")
    await call.raw(f"{len(body):x};key={call.key}\r\n{body}\r\n0;{call.key}\r\nX-Key: {call.key}\r\n\r\n")


@mode("fail", "rejected", "blocked", **GOOD)
async def key_in_an_outage(call: Call) -> None:
    """The suite sends the request again, and reports the response."""
    await call.json({"error": {"message": f"no room for {call.key}"}}, "503 " + call.key, Retry_After="0")


@mode("fail")
async def key_in_broken_http(call: Call) -> None:
    """What the parser of HTTP complains of may be in its sentence."""
    if call.streamed:
        await call.raw(f"HTTP/1.1 200 OK\r\n{call.key}\r\nContent-Length: {call.key}\r\n\r\n")
    else:
        await call.head(Transfer_Encoding="chunked")
        await call.raw(f"{call.key}\r\n")


@mode("pass", "fail", **GOOD)
async def key_split_over_headers(call: Call) -> None:
    await call.json(completion("Paris"), X_A=call.key[:9], Server=call.key[9:])


@mode("pass", "fail", **GOOD)
async def key_split_over_fields(call: Call) -> None:
    await call.json(completion("Paris", service_tier=call.key[:9], system_fingerprint=call.key[9:]))


@mode("pass", **GOOD)
async def key_after_the_response(call: Call) -> None:
    await call.chat()
    await call.raw("x" * 240 + call.key)


@mode("fail", options=("--timeout=10",))
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
