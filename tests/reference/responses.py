"""POST /v1/responses and what it stores (openapi CreateResponse). Requests are translated into chat's terms."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.reference import opaque, params
from tests.reference.call import Call, Reply, find_model, new_id
from tests.reference.chat import Generation
from tests.reference.errors import ApiError
from tests.reference.messages import parse
from tests.reference.response_events import Writer
from tests.reference.validate import (
    EFFORTS,
    MOST_TOKENS,
    SERVICE_TIERS,
    Body,
    boolean,
    check,
    integer,
    invalid,
    mapping,
    metadata,
    missing,
    number,
    one_of,
    string,
    wrong_type,
)

_RULES = {
    "temperature": number(0, 2),
    "top_p": number(0, 1),
    "max_output_tokens": integer(16, MOST_TOKENS),
    "top_logprobs": integer(0, 20),
    "stream": boolean,
    "store": boolean,
    "instructions": string,
    "previous_response_id": string,
    "parallel_tool_calls": boolean,
    "metadata": metadata,
    "user": string,
    "truncation": one_of("auto", "disabled"),
    "service_tier": one_of(*SERVICE_TIERS),
    "text": mapping,
    "reasoning": mapping,
    "stream_options": mapping,
}
_ITEM_STORE = 1000  # responses kept


@dataclass(frozen=True)
class _Asked:
    """A request in chat's terms: its items, the conversation of which they are the end, and what is to be generated."""

    items: list[Body]
    history: list[Body]
    run: Generation


def create(call: Call) -> Reply:
    """Validate, translate, then answer whole or as a stream of typed events."""
    asked = _asked(call)
    writer = Writer(call, asked.run, _head(call))

    def keep(response: Body) -> None:
        if call.body.get("store") is False:
            return
        while len(call.state.responses) >= _ITEM_STORE:
            call.state.responses.pop(next(iter(call.state.responses)))
        history = [*asked.history, *_messages(response["output"])]
        call.state.responses[response["id"]] = {"response": response, "history": history, "input": asked.items}

    if call.stream:
        return Reply(events=writer.events(keep), named=True)
    *_, last = writer.events(keep)
    return Reply(last["response"])


def input_tokens(call: Call) -> Reply:
    """How many tokens the input of a request has (openapi TokenCountsResource)."""
    return Reply({"object": "response.input_tokens", "input_tokens": _asked(call).run.prompt_tokens})


def compact(call: Call) -> Reply:
    """A conversation as one item, to be sent back in its place (openapi CompactResource). It has all of it."""
    asked = _asked(call)
    item = {"id": new_id("cmp_", 40), "type": "compaction", "encrypted_content": opaque.sealed(asked.history)}
    usage = Writer(call, asked.run, {}).usage()
    head = {"id": new_id("resp_", 40), "object": "response.compaction", "created_at": call.created}
    return Reply({**head, "output": [item], "usage": usage})


def cancel(call: Call) -> Reply:
    """Only a response with `background: true` can be cancelled, and this server makes none."""
    _stored(call)
    raise ApiError("Only a response that was created with 'background' can be cancelled.", param="response_id")


def _asked(call: Call) -> _Asked:
    """A request, validated and translated."""
    body = call.body
    known = find_model(body)
    check(body, _RULES)
    for name in ("background", "conversation", "prompt"):
        if body.get(name):
            raise ApiError(f"'{name}' is not supported here.", param=name, code="unsupported_parameter")
    if body.get("stream_options") is not None and not body.get("stream"):
        message = "The 'stream_options' parameter is only allowed when 'stream' is enabled."
        raise ApiError(message, param="stream_options")
    earlier = _earlier(call)
    items = [_referred(item, f"input[{at}]", call) for at, item in enumerate(_items(body.get("input")))]
    system = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    try:
        asked = _messages(items)
        chat = _chat_body(body)
        wish = params.wish(chat)
        history = parse([*system, *earlier, *asked], vision=known.vision, images_in_results=True)
        return _Asked(items, [*earlier, *asked], Generation(call, chat, history, wish))
    except ApiError as error:
        raise _renamed(error) from None


def retrieve(call: Call) -> Reply:
    return Reply(_stored(call)["response"])


def delete(call: Call) -> Reply:
    _stored(call)
    del call.state.responses[call.argument]
    return Reply({"id": call.argument, "object": "response", "deleted": True})


def input_items(call: Call) -> Reply:
    """The items that a stored response answered, latest first."""
    items = [{"id": new_id("msg_", 24), "type": "message", **item} for item in reversed(_stored(call)["input"])]
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]}
    return Reply({"object": "list", "data": items, **ends, "has_more": False})


def _stored(call: Call) -> dict[str, Any]:
    stored = call.state.responses.get(call.argument)
    if stored is None:
        raise ApiError(f"Response with id '{call.argument}' not found.", status=404, param="response_id")
    found: dict[str, Any] = stored
    call.state.responses[call.argument] = call.state.responses.pop(call.argument)  # kept longest
    return found


def _earlier(call: Call) -> list[Body]:
    """The conversation that previous_response_id goes on from; its instructions are not part of it."""
    previous = call.body.get("previous_response_id")
    if previous is None:
        return []
    if previous not in call.state.responses:
        message = f"Previous response with id '{previous}' not found."
        raise ApiError(message, param="previous_response_id", code="previous_response_not_found")
    kept = call.state.responses[previous] = call.state.responses.pop(previous)
    history: list[Body] = kept["history"]
    return history


def _items(raw: Any) -> list[Body]:
    """Input items; a string is one user message (openapi InputParam)."""
    if raw is None:
        raise missing("input")
    if isinstance(raw, str):
        return [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": raw}]}]
    if not isinstance(raw, list):
        raise wrong_type("input", "a string or an array of objects", raw)
    if not raw:
        raise invalid("input", "expected at least 1 item.", "empty_array")
    for at, item in enumerate(raw):
        mapping(item, f"input[{at}]")
    return raw


def _referred(item: Body, here: str, call: Call) -> Body:
    """The item itself; of a reference, the item of a stored response that has this id (openapi ItemReferenceParam)."""
    if item.get("type") != "item_reference":
        return item
    # A copy: other requests store responses meanwhile. A fault may have taken the output away.
    stored = [one for kept in list(call.state.responses.values()) for one in kept["response"].get("output") or ()]
    found = next((one for one in stored if one.get("id") == item.get("id")), None)
    if found is None:
        raise ApiError(f"Item with id '{item.get('id')}' not found.", status=404, param=f"{here}.id")
    return found


def _messages(items: list[Body]) -> list[Body]:
    """Items as chat messages; calls that follow each other are one assistant message, and so is reasoning with what
    follows it."""
    made: list[Body] = []
    reasoning = ""
    for at, item in enumerate(items):
        kind = item.get("type") or "message"
        here = f"input[{at}]"
        if kind == "reasoning":
            reasoning += _reasoning(item, here)
            continue
        if kind == "message" and item.get("role") == "assistant" and made and made[-1].get("tool_calls"):
            said = [*_as_parts(made[-1]["content"]), *_as_parts(_content(item.get("content"), here))]
            made[-1] = {**made[-1], "content": said}  # What the model said between two calls, or after them.
        elif kind == "message":
            made.append({"role": item.get("role"), "content": _content(item.get("content"), here)})
        elif kind in ("function_call", "custom_tool_call"):
            arguments = item.get("arguments") if kind == "function_call" else json.dumps({"input": item.get("input")})
            function = {"name": item.get("name"), "arguments": arguments}
            call = {"id": item.get("call_id"), "type": "function", "function": function}
            if made and made[-1].get("tool_calls") and not reasoning:
                made[-1] = {**made[-1], "tool_calls": [*made[-1]["tool_calls"], call]}
            else:
                made.append({"role": "assistant", "content": None, "tool_calls": [call]})
        elif kind == "compaction":
            made += opaque.opened(item.get("encrypted_content"), f"{here}.encrypted_content")
        elif kind in ("function_call_output", "custom_tool_call_output"):
            output = item.get("output")
            if output is None:
                raise missing(f"{here}.output")
            content = _content(output, here)
            made.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
        else:
            raise invalid(f"{here}.type", f"'{kind}' items are not supported here.")
        if reasoning and made[-1]["role"] == "assistant":
            made[-1]["reasoning_content"], reasoning = reasoning, ""
    return made


def _as_parts(content: Any) -> list[Body]:
    """The content of a message as a list of parts."""
    return content if isinstance(content, list) else [{"type": "text", "text": content}] if content else []


def _reasoning(item: Body, here: str) -> str:
    """The text of a reasoning item (openapi ReasoningItem): its content, what is encrypted, or its summary; often
    there is none of them."""
    if item.get("summary") is None:
        raise missing(f"{here}.summary")
    if not item.get("content") and item.get("encrypted_content") is not None:
        return str(opaque.opened(item["encrypted_content"], f"{here}.encrypted_content"))
    parts = item.get("content") or item["summary"]
    if not isinstance(parts, list):
        raise wrong_type(f"{here}.content", "an array of objects", parts)
    return "".join(str(part.get("text")) for part in parts if isinstance(part, dict))


_PARTS: dict[str, Callable[[Body], Body]] = {
    "input_text": lambda part: {"type": "text", "text": part.get("text")},
    "output_text": lambda part: {"type": "text", "text": part.get("text")},
    "input_image": lambda part: {
        "type": "image_url",
        "image_url": {"url": part.get("image_url"), "detail": part.get("detail")},
    },
}


def _content(raw: Any, at: str) -> Any:
    if not isinstance(raw, list):
        return raw
    parts = []
    for number_, part in enumerate(raw):
        here = f"{at}.content[{number_}]"
        mapping(part, here)
        make = _PARTS.get(str(part.get("type")))
        if make is None:
            raise invalid(f"{here}.type", f"'{part.get('type')}' is not one of {', '.join(_PARTS)}.")
        parts.append(make(part))
    return parts


def _chat_body(body: Body) -> Body:
    """The parameters in chat's terms."""
    same = ("temperature", "top_p", "top_logprobs", "parallel_tool_calls")
    chat: Body = {name: body[name] for name in same if body.get(name) is not None}
    chat["max_completion_tokens"] = body.get("max_output_tokens")
    include = body.get("include") or []
    if not isinstance(include, list):
        raise wrong_type("include", "an array of strings", include)
    chat["logprobs"] = "message.output_text.logprobs" in include
    effort = (body.get("reasoning") or {}).get("effort")
    if effort is not None:
        one_of(*EFFORTS)(effort, "reasoning.effort")
        chat["reasoning_effort"] = effort
    chat["response_format"] = _format((body.get("text") or {}).get("format"))
    if not body.get("tools"):
        chat.pop("parallel_tool_calls", None)
        if body.get("tool_choice") not in (None, "auto", "none"):
            raise ApiError("'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice")
        return chat
    if not isinstance(body["tools"], list):
        raise wrong_type("tools", "an array of objects", body["tools"])
    for at, tool in enumerate(body["tools"]):
        mapping(tool, f"tools[{at}]")
    chat["hosted"] = [tool for tool in body["tools"] if tool.get("type") in _HOSTED]
    others = [(at, tool) for at, tool in enumerate(body["tools"]) if tool.get("type") not in _HOSTED]
    chat["tools"] = [made for at, tool in others for made in _tools(tool, f"tools[{at}]")]
    chat["tool_choice"] = _choice(body.get("tool_choice"))
    if not chat["tools"] and chat["tool_choice"] not in (None, "auto", "none"):
        raise ApiError("There is no function or custom tool to choose.", param="tool_choice")
    return chat


_HOSTED = ("web_search", "web_search_preview")
"""Tools that the server runs itself. They are in the prompt, but the model never uses them."""


def _format(raw: Any) -> Any:
    if raw is None:
        return None
    mapping(raw, "text.format")
    if raw.get("type") != "json_schema":
        return raw
    wrapper = {name: raw[name] for name in ("name", "schema", "strict", "description") if name in raw}
    return {"type": "json_schema", "json_schema": wrapper}


def _tools(raw: Body, at: str) -> list[Body]:
    """A tool in chat's terms; of a namespace, its tools (openapi FunctionTool, CustomToolParam, NamespaceToolParam)."""
    kind = raw.get("type")
    one_of("function", "custom", "namespace")(kind, f"{at}.type")
    if kind == "namespace":
        string(raw.get("name"), f"{at}.name")
        if not isinstance(raw.get("tools"), list):
            raise wrong_type(f"{at}.tools", "an array of objects", raw.get("tools"))
        for number_, tool in enumerate(raw["tools"]):
            mapping(tool, f"{at}.tools[{number_}]")
            one_of("function", "custom")(tool.get("type"), f"{at}.tools[{number_}].type")
        found = [made for number_, tool in enumerate(raw["tools"]) for made in _tools(tool, f"{at}.tools[{number_}]")]
        return [{**made, "namespace": raw["name"]} for made in found]
    kept = ("name", "description", "format") if kind == "custom" else ("name", "description", "parameters", "strict")
    return [{"type": kind, kind: {name: raw[name] for name in kept if name in raw}}]


def _choice(raw: Any) -> Any:
    """tool_choice: names stand flat here, below `function` in chat."""
    if not isinstance(raw, dict):
        return raw
    if raw.get("type") in ("function", "custom"):
        return {"type": raw["type"], raw["type"]: {"name": raw.get("name")}}
    if raw.get("type") == "allowed_tools":
        listed = raw.get("tools")
        nested = [_choice(tool) for tool in listed] if isinstance(listed, list) else listed
        return {"type": "allowed_tools", "allowed_tools": {"mode": raw.get("mode"), "tools": nested}}
    return raw


def _renamed(error: ApiError) -> ApiError:
    """The error in this endpoint's words."""
    words = {"messages": "input", "max_completion_tokens": "max_output_tokens", "response_format": "text.format"}
    for chat, here in words.items():
        for field in ("message", "param"):
            if error.error[field]:
                error.error[field] = error.error[field].replace(chat, here).replace(".json_schema", "")
    return error


def _repeated(tool: Body) -> Body:
    """A tool as the response repeats it."""
    return {"strict": True, "parameters": None, **tool} if tool.get("type") == "function" else tool


def _head(call: Call) -> Body:
    """All of the response object that is known before generation (openapi Response)."""
    body = call.body
    reasoning = body.get("reasoning") or {}
    text = body.get("text") or {}

    def given(key: str, default: Any) -> Any:
        return default if body.get(key) is None else body[key]

    return {
        "id": new_id("resp_", 40),
        "object": "response",
        "created_at": call.created,
        "status": "in_progress",
        "background": False,
        "completed_at": None,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "max_tool_calls": None,
        "model": body["model"],
        "output": [],
        "parallel_tool_calls": given("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": reasoning.get("effort"), "summary": reasoning.get("summary")},
        "service_tier": "default",
        "store": given("store", True),
        "temperature": given("temperature", 1.0),
        "text": {"format": text.get("format") or {"type": "text"}, "verbosity": text.get("verbosity") or "medium"},
        "tool_choice": given("tool_choice", "auto"),
        "tools": [_repeated(tool) for tool in body.get("tools") or []],
        "top_logprobs": given("top_logprobs", 0),
        "top_p": given("top_p", 1.0),
        "truncation": given("truncation", "disabled"),
        "usage": None,
        "user": body.get("user"),
        "metadata": given("metadata", {}),
    }
