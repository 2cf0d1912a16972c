"""Programs in place of requests: run through the relay, recorded, and judged by what they print and how they end."""

from __future__ import annotations

import json
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends import forked, node, program, wire
from backends.access import Access
from backends.program import ADDRESS, CannotRun, Ended, Program
from backends.wire import MODEL, Exchange
from conformance.answers import Answer
from conformance.answers.ran import Ran
from conformance.answers.recording import Recording
from conformance.checks import test_examples
from conformance.outcomes import Blocked, Inconclusive, Outcome, Verdict
from conformance.sdk import read_by_node, read_by_python, reading
from fixtures.scenario import Scenario
from fixtures.scenarios.examples import EXAMPLES, NAMES
from tests.fake import Reply, as_json, serving
from tests.made import answer, chat_body, chunk, refusal, streamed

ENDED = Ended(exit_code=0, output="Paris\n", errors="")


def ran(*answers: object, ended: Ended = ENDED) -> Ran:
    return Ran("made", answers, ended)  # type: ignore[arg-type]


def test_examples_name_the_address_that_is_replaced() -> None:
    files = [file for file in EXAMPLES.iterdir() if file.suffix in (".py", ".sh", ".mjs")]
    assert len(files) == 12
    for file in files:
        text = file.read_text()
        assert text.count(ADDRESS) == 1, file
        assert any(name in text for name in NAMES) == ("models" not in file.name), file


def test_output_is_that_of_a_program_that_went_well() -> None:
    assert ran(answer(chat_body())).lines == ["Paris"]


@pytest.mark.parametrize(
    ("did", "outcome"),
    [
        (ran(answer(refusal(), status=404)), Outcome.REJECTED),
        (ran(answer({}, status=500)), Outcome.FAIL),
        (ran(answer(chat_body()), ended=Ended(exit_code=1, output="", errors="KeyError: 'x'")), Outcome.FAIL),
        (ran(answer(chat_body()), ended=Ended(exit_code=None, output="", errors="")), Outcome.TIMEOUT),
        (ran(), Outcome.FAIL),
    ],
)
def test_output_ends_the_check_otherwise(did: Ran, outcome: Outcome) -> None:
    with pytest.raises(Verdict) as ended:
        assert did.output
    assert ended.value.outcome is outcome


def test_of_a_long_list_of_models_the_end_is_judged() -> None:
    ids = [f"vendor/A model: {number}" for number in range(400)]
    printed = "".join(f"Model: {one}\n" for one in ids)[-program.KEPT :]
    listed = answer({"object": "list", "data": [{"id": one} for one in ids]}, path="/models")
    test_examples.test_models_in_python(ran(listed, ended=Ended(exit_code=0, output=printed, errors="")))
    wrong = Ended(exit_code=0, output=printed.replace("399", "398"), errors="")
    with pytest.raises(Verdict):
        test_examples.test_models_in_python(ran(listed, ended=wrong))


def test_a_long_text_cannot_be_compared_with_what_was_kept_of_it() -> None:
    text = "word " * 1000
    did = ran(answer(chat_body(text)), ended=Ended(exit_code=0, output=text[-program.KEPT :], errors=""))
    with pytest.raises(Inconclusive):
        test_examples.test_chat_in_python(did)


def test_a_recording_survives_its_file() -> None:
    scenario = Scenario(
        name="s", build=lambda: [], needs=(), control=False, together=False, alone=False, one_connection=False,
        keyed=False, purpose="",
    )  # fmt: skip
    kept = Recording(exchanges=[], single=False, program=ENDED.to_json(Program(file=Path(__file__))))
    read = kept.answers(scenario)
    assert isinstance(read, Ran)
    assert read.ended == ENDED


def run(file: Path, url: str, key: str | None = None, **more: object) -> tuple[Ended, list[Exchange]]:
    changes = (("gpt-3.5-turbo", MODEL),)
    asked = Program(file=file, changes=changes)
    return program.run(asked, url + "/v1", model="mine", http=wire.client(5, Access(key=key)), **more)  # type: ignore[arg-type]


def test_a_python_program_runs_against_the_server_with_its_key() -> None:
    seen: list[tuple[str, dict[str, str], bytes]] = []

    def reply(_: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        seen.append((path, headers, body))
        return as_json(chat_body("Paris"))

    with serving(reply) as url:
        ended, (exchange,) = run(EXAMPLES / "chat.py", url, key="sk-secret", headers=(("x-fault", "none"),))
    assert ended == ENDED
    ((path, headers, body),) = seen
    assert path == "/v1/chat/completions"
    assert headers["authorization"] == "Bearer sk-secret"
    assert headers["x-fault"] == "none"
    assert json.loads(body)["model"] == "mine"
    assert exchange.request.body["max_tokens"] == 100
    assert "sk-secret" not in json.dumps(exchange.to_json())


def test_a_program_that_fails_says_why(tmp_path: Path) -> None:
    file = tmp_path / "broken.py"
    file.write_text("print('so far')\n1 / 0\n")
    ended, exchanges = run(file, "http://127.0.0.1:9")
    assert (ended.exit_code, ended.output, exchanges) == (1, "so far\n", [])
    assert ended.errors.endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.skipif(not shutil.which("curl"), reason="there is no curl")
def test_a_program_whose_server_is_gone_fails() -> None:
    with serving(lambda *a: as_json(chat_body())) as url:
        assert run(EXAMPLES / "chat.sh", url)[0].exit_code == 0
    ended, (exchange,) = run(EXAMPLES / "chat.sh", "http://127.0.0.1:9")
    assert exchange.error == "unreachable"
    assert ended.exit_code not in (0, None)


def test_a_program_that_goes_away_leaves_no_traceback(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """As after Ctrl-C, which ends programs, and closes the client of the relay."""
    file = tmp_path / "leaves.py"
    file.write_text(
        "import socket, struct, time\n"
        'host, port = "http://localhost:8000/v1".split("/")[2].split(":")\n'
        "for _ in range(3):\n"
        "    one = socket.create_connection((host, int(port)))\n"
        '    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))\n'
        '    one.sendall(b"GET /v1/models HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")\n'
        "    one.close()\n"
        "time.sleep(0.5)\n"
    )
    with serving(lambda *_: as_json({"data": ["x" * 100_000]})) as url:
        run(file, url)
        with wire.client(5) as closed:
            closed.close()
            program.run(Program(file=file), url + "/v1", model="m", http=closed)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(("file", "lacks"), [("chat.sh", "curl"), ("chat.mjs", "node")])
def test_what_is_not_installed_is_named(file: str, lacks: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(node, "_sdk", node._sdk.__wrapped__)  # What it finds here is not for the tests that follow.
    before = set(threading.enumerate())
    with pytest.raises(CannotRun, match=f"no {lacks} on PATH"):
        run(EXAMPLES / file, "http://127.0.0.1:9")
    for relay in set(threading.enumerate()) - before:
        relay.join(1)
        assert not relay.is_alive(), "the relay goes on"


def test_npm_installs_only_what_has_the_committed_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = json.loads((node.PINNED / "package-lock.json").read_bytes())["packages"]
    assert lock[""]["dependencies"] == {"openai": node.SDK}
    installed = {name: one for name, one in lock.items() if name}
    assert installed["node_modules/openai"]["version"] == node.SDK
    assert all(one["integrity"].startswith("sha512-") for one in installed.values())
    asked = []

    def npm(command: list[str], **more: Any) -> None:
        asked.append((command[1], sorted(file.name for file in Path(more["cwd"]).iterdir())))

    monkeypatch.setattr(node.subprocess, "run", npm)
    monkeypatch.setattr(node.shutil, "which", lambda name: f"/bin/{name}")
    node._install(node.PINNED, tmp_path / "sdk")
    assert asked == [("ci", ["package-lock.json", "package.json"])]


STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"content": "Par"}),
    chunk({"content": "is"}),
    chunk({}, "stop"),
]
CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
READABLE = [
    answer(chat_body()),
    answer(chat_body(None, "tool_calls", tool_calls=[CALL])),
    streamed(*STREAM),
    streamed(chunk({"tool_calls": [CALL]}), chunk({}, "tool_calls")),
    answer(refusal(), status=404),
    answer({"data": [{"id": "m", "object": "model"}], "object": "list"}, path="/models"),
]


def _elsewhere() -> Answer:
    """A response that comes from a place whose name is not ASCII, as its header says."""
    made: Answer = answer(chat_body())
    place = ("x-region", "São Paulo".encode().decode("latin-1"))
    return replace(made, exchange=replace(made.exchange, headers=(*made.exchange.headers, place)))


READABLE.append(_elsewhere())


@pytest.mark.parametrize("made", READABLE)
def test_python_reads_what_we_read(made: Answer) -> None:
    assert read_by_python(made) == reading(made)


@pytest.mark.parametrize("made", READABLE)
def test_node_reads_what_we_read(made: Answer) -> None:
    try:
        read = read_by_node(made)
    except Blocked as why:
        pytest.skip(str(why))
    assert read == reading(made)


def test_what_the_sdk_cannot_read_is_a_violation() -> None:
    for read in (read_by_python, read_by_node):
        with pytest.raises(Verdict) as ended:
            read(answer(b"data: null\n\n", content_type="text/event-stream", sent={"stream": True}))
        assert ended.value.outcome in (Outcome.FAIL, Outcome.BLOCKED)


def test_no_exit_code_is_lost_when_many_run_at_once(tmp_path: Path) -> None:
    """multiprocessing loses an exit code that two threads read at once."""

    def run(number: int) -> int | None:
        file = tmp_path / str(number) / "program.py"
        file.parent.mkdir()
        file.write_text("")
        return forked.run(file, {}, 60)[0]

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(run, range(150))) == {0}
