"""Legal forms of the Responses API: items, events and settings as OpenAI and other servers send them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference import opaque
from tests.reference.call import Call
from tests.reference.fault import Fault
from tests.reference.faults.kit import add, events, payload

Events = Iterator[Any]


def _responses(body: Any) -> list[dict[str, Any]]:
    """The response object of a plain response or of an event."""
    whole = body.get("response", body) if isinstance(body, dict) else None
    return [whole] if isinstance(whole, dict) and whole.get("object") == "response" else []


def _items(body: Any) -> list[dict[str, Any]]:
    """The items in a response or an event."""
    found = [body["item"]] if isinstance(body, dict) and isinstance(body.get("item"), dict) else []
    return found + [item for whole in _responses(body) for item in whole.get("output") or []]


def _renumbered(stream: Events) -> Events:
    for number, event in enumerate(stream):
        if isinstance(event, dict):
            event["sequence_number"] = number
        yield event


@events("responses", legal=True)
def keepalive_events(stream: Events, _call: Call) -> Events:
    """Events of the type `keepalive` come between the others, as OpenAI sends them while a client waits."""

    def more() -> Events:
        for number, event in enumerate(stream):
            if number % 6 == 2:
                yield {"type": "keepalive"}
            yield event

    return _renumbered(more())


@events("responses", legal=True)
def events_of_other_kinds(stream: Events, _call: Call) -> Events:
    """There are events that the API does not name, which tell how far the server is."""

    def more() -> Events:
        for number, event in enumerate(stream):
            yield event
            if number == 1:
                yield {"type": "response.x_queue.position", "position": 3, "item_id": None}
                yield {"type": "response.rate_limits.updated", "rate_limits": []}

    return _renumbered(more())


@payload("responses", legal=True)
def settings_of_other_versions(body: Any, _call: Call) -> None:
    """The response repeats settings that are newer, or that the request does not have, and has `output_text`."""
    for whole in _responses(body):
        if "output" not in whole:
            continue
        whole |= {
            "frequency_penalty": 0.0,
            "presence_penalty": 0.0,
            "prompt_cache_key": None,
            "prompt_cache_retention": None,
            "safety_identifier": None,
            "billing": {"payer": "developer"},
            "moderation": None,
            "conversation": None,
            "content_filters": [],
            "output_text": _text(whole),
        }
        for tool in whole["tools"]:
            if tool.get("type") == "function":
                tool.setdefault("description", None)
        if usage := whole.get("usage"):
            usage |= {"cost_in_usd_ticks": 12, "num_sources_used": 0}


def _text(whole: dict[str, Any]) -> str:
    """The text of all messages."""
    parts = [part for item in whole["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part.get("text", "") for part in parts)


@payload("responses", legal=True)
def items_with_more_fields(body: Any, _call: Call) -> None:
    """Items and their parts have fields that the API does not name, or names in newer versions."""
    for item in _items(body):
        if item["type"] == "message":
            item |= {"phase": "final_answer", "model": "x"}
        item["created_by"] = {"agent": "x"}
        for part in item.get("content") or []:
            part["x_tokens"] = [1]


@payload("responses", legal=True)
def calls_without_status(body: Any, _call: Call) -> None:
    """Items of calls and of reasoning have no `status`, which the API marks as optional."""
    for item in _items(body):
        if item["type"] in ("function_call", "reasoning"):
            item.pop("status", None)


def _reasons(item: dict[str, Any]) -> bool:
    return item.get("type") == "reasoning"


@payload("responses", legal=True)
def reasoning_is_encrypted_by_default(body: Any, _call: Call) -> None:
    """Items of reasoning have `encrypted_content`, also where the request does not ask for it, as with OpenAI."""
    for item in _items(body):
        if _reasons(item) and item.get("content"):
            item["encrypted_content"] = opaque.sealed(item["content"][0]["text"])


def _both(name: str, sentence: str, item: Any, event: Any) -> None:
    """A variation of the items of reasoning, and of the events with their text."""

    def change(body: Any, _call: Call) -> None:
        for one in _items(body):
            if _reasons(one) and "content" in one:
                item(one)

    def changed(stream: Events, _call: Call) -> Events:
        return _renumbered(made for one in stream for made in event(one))

    hooks = {"payload": change, "events": changed}
    area = "legal_responses"
    add(Fault(name=name, sentence=sentence, area=area, hooks=hooks, on=frozenset(["responses"]), legal=True))


def _summarise(item: dict[str, Any]) -> None:
    """The text of reasoning becomes its summary."""
    item["summary"] = [{"type": "summary_text", "text": part["text"]} for part in item.pop("content")]


def _hide(item: dict[str, Any]) -> None:
    """The text of reasoning is only in `encrypted_content`."""
    for part in item.pop("content"):
        item["encrypted_content"] = opaque.sealed(part["text"])


def _is_thought(event: Any) -> bool:
    """Whether an event has text of reasoning, or begins or ends its part."""
    about = event.get("part") or {}
    return about.get("type") == "reasoning_text" or event["type"].startswith("response.reasoning_text.")


def _summarised(event: Any) -> Events:
    """The event, with a summary in place of the text of reasoning."""
    if not _is_thought(event):
        yield event
        return
    place = {"item_id": event["item_id"], "output_index": event["output_index"], "summary_index": 0}
    end = event["type"].rpartition(".")[2]
    if "part" in event:
        part = {"type": "summary_text", "text": event["part"]["text"]}
        yield {"type": f"response.reasoning_summary_part.{end}", **place, "part": part}
    else:
        said = {name: event[name] for name in ("delta", "text") if name in event}
        yield {"type": f"response.reasoning_summary_text.{end}", **place, **said}


_both(
    "reasoning-is-summarised",
    "Reasoning is in the summary of its item, and comes in events of the summary, as with OpenAI's models.",
    _summarise,
    _summarised,
)
_both(
    "reasoning-is-hidden",
    "Items of reasoning have neither text nor summary; `usage` counts it, as with OpenAI's models.",
    _hide,
    lambda event: [] if _is_thought(event) else [event],
)


# Two messages


def _halves(item: dict[str, Any]) -> list[dict[str, Any]]:
    """A message as two: its first word as commentary, the rest as the answer. Other items stay."""
    parts = item.get("content") or []
    text = str(parts[0].get("text") or "") if item["type"] == "message" and len(parts) == 1 else ""
    at = text.find(" ")
    if at < 1:
        return [item]
    named = (("commentary", text[:at], "completed"), ("final_answer", text[at:], item["status"]))
    return [
        {**item, "id": item["id"] + phase[0], "phase": phase, "status": status, "content": [{**parts[0], "text": part}]}
        for phase, part, status in named
    ]


def _split(body: Any, _call: Call) -> None:
    for whole in _responses(body):
        if "output" in whole and whole["text"]["format"]["type"] == "text":
            whole["output"] = [half for item in whole["output"] for half in _halves(item)]


def _in_two(stream: Events, _call: Call) -> Events:
    """The events of a stream in which each message is two; those of a message come when it is complete."""

    def made() -> Events:
        moved, held = 0, list[Any]()
        for event in stream:
            if not held and event.get("type") != "response.output_item.added":
                if "output_index" in event:
                    event["output_index"] += moved
                yield event
                continue
            held.append(event)
            if event["type"] == "response.output_item.done":
                halves = _halves(event["item"])
                yield from _wrapped(held, halves, event["output_index"] + moved)
                moved += len(halves) - 1
                held = []
        yield from held

    return _renumbered(made())


def _wrapped(events: list[Any], halves: list[dict[str, Any]], index: int) -> Events:
    """The events of an item, or of each of the two messages into which it was split."""
    if len(halves) == 1:
        yield from ({**event, "output_index": index} for event in events)
        return
    for at, half in enumerate(halves, index):
        part = half["content"][0]
        place = {"item_id": half["id"], "output_index": at, "content_index": 0}
        begun = {**half, "status": "in_progress", "content": []}
        yield {"type": "response.output_item.added", "output_index": at, "item": begun}
        yield {"type": "response.content_part.added", **place, "part": {**part, "text": ""}}
        for delta in [part["text"]] if at == index else [part["text"][:9], *part["text"][9:]]:
            yield {"type": "response.output_text.delta", **place, "delta": delta, "logprobs": []}
        yield {"type": "response.output_text.done", **place, "text": part["text"], "logprobs": []}
        yield {"type": "response.content_part.done", **place, "part": part}
        yield {"type": "response.output_item.done", "output_index": at, "item": half}


def _asks_for_text(call: Call) -> bool:
    """Whether a request asks for neither a document nor logprobs."""
    include, text = call.body.get("include") or [], call.body.get("text") or {}
    return "message.output_text.logprobs" not in include and not text.get("format")


add(
    Fault(
        name="commentary-and-answer",
        sentence="There are two messages, and the first has the phase `commentary`, as with newer models of OpenAI.",
        area="legal_responses",
        hooks={"payload": _split, "events": _in_two},
        on=frozenset(["responses"]),
        when=_asks_for_text,
        legal=True,
    )
)
