"""Servers that let in only who gives a user and password, a header or a key. Secrets are never shown."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backends import access, wire
from backends.__main__ import main
from backends.access import Access
from backends.address import Address
from backends.errors import CannotMeasure
from backends.wire import Request, send
from conformance import results
from conformance.run.options import shown
from tests.fake import Reply, as_json, error, serving
from tests.reference.app import create_app
from tests.reference.server import running
from tests.setups import HELLO, MODELS, certificates, doctor_says, nginx, sentence

ROOT = Path(__file__).parent.parent
PASSWORD, HEADER, KEY = "hunter2-canary", "canary-of-a-header", "sk-canary-1234567890"
BASIC = 'auth_basic "members"; auth_basic_user_file {directory}/users;'
BY_HEADER = 'if ($http_x_api_key != "' + HEADER + '") {{ return 403; }}'


def users(directory: Path) -> None:
    """The file in which nginx looks for `me` and the password."""
    made = subprocess.run(["openssl", "passwd", "-apr1", PASSWORD], check=True, capture_output=True, text=True)
    (directory / "users").write_text(f"me:{made.stdout}")


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["alone", "n1"])
def test_everything_at_once_and_nothing_shown(workers: tuple[str, ...], tmp_path: Path) -> None:
    """A certificate of its own, a user and a password, and a header: for requests, programs and workers."""
    made = certificates(tmp_path)
    users(tmp_path)
    server = f"{made.nginx} {BASIC} location / {{{{ {BY_HEADER} proxy_pass {{reference}}; }}}}"
    with (
        running(create_app()) as reference,
        nginx(tmp_path, server.format(directory=tmp_path, reference=reference), listen="ssl") as host,
    ):
        command = [
            *(sys.executable, "-m", "pytest", "-v", "conformance/checks/test_models.py"),
            *(
                "conformance/checks/test_examples.py",
                "-k",
                "models or chat_in",
                f"--report={tmp_path / 'run'}",
                *workers,
            ),
            *(f"--base-url=https://me:{PASSWORD}@{host}/v1", f"--header=X-API-Key: {HEADER}"),
            *("--header", f"X-Other: {HEADER}-2", f"--ca-file={made.authority}"),
        ]
        environment = {**os.environ, "OPENAI_API_KEY": KEY}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    read = results.read(tmp_path / "run" / "results.jsonl")
    outcomes = {c.id: c.outcome for c in read.checks}
    assert done.returncode == 0, done.stdout
    assert outcomes["models.lists_the_model"] == outcomes["examples.chat_in_python"] == "pass"
    assert read.targets[0]["name"] == f"url@{host}"
    kept = "".join(f.read_text(errors="replace") for f in (tmp_path / "run").rglob("*") if f.is_file())
    encoded = base64.b64encode(f"me:{PASSWORD}".encode()).decode()
    for secret in (PASSWORD, HEADER, KEY, encoded):
        assert secret not in done.stdout + done.stderr
        assert secret not in kept


@pytest.mark.parametrize(
    ("url", "options", "sentences"),
    [
        ("http://{}/v1", {}, "wants a user and a password (401): put them into the address, --base-url=http://USER:"),
        ("http://me:wrong@{}/v1", {}, "refuses the user and password (401)"),
        ("http://{}/v1", {"key": KEY}, "refuses the API key in OPENAI_API_KEY (401)"),
        ("http://{}/v1", {"headers": ["Authorization: Bearer x", "X-A: y"]}, "the header Authorization and the header"),
    ],
    ids=["nothing", "wrong", "a key", "another header"],
)
def test_a_user_and_a_password_are_wanted(url: str, options: dict[str, str], sentences: str, tmp_path: Path) -> None:
    users(tmp_path)
    with nginx(tmp_path, BASIC.format(directory=tmp_path)) as host:
        code, said = sentence(url.format(host), **options)
        assert code == 14
        assert sentences in said
        assert said.startswith(f"http://{host}/v1 ")
        assert said in doctor_says(url.format(host), **options)[-1]
        assert sentence(f"http://me:{PASSWORD}@{host}/v1")[0] == 12, "let in, to an nginx that has no API"


@pytest.mark.parametrize("model", [None, "m"])
def test_a_header_is_wanted(model: str | None) -> None:
    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        if headers.get("x-api-key") != HEADER:
            return error(403, "give X-API-Key")
        return MODELS if path.endswith("/models") else HELLO

    models = {"chat": model} if model else {}
    with serving(reply) as origin:
        code, said = sentence(f"{origin}/v1", models=models)
        wrong = sentence(f"{origin}/v1", models=models, headers=["X-API-Key: wrong"])
        right = sentence(f"{origin}/v1", models=models, headers=[f"X-API-Key: {HEADER}"])
    assert code == wrong[0] == 14
    assert said == (
        f"{origin}/v1 wants an API key (403): set OPENAI_API_KEY, or give the header that it wants with "
        "--header='Name: value'; it says: give X-API-Key"
    )
    assert wrong[1] == f"{origin}/v1 refuses the header X-Api-Key (403); it says: give X-API-Key"
    assert right[0] == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("X-API-Key", "--header is not a header: write --header='Name: value'."),
        ("X API Key: v", "--header is not a header: write --header='Name: value'."),
        (": v", "--header is not a header: write --header='Name: value'."),
        ("X-API-Key: ", "--header: X-API-Key has no value: is the variable set that should give it?"),
        ("X-API-Key: a\r\nX: b", "--header: the value of X-API-Key has characters that no HTTP header may have."),
        ("X-API-Key: schlüssel", "--header: the value of X-API-Key has characters that no HTTP header may have."),
        ("Content-Length: 7", "--header: Content-Length is set by the suite for each request: leave it out."),
    ],
)
def test_what_is_no_header(text: str, said: str) -> None:
    with pytest.raises(CannotMeasure) as problem:
        access.given(key=None, headers=[text])
    assert str(problem.value) == said


def test_a_wrong_option_is_bad_usage() -> None:
    command = [sys.executable, "-m", "pytest", "conformance/checks", "--header=canary-1234567890"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 4
    assert "ERROR: --header is not a header: write --header='Name: value'." in done.stderr
    assert "canary" not in done.stdout + done.stderr


def test_the_doctor_says_what_is_wrong_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "url", "--base-url=http://h/v1", "--header=canary"]) == 1
    assert main(["doctor", "url", "--base-url=canary@h/v1"]) == 1
    assert capsys.readouterr().out == (
        "problem options: --header is not a header: write --header='Name: value'.\n1 problem found.\n"
        "problem options: --base-url: put the key into OPENAI_API_KEY, not into the address.\n1 problem found.\n"
    )


def test_an_authorization_of_the_user_takes_the_place_of_the_key() -> None:
    both = access.given(key=KEY, headers=["Authorization: Token abcdef"])
    assert both.sent() == {"authorization": "Token abcdef"}
    assert access.to(Address("http://h", ("me", "p%40ss")), access.given(key=KEY)).sent() == {
        "authorization": "Basic " + base64.b64encode(b"me:p@ss").decode()
    }
    assert access.given(key=KEY, headers=["X-A: b"]).sent() == {"authorization": f"Bearer {KEY}", "x-a": "b"}


def test_access_survives_the_way_to_a_worker() -> None:
    given = access.given(key=KEY, headers=["X-A: b", "X-C: d"], insecure=True)
    assert Access.from_json(json.loads(json.dumps(given.to_json()))) == given
    assert KEY not in repr(given)


def test_what_a_server_repeats_is_redacted() -> None:
    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        return 200, {"X-Seen": headers["x-token"]}, json.dumps({**headers, "path": path}).encode()

    headers = ["X-Token: Bearer canary-1", "Accept: application/json"]
    at = Address("http://h", ("me", "hunter2"), "key=canary%2F2&api-version=2026-01-01")
    given = access.to(at, access.given(key=None, headers=headers))
    with serving(reply) as origin, wire.client(5, given) as http:
        got = send(Request(body={"model": "x"}), origin, model="m", http=http)
    told = json.dumps(got.to_json())
    assert "canary-1" not in told
    assert "canary%2F2" not in told
    assert json.loads(got.body)["path"] == "/chat/completions?key=[redacted]&api-version=2026-01-01"
    assert "hunter2" not in told
    assert given.sent()["authorization"] not in told
    assert json.loads(got.body)["accept"] == "application/json", "this is no secret, and is left as it is"


def test_what_the_request_says_openly_is_left_in_the_answer() -> None:
    given = access.given(key=None, headers=["X-Model: llama3.1"])
    with (
        serving(lambda method, path, body, headers: as_json(json.loads(body))) as origin,
        wire.client(5, given) as http,
    ):
        got = send(Request(body={"model": "llama3.1"}), origin, model="m", http=http)
    assert json.loads(got.body) == {"model": "llama3.1"}


def test_the_command_line_is_kept_without_secrets() -> None:
    words = ["--header=X-A: canary", "--header", "X-B: canary", "--base-url=https://me:canary@host/v1", "-k", "a@b"]
    words += ["--backend=url@http://me:canary@host/v1", "https://me:canary@host/v1?key=canary"]
    assert shown(words) == [
        "--header=X-A: [redacted]",
        "--header",
        "X-B: [redacted]",
        "--base-url=https://[redacted]@host/v1",
        "-k",
        "a@b",
        "--backend=url@http://[redacted]@host/v1",
        "https://[redacted]@host/v1?[redacted]",
    ]
