"""What the probe model writes in each dialect on llama.cpp, before the server reads it: `python -m conformance.raw` prints JSON.

The prompt is the one that the server makes (`/apply-template`); `/completion` gives back the tokens, special ones included.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import httpx

from backends import find
from backends.target import Wanted
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
        with httpx.Client(base_url=origin, headers={"Authorization": f"Bearer {target.access.key}"}, timeout=60) as http:

            def post(path: str, body: dict[str, Any]) -> dict[str, Any]:
                response = http.post(path, json=body)
                response.raise_for_status()
                return dict(response.json())

            texts = {}
            for shows, (question, offers) in ASKED.items():
                body = {"messages": [{"role": "user", "content": question}]} | ({"tools": [WEATHER]} if offers else {})
                prompt = post("/apply-template", body)["prompt"]
                made = post("/completion", {"prompt": prompt, "temperature": 0, "n_predict": MOST, "return_tokens": True})
                texts[shows] = post("/detokenize", {"tokens": made["tokens"]})["content"]
            return texts
    finally:
        running.stop()


if __name__ == "__main__":
    chosen = sys.argv[1:] or list(dialects())
    print(json.dumps({name: written(dialects()[name]) for name in chosen}, indent=1, ensure_ascii=False))
