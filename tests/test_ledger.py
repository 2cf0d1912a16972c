"""The ledger accounts for every name of the API and for every check, and its page is up to date."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal, Required, TypedDict

import pytest

from conformance import ledger
from conformance.ledger import TITLES, Entry, Row, sdk
from conformance.ledger.__main__ import PAGE, data
from conformance.requirements.check import Check
from conformance.run import catalogue
from tests.ledger_names import names

ENDPOINTS = list(TITLES)
WRITE = "run: python -m conformance.ledger"


def line_to_add(check: Check) -> str:
    """Which line names a check, in which file of the ledger, as far as the check's source tells."""
    endpoint, name = ledger.named(check.source)
    part, _, key = name.partition(".")
    if name not in ledger.names().get(endpoint, ()):
        return (
            f'add "{check.id}" to the row of the parameter, field, event or error that it covers in '
            "conformance/ledger/ENDPOINT.toml; if it covers none, to a rule in conformance/ledger/general.toml"
        )
    file = f"conformance/ledger/{endpoint}.toml, table [{part}]"
    if any(entry.pattern == name for entry in ledger.entries(endpoint)):
        return f'{file}: add "{check.id}" to the row "{key}"'
    return f'{file}: add the row "{key}" = ["{check.id}"]'


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_name_is_open(endpoint: str) -> None:
    names = [row.name for row in ledger.coverage() if row.endpoint == endpoint and row.state == "open"]
    rows = [f'\n  table [{part}]: "{name}" = ["AREA.CHECK"]' for part, _, name in (n.partition(".") for n in names)]
    assert not names, (
        f"no check covers these names. Add rows to conformance/ledger/{endpoint}.toml:{''.join(rows)}\n"
        f"or add the names to an [[excluded]] there, with the reason; then {WRITE}"
    )


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_each_line_is_about_a_name(endpoint: str) -> None:
    """And decides about at least one."""
    listed = ledger.names()[endpoint]
    stale = [e.pattern for e in ledger.entries(endpoint) if not any(e.holds_for(name) for name in listed)]
    assert not stale, f"conformance/ledger/{endpoint}.toml: remove these, or write them as in names.json: {stale}"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_name_is_both_covered_and_excluded(endpoint: str) -> None:
    covered = [e.pattern for e in ledger.entries(endpoint) if e.checks]
    excluded = [e for e in ledger.entries(endpoint) if e.why]
    both = [name for name in covered for e in excluded if "*" not in name and e.holds_for(name)]
    assert not both, f"conformance/ledger/{endpoint}.toml: remove these rows, or their names from [[excluded]]: {both}"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_each_line_has_checks_or_a_reason(endpoint: str) -> None:
    patterns = [e.pattern for e in ledger.entries(endpoint)]
    empty = [e.pattern for e in ledger.entries(endpoint) if not e.checks and not e.why.strip()]
    assert not empty, f"conformance/ledger/{endpoint}.toml: add checks to these rows, or a why, or remove them: {empty}"
    twice = sorted({pattern for pattern in patterns if patterns.count(pattern) > 1})
    assert not twice, f"conformance/ledger/{endpoint}.toml has these names twice, join their rows: {twice}"


def test_all_checks_exist() -> None:
    lists = {(endpoint, e.pattern): e.checks for endpoint in ENDPOINTS for e in ledger.entries(endpoint)}
    lists |= {("general", about): checks for about, checks in ledger.general().items()}
    for (file, row), checks in lists.items():
        try:
            ledger.resolve(checks)
        except ValueError as problem:
            pytest.fail(f'conformance/ledger/{file}.toml, row "{row}": {problem}; correct or remove its id')


def test_each_check_is_named() -> None:
    named = {check for row in ledger.coverage() for check in row.checks}
    named |= {check for checks in ledger.general().values() for check in ledger.resolve(checks)}
    missing = [check for id, check in catalogue.load().items() if id not in named]
    assert not missing, (
        f"the ledger does not name these checks:{''.join(f'{chr(10)}  {line_to_add(c)}' for c in missing)}"
    )


def test_the_line_to_add_follows_from_the_source() -> None:
    def line(source: str) -> str:
        return line_to_add(replace(known, source=source))

    known = next(iter(catalogue.load().values()))
    assert line("openapi:CreateChatCompletionRequest.stop") == (
        f'conformance/ledger/chat.toml, table [request]: add "{known.id}" to the row "stop"'
    )
    for source in ("openapi:CreateChatCompletionRequest.nothing_like_it", "docs:guides/embeddings"):
        assert "to a rule in conformance/ledger/general.toml" in line(source)


def test_unknown_checks_are_found() -> None:
    with pytest.raises(ValueError, match="there is no check nothing"):
        ledger.resolve(("nothing.like_this",))


def test_ranks() -> None:
    """The name itself, then an exclusion, then the longest row with a star."""
    star = Entry(endpoint="chat", pattern="request.a.*", checks=("x",))
    longer = Entry(endpoint="chat", pattern="request.a.b.*", checks=("x",))
    excluded = Entry(endpoint="chat", pattern="*.b", why="because")
    exact = Entry(endpoint="chat", pattern="request.a.b.c", checks=("x",))
    name = "request.a.b.c"
    assert all(entry.holds_for(name) for entry in (star, longer, excluded, exact))
    assert sorted((exact, excluded, star, longer), key=lambda e: e.rank(name)) == [star, longer, excluded, exact]
    assert not star.holds_for("request.a")


def test_states() -> None:
    def state(checks: tuple[str, ...], why: str) -> str:
        return Row(endpoint="chat", name="request.n", checks=checks, why=why).state

    assert [state(("n.may_be_1",), ""), state((), "because"), state((), "")] == ["covered", "excluded", "open"]


def test_the_page_is_up_to_date() -> None:
    """Made in a process of its own: checks are listed in the order in which their files are imported."""
    program = "import sys; from conformance.ledger.__main__ import page; sys.stdout.buffer.write(page().encode())"
    made = subprocess.run([sys.executable, "-c", program], cwd=PAGE.parent.parent, capture_output=True, check=True)
    assert PAGE.read_bytes() == made.stdout, f"docs/coverage.md is out of date; {WRITE}"


def test_the_ledger_has_all_names_of_the_sdk() -> None:
    found = [f"{endpoint}: {name}" for endpoint, listed in sdk.new().items() for name in listed]
    assert not found, "the SDK has new names; run: python -m conformance.ledger.sdk --write"


def test_names_of_the_sdk_follow_the_rule_of_the_document() -> None:
    """Of the endpoint with the most forms no name is missing, and each new one was added to the SDK alone."""
    document = json.loads(ledger.DOCUMENT.read_text(encoding="utf-8"))["chat"]
    named = {name for name in document if not name.startswith(("error.", "operation."))}
    assert named <= set(sdk.names()["chat"])
    assert {"request.reasoning_effort=none", "request.messages.tool.tool_call_id"} <= set(sdk.names()["chat"])


class _Call(TypedDict, total=False):
    type: Required[Literal["function", "function_2"]]
    name: str


class _Search(TypedDict, total=False):
    type: Required[Literal["search"]]
    query: str


class _Request(TypedDict, total=False):
    tools: list[_Call | _Search] | None
    effort: Literal["none", "high"] | None
    mode: Literal["a", "b"]


def test_names_of_types() -> None:
    """From fields, forms told apart, values of some parameters, and names on the wire."""

    expected = ["tools", "tools.function", "tools.function.name", "tools.search"]
    assert list(sdk.below(_Request)) == [*expected, "effort", "effort=none", "effort=high", "mode"]


def test_new_names_are_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {endpoint: [name for name in listed if name != "request.n"] for endpoint, listed in ledger.names().items()}
    monkeypatch.setattr(ledger, "names", lambda: known)
    found = {endpoint: listed for endpoint, listed in sdk.new().items() if listed}
    assert found == {"chat": ["request.n"], "completions": ["request.n"]}


def test_the_ledger_as_data() -> None:
    told = data()
    row = next(one for one in told["names"] if one["name"] == "request.stop" and one["endpoint"] == "chat")
    assert row["state"] == "covered"
    assert told["checks"][row["checks"][0]]["level"] in ("MUST", "SHOULD", "MAY")
    assert json.loads(json.dumps(told)) == told


def test_names_are_made_from_a_document(tmp_path: Path) -> None:
    """From parameters, forms told apart, fields to any depth, and events."""
    document = _document()
    made = names(document)
    assert made["chat"][:7] == [
        "request.n",
        "request.messages",
        "request.messages.user",
        "request.messages.user.content",
        "request.messages.tool",
        "request.messages.tool.tool_call_id",
        "request.tools",
    ]
    assert "request.tools.hologram" in made["chat"]
    assert "request.tools.hologram.depth" not in made["chat"]
    assert "response.tools" in made["chat"]
    assert "response.tools.hologram" not in made["chat"]
    assert "stream.id" in made["chat"]
    assert made["model"][0] == "request.model"
    assert "event.response.refusal.delta.delta" in made["responses"]
    assert "event.response.mcp_call.done.output" not in made["responses"]
    (tmp_path / "document.json").write_text(json.dumps(document))
    command = [sys.executable, "-m", "tests.ledger_names", str(tmp_path / "document.json")]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout) == made


def _form(key: str, value: str, **fields: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "properties": {key: {"enum": [value]}, **fields}}


def _document() -> dict[str, object]:
    text: dict[str, object] = {"type": "string"}
    tools = {"type": "array", "items": {"oneOf": [_form("type", "function"), _form("type", "hologram", depth=text)]}}
    messages = {"anyOf": [_form("role", "user", content=text), _form("role", "tool", tool_call_id=text)]}
    request = {"properties": {"n": text, "messages": {"type": "array", "items": messages}, "tools": tools}}
    response = {"properties": {"id": text, "tools": tools}}

    def content(schema: object) -> dict[str, object]:
        return {"content": {"application/json": {"schema": schema}}}

    answer = {"responses": {"200": content(response)}}
    asked = {"requestBody": content(request), **answer}
    by_id = {"parameters": [{"name": "model"}], **answer}
    events = {
        "Delta": _form("type", "response.refusal.delta", delta=text),
        "Mcp": _form("type", "response.mcp_call.done", output=text),
    }
    schemas = {
        "Error": {"properties": {"message": text}},
        "CreateChatCompletionStreamResponse": response,
        "CreateCompletionResponse": response,
        "ResponseStreamEvent": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in events]},
        **events,
    }
    posted = ("/chat/completions", "/completions", "/embeddings", "/responses")
    paths = {
        **{path: {"post": asked} for path in posted},
        "/models": {"get": answer},
        "/models/{model}": {"get": by_id},
    }
    return {"paths": paths, "components": {"schemas": schemas}}
