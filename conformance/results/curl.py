"""The command that sends a recorded request again."""

from __future__ import annotations

import base64
import json
import re
import shlex
from typing import Any

from backends.printable import visible
from backends.wire import Request

WHOLE = 10_000
"""Characters of a body that a command repeats: a page shows it whole, and a shell takes it as one argument."""


def curl(request: dict[str, Any], *, recorded_as: tuple[str, str, int] | None) -> str:
    """A shell command for a request as results files keep it.

    The key is `$OPENAI_API_KEY`; `$OPENAI_BASE_URL`, where set, takes the place of the address that was measured,
    since a server that the suite started is gone. `recorded_as` is target, scenario and number, under which
    `openai-conformance body` finds a very long body; with None, the command has any body whole.
    """
    body = _body(request)
    given = {name.lower() for name, _ in request["headers"]}
    words = ["curl -sSi" if request.get("hang_up_after") is None else "curl -sS"]
    if _streams(request.get("body")):
        words[0] += "N"
    if request.get("http_version") == "1.0":
        words.append("--http1.0")
    if request.get("hang_up_in") is not None:
        words.append(f"-m {float(request['hang_up_in']):g}")
    if request["method"] != ("GET" if body is None else "POST"):
        words.append(f"-X {shlex.quote(request['method'])}")
    words.append(_address(request))
    if body is not None and "content-type" not in given:
        words.append("-H 'Content-Type: application/json'")
    if "authorization" not in given:
        words.append('-H "Authorization: Bearer $OPENAI_API_KEY"')
    # A header without a value is one that is left out; curl has the same form for that.
    words += [f"-H {shlex.quote(f'{name}: {value}' if value else f'{name}:')}" for name, value in request["headers"]]
    before = ""
    if body is not None:
        before, data = _data(body, recorded_as)
        words.append(data)
    command = before + " \\\n  ".join(words)
    if request.get("hang_up_after") is not None:
        command += f" | head -c {int(request['hang_up_after'])}"
    return command


def _address(request: dict[str, Any]) -> str:
    url, path = request["url"], request["path"]
    base = url.removesuffix(path)
    if base == url or not re.fullmatch(r"https?://[A-Za-z0-9.:_/\[\]-]+", base):
        return shlex.quote(url)
    bare = re.fullmatch(r"[A-Za-z0-9._/%-]*", path)
    return f'"${{OPENAI_BASE_URL:-{base}}}{path}"' if bare else f'"${{OPENAI_BASE_URL:-{base}}}"{shlex.quote(path)}'


def _data(body: str | bytes, recorded_as: tuple[str, str, int] | None) -> tuple[str, str]:
    """What stands before the command, and its data option."""
    if isinstance(body, bytes):
        quoted = "'" + "".join(f"\\{byte:03o}" for byte in body) + "'"
        found = f"printf {quoted}"
    else:
        quoted, found = shlex.quote(body), ""
    if recorded_as and len(quoted) > WHOLE:
        target, scenario, number = recorded_as
        found = f"openai-conformance body results.jsonl {shlex.quote(target)} {shlex.quote(scenario)} --number {number}"
    return (f"{found} | \\\n", "--data-binary @-") if found else ("", f"--data-raw {quoted}")


def _body(request: dict[str, Any]) -> str | bytes | None:
    """The body as text, where it survives a page and a shell: nothing invisible in it, and no NUL."""
    raw = raw_body(request)
    if raw is None:
        return None
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return raw
    return text if visible(text) == text else raw


def raw_body(request: dict[str, Any]) -> bytes | None:
    """The bytes of a request's body, as they were sent."""
    sent = Request(body=kept_bytes(request["body_bytes"]) if "body_bytes" in request else request.get("body"))
    try:
        return sent.content()
    except UnicodeEncodeError:  # A lone surrogate, which only an edited file can have.
        return json.dumps(sent.body).encode()


def kept_bytes(body: dict[str, str]) -> bytes:
    """Bytes as results files keep them."""
    return body["text"].encode("utf-8", "surrogatepass") if "text" in body else base64.b64decode(body["base64"])


def _streams(body: Any) -> bool:
    return isinstance(body, dict) and body.get("stream") is True
