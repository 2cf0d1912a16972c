"""What a run costs: requests, tokens, and how long both take with this server.

`costs.json` has what each scenario cost with the probe model. `python -m conformance.run.cost RESULTS` writes it.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from conformance.results import read
from fixtures.scenario import runs_alone

FILE = Path(__file__).with_name("costs.json")
USUAL = (1, 24)
"""Requests and tokens of a scenario that the file lacks."""

A_REQUEST = 4
"""The number of tokens that take as long as the rest of a request."""

_TOKENS = re.compile(r'"(?:completion_tokens|output_tokens)\\*": ?(\d{1,9})\b')
_CHUNK = re.compile(r'"(?:chat\.completion\.chunk|text_completion|response\.output_text\.delta)\\*"')


@dataclass(frozen=True)
class Cost:
    """Requests, and tokens that the model generates."""

    requests: int
    tokens: int


def of(names: Iterable[str]) -> Cost:
    """What scenarios cost together, with the probe model."""
    each = [costs().get(name, USUAL) for name in names]
    return Cost(sum(one[0] for one in each), sum(one[1] for one in each))


def work(name: str, slots: int) -> float:
    """How long a scenario takes beside others, in units of a token; one that runs alone takes all slots."""
    requests, tokens = costs().get(name, USUAL)
    return (tokens + A_REQUEST * requests) * (slots if runs_alone(name) else 1)


def generated(recording: Mapping[str, Any]) -> int:
    """The tokens that the model generated for a recording, by `usage`; the chunks of a stream without it."""
    found = 0
    for exchange in recording.get("exchanges", ()):
        text = json.dumps(exchange)
        told = [int(number) for number in _TOKENS.findall(text)]
        found += max(told) if told else len(_CHUNK.findall(text))
    return found


@cache
def costs() -> dict[str, tuple[int, int]]:
    """Requests and tokens by scenario."""
    return {name: (one[0], one[1]) for name, one in json.loads(FILE.read_bytes()).items()}


def main(results: Path) -> None:
    """Write the file, from the results of a whole run with the probe model."""
    exchanges = read(results).exchanges
    found = {name: [len(one.get("exchanges", ())), generated(one)] for (_, name), one in sorted(exchanges.items())}
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(one)}" for name, one in found.items())
    FILE.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
