"""A server's address, as a user writes it and as requests need it: the base URL."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from backends.errors import CannotMeasure

EXAMPLE = "http://127.0.0.1:8000/v1"

_ENDPOINT = re.compile(r"/(chat/completions|completions|embeddings|models|responses)$")


@dataclass(frozen=True)
class Address:
    """An address in its parts: what may be shown, and what may be secret.

    `base_url` has no slash at its end. `login` is user and password, percent-encoded; `query` is what stood behind `?`.
    """

    base_url: str
    login: tuple[str, str] | None = field(default=None, repr=False)
    query: str = field(default="", repr=False)


def read(text: str) -> Address:
    """What a user wrote. Raises CannotMeasure, whose sentence has nothing secret in it."""
    url = text.strip()
    shown = masked(url)
    if not re.match(r"https?://", url, re.IGNORECASE):
        if re.match(r"[^/?#:]*@", url):
            raise CannotMeasure(_NO_KEY)
        raise CannotMeasure(f"--base-url {shown}: begin with http:// or https://, e.g. {_with_scheme(shown)}.")
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        raise CannotMeasure(f"--base-url {shown}: an address has no spaces in it.")
    scheme, _, rest = url.partition("://")
    host, slash, path = re.fullmatch(r"([^/?#]*)(/?)(.*)", rest).groups()  # type: ignore[union-attr]
    login, at, host = host.rpartition("@")
    if at and ":" not in login:
        raise CannotMeasure(_NO_KEY)
    if "@" in path and not at and re.search(r":.*\D", host):
        raise CannotMeasure(
            "--base-url: the password in the address has characters that must be percent-encoded, such as %2F for /."
        )
    _must_be_a_host(host, shown)
    path, _, _ = path.partition("#")
    path, _, query = path.partition("?")
    url = f"{scheme.lower()}://{host}{slash}{path}".rstrip("/")
    if end := _ENDPOINT.search(url):
        raise CannotMeasure(f"--base-url {url}: leave out {end[0]}, so that it ends in /v1.")
    user, _, password = login.partition(":")
    return Address(url, (user, password) if at else None, query)


def masked(url: str) -> str:
    """An address without user and password, and without its query."""
    return re.sub(r"^((?:[^/?#@]*:)?/*)[^/?#\s]*@", r"\1[redacted]@", re.sub(r"\?.*", "?[redacted]", url))


def root(base_url: str) -> str:
    """Where the server's own endpoints are: the base URL without `/v1`."""
    return base_url.rstrip("/").removesuffix("/v1")


def host_of(base_url: str) -> str:
    """The host, with its port if it has one."""
    return urlsplit(base_url).netloc


_NO_KEY = "--base-url: put the key into OPENAI_API_KEY, not into the address."


def _must_be_a_host(host: str, shown: str) -> None:
    if not host or (host.startswith(":") and host.count(":") == 1):
        raise CannotMeasure(f"--base-url {shown}: the host is missing, e.g. {EXAMPLE}.")
    bare = re.fullmatch(r"[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", host) and host.count(":") > 1
    if bare or not re.fullmatch(r"\[[^\[\]]+\](:[^\[\]]*)?|[^\[\]]+", host):
        raise CannotMeasure(f"--base-url {shown}: an IPv6 address stands in brackets, e.g. http://[::1]:8000/v1.")


def _with_scheme(shown: str) -> str:
    """The address that the user may have meant, if the scheme is missing or misspelt."""
    rest = re.sub(r"^(h\w*)?:?/+", "", shown) if shown.startswith("h") else shown
    return f"http://{rest}" if re.match(r"(\[[0-9a-fA-F:]+\]|[\w.-]+)(:\d+)?(/|$)", rest) else EXAMPLE
