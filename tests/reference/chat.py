"""POST /v1/chat/completions (openapi CreateChatCompletionRequest and its two responses)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from tests.reference import model, notation, params, script
from tests.reference.call import DONE, Call, Reply, find_model, new_id
from tests.reference.errors import ApiError, context_exceeded
from tests.reference.generator import Choice, Event, Piece, Read, TokenLogprob, interleave
from tests.reference.jsongen import Unsatisfiable
from tests.reference.messages import Message, parse, render
from tests.reference.notation import Notation
from tests.reference.reader import Reader
from tests.reference.tokens import TOKEN_BYTES, shown

FINGERPRINT = "fp_reference"


class Generation:
    """The choices of one request, ready to run, and the size of its prompt. Responses use it too."""

    def __init__(self, call: Call, body: dict[str, Any], history: list[Message], wish: script.Wish) -> None:
        history = call.faults.apply("history", history, call)
        prompt = render(history, [*(body.get("tools") or []), *body.get("hosted", [])])
        self.prompt_tokens = len(prompt)
        context = call.state.context
        if self.prompt_tokens >= context:
            raise context_exceeded(context, self.prompt_tokens)
        self.cached = model.cached(call.state.prompts, call.headers.get("x-chance", "").rpartition("#")[2], prompt)
        state = model.absorb(0, prompt)
        for image in (image for message in history for image in message.images):
            state = model.absorb(state, [image.digest & 0xFFFF])
        how = params.sampling(body, context - self.prompt_tokens)
        how = call.faults.apply("sampling", how, call)
        try:
            plan = script.build(history, wish)
        except Unsatisfiable as error:
            message = f"Unsupported schema: {error}."
            raise ApiError(message, param="response_format", code="invalid_json_schema") from error
        plan = call.faults.apply("script", plan, call)
        self.wish = wish
        self.wants_logprobs = how.logprobs
        read = None
        if written := notation.of_model(body.get("model")):
            plan = notation.script(written, plan, sum(len(message.calls) for message in history))
            read = _reader(call, written, wish)
        self.choices = [Choice(plan, state, how, index, call.chance, read) for index in range(body.get("n") or 1)]

    def finish(self, choice: Choice) -> str:
        """The finish_reason: `stop` for a call of a named tool, as OpenAI has it."""
        return "stop" if self.wish.named and choice.finish == "tool_calls" else choice.finish

    def usage(self) -> dict[str, Any]:
        """openapi CompletionUsage; completion tokens are those that were generated, without the end token."""
        completion = sum(choice.completion_tokens for choice in self.choices)
        reasoning = sum(choice.reasoning_tokens for choice in self.choices)
        return usage(self.prompt_tokens, completion, reasoning, self.cached)


def _reader(call: Call, written: Notation, wish: script.Wish) -> Read:
    """What reads the raw text of a choice, with the faults of the request."""
    tools = {tool.name: tool.parameters for tool in wish.tools} if wish.mode != "none" else {}

    def read(pieces: Iterator[str], truncated: Callable[[], bool]) -> Iterator[Event]:
        reader = call.faults.apply("reader", Reader(written, tools, truncated), call)
        return iter(call.faults.apply("read", reader.read(pieces), call))

    return read


def usage(prompt: int, completion: int, reasoning: int = 0, cached: int = 0) -> dict[str, Any]:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def create(call: Call) -> Reply:
    """Validate everything, then respond, plain or as a stream."""
    body = call.body
    known = find_model(body)
    legacy = _modernise(body)
    params.check_chat(body)
    wish = params.wish(body)
    history = parse(body.get("messages"), vision=known.vision)
    run = Generation(call, body, history, wish)
    head = {"id": new_id("chatcmpl-"), "created": call.created, "model": known.id}
    tail = {"service_tier": "default", "system_fingerprint": FINGERPRINT}
    if call.stream:
        chunk = {**head, "object": "chat.completion.chunk", **tail}
        return Reply(events=_stream(call, run, chunk, legacy), pace=len(run.choices))
    choices = [_whole(run, choice, legacy) for choice in run.choices]
    return Reply({**head, "object": "chat.completion", "choices": choices, "usage": run.usage(), **tail})


def _modernise(body: dict[str, Any]) -> bool:
    """Translate the deprecated functions and function_call into tools; True if they were used."""
    functions = body.get("functions")
    if functions is None:
        return False
    if not isinstance(functions, list) or body.get("tools") is not None:
        raise ApiError("'functions' is an array, and goes without 'tools'.", param="functions")
    body["tools"] = [{"type": "function", "function": function} for function in functions]
    choice = body.get("function_call")
    if choice is not None:
        body["tool_choice"] = {"type": "function", "function": choice} if isinstance(choice, dict) else choice
    body["parallel_tool_calls"] = False
    return True


def _whole(run: Generation, choice: Choice, legacy: bool) -> dict[str, Any]:
    pieces = list(choice.pieces())
    text = {kind: "".join(p.text for p in pieces if p.channel == kind) for kind in ("content", "reasoning")}
    message: dict[str, Any] = {"role": "assistant", "content": text["content"], "refusal": None, "annotations": []}
    if text["reasoning"]:
        message["reasoning_content"] = text["reasoning"]
    if calls := tool_calls(pieces, run.wish):
        message["content"] = text["content"] or None
        if legacy:
            message["function_call"] = calls[0]["function"]
        else:
            message["tool_calls"] = calls
    entries = [entry for piece in pieces for entry in piece.logprobs]
    return {
        "index": choice.index,
        "message": message,
        "logprobs": logprobs(entries) if run.wants_logprobs else None,
        "finish_reason": "function_call" if legacy and choice.finish == "tool_calls" else run.finish(choice),
    }


def tool_calls(pieces: Sequence[Piece], wish: script.Wish) -> list[dict[str, Any]]:
    """openapi ChatCompletionMessageToolCalls; arguments, or the input of a custom tool, stay the text as generated."""
    calls: list[dict[str, Any]] = []
    for piece in pieces:
        if piece.channel == "call":
            calls.append({"id": piece.id or new_id("call_", 24), **_call(piece.text, wish)})
        elif piece.channel == "arguments":
            kind, key = _CUSTOM if calls[piece.call]["type"] == "custom" else _FUNCTION
            calls[piece.call][kind][key] += piece.text
    return calls


_FUNCTION, _CUSTOM = ("function", "arguments"), ("custom", "input")
"""Where the text of a call is."""


def _call(name: str, wish: script.Wish) -> dict[str, Any]:
    """A call at its beginning."""
    tool = wish.tool(name)
    kind, key = _CUSTOM if tool and tool.custom else _FUNCTION
    return {"type": kind, kind: {"name": name, key: ""}}


def logprobs(entries: Sequence[TokenLogprob]) -> dict[str, Any]:
    """openapi ChatCompletionTokenLogprob: parts of characters are shown escaped, `bytes` has them as they are."""

    def shape(token: int, value: float) -> dict[str, Any]:
        return {"token": shown(token), "logprob": value, "bytes": list(TOKEN_BYTES[token])}

    tops = [{"top_logprobs": [shape(*other) for other in entry.top]} for entry in entries]
    content = [shape(entry.token, entry.logprob) | top for entry, top in zip(entries, tops, strict=True)]
    return {"content": content, "refusal": None}


def _stream(call: Call, run: Generation, head: dict[str, Any], legacy: bool) -> Iterator[Any]:
    include = bool((call.body.get("stream_options") or {}).get("include_usage"))

    def chunk(index: int, delta: dict[str, Any], finish: str | None = None, entries: Any = None) -> dict[str, Any]:
        choice = {"index": index, "delta": delta, "logprobs": entries, "finish_reason": finish}
        return {**head, "choices": [choice], **({"usage": None} if include else {})}

    begun: set[int] = set()
    custom: set[int] = set()
    for choice, piece in interleave(run.choices):
        if choice.index not in begun:
            begun.add(choice.index)
            calls = piece is not None and piece.channel == "call"
            yield chunk(choice.index, {"role": "assistant", "content": None if calls else "", "refusal": None})
        if piece is None:
            finish = "function_call" if legacy and choice.finish == "tool_calls" else run.finish(choice)
            yield chunk(choice.index, {}, finish)
        else:
            entries = logprobs(piece.logprobs) if run.wants_logprobs and piece.channel == "content" else None
            yield chunk(choice.index, _delta(piece, legacy, run.wish, custom), None, entries)
    if include:
        yield {**head, "choices": [], "usage": run.usage()}
    yield DONE


def _delta(piece: Piece, legacy: bool, wish: script.Wish, custom: set[int]) -> dict[str, Any]:
    """What a chunk adds. A call's id, type and name come once, in its first chunk; arguments follow in pieces.
    `custom` keeps which calls are those of custom tools."""
    if piece.channel == "content":
        return {"content": piece.text}
    if piece.channel == "reasoning":
        return {"reasoning_content": piece.text}
    if piece.channel == "call":
        begun = _call(piece.text, wish)
        if begun["type"] == "custom":
            custom.add(piece.call)
        call = {"index": piece.call, "id": piece.id or new_id("call_", 24), **begun}
        return {"function_call": begun["function"]} if legacy else {"tool_calls": [call]}
    if piece.call in custom:
        return {"tool_calls": [{"index": piece.call, "custom": {"input": piece.text}}]}
    function = {"arguments": piece.text}
    return {"function_call": function} if legacy else {"tool_calls": [{"index": piece.call, "function": function}]}
