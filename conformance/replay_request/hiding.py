"""What of a user's request stays behind: keys, cookies, tokens and passwords, wherever they are."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from backends import redaction
from backends.wire import REDACTED, Request

Headers = Iterable[tuple[str, str]]

_CONNECTION = re.compile(
    r"host|connection|content-length|transfer-encoding|accept-encoding|te|upgrade|keep-alive|origin|referer|user-agent|"
    r"sec-.*|:.*|(?:x-)?forwarded.*|x-real-ip|via|cf-.*"
)
"""Headers that belong to the other connection, or tell where somebody is."""

_SECRET_HEADER = re.compile(
    r".*(?:auth|key|secret|passw|credential|cookie|session|signature|token).*|openai-(?:organization|project)"
)

_SECRET_MEMBER = re.compile(
    r"(?:[\w-]*[-_])?(?:authori[sz]ation|(?:api|access|private|secret|subscription)[-_]?key|secret|password|passwd|"
    r"credentials?|cookie|(?:access|auth|refresh|id|bearer|session|security)?[-_]?token)",
    re.IGNORECASE,
)
"""Members of a JSON object whose strings are secret."""

_QUERY = {"api-version", "limit", "after", "before", "order", "include", "include[]", "stream"}
"""Parameters of a query that the API has; all others stay behind."""

_DATA = r"data:[\w/+.-]+;base64,[A-Za-z0-9+/=]*"
_KNOWN = (
    r"\b(?:sk|pk|rk|hf|gsk|xai|gh[opsu]|github_pat|glpat|xox[abprs])[-_][A-Za-z0-9_-]{12,}"
    r"|\bAKIA[A-Z0-9]{16}\b|\bAIza[\w-]{20,}|\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?"
)
"""What looks like a key of a known service, or a signed token."""

_VALUE = r"[^\s\"'\\&,;{}\[\]]{6,}"

_SAID = re.compile(
    rf"(?P<data>{_DATA})|{_KNOWN}"
    r"|(?P<before>\bbearer\s+|\bauthorization\W{1,6}(?:basic|digest)\s+)(?=\S*\d|\S{20})[\w.~+/=-]{8,}"
    r"|(?P<user>://)[^/\s:@\"'\\]+:[^/\s@\"'\\]+(?=@)"
    r"|(?P<query>[?&](?:amp;)?(?:key|code|sig|signature|token|[\w-]+[-_](?:token|key|signature|credential))=)[^&\s\"'\\]{6,}"
    r"|(?P<name>(?:\b|_)(?:password|passwd|secret|api[-_]?key|access[-_]?token)(?:\\*[\"'])?\s*[=:]\s*(?:\\*[\"'])?)"
    rf"{_VALUE}",
    re.IGNORECASE,
)
"""Secrets in a string, and images, which stay as they are."""


def kept_headers(headers: Headers) -> tuple[tuple[str, str], ...]:
    """The headers that say something of the request, and no secret."""
    return tuple(
        (name, value)
        for name, value in headers
        if not _CONNECTION.fullmatch(name.lower()) and not _secret_header(name, value)
    )


def kept_query(query: str) -> str:
    """The part of a query that the API has."""
    return urlencode([(name, value) for name, value in parse_qsl(query) if name in _QUERY], safe="[]", errors="replace")


def secrets_of(url: str, headers: Headers) -> list[str]:
    """The secrets of an address and of headers, which may come again elsewhere."""
    found = [value for name, value in headers if _secret_header(name, value)]
    found += [part for one in found for part in re.split(r"[\s;=,]+", one)]
    parts = urlsplit(url)
    found += [unquote(one) for one in (parts.password, parts.username) if one]
    found += [value for name, value in parse_qsl(parts.query) if name not in _QUERY]
    return found


def without_secrets(request: Request, known: Iterable[str] = ()) -> Request:
    """The request without what looks like a secret, and without the `known` ones."""
    # A cookie's name, or a key that says nothing (`ollama`), may be a word of the prompt.
    likely = [one for one in known if len(one) >= 8 and re.search(r"\d|.{12}", one)]
    hidden = redaction.secrets(*(one.encode(errors="replace").decode() for one in likely))
    headers = tuple((name, _clean(value, hidden)) for name, value in request.headers)
    body: Any = request.body
    if isinstance(body, bytes):
        body = _clean(body.decode(errors="surrogateescape"), hidden).encode(errors="surrogateescape")
    elif body is not None:
        body = _data(body, hidden)
    return replace(request, path=_clean(request.path, hidden), body=body, headers=headers)


def _secret_header(name: str, value: str) -> bool:
    return bool(_SECRET_HEADER.fullmatch(name.lower()) or re.match(r"(?:bearer|basic|digest)\s", value, re.IGNORECASE))


def _data(value: Any, hidden: redaction.Secrets) -> Any:
    if isinstance(value, str):
        return _clean(value, hidden)
    if isinstance(value, list):
        return [_data(one, hidden) for one in value]
    if isinstance(value, dict):
        return {
            _clean(str(name), hidden): REDACTED
            if isinstance(inner, str) and inner and _SECRET_MEMBER.fullmatch(str(name))
            else _data(inner, hidden)
            for name, inner in value.items()
        }
    return value


def _clean(said: str, hidden: redaction.Secrets) -> str:
    def instead(found: re.Match[str]) -> str:
        if found["data"]:
            return found[0]
        return next((found[name] for name in ("before", "user", "query", "name") if found[name]), "") + REDACTED

    return redaction.text(_SAID.sub(instead, said), hidden)


__all__ = ["kept_headers", "kept_query", "secrets_of", "without_secrets"]
