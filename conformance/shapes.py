"""What a check says of a value that must fit a JSON Schema."""

from __future__ import annotations

from typing import Any

from conformance.outcomes import Fail
from conformance.schema import validate_against, violations


def fits(value: object, schema: str | dict[str, Any]) -> None:
    """`value` must fit one of the suite's schemas, by its name, or a schema that a request carried."""
    problems = violations(value, schema) if isinstance(schema, str) else validate_against(value, schema)
    if problems:
        first = problems[0]
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Fail(f"{first.path}: {first.rule}{more}", expected=first.rule, actual=first.actual)
