"""The census: in which forms the scenarios send each parameter. `python -m conformance.ledger` writes docs/census.md.

A form that no scenario sends has a reason in `census.toml`: of one parameter (`"seed.empty"`), of one with all its
forms (`"audio"`), or of one form of all parameters (`"*.empty"`).
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from backends.wire import Request
from conformance.ledger import TITLES, names
from fixtures import scenario
from fixtures.scenario import SCENARIOS

PAGE = Path(__file__).parents[2] / "docs" / "census.md"
REASONS = Path(__file__).with_name("census.toml")
PATHS = {
    "chat": "/chat/completions",
    "completions": "/completions",
    "embeddings": "/embeddings",
    "responses": "/responses",
}
Form = Callable[[Any, dict[str, Any]], bool]
FORMS: dict[str, Form] = {
    "null": lambda value, _: value is None,
    "empty": lambda value, _: value in ("", [], {}),
    "value": lambda value, _: value not in (None, "", [], {}),
    "streamed": lambda value, body: value is not None and body.get("stream") is True,
    "with tools": lambda value, body: value is not None and bool(body.get("tools")),
}
"""What a parameter's value, and the body around it, must be for each form."""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def unsent() -> list[str]:
    """Forms that no scenario sends and that have no reason: `chat: seed.null`."""
    return [f"{e}: {p}.{f}" for e in PATHS for p in parameters(e) for f in forms(e) if not _seen(e, p, f)]


def stale() -> list[str]:
    """Reasons for forms that scenarios send, or that there are not."""
    return [
        f"{endpoint}: {pattern}"
        for endpoint in PATHS
        for pattern in reasons()[endpoint]
        if not any(
            _why(endpoint, p, f) == reasons()[endpoint][pattern] and not counts(endpoint)[p, f]
            for p in parameters(endpoint)
            for f in forms(endpoint)
        )
    ]


def parameters(endpoint: str) -> list[str]:
    """The parameters of an endpoint, as OpenAI's document has them."""
    found = (name.split(".")[1] for name in names()[endpoint] if name.startswith("request."))
    return [name for name in dict.fromkeys(found) if name not in ("model", "stream")]


def forms(endpoint: str) -> list[str]:
    """The forms that parameters of an endpoint can have."""
    lacking = {"embeddings": ("streamed", "with tools"), "completions": ("with tools",)}
    return [form for form in FORMS if form not in lacking.get(endpoint, ())]


@cache
def counts(endpoint: str) -> Counter[tuple[str, str]]:
    """How many requests of scenarios that need no earlier response have a parameter in a form."""
    scenario.load()
    built = [one.build() for one in SCENARIOS.values() if not (one.needs or one.starts_program)]
    requests = [one for some in built for one in (some if isinstance(some, list) else [some])]
    bodies = [one.body for one in requests if isinstance(one, Request) and one.path == PATHS[endpoint]]
    return Counter(
        (name, form)
        for body in bodies
        if isinstance(body, dict)
        for name, value in body.items()
        for form, holds in FORMS.items()
        if holds(value, body)
    )


@cache
def reasons() -> dict[str, dict[str, str]]:
    """Why forms are not sent, by endpoint and pattern."""
    return tomllib.loads(REASONS.read_text(encoding="utf-8"))


def _why(endpoint: str, parameter: str, form: str) -> str | None:
    told = reasons()[endpoint].items()
    return next(
        (why for one, why in told if fnmatchcase(parameter, one) or fnmatchcase(f"{parameter}.{form}", one)), None
    )


def _seen(endpoint: str, parameter: str, form: str) -> bool:
    return bool(counts(endpoint)[parameter, form]) or _why(endpoint, parameter, form) is not None


def _lines() -> Iterator[str]:
    total = [(e, p, f) for e in PATHS for p in parameters(e) for f in forms(e)]
    sent = [one for one in total if counts(one[0])[one[1:]]]
    yield "# Which forms of each parameter are sent"
    yield ""
    yield "Each cell says how many requests have the parameter in that form; a letter is the reason why none has."
    yield f"Of {len(total)} forms {len(sent)} are sent. Requests that are made from earlier responses are not counted."
    yield "Made by `python -m conformance.ledger` from the scenarios and `conformance/ledger/census.toml`."
    for endpoint in PATHS:
        letters = {why: chr(97 + at) for at, why in enumerate(dict.fromkeys(reasons()[endpoint].values()))}
        yield from ("", f"## {TITLES[endpoint]}", "")
        yield f"| parameter | {' | '.join(forms(endpoint))} |"
        yield f"|---|{'--:|' * len(forms(endpoint))}"
        for name in parameters(endpoint):
            cells = [
                str(counts(endpoint)[name, form] or letters[_why(endpoint, name, form) or ""])
                for form in forms(endpoint)
            ]
            yield f"| `{name}` | {' | '.join(cells)} |"
        yield ""
        yield from (f"* {letter}: {why}" for why, letter in letters.items())
