"""What the probe model writes in each dialect, before the server reads it.

`python -m conformance.run.raw` prints JSON. The prompt is the one that the server makes from a chat request. A
completion returns the model's tokens, which are converted to text including special tokens.
"""

from __future__ import annotations

import argparse
import json
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backends import find
from backends.errors import NoReader
from backends.target import Target, Wanted
from fixtures.dialects import Dialect, dialects
from fixtures.scenarios.common import CAPITAL
from fixtures.scenarios.notation import quoting
from fixtures.scenarios.tools import CITIES, TOKYO
from fixtures.tools import WEATHER

MOST = 160
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "a call": (TOKYO, {"tools": [WEATHER]}),
    "two calls": (CITIES, {"tools": [WEATHER]}),
    "text before a call": (f"Say hello world, then call. {TOKYO}", {"tools": [WEATHER]}),
    "reasoning": (f"Think first. {CAPITAL}", {"reasoning_effort": "low"}),
}
"""What is asked, by what it shows, and what the request has beside it."""

BOTH = {"tools": [WEATHER], "reasoning_effort": "low"}
"""The same for a question that quotes a call."""


@dataclass(frozen=True)
class Server:
    """A server that is asked; `key` goes with each request."""

    origin: str
    model: str
    key: str

    @classmethod
    def of(cls, target: Target) -> Server:
        """The server of a target that has one model."""
        (chat,) = target.deployments
        return cls(origin=chat.base_url.removesuffix("/v1"), model=chat.model, key=str(target.access.key))

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """The JSON of its response."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(self.origin + path, json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response)


def by_llamacpp(server: Server, chat: dict[str, Any], most: int = MOST) -> tuple[str, bool]:
    """What the model writes on llama.cpp in at most so many tokens, and whether that truncated it."""
    prompt = server.post("/apply-template", chat)["prompt"]
    asked = {"prompt": prompt, "temperature": 0, "n_predict": most, "return_tokens": True}
    made = server.post("/completion", asked)
    text = str(server.post("/detokenize", {"tokens": made["tokens"]})["content"])
    return text, made.get("stop_type") == "limit"


def _vllm(server: Server, chat: dict[str, Any]) -> str:
    # As the server does with `reasoning_effort`; without one, its own setting is off.
    template = {"chat_template_kwargs": {"enable_thinking": "reasoning_effort" in chat}}
    asked = {key: value for key, value in chat.items() if key != "reasoning_effort"}
    prompt = server.post("/tokenize", {"model": server.model, **asked, **template})["tokens"]
    asked = {"model": server.model, "prompt": prompt, "temperature": 0, "max_tokens": MOST, "return_token_ids": True}
    tokens = server.post("/v1/completions", asked)["choices"][0]["token_ids"]
    return str(server.post("/detokenize", {"model": server.model, "tokens": tokens})["prompt"])


WRITES: dict[str, Callable[[Server, dict[str, Any]], str]] = {
    "llamacpp": lambda *asked: by_llamacpp(*asked)[0],
    "vllm": _vllm,
}
"""How to get the text that a backend's model writes for a chat request."""


def written(backend: str, dialect: Dialect, server_binary: str | None = None) -> dict[str, str]:
    """The model's text for each of `ASKED`; empty if the backend has no reader, and is not started."""
    wanted = Wanted(
        backend=backend,
        chat_template=dialect.template,
        dialect=dialect.name,
        readers=dialect.readers(backend),
        server_binary=server_binary,
    )
    try:
        running = find.run(wanted)
    except NoReader:
        return {}
    try:
        server = Server.of(running.target)
        quotes = dialect.reasoning and dialect.quoted
        asked = ASKED | ({"a call in reasoning": (quoting(dialect), BOTH)} if quotes else {})
        return {
            shows: WRITES[backend](server, {"messages": [{"role": "user", "content": question}], **more})
            for shows, (question, more) in asked.items()
        }
    finally:
        running.stop()


def main() -> None:
    parser = argparse.ArgumentParser(description="Print what the probe model writes in each dialect, as JSON.")
    parser.add_argument("--backend", choices=list(WRITES), default="llamacpp")
    parser.add_argument("--server-binary", metavar="PROGRAM")
    parser.add_argument("dialects", nargs="*", metavar="DIALECT", help="default: all")
    asked = parser.parse_args()
    chosen = asked.dialects or list(dialects())
    texts = {name: written(asked.backend, dialects()[name], asked.server_binary) for name in chosen}
    print(json.dumps({asked.backend: texts}, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
