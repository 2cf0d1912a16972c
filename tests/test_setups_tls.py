"""Servers behind TLS: a certificate that is not trusted is said in one sentence, and can be trusted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import access
from backends.address import Address
from backends.errors import CannotMeasure
from tests.reference.app import create_app
from tests.reference.server import running
from tests.setups import Certificates, attached, certificates, doctor_says, nginx, sentence


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return certificates(tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def https(made: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An nginx with a certificate that nobody trusts, before the reference server; yields its base URL."""
    with (
        running(create_app()) as reference,
        nginx(
            tmp_path_factory.mktemp("https"),
            f"{made.nginx} location / {{ proxy_pass {reference}; }}",
            listen="ssl",
        ) as host,
    ):
        yield f"https://{host}/v1"


def host_of(url: str) -> str:
    return url.removeprefix("https://").removesuffix("/v1")


def test_a_certificate_that_is_not_trusted(https: str) -> None:
    code, said = sentence(https)
    assert code == 11
    assert said.startswith(f"The certificate of {host_of(https)} is not trusted (CERTIFICATE_VERIFY_FAILED: ")
    assert said.endswith("with --ca-file=FILE or SSL_CERT_FILE, or add --insecure.")
    assert said in doctor_says(https)[0]


def test_an_authority_that_the_user_names(https: str, made: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (made.authority, made.server):
        target = attached(https, backend="reference", ca_file=str(file))
        assert target.version == "1", "the server's own endpoints are asked with it, too"
    monkeypatch.setenv("SSL_CERT_FILE", str(made.authority))
    assert attached(https).deployments
    assert "not trusted" not in "".join(doctor_says(https))


def test_any_certificate(https: str) -> None:
    code, said = sentence(https, insecure=True)
    assert code == 0
    assert "the server's certificate was not checked (--insecure)" in said


@pytest.mark.parametrize(
    ("names", "days", "why", "do"),
    [
        ("DNS:elsewhere", 2, "IP address mismatch", "use a name that is in the certificate, or add --insecure."),
        ("IP:127.0.0.1", -1, "certificate has expired", "renew it, look at this machine's clock, or add --insecure."),
    ],
    ids=["other name", "expired"],
)
def test_a_certificate_that_is_wrong(names: str, days: int, why: str, do: str, tmp_path: Path) -> None:
    made = certificates(tmp_path, names=names, days=days)
    with nginx(tmp_path, f"{made.nginx} return 200;", listen="ssl") as host:
        code, said = sentence(f"https://{host}/v1", ca_file=str(made.authority))
    assert code == 11
    assert said.startswith(f"The certificate of {host} is not trusted (CERTIFICATE_VERIFY_FAILED: {why}")
    assert said.endswith(do)


def test_a_certificate_of_the_client_is_wanted(made: Certificates, tmp_path: Path) -> None:
    server = f"{made.nginx} ssl_verify_client on; ssl_client_certificate {made.authority};"
    with nginx(tmp_path, server, listen="ssl") as host:
        code, said = sentence(f"https://{host}/v1", insecure=True)
    assert code == 12
    assert "answers 400 with an HTML page, not as an OpenAI API does (400 No required SSL certificate was sent)" in said


def test_tls_that_this_machine_does_not_speak(made: Certificates, tmp_path: Path) -> None:
    with nginx(tmp_path, f"{made.nginx} ssl_protocols TLSv1.2; ssl_ciphers NULL-SHA256;", listen="ssl") as host:
        code, said = sentence(f"https://{host}/v1", insecure=True)
    assert code == 11
    assert said.startswith(f"{host} answers, but TLS fails (")
    assert "Nothing answers" not in said


@pytest.mark.parametrize(
    ("text", "why"), [(None, "There is no file"), ("hello", "has no certificate in PEM format")], ids=["none", "text"]
)
def test_a_file_without_certificates(
    text: str | None, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ca.pem"
    if text:
        file.write_text(text)
    said = f"{why}.*: --ca-file and SSL_CERT_FILE name a file"
    with pytest.raises(CannotMeasure, match=said):
        access.given(key=None, ca_file=str(file))
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(CannotMeasure, match=said):
        access.to(Address("https://host/v1"), access.given(key=None))
    assert access.to(Address("http://host/v1"), access.given(key=None)).ca_file is None
