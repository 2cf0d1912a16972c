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
TABLES = (*PATHS, "messages")
Form = Callable[[Any, dict[str, Any]], bool]
FORMS: dict[str, Form] = {
    "null": lambda value, _: value is None,
    "empty": lambda value, _: value in ("", [], {}),
    "value": lambda value, _: value not in (None, "", [], {}),
    "streamed": lambda value, body: value is not None and body.get("stream") is True,
    "with tools": lambda value, body: value is not None and bool(body.get("tools")),
}
"""What a parameter's value, and the body around it, must be for each form."""

MESSAGES = "messages"
"""The table of what messages of a chat request have, beside those of the endpoints' parameters."""

ABSENT = object()
MEMBER_FORMS: dict[str, Form] = {
    "absent": lambda value, _: value is ABSENT,
    "null": lambda value, _: value is None,
    "empty": lambda value, _: value in ("", [], {}),
    "string": lambda value, _: isinstance(value, str) and value != "",
    "array or object": lambda value, _: isinstance(value, list | dict) and bool(value),
    "beside calls": lambda value, body: value not in (ABSENT, None) and "'tool_calls': [{" in str(body["messages"]),
}
"""The same for a member of a message; it is beside calls if the conversation has any."""


def page() -> str:
    """The page as Markdown."""
    return "\n".join(_lines()) + "\n"


def unsent() -> list[str]:
    """Forms that no scenario sends and that have no reason: `chat: seed.null`."""
    return [f"{e}: {p}.{f}" for e in TABLES for p in parameters(e) for f in forms(e) if not _seen(e, p, f)]


def stale() -> list[str]:
    """Reasons for forms that scenarios send, or that there are not."""
    return [
        f"{endpoint}: {pattern}"
        for endpoint in TABLES
        for pattern in reasons()[endpoint]
        if not any(
            _why(endpoint, p, f) == reasons()[endpoint][pattern] and not counts(endpoint)[p, f]
            for p in parameters(endpoint)
            for f in forms(endpoint)
        )
    ]


def parameters(endpoint: str) -> list[str]:
    """The parameters of an endpoint, as OpenAI's document has them; of messages, each role with its members."""
    if endpoint == MESSAGES:
        parts = (name.split(".") for name in names()["chat"] if name.startswith("request.messages."))
        return list(dict.fromkeys(f"{part[2]}.{part[3]}" for part in parts if len(part) > 3))
    found = (name.split(".")[1] for name in names()[endpoint] if name.startswith("request.") and "=" not in name)
    return [name for name in dict.fromkeys(found) if name not in ("model", "stream")]


def forms(endpoint: str) -> list[str]:
    """The forms that parameters of an endpoint can have."""
    if endpoint == MESSAGES:
        return list(MEMBER_FORMS)
    lacking = {"embeddings": ("streamed", "with tools"), "completions": ("with tools",)}
    return [form for form in FORMS if form not in lacking.get(endpoint, ())]


@cache
def counts(endpoint: str) -> Counter[tuple[str, str]]:
    """How many requests of scenarios that need no earlier response have a parameter in a form; or messages a member."""
    bodies = _bodies(PATHS.get(endpoint, PATHS["chat"]))
    if endpoint == MESSAGES:
        found = [(message, body) for body in bodies for message in _messages(body)]
        return Counter(
            (member, form)
            for member in parameters(endpoint)
            for message, body in found
            if message.get("role") == member.partition(".")[0]
            for form, holds in MEMBER_FORMS.items()
            if holds(message.get(member.partition(".")[2], ABSENT), body)
        )
    return Counter(
        (name, form)
        for body in bodies
        for name, value in body.items()
        for form, holds in FORMS.items()
        if holds(value, body)
    )


@cache
def _bodies(path: str) -> list[dict[str, Any]]:
    """The bodies that scenarios send to a path."""
    scenario.load()
    built = [one.build() for one in SCENARIOS.values() if not (one.needs or one.starts_program)]
    requests = [one for some in built for one in (some if isinstance(some, list) else [some])]
    sent = [one.body for one in requests if isinstance(one, Request) and one.path.partition("?")[0] == path]
    return [body for body in sent if isinstance(body, dict)]


def _messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a body, so far as they are objects."""
    found = body.get("messages")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


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
    total = [(e, p, f) for e in TABLES for p in parameters(e) for f in forms(e)]
    sent = [one for one in total if counts(one[0])[one[1:]]]
    yield "# Which forms of each parameter are sent"
    yield ""
    yield "Each cell says how many requests have the parameter in that form. A letter is the reason why none has."
    yield "The last table is about the messages of chat requests: it counts messages, by role and member."
    yield f"Of {len(total)} forms {len(sent)} are sent. Requests that are made from earlier responses are not counted."
    yield "Made by `python -m conformance.ledger` from the scenarios and `conformance/ledger/census.toml`."
    for endpoint in TABLES:
        letters = {why: chr(97 + at) for at, why in enumerate(dict.fromkeys(reasons()[endpoint].values()))}
        yield from ("", f"## {TITLES.get(endpoint, 'Messages')}", "")
        yield f"| {'member' if endpoint == MESSAGES else 'parameter'} | {' | '.join(forms(endpoint))} |"
        yield f"|---|{'--:|' * len(forms(endpoint))}"
        for name in parameters(endpoint):
            cells = [
                str(counts(endpoint)[name, form] or letters[_why(endpoint, name, form) or ""])
                for form in forms(endpoint)
            ]
            yield f"| `{name}` | {' | '.join(cells)} |"
        yield ""
        yield from (f"* {letter}: {why}" for why, letter in letters.items())
