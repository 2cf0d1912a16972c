"""How llama.cpp read the probe model's raw texts, and how the reference's reader reads the same texts.

    python -m tests.reference.reread [DIALECT ...]

For each plain chat request of the checks that a dialect can change: the text that the model writes before the server
reads it (`/apply-template`, then `/completion`), read by the reference, and the server's own response. Where the two
differ, the text decides who is right. A server that forces a grammar may have made the model write something else.
"""

from __future__ import annotations

import argparse
import json
import re
import urllib.error
from collections import Counter
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from backends import find
from backends.process import ROOM_OF_DIALECTS
from backends.target import Wanted
from backends.wire import Request
from conformance.requirements import dialect_rows
from conformance.run import catalogue
from conformance.run.raw import Server, by_llamacpp
from fixtures import scenario
from fixtures.dialects import dialects, vocabulary
from tests.reference.notation import MODEL, Notation, notations
from tests.reference.reader import Reader

FORCING = {"stream", "tool_choice", "parallel_tool_calls", "response_format", "n", "stop"}
"""Parameters with which the server does not let the model write what it wants, or sends it otherwise."""

ENDS = re.compile(
    "(?:" + "|".join(re.escape(end) for one in dialects().values() for end in (one.end, one.end_of_calls)) + ")+$"
)
"""Tokens that end a response, of any family: the server stops at each."""

SPECIAL = re.compile("|".join(re.escape(token) for token, (_, special) in vocabulary().items() if special))
"""Tokens that the server drops from text, wherever the model writes them."""


@dataclass(frozen=True, kw_only=True)
class Reread:
    """One request: the raw text, what the reference reads, what the server read, or the error that it answered."""

    scenario: str
    raw: str
    cut: bool
    """Whether the text is truncated: a server may show the beginning of a call or not."""
    ours: dict[str, Any]
    theirs: dict[str, Any] | str

    @property
    def verdict(self) -> str:
        """How the two differ, if they do."""
        if isinstance(self.theirs, str):
            return "rejected"
        return "truncated" if self.cut else "the same" if self.ours == self.theirs else "otherwise"


def reread(name: str) -> list[Reread]:
    """All requests of a dialect, on a server that is started for it."""
    dialect = dialects()[name]
    running = find.run(Wanted(backend="llamacpp", chat_template=dialect.template, dialect=name))
    try:
        server = Server.of(running.target)
        return [_of(server, notations()[name], *asked) for asked in _requests(name)]
    finally:
        running.stop()


def _requests(dialect: str) -> list[tuple[str, Request]]:
    """Plain chat requests, each once. What needs other responses is left out, and so are calls that are forced."""
    scenario.load()
    wanted = {one for id in dialect_rows.checks(dialect) for one in catalogue.load()[id].scenarios}
    found: dict[str, tuple[str, Request]] = {}
    for name in sorted(wanted & scenario.SCENARIOS.keys()):
        one = scenario.SCENARIOS[name]
        if name == "think_of_a_call":  # It needs only the model's name.
            made = one.build(SimpleNamespace(sent={"model": f"{MODEL}{dialect}"}))
        else:
            made = [] if one.needs else one.build()
        for request in made if isinstance(made, list) else [made]:
            body = request.body if isinstance(request, Request) else None
            if isinstance(body, dict) and body["max_tokens"] > 1 and not FORCING & body.keys():
                found.setdefault(json.dumps(body), (name, request))
    return list(found.values())


def _of(server: Server, notation: Notation, name: str, request: Request) -> Reread:
    assert isinstance(request.body, dict)
    body = {**request.body, "model": server.model}
    body["max_tokens"] += ROOM_OF_DIALECTS if request.room else 0
    chat = {"messages": body["messages"], "tools": body.get("tools", [])}
    raw, cut = by_llamacpp(server, chat, body["max_tokens"])
    raw = ENDS.sub("", raw)
    tools = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in body.get("tools", [])}
    try:
        message = server.post("/v1/chat/completions", body)["choices"][0]["message"]
        theirs: dict[str, Any] | str = _message(message)
    except urllib.error.HTTPError as problem:
        theirs = f"{problem.code} {json.loads(problem.read())['error']['message']}"
    return Reread(scenario=name, raw=raw, cut=cut, ours=read(notation, raw, tools, cut=cut), theirs=theirs)


def read(notation: Notation, raw: str, tools: dict[str, Any], *, cut: bool = False) -> dict[str, Any]:
    """How the reference reads a raw text."""
    said: dict[str, Any] = {"content": "", "reasoning": ""}
    calls: list[list[str]] = []
    for event in Reader(notation, tools, lambda: cut).read(iter(raw)):
        if event.channel == "call":
            calls.append([event.text, ""])
        elif event.channel == "arguments":
            calls[event.call][1] += event.text
        else:
            said[event.channel] += event.text
    return _stripped(said["content"], said["reasoning"], calls)


def _message(message: dict[str, Any]) -> dict[str, Any]:
    calls = [[call["function"]["name"], call["function"]["arguments"]] for call in message.get("tool_calls") or []]
    return _stripped(message.get("content"), message.get("reasoning_content"), calls)


def _stripped(content: str | None, reasoning: str | None, calls: list[list[str]]) -> dict[str, Any]:
    """Arguments as values, where they are JSON."""
    values = []
    for name, text in calls:
        try:
            values.append((name, json.loads(text)))
        except ValueError:
            values.append((name, text))
    text = {"content": content, "reasoning": reasoning}
    return {key: SPECIAL.sub("", one or "").strip() for key, one in text.items()} | {"calls": values}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.reference.reread", description="Read what llama.cpp read.")
    parser.add_argument("dialects", nargs="*", metavar="DIALECT", help="without any, all")
    parser.add_argument("--json", action="store_true", help="only print how many texts were read how, as JSON")
    options = parser.parse_args()
    if strange := [name for name in options.dialects if name not in dialects()]:
        parser.error(f"unknown dialect {strange[0]}; the dialects are {', '.join(dialects())}")
    counts: dict[str, Counter[str]] = {}
    for name in options.dialects or dialects():
        found = reread(name)
        counts[name] = Counter(one.verdict for one in found)
        if options.json:
            continue
        print(f"## {name}: {len(found)} texts; {', '.join(f'{count} {what}' for what, count in counts[name].items())}")
        for one in found:
            if one.verdict in ("otherwise", "rejected"):
                print(f"- {one.scenario}\n    wrote  {one.raw!r}\n    ours   {one.ours}\n    theirs {one.theirs}")
    if options.json:
        print(json.dumps(counts, indent=1))


if __name__ == "__main__":
    main()
