"""Responses of POST /chat/completions and POST /completions, plain and streamed, read with the same words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from conformance.answers.answer import Answer
from conformance.answers.values import T, distinct, expect, optional, parsed, written
from conformance.outcomes import Blocked, Fail, Unreadable, Verdict, notes
from conformance.outcomes.comparisons import shown

_TEXT = re.compile(r'"(content|text|reasoning_content|reasoning|arguments)": "(?:[^"\\]++|\\.)++"')
"""A generated string in a chunk, as `json.dumps` writes it."""

_KINDS: dict[str, type] = {"token": str, "logprob": float, "top_logprobs": list}
"""The fields of an entry of `logprobs.content`."""


class Entry(dict[str, Any]):
    """An entry of `logprobs.content`, or an alternative in one. A check that reads a missing field ends."""

    def __getitem__(self, key: str) -> Any:
        if key not in self:
            raise Fail(
                f"expected `{key}`, got an entry without it (`logprobs.content[]`)",
                expected=f"`{key}`",
                actual=written(self)[:300],
            )
        value = super().__getitem__(key)
        if key in _KINDS:
            expect(value, _KINDS[key], f"`logprobs.content[].{key}`")
        if key != "top_logprobs":
            return value
        return Alternatives(Entry(expect(one, dict, "`logprobs.content[].top_logprobs[]`")) for one in value)


class Alternatives(list[Entry]):
    """`top_logprobs`; a check that reads the first entry of an empty array ends."""

    def __getitem__(self, at: Any) -> Any:
        if not self:
            raise Fail(
                "expected at least one alternative, got [] (`top_logprobs`)", expected="at least one", actual="[]"
            )
        return super().__getitem__(at)


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One tool call; `arguments` is the JSON string as it came, deltas joined. Of a custom tool it is the `input`.

    `strict` says whether the request declares its function so: only then must the arguments be JSON that fits.
    """

    id: str | None
    type: str | None
    name: str
    arguments: str
    strict: bool = False

    @property
    def args(self) -> dict[str, Any]:
        """The arguments, which must be a JSON object.

        Without `strict`, the model may have written something else; but no model writes an empty string.
        """
        what = f"`arguments` of `{self.name}`"
        try:
            return expect(parsed(self.arguments, what, wanted="a JSON object"), dict, what)
        except Fail as problem:
            if self.strict or not self.arguments:
                raise
            raise Unreadable(str(problem), expected=problem.expected, actual=problem.actual) from None

    @property
    def asks(self) -> tuple[str, Any]:
        """Name and arguments, without the id: calls that ask for the same are equal here. What is no JSON object is
        compared as a string."""
        try:
            return self.name, self.args
        except Verdict:
            return self.name, self.arguments


def strict_functions(sent: dict[str, Any]) -> set[str]:
    """The names of the functions that a request declares as `strict`, in chat's form or that of the Responses API."""
    listed = sent.get("tools")
    tools = [tool for tool in (listed if isinstance(listed, list) else []) if isinstance(tool, dict)]
    functions = [inner if isinstance(inner := tool.get("function"), dict) else tool for tool in tools]
    return {str(function.get("name")) for function in functions if function.get("strict") is True}


@dataclass
class Choice:
    """One choice, read from a plain response or put together from a stream."""

    index: int
    text: str = ""
    content: str | None = None
    role: str | None = None
    reasoning: str = ""
    refusal: str = ""
    finish_reason: str | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    logprobs: list[dict[str, Any]] | None = None
    raw: dict[str, Any] = field(default_factory=dict)

    @property
    def document(self) -> Any:
        """The content as the JSON value that it must be."""
        return parsed(self.text, "`content`", wanted="JSON")


class Generated(Answer):
    """What chat and legacy completions have in common."""

    @cached_property
    def choices(self) -> list[Choice]:
        """The choices, ordered by index; ends the check if there is none."""
        choices = sorted(self._streamed_choices() if self.streamed else self._plain_choices(), key=lambda c: c.index)
        if not choices:
            raise Fail(
                f"{self.name}: expected at least one choice, got none (`choices`)",
                expected="at least one choice",
                actual=self._shortened,
            )
        return choices

    def _read(self) -> None:
        assert self.choices

    @property
    def choice(self) -> Choice:
        """The first choice."""
        return self.choices[0]

    @property
    def text(self) -> str:
        """The content of the first choice; empty if it has none."""
        notes.current().generated.add(self.name)
        return self.choice.text

    @property
    def said(self) -> str:
        """All that the model wrote for the first choice, without calls: reasoning, then text or refusal."""
        notes.current().generated.add(self.name)
        return self.choice.reasoning + self.choice.text + self.choice.refusal

    @property
    def refusal(self) -> str:
        """The model's refusal, which stands in place of the content; empty if there is none."""
        return self.choice.refusal

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended."""
        return self.choice.finish_reason

    @property
    def truncated(self) -> bool:
        """Whether a token limit ended a choice, according to its `finish_reason`."""
        return any(choice.finish_reason == "length" for choice in self.choices)

    @cached_property
    def objects(self) -> list[dict[str, Any]]:
        """The response objects: the one of a plain response, or all chunks of a stream."""
        return self.chunks if self.streamed else [self.body]

    def values(self, key: str) -> list[Any]:
        """The different values that a key has in the response objects, in order; None where it is absent."""
        return distinct(one.get(key) for one in self.objects)

    @property
    def distinct_chunks(self) -> list[dict[str, Any]]:
        """The chunks of a stream; of those that differ only in a generated string, the first."""
        distinct: dict[str, dict[str, Any]] = {}
        for chunk in self.chunks:
            distinct.setdefault(_TEXT.sub(r'"\1"', written(chunk)), chunk)
        return list(distinct.values())

    def pieces(self, index: int = 0) -> list[dict[str, Any]]:
        """The entries of one choice in the chunks of a stream, in order."""
        return [raw for chunk in self.chunks for raw, at in self._raw_choices(chunk) if at == index]

    @cached_property
    def usage(self) -> dict[str, Any]:
        """The usage object; of a stream, the last one."""
        found = [o["usage"] for o in self.objects if o.get("usage") is not None]
        if not found and self.unasked:
            raise Blocked(f"{self.name}: expected a plain response with `usage`, got an event stream without")
        if not found:
            raise Fail(
                f"{self.name}: expected an object, got nothing (`usage`)", expected="an object", actual=self._shortened
            )
        return expect(found[-1], dict, f"{self.name}: `usage`")

    def tokens(self, kind: str) -> int:
        """One count of the usage object: `prompt`, `completion` or `total`."""
        if kind != "prompt":
            notes.current().generated.add(self.name)
        return expect(self.usage.get(f"{kind}_tokens"), int, f"{self.name}: `usage.{kind}_tokens`")

    @property
    def _shortened(self) -> str:
        return self.whole.body[:300].decode(errors="replace")

    def _raw_choices(self, of: dict[str, Any]) -> Iterator[tuple[dict[str, Any], int]]:
        for choice in expect(of.get("choices"), list, f"{self.name}: `choices`"):
            choice = expect(choice, dict, f"{self.name}: `choices[]`")
            yield choice, expect(choice.get("index"), int, f"{self.name}: `choices[].index`")

    def _plain_choices(self) -> list[Choice]:
        raise NotImplementedError

    def _streamed_choices(self) -> list[Choice]:
        raise NotImplementedError


class Chat(Generated):
    """A response of POST /chat/completions."""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the first choice."""
        return self.choice.tool_calls

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """Name and arguments of each tool call of the first choice, to be compared."""
        return [call.asks for call in self.tool_calls]

    @property
    def document(self) -> Any:
        """The content of the first choice as the JSON value that it must be."""
        return self.choice.document

    @property
    def reasoning(self) -> str:
        """The reasoning, which a server sends in its own field (`reasoning_content` or `reasoning`)."""
        notes.current().generated.add(self.name)
        return self.choice.reasoning

    @property
    def logprobs(self) -> list[dict[str, Any]]:
        """The entries of `logprobs.content` of the first choice; ends the check if there are none."""
        if self.choice.logprobs is None:
            raise Fail(
                f"{self.name}: expected an array, got nothing (`choices[0].logprobs.content`)",
                expected="an array",
                actual=self._shortened,
            )
        return self.choice.logprobs

    def deltas(self, index: int = 0) -> list[dict[str, Any]]:
        """The deltas of one choice of a stream, in order."""
        return [expect(raw.get("delta"), dict, f"{self.name}: `choices[].delta`") for raw in self.pieces(index)]

    def call_deltas(self, index: int = 0) -> dict[int, list[dict[str, Any]]]:
        """The deltas of each tool call of one choice of a stream, in order, by the call's own `index`."""
        pieces: dict[int, list[dict[str, Any]]] = {}
        for delta in self.deltas(index):
            for piece in self._listed_calls(delta):
                piece = expect(piece, dict, f"{self.name}: `delta.tool_calls[]`")
                at = expect(piece.get("index"), int, f"{self.name}: `delta.tool_calls[].index`")
                pieces.setdefault(at, []).append(piece)
        return pieces

    def _plain_choices(self) -> list[Choice]:
        choices = []
        for raw, index in self._raw_choices(self.body):
            message = expect(raw.get("message"), dict, f"{self.name}: `choices[].message`")
            choice = Choice(index=index, raw=raw, finish_reason=raw.get("finish_reason"), role=message.get("role"))
            choice.content = optional(message.get("content"), str, f"{self.name}: `message.content`")
            choice.text = choice.content or ""
            choice.reasoning = reasoning(message)
            choice.refusal = optional(message.get("refusal"), str, f"{self.name}: `message.refusal`") or ""
            choice.tool_calls = [self._tool_call(call) for call in self._listed_calls(message)]
            choice.logprobs = self._logprobs(raw)
            choices.append(choice)
        return choices

    def _listed_calls(self, message: dict[str, Any]) -> list[Any]:
        return optional(message.get("tool_calls"), list, f"{self.name}: `tool_calls`") or []

    def _tool_call(self, raw: Any) -> ToolCall:
        raw = expect(raw, dict, f"{self.name}: `tool_calls[]`")
        kind, key = ("custom", "input") if raw.get("type") == "custom" else ("function", "arguments")
        function = expect(raw.get(kind), dict, f"{self.name}: `tool_calls[].{kind}`")
        name = expect(function.get("name"), str, f"{self.name}: `tool_calls[].{kind}.name`")
        arguments = expect(function.get(key), str, f"{self.name}: `tool_calls[].{kind}.{key}`")
        strict = name in strict_functions(self.sent)
        return ToolCall(id=raw.get("id"), type=raw.get("type"), name=name, arguments=arguments, strict=strict)

    def _logprobs(self, raw: dict[str, Any]) -> list[dict[str, Any]] | None:
        logprobs = raw.get("logprobs")
        if logprobs is None:
            return None
        content = expect(logprobs, dict, f"{self.name}: `logprobs`").get("content")
        entries = optional(content, list, f"{self.name}: `logprobs.content`")
        return entries and [Entry(expect(entry, dict, f"{self.name}: `logprobs.content[]`")) for entry in entries]

    def _streamed_choices(self) -> list[Choice]:
        choices: dict[int, Choice] = {}
        contents: dict[int, list[str]] = {}
        reasonings: dict[int, list[str]] = {}
        calls: dict[tuple[int, int], dict[str, Any]] = {}
        for chunk in self.chunks:
            for raw, index in self._raw_choices(chunk):
                choice = choices.setdefault(index, Choice(index=index))
                delta = expect(raw.get("delta"), dict, f"{self.name}: `choices[].delta`")
                choice.role = choice.role or delta.get("role")
                if isinstance(delta.get("content"), str):
                    contents.setdefault(index, []).append(delta["content"])
                reasonings.setdefault(index, []).append(reasoning(delta))
                choice.refusal += optional(delta.get("refusal"), str, f"{self.name}: `delta.refusal`") or ""
                choice.finish_reason = raw.get("finish_reason") or choice.finish_reason
                if (entries := self._logprobs(raw)) is not None:
                    choice.logprobs = choice.logprobs or []
                    choice.logprobs += entries
                for piece in self._listed_calls(delta):
                    self._add_piece(calls, index, piece)
        for index, choice in choices.items():
            choice.reasoning = "".join(reasonings[index])
            if index in contents:
                choice.content = choice.text = "".join(contents[index])
        for (index, _), call in sorted(calls.items()):
            name, arguments = "".join(call["name"]), "".join(call["arguments"])
            joined = {"name": name, "arguments": arguments, "strict": name in strict_functions(self.sent)}
            choices[index].tool_calls.append(ToolCall(**{**call, **joined}))
        for choice in choices.values() if self.unasked else ():
            choice.raw = self._as_plain(choice)
        return list(choices.values())

    def _as_plain(self, choice: Choice) -> dict[str, Any]:
        """The choice of a plain response, put together from a stream."""
        message: dict[str, Any] = {"role": choice.role, "content": choice.content}
        if choice.tool_calls:
            message["tool_calls"] = [
                {"id": call.id, "type": call.type, "function": {"name": call.name, "arguments": call.arguments}}
                for call in choice.tool_calls
            ]
        deltas = (
            optional(raw.get("delta"), dict, f"{self.name}: `choices[].delta`") or {}
            for raw in self.pieces(choice.index)
        )
        if legacy := [called for delta in deltas if isinstance(called := delta.get("function_call"), dict)]:
            keys = ("name", "arguments")
            message["function_call"] = {key: "".join(str(one.get(key) or "") for one in legacy) for key in keys}
        logprobs = None if choice.logprobs is None else {"content": choice.logprobs}
        return {**choice.raw, "message": message, "logprobs": logprobs, "finish_reason": choice.finish_reason}

    def _add_piece(self, calls: dict[tuple[int, int], dict[str, Any]], choice: int, piece: Any) -> None:
        piece = expect(piece, dict, f"{self.name}: `delta.tool_calls[]`")
        at = expect(piece.get("index"), int, f"{self.name}: `delta.tool_calls[].index`")
        call = calls.setdefault((choice, at), {"id": None, "type": None, "name": [], "arguments": []})
        function = expect(piece.get("function") or {}, dict, f"{self.name}: `tool_calls[].function`")
        call["id"] = call["id"] or piece.get("id")
        call["type"] = call["type"] or piece.get("type")
        call["name"].append(
            optional(function.get("name"), str, f"{self.name}: `delta.tool_calls[].function.name`") or ""
        )
        call["arguments"].append(
            optional(function.get("arguments"), str, f"{self.name}: `delta.tool_calls[].function.arguments`") or ""
        )


class Completion(Generated):
    """A response of POST /completions, whose chunks have the same form as its plain object."""

    @property
    def logprobs(self) -> dict[str, Any]:
        """The legacy logprobs object of the first choice; ends the check if there is none."""
        return expect(self.choice.raw.get("logprobs"), dict, f"{self.name}: `choices[0].logprobs`")

    def legacy(self, key: str, of: type[T], *, null_first: bool = False) -> list[T]:
        """A parallel array of the legacy logprobs object: its entries, of this kind, without a first that is null."""
        entries = expect(self.logprobs.get(key), list, f"{self.name}: `logprobs.{key}`")
        if null_first and entries[:1] != [None]:
            raise Fail(
                f"{self.name}: `logprobs.{key}[0]`: expected null, got {shown(entries[:1])}",
                expected="null",
                actual=shown(entries[:1]),
            )
        return [expect(entry, of, f"{self.name}: `logprobs.{key}[]`") for entry in entries[null_first:]]

    def _plain_choices(self) -> list[Choice]:
        return [
            Choice(
                index=index,
                text=expect(raw.get("text"), str, f"{self.name}: `choices[].text`"),
                finish_reason=raw.get("finish_reason"),
                raw=raw,
            )
            for raw, index in self._raw_choices(self.body)
        ]

    def _streamed_choices(self) -> list[Choice]:
        choices: dict[int, Choice] = {}
        texts: dict[int, list[str]] = {}
        for chunk in self.chunks:
            for raw, index in self._raw_choices(chunk):
                choice = choices.setdefault(index, Choice(index=index, raw=raw))
                texts.setdefault(index, []).append(
                    optional(raw.get("text"), str, f"{self.name}: `choices[].text`") or ""
                )
                choice.finish_reason = raw.get("finish_reason") or choice.finish_reason
        for index, choice in choices.items():
            choice.text = "".join(texts[index])
        return list(choices.values())


def reasoning(message: dict[str, Any]) -> str:
    found = (optional(message.get(key), str, f"`{key}`") for key in ("reasoning_content", "reasoning"))
    return next(filter(None, found), "")
