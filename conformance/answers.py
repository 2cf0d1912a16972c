"""Recorded exchanges with the words that checks use to read them.

Plain and streamed answers are read with the same words. Reading what is not there ends the check: a refusal with
`Refused`, a malformed answer with `Fail`; so a check never has to ask first.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

from backends.wire import Exchange
from conformance import sse
from conformance.outcomes import Blocked, Fail, NotRun, TimedOut, Verdict
from conformance.outcomes import Outcome as _Outcome

T = TypeVar("T")

_TEXT = re.compile(r'"(content|text|reasoning_content|reasoning|arguments)": "([^"\\]|\\.)+"')
"""A piece of text in a chunk, as `json.dumps` writes it."""


class Refused(Verdict):
    """A check read an answer that the server refused; `rejected` if it did so cleanly, else `fail`."""

    def __init__(self, answer: Answer) -> None:
        clean = answer.cleanly_refused
        self.outcome = _Outcome.REJECTED if clean else _Outcome.FAIL
        self.answer = answer
        how = answer.error_message if clean else f"{answer.exchange.body[:160].decode(errors='replace')!r}"
        super().__init__(
            f"{answer.name} was refused: {answer.status} {how}",
            expected="a 2xx answer, or an honest refusal: 4xx or 501 with an error object",
            actual=f"{answer.status} {answer.exchange.body[:300].decode(errors='replace')}",
        )


@dataclass(frozen=True, eq=False)
class Answer:
    """One exchange of a scenario. `name` is the scenario's, with a number if it has several requests."""

    name: str
    exchange: Exchange
    control: bool = False

    # What was sent

    @property
    def sent(self) -> dict[str, Any]:
        """The request's JSON object; empty if it had none."""
        body = self.wire.request.body
        return dict(body) if isinstance(body, dict) else {}

    @property
    def streamed(self) -> bool:
        """Whether a stream was asked for."""
        body = self.exchange.request.body
        return isinstance(body, dict) and body.get("stream") is True

    @property
    def asked(self) -> str:
        """What was asked, whether plain or streamed: the request without `stream` and `stream_options`, as text."""
        request = self.exchange.request
        body = request.body
        if isinstance(body, dict):
            body = {key: value for key, value in body.items() if key not in ("stream", "stream_options")}
        return f"{request.method} {request.path} {request.headers} {body!r}"

    @property
    def asks_clearly(self) -> bool:
        """Whether `stream` is a boolean, if there is one: after `"stream": "yes"` either form of answer may come."""
        body = self.exchange.request.body
        return not isinstance(body, dict) or body.get("stream") in (None, True, False)

    # The bare wire

    @property
    def wire(self) -> Exchange:
        """The exchange; ends the check if no answer came."""
        error = self.exchange.error
        if error == "unreachable":
            raise Blocked(f"{self.name}: the server no longer accepts connections ({self.exchange.error_detail})")
        if error == "timeout":
            raise TimedOut(f"{self.name}: no complete answer in time ({self.exchange.error_detail})")
        if self.exchange.status is None:
            raise Fail(
                f"{self.name}: the server closed the connection without an answer",
                expected="an HTTP response",
                actual=self.exchange.error_detail,
            )
        return self.exchange

    @property
    def whole(self) -> Exchange:
        """The exchange, whose body arrived to its end."""
        wire = self.wire
        if wire.error and wire.request.hang_up_after is None:
            raise Fail(
                f"{self.name}: the connection closed in the middle of the answer",
                expected="the whole body",
                actual=f"{wire.error_detail} after {len(wire.body)} bytes",
            )
        return wire

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.wire.status or 0

    @property
    def ok(self) -> bool:
        """Whether the server answered 2xx; never ends the check."""
        return self.exchange.status is not None and 200 <= self.exchange.status < 300

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters."""
        return (self.wire.header("content-type") or "").partition(";")[0].strip().lower()

    # The body

    @cached_property
    def json(self) -> Any:
        """The body as JSON, whatever the status."""
        try:
            return json.loads(self.whole.body)
        except ValueError as problem:
            raise Fail(
                f"{self.name}: the body is not JSON ({problem})",
                expected="a JSON body",
                actual=self.whole.body[:300].decode(errors="replace"),
            ) from None

    @cached_property
    def body(self) -> dict[str, Any]:
        """The JSON object of a 2xx answer."""
        self.accepted()
        return _expect(self.json, dict, f"{self.name}: the body")

    def accepted(self) -> None:
        """End the check unless the server answered 2xx."""
        if not 200 <= self.status < 300:
            raise Refused(self)

    @cached_property
    def readable(self) -> bool:
        """Whether this is a 2xx answer in which all words of its class find what they read; never ends the check."""
        try:
            self._read()
        except Verdict:
            return False
        return True

    def _read(self) -> None:
        """Read everything; ends the check if something is malformed."""
        self.accepted()

    # Refusals

    @property
    def cleanly_refused(self) -> bool:
        """Whether this is a 4xx or 501 whose JSON body has an `error` object with a message."""
        return (400 <= self.status < 500 or self.status == 501) and bool(self.error_message)

    @cached_property
    def error(self) -> dict[str, Any]:
        """The `error` object of a refusal."""
        if self.ok:
            raise Fail(f"{self.name} was accepted", expected="a 4xx with an error object", actual=f"{self.status}")
        envelope = _expect(self.json, dict, f"{self.name}: the error body")
        return _expect(envelope.get("error"), dict, f"{self.name}: `error`")

    @property
    def error_message(self) -> str:
        """The message of the error object, or nothing; never ends the check."""
        try:
            message = self.error.get("message")
        except Verdict:
            return ""
        return message if isinstance(message, str) else ""

    # The stream

    @cached_property
    def events(self) -> sse.Parsed:
        """The events of a streamed answer."""
        self.accepted()
        if self.content_type != "text/event-stream":
            raise Fail(
                f"{self.name}: a stream was asked for",
                expected="Content-Type: text/event-stream",
                actual=f"Content-Type: {self.wire.header('content-type')}",
            )
        return sse.parse(self.whole.body)

    @cached_property
    def data(self) -> list[str]:
        """The data of each event, in order, `[DONE]` included."""
        pending = [self.events.pending] if self.events.pending else []
        return [event.data for event in (*self.events.events, *pending)]

    @property
    def arrivals(self) -> list[float]:
        """When each event of a stream was complete, in seconds since the request was sent."""
        return [sse.timed(event, self.wire.reads) for event in self.events.events]

    @cached_property
    def chunks(self) -> list[dict[str, Any]]:
        """The JSON objects of a stream, in order, without `[DONE]`; an error in the stream ends the check."""
        objects = []
        for number, data in enumerate(d for d in self.data if d.strip() != "[DONE]"):
            try:
                chunk = json.loads(data)
            except ValueError as problem:
                raise Fail(
                    f"{self.name}: event {number} is not JSON ({problem})", expected="JSON", actual=data[:200]
                ) from None
            chunk = _expect(chunk, dict, f"{self.name}: event {number}")
            if "error" in chunk and "choices" not in chunk and "type" not in chunk:
                raise Fail(f"{self.name}: the stream carries an error", expected="chunks", actual=data[:300])
            objects.append(chunk)
        return objects


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One call of a tool; `arguments` is the JSON string as it came, pieces joined."""

    id: str | None
    type: str | None
    name: str
    arguments: str

    @property
    def args(self) -> dict[str, Any]:
        """The arguments, which must be a JSON object."""
        try:
            return _expect(json.loads(self.arguments), dict, f"the arguments of {self.name}")
        except ValueError:
            raise Fail(
                f"the arguments of {self.name} are not valid JSON",
                expected="a JSON object",
                actual=self.arguments,
            ) from None

    @property
    def asks(self) -> tuple[str, dict[str, Any]]:
        """What the call asks for, without its id: two calls that ask for the same are equal here."""
        return self.name, self.args


@dataclass
class Choice:
    """One choice, read from a plain answer or put together from a stream."""

    index: int
    text: str = ""
    content: str | None = None
    role: str | None = None
    reasoning: str = ""
    finish_reason: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    logprobs: list[dict[str, Any]] | None = None
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> Any:
        """The text as the JSON value that it must be."""
        try:
            return json.loads(self.text)
        except ValueError as problem:
            raise Fail(
                f"the text is not JSON ({problem})", expected="a JSON document", actual=self.text[:300]
            ) from None


class Generated(Answer):
    """What chat and legacy completions have in common."""

    @cached_property
    def choices(self) -> list[Choice]:
        """The choices, ordered by index; ends the check if there is none."""
        choices = sorted(self._streamed_choices() if self.streamed else self._plain_choices(), key=lambda c: c.index)
        if not choices:
            raise Fail(f"{self.name}: no choices", expected="at least one choice", actual=self._shortened)
        return choices

    def _read(self) -> None:
        assert self.choices

    @property
    def choice(self) -> Choice:
        """The first choice."""
        return self.choices[0]

    @property
    def text(self) -> str:
        """The text of the first choice; empty if there is none."""
        return self.choice.text

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended."""
        return self.choice.finish_reason

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The response objects: the one of a plain answer, or all chunks of a stream."""
        return self.chunks if self.streamed else [self.body]

    def values(self, key: str) -> list[Any]:
        """The different values that a key has in the response objects, in order; None where it is absent."""
        found: list[Any] = []
        for value in (one.get(key) for one in self.objects):
            if value not in found:
                found.append(value)
        return found

    @property
    def distinct_chunks(self) -> list[dict[str, Any]]:
        """The chunks of a stream, but of those that differ in nothing but a piece of text only the first."""
        distinct: dict[str, dict[str, Any]] = {}
        for chunk in self.chunks:
            distinct.setdefault(_TEXT.sub("", json.dumps(chunk)), chunk)
        return list(distinct.values())

    def pieces(self, index: int = 0) -> list[dict[str, Any]]:
        """The entries of one choice in the chunks of a stream, in order."""
        return [raw for chunk in self.chunks for raw, at in self._raw_choices(chunk) if at == index]

    @cached_property
    def usage(self) -> dict[str, Any]:
        """The usage object; of a stream, the last that it carries."""
        found = [o["usage"] for o in self.objects if o.get("usage") is not None]
        if not found:
            raise Fail(f"{self.name}: no usage", expected="a usage object", actual=self._shortened)
        return _expect(found[-1], dict, f"{self.name}: usage")

    def tokens(self, kind: str) -> int:
        """One count of the usage object: `prompt`, `completion` or `total`."""
        return _expect(self.usage.get(f"{kind}_tokens"), int, f"{self.name}: usage.{kind}_tokens")

    @property
    def _shortened(self) -> str:
        return self.whole.body[:300].decode(errors="replace")

    def _raw_choices(self, of: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
        for choice in _expect(of.get("choices"), list, f"{self.name}: choices"):
            choice = _expect(choice, dict, f"{self.name}: a choice")
            yield choice, _expect(choice.get("index"), int, f"{self.name}: choices[].index")

    def _plain_choices(self) -> list[Choice]:
        raise NotImplementedError

    def _streamed_choices(self) -> list[Choice]:
        raise NotImplementedError


class Chat(Generated):
    """An answer of POST /chat/completions."""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the first choice."""
        return self.choice.tool_calls

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and arguments of each tool call of the first choice; the arguments must be JSON objects."""
        return [call.asks for call in self.tool_calls]

    @property
    def document(self) -> Any:
        """The text of the first choice as the JSON value that it must be."""
        return self.choice.document

    @property
    def reasoning(self) -> str:
        """The thoughts that a server gives apart from the text (`reasoning_content` or `reasoning`)."""
        return self.choice.reasoning

    @property
    def logprobs(self) -> list[dict[str, Any]]:
        """The entries of `logprobs.content` of the first choice; ends the check if there are none."""
        if self.choice.logprobs is None:
            raise Fail(f"{self.name}: no logprobs", expected="choices[0].logprobs.content", actual=self._shortened)
        return self.choice.logprobs

    def deltas(self, index: int = 0) -> list[dict[str, Any]]:
        """The deltas of one choice of a stream, in order."""
        return [_expect(raw.get("delta"), dict, f"{self.name}: choices[].delta") for raw in self.pieces(index)]

    def call_pieces(self, index: int = 0) -> dict[int, list[dict[str, Any]]]:
        """The pieces of each tool call of one choice of a stream, in order, by the call's own index."""
        pieces: dict[int, list[dict[str, Any]]] = {}
        for delta in self.deltas(index):
            for piece in delta.get("tool_calls") or []:
                piece = _expect(piece, dict, f"{self.name}: a tool call delta")
                at = _expect(piece.get("index"), int, f"{self.name}: tool_calls[].index of a delta")
                pieces.setdefault(at, []).append(piece)
        return pieces

    def _plain_choices(self) -> list[Choice]:
        choices = []
        for raw, index in self._raw_choices(self.body):
            message = _expect(raw.get("message"), dict, f"{self.name}: choices[].message")
            choice = Choice(index=index, raw=raw, finish_reason=raw.get("finish_reason"), role=message.get("role"))
            choice.content = _optional(message.get("content"), str, f"{self.name}: content")
            choice.text = choice.content or ""
            choice.reasoning = _reasoning(message)
            choice.tool_calls = [self._tool_call(call) for call in message.get("tool_calls") or []]
            choice.logprobs = self._logprobs(raw)
            choices.append(choice)
        return choices

    def _tool_call(self, raw: Any) -> ToolCall:
        raw = _expect(raw, dict, f"{self.name}: a tool call")
        function = _expect(raw.get("function"), dict, f"{self.name}: tool_calls[].function")
        name = _expect(function.get("name"), str, f"{self.name}: tool_calls[].function.name")
        arguments = _expect(function.get("arguments"), str, f"{self.name}: tool_calls[].function.arguments")
        return ToolCall(id=raw.get("id"), type=raw.get("type"), name=name, arguments=arguments)

    def _logprobs(self, raw: dict[str, Any]) -> list[dict[str, Any]] | None:
        logprobs = raw.get("logprobs")
        if logprobs is None:
            return None
        content = _expect(logprobs, dict, f"{self.name}: logprobs").get("content")
        return _optional(content, list, f"{self.name}: logprobs.content")

    def _streamed_choices(self) -> list[Choice]:
        choices: dict[int, Choice] = {}
        calls: dict[tuple[int, int], dict[str, Any]] = {}
        for chunk in self.chunks:
            for raw, index in self._raw_choices(chunk):
                choice = choices.setdefault(index, Choice(index=index))
                delta = _expect(raw.get("delta"), dict, f"{self.name}: choices[].delta")
                choice.role = choice.role or delta.get("role")
                if isinstance(delta.get("content"), str):
                    choice.content = choice.text = choice.text + delta["content"]
                choice.reasoning += _reasoning(delta)
                choice.finish_reason = raw.get("finish_reason") or choice.finish_reason
                if (entries := self._logprobs(raw)) is not None:
                    choice.logprobs = (choice.logprobs or []) + entries
                for piece in delta.get("tool_calls") or []:
                    self._add_piece(calls, index, piece)
        for (index, _), call in sorted(calls.items()):
            choices[index].tool_calls.append(ToolCall(**call))
        return list(choices.values())

    def _add_piece(self, calls: dict[tuple[int, int], dict[str, Any]], choice: int, piece: Any) -> None:
        piece = _expect(piece, dict, f"{self.name}: a tool call delta")
        at = _expect(piece.get("index"), int, f"{self.name}: tool_calls[].index of a delta")
        call = calls.setdefault((choice, at), {"id": None, "type": None, "name": "", "arguments": ""})
        function = _expect(piece.get("function") or {}, dict, f"{self.name}: tool_calls[].function")
        call["id"] = call["id"] or piece.get("id")
        call["type"] = call["type"] or piece.get("type")
        call["name"] += _optional(function.get("name"), str, f"{self.name}: name of a delta") or ""
        call["arguments"] += _optional(function.get("arguments"), str, f"{self.name}: arguments of a delta") or ""


class Completion(Generated):
    """An answer of POST /completions, whose chunks have the same shape as its plain object."""

    @property
    def logprobs(self) -> dict[str, Any]:
        """The legacy logprobs object of the first choice; ends the check if there is none."""
        return _expect(self.choice.raw.get("logprobs"), dict, f"{self.name}: choices[0].logprobs")

    def legacy(self, key: str, of: type[T], *, null_first: bool = False) -> list[T]:
        """A parallel array of the legacy logprobs object: its entries, of this kind, without a first that is null."""
        entries = _expect(self.logprobs.get(key), list, f"{self.name}: logprobs.{key}")
        if null_first and entries[:1] != [None]:
            raise Fail(f"{self.name}: logprobs.{key}[0] is not null", expected="null", actual=f"{entries[:1]}")
        return [_expect(entry, of, f"{self.name}: an entry of logprobs.{key}") for entry in entries[null_first:]]

    def _plain_choices(self) -> list[Choice]:
        return [
            Choice(
                index=index,
                text=_expect(raw.get("text"), str, f"{self.name}: choices[].text"),
                finish_reason=raw.get("finish_reason"),
                raw=raw,
            )
            for raw, index in self._raw_choices(self.body)
        ]

    def _streamed_choices(self) -> list[Choice]:
        choices: dict[int, Choice] = {}
        for chunk in self.chunks:
            for raw, index in self._raw_choices(chunk):
                choice = choices.setdefault(index, Choice(index=index, raw=raw))
                choice.text += raw.get("text") or ""
                choice.finish_reason = raw.get("finish_reason") or choice.finish_reason
        return list(choices.values())


class Embeddings(Answer):
    """An answer of POST /embeddings."""

    @cached_property
    def items(self) -> list[dict[str, Any]]:
        """The elements of `data`, as they came."""
        data = _expect(self.body.get("data"), list, f"{self.name}: data")
        return [_expect(item, dict, f"{self.name}: data[]") for item in data]

    @cached_property
    def vectors(self) -> list[list[float]]:
        """The embeddings as lists of numbers, in the order of their `index`."""
        ordered = sorted(self.items, key=lambda i: _expect(i.get("index"), int, f"{self.name}: data[].index"))
        return [self._numbers(item.get("embedding")) for item in ordered]

    @property
    def each(self) -> list[list[float]]:
        """The embeddings, which must be one for each text that was sent."""
        sent = self.sent.get("input")
        texts = 1 if not isinstance(sent, list) or all(isinstance(token, int) for token in sent) else len(sent)
        if len(self.vectors) != texts:
            raise Fail(f"{self.name}: not one embedding a text", expected=f"{texts}", actual=f"{len(self.vectors)}")
        return self.vectors

    @property
    def vector(self) -> list[float]:
        """The only, or first, embedding."""
        if not self.vectors:
            raise Fail(f"{self.name}: no embedding", expected="one embedding", actual="data: []")
        return self.vectors[0]

    @property
    def decoded(self) -> list[float]:
        """The first embedding, which came as base64 of little-endian float32."""
        encoded = _expect(self.items[0].get("embedding") if self.items else None, str, f"{self.name}: embedding")
        try:
            return [number for (number,) in struct.iter_unpack("<f", base64.b64decode(encoded, validate=True))]
        except (ValueError, struct.error) as problem:
            raise Fail(
                f"{self.name}: the embedding is no float32 in base64 ({problem})",
                expected="base64 of four bytes a number",
                actual=encoded[:200],
            ) from None

    def _numbers(self, raw: Any) -> list[float]:
        numbers = _expect(raw, list, f"{self.name}: data[].embedding")
        return [_expect(number, float, f"{self.name}: a number of data[].embedding") for number in numbers]

    @property
    def usage(self) -> dict[str, Any]:
        """The usage object."""
        return _expect(self.body.get("usage"), dict, f"{self.name}: usage")

    def tokens(self, kind: str) -> int:
        """One count of the usage object: `prompt` or `total`."""
        return _expect(self.usage.get(f"{kind}_tokens"), int, f"{self.name}: usage.{kind}_tokens")


class Models(Answer):
    """An answer of GET /models or GET /models/{model}."""

    @cached_property
    def models(self) -> list[dict[str, Any]]:
        """The elements of `data`."""
        data = _expect(self.body.get("data"), list, f"{self.name}: data")
        return [_expect(model, dict, f"{self.name}: data[]") for model in data]

    @property
    def ids(self) -> list[Any]:
        """The ids of the listed models."""
        return [model.get("id") for model in self.models]


ENDINGS = ("response.completed", "response.incomplete", "response.failed")
"""The types of the event that ends a stream of the Responses API."""


class Response(Answer):
    """An answer of POST /responses or GET /responses/{id}; text and calls of a stream are joined from its deltas."""

    @cached_property
    def object(self) -> dict[str, Any]:
        """The response object: the body of a plain answer, or what the last event of a stream holds."""
        if not self.streamed:
            return self.body
        last = self.chunks[-1] if self.chunks else {}
        if last.get("type") not in ENDINGS:
            raise Fail(f"{self.name}: the stream has no end", expected=" or ".join(ENDINGS), actual=f"{last}"[:300])
        return _expect(last.get("response"), dict, f"{self.name}: response of {last['type']}")

    @property
    def id(self) -> str:
        """The response's id."""
        return _expect(self.object.get("id"), str, f"{self.name}: id")

    @property
    def state(self) -> Any:
        """How the response ended, its own `status`: completed, incomplete or failed."""
        return self.object.get("status")

    @cached_property
    def output(self) -> list[dict[str, Any]]:
        """The items of the output, as they came."""
        output = _expect(self.object.get("output"), list, f"{self.name}: output")
        return [_expect(item, dict, f"{self.name}: output[]") for item in output]

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The items of the output that have this type."""
        return [item for item in self.output if item.get("type") == kind]

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The content parts of the messages of the output."""
        contents = [_expect(item.get("content"), list, f"{self.name}: content") for item in self.items("message")]
        return [_expect(part, dict, f"{self.name}: content[]") for content in contents for part in content]

    @property
    def written(self) -> str:
        """The text of the response object, as official clients read it from `output_text` parts."""
        texts = [part.get("text") for part in self.parts if part.get("type") == "output_text"]
        return "".join(_expect(text, str, f"{self.name}: text of an output_text") for text in texts)

    @cached_property
    def text(self) -> str:
        """The text; of a stream, joined from its deltas."""
        return self.joined("response.output_text.delta") if self.streamed else self.written

    @cached_property
    def tool_calls(self) -> list[ToolCall]:
        """The function calls; of a stream, their arguments are joined from the deltas."""
        if not self.streamed:
            return [self._tool_call(item) for item in self.items("function_call")]
        return [
            self._tool_call({**item, "arguments": self.joined("response.function_call_arguments.delta", named)})
            for named, item in self.added.items()
            if item.get("type") == "function_call"
        ]

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and arguments of each function call; the arguments must be JSON objects."""
        return [call.asks for call in self.tool_calls]

    @cached_property
    def reasoning(self) -> str:
        """The thoughts: their texts, or what the server gives as a summary; of a stream, joined from the deltas."""
        if self.streamed:
            return self.joined("response.reasoning_text.delta") + self.joined("response.reasoning_summary_text.delta")
        parts = [
            _expect(part, dict, f"{self.name}: part of a thought")
            for item in self.items("reasoning")
            for part in (item.get("content") or []) + (item.get("summary") or [])
        ]
        return "".join(_expect(part.get("text"), str, f"{self.name}: text of a thought") for part in parts)

    @property
    def document(self) -> Any:
        """The text as the JSON value that it must be."""
        return Choice(index=0, text=self.text).document

    @property
    def usage(self) -> dict[str, Any]:
        """The usage object."""
        return _expect(self.object.get("usage"), dict, f"{self.name}: usage")

    def tokens(self, kind: str) -> int:
        """One count of the usage object: `input`, `output` or `total`."""
        return _expect(self.usage.get(f"{kind}_tokens"), int, f"{self.name}: usage.{kind}_tokens")

    @property
    def types(self) -> list[str]:
        """The type of each event of a stream, in order."""
        return [_expect(event.get("type"), str, f"{self.name}: type of an event") for event in self.chunks]

    @property
    def sequence(self) -> list[Any]:
        """The sequence number of each event of a stream, in order."""
        return [event.get("sequence_number") for event in self.chunks]

    def typed(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of a stream that have one of these types, in order."""
        return [event for event in self.chunks if event.get("type") in kinds]

    def held(self, kind: str, key: str) -> list[dict[str, Any]]:
        """The objects that the events of a type hold under a key, in order."""
        return [_expect(event.get(key), dict, f"{self.name}: {key} of {kind}") for event in self.typed(kind)]

    @cached_property
    def snapshots(self) -> list[dict[str, Any]]:
        """The response objects of the events that have one, in order."""
        held = [event["response"] for event in self.chunks if "response" in event]
        return [_expect(response, dict, f"{self.name}: response of an event") for response in held]

    @cached_property
    def added(self) -> dict[Any, dict[str, Any]]:
        """The items of the output as they were when they were added, by what names them."""
        kind = "response.output_item.added"
        return dict(zip(map(self.item_of, self.typed(kind)), self.held(kind, "item"), strict=True))

    @cached_property
    def by_item(self) -> dict[Any, list[dict[str, Any]]]:
        """The events that belong to an item of the output, in order, by what names the item."""
        events: dict[Any, list[dict[str, Any]]] = {}
        for event in (event for event in self.chunks if self.item_of(event) is not None):
            events.setdefault(self.item_of(event), []).append(event)
        return events

    def item_of(self, event: dict[str, Any]) -> str | int | None:
        """What names the item to which an event belongs: its id or, where none is given, its place in the output."""
        item = _optional(event.get("item"), dict, f"{self.name}: item of an event") or {}
        named = _optional(event.get("item_id", item.get("id")), str, f"{self.name}: id of an item")
        return named or _optional(event.get("output_index"), int, f"{self.name}: output_index of an event")

    @property
    def distinct(self) -> list[dict[str, Any]]:
        """The events of a stream, but of those that differ in nothing but their number and delta only the first."""
        distinct: dict[str, dict[str, Any]] = {}
        for event in self.chunks:
            varying = {key: type(event[key]).__name__ for key in ("delta", "sequence_number") if key in event}
            distinct.setdefault(json.dumps({**event, **varying}), event)
        return list(distinct.values())

    def joined(self, kind: str, item: str | int | None = None) -> str:
        """The deltas of the events of a type, joined; of one item of the output, if it is given."""
        events = [event for event in self.typed(kind) if item in (None, self.item_of(event))]
        return "".join(_expect(event.get("delta"), str, f"{self.name}: delta of {kind}") for event in events)

    def _read(self) -> None:
        assert isinstance(self.text + self.written + self.reasoning, str)
        assert isinstance(self.tool_calls, list)
        if self.streamed:
            assert isinstance([self.snapshots, self.by_item, self.held("response.output_item.done", "item")], list)

    def _tool_call(self, item: dict[str, Any]) -> ToolCall:
        name = _expect(item.get("name"), str, f"{self.name}: name of a function_call")
        arguments = _expect(item.get("arguments"), str, f"{self.name}: arguments of a function_call")
        return ToolCall(id=item.get("call_id"), type=item.get("type"), name=name, arguments=arguments)


@dataclass(frozen=True, eq=False)
class Missing:
    """Stands for the answer, or answers, of a scenario that was not sent: whatever is read of it ends the check."""

    name: str
    why: str
    blocked: bool
    control: bool = False

    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("_"):
            raise AttributeError(attribute)
        raise self._verdict()

    def __getitem__(self, _: Any) -> Any:
        raise self._verdict()

    def __iter__(self) -> Iterator[Any]:
        raise self._verdict()

    def __len__(self) -> int:
        raise self._verdict()

    def _verdict(self) -> Verdict:
        return (Blocked if self.blocked else NotRun)(self.why)


VIEWS: dict[str, type[Answer]] = {
    "/chat/completions": Chat,
    "/completions": Completion,
    "/embeddings": Embeddings,
    "/models": Models,
    "/responses": Response,
}
"""Which words fit which path; a path below one of these has its words too."""


def view(path: str) -> type[Answer]:
    """The class whose words fit an exchange with `path`."""
    fitting = [cls for known, cls in VIEWS.items() if path == known or path.startswith(known + "/")]
    return fitting[0] if fitting else Answer


def _reasoning(message: dict[str, Any]) -> str:
    return message.get("reasoning_content") or message.get("reasoning") or ""


def _expect(value: Any, kind: type[T], what: str) -> T:
    """`value`, which must be of `kind` (a bool is no number); else the answer is malformed, and the check fails."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return value  # type: ignore[return-value]
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
        raise Fail(f"{what} is not {_JSON_NAMES[kind]}", expected=_JSON_NAMES[kind], actual=json.dumps(value)[:200])
    return value


def _optional(value: Any, kind: type[T], what: str) -> T | None:
    """The same for a value that may be null or absent."""
    return None if value is None else _expect(value, kind, what)


_JSON_NAMES: dict[type, str] = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "an integer",
    float: "a number",
}
