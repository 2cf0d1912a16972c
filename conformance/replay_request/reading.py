"""Read a user's requests from a HAR file, a curl command, or a JSON body. Keys and cookies stay behind."""

from __future__ import annotations

import base64
import json
import re
import shlex
from collections.abc import Iterable
from typing import Any

from backends.wire import REDACTED, Request, Role

ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/models")
"""Paths below the base URL whose responses the suite can judge."""

_SECRET = re.compile(r"\b(?:sk|pk|hf|gsk|xai|ghp|AKIA|AIza)[-_]?[A-Za-z0-9_-]{16,}")
"""What looks like a key of a known service."""

_DROPPED = re.compile(
    r"authorization|.*cookie|.*api-?key|.*token|.*secret|proxy-.*|host|connection|content-length|transfer-encoding|"
    r"accept-encoding|te|upgrade|keep-alive|origin|referer|user-agent|sec-.*|:.*"
)
"""Headers that are secrets, or belong to the other connection."""

_WITH_VALUE = {"-m", "-o", "-A", "-b", "-e", "-x", "-u", "-c", "-w", "--max-time", "--output", "--user-agent"} | {
    "--cookie", "--referer", "--proxy", "--user", "--connect-timeout", "--cacert", "--retry", "--write-out",
}  # fmt: skip
"""Options of curl whose value is not part of the request, or is a secret."""


class Unreadable(Exception):
    """A file without a request in it. `str()` is one sentence that says what to give."""


def read(text: str, path: str | None = None) -> list[Request]:
    """The requests in a file's text: all that a HAR file has for the API's endpoints, else one. Raises Unreadable.

    `path` is the endpoint of a bare JSON body that does not tell, such as `/embeddings`.
    """
    text = text.removeprefix("\ufeff").strip()
    if re.match(r"(\$\s*)?curl\s", text):
        found = [_of_curl(text)]
    else:
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as problem:
            raise Unreadable(f"expected a HAR file, a curl command or a JSON body; it is no JSON: {problem}.") from None
        entries = data.get("log", {}).get("entries") if isinstance(data, dict) and _is_har(data) else None
        found = _of_har(entries) if entries is not None else [_of_body(data, path)]
    return [_without_secrets(request) for request in found]


def _is_har(data: dict[str, Any]) -> bool:
    return isinstance(data.get("log"), dict) and isinstance(data["log"].get("entries"), list)


def _of_har(entries: list[Any]) -> list[Request]:
    found = []
    for entry in entries:
        sent = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(sent, dict) or not isinstance(sent.get("url"), str) or not _endpoint(sent["url"]):
            continue
        data = sent["postData"] if isinstance(sent.get("postData"), dict) else {}
        body = data.get("text")
        if isinstance(body, str) and data.get("encoding") == "base64":
            try:
                body = base64.b64decode(body).decode(errors="replace")
            except ValueError as problem:
                raise Unreadable(f"the HAR file has a body that is no base64 ({problem}).") from None
        headers = [one for one in sent.get("headers") or [] if isinstance(one, dict)]
        pairs = [(str(one.get("name", "")), str(one.get("value", ""))) for one in headers]
        found.append(_request(str(sent.get("method", "POST")), sent["url"], pairs, body))
    if not found:
        raise Unreadable(f"the HAR file has no request to {', '.join(ENDPOINTS)}; record one, or give another file.")
    return found


def _of_curl(text: str) -> Request:
    try:
        return _of_words(shlex.split(re.sub(r"\$'((?:[^'\\]|\\.)*)'", _ansi, text)))
    except ValueError as problem:
        raise Unreadable(f"the curl command cannot be read ({problem}); copy the whole command.") from None
    except IndexError:
        raise Unreadable("the curl command ends after an option that needs a value; copy the whole command.") from None


def _of_words(words: list[str]) -> Request:
    words = [word for word in words[words.index("curl") + 1 :] if word not in ("\n", "\r")]  # A backslash, end of line.
    method, url, headers, data = None, None, [], []
    while words:
        word = words.pop(0)
        if "=" in word and word.startswith("--"):
            word, _, value = word.partition("=")
            words.insert(0, value)
        if word in ("-X", "--request"):
            method = words.pop(0)
        elif word in ("-H", "--header"):
            name, _, value = words.pop(0).partition(":")
            headers.append((name.strip(), value.strip()))
        elif word in ("-d", "--json") or word.startswith("--data"):
            data.append(words.pop(0))
        elif word == "--url":
            url = words.pop(0)
        elif word in _WITH_VALUE:
            words = words[1:]
        elif not word.startswith("-") and word not in ("|", ">") and url is None:
            url = word
    if url is None or not _endpoint(url):
        raise Unreadable(f"the curl command has no address that ends in {', '.join(ENDPOINTS)}.")
    if any(one.startswith("@") for one in data):
        raise Unreadable("the curl command reads its body from a file (@…); put the body itself into the command.")
    return _request(method or ("POST" if data else "GET"), url, headers, "&".join(data) if data else None)


def _ansi(quoted: re.Match[str]) -> str:
    """A string in bash's `$'…'`, as browsers copy it, in plain quotes."""
    plain = {"n": "\n", "t": "\t", "r": "\r"}

    def character(escape: re.Match[str]) -> str:
        code = escape[1]
        return chr(int(code[1:], 16)) if code[0] in "ux" and len(code) > 1 else plain.get(code, code)

    return shlex.quote(re.sub(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", character, quoted[1], flags=re.DOTALL))


def _of_body(data: Any, path: str | None) -> Request:
    if not isinstance(data, dict):
        raise Unreadable("expected the JSON object of one request; give a single body.")
    if path is None:
        path = _path_of(data)
    return Request(path=path, body=data, role=_role(path, data))


def _path_of(body: dict[str, Any]) -> str:
    if "messages" in body:
        return "/chat/completions"
    if "prompt" in body and not isinstance(body["prompt"], dict):
        return "/completions"
    if "input" in body and body.keys() <= {"model", "input", "dimensions", "encoding_format", "user"}:
        raise Unreadable("this body may be one of /embeddings or of /responses; say which with --path.")
    if "input" in body or "previous_response_id" in body:
        return "/responses"
    raise Unreadable("expected `messages`, `prompt` or `input` in the body, or the endpoint with --path.")


def _request(method: str, url: str, headers: Iterable[tuple[str, str]], body: str | None) -> Request:
    path = _endpoint(url)
    kept = tuple((name, value) for name, value in headers if not _DROPPED.fullmatch(name.lower()))
    data: Any = None
    if body is not None:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            data = body.encode(errors="surrogatepass")
    return Request(method=method.upper(), path=path, body=data, headers=kept, role=_role(path, data))


def _endpoint(url: str) -> str:
    """The path below the base URL, with its query; empty for an address of something else."""
    path, mark, query = url.partition("#")[0].partition("?")
    for endpoint in ENDPOINTS:
        before, found, after = path.rpartition(endpoint)
        if found and not before.endswith("/chat") and (not after or after.startswith("/")):
            return endpoint + after + mark + query
    return ""


def _role(path: str, body: Any) -> Role:
    if path.startswith("/embeddings"):
        return "embedding"
    return "vision" if '"image_url"' in json.dumps(body, default=repr) else "chat"


def _without_secrets(request: Request) -> Request:
    headers = tuple((name, _SECRET.sub(REDACTED, value)) for name, value in request.headers)
    body: Any = request.body
    if isinstance(body, bytes):
        body = _SECRET.sub(REDACTED, body.decode(errors="surrogateescape")).encode(errors="surrogateescape")
    elif body is not None:
        body = json.loads(_SECRET.sub(REDACTED, json.dumps(body)))
    return Request(method=request.method, path=request.path, body=body, headers=headers, role=request.role)
