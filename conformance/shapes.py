"""What a check says of a value that must fit a JSON Schema."""

from __future__ import annotations

import re
from typing import Any

from conformance.answers import Answer
from conformance.outcomes import Fail, Verdict
from conformance.schema import validate_against, violations

SHAPES = (
    ("POST", "/chat/completions", "chat.completion", "chat.completion.chunk"),
    ("POST", "/completions", "text_completion", "text_completion.chunk"),
    ("POST", "/embeddings", "embeddings", "embeddings"),
    ("GET", "/models", "models", "models"),
    ("GET", "/models/.+", "model", "model"),
    ("POST", "/responses", "response", "response.event"),
    ("GET", "/responses/[^/]+", "response", "response.event"),
)
"""Method and path, and the schemas of what clients read: in plain answers, and in the objects of streams."""


def assert_matches_schema(value: object, schema: str | dict[str, Any]) -> None:
    """`value` must fit one of the suite's schemas, by its name, or a schema that a request carried."""
    problems = violations(value, schema) if isinstance(schema, str) else validate_against(value, schema)
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Fail(f"{first.path}: {first.rule}{more}", expected=first.rule, actual=first.actual)


def misshapen(answer: Answer) -> Verdict | None:
    """Why an accepted answer is not what clients can read, if it is not."""
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
    """The logprobs in an object of chat; its schema leaves them out, so that they lower their own row only."""
    told = [choice.get("logprobs") for choice in one["choices"]] if schema == "chat.completion" else []
    return [logprobs for logprobs in told if logprobs is not None]
