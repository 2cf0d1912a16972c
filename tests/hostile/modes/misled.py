"""A server that sends the suite elsewhere: redirects, files, cookies, connections."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.hostile.mode import CHAT, FEW, GOOD, LISTING, MODES, PROGRAMS, Mode, checks, mode
from tests.hostile.server import Act, Call, completion, correct

OTHER = "localhost:@@"
"""Replaced by the address of a server that must never be asked."""

STATUSES = ("301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect")


def elsewhere(call: Call) -> dict[str, str]:
    """Headers that name the other server."""
    there = f"http://{OTHER}{call.path}"
    return {
        "Location": there,
        "Content_Location": there,
        "Refresh": f"0; url={there}",
        "Link": f'<{there}>; rel="canonical"',
        "Alt_Svc": f'h2="{OTHER}"; ma=86400',
        "X_Accel_Redirect": there,
    }


@mode("fail", "rejected", select=PROGRAMS + FEW)
async def redirect_elsewhere(call: Call) -> None:
    """With a different status each time."""
    await call.body_of("", STATUSES[len(call.seen.requests) % len(STATUSES)], **elsewhere(call))


@mode("pass", "fail", "rejected", "not-run", backend="vllm", **(LISTING | {"path": "*"}))
async def everything_is_elsewhere(call: Call) -> None:
    """Also while the suite finds out what the server is."""
    await call.body_of("", STATUSES[len(call.seen.requests) % len(STATUSES)], **elsewhere(call))


@mode("pass", "fail", **GOOD)
async def other_servers_are_named(call: Call) -> None:
    """In a response that is no redirect."""
    text = f"![a](http://{OTHER}/a.png) <img src='http://{OTHER}/b.png'> http://{OTHER}/c"
    if call.streamed:
        await call.chat(text)
    else:
        await call.json(completion(text, url=f"http://{OTHER}/d", next=f"http://{OTHER}/e"), **elsewhere(call))


@mode("fail", "rejected", "timeout", select=PROGRAMS)
async def redirect_to_itself(call: Call) -> None:
    await call.body_of("", "307 Temporary Redirect", Location=CHAT)


@mode("fail", "rejected", "timeout", select=PROGRAMS)
async def redirect_to_ever_new_paths(call: Call) -> None:
    await call.body_of("", "307 Temporary Redirect", Location=f"{CHAT}?{len(call.seen.requests)}")


@mode("fail", "rejected", "timeout", select=PROGRAMS)
async def redirect_to_files(call: Call) -> None:
    where = (
        "file:///etc/passwd",
        "//127.0.0.1:9/v1",
        "gopher://127.0.0.1:9/",
        "javascript:alert(1)",
        "\x00",
        "http://[",
    )
    await call.body_of("", "302 Found", Location=where[len(call.seen.requests) % len(where)])


def naming(file: str) -> Act:
    async def act(call: Call) -> None:
        await call.json({"default_generation_settings": {}, "build_info": "b1", "model_path": file})

    return act


for _name, _file in {
    "environ": "/proc/self/environ",
    "endless-file": "/dev/zero",
    "password-file": "/etc/passwd",
    "file-elsewhere": "http://localhost:9/model.gguf",
    "directory": "/root/../etc",
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


IN_THE_MIDDLE: dict[str, Any] = {
    "path": "*",
    "select": checks("chat", "stop", "streaming", "wire"),
    "exits": frozenset({0, 1, 11}),
}


def after_thirteen(then: Act) -> Act:
    """The server is correct for the first 13 requests."""

    async def act(call: Call) -> None:
        await (then if len(call.seen.requests) > 13 else correct)(call)

    return act


async def hangs_up(_: Call) -> None:
    return


async def is_silent(_: Call) -> None:
    await asyncio.sleep(3600)


async def dies(call: Call) -> None:
    call.seen.dead.set()


async def is_another(call: Call) -> None:
    await call.body_of("<html>Welcome to nginx!</html>", kind="text/html")


async def refuses_the_key(call: Call) -> None:
    await call.json({"error": {"message": "no", "type": "x", "param": None, "code": None}}, "401 Unauthorized")


for _act in (hangs_up, is_silent, dies, is_another, refuses_the_key):
    _name = f"{_act.__name__.replace('_', '-')}-in-the-middle"
    MODES[_name] = Mode(
        name=_name,
        act=after_thirteen(_act),
        ends=frozenset({"pass", "fail", "timeout", "not-run", "blocked", "rejected"}),
        asks=1000,
        spares_first=False,
        finds=_act in (hangs_up, is_silent, dies),
        **IN_THE_MIDDLE,
    )


async def five_thousand_models(call: Call) -> None:
    """An Ollama is asked about each of them; here each answer takes a while."""
    if call.path in ("/api/tags", "/v1/models"):
        names = [{"id": f"m{n}", "name": f"m{n}", "model": f"m{n}", "object": "model"} for n in range(5000)]
        await call.json({"models": names, "data": names, "object": "list"})
    elif call.path == "/api/show":
        await asyncio.sleep(0.2)
        await call.json({"capabilities": ["embedding"]})
    else:
        await correct(call)


MODES["five-thousand-models"] = Mode(
    name="five-thousand-models",
    act=five_thousand_models,
    path="*",
    backend="ollama",
    named=False,
    ends=frozenset({"pass", "fail", "not-run"}),
    exits=frozenset({0, 1, 12, 13}),
    asks=200,
)
