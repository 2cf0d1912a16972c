"""Is a backend's server up already, at one of its usual addresses?"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from backends.access import Access
from backends.address import root
from backends.identify import Asker
from backends.wire import Exchange, Request, client, send

SECONDS = 3.0
"""Seconds for a server to identify itself: these endpoints do not use a model."""


def usual_urls(data: dict[str, Any]) -> list[str]:
    """The base URLs at which the backend's server usually answers; the environment's variables come before the data."""
    known = data.get("attach", {})
    defaults = known.get("defaults", {})
    values = {name: _address(os.environ.get(name) or "", default) for name, default in defaults.items()}
    return [url.format(**values) for url in known.get("urls", [])]


def look(data: dict[str, Any], access: Access) -> tuple[str | None, list[str]]:
    """The base URL of the first server that is recognised as the backend, and what was seen at the other addresses.

    Nothing secret of the access is sent: anything may listen at a usual address.
    """
    stranger = replace(access, key=None, headers=(), query="")
    seen = []
    for url in usual_urls(data):
        origin = root(url)
        if not answers(origin):
            seen.append(f"nothing answers at {origin}")
            continue
        recognised, wants_key = _recognised(origin, data, stranger)
        if recognised:
            return url, seen
        if wants_key:
            seen.append(f"what answers at {origin} does not say without a key what it is; add --base-url={url}")
        else:
            seen.append(f"what answers at {origin} is not {data['title']}")
    return None, seen


def answers(url: str, access: Access | None = None) -> bool:
    """Whether an HTTP server is there."""
    return _asked(url + "/", access).status is not None


def in_other_scheme(base_url: str) -> str | None:
    """The address with https for http, or http for https, if that is what a server speaks there."""
    scheme, _, rest = base_url.partition("://")
    if not re.match(r"[^/]*:\d+(/|$)", rest):
        return None  # Without a port, the other scheme is at another one.
    other = f"{'http' if scheme == 'https' else 'https'}://{rest}"
    answer = _asked(other)
    # Servers with TLS answer 400 to plain HTTP.
    speaks = answer.status != 400 if answer.status else "CERTIFICATE" in answer.error_detail
    return other if speaks else None


def _asked(url: str, access: Access | None = None) -> Exchange:
    with client(SECONDS, access) as http:
        return send(Request(method="GET", path=url), "", model="", http=http)


def is_backend(at: str, data: dict[str, Any], access: Access) -> bool:
    """Whether a server has what `recognise` lists: endpoints and keys in their answers that no other backend has.

    `at` is its URL without `/v1`.
    """
    return _recognised(at, data, access)[0]


def _recognised(at: str, data: dict[str, Any], access: Access) -> tuple[bool, bool]:
    """Whether the server has all signs of the backend, and whether it required another key to show one."""
    signs = data.get("attach", {}).get("recognise", [])
    with Asker(at, access, seconds=SECONDS) as asker:
        values = [(sign, asker.get(sign)) for sign in signs]
        return bool(signs) and all(v is not None and v == sign.get("is", v) for sign, v in values), asker.wants_key


def _address(value: str, default: str) -> str:
    """A port, or HOST:PORT, from what a variable may hold: a URL, a host, `0.0.0.0`, `:PORT`."""
    if default.isdigit():
        return value if value.isdigit() else default
    if not value:
        return default
    parts = urlsplit(value if "://" in value else f"//{value}")
    host = parts.hostname if parts.hostname not in (None, "0.0.0.0", "::") else "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port or default.rpartition(':')[2]}"
