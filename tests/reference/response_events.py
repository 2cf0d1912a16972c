"""The typed events of a response, in order (openapi ResponseStreamEvent); the last one holds the plain answer."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from typing import Any

from tests.reference import opaque
from tests.reference.call import Call, new_id
from tests.reference.chat import Generation, logprobs
from tests.reference.generator import Piece

Event = dict[str, Any]


class Writer:
    """Turns the pieces of one choice into output items and the events that announce them."""

    def __init__(self, call: Call, run: Generation, head: Event) -> None:
        self._call, self._run, self._response = call, run, head
        self._number = -1
        self._open: tuple[str, int] | None = None  # channel and call of the item being written
        self._text = ""
        self._logprobs: list[Any] = []

    def _event(self, kind: str, **fields: Any) -> Event:
        self._number += 1
        return {"type": f"response.{kind}", "sequence_number": self._number, **fields}

    def _whole(self, kind: str) -> Event:
        return self._event(kind, response=copy.deepcopy(self._response))

    @property
    def _item(self) -> Event:
        item: Event = self._response["output"][-1]
        return item

    def _at(self, content: bool = True) -> Event:
        """Where an event belongs."""
        place = {"item_id": self._item["id"], "output_index": len(self._response["output"]) - 1}
        return {**place, "content_index": 0} if content else place

    def events(self, keep: Callable[[Event], None]) -> Iterator[Event]:
        """All events; `keep` gets the finished response before the last one."""
        yield self._whole("created")
        yield self._whole("in_progress")
        choice = self._run.choices[0]
        for piece in choice.pieces():
            yield from self._piece(piece)
        cut = choice.finish == "length"
        if not self._response["output"] and not cut:
            yield from self._begin("content", 0, "")
        yield from self._end("incomplete" if cut else "completed")
        self._response["status"] = "incomplete" if cut else "completed"
        self._response["incomplete_details"] = {"reason": "max_output_tokens"} if cut else None
        self._response["completed_at"] = None if cut else int(time.time())
        self._response["usage"] = self.usage()
        keep(copy.deepcopy(self._response))
        yield self._whole(self._response["status"])

    def usage(self) -> Event:
        """openapi ResponseUsage."""
        chat = self._run.usage()
        return {
            "input_tokens": chat["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": chat["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": chat["completion_tokens_details"]["reasoning_tokens"]},
            "total_tokens": chat["total_tokens"],
        }

    def _piece(self, piece: Piece) -> Iterator[Event]:
        channel = "arguments" if piece.channel == "call" else piece.channel
        if self._open != (channel, piece.call):
            yield from self._end("completed")
            yield from self._begin(channel, piece.call, piece.text if piece.channel == "call" else "")
        if piece.channel == "call":
            return
        self._text += piece.text
        if channel == "content":
            entries = logprobs(piece.logprobs)["content"] if self._run.wants_logprobs else []
            self._logprobs += entries
            yield self._event("output_text.delta", **self._at(), delta=piece.text, logprobs=entries)
        elif channel == "reasoning":
            yield self._event("reasoning_text.delta", **self._at(), delta=piece.text)
        else:
            yield self._event(f"{self._called}.delta", **self._at(False), delta=piece.text)

    def _begin(self, channel: str, call: int, name: str) -> Iterator[Event]:
        self._open, self._text, self._logprobs = (channel, call), "", []
        item: Event = {"id": new_id("msg_", 40), "type": "message", "status": "in_progress", "role": "assistant"}
        if channel == "arguments":
            item = self._tool_call(name)
        elif channel == "reasoning":
            item = {"id": new_id("rs_", 40), "type": "reasoning", "status": "in_progress", "summary": []}
        if channel != "arguments":
            item["content"] = []
        self._response["output"].append(item)
        index = len(self._response["output"]) - 1
        yield self._event("output_item.added", output_index=index, item=copy.deepcopy(item))
        if channel != "arguments":
            yield self._event("content_part.added", **self._at(), part=self._part())

    def _tool_call(self, name: str) -> Event:
        """The item of a call at its beginning; that of a custom tool has an input in place of arguments."""
        tool = self._run.wish.tool(name)
        custom = tool is not None and tool.custom
        item: Event = {"id": new_id("ctc_" if custom else "fc_", 40)}
        item |= {"type": "custom_tool_call" if custom else "function_call", "status": "in_progress"}
        item |= {"call_id": new_id("call_", 24), "name": name, "input" if custom else "arguments": ""}
        return {**item, "namespace": tool.namespace} if tool and tool.namespace else item

    @property
    def _called(self) -> str:
        """The beginning of the names of the events of the call that is being written."""
        return "custom_tool_call_input" if self._item["type"] == "custom_tool_call" else "function_call_arguments"

    def _part(self) -> Event:
        if self._open and self._open[0] == "reasoning":
            return {"type": "reasoning_text", "text": self._text}
        return {"type": "output_text", "text": self._text, "annotations": [], "logprobs": list(self._logprobs)}

    def _end(self, status: str) -> Iterator[Event]:
        if self._open is None:
            return
        item, channel = self._item, self._open[0]
        if channel == "arguments":
            custom = "input" in item
            item["input" if custom else "arguments"] = self._text
            done = {"input": self._text} if custom else {"name": item["name"], "arguments": self._text}
            yield self._event(f"{self._called}.done", **self._at(False), **done)
        else:
            part = self._part()
            item["content"] = [part]
            if channel == "reasoning" and "reasoning.encrypted_content" in (self._call.body.get("include") or []):
                item["encrypted_content"] = opaque.sealed(self._text)
            if channel == "content":
                entries = {"logprobs": part["logprobs"]}
                yield self._event("output_text.done", **self._at(), text=self._text, **entries)
            else:
                yield self._event("reasoning_text.done", **self._at(), text=self._text)
            yield self._event("content_part.done", **self._at(), part=copy.deepcopy(part))
        item["status"] = status
        index = len(self._response["output"]) - 1
        yield self._event("output_item.done", output_index=index, item=copy.deepcopy(item))
        self._open = None
