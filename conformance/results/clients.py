"""What a real client did with a target, as a line of a results file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from conformance.outcomes import Outcome


@dataclass(frozen=True, kw_only=True)
class ClientResult:
    """The verdict of one task of one client with one target.

    `client`, `title` and `version` say which client, `api` which API it spoke. `requests` is how many it sent,
    `seconds` how long it took. `forced` says that the relay had the model call a tool. If the client fails, and does
    its task once the relay mends deviations, `cause` says which, and `checks` are the ids of the checks that find them.
    """

    client: str
    title: str
    version: str
    api: str
    task: str
    target: str
    outcome: Outcome
    message: str = ""
    cause: str = ""
    checks: list[str] = field(default_factory=list)
    requests: int = 0
    seconds: float = 0.0
    forced: bool = False

    @property
    def id(self) -> str:
        """`client.ai-sdk.responses.tools`, also the name of its exchanges."""
        return f"client.{self.client}.{self.api}.{self.task}"

    def to_json(self) -> dict[str, Any]:
        """The `client` line, without what is empty."""
        data = {k: v for k, v in vars(self).items() if v not in ("", False, [])}
        return {"kind": "client", **data, "outcome": str(self.outcome)}

    @classmethod
    def from_json(cls, line: dict[str, Any]) -> ClientResult:
        """The inverse of `to_json`; keys of later suites are left out."""
        known = {k: v for k, v in line.items() if k in cls.__dataclass_fields__}
        return cls(**{**known, "outcome": Outcome(line["outcome"])})
