"""Each thing that a gateway does is found by its name, and a gateway that only passes on is found to do nothing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends import launch, upstream
from backends.errors import CannotMeasure
from backends.upstream import Upstream
from backends.wire import MODEL, Request
from conformance import results
from conformance.outcomes import Level, Outcome
from conformance.results.gateways import Gateway
from tests.fake import Reply
from tests.gateways import KEY, Gate, Through, answer, gateway, measured, request, stream, taped, transparent
from tests.setups import nginx

ROOT = Path(__file__).parent.parent
COUNT = [{"role": "user", "content": "Count from one to nine."}]
SAYS = [{"role": "user", "content": "What is the capital of France?"}]
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}}


def chat(**more: Any) -> Request:
    return Request(body={"model": MODEL, "messages": SAYS, "max_tokens": 24, "temperature": 0, **more})


REQUESTS = {
    "plain": chat(),
    "biased": chat(logit_bias={"5": -100}, seed=3),
    "streamed": chat(messages=COUNT, stream=True, stream_options={"include_usage": True}),
    "unasked": chat(stream=True),
    "calls": chat(tools=[TOOL], tool_choice="required"),
    "wrong": chat(top_p=7),
    "response": Request(path="/responses", body={"model": MODEL, "input": "Count to nine.", "max_output_tokens": 40}),
    "events": Request(path="/responses", body={"model": MODEL, "input": "Hello", "stream": True}),
    "embedding": Request(path="/embeddings", body={"model": "reference-embedding", "input": ["a", "b"]}),
    "listing": Request(method="GET", path="/models"),
    "not JSON": Request(body=b'{"model": '),
}
"""Some are sent several times, so that the same content is under way at the same time."""

ALL = {f"{name}[{number}]": one for name, one in REQUESTS.items() for number in (1, 2)}


def bad_system_prompt(body: dict[str, Any]) -> None:
    if "messages" in body:
        body["messages"].insert(0, {"role": "system", "content": "Be brief."})


def other_key(through: Through) -> Reply:
    return through.on(authorization=f"Bearer {upstream.KEY}")


def leak(through: Through) -> Reply:
    return through.on(authorization=f"Bearer {upstream.KEY}", x_client_key=through.headers.get("authorization", ""))


def error_as_page(through: Through) -> Reply:
    status, headers, body = through.on()
    return (502, {"Content-Type": "text/html"}, b"<h1>Bad Gateway</h1>") if status >= 400 else (status, headers, body)


def vague(body: dict[str, Any]) -> None:
    if body.get("error"):
        body["error"] = {"message": "Something went wrong.", "type": "error", "param": None, "code": "500"}


def wraps(body: dict[str, Any]) -> None:
    if body.get("error"):
        body["error"]["message"] = f"UpstreamError: {body['error']['message']}"


def recount(body: dict[str, Any]) -> None:
    if "choices" in body:
        body["usage"]["completion_tokens"] += 1


def own_ids(body: dict[str, Any]) -> None:
    if "choices" in body:
        body |= {"id": "gw-" + body["id"], "model": "alias"}


def first_id(events: list[bytes]) -> list[bytes]:
    return [events[0].replace(b"chatcmpl-", b"gw-"), *events[1:]]


def item_id_once(events: list[bytes]) -> list[bytes]:
    added = [b"output_item.added" in one for one in events]
    return [re.sub(b'"id": ?"msg_', b'"id":"gw_', one) if now else one for one, now in zip(events, added, strict=True)]


def merged(events: list[bytes]) -> list[bytes]:
    """Two chunks of text become one."""
    found: list[bytes] = []
    for event in events:
        if found and _text(event) and _text(found[-1]):
            whole = _chunk(found[-1])
            whole["choices"][0]["delta"]["content"] += _text(event)
            whole["choices"][0]["finish_reason"] = _chunk(event)["choices"][0]["finish_reason"]
            found[-1] = b"data: " + json.dumps(whole).encode()
        else:
            found.append(event)
    return found


def _chunk(event: bytes) -> Any:
    return json.loads(event.partition(b"data: ")[2]) if b'"choices"' in event else {}


def _text(event: bytes) -> str:
    choices = _chunk(event).get("choices")
    return (choices[0]["delta"].get("content") or "") if choices else ""


def loses_text(events: list[bytes]) -> list[bytes]:
    first = next((number for number, event in enumerate(events) if _text(event)), len(events))
    return events[:first] + events[first + 1 :]


def no_done(events: list[bytes]) -> list[bytes]:
    return [event for event in events if event != b"data: [DONE]"]


def asks_for_usage(body: dict[str, Any]) -> None:
    if body.get("stream") and "messages" in body:
        body["stream_options"] = {"include_usage": True}


def twice(through: Through) -> Reply:
    through.on()
    return through.on()


def slow(through: Through) -> Reply:
    """The first request may be the last to arrive."""
    time.sleep(0.05 if through.path.endswith("s") and isinstance(through.body, dict) and "seed" in through.body else 0)
    return through.on()


def refuses(through: Through) -> Reply:
    if isinstance(through.body, dict) and "logit_bias" in through.body:
        message = {"error": {"message": "logit_bias?", "type": "x", "param": None, "code": None}}
        return 400, {"Content-Type": "application/json"}, json.dumps(message).encode()
    return through.on()


def own_models(through: Through) -> Reply:
    if through.path == "/v1/models":
        return 200, {"Content-Type": "application/json"}, b'{"object": "list", "data": []}'
    return through.on()


def limits(body: dict[str, Any]) -> None:
    if "messages" in body:
        body["max_completion_tokens"] = body.pop("max_tokens")
        body |= {"top_k": -1, "ignore_eos": False, "logprobs": False}


def stop_becomes_length(body: dict[str, Any]) -> None:
    for choice in body.get("choices", ()):
        choice["finish_reason"] = "length" if choice["finish_reason"] == "stop" else "stop"


WRONG: dict[str, tuple[Gate, set[str]]] = {
    "drops a parameter": (request(lambda body: body.pop("logit_bias", 0)), {"dropped logit_bias"}),
    "changes a parameter": (
        request(lambda body: body.update({"temperature": 0.9}) if "temperature" in body else None),
        {"changed temperature"},
    ),
    "adds a system prompt": (request(bad_system_prompt), {"added messages[]"}),
    "leaks the key": (leak, {"key header `x-client-key`"}),
    "hides errors behind a page": (
        error_as_page,
        {"status 400 502", "error object", "changed header content-type"},
    ),
    "has an error of its own": (
        answer(vague),
        {"error.message", "changed error.type", "dropped error.param", "changed error.code"},
    ),
    "counts tokens itself": (answer(recount), {"changed usage.completion_tokens"}),
    "drops usage": (answer(lambda body: body.pop("usage", 0)), {"dropped usage"}),
    "changes finish reasons": (answer(stop_becomes_length), {"changed choices[].finish_reason"}),
    "changes the id of one chunk": (stream(first_id), {"id of chunks"}),
    "changes the id of an item in one event": (
        stream(item_id_once),
        {"id in one place `item.id` and `item_id` and `response.output[].id`"},
    ),
    "loses a chunk": (stream(loses_text), {"changed choices[].delta.content"}),
    "loses [DONE]": (stream(no_done), {"dropped [DONE]"}),
    "asks for usage and gives it to everybody": (request(asks_for_usage), {"unasked usage"}),
    "rejects what the upstream accepts": (refuses, {"rejected 400 200"}),
}
"""Gateways with all that must be found of them, and nothing more."""

LEGAL: dict[str, tuple[Gate, set[str]]] = {
    "has a key of its own": (other_key, set()),
    "has ids and a model of its own": (answer(own_ids), {"own ids"}),
    "merges chunks": (stream(merged), {"merged chunks"}),
    "wraps messages": (answer(wraps), {"wrapped error.message"}),
    "sends each request twice": (twice, {"sent again"}),
    "lets one wait": (slow, set()),
    "lists models itself": (own_models, {"answered"}),
    "renames a limit and adds defaults": (request(limits), {"renamed max_tokens", "added"}),
}


def whats(found: Gateway, *, legal: bool) -> set[str]:
    return {one.what for one in (found.legal if legal else found.wrong)}


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    with taped(tmp_path_factory.mktemp("upstream")) as started:
        yield started


@pytest.mark.parametrize("name", WRONG)
def test_what_a_gateway_does_is_found(name: str, behind: Upstream) -> None:
    gate, expected = WRONG[name]
    found = measured(gate, REQUESTS, behind)
    assert whats(found, legal=False) == expected
    for change in found.wrong:
        assert all(found.arrived.get(one) or "rejected" in change.what for one in change.examples)


@pytest.mark.parametrize("name", LEGAL)
def test_what_a_gateway_may_do_is_not_held_against_it(name: str, behind: Upstream) -> None:
    gate, expected = LEGAL[name]
    found = measured(gate, ALL, behind)
    assert whats(found, legal=False) == set()
    assert whats(found, legal=True) == expected


def test_a_transparent_gateway_does_nothing(behind: Upstream) -> None:
    found = measured(transparent, ALL, behind)
    assert (found.changes, found.compared, found.unmatched, found.unexplained) == ([], len(ALL), [], {})
    assert found.notes == ["The client's key is passed on: the gateway has no key of its own for the upstream."]


@pytest.mark.parametrize(("gate", "failing"), [(leak, "must should"), (error_as_page, "should"), (transparent, "")])
def test_a_leaked_key_fails_a_run_and_other_changes_by_fail_on(gate: Gate, failing: str, behind: Upstream) -> None:
    found = measured(gate, REQUESTS, behind)
    assert [level for level in ("must", "should", "may") if found.fails(Level(level.upper()))] == failing.split()
    assert not found.fails(None)


def test_without_a_key_nothing_is_said_of_it(tmp_path: Path) -> None:
    with taped(tmp_path, key=None) as behind:
        found = measured(transparent, {"plain": REQUESTS["plain"]}, behind)
    assert found.notes[0].startswith("Not judged: whether the client's key")


def test_the_line_is_read_as_it_was_written(behind: Upstream) -> None:
    found = measured(leak, ALL, behind)
    assert KEY not in json.dumps(found.to_json())
    assert Gateway.from_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("text", ["vllm", "reference@", "reference@host", "reference@host:0", "reference@host:99999"])
def test_an_upstream_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(CannotMeasure, match="expected reference"):
        upstream.read_option(text)


def test_the_upstream_may_have_an_address_of_its_own() -> None:
    assert upstream.read_option("reference@http://0.0.0.0:9000/v1") == upstream.Asked(host="0.0.0.0", port=9000)
    assert upstream.read_option("reference") == upstream.Asked()


def run(base_url: str, port: int, report: Path, code: int) -> tuple[results.Results, str]:
    command = [sys.executable, "-m", "pytest", "-q", "conformance/checks/test_logit_bias.py", f"--report={report}"]
    command += [f"--backend=gw@{base_url}", f"--upstream=reference@127.0.0.1:{port}"]
    environment = {**os.environ, "OPENAI_API_KEY": KEY}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, done.stdout + done.stderr
    return results.read(report / "results.jsonl"), done.stdout + done.stderr


@pytest.mark.slow
def test_nothing_is_found_behind_nginx(tmp_path: Path) -> None:
    port = launch.free_port()
    (tmp_path / "nginx").mkdir()
    with nginx(tmp_path / "nginx", f"location / {{ proxy_pass http://127.0.0.1:{port}; }}") as at:
        read, output = run(f"http://{at}/v1", port, tmp_path / "report", 0)
    assert [one.changes for one in read.gateways] == [[]], output
    assert read.gateways[0].compared > 3
    assert not any(check.outcome.bad for check in read.checks), output


@pytest.mark.slow
def test_a_change_is_the_cause_of_what_fails(tmp_path: Path) -> None:
    port = launch.free_port()
    drops = request(lambda body: body.pop("logit_bias", 0))
    with gateway(drops, f"http://127.0.0.1:{port}") as base_url:
        read, output = run(base_url, port, tmp_path / "report", 1)
    assert "`logit_bias` does not reach the upstream" in output
    outcomes = Counter(check.outcome for check in read.checks)
    assert outcomes[Outcome.IGNORED], output
    page = (tmp_path / "report" / "index.html").read_text()
    assert "How the gateway changes requests and responses" in page
    assert "<code>logit_bias</code> does not reach the upstream" in page


@pytest.mark.slow
def test_a_run_in_which_only_the_key_leaks_fails(tmp_path: Path) -> None:
    port = launch.free_port()
    with gateway(leak, f"http://127.0.0.1:{port}") as base_url:
        read, output = run(base_url, port, tmp_path / "report", 1)
    assert "the client's key reaches the upstream" in output
    assert not any(check.outcome.bad for check in read.checks), output
