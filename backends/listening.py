"""Is a backend's server up already, at one of its usual addresses?"""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

import httpx2

from backends.access import Access
from backends.address import root
from backends.identify import Asker
from backends.wire import client

SECONDS = 3.0
"""For a server to say who it is: these endpoints ask no model."""


def usual_urls(data: dict[str, Any]) -> list[str]:
    """The base URLs at which the backend's server usually answers; the environment's variables come before the data."""
    known = data.get("attach", {})
    defaults = known.get("defaults", {})
    values = {name: _address(os.environ.get(name) or "", default) for name, default in defaults.items()}
    return [url.format(**values) for url in known.get("urls", [])]


def look(data: dict[str, Any], access: Access) -> tuple[str | None, list[str]]:
    """The base URL of the first server that is recognised as the backend, and what was seen at the other addresses."""
    seen = []
    for url in usual_urls(data):
        origin = root(url)
        if not answers(origin):
            seen.append(f"nothing answers at {origin}")
        elif is_backend(origin, data, access):
            return url, seen
        else:
            seen.append(f"what answers at {origin} is not {data['title']}")
    return None, seen


def answers(url: str, access: Access | None = None) -> bool:
    """Whether an HTTP server is there."""
    try:
        with client(SECONDS, access) as http:
            http.get(url + "/")
    except (httpx2.HTTPError, httpx2.InvalidURL):
        return False
    return True


def in_other_scheme(base_url: str) -> str | None:
    """The address with https for http, or http for https, if that is what a server speaks there."""
    scheme, _, rest = base_url.partition("://")
    if not re.match(r"[^/]*:\d+(/|$)", rest):
        return None  # Without a port, the other scheme is at another one.
    other = f"{'http' if scheme == 'https' else 'https'}://{rest}"
    try:
        with client(SECONDS) as http:
            speaks = http.get(other).status_code != 400  # Servers with TLS answer 400 to plain HTTP.
    except (httpx2.HTTPError, httpx2.InvalidURL) as problem:
        speaks = "CERTIFICATE" in str(problem)
    return other if speaks else None


def is_backend(at: str, data: dict[str, Any], access: Access) -> bool:
    """Whether a server has what `recognise` lists: endpoints and keys in their answers that no other backend has.

    `at` is its URL without `/v1`.
    """
    signs = data.get("attach", {}).get("recognise", [])
    with Asker(at, access, seconds=SECONDS) as asker:
        values = [(sign, asker.get(sign)) for sign in signs]
    return bool(signs) and all(v is not None and v == sign.get("is", v) for sign, v in values)


def _address(value: str, default: str) -> str:
    """A port, or HOST:PORT, from what OLLAMA_HOST and its like may hold: a URL, a host, `0.0.0.0`, `:PORT`."""
    if default.isdigit():
        return value if value.isdigit() else default
    if not value:
        return default
    parts = urlsplit(value if "://" in value else f"//{value}")
    host = parts.hostname if parts.hostname not in (None, "0.0.0.0", "::") else "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    return f"{host}:{parts.port or default.rpartition(':')[2]}"
