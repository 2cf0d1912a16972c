"""From a request to a script: reasoning, text, JSON or tool calls, as tokens with their channels."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.reference import brain, jsongen, toolcalls
from tests.reference.generator import Script, Step
from tests.reference.messages import Message
from tests.reference.tokens import ADDED, encode

_THINK, _THOUGHT = ADDED["<think>"], ADDED["</think>"]
_SAY_FIRST = re.compile(r"Say (.+), then call\. ")
_SAY_LAST = re.compile(r"Call, then say (.+?)\. ")
_CALL, _CALLED = ADDED["<tool_call>"], ADDED["</tool_call>"]


@dataclass
class Wish:
    """What a request asks of the answer besides its messages."""

    tools: list[toolcalls.Tool] = field(default_factory=list)
    mode: str = "auto"  # of tool_choice: none, auto, required
    named: bool = False  # one tool was named in tool_choice
    parallel: bool = True
    format: str = "text"  # of response_format
    schema: Any = None
    effort: str | None = None  # none switches reasoning off

    def tool(self, name: str) -> toolcalls.Tool | None:
        """The tool with this name."""
        return next((tool for tool in self.tools if tool.name == name), None)


def build(history: list[Message], wish: Wish) -> Script:
    """The script of an answer; Unsatisfiable where no JSON fits."""
    thinks, question = brain.split_thought(brain.question(history).text)
    reason = thinks and wish.effort != "none" and history[-1].role in ("user", "tool")
    calls = _calls(history, question, wish)
    if calls:
        script = called(calls)
        if said := _SAY_FIRST.match(question):
            script.steps[:0] = [*written(encode(said[1])), *written(encode("\n"), "hidden", 0, True)]
        if said := _SAY_LAST.match(question):
            script.steps += written(encode(said[1]))
    elif wish.format == "text":
        script = Script(written(encode(brain.answer(history))))
    else:
        script = Script(written(encode(_document(history, question, wish)), forced=True))
    if reason:
        text = f"The user says: {question}"
        if wish.effort in ("high", "xhigh", "max"):
            text += f"\nI answer: {brain.answer(history)}"
        script.steps[:0] = thought(text)
    return script


def thought(text: str) -> list[Step]:
    """Reasoning with the tokens that stand around it."""
    return [
        Step(_THINK, "hidden", -1),
        *written(encode(text), "reasoning"),
        Step(_THOUGHT, "hidden", -1, True),
        *written(encode("\n\n"), "hidden", -1, True),
    ]


def raw(text: str) -> Script:
    """A script that is nothing but text."""
    return Script(written(encode(text)))


def written(ids: Iterable[int], channel: str = "content", call: int = 0, forced: bool = False) -> list[Step]:
    """Tokens as steps of a script."""
    return [Step(token, channel, call, forced) for token in ids]


def _calls(history: list[Message], question: str, wish: Wish) -> list[toolcalls.Call]:
    if not wish.tools or wish.mode == "none":
        return []
    if wish.mode == "required":
        meant = toolcalls.intended(question, wish.tools)
        meant = meant or toolcalls.forced(question, wish.tools[0], wish.tools)
    elif history[-1].role in ("tool", "function"):
        return []
    else:
        meant = toolcalls.intended(question, wish.tools)
    if not wish.parallel:
        meant = meant[:1]
    return [toolcalls.called(tool, values, question) for tool, values in meant]


def called(calls: list[toolcalls.Call]) -> Script:
    steps: list[Step] = []
    for number, call in enumerate(calls):
        head = encode("\n" + json.dumps({"name": call.name})[:-1] + ', "arguments": ')
        tail = [*encode("}\n"), _CALLED, *(encode("\n") if number + 1 < len(calls) else [])]
        steps += [Step(_CALL, "hidden", number, True), *written(head, "hidden", number, True)]
        steps += written(encode(call.arguments), "arguments", number, True)
        steps += written(tail, "hidden", number, True)
    return Script(steps, [call.name for call in calls])


def _document(history: list[Message], question: str, wish: Wish) -> str:
    """The JSON text of an answer with response_format json_object or json_schema."""
    answer = brain.answer(history)
    if wish.format == "json_schema":
        hints = jsongen.Hints(question, "" if answer == brain.UNKNOWN else answer)
        return json.dumps(jsongen.generate(wish.schema, hints), ensure_ascii=False)
    try:
        if isinstance(json.loads(answer), dict):
            return answer
    except ValueError:
        pass
    return json.dumps({"answer": answer}, ensure_ascii=False)
