"""Everything that can be wrong before a run begins: one clear sentence, and an exit code of its own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from backends.errors import CannotWrite
from conformance import results
from conformance.run import options
from conformance.run.main import MainRun
from tests.fake import Reply, as_json, error, serving
from tests.reports_data import check, wire, write

ROOT = Path(__file__).parent.parent
MODELS = as_json({"object": "list", "data": [{"id": "m", "object": "model", "created": 1, "owned_by": "x"}]})
HELLO = as_json(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
)


def measure(tmp_path: Path, *args: str, key: str | None = None) -> tuple[int, str]:
    """Run the suite's smallest file with `args`; exit code and output."""
    environment = {k: v for k, v in os.environ.items() if k != "OPENAI_API_KEY"}
    if key:
        environment["OPENAI_API_KEY"] = key
    command = [sys.executable, "-m", "pytest", "-q", "conformance/checks/test_stop.py", "--timeout=5", *args]
    if "--report" not in args:
        command += ["--report", str(tmp_path / "run")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr


def test_unknown_backend(tmp_path: Path) -> None:
    code, output = measure(tmp_path, "--backend", "llama.cpp")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "there is no such backend; choose one of" in output
    assert "llamacpp" in output


def test_base_url_without_scheme(tmp_path: Path) -> None:
    code, output = measure(tmp_path, "--base-url", "localhost:8000/v1")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "begin with http://" in output


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("", "--base-url is empty: give an address"),
        ("http://127.0.0.1:9/v1/chat/completions", "leave out /chat/completions, so that it ends in /v1"),
    ],
)
def test_an_address_that_cannot_be_one(tmp_path: Path, url: str, sentence: str) -> None:
    code, output = measure(tmp_path, f"--base-url={url}")
    assert code == 4
    assert sentence in output


@pytest.mark.parametrize("option", ["--base-url=http://hunter2@host/v1", "--backend=url@hunter2@host/v1"])
def test_key_in_the_address(tmp_path: Path, option: str) -> None:
    code, output = measure(tmp_path, option)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "put the key into OPENAI_API_KEY, not into the address" in output
    assert "hunter2" not in output
    assert not list(tmp_path.iterdir())


def test_an_at_sign_in_the_path_is_no_password(tmp_path: Path) -> None:
    code, _ = measure(tmp_path, "--base-url=http://127.0.0.1:9/@me/v1")
    assert code == 11


def test_the_command_is_kept_as_a_shell_takes_it(tmp_path: Path) -> None:
    measure(tmp_path, "--base-url", "http://127.0.0.1:9/v1", "-k", "ends or (x)")
    command = results.read(tmp_path / "run" / "results.jsonl").header["command"]
    assert shlex.split(command)[-4:-2] == ["-k", "ends or (x)"]


@pytest.mark.parametrize("option", ["--base-url", "--fail-on"])
def test_an_option_that_resembles_ours(tmp_path: Path, option: str) -> None:
    wrong = option.replace("-", "_").replace("__", "--")
    code, output = measure(tmp_path, f"{wrong}=x")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert f"did you mean: {option} for {wrong}?" in output
    assert "did you mean" not in measure(tmp_path, "--something=x")[1]


def test_backend_that_needs_an_address(tmp_path: Path) -> None:
    code, output = measure(tmp_path, "--backend", "url")
    assert code == 15
    assert "add --base-url" in output


def test_unreachable(tmp_path: Path) -> None:
    code, output = measure(tmp_path, "--base-url", "http://127.0.0.1:9/v1", "-v")
    assert code == 11
    assert output.count("Nothing answers at http://127.0.0.1:9/v1") == 1
    assert re.search(r"^Not run: (\d+) of \1$", output, re.MULTILINE)
    kept = results.read(tmp_path / "run" / "results.jsonl")
    assert kept.footer is not None
    assert "Nothing answers" in kept.footer["stopped"]
    assert kept.checks
    assert {c.outcome for c in kept.checks} == {"not-run"}


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["alone", "n1"])
def test_nothing_selected(tmp_path: Path, args: list[str]) -> None:
    (tmp_path / "run").mkdir()
    old = write(tmp_path / "run" / "results.jsonl", [check()])
    code, output = measure(tmp_path, "--replay", str(old), "-k", "sftop", *args)
    assert code == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "nothing was measured: no check fits -m and -k; see `pytest --markers`" in output
    assert "Report:" not in output, "the old results are not this run's"


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["alone", "n1"])
@pytest.mark.parametrize("option", ["-k", "-m"])
def test_an_expression_that_is_none(tmp_path: Path, option: str, args: list[str]) -> None:
    code, output = measure(tmp_path, option, "stop and and", *args)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert f"ERROR: {option}: 'stop and and' cannot be read: expected not OR left parenthesis" in output
    assert not (tmp_path / "run" / "results.jsonl").exists()
    assert "waiting for" not in output, "a server was started for nothing"


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["alone", "n1"])
def test_a_mark_that_is_none(tmp_path: Path, args: list[str]) -> None:
    code, output = measure(tmp_path, "-m", "must and not (streming or stop)", *args)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert output.endswith("-m: there is no mark streming; did you mean streaming? `pytest --markers` lists all.\n\n")
    assert "waiting for" not in output, "a server was started for nothing"


def test_http_where_https_was_asked(tmp_path: Path) -> None:
    with serving(lambda *_: MODELS) as origin:
        code, output = measure(tmp_path, "--base-url", origin.replace("http:", "https:") + "/v1")
    assert code == 11
    assert f"speaks http: try --base-url={origin}/v1." in output


@pytest.mark.parametrize("port", ["99999", "x"])
def test_a_port_that_is_none(tmp_path: Path, port: str) -> None:
    code, output = measure(tmp_path, f"--base-url=http://127.0.0.1:{port}/v1")
    assert code == 11
    assert f"Nothing answers at http://127.0.0.1:{port}/v1" in output


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that nobody trusts, with its key."""
    if not shutil.which("openssl"):
        pytest.skip("there is no openssl to make a certificate")
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    made = f"openssl req -x509 -newkey rsa:2048 -noenc -days 1 -subj /CN=localhost -keyout {file} -out {file}.crt"
    subprocess.run(made.split(), check=True, capture_output=True)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def test_https_where_http_was_asked(tmp_path: Path, certificate: Path) -> None:
    with serving(lambda *_: MODELS, certificate) as origin:
        code, output = measure(tmp_path, "--base-url", origin.replace("https:", "http:") + "/v1")
        assert code == 11
        assert f"speaks https: try --base-url={origin}/v1." in output
        _, output = measure(tmp_path, "--base-url", origin + "/v1")
        assert "CERTIFICATE_VERIFY_FAILED" in output
        assert "speaks http" not in output


HTML = (200, {"Content-Type": "text/html"}, b"<!doctype html><title>nginx</title>")
MOVED = (301, {"Location": "http://127.0.0.1/elsewhere"}, b"")
NOT_FOUND = as_json({"detail": "Not Found"}, 404)


@pytest.mark.parametrize(
    ("reply", "code", "sentence"),
    [
        pytest.param(HTML, 12, "with an HTML page, not as an OpenAI API does", id="html"),
        pytest.param(MOVED, 12, "redirects to http://127.0.0.1/elsewhere: use that address", id="redirect"),
        pytest.param(NOT_FOUND, 13, "answered 404, so no model is known: name one with --model", id="404"),
        pytest.param(as_json([1]), 12, "with no JSON object", id="list"),
        pytest.param(as_json({"object": "list", "data": []}), 13, "lists no model", id="no-model"),
        pytest.param(error(401, "no key"), 14, "wants an API key (401): set OPENAI_API_KEY", id="no-key"),
        pytest.param(as_json({"models": []}), 12, "without a list of models", id="no-list"),
    ],
)
def test_not_what_it_should_be(reply: Reply, code: int, sentence: str, tmp_path: Path) -> None:
    with serving(lambda *_: reply) as origin:
        ended, output = measure(tmp_path, "--base-url", origin + "/v1")
    assert sentence in output
    assert ended == code


def test_control_characters_of_a_server_do_not_reach_the_terminal(tmp_path: Path) -> None:
    listing = as_json({"object": "list", "data": [{"id": "\x1b[31mred", "object": "model"}]})
    with serving(lambda _method, path, *_: listing if path.endswith("/models") else error(500, "\x1b[31mno")) as origin:
        _, output = measure(tmp_path, "--base-url", origin + "/v1", "-v", "-k", "models")
    assert "\\x1b[31mred" in output
    assert "\x1b[31m" not in output


def test_wrong_key_is_named_but_never_shown(tmp_path: Path) -> None:
    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        return MODELS if path.endswith("/models") else error(401, f"bad key {headers['authorization']}")

    with serving(reply) as origin:
        code, output = measure(tmp_path, "--base-url", origin + "/v1", key="sk-canary-1234567890")
    assert code == 14
    assert "refuses the API key in OPENAI_API_KEY (401)" in output
    everything = output + "".join(f.read_text() for f in tmp_path.rglob("*") if f.is_file())
    assert "sk-canary" not in everything


def test_unknown_model(tmp_path: Path) -> None:
    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        return MODELS if path.endswith("/models") else error(404, "The model 'llama9' does not exist")

    with serving(reply) as origin:
        code, output = measure(tmp_path, "--base-url", origin + "/v1", "--model", "llama9")
    assert code == 13
    assert "does not know the model 'llama9'; it lists m." in output


@pytest.mark.parametrize(("model", "warned"), [("llama9", True), ("m", False)])
def test_a_model_that_is_not_listed_but_answers(tmp_path: Path, model: str, warned: bool) -> None:
    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        return MODELS if path.endswith("/models") else HELLO

    with serving(reply) as origin:
        _, output = measure(tmp_path, "--base-url", origin + "/v1", f"--model={model}", "-v", "-k", "ends_the_text")
    assert ("warning: the server does not list llama9 (it lists: m)" in output) is warned
    assert ("warning" in results.read(tmp_path / "run" / "results.jsonl").targets[0]["details"]) is warned


def test_model_without_embeddings_and_vision_is_said_and_the_rest_measured(tmp_path: Path) -> None:
    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        if path.endswith("/models"):
            return MODELS
        if path.endswith("/embeddings") or b"image_url" in body:
            return error(501, "not with this model")
        return HELLO

    with serving(reply) as origin:
        code, output = measure(tmp_path, "--base-url", origin + "/v1", "-v")
        only_vision = ("conformance/checks/test_vision.py", "-k", "vision and not eyes", "--fail-on=never")
        vision = measure(tmp_path, "--base-url", origin + "/v1", *only_vision)
    assert vision[0] == pytest.ExitCode.NO_TESTS_COLLECTED
    assert "nothing was judged: all checks are blocked or not-run" in vision[1]
    assert "nothing was judged" not in output
    assert "no embedding model: the model 'm' is not one for embedding (the server answered 501: not with" in output
    assert "name another with --embedding-model" in output
    assert "no vision model" in output
    assert code == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("around", ["", "\r\n"])
def test_key_that_a_server_repeats_is_redacted_everywhere(tmp_path: Path, around: str) -> None:
    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        status, out, text = MODELS if path.endswith("/models") else HELLO
        key = headers["authorization"].removeprefix("Bearer ")
        return status, {**out, "X-Echo": key, "Set-Cookie": f"k={key}"}, text.replace(b"Hi", key.encode())

    with serving(reply) as origin:
        _, output = measure(tmp_path, "--base-url", origin + "/v1", "-v", key="sk-canary-1234567890" + around)
    everything = output + "".join(f.read_text() for f in tmp_path.rglob("*") if f.is_file())
    assert "[redacted]" in everything
    assert "sk-canary" not in everything


@pytest.mark.parametrize("inside", ["\r", "é"])
def test_key_that_no_header_can_hold(tmp_path: Path, inside: str) -> None:
    code, output = measure(tmp_path, "--base-url", "http://127.0.0.1:9/v1", key=f"sk-canary{inside}1234567890")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "OPENAI_API_KEY holds characters that no HTTP header may have: set it to the key alone." in output
    assert "sk-canary" not in output


def test_unwritable_report(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, output = measure(tmp_path, "--report", str(tmp_path / "file" / "run"))
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "cannot write there" in output


def test_runs_that_begin_in_the_same_second_have_reports_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(options.time, "strftime", lambda _: "now")
    made = []
    for _ in range(3):
        run = object.__new__(MainRun)
        run.config = SimpleNamespace(getoption=lambda _: None)  # type: ignore[assignment]
        run.asked = options.Options(
            wanted=(), report=options._report_directory(None, []), fail_on=None, replay=None, timeout=1
        )
        run._make_report_directory()
        made.append(run.results_file.parent.name)
    assert made == ["now-", "now--2", "now--3"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("more", [(), ("-n", "2")])
def test_a_full_disk_is_one_sentence(more: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "results.jsonl").symlink_to("/dev/full")
    old = write(tmp_path / "x.jsonl", [check()], {"count": wire()})
    code, output = measure(tmp_path, "--replay", str(old), *more)
    assert code == CannotWrite.exit_code, output
    assert "results.jsonl: cannot write on (No space left on device); make room and run again." in output
    assert "Traceback" not in output
    assert "INTERNALERROR" not in output


def test_replay_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("hello\n")
    code, output = measure(tmp_path, "--replay", str(tmp_path / "x.jsonl"))
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "is this a results.jsonl of this suite?" in output


def test_replay_of_a_run_that_was_cut(tmp_path: Path) -> None:
    file = write(tmp_path / "x.jsonl", [check()], {"count": wire()}, planned=[check(), check("n.a")], footer=False)
    _, output = measure(tmp_path, "--replay", str(file), "-v")
    assert "cut: the run was cut; the file holds 1 of its 2 checks" in output
    assert re.search(r"recorded: the file holds 1 of \d{3} scenarios of llamacpp; checks of the others are", output)
    assert {c.outcome for c in results.read(tmp_path / "run" / "results.jsonl").checks} <= {
        "not-run",
        "blocked",
        "fail",
    }
    whole = write(tmp_path / "whole.jsonl", [check()], {"count": wire()})
    assert "cut:" not in measure(tmp_path, "--replay", str(whole), "-v")[1]


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--slots=0"], "--slots 0: give a number from 1."),
        (["--name=../x"], "--name '../x': a name has up to 60 letters"),
        (["--name=a", "--name=b"], "--name: 2 names for 1 servers; give one for each --backend."),
        (["--backend=my/server@http://127.0.0.1:9/v1"], "--backend 'my/server': a name has up to 60 letters"),
    ],
)
def test_names_and_slots_that_cannot_be(args: list[str], sentence: str, tmp_path: Path) -> None:
    code, output = measure(tmp_path, *args)
    assert code == pytest.ExitCode.USAGE_ERROR
    assert sentence in output


@pytest.mark.parametrize(("args", "name"), [([], "my-gateway@"), (["--name=my gateway"], "my gateway")])
def test_a_column_has_the_name_that_the_user_gives(args: list[str], name: str, tmp_path: Path) -> None:
    with serving(lambda _method, path, *_: MODELS if path.endswith("/models") else HELLO) as origin:
        measure(tmp_path, f"--backend=my-gateway@{origin}/v1", "--slots=2", "-k", "ends_the_text", *args)
    target = results.read(tmp_path / "run" / "results.jsonl").targets[0]
    assert target["name"] == (name + origin.removeprefix("http://") if name.endswith("@") else name)
    assert target["backend"] == "url"
