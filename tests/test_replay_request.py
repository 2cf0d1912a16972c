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
from conformance.replay_request.reading import Unreadable, read, read_file
from conformance.replay_request.reducing import SMALL_IMAGE, consistent, reduced
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


SHORT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi \\n é 😀 5$ ^ 100%"}]}
AT = "https://h/v1/chat/completions"
TEXT = json.dumps(SHORT)


def of_cmd(word: str) -> str:
    """As a browser quotes a word for Windows' cmd."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return '^"' + re.sub(r"([^A-Za-z0-9 _:=+~/.,?;()*-])", r"^\1", escaped) + '^"'


def doubly(word: str) -> str:
    """In double quotes, for Windows."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'


def of_bash(word: str) -> str:
    """As a browser quotes a word for bash: half of a surrogate pair at a time."""
    units = word.encode("utf-16-be")
    codes = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    special = {ord(c): f"\\{c}" for c in "'\\"}
    return "$'" + "".join(special.get(c) or (chr(c) if 31 < c < 127 else f"\\u{c:04x}") for c in codes) + "'"


@pytest.mark.parametrize(
    "text",
    [
        f"curl '{AT}' \\\n  -H 'accept: */*' \\\n  --data-raw {of_bash(json.dumps(SHORT, ensure_ascii=False))}",
        f"curl {of_cmd(AT)} ^\r\n  -H {of_cmd('a: b')} ^\r\n  --data-raw {of_cmd(TEXT)}",
        f'curl.exe -X POST "{AT}" -d {doubly(TEXT)}',
        f"curl.exe {AT} `\r\n  -H 'a: b' `\r\n  -d '{TEXT}'",
        f"curl -sSXPOST -d{shlex.quote(TEXT)} -HContent-Type:application/json {AT} | jq .",
        f"# mine\n$ KEY=x curl -N --max-time 5 --retry 3 -o out.txt {AT} --json {shlex.quote(TEXT)} > out.json 2>&1",
        f"curl {AT} -d @- <<'EOF'\n{TEXT}\nEOF",
        f"curl {AT} -d @body.json",
        f"$ time /usr/bin/curl https://h/v1 -d {shlex.quote(TEXT)}",
        f"docker exec box curl {AT} -d {shlex.quote(TEXT)}",
        json.dumps({"log": f"INFO body: {TEXT}\n", "stream": "stdout"}),
        f'10.0.0.1 "POST /v1/chat/completions HTTP/1.1" 500 {TEXT}',
        f"It fails:\n\n```bash\ncurl {AT} \\\n  -d {shlex.quote(TEXT)}\n```\nand says 500.",
        f'fetch("{AT}", {{"headers": {{"a": "b"}}, "body": {json.dumps(TEXT)}, "method": "POST"}});',
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n\r\n{TEXT}\r\n\r\nHTTP/1.1 500 Error\r\n\r\n",
        "{ // the model\n" + TEXT[1:-1] + ", /* any */ }  # end",
        TEXT.replace("}]}", ",},],}"),
        json.dumps({"level": "info", "http": {"path": "/v1/chat/completions", "body": TEXT}}) + '\n{"level": "info"}',
        json.dumps({"custom_id": "r1", "method": "POST", "url": "/v1/chat/completions", "body": SHORT}),
        f"DEBUG:openai: Request options: {{'url': '/chat/completions', 'files': None, 'json_data': {SHORT!r}}}",
    ],
    ids=range(20),
)
def test_requests_as_users_have_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text(TEXT)
    for encoding in ("utf-8", "utf-16"):
        (tmp_path / "file").write_bytes(text.encode(encoding))
        [request] = read_file(str(tmp_path / "file"))
        assert (request.path, request.body) == ("/chat/completions", SHORT)


def test_what_a_browser_asks_before_is_left_out() -> None:
    entries = json.loads(har(AT))["log"]["entries"]
    before = {"request": {"method": "OPTIONS", "url": AT, "headers": []}}
    assert [one.method for one in read(json.dumps({"log": {"entries": [before, *entries]}}))] == ["POST"]
    bare = {"request": {"method": "POST", "url": AT, "headers": []}}
    with pytest.raises(Unreadable, match="has a request without its body"):
        read(json.dumps({"log": {"entries": [bare]}}))


def test_secrets_in_odd_places_stay_behind() -> None:
    hidden = "5ecret-of-mine"
    called = {"name": "login", "arguments": json.dumps({"password": hidden, "user": "a"})}
    body = {
        "messages": [
            {"role": "user", "content": f"Call https://me:{hidden}@x/y?key={hidden} with Bearer {hidden}; basic words"},
            {"role": "assistant", "tool_calls": [{"id": "c", "function": called}]},
        ],
        "tools": [{"type": "mcp", "headers": {"Authorization": hidden}, "authorization": hidden}],
        "metadata": {
            "api_key": hidden,
            "again": hidden,
            "max_tokens": "9",
            "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOi.abc",
        },
        "max_tokens": 9,
    }
    url = f"https://me:{hidden}@h/v1/chat/completions?api_key={hidden}&api-version=1"
    headers = [
        f"X-Auth: {hidden}",
        f"Cookie: theme=english; sid={hidden}",
        f"Ocp-Apim-Subscription-Key: {hidden}",
        "B: c",
    ]
    command = " ".join(f"-H {shlex.quote(one)}" for one in headers)
    [request] = read(f"curl -u me:{hidden} -b s={hidden} '{url}' {command} -d {shlex.quote(json.dumps(body))}")
    said = repr(request)
    assert hidden not in said
    assert "eyJhbGci" not in said
    assert request.path == "/chat/completions?api-version=1"
    assert request.headers == (("B", "c"),)
    assert (request.body["max_tokens"], request.body["metadata"]["max_tokens"]) == (9, "9")
    assert request.body["messages"][0]["content"].endswith("; basic words")
    assert request.body["messages"][1]["tool_calls"][0]["function"]["arguments"].endswith('"user": "a"}')


def test_an_image_stays_as_it_is_and_is_reduced_to_a_small_one() -> None:
    """Letters of base64 may look like the beginning of a key."""
    url = "data:image/png;base64," + f"/sk{'a' * 30}+pk{'b' * 30}" * 15_000
    body = {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}
    assert read(json.dumps(body))[0].body == body
    smallest, _ = reduced(body, lambda one: "data:image" in json.dumps(one), 50)
    assert smallest["messages"][0]["content"][0]["image_url"]["url"] == SMALL_IMAGE


def test_keys_stay_behind() -> None:
    text = json.dumps({**BODY, "user": KEY})
    command = f"curl https://h/v1/chat/completions -H 'api-key: {KEY}' -H 'X-Trace: {KEY}' -d {shlex.quote(text)}"
    for request in (*read(command), *read(har("https://h/v1/chat/completions")), *read(text)):
        assert KEY not in repr(request)
    assert read(har("https://h/v1/chat/completions"))[0].headers == (("X-Fault", "a"),)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("hello", "expected a HAR file, a curl command, a log or a JSON body"),
        ("[]", "expected `messages`, `prompt` or `input` in the body"),
        ('{"a": 1}', "expected `messages`, `prompt` or `input` in the body"),
        ('{"input": "a", "model": "m"}', "say which with --path"),
        ("curl https://example.org", "has no address that ends in /chat/completions"),
        (
            "curl https://h/v1/responses -d @../../etc/passwd",
            "put the body itself into the command, or the file beside",
        ),
        ("curl https://h/v1/responses -d @none.json", "none.json, which cannot be read beside it"),
        ("curl https://h/v1/responses -d @-", "reads its body from standard input"),
        ('curl https://h/v1/responses -d "$(cat body.json)"', "the shell makes the curl command's body"),
        ('fetch("https://h/v1/responses", {body})', "the options of fetch() are no JSON"),
        ("POST /v1/images/generations HTTP/1.1\nHost: h\n\n{}", "which is none of /chat/completions"),
        (
            'data: {"id": "c", "choices": [{"delta": {"content": "a"}}]}\n\ndata: [DONE]',
            "expected `messages`, `prompt`",
        ),
        ("curl https://h/v1/responses -d", "ends after an option that needs a value"),
        ("$ 'curl https://h/v1/responses'\n curl 'x", "cannot be read"),
        ("' \ncurl https://h/v1/responses -d 'x", "cannot be read"),
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
    hidden = "5ecret-of-mine"
    body = {**BODY, "stream": True, "metadata": {"api_key": hidden, "again": f"it is {hidden}"}}
    file.write_text(
        f"curl 'https://h/v1/chat/completions?key={hidden}' -b sid={hidden} -H 'X-Fault: usage-total-wrong' "
        f"-H 'X-Auth: {hidden}' -d {shlex.quote(json.dumps(body))}"
    )
    assert replay(file, server) == 1
    both = capsys.readouterr()
    said = both.out
    assert hidden not in said + both.err
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
