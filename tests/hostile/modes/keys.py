"""A server that repeats the key."""

from __future__ import annotations

import base64
import gzip
import json
import urllib.parse
from collections.abc import Callable

from backends import bounds
from tests.hostile.mode import CHAT, GOOD, KEY, LISTING, MODES, PROGRAMS, Mode, mode
from tests.hostile.server import END, Act, Call, chunk, completion, correct


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
