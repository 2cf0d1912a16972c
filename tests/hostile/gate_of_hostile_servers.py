"""Whatever a server does, a run ends in time, needs little memory, keeps the key, and passes only what it measured."""

from __future__ import annotations

import base64
import contextlib
import html
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from backends import redaction
from conformance import results
from conformance.results import Results
from tests.hostile import mode as kit
from tests.hostile.mode import KEY, MODES, Mode
from tests.hostile.modes import misled
from tests.hostile.modes.keys import FORMS, echoing
from tests.hostile.server import Call, Seen, completion, correct, is_first, serving

ROOT = Path(__file__).parents[2]
COMMANDS_OF_LOGS = re.compile(r"^\s*(::|##vso\[)|##\[", re.MULTILINE)


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    code: int
    output: str
    seconds: float
    cpu: float
    peak: int
    """MB."""


def ran(*args: str, report: Path, seconds: float) -> Ended:
    """Run the suite in a process of its own, for so many seconds, or for longer while others use the machine."""
    command = [sys.executable, "-m", "pytest", "-q", "--timeout=1", f"--report={report}", *args]
    usage = report.parent / "usage"
    begun = time.monotonic()
    environment = {**os.environ, "OPENAI_API_KEY": KEY, "COLUMNS": "120"}
    with (report.parent / "output").open("wb") as output:
        launcher = [sys.executable, "-S", "-c", LAUNCHER, str(usage), *command]
        run = subprocess.Popen(
            launcher, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )
        seconds *= max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        try:
            code = run.wait(seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the run had not ended after {seconds:.0f} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
    cpu, peak = usage.read_text().split()
    said = (report.parent / "output").read_text(errors="replace")
    return Ended(code, said, time.monotonic() - begun, float(cpu), int(peak) >> 10)


LAUNCHER = """
import os, sys
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, used = os.wait4(child, 0)
open(sys.argv[1], "w").write(f"{used.ru_utime + used.ru_stime} {used.ru_maxrss}")
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts the run from a small process: the kernel counts the memory of the process that starts another as its peak."""


EVERY = int(os.environ.get("HOSTILE_EVERY", "1"))
"""Only each so many-th mode is run, and none that sends all scenarios."""

CHOSEN = sorted(MODES, key=lambda name: -MODES[name].cpu)  # Long ones first.
if EVERY > 1:
    CHOSEN = [name for name in MODES if MODES[name].cpu <= 60][::EVERY]


@pytest.mark.parametrize("name", CHOSEN)
def test_a_run_is_bounded_and_honest(name: str, tmp_path: Path) -> None:
    mode, report = MODES[name], tmp_path / "report"
    with (
        serving({}) as (elsewhere, never),
        serving({mode.path: mode.act}, spares_first=mode.spares_first) as (origin, seen),
    ):
        misled.OTHER = elsewhere.removeprefix("http://")
        args = [f"--backend={mode.backend}@{origin}/v1"]
        args += ["--model=m", "--embedding-model=m", "--vision-model=m"] if mode.named else []
        ended = ran(*args, *mode.select, *mode.options, report=report, seconds=mode.seconds)
    measured = results.read(report / "results.jsonl") if (report / "results.jsonl").exists() else None
    tell(mode, ended, measured)
    assert never.requests == []
    assert "Traceback" not in ended.output
    assert "INTERNALERROR" not in ended.output
    assert ended.code in mode.exits
    assert ended.cpu < mode.cpu
    assert ended.peak < mode.most
    assert COMMANDS_OF_LOGS.findall(ended.output) == []
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", ended.output)
    assert hits(ended.output, report) == []
    assert not any("seen=1" in headers.get("cookie", "") for _, _, headers in seen.requests)
    assert seen.most <= 32
    assert len(seen.requests) <= mode.asks
    judged(mode, measured)
    assert bool(measured and measured.findings) or not mode.finds
    size = sum(file.stat().st_size for file in report.rglob("*") if file.is_file())
    assert size < mode.size << 20


def tell(mode: Mode, ended: Ended, measured: Results | None) -> None:
    """A line of the table, into the file that HOSTILE_ROWS names."""
    found = [str(check.outcome) for check in measured.checks] if measured else []
    outcomes = ", ".join(f"{found.count(one)} {one}" for one in dict.fromkeys(found))
    if "HOSTILE_ROWS" in os.environ:
        row = [mode.name, f"{ended.seconds:.1f}", f"{ended.cpu:.1f}", str(ended.peak), str(ended.code), outcomes]
        with Path(os.environ["HOSTILE_ROWS"]).open("a") as rows:
            rows.write(json.dumps(row) + "\n")
    print(ended.output)


def judged(mode: Mode, measured: Results | None) -> None:
    """The checks that read what the mode spoils have one of its outcomes."""
    checks = measured.checks if measured else []
    assert [check.message for check in checks if check.outcome == "error"] == []
    ends = {check.outcome for check in checks if check.id in kit.JUDGED}
    assert ends <= set(mode.ends)
    assert {check.id for check in checks if check.outcome == "fail"} >= mode.fails
    if "pass" not in mode.ends:
        assert [check.id for check in checks if check.outcome.good and check.id not in mode.passes] == []


def hits(output: str, report: Path) -> list[str]:
    """Where the key occurs, in any form."""
    texts = {"output": output}
    for file in report.rglob("*"):
        if file.is_file():
            texts[file.name] = file.read_text(errors="replace")
    if (report / "results.jsonl").exists():
        texts["streams"] = " ".join(streams(report / "results.jsonl"))
    found = [
        f"{name} in {where}"
        for where, text in texts.items()
        for name, form in FORMS.items()
        if any(written in text for written in ways(form(KEY)))
    ]
    return found + [f"found in {where}" for where, text in texts.items() if redaction.text(text, (KEY,)) != text]


def ways(text: str) -> set[str]:
    """How a text may stand in a file: as it is, in JSON, in a page, without the padding that no reader needs."""
    bare = text.rstrip("=")
    return {bare, bare.lower(), json.dumps(bare)[1:-1], json.dumps(json.dumps(bare)[1:-1])[1:-1], html.escape(bare)}


def streams(file: Path) -> list[str]:
    """Bodies as they came, and the text that a client makes of each stream."""
    found = []
    for line in file.read_text().splitlines():
        recorded = json.loads(line)
        for exchange in recorded.get("exchanges", []) if recorded["kind"] == "exchange" else []:
            kept = exchange["response"]["body"]
            raw = kept["text"].encode() if "text" in kept else base64.b64decode(kept["base64"])
            found += [raw.decode(errors="replace"), raw.replace(b"\0", b"").decode(errors="replace")]
            found.append("".join(re.findall(r'"content": "([^"]*)"', raw.decode(errors="replace"))))
    return found


def test_the_server_is_correct_without_a_mode(tmp_path: Path) -> None:
    with serving({}) as (origin, seen):
        ended = ran(f"--base-url={origin}/v1", *kit.FEW, report=tmp_path / "report", seconds=60)
    assert isinstance(seen, Seen)
    checks = results.read(tmp_path / "report" / "results.jsonl").checks
    assert [check.message for check in checks if check.outcome.bad and check.id not in SAME] == []
    assert ended.code in (0, 1)


SAME = {"wire.ids_are_unique"}
"""The server gives all its responses one id."""


def test_nothing_holds_the_key(tmp_path: Path) -> None:
    """Pages, exports, JUnit, logs, doctor and programs, with a server that repeats the key in every form."""
    report = tmp_path / "report"

    async def act(call: Call) -> None:
        call.headers["authorization"] = f"Bearer {KEY}"
        await echoing(FORMS.values(), call.path)(call)

    with serving(dict.fromkeys(("/v1/chat/completions", "/v1/embeddings", "/health"), act)) as (origin, _):
        options = [f"--junitxml={report}/junit.xml", "-vv", "-rA", "--log-level=DEBUG", "--log-cli-level=DEBUG"]
        select = [*kit.FEW, *kit.PROGRAMS, *kit.checks("sdk_python", "sdk_node", "api_key")]
        ended = ran(f"--base-url={origin}/v1", *options, *select, report=report, seconds=300)
        printed = [ended.output]
        (report / "jobs" / "url").mkdir(parents=True)
        shutil.copy(report / "results.jsonl", report / "jobs" / "url")
        for command in COMMANDS:
            words = [word.format(results=report / "results.jsonl", report=report, origin=origin) for word in command]
            environment = {**os.environ, "OPENAI_API_KEY": KEY}
            done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, env=environment)
            printed.append((done.stdout + done.stderr).decode(errors="replace"))
            assert "Traceback" not in printed[-1]
    assert "[redacted]" in (report / "results.jsonl").read_text()
    assert hits("\n".join(printed), report) == []


SECRETS = ("pass/word-of-7", "token+in-the-query", "value/of-a-header")


def test_every_kind_of_secret_stays_with_the_user(tmp_path: Path) -> None:
    """A password and a query of the address, and headers, with a server that repeats all that it gets."""
    report = tmp_path / "report"

    async def act(call: Call) -> None:
        said = {"path": call.path, "headers": call.headers, "body": call.asked}
        if is_first(call) or call.path.startswith("/v1/models"):
            call.path = call.path.partition("?")[0]
            await correct(call)
        else:
            await call.json(completion(json.dumps(said)) | {"said": said}, X_Said=json.dumps(said))

    with serving({"*": act}) as (origin, _):
        password, token, header = SECRETS
        address = f"{origin.replace('://', '://me:' + quote(password, safe='') + '@')}/v1?token={quote(token, safe='')}"
        ended = ran(f"--base-url={address}", f"--header=X-Own: {header}", *kit.FEW, report=report, seconds=60)
    for file in [report.parent / "output", *report.rglob("*")]:
        if file.is_file():
            text = file.read_text(errors="replace")
            assert [secret for secret in SECRETS if redaction.text(text, (secret,)) != text] == [], file
    assert ended.code == 1


COMMANDS = [
    ["backends", "doctor", "url", "--base-url={origin}/v1"],
    ["reports", "build", "{results}", "--out={report}/page"],
    *(
        ["reports", "export", "{results}", f"--format={kind}", f"--out={{report}}/{kind}"]
        for kind in ("capabilities", "badge", "shields", "markdown", "junit", "ctrf")
    ),
    ["backends", "known", "url", "{results}"],
    ["reports", "keep", "{report}/jobs", "{report}/kept"],
    ["reports", "site", "{report}/kept", "--out={report}/site"],
    ["reports", "diff", "{results}", "{results}", "--html={report}/diff.html"],
    ["reports", "body", "{results}", "url", "capital"],
]
