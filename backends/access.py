"""What a server needs to accept requests: the API key, the user's headers, and trusted certificates."""

from __future__ import annotations

import base64
import binascii
import os
import re
import ssl
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import httpx2

from backends.address import Address
from backends.errors import CannotMeasure
from backends.redaction import SHORTEST

Header = tuple[str, str]

_OPEN = re.compile(r"accept(-.*)?|cache-control|host|origin|pragma|referer|user-agent|x-forwarded-.*")
"""Headers whose values are no secrets. A server may repeat them, and what it says must stay as it is."""

_OURS = ("accept-encoding", "connection", "content-length", "content-type", "transfer-encoding")
"""Headers that belong to a request's body or its connection."""


@dataclass(frozen=True, kw_only=True)
class Access:
    """What is sent along with each request to one server, and how its certificate is checked.

    `headers` are the user's, with lower-case names; an `authorization` among them takes the place of `key`. `query` is
    what the address had behind its `?`. `ca_file` is a file or directory with certificates that are trusted beside the
    usual ones; `insecure` trusts all.
    """

    key: str | None = field(default=None, repr=False)
    headers: tuple[Header, ...] = field(default=(), repr=False)
    query: str = field(default="", repr=False)
    ca_file: str | None = None
    insecure: bool = False

    def sent(self) -> dict[str, str]:
        """The headers by name."""
        return ({"authorization": f"Bearer {self.key}"} if self.key else {}) | dict(self.headers)

    def url(self, url: str) -> str:
        """A URL with the query, as it is requested."""
        return url + ("&" if "?" in url else "?") + self.query if self.query else url

    def secrets(self) -> tuple[str, ...]:
        """Texts that must not be shown, the longest first: a password is part of what is sent with it."""
        found = {self.key} if self.key else set()
        for name, value in self.headers:
            if not _OPEN.fullmatch(name):
                found |= {value, value.rpartition(" ")[2], *_basic(value)}
        for name, value in parse_qsl(self.query):
            if not name.lower().endswith("version"):
                found |= {value, quote(value, safe="")}
        return tuple(sorted((text for text in found if len(text) >= SHORTEST), key=lambda text: (-len(text), text)))

    def names(self) -> str:
        """The credentials that were given, in words; "" if there are none."""
        names = ["the API key in OPENAI_API_KEY"] if self.key else []
        for name, value in self.headers:
            basic = name == "authorization" and value.startswith("Basic ")
            names.append("the user and password" if basic else f"the header {name.title()}")
        return " and ".join(names)

    def tls(self) -> ssl.SSLContext:
        """The context for connections. Raises CannotMeasure if `ca_file` has no certificates."""
        return _context(self.ca_file, self.insecure)

    def to_json(self) -> dict[str, Any]:
        """With its secrets, for another process of the same run."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Access:
        """The inverse of `to_json`."""
        return cls(**{**data, "headers": tuple((name, value) for name, value in data["headers"])})


def given(
    *,
    key: str | None,
    headers: Sequence[str] = (),
    ca_file: str | None = None,
    insecure: bool = False,
) -> Access:
    """What the user's options ask for: each of `headers` is `Name: value`. Raises CannotMeasure."""
    read = [_header(text) for text in headers]
    access = Access(key=key, headers=tuple(dict(read).items()), ca_file=ca_file, insecure=insecure)
    if ca_file:
        access.tls()
    return _one_authorization(access)


def to(address: Address, access: Access) -> Access:
    """The access to one address: with the login and query that it has, and SSL_CERT_FILE if that may be needed."""
    access = replace(access, query=address.query)
    if address.login:
        basic = base64.b64encode(":".join(map(unquote, address.login)).encode()).decode()
        access = replace(access, headers=(*access.headers, ("authorization", f"Basic {basic}")))
    if address.base_url.startswith("https://") and not (access.ca_file or access.insecure):
        access = replace(access, ca_file=os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR") or None)
        access.tls()
    return _one_authorization(access)


def _one_authorization(access: Access) -> Access:
    """Without the key, if the user gives another Authorization."""
    return replace(access, key=None) if "authorization" in dict(access.headers) else access


def _header(text: str) -> Header:
    """Name and value. The sentences about a wrong one do not repeat it: it may be a secret."""
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not colon or not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name):
        raise CannotMeasure("--header is not a header: write --header='Name: value'.")
    if name.lower() in _OURS:
        raise CannotMeasure(f"--header: {name} is set by the suite for each request: leave it out.")
    if not value:
        raise CannotMeasure(f"--header: {name} has no value: is the variable set that should give it?")
    if not (value.isascii() and value.isprintable()):
        raise CannotMeasure(f"--header: the value of {name} has characters that no HTTP header may have.")
    return name.lower(), value


def _basic(value: str) -> tuple[str, ...]:
    """What a Basic authorization says: user and password together, and the password."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return ()
    try:
        login = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ()
    return login, login.partition(":")[2]


@cache
def _context(ca_file: str | None, insecure: bool) -> ssl.SSLContext:
    """Made once, because reading all certificates takes a while."""
    context = httpx2.create_ssl_context(verify=not insecure, trust_env=False)
    if ca_file and not insecure:
        is_directory = Path(ca_file).is_dir()
        try:
            context.load_verify_locations(**{"capath" if is_directory else "cafile": ca_file})
        except FileNotFoundError:
            raise CannotMeasure(f"There is no file {ca_file}: {_WHICH}.") from None
        except ssl.SSLError:
            raise CannotMeasure(f"{ca_file} has no certificate in PEM format: {_WHICH}.") from None
        except OSError as problem:
            raise CannotMeasure(f"{ca_file} cannot be read ({problem.strerror}): {_WHICH}.") from None
        # A certificate that the user names is trusted, also if it is not its own issuer.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


_WHICH = "--ca-file and SSL_CERT_FILE name a file with the certificates to trust"
