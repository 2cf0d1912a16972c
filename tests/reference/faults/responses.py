"""Faults of the Responses API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.kit import answer, events, ignored, payload, status

RESPONSES = "responses"
ignored("instructions", "previous_response_id", "max_output_tokens", "text", on=RESPONSES)


@payload(RESPONSES)
def truncated_response_completed(body: dict[str, Any], _call: Call) -> None:
    """A response cut by max_output_tokens says completed."""
    response = body.get("response", body)
    if body.get("type") == "response.incomplete":
        body["type"] = "response.completed"
    if response.get("status") == "incomplete":
        response.update(status="completed", incomplete_details=None)


@payload(RESPONSES, stream=True)
def sequence_numbers_missing(body: dict[str, Any], _call: Call) -> None:
    """Events have no sequence_number."""
    body.pop("sequence_number", None)


@events(RESPONSES)
def no_response_completed(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """The last event is missing."""
    held: list[Any] = []
    for event in stream:
        yield from held
        held = [event]


@events(RESPONSES)
def response_deltas_missing(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Texts come whole, without deltas."""
    return (event for event in stream if not event["type"].endswith(".delta"))


@answer(RESPONSES)
def response_output_is_text(body: dict[str, Any], _call: Call) -> None:
    """`output` is a string."""
    if body.get("output"):
        body["output"] = str(body["output"][-1].get("content"))


@answer(RESPONSES)
def response_usage_in_chat_words(body: dict[str, Any], _call: Call) -> None:
    """Usage has prompt_tokens and completion_tokens."""
    if body.get("usage"):
        counts = body["usage"]
        body["usage"] = {"prompt_tokens": counts["input_tokens"], "completion_tokens": counts["output_tokens"]}


@status(RESPONSES, when=lambda call: call.method == "GET")
def responses_not_retrievable(_value: int, _call: Call) -> int:
    """A stored response is not found."""
    return 404
