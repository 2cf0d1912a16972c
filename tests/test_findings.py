"""What recordings show about a whole server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from backends.wire import Exchange, Request
from conformance.run.findings import findings, told

PIECE = b'data: {"choices": [{"delta": {"content": "a \\"finish_reason\\": \\"stop\\""}, "finish_reason": null}]}\n\n'
DELTA = b'event: response.output_text.delta\ndata: {"type": "response.output_text.delta", "delta": "a"}\n\n'


def sentences(body: bytes, path: str = "/chat/completions", **more: object) -> list[str]:
    asked = Request(path=path, body={"stream": True}, hang_up_after=7 if more.pop("left", False) else None)
    kind = (("content-type", "text/event-stream"),)
    fields = {"status": 200, "headers": kind, "body": body, **more}
    got = Exchange(request=asked, url=f"http://localhost/v1{path}", **fields)  # type: ignore[arg-type]
    recordings = {"one": told({"exchanges": [got.to_json()]})}
    return [found.sentence for found in findings({"name": "t", "backend": "url", "details": {}}, recordings)]


@pytest.mark.parametrize("body", [b"", PIECE, PIECE + b": [DONE]\n\n"])
def test_a_stream_that_ends_without_saying_so_ends_early(body: bytes) -> None:
    early = "1 of 1 streams of POST /chat/completions ends early: no `finish_reason`, no `[DONE]` and no error"
    assert sentences(body) == [early]


@pytest.mark.parametrize("last", [b"response.in_progress", b"response.output_item.done"])
def test_so_does_one_of_responses(last: bytes) -> None:
    body = DELTA + b'data: {"type": "' + last + b'"}\n\n'
    assert sentences(body, "/responses") == [
        "1 of 1 streams of POST /responses ends early: no `response.completed` and no error"
    ]


@pytest.mark.parametrize(
    "end",
    [
        b"data: [DONE]\n\n",
        b"data:[DONE]\n\n",
        b'data: {"choices": [{"delta": {}, "finish_reason": "length"}]}\n\n',
        b'data: {"choices":[{"delta":{},"finish_reason":"made up"}]}\n\n',
        b'data: {"error": {"message": "out of memory"}}\n\n',
        b'data: {"error": "out of memory"}\n\n',
    ],
)
def test_a_stream_that_says_how_it_ends_does_not(end: bytes) -> None:
    assert sentences(PIECE + end) == []


@pytest.mark.parametrize("end", ["response.completed", "response.incomplete", "response.failed", "error"])
def test_nor_does_one_of_responses(end: str) -> None:
    assert sentences(DELTA + f'data: {{"type": "{end}"}}\n\n'.encode(), "/responses") == []


def test_streams_that_were_left_or_broke_off_as_http_are_other_facts() -> None:
    assert sentences(PIECE, left=True) == []
    assert sentences(PIECE, error="closed") == []
    assert sentences(PIECE, status=500) == []
    assert sentences(PIECE, headers=(("content-type", "application/json"),)) == []


FUNCTION = {"type": "function", "function": {"name": "f"}}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def with_tools(*messages: dict[str, Any], backend: str = "url", **more: Any) -> list[str]:
    """The findings about plain responses with these messages to requests that have a tool."""
    recordings = {}
    for number, message in enumerate(messages):
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
        got = Exchange(
            request=Request(path="/chat/completions", body={"tools": [FUNCTION], **more}),
            url="http://localhost/v1/chat/completions",
            status=200,
            headers=(("content-type", "application/json"),),
            body=json.dumps({"choices": [choice]}).encode(),
        )
        recordings[f"asked{number}"] = told({"exchanges": [got.to_json()]})
    found = findings({"name": "t", "backend": backend, "details": {}}, recordings)
    return [one.sentence for one in found]


MARKED = {"content": '<tool_call>\n{"name": "f", "arguments": {}}\n</tool_call>'}


def test_calls_that_come_as_text_are_one_fact() -> None:
    assert with_tools(MARKED, MARKED, MARKED, {"content": "Paris."}, backend="vllm") == [
        "3 of 3 responses of POST /chat/completions with tool calls have them as text (`<tool_call>`): the server does "
        "not read the model's notation; start vLLM with --enable-auto-tool-choice and the --tool-call-parser of the "
        "model's family (hermes, llama3_json, mistral …)"
    ]
    assert len(with_tools(*3 * [{"content": '{"name": "f", "parameters": {}}'}])) == 1


def test_a_few_calls_as_text_are_not() -> None:
    read = {"content": None, "tool_calls": [CALL]}
    assert with_tools(MARKED, MARKED) == []
    assert with_tools(*3 * [MARKED], *3 * [read]) == []
    assert with_tools(*3 * [MARKED], tool_choice="none") == []
    assert with_tools(*3 * [{"content": "Write <b>Paris</b>."}]) == []
    assert with_tools(*3 * [{"content": 5}]) == []
