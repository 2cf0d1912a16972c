"""How openai-python reads recorded responses. It is imported late, because the import takes most of a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import httpx2

from conformance.answers import Answer, Chat, Completion, Embeddings, Models
from conformance.outcomes import Fail, Verdict
from conformance.sdk import reading as own
from conformance.sdk.reading import Reading

if TYPE_CHECKING:
    import openai

T = TypeVar("T")

NOWHERE: dict[str, Any] = {"base_url": "http://recorded/v1", "api_key": "none", "max_retries": 0}
ANY: Any = "any"
"""Stands for what the SDK sends: the response exists already."""


def client(respond: Callable[[httpx2.Request], httpx2.Response]) -> openai.OpenAI:
    """The SDK's client, whose requests go to `respond` instead of a server."""
    import openai

    return openai.OpenAI(http_client=httpx2.Client(transport=httpx2.MockTransport(respond)), **NOWHERE)


def answered(call: Callable[[openai.OpenAI], T], answer: Answer) -> T:
    """What a call of the SDK returns for this response; ends the check if it is a rejection, or if the SDK raises."""
    answer.assert_accepted()
    response = _response(answer)
    try:
        return call(client(lambda _: response))
    except Exception as problem:
        raise _cannot(answer, problem) from None


def read_by_python(answer: Answer) -> Reading:
    """What the SDK's plain methods understand, streams chunk by chunk."""
    return _reading(answer, lambda: _read(client(lambda _: _response(answer)), answer))


def read_by_python_helper(answer: Chat) -> Reading:
    """What the SDK's stream helper, `client.chat.completions.stream`, returns at the end."""

    def read() -> Reading:
        with client(lambda _: _response(answer)).chat.completions.stream(model=ANY, messages=[]) as stream:
            return _chat(stream.get_final_completion())

    return _reading(answer, read)


def read_by_python_async(answers: Iterable[Chat]) -> Iterator[tuple[Chat, Reading]]:
    """What the SDK's asynchronous client understands of each stream."""
    import openai

    async def read(answer: Chat) -> Reading:
        transport = httpx2.MockTransport(lambda _: _response(answer))
        async with openai.AsyncOpenAI(http_client=httpx2.AsyncClient(transport=transport), **NOWHERE) as asked:
            stream = await asked.chat.completions.create(model=ANY, messages=[], stream=True)
            return _chunks([chunk async for chunk in stream])

    with asyncio.Runner() as runner:
        for answer in answers:
            yield answer, _reading(answer, partial(lambda one: runner.run(read(one)), answer))


def _reading(answer: Answer, read: Callable[[], Reading]) -> Reading:
    """The reading, or what the SDK raised for a rejection; anything else that it raises ends the check."""
    import openai

    own.given(answer)
    try:
        return read()
    except openai.APIStatusError as problem:
        message = problem.body.get("message") if isinstance(problem.body, dict) else None
        return own.rejection(type(problem).__name__, message)
    except Verdict:
        raise
    except Exception as problem:
        raise _cannot(answer, problem) from None


def _cannot(answer: Answer, problem: Exception) -> Fail:
    return Fail(
        f"{answer.name}: expected a response that OpenAI's Python SDK reads, got {type(problem).__name__}: {problem}",
        expected="a response that the SDK reads",
        actual=answer.whole.body[:300].decode(errors="replace"),
    )


def _response(answer: Answer) -> httpx2.Response:
    # Bytes, since a value may have any but control characters (RFC 9110, 5.5); strings would have to be ASCII.
    headers = [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace")) for name, value in own.headers(answer)
    ]
    return httpx2.Response(answer.status, headers=headers, content=own.given(answer))


def _read(asked: openai.OpenAI, answer: Answer) -> Reading:
    if isinstance(answer, Chat):
        if answer.streamed:
            return _chunks(list(asked.chat.completions.create(model=ANY, messages=[], stream=True)))
        return _chat(asked.chat.completions.create(model=ANY, messages=[]))
    if isinstance(answer, Completion):
        if answer.streamed:
            return _chunks(list(asked.completions.create(model=ANY, prompt=ANY, stream=True)))
        return _chat(asked.completions.create(model=ANY, prompt=ANY))
    if isinstance(answer, Embeddings):
        # Left alone, the SDK asks for base64 and decodes it, and leaves numbers as they are.
        got = asked.embeddings.create(model=ANY, input=ANY)
        return {"vectors": [list(item.embedding) for item in got.data]}
    if isinstance(answer, Models):
        listed = own.is_list(answer)
        return {"ids": [m.id for m in asked.models.list()] if listed else [asked.models.retrieve(ANY).id]}
    if answer.streamed:
        return _events(list(asked.responses.create(model=ANY, input=ANY, stream=True)))
    return _responded(asked.responses.create(model=ANY, input=ANY))


def _chat(got: Any) -> Reading:
    """A chat completion, or a legacy one."""
    choices = []
    for choice in sorted(got.choices, key=lambda c: c.index):
        legacy = not hasattr(choice, "message")
        calls = [] if legacy else choice.message.tool_calls or []
        choices.append(
            {
                "index": choice.index,
                "text": choice.text if legacy else choice.message.content or "",
                "calls": [_called(call) for call in calls],
                "finish_reason": choice.finish_reason,
            }
        )
    return {"choices": choices, "usage": own.counts([got.usage and dict(got.usage)])}


def _called(call: Any) -> list[Any]:
    """Id, name, and arguments or input of a call."""
    if call.type == "custom":
        return [call.id, call.custom.name, call.custom.input]
    return [call.id, call.function.name, call.function.arguments]


def _chunks(got: list[Any]) -> Reading:
    """A stream of either, put together as the guide's examples do."""
    choices: dict[int, Reading] = {}
    calls: dict[tuple[int, int], list[Any]] = {}
    for piece in (choice for chunk in got for choice in chunk.choices):
        whole = choices.setdefault(piece.index, {"index": piece.index, "text": "", "calls": [], "finish_reason": None})
        delta = getattr(piece, "delta", None)
        whole["text"] += (piece.text if delta is None else delta.content) or ""
        whole["finish_reason"] = piece.finish_reason or whole["finish_reason"]
        for part in (delta and delta.tool_calls) or []:
            call = calls.setdefault((piece.index, part.index), [None, "", ""])
            call[0] = call[0] or part.id
            call[1] += (part.function and part.function.name) or ""
            call[2] += (part.function and part.function.arguments) or ""
    for (index, _), call in sorted(calls.items()):
        choices[index]["calls"].append(call)
    usage = own.counts([chunk.usage and dict(chunk.usage) for chunk in got])
    return {"choices": [choices[index] for index in sorted(choices)], "usage": usage}


def _responded(got: Any) -> Reading:
    calls = [[item.call_id, item.name, item.arguments] for item in got.output if item.type == "function_call"]
    return {"text": got.output_text, "calls": calls, "status": got.status}


def _events(got: list[Any]) -> Reading:
    """The text from the deltas, the rest from the response at the end."""
    text = "".join(event.delta for event in got if event.type == "response.output_text.delta")
    return {**_responded(got[-1].response), "text": text}
