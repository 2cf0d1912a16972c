"""What a mode is: what the hostile server does, and how a run against it must end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.hostile.server import Act, Call, correct

KEY = "sk-canary/0123456789+abcdef"
"""The key of each run. No output may contain it, in any form."""

CHAT = "/v1/chat/completions"
CHECKS = "conformance/checks"


def checks(*names: str) -> tuple[str, ...]:
    """Checks (`area.name`) or areas, as arguments for pytest, which then need not collect all others."""
    parted = [name.partition(".") for name in names]
    return tuple(f"{CHECKS}/test_{area}.py" + (f"::test_{name}" if name else "") for area, _, name in parted)


FEW = checks(
    "chat.answers_with_a_message",
    "chat.finish_reason_is_stop",
    "models.ids_are_unique",
    "streaming.chunks_have_one_id",
    "wire.framing_loses_nothing",
    "wire.answers_are_complete",
    "wire.chat_shape",
    "wire.chunk_shape",
    "wire.ids_are_unique",
)
PROGRAMS = checks("examples.chat_in_python", "examples.chat_with_curl")


TRUE = frozenset({"models.ids_are_unique", "wire.answers_are_complete"})
"""Checks that may pass whatever becomes of chat: the models were listed, and no response was broken off."""


@dataclass(frozen=True, kw_only=True)
class Mode:
    """`path` is where it acts. Judged are the checks of `select`: `ends` are the outcomes that each of those which
    read the answer may have, `passes` those that may pass, and `fails` those that must fail. `exits` are exit codes of
    the run. `seconds` end it on an idle machine; `cpu` are seconds of a CPU. `most` is in MB, as
    is `size`, which is that of the report. `asks` are the most requests. The models are `named` to the run. It
    `finds` something about the whole server."""

    name: str
    act: Act
    path: str = CHAT
    backend: str = "url"
    select: tuple[str, ...] = FEW
    ends: frozenset[str]
    passes: frozenset[str] = TRUE
    fails: frozenset[str] = frozenset()
    exits: frozenset[int] = frozenset({1})
    seconds: float = 60
    cpu: float = 40
    most: int = 500
    size: int = 100
    asks: int = 10_000
    named: bool = True
    finds: bool = False
    spares_first: bool = True
    options: tuple[str, ...] = ()


MODES: dict[str, Mode] = {}

JUDGED = ("chat.answers_with_a_message", "examples.chat_in_python", "examples.chat_with_curl")
"""The checks that read what a mode spoils."""


def mode(*ends: str, path: str = CHAT, **more: Any) -> Callable[[Act], Act]:
    """Register the function below, its name with dashes, as a mode; `ends` are the outcomes of the checks of chat."""

    def register(act: Act) -> Act:
        name = act.__name__.replace("_", "-")
        MODES[name] = Mode(name=name, act=act, path=path, ends=frozenset(ends), **more)
        return act

    return register


ANY = frozenset({0, 1, 5})
GOOD_ENDS = frozenset({"pass", "fail"})
GOOD: dict[str, Any] = {"exits": ANY}
LISTING: dict[str, Any] = {"path": "/v1/models", "exits": frozenset({0, 1, 11, 12, 13, 14})}
"""The list of models is spoilt; with the models named, chat may be measured without it."""


def own(act: Act) -> Act:
    """The act for each endpoint except those of the API."""

    async def acting(call: Call) -> None:
        await (correct if call.path.startswith("/v1/") else act)(call)

    return acting
