"""All undocumented parts of pytest that the suite uses, in one place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from _pytest.mark.expression import Expression


def misspelt(expression: str) -> str | None:
    """Why an expression of `-k` or `-m` is invalid, or None; pytest checks this only after a server was started."""
    try:
        Expression.compile(expression or "any")
    except SyntaxError as wrong:
        return str(wrong.msg)
    return None


def has_workers(config: pytest.Config) -> bool:
    """Whether xdist starts workers for this run."""
    return bool(getattr(config.option, "numprocesses", None) or getattr(config.option, "tx", None))


@contextmanager
def without_traceback(call: pytest.CallInfo[None]) -> Iterator[None]:
    """Meanwhile, pytest makes a report without a traceback, which takes longer than a check and is not shown."""
    problem, call.excinfo = call.excinfo, None
    try:
        yield
    finally:
        call.excinfo = problem


def fixtures(names: Iterable[str], value: Callable[[str, str], Any]) -> object:
    """A plugin with a fixture for each name: the value for the name and the `target` of the test that asks for it."""

    def make(name: str) -> Callable[..., Any]:
        @pytest.fixture(name=name)
        def fixture(self: object, target: str) -> Any:
            return value(name, target)

        return fixture

    return type("Fixtures", (), {name: make(name) for name in names})()
