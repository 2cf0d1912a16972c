"""Responses of POST /responses, and of the endpoints for stored ones."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from conformance.answers.answer import Answer
from conformance.answers.generated import Choice, ToolCall, strict_functions
from conformance.answers.values import expect, optional, written
from conformance.outcomes import Fail, notes
from conformance.outcomes.comparisons import shown

ENDINGS = ("response.completed", "response.incomplete", "response.failed")
"""The types of the event that ends a stream of the Responses API."""


class Response(Answer):
    """A response of POST /responses or GET /responses/{id}; text and calls of a stream are joined from its deltas."""

    @cached_property
    def body(self) -> dict[str, Any]:
        """The JSON object of a 2xx response; of a stream that was not requested, the response of its last event."""
        return self.object if self.unasked else super().body

    @cached_property
    def object(self) -> dict[str, Any]:
        """The response object: the body of a plain response, or what the last event of a stream holds."""
        if not self.streamed:
            return self.body
        last = self.chunks[-1] if self.chunks else {}
        if last.get("type") not in ENDINGS:
            raise Fail(
                f"{self.name}: expected the end of the response, got {shown(last.get('type'))} (last event)",
                expected=" or ".join(ENDINGS),
                actual=shown(last),
            )
        return expect(last.get("response"), dict, f"{self.name}: `response` of {last['type']}")

    @property
    def id(self) -> str:
        """The response's id."""
        return expect(self.object.get("id"), str, f"{self.name}: `id`")

    @property
    def state(self) -> Any:
        """The `status` of the response: completed, incomplete or failed."""
        return self.object.get("status")

    @cached_property
    def output(self) -> list[dict[str, Any]]:
        """The items of the output, as they came."""
        output = expect(self.object.get("output"), list, f"{self.name}: `output`")
        return [expect(item, dict, f"{self.name}: `output[]`") for item in output]

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The items of the output that have this type."""
        return [item for item in self.output if item.get("type") == kind]

    @property
    def parts(self) -> list[dict[str, Any]]:
        """The content parts of the messages of the output."""
        contents = [
            expect(item.get("content"), list, f"{self.name}: `output[].content`") for item in self.items("message")
        ]
        return [expect(part, dict, f"{self.name}: `output[].content[]`") for content in contents for part in content]

    @property
    def written(self) -> str:
        """The text of the response object, as official clients read it from `output_text` parts."""
        texts = [part.get("text") for part in self.parts if part.get("type") == "output_text"]
        return "".join(expect(text, str, f"{self.name}: `text` of an `output_text`") for text in texts)

    @property
    def text(self) -> str:
        """The text; of a stream, joined from its deltas."""
        notes.current().generated.add(self.name)
        return self.joined("response.output_text.delta") if self.streamed else self.written

    @cached_property
    def tool_calls(self) -> list[ToolCall]:
        """The function calls; of a stream, their arguments are joined from the deltas."""
        if not self.streamed:
            return [self._tool_call(item) for item in self.items("function_call")]
        deltas: dict[Any, list[dict[str, Any]]] = {}
        for event in self.typed("response.function_call_arguments.delta"):
            deltas.setdefault(self.item_of(event), []).append(event)
        return [
            self._tool_call({**item, "arguments": self._joined(deltas.get(named, []))})
            for named, item in self.added.items()
            if item.get("type") == "function_call"
        ]

    @property
    def calls(self) -> list[tuple[str, Any]]:
        """Name and arguments of each function call, to be compared."""
        return [call.asks for call in self.tool_calls]

    @cached_property
    def reasoning(self) -> str:
        """The reasoning, or the summary that the server sends of it; of a stream, joined from the deltas."""
        if self.streamed:
            return self.joined("response.reasoning_text.delta") + self.joined("response.reasoning_summary_text.delta")
        parts = [
            expect(part, dict, f"{self.name}: part of a `reasoning` item")
            for item in self.items("reasoning")
            for key in ("content", "summary")
            for part in optional(item.get(key), list, f"{self.name}: `{key}` of a `reasoning` item") or []
        ]
        return "".join(expect(part.get("text"), str, f"{self.name}: `text` of a `reasoning` item") for part in parts)

    @property
    def said(self) -> str:
        """All that the model wrote, without calls: reasoning, then text or refusal."""
        return self.reasoning + self.text + self.refusal

    @property
    def refusal(self) -> str:
        """The model's refusal, which stands in place of the text; empty if there is none."""
        texts = [part.get("refusal") for part in self.parts if part.get("type") == "refusal"]
        return "".join(expect(text, str, f"{self.name}: `refusal`") for text in texts)

    @property
    def truncated(self) -> bool:
        """Whether a token limit ended the response, according to its `status`."""
        return bool(self.state == "incomplete")

    @property
    def incomplete_reason(self) -> Any:
        """Why the response is incomplete; None if it does not say so."""
        details = self.object.get("incomplete_details")
        return details.get("reason") if isinstance(details, dict) else details

    @property
    def document(self) -> Any:
        """The text as the JSON value that it must be."""
        return Choice(index=0, text=self.text).document

    @property
    def usage(self) -> dict[str, Any]:
        """The usage object."""
        return expect(self.object.get("usage"), dict, f"{self.name}: `usage`")

    def tokens(self, kind: str) -> int:
        """One count of the usage object: `input`, `output` or `total`."""
        if kind != "input":
            notes.current().generated.add(self.name)
        return expect(self.usage.get(f"{kind}_tokens"), int, f"{self.name}: `usage.{kind}_tokens`")

    @property
    def types(self) -> list[str]:
        """The type of each event of a stream, in order."""
        return [expect(event.get("type"), str, f"{self.name}: `type` of an event") for event in self.chunks]

    @property
    def sequence(self) -> list[Any]:
        """The sequence number of each event of a stream, in order."""
        return [event.get("sequence_number") for event in self.chunks]

    def typed(self, *kinds: str) -> list[dict[str, Any]]:
        """The events of a stream that have one of these types, in order."""
        return [event for event in self.chunks if event.get("type") in kinds]

    def held(self, kind: str, key: str) -> list[dict[str, Any]]:
        """The objects that the events of a type hold under a key, in order."""
        return [expect(event.get(key), dict, f"{self.name}: `{key}` of {kind}") for event in self.typed(kind)]

    @cached_property
    def snapshots(self) -> list[dict[str, Any]]:
        """The response objects of the events that have one, in order."""
        held = [event["response"] for event in self.chunks if "response" in event]
        return [expect(response, dict, f"{self.name}: `response` of an event") for response in held]

    @cached_property
    def added(self) -> dict[Any, dict[str, Any]]:
        """The items of the output as they were added, by id or place (see `item_of`)."""
        kind = "response.output_item.added"
        return dict(zip(map(self.item_of, self.typed(kind)), self.held(kind, "item"), strict=True))

    @cached_property
    def by_item(self) -> dict[Any, list[dict[str, Any]]]:
        """The events of each item of the output, in order, by the item's id or place (see `item_of`)."""
        events: dict[Any, list[dict[str, Any]]] = {}
        for event in (event for event in self.chunks if self.item_of(event) is not None):
            events.setdefault(self.item_of(event), []).append(event)
        return events

    def item_of(self, event: dict[str, Any]) -> str | int | None:
        """The id of the item to which an event belongs, or its place in the output if it has no id."""
        item = optional(event.get("item"), dict, f"{self.name}: `item` of an event") or {}
        named = optional(event.get("item_id", item.get("id")), str, f"{self.name}: `item_id` of an event")
        return named or optional(event.get("output_index"), int, f"{self.name}: `output_index` of an event")

    @property
    def distinct(self) -> list[dict[str, Any]]:
        """The events of a stream; of those that differ only in number and delta, the first."""
        distinct: dict[str, dict[str, Any]] = {}
        for event in self.chunks:
            varying = {key: type(event[key]).__name__ for key in ("delta", "sequence_number") if key in event}
            distinct.setdefault(written({**event, **varying}), event)
        return list(distinct.values())

    def joined(self, kind: str) -> str:
        """The deltas of the events of a type, joined."""
        return self._joined(self.typed(kind))

    def _joined(self, events: list[dict[str, Any]]) -> str:
        return "".join(expect(e.get("delta"), str, f"{self.name}: `delta` of {e.get('type')}") for e in events)

    def _read(self) -> None:
        assert isinstance(self.text + self.written + self.reasoning, str)
        assert isinstance(self.tool_calls, list)
        if self.streamed:
            assert isinstance([self.snapshots, self.by_item, self.held("response.output_item.done", "item")], list)

    def _tool_call(self, item: dict[str, Any]) -> ToolCall:
        name = expect(item.get("name"), str, f"{self.name}: `name` of a `function_call`")
        arguments = expect(item.get("arguments"), str, f"{self.name}: `arguments` of a `function_call`")
        strict = name in strict_functions(self.sent)
        return ToolCall(id=item.get("call_id"), type=item.get("type"), name=name, arguments=arguments, strict=strict)
