"""Chat messages: validation of a history, what the model reads of it, and the rendering into prompt tokens."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.reference import images, tokens
from tests.reference.errors import ApiError
from tests.reference.validate import invalid, mapping, missing, string, wrong_type

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
_NAME = re.compile(r"[^\s<|\\/>]{1,64}")


@dataclass(frozen=True)
class ToolCall:
    id: str
    name: str
    arguments: str


@dataclass
class Message:
    """One message as the model sees it: text parts joined, images reduced to their colour."""

    role: str
    text: str = ""
    images: list[images.Image] = field(default_factory=list)
    name: str | None = None
    calls: list[ToolCall] = field(default_factory=list)
    call_id: str | None = None
    reasoning: str = ""


def parse(raw: Any, *, vision: bool, images_in_results: bool = False) -> list[Message]:
    """The history of a chat request (openapi ChatCompletionRequestMessage), or ApiError. Images are in users' messages
    and, in the Responses API, in results of tools."""
    if raw is None:
        raise missing("messages")
    if not isinstance(raw, list):
        raise wrong_type("messages", "an array of objects", raw)
    if not raw:
        raise invalid("messages", "expected at least 1 message.", "empty_array")
    seeing = ("user", "tool") if images_in_results else ("user",)
    parsed = [_message(entry, f"messages[{at}]", vision, seeing) for at, entry in enumerate(raw)]
    _check_calls(parsed)
    return _in_order(parsed)


def _message(raw: Any, at: str, vision: bool, seeing: tuple[str, ...]) -> Message:
    if not isinstance(raw, dict):
        raise wrong_type(at, "an object", raw)
    if raw.get("role") is None:
        raise missing(f"{at}.role")
    role = raw["role"]
    string(role, f"{at}.role")
    if role not in ROLES:
        raise invalid(f"{at}.role", f"'{role}' is not one of {', '.join(ROLES)}.")
    message = Message(role)
    if raw.get("name") is not None:
        string(raw["name"], f"{at}.name")
        if not _NAME.fullmatch(raw["name"]):
            raise invalid(f"{at}.name", "expected 1 to 64 characters without spaces.", "invalid_name")
        message.name = raw["name"]
    _content(message, raw.get("content"), f"{at}.content", vision, seeing)
    if role == "assistant":
        _assistant(message, raw, at)
    elif raw.get("content") is None:
        raise missing(f"{at}.content") if "content" not in raw else wrong_type(f"{at}.content", "a string", None)
    if role == "tool":
        if raw.get("tool_call_id") is None:
            raise missing(f"{at}.tool_call_id")
        string(raw["tool_call_id"], f"{at}.tool_call_id")
        message.call_id = raw["tool_call_id"]
    return message


def _content(message: Message, content: Any, at: str, vision: bool, seeing: tuple[str, ...]) -> None:
    if content is None:
        return
    if isinstance(content, str):
        message.text = content
        return
    if not isinstance(content, list):
        raise wrong_type(at, "a string or an array of objects", content)
    if not content:
        raise invalid(at, "expected at least 1 part.", "empty_array")
    texts = []
    for number, part in enumerate(content):
        here = f"{at}[{number}]"
        mapping(part, here)
        kind = part.get("type")
        if kind is None:
            raise missing(f"{here}.type")
        if kind == "text":
            if part.get("text") is None:
                raise missing(f"{here}.text")
            string(part["text"], f"{here}.text")
            texts.append(part["text"])
        elif kind == "image_url" and message.role in seeing:
            if not vision:
                raise ApiError("This model takes no images.", param=here, code="unsupported_content")
            message.images.append(images.read(part, here))
        elif kind == "refusal" and message.role == "assistant":
            string(part.get("refusal"), f"{here}.refusal")
            texts.append(part["refusal"])
        else:
            raise invalid(f"{here}.type", f"a {message.role} message cannot hold '{kind}' parts here.")
    message.text = "".join(texts)


def _assistant(message: Message, raw: dict[str, Any], at: str) -> None:
    reasoning = raw.get("reasoning_content", raw.get("reasoning"))
    message.reasoning = reasoning if isinstance(reasoning, str) else ""
    calls = raw.get("tool_calls")
    legacy = raw.get("function_call")
    if calls is not None:
        if not isinstance(calls, list):
            raise wrong_type(f"{at}.tool_calls", "an array of objects", calls)
        if not calls:
            raise invalid(f"{at}.tool_calls", "expected at least 1 call.", "empty_array")
        message.calls = [_call(call, f"{at}.tool_calls[{number}]") for number, call in enumerate(calls)]
    elif legacy is not None:
        message.calls = [ToolCall("", *_function(legacy, f"{at}.function_call"))]
    elif raw.get("content") is None and raw.get("refusal") is None:
        raise missing(f"{at}.content")


def _call(raw: Any, at: str) -> ToolCall:
    mapping(raw, at)
    for key in ("id", "type"):
        if raw.get(key) is None:
            raise missing(f"{at}.{key}")
    string(raw["id"], f"{at}.id")
    kind = raw["type"]
    if kind not in ("function", "custom"):
        raise invalid(f"{at}.type", "expected 'function' or 'custom'.")
    if raw.get(kind) is None:
        raise missing(f"{at}.{kind}")
    if kind == "custom":
        name, text = _function(raw["custom"], f"{at}.custom", "input")
        return ToolCall(raw["id"], name, json.dumps(text, ensure_ascii=False))
    return ToolCall(raw["id"], *_function(raw["function"], f"{at}.function"))


def _function(raw: Any, at: str, text: str = "arguments") -> tuple[str, str]:
    """The name of what was called, and with what text."""
    mapping(raw, at)
    for key in ("name", text):
        if raw.get(key) is None:
            raise missing(f"{at}.{key}")
        string(raw[key], f"{at}.{key}")
    return raw["name"], raw[text]


def _check_calls(history: list[Message]) -> None:
    """Each call is answered by the tool messages right after it, and each tool message answers one of those calls."""
    open_calls: list[str] = []
    for at, message in enumerate(history):
        if message.role == "tool":
            if message.call_id not in open_calls:
                text = "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
                raise ApiError(f"{text} No call '{message.call_id}' waits.", param=f"messages[{at}].tool_call_id")
            open_calls.remove(message.call_id)
            continue
        _all_answered(open_calls, at)
        open_calls = [call.id for call in message.calls if call.id]
    _all_answered(open_calls, len(history))


def _in_order(history: list[Message]) -> list[Message]:
    """The history with the results of each message's calls in the order of the calls: the model reads no ids."""
    ordered: list[Message] = []
    ids: list[str | None] = []
    for message in history:
        ordered.append(message)
        if message.role != "tool":
            ids, first = [call.id for call in message.calls], len(ordered)
        else:
            ordered[first:] = sorted(ordered[first:], key=lambda result: ids.index(result.call_id))
    return ordered


def _all_answered(open_calls: list[str], at: int) -> None:
    if open_calls:
        ids = ", ".join(open_calls)
        message = f"An assistant message with 'tool_calls' must be followed by an answer to each call; none for: {ids}."
        raise ApiError(message, param=f"messages[{at}]")


def render(history: list[Message], tools: list[dict[str, Any]]) -> list[int]:
    """Prompt tokens, after the probe model's chat template (fixtures/probe_model/training/chat_template.jinja)."""
    ids: list[int] = []
    rest = list(history)
    if tools:
        system = rest.pop(0).text + "\n\n" if rest[0].role in ("system", "developer") else ""
        listed = "".join("\n" + json.dumps(_without_null(tool), ensure_ascii=False) for tool in tools)
        ids += _turn("system", f"{system}# Tools\n<tools>{listed}\n</tools>\nTo call a tool write JSON.")
    for message in rest:
        role = {"developer": "system", "function": "tool"}.get(message.role, message.role)
        text = f"<think>\n{message.reasoning}\n</think>\n\n" if message.reasoning else ""
        text += message.text
        for call in message.calls:
            text += f'\n<tool_call>\n{{"name": "{call.name}", "arguments": {call.arguments}}}\n</tool_call>'
        pads = [
            pad
            for image in message.images
            for pad in (tokens.IMAGE_START, *[tokens.IMAGE_PAD] * image.tokens, tokens.IMAGE_END)
        ]
        ids += _turn(f"{role} {message.name}" if message.name else role, text, pads)
    return [*ids, tokens.START, *tokens.encode("assistant\n")]


def _without_null(tool: dict[str, Any]) -> dict[str, Any]:
    """A tool as if what is null in it, or in its function, were absent."""
    return {
        name: {key: inner for key, inner in value.items() if inner is not None} if isinstance(value, dict) else value
        for name, value in tool.items()
        if value is not None
    }


def _turn(head: str, text: str, pads: list[int] | None = None) -> list[int]:
    start, middle = tokens.encode(head + "\n"), tokens.encode(text)
    return [tokens.START, *start, *(pads or []), *middle, tokens.END, *tokens.encode("\n")]
