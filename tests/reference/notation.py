"""Notations of model families: the data of each, and how the model writes its response in one.

`notations.toml` says how a notation is read, the template of `fixtures/dialects` how it is written.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fixtures.dialects import Dialect, dialects, writing
from fixtures.probe_model.training.dialogues import dialects as dialogues
from tests.reference.generator import Script, Step
from tests.reference.script import written
from tests.reference.tokens import decode, encode_marked

MODEL = "probe-"
"""Before a dialect's name, it is the name of the model that writes it."""


@dataclass(frozen=True, kw_only=True)
class Notation:
    """A table of `notations.toml`, whose head says what the keys mean."""

    dialect: Dialect
    arguments: str
    opened: str = ""
    thought: tuple[str, str] = ("", "")
    silent: tuple[str, ...] = ()
    section: tuple[str, str] = ("", "")
    between: str = ""
    call: tuple[str, str, str] = ("", "", "")
    begins: tuple[str, ...] = ()
    pairs: tuple[str, str, str] = ("", "", "")
    head: str = "(?P<name>.*)"
    ids: bool = False
    after: str | None = None


@cache
def notations() -> dict[str, Notation]:
    """Each notation by the name of its dialect."""
    tables = tomllib.loads(Path(__file__).with_name("notations.toml").read_text(encoding="utf-8"))
    return {
        name: Notation(dialect=dialects()[name], **{key: _frozen(value) for key, value in table.items()})
        for name, table in tables.items()
    }


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def of_model(name: Any) -> Notation | None:
    """The notation that a model writes; None if the server gets its calls and reasoning without one."""
    return notations().get(str(name).removeprefix(MODEL)) if str(name).startswith(MODEL) else None


def raw(notation: Notation, message: dict[str, Any]) -> str:
    """What a model writes for an assistant message: the text of the template, without the token that ends it."""
    dialect = notation.dialect
    text = writing.answer_text(dialect, [{"role": "user", "content": ""}], None, message)
    return text.removesuffix(dialect.end_of_calls).removesuffix(dialect.end)


def said(notation: Notation, plan: Script, earlier: int = 0) -> str:
    """What a script says, in this notation. `earlier` calls came before in the conversation."""
    first = next((at for at, step in enumerate(plan.steps) if step.channel == "arguments"), len(plan.steps))
    message = {
        "role": "assistant",
        "content": _of(plan.steps[:first], "content"),
        "reasoning_content": _of(plan.steps, "reasoning"),
    }
    names = plan.calls if notation.dialect.parallel else plan.calls[:1]
    if names and not notation.dialect.talk:
        message["content"] = ""
    if names:
        message["tool_calls"] = [
            {
                "id": dialogues.call_id(notation.dialect, name, earlier + number) if notation.ids else "",
                "type": "function",
                "function": {"name": name, "arguments": _object(_of(plan.steps, "arguments", number), number)},
            }
            for number, name in enumerate(names)
        ]
    after = _of(plan.steps[first:], "content") if notation.after is not None else ""
    text = raw(notation, message) + (f"{notation.after}{after}" if after else "")
    for number in range(len(names)):
        text = text.replace(json.dumps(_stand_in(number)), _of(plan.steps, "arguments", number))
    return text


def _object(arguments: str, number: int) -> Any:
    """Arguments for a template, which takes objects only: another object stands in for what is none."""
    try:
        found = json.loads(arguments)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else _stand_in(number)


def _stand_in(number: int) -> dict[str, Any]:
    return {"not_an_object": number}


def script(notation: Notation, plan: Script, earlier: int) -> Script:
    """The script of a model that writes this notation: raw text, of which nothing says what it is."""
    return Script(written(encode_marked(said(notation, plan, earlier)), forced=True))


def _of(steps: Iterable[Step], channel: str, call: int = 0) -> str:
    return decode([step.token for step in steps if step.channel == channel and step.call == call])
