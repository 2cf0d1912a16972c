"""Declare checks: `@check` turns a function into one requirement."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from conformance.outcomes import Level
from conformance.requirements import matrix

SOURCES = ("openapi", "docs", "sdk", "rfc", "guide", "de-facto")
"""Where a requirement comes from: OpenAI's OpenAPI document, its guides and reference pages, an official client that
needs it, an Internet standard, the compatibility guide, or what every known server does. The last has no published
sentence, and is never a MUST."""

F = TypeVar("F", bound=Callable[..., None])


@dataclass(frozen=True, kw_only=True)
class Check:
    """One requirement. `id` is `area.name`; `scenarios` are the parameters of its function.

    `later`: the revision that a run judges by lacks it.
    """

    id: str
    feature: str
    level: Level
    core: bool
    source: str
    requirement: str
    scenarios: tuple[str, ...]
    function: Callable[..., None]
    later: bool = False


CHECKS: dict[str, Check] = {}
"""Every declared check by its id."""


def check(feature: str, level: Level, source: str, *, core: bool = False) -> Callable[[F], F]:
    """Declare the function below as a check of a row of `matrix.toml`.

    `source` is `kind:where`, kind being one of `SOURCES` (`openapi:CreateChatCompletionRequest.stop`). A row needs at
    least one `core` check: the one that shows that the feature has its effect.
    """

    def register(function: F) -> F:
        kind, _, where = source.partition(":")
        if kind not in SOURCES or not where:
            raise ValueError(f"{function.__name__}: source {source!r} is not one of {SOURCES} with ':where'")
        if feature not in matrix.features():
            raise ValueError(
                f"{function.__name__}: conformance/requirements/matrix.toml has no row {feature!r}; add it, "
                "or use another"
            )
        doc = inspect.getdoc(function)
        if not doc:
            raise ValueError(f"{function.__name__} has no docstring, which states the requirement")
        area = function.__module__.rpartition(".")[2].removeprefix("test_")
        new = Check(
            id=f"{area}.{function.__name__.removeprefix('test_')}",
            feature=feature,
            level=level,
            core=core,
            source=source,
            requirement=doc.splitlines()[0],
            scenarios=tuple(inspect.signature(function).parameters),
            function=function,
        )
        CHECKS[new.id] = new
        function.check = new  # type: ignore[attr-defined]
        return function

    return register


def node_id(id: str) -> str:
    """The file and function of a check, as pytest and the command take it: `test_stop.py::test_ends_the_text`."""
    area, _, name = id.partition(".")
    return f"test_{area}.py::test_{name}"
