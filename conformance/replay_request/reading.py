"""Read a user's requests from what they have: a HAR file, a curl command, a log, a JSON body. Secrets stay behind."""

from __future__ import annotations

import ast
import base64
import json
import re
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from backends.wire import Request, Role
from conformance.replay_request import shell
from conformance.replay_request.hiding import kept_headers, kept_query, secrets_of, without_secrets

ENDPOINTS = ("/chat/completions", "/completions", "/embeddings", "/responses", "/models")
"""Paths below the base URL whose responses the suite can judge."""

EXPECTED = "a HAR file, a curl command, a log or a JSON body"

DEEPEST = 8
"""Levels of a log's objects in which a request is looked for."""

_FENCE = re.compile(r"^[ \t]*```[^\n]*\n(.*?)^[ \t]*```", re.DOTALL | re.MULTILINE)
_HTTP = re.compile(r"^(POST|GET|DELETE) (\S+) HTTP/[\d.]+\n(.*?)\n\n(.*)", re.DOTALL)
_FETCH = re.compile(r"fetch\(\s*\"((?:[^\"\\]|\\.)+)\"\s*,\s*(?=\{)")
_STRING = r"\"(?:[^\"\\]|\\.)*\""


class Unreadable(Exception):
    """A file without a request in it. `str()` is one sentence that says what to give."""


def read_file(name: str, path: str | None = None) -> list[Request]:
    """The requests in a file; see `read`. Raises Unreadable, OSError, UnicodeDecodeError."""
    raw = Path(name).read_bytes()
    text = raw.decode("utf-16") if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else raw.decode()
    return read(text, path, Path(name).parent)


def read(text: str, path: str | None = None, directory: Path = Path()) -> list[Request]:
    """The requests in a text: all that a HAR file or a log has for the API's endpoints, else one. Raises Unreadable.

    `path` is the endpoint of a bare JSON body that does not tell, such as `/embeddings`. A command may name a file in
    `directory`.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").strip()
    text = next((one for one in _FENCE.findall(text) if _begins(one)), text).strip()
    if shell.BEGINS.search(text) and not text.startswith(("{", "[")):
        return [_of_curl(text, directory)]
    if found := _HTTP.match(text):
        return [_of_http(*found.groups())]
    if found := _FETCH.search(text):
        return [_of_fetch(str(_loosely(f'"{found[1]}"')), text[found.end() :])]
    some = list(_values(text))
    if not some:
        raise Unreadable(f"expected {EXPECTED}; {_why_no_json(text)}.")
    if len(some) == 1 and isinstance(some[0], dict) and _is_har(some[0]):
        return _of_har(some[0]["log"]["entries"])
    if path is not None and all(isinstance(value, dict) for value in some):
        return [_without(path, value) for value in some]
    requests = [request for value in some for request in _in_data(value)]
    if not requests:
        raise Unreadable("expected `messages`, `prompt` or `input` in the body, or the endpoint with --path.")
    return requests


def _begins(text: str) -> bool:
    return bool(shell.BEGINS.search(text) or text.lstrip().startswith("{"))


# Commands, and requests as they are on the wire


def _of_curl(text: str, directory: Path) -> Request:
    try:
        said = shell.command(text, lambda name: _file(name, directory))
    except ValueError as problem:
        raise Unreadable(f"the curl command cannot be read ({problem}); copy the whole command.") from None
    except IndexError:
        raise Unreadable("the curl command ends after an option that needs a value; copy the whole command.") from None
    url = next((word for word in said.words if _endpoint(word)), "")
    if not url and said.words:  # A log may have the base URL instead of the address; then the body tells.
        bodies = (_loosely(one) for one in said.data)
        url = next((path for one in bodies if isinstance(one, dict) and (path := _path_of(one))), "")
    if not url:
        raise Unreadable(f"the curl command has no address that ends in {', '.join(ENDPOINTS)}.")
    if any(re.match(r"\s*(\$\(|`)", one) for one in said.data):
        raise Unreadable("the shell makes the curl command's body ($(…)); put the body itself into the command.")
    data = "&".join(said.data) if said.data else None
    return _request(said.method or ("GET" if data is None else "POST"), url, said.headers, data, said.secrets)


def _file(name: str, directory: Path) -> str:
    """A file beside the command's: a command of somebody else must not send any file of ours."""
    file = (directory / name).resolve()
    if name == "-" or not file.is_relative_to(directory.resolve()):
        why = f"the curl command reads its body from {'standard input' if name == '-' else name}"
        raise Unreadable(f"{why}; put the body itself into the command, or the file beside it.")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise Unreadable(f"the curl command reads its body from {name}, which cannot be read beside it.") from None


def _of_http(method: str, target: str, head: str, body: str) -> Request:
    if not _endpoint(target):
        raise Unreadable(f"the request is for {target}, which is none of {', '.join(ENDPOINTS)}.")
    pairs = [(name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in head.splitlines())]
    body = body.partition("\nHTTP/")[0].strip()  # A dump may have the response, too.
    return _request(method, target, pairs, body or None)


def _of_fetch(url: str, rest: str) -> Request:
    """A browser's `fetch("URL", {…})`."""
    try:
        options, _ = json.JSONDecoder().raw_decode(rest)
    except ValueError as problem:
        raise Unreadable(f"the options of fetch() are no JSON: {problem}.") from None
    if not _endpoint(url):
        raise Unreadable(f"fetch() has no address that ends in {', '.join(ENDPOINTS)}.")
    body = options.get("body")
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    return _request(str(options.get("method", "GET")), url, _pairs(options.get("headers")), text)


# HAR


def _is_har(data: dict[str, Any]) -> bool:
    return isinstance(data.get("log"), dict) and isinstance(data["log"].get("entries"), list)


def _of_har(entries: list[Any]) -> list[Request]:
    found, empty = [], False
    for entry in entries:
        sent = entry.get("request") if isinstance(entry, dict) else None
        if not isinstance(sent, dict) or not isinstance(sent.get("url"), str) or not _endpoint(sent["url"]):
            continue
        data = sent["postData"] if isinstance(sent.get("postData"), dict) else {}
        body = data.get("text")
        method = str(sent.get("method", "POST")).upper()
        if method == "OPTIONS" or (method == "POST" and not body):  # What browsers ask before; what they did not keep.
            empty = empty or method == "POST"
            continue
        if isinstance(body, str) and data.get("encoding") == "base64":
            try:
                body = base64.b64decode(body).decode(errors="replace")
            except ValueError as problem:
                raise Unreadable(f"the HAR file has a body that is no base64 ({problem}).") from None
        found.append(_request(method, sent["url"], _pairs(sent.get("headers")), body))
    if not found and empty:
        raise Unreadable("the HAR file has a request without its body; record it again, or copy the request as cURL.")
    if not found:
        raise Unreadable(f"the HAR file has no request to {', '.join(ENDPOINTS)}; record one, or give another file.")
    return found


def _pairs(headers: Any) -> list[tuple[str, str]]:
    """Headers, which are an object, or an array of objects with `name` and `value`."""
    if isinstance(headers, dict):
        return [(str(name), str(value)) for name, value in headers.items()]
    some = [one for one in headers if isinstance(one, dict)] if isinstance(headers, list) else []
    return [(str(one.get("name", "")), str(one.get("value", ""))) for one in some]


# Bodies, and logs with bodies in them


def _values(text: str) -> Iterator[Any]:
    """The JSON value of a text; else those of its lines, which may have words before them."""
    whole = _loosely(text)
    if whole is not None:
        yield whole
        return
    for line in text.splitlines():
        value = _in_text(line)
        if isinstance(value, dict):
            yield value


def _loosely(text: str) -> Any:
    """JSON, also with comments and trailing commas, or as Python prints it; None if it is neither."""
    for parse in (json.loads, _with_comments, _of_python):
        try:
            return parse(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
            continue
    return None


def _with_comments(text: str) -> Any:
    bare = re.sub(rf"({_STRING})|//[^\n]*|/\*.*?\*/|#[^\n]*", lambda one: one[1] or "", text, flags=re.DOTALL)
    return json.loads(re.sub(rf"({_STRING})|,(?=\s*[}}\]])", lambda one: one[1] or "", bare))


def _of_python(text: str) -> Any:
    with warnings.catch_warnings(action="ignore"):  # Of what is no Python.
        return json.loads(json.dumps(ast.literal_eval(text)))


def _why_no_json(text: str) -> str:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as problem:
        return f"it is no JSON: {problem}"
    return "it has no object"


def _in_data(value: Any, deep: int = 0) -> Iterator[Request]:
    """The requests in a JSON value: it is a body, or has one in it, perhaps as a string."""
    if isinstance(value, str):
        value = _in_text(value)
    if deep > DEEPEST or not isinstance(value, dict | list):
        return
    if isinstance(value, list):
        for one in value:
            yield from _in_data(one, deep + 1)
        return
    url = next((one for one in _strings(value, "url", "uri", "path", "endpoint") if _endpoint(one)), "")
    if not url and (path := _path_of(value)):
        yield _without(path, value)
        return
    body = next(_bodies(value, deep + 1), None) if url else None
    if body is not None:
        yield _request("POST", url, _pairs(value.get("headers")), json.dumps(body))
        return
    for inner in value.values():
        yield from _in_data(inner, deep + 1)


def _in_text(text: str) -> Any:
    """The object at the end of a text, which may have words before it; None if there is none."""
    begin = text.find("{")
    return _loosely(text[begin:].rstrip(" \n;,")) if begin >= 0 else None


def _strings(value: dict[str, Any], *names: str) -> Iterator[str]:
    return (value[name] for name in names if isinstance(value.get(name), str))


def _bodies(value: Any, deep: int) -> Iterator[dict[str, Any]]:
    """The objects in a value that are requests' bodies."""
    if isinstance(value, str):
        value = _in_text(value)
    if isinstance(value, dict) and value.keys() & {"messages", "prompt", "input"}:
        yield value
    elif isinstance(value, dict | list) and deep <= DEEPEST:
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _bodies(inner, deep + 1)


def _path_of(body: dict[str, Any]) -> str:
    """The endpoint of a body; empty if it is none."""
    if isinstance(body.get("messages"), list | str):
        return "/chat/completions"
    if isinstance(body.get("prompt"), str | list) and "output" not in body:
        return "/completions"
    if "input" in body and body.keys() <= {"model", "input", "dimensions", "encoding_format", "user"}:
        raise Unreadable("this body may be one of /embeddings or of /responses; say which with --path.")
    if isinstance(body.get("input"), str | list) or "previous_response_id" in body:
        return "/responses"
    return ""


def _without(path: str, body: dict[str, Any]) -> Request:
    return without_secrets(Request(path=path, body=body, role=_role(path, body)))


def _request(
    method: str, url: str, headers: Iterable[tuple[str, str]], body: str | None, secrets: Iterable[str] = ()
) -> Request:
    path, headers = _endpoint(url), list(headers)
    data: Any = None
    if body is not None:
        # Windows' shells leave backslashes before the quotes of a body in single quotes.
        loose = (_loosely(one) for one in (body, body.replace('\\"', '"')))
        data = next((one for one in loose if one is not None), body.encode(errors="surrogatepass"))
    made = Request(method=method.upper(), path=path, body=data, headers=kept_headers(headers), role=_role(path, data))
    return without_secrets(made, [*secrets, *secrets_of(url, headers)])


def _endpoint(url: str) -> str:
    """The path below the base URL, with what the API has of its query; empty for an address of something else."""
    try:
        parts = urlsplit(url.partition("#")[0])
    except ValueError:
        return ""
    path = parts.path.rstrip("/")
    for endpoint in ENDPOINTS:
        before, found, after = path.rpartition(endpoint)
        if found and not before.endswith("/chat") and (not after or after.startswith("/")):
            query = kept_query(parts.query)
            return endpoint + after + ("?" + query if query else "")
    return ""


def _role(path: str, body: Any) -> Role:
    if path.startswith("/embeddings"):
        return "embedding"
    return "vision" if '"image_url"' in json.dumps(body, default=repr) else "chat"
