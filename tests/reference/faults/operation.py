"""Faults in what an operator looks at: the cache of prompts, fingerprints, and what is held back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import answer, events, payload, wire
from tests.reference.faults.tools import _calls


@answer("chat")
def prompts_never_cached(body: dict[str, Any], _call: Call) -> None:
    """No prompt is cached."""
    body["usage"]["prompt_tokens_details"]["cached_tokens"] = 0


@answer("chat", when=lambda call: len(messages(call.body)) > 1)
def conversations_never_cached(body: dict[str, Any], _call: Call) -> None:
    """A prompt is cached only if all of its tokens are the same."""
    body["usage"]["prompt_tokens_details"]["cached_tokens"] = 0


@answer("chat", when=lambda call: bool(call.body.get("tools")))
def tool_loops_never_cached(body: dict[str, Any], _call: Call) -> None:
    """Arguments of earlier calls are serialised anew each time, so the cache is lost."""
    body["usage"]["prompt_tokens_details"]["cached_tokens"] = 0


@payload("chat")
def fingerprints_change(body: Any, _call: Call) -> None:
    """Each response has a system_fingerprint of its own."""
    if isinstance(body, dict) and "system_fingerprint" in body:
        body["system_fingerprint"] = f"fp_{random.random()}"


@events("chat")
def streamed_arguments_in_one_delta(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """The arguments of a streamed call are held back and come in one delta."""
    held: Any = None
    for event in stream:
        calls = list(_calls(event))
        if held and calls and "id" not in calls[0]:
            next(iter(_calls(held)))["function"]["arguments"] += calls[0]["function"]["arguments"]
            continue
        if held:
            yield held
        held = event
    yield held


@wire("chat", stream=True, when=lambda call: "gzip" in call.headers.get("accept-encoding", ""))
def streams_buffered_for_gzip(pieces: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """Streams for clients that accept gzip are held back until they are complete."""
    yield b"".join(pieces)
