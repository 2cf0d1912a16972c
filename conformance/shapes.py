"""What a check says of a value that must fit a JSON Schema."""

from __future__ import annotations

from typing import Any

from conformance.answers import Answer, Chat, Completion, Embeddings, Models, Response
from conformance.outcomes import Fail, Verdict
from conformance.schema import validate_against, violations

SHAPES: dict[type[Answer], tuple[str, str]] = {
    Chat: ("chat.completion", "chat.completion.chunk"),
    Completion: ("text_completion", "text_completion.chunk"),
    Embeddings: ("embeddings", "embeddings"),
    Models: ("models", "models"),
    Response: ("response", "response.event"),
}
"""The schemas of what clients read in plain answers, and in the objects of streams."""


def fits(value: object, schema: str | dict[str, Any]) -> None:
    """`value` must fit one of the suite's schemas, by its name, or a schema that a request carried."""
    problems = violations(value, schema) if isinstance(schema, str) else validate_against(value, schema)
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Fail(f"{first.path}: {first.rule}{more}", expected=first.rule, actual=first.actual)


def misshapen(answer: Answer) -> Verdict | None:
    """Why an accepted answer is not what clients can read, if it is not."""
    shapes = SHAPES.get(type(answer))
    try:
        if shapes and answer.ok:
            for one in answer.chunks if answer.streamed else [answer.body]:
                fits(one, shapes[answer.streamed])
    except Verdict as problem:
        return problem
    return None
