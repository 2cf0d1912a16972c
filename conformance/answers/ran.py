"""What a program did that was run in place of a request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from backends.program import KEPT, Ended
from conformance.answers import Answer, Chat
from conformance.outcomes import Fail, TimedOut

A = TypeVar("A", bound=Answer)


class Ran(list[Answer]):
    """The answers that a program got, in order, and with them how it ended. `name` is the scenario's."""

    def __init__(self, name: str, answers: Iterable[Answer], ended: Ended) -> None:
        super().__init__(answers)
        self.name = name
        self.ended = ended

    @property
    def output(self) -> str:
        """What it printed, or the end of that; ends the check unless all requests were accepted and it ended well."""
        for answer in self:
            answer.assert_accepted()
        if self.ended.exit_code is None:
            raise TimedOut(f"{self.name}: expected the program to end in time, but it did not ({self.ended.errors})")
        if self.ended.exit_code != 0 or not self:
            for call in (call for answer in self if isinstance(answer, Chat) for call in answer.tool_calls):
                assert isinstance(call.args, dict)
            why = self.ended.errors.strip().splitlines() or ["it sent nothing"]
            raise Fail(
                f"{self.name}: expected exit code 0, got {self.ended.exit_code}: {why[-1]}",
                expected="exit code 0",
                actual=self.ended.errors,
            )
        return self.ended.output

    @property
    def is_cut(self) -> bool:
        """Whether only the end of what it printed was kept."""
        return len(self.ended.output) >= KEPT

    @property
    def lines(self) -> list[str]:
        """What it printed, line by line."""
        return self.output.splitlines()

    def got(self, kind: type[A]) -> A:
        """The last of its answers, which must be of this kind; ends the check where `output` does."""
        assert isinstance(self.output, str)
        if not isinstance(self[-1], kind):
            asked = self[-1].wire.request.path
            raise Fail(f"{self.name}: expected a {kind.__name__} request, got one to {asked}", expected=kind.__name__)
        return self[-1]
