"""A stream as one value: what a client has received at the end, however the stream was divided into chunks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backends.upstream import as_json
from conformance.answers import sse

TEXTS = frozenset({"content", "reasoning_content", "reasoning", "refusal", "arguments", "text", "delta", "input"})
"""Members whose strings are pieces of one text."""

NUMBERED = ("sequence_number", "obfuscation")
"""Members of an event that are only about its place in the stream."""


def data(body: bytes) -> tuple[list[Any], bool]:
    """The JSON of each event, and whether `[DONE]` came."""
    events = [event.data for event in sse.parse(body).events]
    return [as_json(one.encode()) for one in events if one.strip() != "[DONE]"], "[DONE]" in map(str.strip, events)


def folded(chunks: Iterable[Any]) -> dict[str, Any]:
    """Chunks of a chat or a completion as one response."""
    whole: dict[str, Any] = {}
    for chunk in chunks:
        if isinstance(chunk, dict):
            whole = _joined(whole, chunk, "")
    return whole


def steps(events: Iterable[Any]) -> list[dict[str, Any]]:
    """Events of the Responses API, in which deltas that follow each other are one."""
    found: list[dict[str, Any]] = []
    for event in events:
        if not isinstance(event, dict):
            continue
        event = {key: value for key, value in event.items() if key not in NUMBERED}
        if found and _goes_on(found[-1], event):
            found[-1] = _joined(found[-1], event, "")
        else:
            found.append(event)
    return found


def _goes_on(before: dict[str, Any], event: dict[str, Any]) -> bool:
    same = all(before.get(key) == event.get(key) for key in ("type", "output_index", "content_index"))
    return same and str(event.get("type")).endswith(".delta")


def _joined(before: Any, after: Any, name: str) -> Any:
    if after is None or before is None:
        return before if after is None else after
    if isinstance(before, dict) and isinstance(after, dict):
        return {key: _joined(before.get(key), after.get(key), key) for key in {**before, **after}}
    if isinstance(before, list) and isinstance(after, list):
        if all(isinstance(one, dict) and "index" in one for one in before + after):
            by_index: dict[Any, Any] = {}
            for one in before + after:
                by_index[one["index"]] = _joined(by_index.get(one["index"]), one, "")
            return [by_index[index] for index in sorted(by_index, key=str)]
        return before + after
    if isinstance(before, str) and isinstance(after, str) and name in TEXTS:
        return before + after
    return after
