"""Why a server cannot be measured, in one sentence that says what to do."""

from __future__ import annotations

import os
import re
from html import unescape
from urllib.parse import urljoin, urlsplit

from backends import listening
from backends.access import Access
from backends.address import host_of, masked
from backends.errors import KeyRefused, NotOpenAI, Unreachable
from backends.roles import message, parsed
from backends.wire import Exchange

NOT_READY = (429, 503)
"""Statuses of a server that may answer soon: it still loads its model, or has too much to do."""


def must_be_an_api(answer: Exchange, base_url: str, access: Access) -> None:
    """Raise the fitting CannotMeasure if the answer shows that nothing can be measured here."""
    if answer.status in (None, 400) and (other := listening.in_other_scheme(base_url)):
        speaks = other.partition("://")[0]
        raise Unreachable(f"The server at {base_url} speaks {speaks}: try --base-url={other}.")
    if answer.status is None:
        raise Unreachable(_silent(answer, base_url))
    if answer.status in (401, 403, 407):
        raise KeyRefused(_refused(answer, base_url, access))
    if 300 <= answer.status < 400:
        raise NotOpenAI(_redirects(answer, base_url))
    said = f" ({message(answer)})" if answer.body and not is_html(answer) else ""
    if answer.status in NOT_READY:
        why = "it is not ready" if answer.status == 503 else "it takes no more requests for now"
        raise Unreachable(
            f"{base_url} answers {answer.status}{said}, so {why}: run again later, "
            "or let pytest wait longer with --timeout=SECONDS."
        )
    if answer.status in (502, 504):
        raise Unreachable(
            f"{base_url} is a gateway that answers {answer.status}{said}: start the server behind it, "
            "or look whether the gateway has its address right."
        )
    hint = "" if base_url.endswith("/v1") else " The base URL usually ends in /v1."
    if is_html(answer):
        raise NotOpenAI(
            f"{answer.url} answers {answer.status} with an HTML page, not as an OpenAI API does{_title(answer)}.{hint}"
        )
    if answer.status == 200 and not isinstance(parsed(answer), dict | list):
        what = "no JSON object" if answer.body.strip() else "an empty body, and with no JSON object"
        raise NotOpenAI(f"{answer.url} answers 200 with {what}, not as an OpenAI API does.{hint}")


def is_html(answer: Exchange) -> bool:
    """Whether the body is a page for people."""
    return answer.body.lstrip()[:1] == b"<" or "html" in (answer.header("content-type") or "")


def no_tls(answer: Exchange, base_url: str) -> str | None:
    """Why there was no answer, if that is because of TLS or a certificate."""
    detail, host = answer.error_detail, host_of(base_url)
    if refused := re.search(r"certificate verify failed: (.*?)( \(_ssl|$)", detail):
        do = "name a file that has it or its issuer's with --ca-file=FILE or SSL_CERT_FILE, or add --insecure"
        if "mismatch" in refused[1]:
            do = "use a name that is in the certificate, or add --insecure"
        if "expired" in refused[1] or "not yet valid" in refused[1]:
            do = "renew it, look at this machine's clock, or add --insecure"
        return f"The certificate of {host} is not trusted (CERTIFICATE_VERIFY_FAILED: {refused[1].rstrip('.')}): {do}."
    if "CERTIFICATE_REQUIRED" in detail:
        return f"{host} wants a certificate of the client, which this suite cannot give: use an address without that."
    if ssl_says := re.search(r"SSL: (\w+)", detail):
        return f"{host} answers, but TLS fails ({ssl_says[1]}): look at the TLS settings of the server."
    return None


def _silent(answer: Exchange, base_url: str) -> str:
    """Why there was no answer."""
    if said := no_tls(answer, base_url):
        return said
    if answer.error == "timeout":
        return f"{base_url} accepts connections but does not answer; is it still loading its model?"
    proxies = sorted(name for name in os.environ if re.fullmatch(r"(?i)(https?|all)_proxy", name) and os.environ[name])
    direct = f"; the suite asks it without the proxy in {' and '.join(proxies)}" if proxies else ""
    if answer.error == "closed":
        return (
            f"What answers at {base_url} does not speak HTTP, or hangs up ({answer.error_detail}): "
            "is this the port of the server?"
        )
    return (
        f"Nothing answers at {base_url} ({answer.error_detail}{direct}): start the server, or name another --base-url."
    )


def _refused(answer: Exchange, base_url: str, access: Access) -> str:
    """Which credentials the server rejects, and what to do."""
    said = f"; it says: {message(answer)}" if answer.body and not is_html(answer) else ""
    if names := access.names():
        return f"{base_url} refuses {names} ({answer.status}){said or '.'}"
    if (answer.header("www-authenticate") or "").lower().startswith("basic"):
        scheme, _, rest = base_url.partition("://")
        return (
            f"{base_url} wants a user and a password ({answer.status}): put them into the address, "
            f"--base-url={scheme}://USER:PASSWORD@{rest}."
        )
    return (
        f"{base_url} wants an API key ({answer.status}): set OPENAI_API_KEY, "
        f"or give the header that it wants with --header='Name: value'{said or '.'}"
    )


def _redirects(answer: Exchange, base_url: str) -> str:
    """Where the server redirects to. The suite does not follow, because its requests are meant for one server only."""
    location = answer.header("location")
    if not location:
        return f"{base_url} answers {answer.status} but does not say where to go: is this an OpenAI API?"
    path = answer.request.path
    there = masked(urljoin(answer.url, location))
    where = there.partition("?")[0].rstrip("/").removesuffix(path)
    if where == base_url:
        return (
            f"{base_url} redirects {path} to {urlsplit(there).path} ({answer.status}), which this suite does not "
            "follow: name the model with --model, or let the server answer at once."
        )
    return (
        f"{base_url} redirects to {where}: use that address as --base-url; if it is a page to log in, "
        "give what lets you in (OPENAI_API_KEY or --header)."
    )


def _title(answer: Exchange) -> str:
    """The title of an HTML page, in brackets."""
    found = re.search(rb"(?is)<title[^>]*>(.*?)</title", answer.body[:10_000])
    title = " ".join(unescape(found[1].decode(errors="replace")).split())[:80] if found else ""
    return f" ({title})" if title else ""
