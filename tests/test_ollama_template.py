"""The Modelfile TEMPLATE of the probe says what the template inside the GGUF says; rendered by Go's own engine."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jinja2
import pytest

from backends import gguf

ROOT = Path(__file__).parent.parent
TEMPLATE = ROOT / "backends/ollama/probe.gotmpl"
WEATHER = {"type": "function", "function": {"name": "get_weather", "description": "The weather"}}


def said(role: str, content: str = "", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


def calls(*cities: str) -> list[dict[str, Any]]:
    return [{"function": {"name": "get_weather", "arguments": {"city": city}}} for city in cities]


CONVERSATIONS: list[dict[str, Any]] = [
    {"messages": [said("user", "Hi")]},
    {"messages": [said("system", "Be short."), said("user", "Hi"), said("assistant", "Yo"), said("user", "Bye")]},
    {"messages": [said("developer", "Be short."), said("user", "Hi")]},
    {"messages": [said("user", "Hi"), said("system", "Be long."), said("user", "Bye")]},
    {"messages": [said("user", "Hi")], "tools": [WEATHER]},
    {
        "messages": [
            said("system", "Be short."),
            said("user", "Paris and London?"),
            said("assistant", tool_calls=calls("Paris", "London")),
            said("tool", "21 degrees"),
            said("tool", "22 degrees"),
            said("assistant", "The results are"),
            said("user", "And Rome?"),
            said("assistant", "Wait.", tool_calls=calls("Rome")),
            said("tool", "23 degrees"),
        ],
        "tools": [WEATHER, WEATHER],
    },
    {"messages": [said("user", "Hi"), said("assistant", "Yo", reasoning_content="Hm."), said("user", "Bye")]},
    {"messages": [said("user", "Hi")], "think": False},
    {"messages": [said("user", "Hi")], "think": True},
]


def for_go(asked: dict[str, Any]) -> dict[str, Any]:
    """A conversation with the names that Ollama gives it."""
    messages = [
        {
            "Role": one["role"],
            "Content": one["content"],
            "Thinking": one.get("reasoning_content", ""),
            "ToolCalls": one.get("tool_calls"),
        }
        for one in asked["messages"]
    ]
    think = asked.get("think")
    return {"Messages": messages, "Tools": asked.get("tools"), "Think": think is True, "IsThinkSet": think is not None}


def as_in_the_gguf(asked: dict[str, Any]) -> str:
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, separators=(",", ":"), sort_keys=True)
    source = gguf.read(ROOT / "fixtures/probe_model/probe-f16.gguf").values["tokenizer.chat_template"]
    thinking = {} if asked.get("think") is None else {"enable_thinking": asked["think"]}
    return environment.from_string(source).render(add_generation_prompt=True, **asked, **thinking)


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if shutil.which("go") is None:
        pytest.skip("needs Go, whose template engine Ollama uses: apt-get install golang-go")
    directory = tmp_path_factory.mktemp("go")
    (directory / "conversations.json").write_text(json.dumps([for_go(one) for one in CONVERSATIONS]))
    program = directory / "main.go"
    program.write_bytes((ROOT / "tests/ollama_template.go").read_bytes())
    done = subprocess.run(
        ["go", "run", str(program), str(TEMPLATE), str(directory / "conversations.json")],
        capture_output=True,
        text=True,
        cwd=directory,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("number", range(len(CONVERSATIONS)))
def test_both_templates_make_one_prompt(rendered: dict[str, Any], number: int) -> None:
    assert rendered["prompts"][number] == as_in_the_gguf(CONVERSATIONS[number])


def test_ollama_finds_the_tags(rendered: dict[str, Any]) -> None:
    assert rendered["call"] == "<tool_call>"
    assert rendered["thoughts"] == ["<think>", "</think>"]


def test_the_first_text_after_tool_calls_is_their_tag() -> None:
    """What can be seen without Go: `if .ToolCalls` comes once, and the tag follows it."""
    found = re.findall(r"\bif \.ToolCalls }}(?:{{[^}]*}})*(\S*)", TEMPLATE.read_text())
    assert found == ["<tool_call>"]
    assert re.findall(r"{{-? *if [^}]*\.ToolCalls", TEMPLATE.read_text()) == ["{{- if .ToolCalls"]
