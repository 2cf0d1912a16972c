"""What the probe model writes in each dialect on llama.cpp, before the server reads it.

`python -m conformance.run.raw` prints JSON. The prompt is the one that the server makes (`/apply-template`);
`/completion` gives back the tokens, special ones included.
"""

from __future__ import annotations

import json
import sys
import urllib.request
from typing import Any

from backends import find
from backends.target import Target, Wanted
from fixtures.dialects import Dialect, dialects
from fixtures.scenarios.common import CAPITAL
from fixtures.scenarios.tools import CITIES, TOKYO
from fixtures.tools import WEATHER

MOST = 160
ASKED = {
    "a call": (TOKYO, True),
    "two calls": (CITIES, True),
    "text before a call": (f"Say hello world, then call. {TOKYO}", True),
    "reasoning": (f"Think first. {CAPITAL}", False),
}
"""What is asked, by what it shows, and whether the tool is offered."""


def written(dialect: Dialect) -> dict[str, str]:
    """The model's text for each of `ASKED`."""
    running = find.run(Wanted(backend="llamacpp", chat_template=dialect.template, dialect=dialect.name))
    try:
        target = running.target
        origin = target.deployments[0].base_url.removesuffix("/v1")
        texts = {}
        for shows, (question, offers) in ASKED.items():
            body = {"messages": [{"role": "user", "content": question}]} | ({"tools": [WEATHER]} if offers else {})
            prompt = _post(target, f"{origin}/apply-template", body)["prompt"]
            asked = {"prompt": prompt, "temperature": 0, "n_predict": MOST, "return_tokens": True}
            made = _post(target, f"{origin}/completion", asked)
            texts[shows] = _post(target, f"{origin}/detokenize", {"tokens": made["tokens"]})["content"]
        return texts
    finally:
        running.stop()


def _post(target: Target, url: str, body: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {target.access.key}"}
    with urllib.request.urlopen(
        urllib.request.Request(url, json.dumps(body).encode(), headers), timeout=60
    ) as response:
        return dict(json.load(response))


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(dialects())
    print(json.dumps({name: written(dialects()[name]) for name in chosen}, indent=1, ensure_ascii=False))
