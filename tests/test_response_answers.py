"""The words for answers of the Responses API, plain and streamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backends.wire import Exchange, Request
from conformance.answers import Response, view
from conformance.outcomes import Fail, Verdict

MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
TEXT = [{"type": "output_text", "text": "1, 2", "annotations": []}]
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": '{"a": 1}'}
THOUGHT = {"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]}
WHOLE: dict[str, Any] = {
    "id": "resp_1",
    "status": "completed",
    "output": [THOUGHT, {**MESSAGE, "content": TEXT}, CALL],
    "usage": {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12},
}
EVENTS: list[dict[str, Any]] = [
    {"type": "response.created", "response": {**WHOLE, "status": "in_progress", "output": []}},
    {"type": "response.output_item.added", "output_index": 0, "item": {**THOUGHT, "content": []}},
    {"type": "response.reasoning_text.delta", "output_index": 0, "item_id": "rs_1", "delta": "Hm."},
    {"type": "response.output_item.added", "output_index": 1, "item": {**MESSAGE, "content": []}},
    {"type": "response.output_text.delta", "output_index": 1, "item_id": "msg_1", "delta": "1, "},
    {"type": "response.output_text.delta", "output_index": 1, "item_id": "msg_1", "delta": "2"},
    {"type": "response.output_item.added", "output_index": 2, "item": {**CALL, "arguments": ""}},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "item_id": "fc_1", "delta": '{"a"'},
    {"type": "response.function_call_arguments.delta", "output_index": 2, "item_id": "fc_1", "delta": ": 1}"},
    {"type": "response.completed", "response": WHOLE},
]


def answer(body: Any, *, stream: bool = False) -> Response:
    """A Response with this body, or of these events."""
    if stream:
        numbered = [{**event, "sequence_number": number} for number, event in enumerate(body)]
        sent = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in numbered)
    exchange = Exchange(
        request=Request(path="/responses", body={"stream": stream}),
        url="http://127.0.0.1/v1/responses",
        status=200,
        headers=(("content-type", "text/event-stream" if stream else "application/json"),),
        body=(sent if stream else json.dumps(body)).encode(),
    )
    read = view("/responses")("one", exchange)
    assert isinstance(read, Response)
    return read


@pytest.mark.parametrize("read", [answer(WHOLE), answer(EVENTS, stream=True)], ids=["plain", "streamed"])
def test_the_same_words_for_both(read: Response) -> None:
    assert read.readable
    assert (read.id, read.state, read.text, read.written, read.reasoning) == (
        "resp_1",
        "completed",
        "1, 2",
        "1, 2",
        "Hm.",
    )
    assert read.calls == [("get_weather", {"a": 1})]
    assert (read.tool_calls[0].id, read.tool_calls[0].type) == ("call_1", "function_call")
    assert [item["type"] for item in read.output] == ["reasoning", "message", "function_call"]
    assert [read.tokens(kind) for kind in ("input", "output", "total")] == [5, 7, 12]


def test_a_stream_in_its_pieces() -> None:
    read = answer(EVENTS, stream=True)
    assert read.types == [event["type"] for event in EVENTS]
    assert read.sequence == list(range(10))
    assert [one["status"] for one in read.snapshots] == ["in_progress", "completed"]
    assert list(read.added) == list(read.by_item) == ["rs_1", "msg_1", "fc_1"]
    assert [len(events) for events in read.by_item.values()] == [2, 3, 3]
    assert len(read.distinct) == len(EVENTS) - 2
    assert len(read.typed("response.output_text.delta")) == 2
    assert read.held("response.output_item.added", "item")[2]["name"] == "get_weather"


def test_calls_of_a_stream_keep_their_pieces_apart() -> None:
    other = {"type": "function_call", "id": "fc_2", "name": "get_time", "call_id": "call_2"}
    added = {"type": "response.output_item.added", "output_index": 3, "item": {**other, "arguments": ""}}
    delta = {"type": "response.function_call_arguments.delta", "output_index": 3, "item_id": "fc_2", "delta": "{}"}
    custom = {"type": "response.output_item.added", "output_index": 4, "item": {"type": "custom_tool_call"}}
    read = answer([*EVENTS[:8], added, delta, custom, *EVENTS[8:]], stream=True)
    assert read.calls == [("get_weather", {"a": 1}), ("get_time", {})]


@pytest.mark.parametrize(
    ("thought", "text"),
    [
        ({"content": None, "summary": [{"text": "In"}, {"text": " short."}]}, "In short."),
        ({"content": [{"text": "Hm. "}], "summary": [{"text": "Yes."}]}, "Hm. Yes."),
        ({"summary": []}, ""),
    ],
)
def test_thoughts_are_read_from_content_and_summary(thought: dict[str, Any], text: str) -> None:
    assert answer({**WHOLE, "output": [{"type": "reasoning", **thought}]}).reasoning == text
    deltas = [
        {"type": f"response.{kind}.delta", "delta": kind} for kind in ("reasoning_summary_text", "reasoning_text")
    ]
    assert answer(deltas, stream=True).reasoning == "reasoning_textreasoning_summary_text"


def test_text_is_that_of_output_text_parts() -> None:
    parts = [{"type": "refusal", "refusal": "no"}, {"type": "audio"}, {"type": "output_text", "text": "[1, "}]
    message = {**MESSAGE, "content": parts}
    read = answer({**WHOLE, "output": [message, {**MESSAGE, "content": [{"type": "output_text", "text": "2]"}]}]})
    assert (read.written, read.document) == ("[1, 2]", [1, 2])


def test_items_without_ids_are_told_apart_by_their_place() -> None:
    item = {key: value for key, value in CALL.items() if key != "id"}
    delta = {"type": "response.function_call_arguments.delta", "output_index": 0, "delta": '{"a": 1}'}
    added = {"type": "response.output_item.added", "output_index": 0, "item": {**item, "arguments": ""}}
    read = answer([added, delta, {"type": "response.completed", "response": {**WHOLE, "output": [item]}}], stream=True)
    assert read.calls == [("get_weather", {"a": 1})]


def test_a_stream_without_end_has_no_response() -> None:
    read = answer(EVENTS[:-1], stream=True)
    assert not read.readable
    assert read.text == "1, 2"
    for cut in (read, answer([], stream=True)):
        with pytest.raises(Fail, match="expected the end of the response"):
            cut.object  # noqa: B018


DELTA = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 1, "delta": "x"}


@pytest.mark.parametrize(
    "broken",
    [
        {**DELTA, "delta": 7},
        {**DELTA, "item_id": 7},
        {**DELTA, "item_id": None, "output_index": "1"},
        {**DELTA, "item": "msg_1"},
        {"type": "response.in_progress", "response": None},
        {"type": "response.output_item.done", "item": None},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "delta": None},
        {"type": "response.reasoning_summary_text.delta", "delta": None},
    ],
)
def test_a_stream_with_one_malformed_event_is_not_readable(broken: dict[str, Any]) -> None:
    assert answer([*EVENTS[:-1], DELTA, EVENTS[-1]], stream=True).readable
    assert not answer([*EVENTS[:-1], broken, EVENTS[-1]], stream=True).readable


@pytest.mark.parametrize(
    "broken",
    [
        {"output": "1, 2"},
        {"output": [{**MESSAGE, "content": "1, 2"}]},
        {"output": [{**MESSAGE, "content": [{"type": "output_text"}]}]},
        {"output": [{**CALL, "arguments": {"a": 1}}]},
        {"output": [{**CALL, "name": None}]},
        {"output": [{**CALL, "arguments": None}]},
        {"output": [{**MESSAGE, "content": None}]},
        {"output": [{**MESSAGE, "content": ["1, 2"]}]},
        {"output": ["1, 2"]},
    ],
)
def test_malformed_responses_are_not_readable(broken: dict[str, Any]) -> None:
    read = answer({**WHOLE, **broken})
    assert not read.readable
    with pytest.raises(Verdict):
        assert [read.text, read.tool_calls]
