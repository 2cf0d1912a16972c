"""Faults of what agents send: types of tools, items that come back, operations, upgrades."""

from __future__ import annotations

from typing import Any

from tests.reference import opaque
from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.histories import items, without
from tests.reference.faults.kit import answer, payload, request, sent, status

CHAT, RESPONSES = "chat", "responses"
Item = dict[str, Any]


def _ends(*ends: str) -> Any:
    return lambda call: call.path.endswith(ends)


def _several(body: Any) -> bool:
    """Whether there is more than one tool."""
    return isinstance(body.get("tools"), list) and len(body["tools"]) > 1


def _output(body: Any, *kinds: str) -> list[Item]:
    """The items of these types in a response, or in an event of a stream."""
    whole = body.get("response", body)
    found = whole.get("output") or ([body["item"]] if "item" in body else [])
    return [item for item in found if item.get("type") in kinds]


# Tools that are declared


@request(RESPONSES)
def namespaces_dropped(body: Any, _call: Call) -> None:
    """Namespaces are silently dropped."""
    if _several(body):
        without(body, "tools", lambda tool: tool.get("type") == "namespace")


@request(RESPONSES)
def hosted_tools_dropped(body: Any, _call: Call) -> None:
    """Hosted tools are silently dropped."""
    without(body, "tools", lambda tool: tool.get("type") not in ("function", "custom", "namespace", "hologram"))


@request(RESPONSES)
def unknown_tools_dropped(body: Any, _call: Call) -> None:
    """Tools of an unknown type are silently dropped."""
    without(body, "tools", lambda tool: tool.get("type") == "hologram")


@payload(RESPONSES)
def namespace_of_a_call_lost(body: Any, _call: Call) -> None:
    """A call does not say of which namespace its function is."""
    for item in _output(body, "function_call"):
        item.pop("namespace", None)


@payload(RESPONSES)
def custom_calls_are_functions(body: Any, _call: Call) -> None:
    """A call of a custom tool comes as a `function_call`."""
    for item in _output(body, "custom_tool_call"):
        item["type"], item["arguments"] = "function_call", item.pop("input")


@request(RESPONSES)
def grammar_ignored(body: Any, _call: Call) -> None:
    """The grammar of a custom tool is accepted and ignored."""
    for tool in body.get("tools") if isinstance(body.get("tools"), list) else []:
        if isinstance(tool, dict):
            tool.pop("format", None)


@payload(RESPONSES, stream=True)
def custom_deltas_empty(body: Any, _call: Call) -> None:
    """The deltas of the input of a custom tool are empty."""
    if body["type"] == "response.custom_tool_call_input.delta":
        body["delta"] = ""


@request(RESPONSES)
def finished_custom_calls_refused(body: Any, _call: Call) -> None:
    """The server rejects a call of a custom tool with a `status`, which its own calls have."""
    if any(item.get("status") for item in items(body, "custom_tool_call")):
        raise ApiError("Unknown parameter: 'input[1].status'.", param="input[1].status")


@request(RESPONSES)
def parts_of_custom_results_lost(body: Any, _call: Call) -> None:
    """Parts of the result of a custom tool are silently dropped."""
    for item in items(body, "custom_tool_call_output"):
        if isinstance(item.get("output"), list):
            item["output"] = "done"


@request(CHAT)
def custom_tools_dropped_in_chat(body: Any, _call: Call) -> None:
    """Custom tools are silently dropped in chat."""
    if _several(body):
        without(body, "tools", lambda tool: tool.get("type") == "custom")


@request(CHAT)
def custom_tools_are_functions_in_chat(body: Any, _call: Call) -> None:
    """In chat, a custom tool becomes a function with the parameter `input`."""
    for tool in body.get("tools") if isinstance(body.get("tools"), list) else []:
        if isinstance(tool, dict) and isinstance(tool.get("custom"), dict):
            parameters = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
            tool |= {"type": "function", "function": {**tool.pop("custom"), "parameters": parameters}}


# Items that are sent back


@request(RESPONSES)
def no_include_without_store(body: Any, _call: Call) -> None:
    """`include` is rejected with `store: false`."""
    if body.get("store") is False and body.get("include") and isinstance(body.get("input"), str):
        raise ApiError("'include' needs a stored response.", param="include")


@payload(RESPONSES)
def encrypted_content_empty(body: Any, _call: Call) -> None:
    """`encrypted_content` is an empty string."""
    for item in _output(body, "reasoning"):
        if "encrypted_content" in item:
            item["encrypted_content"] = ""


@request(RESPONSES)
def unstored_items_are_looked_for(body: Any, _call: Call) -> None:
    """With `store: false`, the server looks up items by their ids, and does not find them."""
    for item in items(body, "message", "reasoning"):
        if body.get("store") is False and len(str(item.get("id"))) > 10:
            raise ApiError(f"Item with id '{item.get('id')}' not found.", status=404, param="input")


@request(RESPONSES)
def encrypted_reasoning_needs_content(body: Any, _call: Call) -> None:
    """A reasoning item that has only encrypted content is rejected."""
    for item in items(body, "reasoning"):
        if item.get("encrypted_content") and not item.get("content"):
            raise ApiError("item['content'] is not an array", param="input")


@request(RESPONSES)
def foreign_reasoning_crashes(body: Any, _call: Call) -> None:
    """Encrypted content of another server gets a 500."""
    for item in items(body, "reasoning"):
        if str(item.get("encrypted_content")).startswith("gAAAA"):
            raise ApiError("Incorrect padding", status=500)


@request(RESPONSES)
def phases_refused(body: Any, _call: Call) -> None:
    """A message with a phase is rejected."""
    if any(item.get("phase") for item in items(body, "message")):
        raise ApiError("Unknown parameter: 'input[1].phase'.", param="input[1].phase")


@request(RESPONSES)
def references_dropped(body: Any, _call: Call) -> None:
    """References to items are silently dropped."""
    without(body, "input", lambda item: item.get("type") == "item_reference")


@request(RESPONSES)
def references_are_another_message(body: Any, _call: Call) -> None:
    """A reference to an item is replaced by another message."""
    for item in items(body, "item_reference"):
        item.clear()
        item |= {"type": "message", "role": "assistant", "content": "It is a long story."}


@answer(RESPONSES, when=lambda call: call.method == "GET" and not call.path.endswith("input_items"))
def retrieved_items_get_new_ids(body: Any, _call: Call) -> None:
    """Items of a retrieved response have other ids."""
    for item in _output(body, "message"):
        item["id"] = f"msg_{len(item['id'])}"


@payload(RESPONSES, stream=True)
def done_messages_are_empty(body: Any, _call: Call) -> None:
    """The message of `response.output_item.done` has no text."""
    if body["type"] == "response.output_item.done" and body["item"]["type"] == "message":
        body["item"] = {**body["item"], "content": []}


@request(RESPONSES)
def one_finished_call_at_most(body: Any, _call: Call) -> None:
    """Several calls with a `status` are rejected."""
    if len([item for item in items(body, "function_call") if item.get("status")]) > 1:
        raise ApiError("Only one call can be sent back.", param="input")


@request(RESPONSES)
def old_items_forgotten(body: Any, _call: Call) -> None:
    """Of a long input only the last thirty-six items are read."""
    if isinstance(body.get("input"), list) and len(body["input"]) > 36:
        body["input"] = body["input"][-36:]


@request(RESPONSES)
def developers_dropped(body: Any, _call: Call) -> None:
    """Messages of the developer in the input are silently dropped."""
    without(body, "input", lambda item: item.get("role") == "developer")


@request(RESPONSES)
def files_of_outputs_lost(body: Any, _call: Call) -> None:
    """Files in results are silently dropped."""
    for item in items(body, "function_call_output"):
        without(item, "output", lambda part: part.get("type") == "input_file")


@request(RESPONSES)
def compactions_dropped(body: Any, _call: Call) -> None:
    """Compactions of other servers are silently dropped."""
    without(
        body, "input", lambda item: str(item.get("encrypted_content")).startswith("gAAAA") and "summary" not in item
    )


# Parameters


@request(RESPONSES)
def verbosity_refused(body: Any, _call: Call) -> None:
    """`text.verbosity` is rejected."""
    if isinstance(body.get("text"), dict) and body["text"].get("verbosity"):
        raise ApiError("Unknown parameter: 'text.verbosity'.", param="text.verbosity")


@request(RESPONSES)
def client_metadata_crashes(body: Any, _call: Call) -> None:
    """`client_metadata` gets a 500."""
    if body.get("client_metadata"):
        raise ApiError("unexpected keyword argument", status=500)


@request(CHAT)
def large_limits_crash(body: Any, _call: Call) -> None:
    """A limit above the context gets a 500 in chat."""
    if isinstance(body.get("max_tokens"), int) and body["max_tokens"] > 100_000:
        raise ApiError("not enough space in the cache", status=500)


@request(RESPONSES)
def large_limits_crash_responses(body: Any, _call: Call) -> None:
    """A limit above the context gets a 500 in the Responses API."""
    if isinstance(body.get("max_output_tokens"), int) and body["max_output_tokens"] > 100_000:
        raise ApiError("not enough space in the cache", status=500)


# Operations


@request(RESPONSES, when=_ends("/input_tokens"))
def tools_are_not_counted(body: Any, _call: Call) -> None:
    """`/responses/input_tokens` does not count tools."""
    body.pop("tools", None)


@answer(RESPONSES, when=_ends("/compact"))
def nothing_is_compacted(body: Any, _call: Call) -> None:
    """`/responses/compact` returns no items."""
    body["output"] = []


@answer(RESPONSES, when=_ends("/compact"))
def compacted_to_nothing(body: Any, _call: Call) -> None:
    """The output of `/responses/compact` has no effect when it is sent back."""
    body["output"][0]["encrypted_content"] = opaque.sealed([])


@status(RESPONSES, when=lambda call: call.path.endswith("0/cancel"))
def unknown_responses_cancelled(_status: int, _call: Call) -> int:
    """The cancellation of an unknown response is accepted."""
    return 200


@status(RESPONSES, when=lambda call: call.path.endswith("/cancel") and not call.path.endswith("0/cancel"))
def finished_responses_cancelled(_status: int, _call: Call) -> int:
    """The cancellation of a finished response is accepted."""
    return 200


# HTTP


@status(RESPONSES, when=lambda call: "websocket" in call.headers.get("upgrade", ""))
def websockets_crash(_status: int, _call: Call) -> int:
    """A request for a WebSocket gets a 500."""
    return 500


@sent(CHAT, when=lambda call: call.headers.get("upgrade") == "h2c")
def http_2_loses_the_body(_sent: bytes, _call: Call) -> bytes:
    """A request with `Upgrade: h2c` loses its body."""
    return b""
