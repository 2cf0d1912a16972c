"""A server that sends the suite elsewhere: redirects, files, cookies, connections."""

from __future__ import annotations

import asyncio

from tests.hostile.mode import CHAT, GOOD, MODES, PROGRAMS, Mode, checks, mode
from tests.hostile.server import Act, Call, completion, correct


@mode("fail", "rejected", select=PROGRAMS)
async def redirect_elsewhere(call: Call) -> None:
    await call.body_of("", "307 Temporary Redirect", Location=f"http://{OTHER}/v1/chat/completions")


OTHER = "localhost:@@"
"""Replaced by the address of a server that must never be asked."""


@mode("fail", "rejected", "timeout", select=PROGRAMS)
async def redirect_to_itself(call: Call) -> None:
    await call.body_of("", "307 Temporary Redirect", Location=CHAT)


def naming(file: str) -> Act:
    async def act(call: Call) -> None:
        await call.json({"default_generation_settings": {}, "build_info": "b1", "model_path": file})

    return act


for _name, _file in {
    "environ": "/proc/self/environ",
    "endless-file": "/dev/zero",
    "password-file": "/etc/passwd",
}.items():
    _ends = frozenset({"pass", "fail"})
    MODES[_name] = Mode(
        name=_name, act=naming(_file), path="/props", backend="llamacpp", ends=_ends, exits=frozenset({0, 1})
    )


@mode("pass", "fail", path="*", **GOOD)
async def cookies(call: Call) -> None:
    if call.path == CHAT:
        await call.json(completion("Paris"), Set_Cookie="seen=1; Path=/")
    else:
        await correct(call)


@mode("pass", "fail", "ignored", path="*", backend="llamacpp", select=checks("concurrency", "chat"), **GOOD)
async def five_thousand_slots(call: Call) -> None:
    if call.path == "/props":
        await call.json({"default_generation_settings": {}, "build_info": "b1", "total_slots": 5000})
    else:
        await asyncio.sleep(0.05)
        await correct(call)
