"""A user's request, sent again, judged and reduced."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conformance.replay_request.__main__ import main
from conformance.replay_request.reading import Unreadable, read
from conformance.replay_request.reducing import consistent, reduced
from tests.reference.app import create_app
from tests.reference.server import running

KEY = "sk-abcdefghijklmnopqrstuvwxyz"
CALL = {"id": "call_1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'}}
BODY: dict[str, Any] = {
    "model": "gpt-4o",
    "temperature": 0,
    "max_tokens": 20,
    "user": "somebody",
    "messages": [
        {"role": "system", "content": "You are brief, polite and exact."},
        {"role": "user", "content": "What is the weather in Paris?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call_1", "content": "18 degrees"},
    ],
}


def har(*urls: str) -> str:
    headers = [{"name": "Authorization", "value": f"Bearer {KEY}"}, {"name": "X-Fault", "value": "a"}]
    posted = {"mimeType": "application/json", "text": json.dumps(BODY)}
    entries = [{"request": {"method": "POST", "url": url, "headers": headers, "postData": posted}} for url in urls]
    return json.dumps({"log": {"version": "1.2", "entries": entries}})


@pytest.mark.parametrize(
    ("text", "path"),
    [
        (json.dumps(BODY), "/chat/completions"),
        (json.dumps({"model": "m", "prompt": "Once"}), "/completions"),
        (json.dumps({"model": "m", "input": "Hello", "store": False}), "/responses"),
        (f"curl https://api.openai.com/v1/chat/completions -d {shlex.quote(json.dumps(BODY))}", "/chat/completions"),
        ('curl -sS -X POST $BASE/v1/embeddings \\\n  --json \'{"input": "a"}\' -m 5', "/embeddings"),
        (
            "curl 'http://h/openai/deployments/x/chat/completions?api-version=1' -d '{}'",
            "/chat/completions?api-version=1",
        ),
        ("curl http://localhost:8080/v1/models/a%2Fb", "/models/a%2Fb"),
        (har("https://h/assets/x.js", "https://h/v1/chat/completions"), "/chat/completions"),
    ],
)
def test_forms_of_requests(text: str, path: str) -> None:
    [request] = read(text)
    assert request.path == path
    assert request.method == ("GET" if "models" in path else "POST")


def test_a_command_that_a_browser_copied() -> None:
    data = r"""$'{"messages":[{"role":"user","content":"It\'s \u0021 a \\n"}]}'"""
    [request] = read(f"curl 'https://h/v1/chat/completions' -H 'cookie: a=b' --data-raw {data}")
    assert request.body == {"messages": [{"role": "user", "content": "It's ! a \n"}]}
    assert request.headers == ()


def test_keys_stay_behind() -> None:
    text = json.dumps({**BODY, "user": KEY})
    command = f"curl https://h/v1/chat/completions -H 'api-key: {KEY}' -H 'X-Trace: {KEY}' -d {shlex.quote(text)}"
    for request in (*read(command), *read(har("https://h/v1/chat/completions")), *read(text)):
        assert KEY not in repr(request)
    assert read(har("https://h/v1/chat/completions"))[0].headers == (("X-Fault", "a"),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "expected a HAR file, a curl command or a JSON body"),
        ("[]", "give a single body"),
        ('{"a": 1}', "expected `messages`, `prompt` or `input` in the body"),
        ('{"input": "a", "model": "m"}', "say which with --path"),
        ("curl https://example.org", "has no address that ends in /chat/completions"),
        ("curl https://h/v1/responses -d @body.json", "put the body itself into the command"),
        ("curl https://h/v1/responses -d", "ends after an option that needs a value"),
        ("curl 'https://h/v1/responses", "cannot be read (No closing quotation)"),
        (har("https://h/index.html"), "has no request to /chat/completions"),
    ],
)
def test_what_is_no_request(text: str, sentence: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(sentence)):
        read(text)


def test_all_but_the_cause_goes() -> None:
    body = {**BODY, "stop": ["a", "b", "c"], "metadata": {"a": "x" * 500, "cause": "here"}}
    smallest, tried = reduced(body, lambda one: "here" in json.dumps(one), 200)
    assert "here" in json.dumps(smallest)
    assert set(smallest) == {"model", "messages", "metadata"}
    assert len(smallest["messages"]) == 1
    assert smallest["metadata"] == {"cause": "here"}
    assert tried <= 200


def test_no_more_requests_than_allowed() -> None:
    seen: list[Any] = []
    _, tried = reduced(BODY, lambda one: bool(seen.append(one)) or True, 7)
    assert len(seen) == tried == 7


def test_a_result_keeps_its_call() -> None:
    assert consistent(BODY)
    assert not consistent({**BODY, "messages": BODY["messages"][3:]})
    assert not consistent({**BODY, "messages": []})
    assert not consistent({"input": [{"type": "function_call_output", "call_id": "a", "output": "b"}]})


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with running(create_app()) as url:
        yield url


def replay(file: Path, server: str, *more: str) -> int:
    return main([str(file), "--base-url", server, *more])


def test_a_correct_server_breaks_no_rule(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "body.json"
    file.write_text(json.dumps(BODY))
    assert replay(file, server) == 0
    assert "No rule is broken (HTTP status 200)." in capsys.readouterr().out


def test_a_failing_request_becomes_a_short_command(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "command.txt"
    data = shlex.quote(json.dumps({**BODY, "stream": True}))
    file.write_text(f"curl https://h/v1/chat/completions -H 'X-Fault: usage-total-wrong' -d {data}")
    assert replay(file, server) == 1
    said = capsys.readouterr().out
    assert "wire.total_is_the_sum (MUST): expected" in said
    command = said.partition("```sh\n")[2].partition("```")[0]
    [again] = read(command)
    assert len(json.dumps(again.body)) < 150
    assert dict(again.headers) == {"X-Fault": "usage-total-wrong", "Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--check=no.check"], "this request does not fail it"),
        (["--backend=nobody"], "there is no such backend; choose one of"),
    ],
)
def test_what_was_called_wrongly(
    more: list[str], sentence: str, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "body.json"
    file.write_text(json.dumps({"model": "m", "messages": "none"}))
    assert replay(file, server, *more) > 1
    assert sentence in capsys.readouterr().err


def test_a_file_that_is_not_there(server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(tmp_path / "none.har", server) == 2
    assert "none.har cannot be read" in capsys.readouterr().err
