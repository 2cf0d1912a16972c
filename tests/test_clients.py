"""Real clients through the relay: the mechanism, proved with a stand-in client and faults of the reference."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backends import scratch
from backends.access import Access
from backends.target import Deployment, Target
from backends.wire import Exchange, Request
from conformance.clients import data, install, items, kept, repairs, retries
from conformance.clients import page as document
from conformance.clients.data import Row
from conformance.clients.judging import IGNORED_BY, TRUNCATED_BY, Judged, judge, settle
from conformance.clients.measure import Reference, forcing, measure, run_on
from conformance.clients.running import PROMPTS, Change, Did, recorded
from conformance.outcomes import Outcome
from conformance.results import Exchanges, Results, Writer, read
from conformance.results.clients import ClientResult
from conformance.run import catalogue, options
from reports import diff, diff_text, merge, of_clients, page, site
from reports.table import table
from tests.reference.app import create_app
from tests.reference.fault import Fault
from tests.reference.faults import FAULTS
from tests.reference.server import running

STAND_IN = Path(__file__).parent / "data" / "clients"

GOOD = Judged(outcome=Outcome.PASS)
BAD = Judged(outcome=Outcome.FAIL, message="expected one, got two")


def _without(key: str) -> Any:
    def drop(event: dict[str, Any], _: Any) -> None:
        event.pop(key, None)

    return drop


NO_OUTPUT_INDEX = Fault(
    name="no-output-index",
    sentence="Events have no output_index.",
    area="responses",
    hooks={"payload": _without("output_index")},
    on=frozenset({"responses"}),
    stream=True,
)


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    with running(create_app(delay=0)) as url:
        yield url


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Row:
    monkeypatch.setattr(data, "HERE", STAND_IN)
    monkeypatch.setattr(install, "directory", lambda _: Path(sys.prefix))
    return Row(client=data._read(STAND_IN / "stand-in" / "client.toml"), api="chat")


def with_habit(row: Row, habit: str, **more: str) -> Row:
    return replace(row, client=replace(row.client, env=(("STAND_IN", habit), *more.items())))


def target(url: str, fault: str = "") -> Target:
    at = Deployment(role="chat", base_url=f"{url}/v1", model="reference-text")
    access = Access(headers=(("x-fault", fault),)) if fault else Access()
    return Target(name="made", backend="url", found="made", deployments=(at,), access=access)


class Correct(Reference):
    """A reference that is there already."""

    def __init__(self, url: str, name: str = "made") -> None:
        super().__init__()
        self._target = replace(target(url), name=name)

    def target(self) -> Target:
        return self._target


def did(*exchanges: Exchange, output: str = "", errors: str = "", code: int | None = 0, stopped: str = "") -> Did:
    from backends.program import Ended

    ended = Ended(exit_code=code, output=output, errors=errors)
    return Did(ended=ended, exchanges=exchanges, seconds=0.1, stopped=stopped)


# Verdicts, each with a fault of a server that turns it


@pytest.mark.parametrize("api", ["chat", "responses"])
@pytest.mark.parametrize("task", data.TASKS)
def test_the_reference_serves_every_task(api: str, task: str, stand_in: Row, reference: str) -> None:
    row = replace(stand_in, api=api)
    result, recording = measure(row, task, target(reference), Reference(why_none="not needed"), lacking="")
    assert (result.outcome, result.cause) == (Outcome.PASS, ""), result.message
    assert result.requests == len(recording["exchanges"]) == (2 if task == "tools" else 1)


@pytest.mark.parametrize(
    ("task", "fault", "outcome", "says"),
    [
        ("plain", "content-as-parts", Outcome.FAIL, "`message.content`"),
        ("streamed", "stream-content-type-json", Outcome.FAIL, "text/event-stream"),
        ("tools", "null-content-in-history-refused", Outcome.REJECTED, "expected 2xx, got 400"),
        ("structured", "json-schema-ignored", Outcome.IGNORED, "`response_format` with `strict: true`"),
        ("errors", "error-flat", Outcome.FAIL, "expected an error object"),
        ("errors", "unknown-model-served", Outcome.LENIENT, "accepts an unknown `model`"),
        ("overflow", "error-flat", Outcome.FAIL, "expected an error object"),
        ("overflow", "long-prompt-truncated", Outcome.IGNORED, "tokens of 12,000 words, and the user is not told"),
    ],
)
def test_a_fault_of_the_server_turns_the_verdict(
    task: str, fault: str, outcome: Outcome, says: str, stand_in: Row, reference: str
) -> None:
    result, _ = measure(stand_in, task, target(reference, fault), Correct(reference), lacking="")
    assert result.outcome is outcome, result.message
    assert says in result.message
    found = {"structured": [IGNORED_BY["response_format", False]], "overflow": [TRUNCATED_BY]}
    assert result.checks == (found[task] if outcome is Outcome.IGNORED else [])


def test_a_failure_on_the_reference_is_not_the_servers(stand_in: Row, reference: str) -> None:
    row = with_habit(stand_in, "wrong")
    result, _ = measure(row, "plain", target(reference), Correct(reference), lacking="")
    assert result.outcome is Outcome.BLOCKED
    assert "does not do this on the reference either" in result.message
    assert '"Berlin"' in result.message


def test_without_a_reference_a_failure_is_not_counted(stand_in: Row, reference: str) -> None:
    at = target(reference, "content-as-parts")
    result, _ = measure(stand_in, "plain", at, Reference(why_none="it is only in a clone"), lacking="")
    assert result.outcome is Outcome.BLOCKED
    assert "it is only in a clone" in result.message


def test_a_client_that_is_not_installed_is_blocked_with_the_command(stand_in: Row, reference: str) -> None:
    result, recording = measure(stand_in, "plain", target(reference), Reference())
    assert result.outcome is Outcome.BLOCKED
    assert result.message == "Stand-in is not installed: `openai-conformance clients install stand-in`"
    assert recording == {"unsent": result.message, "blocked": True}


@pytest.mark.parametrize("outcome", [Outcome.PASS, Outcome.LENIENT, Outcome.INCONCLUSIVE, Outcome.BLOCKED])
def test_only_what_counts_is_compared_with_the_reference(outcome: Outcome) -> None:
    assert settle(Judged(outcome=outcome), BAD).outcome is outcome


def test_a_failure_that_the_reference_does_not_have_counts() -> None:
    assert settle(BAD, GOOD) is BAD


# What the model may be the reason of


def exchange(body: dict[str, Any], message: dict[str, Any], finish: str = "stop") -> Exchange:
    said = {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}]}
    head = (("content-type", "application/json"),)
    return Exchange(request=Request(body=body), status=200, headers=head, body=json.dumps(said).encode())


def call(name: str = "get_weather", arguments: str = '{"location": "Paris"}') -> dict[str, Any]:
    return {
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": name, "arguments": arguments}}],
    }


SCHEMA = {"type": "object", "properties": {"location": {"type": "string"}}, "required": ["location"]}
TOOLS = {"tools": [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]}


def formatted(*, strict: bool) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA, "strict": strict}}}


RESULT = {**TOOLS, "messages": [{"role": "tool", "tool_call_id": "c1", "content": "17"}]}


@pytest.mark.parametrize(
    ("task", "exchanges", "says"),
    [
        ("plain", [exchange({}, {"content": ""})], "wrote nothing"),
        ("tools", [exchange(TOOLS, {"content": "Sunny."})], "called no tool"),
        ("tools", [exchange(TOOLS, call("get_time"))], "does not offer"),
        ("tools", [exchange(TOOLS, call(arguments='{"place": 1}'))], "arguments do not match the schema"),
        ("tools", [exchange(TOOLS, call(arguments='{"loc'), "length")], "truncated"),
        ("tools", [exchange(TOOLS, call()), exchange(RESULT, call())], "calls tools again and again"),
        ("structured", [exchange(formatted(strict=False), {"content": "no"})], "not `strict`"),
        ("structured", [exchange(formatted(strict=True), {"content": '{"loc'}, "length")], "truncated"),
    ],
)  # fmt: skip
def test_what_the_model_may_be_the_reason_of_is_inconclusive(task: str, exchanges: list[Exchange], says: str) -> None:
    judged = judge(task, did(*exchanges, code=1, errors="Error: no"))
    assert judged.outcome is Outcome.INCONCLUSIVE, judged.message
    assert says in judged.message


def test_a_client_that_answers_a_call_whose_arguments_do_not_fit_has_done_its_task() -> None:
    odd = exchange(TOOLS, call(arguments='{"place": 1}'))
    assert judge("tools", did(odd, exchange(RESULT, {"content": "17"}), output="17")) == GOOD
    unshown = judge("tools", did(odd, exchange(RESULT, {"content": "17"}), output="18"))
    assert (unshown.outcome, unshown.forceable) == (Outcome.INCONCLUSIVE, True)


def named(found: dict[str, Any]) -> Exchange:
    choice = {"type": "function", "function": {"name": "get_weather"}}
    return exchange({**TOOLS, "tool_choice": choice}, found)


def test_a_named_tool_must_be_called() -> None:
    judged = judge("structured", did(named({"content": "Sunny."}), code=1))
    assert (judged.outcome, judged.checks) == (Outcome.IGNORED, ("tool_choice.a_name_forces_that_function",))
    right = '{"location": "Paris"}'
    assert judge("structured", did(named(call()), output=right)) == GOOD
    assert judge("structured", did(named(call()), output="{}")).outcome is Outcome.FAIL


def test_a_client_that_asks_again_until_the_document_fits_is_lenient() -> None:
    judged = judge("structured", did(named({"content": "Sunny."}), named(call()), output='{"location": "Paris"}'))
    assert judged.outcome is Outcome.LENIENT
    assert "asked 2 times; at first: accepted, but no tool is called" in judged.message


def test_what_a_server_says_controls_no_terminal(stand_in: Row, reference: str) -> None:
    def run(*_: Any) -> Did:
        head = (("content-type", "application/json"),)
        said = json.dumps({"error": {"message": "no\x1b[31m\n::error::x"}}).encode()
        return did(Exchange(request=Request(body={}), status=400, headers=head, body=said))

    result, _ = measure(stand_in, "plain", target(reference), Reference(why_none="x"), run, lacking="")
    assert "no\\x1b[31m\\n::error::x" in result.message


def test_what_comes_after_the_models_own_calls_is_not_judged() -> None:
    """An agent goes on with what a model calls, until the server rejects it."""
    head = (("content-type", "application/json"),)
    body = b'{"error": {"message": "cannot be parsed"}}'
    rejected = Exchange(request=Request(body=RESULT), status=500, headers=head, body=body)
    first = exchange(TOOLS, call())
    assert judge("plain", did(first, rejected, code=1)).outcome is Outcome.INCONCLUSIVE
    assert judge("errors", did(first, rejected, code=None, stopped="after 8 requests")).outcome is Outcome.LENIENT
    assert judge("tools", did(first, rejected, code=1)).outcome is Outcome.FAIL
    assert judge("tools", did(first, exchange(RESULT, call()), rejected, code=1)).outcome is Outcome.INCONCLUSIVE


def test_a_failure_must_come_again(stand_in: Row, reference: str) -> None:
    runs = [did(exchange({}, {"content": "Paris"})), did(exchange({}, {"content": "Paris"}), output="Paris")]
    result, _ = measure(
        stand_in, "plain", target(reference), Reference(why_none="x"), lambda *_: runs.pop(0), lacking=""
    )
    assert result.outcome is Outcome.INCONCLUSIVE
    assert result.message.startswith("a second run ended otherwise (pass); the first: expected the client to show")


def test_a_busy_or_absent_server_is_not_judged() -> None:
    busy = Exchange(request=Request(body={}), status=429)
    gone = Exchange(request=Request(body={}), error="unreachable", error_detail="refused")
    late = Exchange(request=Request(body={}), error="timeout", error_detail="no answer within 60 s")
    assert judge("plain", did(busy)).outcome is Outcome.BLOCKED
    assert judge("plain", did(gone)).outcome is Outcome.BLOCKED
    assert judge("plain", did(late)).outcome is Outcome.TIMEOUT


def test_another_tool_than_the_one_that_was_asked_for_is_the_models_choice() -> None:
    """As where a model calls the tool with which an agent ends."""
    both = {"tools": [*TOOLS["tools"], {"type": "function", "function": {"name": "exit"}}]}
    judged = judge("tools", did(exchange(both, call("exit", "{}")), code=1), "get_weather")
    assert (judged.outcome, judged.forceable) == (Outcome.INCONCLUSIVE, True)
    assert judged.message == "the model called `exit`, not `get_weather`"


def test_a_result_must_come_back_under_the_id_of_its_call() -> None:
    other = {**TOOLS, "messages": [{"role": "tool", "tool_call_id": "c2", "content": "17"}]}
    judged = judge("tools", did(exchange(TOOLS, call()), exchange(other, {"content": "17"}), output="17"))
    assert judged.outcome is Outcome.FAIL
    assert 'the result of "c1", got results of "c2"' in judged.message
    assert judge("tools", did(exchange(TOOLS, call()), exchange(RESULT, {"content": "17"}), output="17")) == GOOD


def test_a_stream_that_the_client_left_is_not_a_stream_without_end() -> None:
    head = (("content-type", "text/event-stream"),)
    event = b'data: {"type": "response.created", "response": {"id": "r"}}\n\n'
    request = Request(path="/responses", body={"stream": True})
    cut = Exchange(request=request, status=200, headers=head, body=event)
    left = replace(cut, request=replace(request, hang_up_in=0.5))
    assert "closed the connection before its end" in judge("streamed", did(left, code=1)).message
    assert "the end of the response" in judge("streamed", did(cut, code=1)).message


def test_exit_codes_do_not_mislead() -> None:
    """A client that drops the call, or shows nothing, ends with 0 all the same."""
    assert judge("tools", did(exchange(TOOLS, call()))).outcome is Outcome.FAIL
    assert judge("plain", did(exchange({}, {"content": "Paris"}))).outcome is Outcome.FAIL
    assert judge("plain", did(exchange({}, {"content": "Paris"}), output="Paris", code=2)).outcome is Outcome.FAIL


def test_an_error_that_the_user_does_not_see_is_a_failure() -> None:
    head = (("content-type", "application/json"),)
    refused = Exchange(
        request=Request(body={}), status=404, headers=head, body=b'{"error": {"message": "no such model"}}'
    )
    assert judge("errors", did(refused, errors="Error: 404 no such\n model", code=1)).outcome is Outcome.PASS
    assert judge("errors", did(refused, output="", code=0)).outcome is Outcome.FAIL
    assert "stopped after 4 requests" in judge("errors", did(refused, code=None, stopped="after 4 requests")).message


def test_a_prompt_that_is_too_long() -> None:
    """What the user sees may be in the client's own words; a client may also shorten the prompt by itself."""
    head = (("content-type", "application/json"),)
    sent = Request(body={"messages": [{"role": "user", "content": PROMPTS["overflow"]}]})
    said = b'{"error": {"message": "9000 tokens are more than 4096"}}'
    refused = Exchange(request=sent, status=400, headers=head, body=said)
    own = did(refused, errors="ran out of room in the model's context window", code=1)
    assert judge("overflow", own).outcome is Outcome.PASS
    unseen = judge("overflow", did(refused, errors="Something went wrong.", code=1))
    assert (unseen.outcome, "9000 tokens are more than 4096" in unseen.message) == (Outcome.FAIL, True)
    storm = judge("overflow", did(refused, refused, refused, code=None, stopped="after 3 requests"))
    assert (storm.outcome, "with 3 requests; the user does not see why" in storm.message) == (Outcome.FAIL, True)
    short = exchange({}, {"content": "Paris"})
    assert judge("overflow", did(refused, short, output="Paris")).outcome is Outcome.LENIENT
    fits = judge("overflow", did(replace(short, request=sent), output="Paris"))
    assert (fits.outcome, "so its context is longer" in fits.message) == (Outcome.INCONCLUSIVE, True)
    assert "shortened the prompt of 12,000 words to 0" in judge("overflow", did(short, output="Paris")).message


@pytest.mark.parametrize("model", [fault.name for fault in FAULTS.values() if fault.model][::12])
@pytest.mark.parametrize("task", ["tools", "structured"])
def test_a_server_with_a_legal_model_is_not_at_fault(task: str, model: str, stand_in: Row, reference: str) -> None:
    """A sample: each model with each task takes minutes."""
    result, _ = measure(stand_in, task, target(reference, model), Correct(reference), lacking="")
    assert result.outcome in (Outcome.PASS, Outcome.LENIENT, Outcome.INCONCLUSIVE), result.message


# Forcing and repair


def test_the_relay_forces_a_call_where_the_model_makes_none(stand_in: Row, reference: str) -> None:
    runs: list[Change | None] = []

    def run(row: Row, task: str, at: Target, change: Change | None) -> Did:
        runs.append(change)
        return run_on(row, task, at, change) if change else did(exchange(TOOLS, {"content": "Sunny."}))

    result, recording = measure(stand_in, "tools", target(reference), Reference(why_none="x"), run, lacking="")
    assert (result.outcome, result.forced) == (Outcome.PASS, True), result.message
    assert [one is None for one in runs] == [True, False]
    first, second = (one["request"]["body"] for one in recording["exchanges"])
    assert first["tool_choice"] == "required"
    assert "tool_choice" not in second


def test_a_client_with_tools_of_its_own_is_forced_only_to_one_that_does_no_harm(stand_in: Row) -> None:
    shell = {"tools": [{"type": "function", "function": {"name": "shell"}}, *TOOLS["tools"]]}
    asked = did(exchange(shell, {"content": "no"}))
    cli = replace(stand_in, client=replace(stand_in.client, prompt="Read the file."))
    assert forcing(cli, asked) is None
    assert forcing(replace(cli, client=replace(cli.client, tool="shell")), asked) is None
    made = forcing(replace(cli, client=replace(cli.client, tool="get_weather", harmless=True)), asked)
    assert made is not None
    assert made.request is not None
    assert made.request(shell)["tools"] == TOOLS["tools"]
    assert made.request(RESULT) == RESULT


def test_a_cause_is_proved_by_repair(stand_in: Row, reference: str) -> None:
    with running(create_app(faults=(NO_OUTPUT_INDEX,), delay=0)) as url:
        row = replace(stand_in, api="responses")
        result, _ = measure(row, "tools", target(url), Correct(reference), lacking="")
    assert result.outcome is Outcome.FAIL
    assert "got no tool result; the client ended with exit code 0" in result.message
    assert result.cause == "works once events have `output_index`"
    assert result.checks == ["responses_stream.events_say_which_item"]


def test_what_only_a_repaired_run_meets_is_mended_too(stand_in: Row, reference: str) -> None:
    """Here the server also rejects earlier messages without a type, which the failed run never sends."""

    def run(row: Row, task: str, at: Target, change: Change | None) -> Did:
        names = change.says if change else ""
        if at.name == "reference":
            return did(exchange({}, {"content": "Paris"}), output="Paris")
        if "output_index" not in names:
            head = (("content-type", "text/event-stream"),)
            event = b'data: {"type": "response.output_item.added", "item": {"id": "i", "type": "message"}}\n\n'
            return did(Exchange(request=Request(path="/responses", body={}), status=500, headers=head, body=event))
        if "type: message" not in names:
            history = Request(path="/responses", body={"input": [{"role": "assistant", "content": "a"}]})
            said = b'{"error": {"message": "type is missing"}}'
            head = (("content-type", "application/json"),)
            return did(Exchange(request=history, status=400, headers=head, body=said), code=1)
        return did(exchange({}, {"content": "Paris"}), output="Paris")

    correct = Correct(reference, name="reference")
    result, _ = measure(stand_in, "plain", target(reference), correct, run, lacking="")
    assert result.outcome is Outcome.FAIL, result.message
    assert result.cause == "works once events have `output_index` and earlier messages have `type: message`"


def test_a_call_without_an_index_is_mended_in_chat(stand_in: Row, reference: str) -> None:
    at = target(reference, "index-missing-in-tool-delta")
    result, _ = measure(stand_in, "tools", at, Correct(reference), lacking="")
    assert (result.outcome, result.cause) == (Outcome.FAIL, "works once deltas of tool calls have `index`")


def test_repairs_change_only_what_is_missing() -> None:
    event = {"type": "response.output_item.added", "output_index": 3, "sequence_number": 7, "item": {"id": "i"}}
    stream = Exchange(
        request=Request(path="/responses", body={"input": "x"}),
        status=200,
        headers=(("content-type", "text/event-stream"),),
        body=f"event: x\ndata: {json.dumps(event)}\n\ndata: [DONE]\n\n".encode(),
    )
    assert repairs.fitting([stream]) == []
    assert repairs.as_received(stream, repairs.change(repairs.REPAIRS)).body == stream.body


# Bounds


def test_a_storm_of_retries_is_stopped(stand_in: Row, reference: str) -> None:
    done = run_on(with_habit(stand_in, "retries"), "plain", target(reference), None)
    assert (len(done.exchanges), done.stopped, done.ended.exit_code) == (4, "after 4 requests", None)


def test_a_client_that_hangs_is_stopped_with_what_it_started(stand_in: Row, reference: str) -> None:
    row = with_habit(stand_in, "hangs")
    row = replace(row, client=replace(row.client, seconds=0.5))
    done = run_on(row, "plain", target(reference), None)
    assert (done.stopped, done.seconds < 10) == ("after 0.5 s", True)


def test_nothing_that_a_client_started_is_left(stand_in: Row, reference: str) -> None:
    done = run_on(with_habit(stand_in, "forks"), "plain", target(reference), None)
    child = int(done.ended.output.split()[0])
    until = time.monotonic() + 5
    while scratch.alive(str(child), "") and time.monotonic() < until:
        time.sleep(0.01)
    assert not scratch.alive(str(child), "")


def test_a_client_reaches_nothing_but_the_relay(stand_in: Row, reference: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        row = with_habit(stand_in, "network", OTHER_PORT=str(other.getsockname()[1]))
        done = run_on(row, "plain", target(reference), None)
    if not done.alone:
        pytest.skip("this machine gives a process no network of its own")
    assert done.ended.exit_code == 1
    assert "ConnectionRefusedError" in done.ended.errors
    assert not done.exchanges


def test_a_client_gets_nothing_of_our_environment(
    stand_in: Row, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_SECRET_OF_OURS", "sk-ours-1234")
    from conformance.clients import running as of_running

    with of_running._directory(stand_in) as home:
        env = of_running._environment(stand_in, home)
    assert "A_SECRET_OF_OURS" not in env
    assert env["HOME"] == str(home)
    assert env["OPENAI_API_KEY"] == of_running.KEY
    assert not home.exists()


# Data


@pytest.mark.parametrize("client", data.clients().values(), ids=lambda client: client.name)
def test_a_client_is_pinned_with_hashes(client: data.Client) -> None:
    told = tomllib.loads((client.directory / "client.toml").read_text())
    assert set(told) <= {name for name in data.Client.__dataclass_fields__ if name != "name"}
    assert set(client.apis) <= {"chat", "responses"}
    assert set(client.tasks) <= set(data.TASKS)
    assert (client.directory / client.program).exists()
    assert re.match(r"\d+\.\d+", client.version)
    text = client.lock.read_text()
    if client.language == "node":
        packages = {name: one for name, one in json.loads(text)["packages"].items() if name and not one.get("link")}
        assert all(one.get("inBundle") or one["integrity"].startswith("sha512-") for one in packages.values())
        assert "resolved" not in text
    else:
        pinned = re.findall(r"^[\w.-]+(?:\[[\w,-]+\])?==", text, re.MULTILINE)
        assert len(pinned) == len(re.findall(r"== ?[^\\\n]+(?:; [^\\\n]+)? \\\n +--hash=sha256:", text))


def test_names_choose_rows() -> None:
    assert [row.id for row in data.chosen("ai-sdk.responses")] == ["ai-sdk.responses"]
    assert {row.client.name for row in data.chosen("all")} == set(data.clients())
    with pytest.raises(data.UnknownClient, match="there is no client nope; choose from all, ai-sdk"):
        data.chosen("nope")
    with pytest.raises(pytest.UsageError, match="--clients nope: there is no client nope"):
        options._clients("nope", None)
    with pytest.raises(pytest.UsageError, match="--clients needs a server: leave out --replay"):
        options._clients("all", "results.jsonl")
    with pytest.raises(data.UnknownClient, match="name one client"):
        data.chosen(" , ")


def test_a_cause_names_checks_that_exist() -> None:
    named = {*IGNORED_BY.values(), *(one.check for one in repairs.REPAIRS)}
    assert named <= catalogue.load().keys()


def test_a_result_survives_its_line() -> None:
    result = ClientResult(
        client="c", title="C", version="1", api="chat", task="plain", target="t", outcome=Outcome.FAIL,
        message="m", cause="works once", checks=["a.b"], requests=2, seconds=1.5, forced=True,
    )  # fmt: skip
    assert ClientResult.from_json({**result.to_json(), "later": 1}) == result


def test_an_installation_that_fails_says_why(stand_in: Row, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def pip(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        code = 1 if "install" in command else 0
        return subprocess.CompletedProcess(command, code, "", "note\nERROR: the hashes do not match\n")

    monkeypatch.setattr(install, "directory", lambda _: tmp_path / "made")
    monkeypatch.setattr(install.subprocess, "run", pip)
    with pytest.raises(install.CannotInstall, match="pip cannot install stand-in: the hashes do not match"):
        install.install(stand_in.client, lambda _: None)
    assert {"--require-hashes", "--only-binary=:all:"} <= set(asked[-1])
    assert list(tmp_path.iterdir()) == []


# The table


def file_with(tmp_path: Path, *results: ClientResult) -> Results:
    writer = Writer(tmp_path / "results.jsonl")
    at = {"name": "t", "backend": "url", "version": "9.9", "found": "", "deployments": [], "missing": {}, "details": {}}
    writer.header(targets=[at], selected=[], command="pytest --clients=all")
    for one in results:
        run = did(exchange({}, {"content": "Paris"}), output="Paris & Berlin")
        writer.exchange("t", one.id, recorded(Row(client=data.clients()["ai-sdk"], api="chat"), one.task, run))
        writer.client(one)
    writer.footer(duration=1.0, exit_code=0, stopped=None)
    return read(writer.path)


def ai_sdk(task: str, outcome: Outcome, **more: Any) -> ClientResult:
    return ClientResult(
        client="ai-sdk",
        title="Vercel AI SDK",
        version="6.0",
        api="chat",
        task=task,
        target="t",
        outcome=outcome,
        **more,
    )


def test_the_page_has_each_client_with_its_cause_and_the_wire(tmp_path: Path) -> None:
    cause = {"cause": "works once events have `output_index`", "checks": ["responses_stream.events_say_which_item"]}
    results = file_with(
        tmp_path,
        ai_sdk("plain", Outcome.PASS),
        ai_sdk("tools", Outcome.FAIL, message="got <none>", forced=True, **cause),
    )
    html = page.render(table([results])).decode()
    assert html.count('<details class="client">') == 1
    assert "works once events have <code>output_index</code>" in html
    assert "got &lt;none&gt;" in html
    assert "the relay made the model call a tool" in html
    assert html.count("request 1 of 1") == 1  # Of what passed, the page has no wire.
    assert "Paris &amp; Berlin" in html
    assert 'class="client"' not in page.render(table([replace(results, clients=[])])).decode()


def measured(*results: ClientResult, version: str = "1") -> Results:
    """A run with a server of this version."""
    header = {"started": 0, "targets": [{"name": "t", "backend": "vllm", "version": version}]}
    return Results(header=header, checks=[], exchanges=Exchanges({}), footer=None, clients=list(results))


NOW = data.clients()["ai-sdk"].version
LOST = replace(
    ai_sdk("tools", Outcome.FAIL, message="got none", cause="works once x", checks=["area.check"]), version=NOW
)
SEEN = replace(ai_sdk("plain", Outcome.PASS), version=NOW)


def test_the_documents_have_each_client_with_its_cause() -> None:
    found = kept.add(kept.Kept(costs={}), [measured(SEEN, LOST)])
    pages = document.files(found)
    assert set(pages) == {"clients.md", "clients/ai-sdk.md"}
    assert f"| [Vercel AI SDK](clients/ai-sdk.md) {NOW}, chat | ✓ plain<br>✕ tools |" in pages["clients.md"]
    assert "- `area.check`: The client works once x: proved. Vercel AI SDK (chat, tools)." in pages["clients.md"]
    assert "1: works with plain; loses tools." in pages["clients/ai-sdk.md"]
    assert "- ✕ tools: fail. Got none. It works once x. Found by `area.check`." in pages["clients/ai-sdk.md"]


def test_what_is_kept_is_of_one_version_of_a_server_and_of_a_client(tmp_path: Path) -> None:
    first = kept.add(kept.Kept(costs={}), [measured(SEEN, LOST)])
    again = kept.add(first, [measured(replace(LOST, outcome=Outcome.PASS, cause="", checks=[]))])
    assert [(one.task, one.outcome) for one in again.results] == [("plain", Outcome.PASS), ("tools", Outcome.PASS)]
    newer = kept.add(again, [measured(LOST, version="2")])
    assert [one.task for one in newer.results] == ["tools"]
    older = measured(replace(SEEN, version="0.1"), version="2")
    assert kept.add(newer, [older]).results == newer.results
    kept.write(first, tmp_path / "file.json")
    assert kept.read(tmp_path / "file.json") == first


def test_the_documents_are_made_from_what_is_kept() -> None:
    """Else run `python -m conformance.clients keep`."""
    docs = Path(__file__).parents[1] / "docs"
    pages = document.files(kept.read())
    assert {name: (docs / name).read_text() for name in pages} == pages
    assert {f"clients/{file.name}" for file in (docs / "clients").iterdir()} == set(pages) - {"clients.md"}


def test_the_site_has_a_page_for_each_client(tmp_path: Path) -> None:
    found = kept.add(kept.Kept(costs={}), [measured(SEEN, replace(LOST, message="<none> of `x`"))])
    of_clients.write(found, tmp_path, ["area.check"])
    every, one = ((tmp_path / name).read_text() for name in ("clients.html", "clients/ai-sdk.html"))
    assert '<a href="clients/ai-sdk.html"><b>Vercel AI SDK</b></a>' in every
    assert 'href="checks/area.check.html"' in every
    assert "vLLM" in one
    assert "works with plain; loses tools." in one
    assert "&lt;none&gt; of <code>x</code>. It works once x." in one


def test_a_diff_has_the_tasks_that_clients_did_in_both_runs(tmp_path: Path) -> None:
    def run(name: str, *some: ClientResult) -> Any:
        (tmp_path / name).mkdir()
        return table([file_with(tmp_path / name, *some)])

    lost = ai_sdk("tools", Outcome.FAIL, message="got <none>", cause="works once x")
    old = run("old", ai_sdk("plain", Outcome.PASS), ai_sdk("tools", Outcome.PASS), ai_sdk("errors", Outcome.FAIL))
    new = run("new", ai_sdk("streamed", Outcome.FAIL), lost, ai_sdk("errors", Outcome.PASS))
    found = diff.diff(old, new)
    [target] = found.targets
    assert {change.after.task: change.kind for change in target.clients} == {"tools": "regression", "errors": "fix"}
    assert (found.regressed, target.quiet) == (True, False)
    assert "1 regression of real clients, 1 fix of real clients" in diff_text.text(found)
    assert "Vercel AI SDK 6.0, chat, tools  ✓ pass → ✕ fail  works once x" in diff_text.text(found, width=200)
    assert "| Vercel AI SDK 6.0, chat, tools | ✓ pass → ✕ fail | works once x |" in diff_text.markdown(found)
    assert "Vercel AI SDK 6.0, chat, tools" in page.render_diff(found, title="Diff").decode()
    newer = diff.diff(old, run("newer", replace(lost, version="7.0")))
    assert [change.kind for change in newer.targets[0].clients] == ["other"]
    assert not newer.regressed


def test_a_site_keeps_clients_of_a_run(tmp_path: Path) -> None:
    run = site._named(file_with(tmp_path, ai_sdk("plain", Outcome.PASS)), "vllm-nightly")
    assert [one.target for one in run.clients] == ["vllm-nightly"]
    assert '"kind": "client"' in site.lines(run)


def test_shards_of_a_run_keep_their_clients(tmp_path: Path) -> None:
    results = file_with(tmp_path, ai_sdk("plain", Outcome.PASS))
    assert merge.join([results, replace(results, clients=[])]).clients == results.clients
    both = replace(
        results, header={**results.header, "targets": [*results.targets, {**results.targets[0], "name": "u"}]}
    )
    assert [len(one.clients) for one in merge.split(both)] == [1, 0]


def test_retries_are_measured_with_a_server_that_only_answers_errors(
    stand_in: Row, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retries, "REQUESTS", 3)
    once = retries.measure(stand_in)
    assert (once["500"]["requests"], once["500"]["exit_code"], once["500"]["shows"]) == (1, 1, True)
    assert once["overflow"]["shows"]
    again = retries.measure(with_habit(stand_in, "retries"))
    assert (again["500"]["requests"], again["500"]["stopped"]) == (3, "after 3 requests")


@pytest.mark.slow
def test_a_run_has_clients_only_when_it_is_asked_for_them(tmp_path: Path) -> None:
    def run(*options: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "pytest", "--backend=reference", f"--report={tmp_path / 'report'}", *options]
        env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=120)
        return done.returncode, done.stdout + done.stderr

    assert run("-m", "clients", "-q", "--collect-only")[0] == pytest.ExitCode.NO_TESTS_COLLECTED
    code, output = run("--clients=instructor", "-m", "clients", "-v")
    assert code == pytest.ExitCode.NO_TESTS_COLLECTED  # Nothing was judged.
    assert "6 blocked" in output
    assert "`openai-conformance clients install instructor`" in output
    results = read(tmp_path / "report" / "results.jsonl")
    assert [one.id for one in results.clients][:2] == [
        "client.instructor.chat.structured",
        "client.instructor.chat.errors",
    ]
    assert {one.outcome for one in results.clients} == {Outcome.BLOCKED}
    assert "Real clients" in (tmp_path / "report" / "index.html").read_text()


def test_a_defect_of_the_suite_and_a_run_that_stopped_are_said(stand_in: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise KeyError("x")

    monkeypatch.setattr(items, "measure", broken)

    def outcome(stopped: str | None) -> ClientResult:
        run = SimpleNamespace(stopped=stopped, targets={"t": None}, reference=None)
        item = items.ClientItem.__new__(items.ClientItem)
        item._row, item._task, item._target, item._run = stand_in, "plain", "t", run
        item.runtest()
        assert item.measured is not None
        return item.measured[0]

    assert (outcome(None).outcome, outcome(None).message) == (Outcome.ERROR, "a defect of the suite: KeyError: 'x'")
    assert (outcome("no server").outcome, outcome("no server").message) == (Outcome.NOT_RUN, "no server")
