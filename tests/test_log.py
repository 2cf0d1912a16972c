"""What the log of a server of ours says while a scenario is sent is kept with it: cut, and without the key."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backends import log
from backends.access import Access
from backends.target import Deployment, Target
from conformance import results
from conformance.answers.recording import Recording
from conformance.run.sending import Sender
from fixtures.scenario import SCENARIOS
from fixtures.scenarios import common
from tests.fake import Reply, as_json, serving
from tests.made import chat_body
from tests.reports_data import HOSTILE, lines
from tests.test_reports_schema import errors

ROOT = Path(__file__).parent.parent
KEY = "sk-canary-1234567890"


def gained(tmp_path: Path, text: str, before: str = "before\n") -> str:
    """What is kept of a log that gains `text`."""
    file = tmp_path / "server.log"
    file.write_text(before)
    begun = log.size(file)
    with file.open("a", encoding="utf-8") as more:
        more.write(text)
    return log.since(file, begun, (KEY,))


def test_what_was_gained_is_kept_as_it_is(tmp_path: Path) -> None:
    assert gained(tmp_path, f"one\n{HOSTILE}\n") == f"one\n{HOSTILE}\n"
    assert gained(tmp_path, "") == ""


def test_the_key_is_not(tmp_path: Path) -> None:
    assert gained(tmp_path, f"Authorization: Bearer {KEY}\n") == "Authorization: Bearer [redacted]\n"
    assert "canary" not in gained(tmp_path, (KEY + " ") * 10_000)


def test_of_a_long_one_the_last_lines_are_kept_and_it_says_so(tmp_path: Path) -> None:
    text = "".join(f"line {number} é\n" for number in range(10_000))
    note, *kept = gained(tmp_path, text).splitlines()
    assert kept[0].startswith("line 9")
    assert kept[-1] == "line 9999 é"
    left_out = len(text) - len("\n".join(kept)) - 1
    assert note == f"… {left_out:,} characters before this are left out"
    assert len(gained(tmp_path, "x" * 1_000_000)) < log.KEPT + 100


def test_no_log_says_nothing(tmp_path: Path) -> None:
    assert log.since(None, log.size(None), (KEY,)) == ""
    assert log.since(tmp_path / "none", log.size(tmp_path / "none"), ()) == ""
    (tmp_path / "binary").write_bytes(b"\xff\x00")
    assert log.since(tmp_path / "binary", 0, ()) == "\ufffd\x00"


def sent(tmp_path: Path, *, has_log: bool) -> Recording:
    """A scenario, sent to a server that writes into its log what it is asked with."""
    file = tmp_path / "server.log"
    file.write_text("long ago\n")

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        with file.open("a") as more:
            more.write(f"{method} {path} {headers['authorization']}\n")
        return as_json(chat_body())

    with serving(reply) as origin:
        at = Deployment(role="chat", base_url=origin + "/v1", model="m")
        logs = {"chat": file} if has_log else {}
        sender = Sender(
            Target(name="t", backend="url", found="", deployments=(at,), access=Access(key=KEY), logs=logs), 5
        )  # type: ignore[arg-type]
        try:
            return sender.send(SCENARIOS[common.count.__name__], None)  # type: ignore[arg-type]
        finally:
            sender.close()


def test_a_recording_has_the_log_of_its_role(tmp_path: Path) -> None:
    assert sent(tmp_path, has_log=True)["log"] == "POST /v1/chat/completions Bearer [redacted]\n"
    assert "log" not in sent(tmp_path, has_log=False)


def test_logs_never_leave_the_target(tmp_path: Path) -> None:
    target = Target(name="t", backend="url", found="", deployments=(), logs={"chat": tmp_path / "server.log"})
    assert str(tmp_path) not in f"{target.to_json()} {target}"


@pytest.mark.parametrize("args", [[], ["-n", "1"]], ids=["alone", "worker"])
def test_a_live_llama_cpp(tmp_path: Path, args: list[str]) -> None:
    pytest.importorskip("xllamacpp", reason="the wheel with llama.cpp's server is not installed")
    command = [sys.executable, "-m", "pytest", "-q", "--fail-on=never", "--runtime=process", "-m", "stop and must"]
    done = subprocess.run(
        [*command, f"--report={tmp_path}", *args], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = lines(tmp_path / "results.jsonl")
    assert [e for line in found for e in errors(line)] == []
    recorded = results.read(tmp_path / "results.jsonl").exchanges
    logs = [one["log"] for (_, name), one in recorded.items() if name == "count"]
    assert len(logs) == 1
    assert "slot" in logs[0]
    assert "The server's log meanwhile" in (tmp_path / "index.html").read_text()
