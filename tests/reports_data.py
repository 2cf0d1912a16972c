"""Small results, made by hand, for the tests of `reports/`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from conformance.outcomes import Level, Outcome
from conformance.results import CheckResult, Finding, Results, Writer, read
from conformance.results.clients import ClientResult

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[31m\x00\u202e{{ 7*7 }} `<b>`"
"""What a server may say that must stay text."""


def target(name: str = "llamacpp", backend: str = "llamacpp", **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "backend": backend,
        "version": "b1",
        "found": "made by hand",
        "deployments": [{"role": "chat", "base_url": "http://127.0.0.1:1/v1", "model": "m"}],
        "missing": {"vision": "the server has none"},
        "details": {"device": "CPU"},
        **changes,
    }


def check(name: str = "stop.ends_the_text", outcome: str = "pass", **changes: Any) -> CheckResult:
    made = {
        "id": name,
        "target": "llamacpp",
        "feature": name.partition(".")[0],
        "level": Level.MUST,
        "core": True,
        "source": "openapi:CreateChatCompletionRequest.stop",
        "requirement": "Generation ends before a `stop` string.",
        "outcome": Outcome(outcome),
    }
    return CheckResult(**{**made, **changes})


def client(task: str = "plain", outcome: str = "pass", **changes: Any) -> ClientResult:
    made = {"client": "ai-sdk", "title": "AI SDK", "version": "6", "api": "chat", "target": "llamacpp", "task": task}
    return ClientResult(**{**made, **changes}, outcome=Outcome(outcome))


def wire(body: str = '{"choices": []}', *, sent: Any = None, headers: Any = (), **changes: Any) -> dict[str, Any]:
    """An exchange as results files keep it."""
    raw = body.encode("utf-8", "surrogatepass")
    return {
        "started_at": 1.0,
        "request": {
            "method": "POST",
            "url": "http://127.0.0.1:1/v1/chat/completions",
            "path": "/chat/completions",
            "headers": [],
            "role": "chat",
            "hang_up_after": None,
            "body": sent if sent is not None else {"model": "m"},
            **changes,
        },
        "response": {
            "status": 200,
            "headers": [["Content-Type", "application/json"], *headers],
            "headers_at_s": 0.01,
            "reads": [[0.02, len(raw)]],
            "body": {"text": body},
            "error": None,
            "error_detail": "",
            "port": None,
        },
    }


def stream(*events: str) -> dict[str, Any]:
    """An exchange whose answer is an event stream, each event a read of its own, 10 ms apart."""
    made = wire("".join(f"data: {event}\n\n" for event in events))
    made["response"]["headers"] = [["Content-Type", "text/event-stream"]]
    sizes = [len(f"data: {event}\n\n".encode("utf-8", "surrogatepass")) for event in events]
    made["response"]["reads"] = [[n / 100, size] for n, size in enumerate(sizes, start=1)]
    return made


def write(
    path: Path,
    checks: list[CheckResult],
    exchanges: dict[str, dict[str, Any]] | None = None,
    *,
    targets: list[dict[str, Any]] | None = None,
    planned: list[CheckResult] | None = None,
    footer: bool = True,
    stopped: str | None = None,
    started: float | None = None,
    suite: str | None = None,
    findings: Sequence[Finding] = (),
    clients: Sequence[ClientResult] = (),
) -> Path:
    """Write a results file with the suite's own writer; `planned`: the checks selected, by default those that ran.

    `started` and `suite` take the place of now and of this suite's version.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = Writer(path)
    keys = ("id", "feature", "level", "core", "source", "requirement")
    selected = [{k: v for k, v in c.to_json().items() if k in keys} for c in planned or checks]
    writer.header(targets=targets or [target()], selected=selected, command="pytest")
    for scenario, recorded in (exchanges or {}).items():
        writer.exchange("llamacpp", scenario, {"exchanges": [recorded], "single": True})
    for one in checks:
        writer.check(one)
    for client in clients:
        writer.exchange("llamacpp", client.id, {"exchanges": [wire(HOSTILE)], "single": False})
        writer.client(client)
    for found in findings:
        writer.finding(found)
    if footer:
        writer.footer(duration=1.5, exit_code=0, stopped=stopped)
    changed = {"started": started, "suite": suite}
    if any(value is not None for value in changed.values()):
        header, rest = path.read_text().split("\n", 1)
        changed_header = {**json.loads(header), **{k: v for k, v in changed.items() if v is not None}}
        path.write_text(json.dumps(changed_header) + "\n" + rest)
    return path


def results(tmp_path: Path, checks: list[CheckResult], *args: Any, **kwargs: Any) -> Results:
    """As `write`, read again."""
    return read(write(tmp_path / "results.jsonl", checks, *args, **kwargs))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]
