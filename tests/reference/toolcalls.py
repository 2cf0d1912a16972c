"""Which tools the model calls, and with what arguments: the probe model's habits (training/data.py, `ask`)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.reference import facts, jsongen

_PLACES = re.compile(r"(?i)\b(weather|time)\b[^?.!]*? (?:in|for|at) ([^?!]+?)[?.!]*\s*$")
_SEARCH = re.compile(r"(?i)^(?:please )?search (?:the web )?for (.+?)[?.!]*\s*$")
_ADD = re.compile(r"(?i)\badd (-?\d[\d.]*) (?:and|to) (-?\d[\d.]*?)[?.!]*\s*$")
_CALL = re.compile(r"(?is)^(?:please )?(?:call|use) (?:the )?(?:tool )?([\w-]+)(?: tool)?(?: with (.+?))?[.!]*\s*$")


@dataclass(frozen=True)
class Tool:
    """A function that may be called, or a custom tool, whose one parameter `input` is called as free text."""

    name: str
    description: str
    parameters: dict[str, Any]
    custom: bool = False
    namespace: str = ""

    @property
    def about(self) -> str:
        return f"{self.name} {self.description}".lower()


@dataclass(frozen=True)
class Call:
    name: str
    arguments: str


def _find(tools: list[Tool], *words: str) -> Tool | None:
    return next((tool for tool in tools if any(word in tool.about for word in words)), None)


def _places(text: str) -> list[str]:
    return [place.strip() for place in re.split(r",\s*(?:and )?| and ", text) if place.strip()]


def intended(question: str, tools: list[Tool]) -> list[tuple[Tool, list[Any]]]:
    """The calls that a question asks for: tools and the values for their parameters in order. Others ask for none."""
    question = question.strip()
    named = {tool.name: tool for tool in tools}
    if (match := _CALL.match(question)) and match[1] in named:
        return [(named[match[1]], [])]
    if (match := _PLACES.search(question)) and (tool := _find(tools, match[1].lower())):
        return [(tool, [place]) for place in _places(match[2])]
    if (match := _SEARCH.match(question)) and (tool := _find(tools, "search")):
        return [(tool, [match[1]])]
    if (match := _ADD.search(question)) and (tool := _find(tools, "add", "sum")):
        return [(tool, facts.numbers(f"{match[1]} {match[2]}"))]
    return []


def forced(question: str, tool: Tool, tools: list[Tool]) -> list[tuple[Tool, list[Any]]]:
    """The calls of a tool that must be called: as intended if it is the one meant, else with the value asked about."""
    meant = intended(question, tools)
    if own := [entry for entry in intended(question, [tool]) if entry[0] is tool]:
        return own
    return [(tool, values) for _, values in meant[:1]] or [(tool, _asked_values(question))]


def _asked_values(question: str) -> list[Any]:
    match = _PLACES.search(question)
    return _places(match[2])[:1] if match else []


def called(tool: Tool, values: list[Any], question: str) -> Call:
    """The call of a tool: JSON text for a function, free text for a custom tool."""
    text = arguments(tool, values, question)
    return Call(tool.name, json.loads(text)["input"] if tool.custom else text)


def arguments(tool: Tool, values: list[Any], question: str) -> str:
    """Arguments as JSON text, valid against the tool's parameters; `Unsatisfiable` if nothing can be."""
    schema = tool.parameters or {"type": "object", "properties": {}}
    if not schema.get("properties") and not schema.get("required") and jsongen.fits(schema, {}):
        return "{}"
    call = _CALL.match(question)
    text = (call[2] or "") if call and call[1] == tool.name else "" if values else question
    hints = jsongen.Hints(text=text, wanted=list(values))
    return json.dumps(jsongen.generate(_asked_for(schema, hints, values), hints), ensure_ascii=False)


def _asked_for(schema: dict[str, Any], hints: jsongen.Hints, values: list[Any]) -> dict[str, Any]:
    """The schema without the optional properties that the prompt says nothing of."""
    properties = schema.get("properties", {})
    required = jsongen.required_of(schema)
    told = facts.of_keys(hints.text, list(properties))
    first = list(properties)[: max(len(values), 0)]
    kept = {name: sub for name, sub in properties.items() if name in required or name in told or name in first}
    return {**schema, "properties": kept} if "properties" in schema else schema
