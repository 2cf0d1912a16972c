"""How a check judges a value by a JSON Schema."""

from __future__ import annotations

import re
from typing import Any

from conformance.answers import Answer
from conformance.kit.schema import validate_against, violations
from conformance.outcomes import Fail, Verdict

SHAPES = (
    ("POST", "/chat/completions", "chat.completion", "chat.completion.chunk"),
    ("POST", "/completions", "text_completion", "text_completion.chunk"),
    ("POST", "/embeddings", "embeddings", "embeddings"),
    ("GET", "/models", "models", "models"),
    ("GET", "/models/.+", "model", "model"),
    ("POST", "/responses", "response", "response.event"),
    ("GET", "/responses/[^/]+", "response", "response.event"),
)
"""Method and path, and the schemas of what clients read: in plain responses, and in the objects of streams."""


def assert_matches_schema(value: object, schema: str | dict[str, Any], where: str = "") -> None:
    """`value` must match one of the suite's schemas, by its name, or a schema that a request carried.

    `where` names the value if it is not the whole response: "`choices[0].message.content`".
    """
    problems = violations(value, schema) if isinstance(schema, str) else validate_against(value, schema)
    if problems:
        first = problems[0]
        more = f", and {len(problems) - 1} more" if len(problems) > 1 else ""
        inside = f" (in {where}{more})" if where else f" ({more[2:]})" if more else ""
        raise Fail(f"{first}{inside}", expected=first.rule, actual=first.actual)


def misshapen(answer: Answer) -> Verdict | None:
    """What a client cannot read in an accepted response; None if it can read all of it."""
    asked = answer.wire.request
    for method, path, plain, streamed in SHAPES if answer.ok else ():
        if asked.method == method and re.fullmatch(path, asked.path):
            try:
                for one in answer.chunks if answer.streamed else [answer.body]:
                    assert_matches_schema(one, streamed if answer.streamed else plain)
                    for logprobs in _logprobs(one, plain):
                        assert_matches_schema(logprobs, "logprobs")
            except Verdict as problem:
                return problem
    return None


def _logprobs(one: dict[str, Any], schema: str) -> list[Any]:
    """The logprobs in a chat object. The object's schema leaves them out, so they lower only their own row."""
    told = [choice.get("logprobs") for choice in one["choices"]] if schema == "chat.completion" else []
    return [logprobs for logprobs in told if logprobs is not None]
