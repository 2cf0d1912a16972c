"""Faults of the Responses API."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.kit import add, answer, events, ignored, payload, request, script, status, wire
from tests.reference.generator import Script

RESPONSES = "responses"
ignored("instructions", "previous_response_id", "max_output_tokens", "text", on=RESPONSES)


@request(RESPONSES)
def responses_stream_by_default(body: dict[str, Any], _call: Call) -> None:
    """A response is streamed unless `stream` is false."""
    body.setdefault("stream", True)


@payload(RESPONSES)
def truncated_response_completed(body: dict[str, Any], _call: Call) -> None:
    """A response that max_output_tokens truncates has the status completed."""
    response = body.get("response", body)
    if body.get("type") == "response.incomplete":
        body["type"] = "response.completed"
    if response.get("status") == "incomplete":
        response.update(status="completed", incomplete_details=None)


@payload(RESPONSES, stream=True)
def sequence_numbers_missing(body: dict[str, Any], _call: Call) -> None:
    """Events have no sequence_number."""
    body.pop("sequence_number", None)


@events(RESPONSES)
def no_response_completed(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """The last event is missing."""
    held: list[Any] = []
    for event in stream:
        yield from held
        held = [event]


@events(RESPONSES)
def response_deltas_missing(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Texts come complete, without deltas."""
    return (event for event in stream if not event["type"].endswith(".delta"))


@answer(RESPONSES)
def response_output_is_text(body: dict[str, Any], _call: Call) -> None:
    """`output` is a string."""
    if body.get("output"):
        body["output"] = str(body["output"][-1].get("content"))


@answer(RESPONSES)
def response_usage_in_chat_words(body: dict[str, Any], _call: Call) -> None:
    """Usage has prompt_tokens and completion_tokens, as in chat."""
    if body.get("usage"):
        counts = body["usage"]
        body["usage"] = {"prompt_tokens": counts["input_tokens"], "completion_tokens": counts["output_tokens"]}


@status(RESPONSES, when=lambda call: call.method == "GET")
def responses_not_retrievable(_value: int, _call: Call) -> int:
    """A stored response is not found."""
    return 404


def _whole(body: Any) -> dict[str, Any]:
    """The response object of a plain answer or of an event that holds it; else an empty one."""
    found = body.get("response", body if body.get("object") == "response" else {}) if isinstance(body, dict) else {}
    return found if isinstance(found, dict) else {}


def _wrong(name: str, sentence: str, change: Callable[[dict[str, Any]], Any], **options: Any) -> None:
    """A fault of the response object, plain and in events."""
    add(
        Fault(
            name=name,
            sentence=sentence,
            area="responses",
            hooks={"payload": lambda body, _call: change(_whole(body)) if _whole(body) else None},
            on=frozenset([RESPONSES]),
            **options,
        )
    )


@payload(RESPONSES)
def response_ids_repeat(body: dict[str, Any], call: Call) -> None:
    """All responses have the same id."""
    if _whole(body) and call.method == "POST":
        _whole(body)["id"] = "resp_1"


def _set(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda response: response.update(values)


_wrong("completed-before-created", "completed_at is before created_at.", _set(completed_at=1))
_wrong("response-with-an-error", "A completed response has an error.", _set(error={"code": "x", "message": "y"}))
_wrong("response-metadata-lost", "The response does not repeat the request's metadata.", _set(metadata={}))
_wrong(
    "response-settings-are-defaults",
    "The response has the default settings instead of the request's.",
    _set(temperature=1.0, top_p=1.0),
)
_wrong(
    "response-format-not-told",
    "The response has the format text instead of the request's.",
    _set(text={"format": {"type": "text"}}),
)
_wrong(
    "response-tools-not-told", "The response does not repeat the request's tools.", _set(tools=[], tool_choice="auto")
)
_wrong("response-object-of-chat", "`object` is chat.completion.", _set(object="chat.completion"))
_wrong("response-usage-missing", "Responses have no usage.", _set(usage=None))
_wrong("response-status-missing", "Responses have no status.", lambda response: response.pop("status", None))
_wrong("response-created-as-string", "`created_at` is a string.", lambda r: r.update(created_at=str(r["created_at"])))
_wrong("response-store-denied", "A response says that it is not stored.", _set(store=False))
_wrong("response-previous-not-named", "previous_response_id is null.", _set(previous_response_id=None))


@payload(RESPONSES)
def response_ids_of_parts_missing(body: dict[str, Any], _call: Call) -> None:
    """Output items have no id."""
    for item in _whole(body).get("output") or []:
        item.pop("id", None)


@payload(RESPONSES)
def response_call_without_call_id(body: dict[str, Any], _call: Call) -> None:
    """Calls have no call_id."""
    for item in [*(_whole(body).get("output") or []), body.get("item") or {}]:
        item.pop("call_id", None)


@payload(RESPONSES)
def response_arguments_as_object(body: dict[str, Any], _call: Call) -> None:
    """Arguments of calls are an object instead of a JSON string."""
    for item in _whole(body).get("output") or []:
        if isinstance(item.get("arguments"), str) and item["arguments"].endswith("}"):
            item["arguments"] = json.loads(item["arguments"])


@request(RESPONSES)
def response_input_cut(body: dict[str, Any], _call: Call) -> None:
    """A long input is truncated silently."""
    if isinstance(body.get("input"), str):
        body["input"] = body["input"][:2000]


@request(RESPONSES)
def response_turns_cut(body: dict[str, Any], _call: Call) -> None:
    """Of a long conversation, only the last turn is read."""
    items = _items(body)
    if len(items) > 1 and len(json.dumps(items)) > 10_000:
        body["input"] = items[-1:]


@request(RESPONSES)
def response_images_dropped(body: dict[str, Any], _call: Call) -> None:
    """Images in the input are dropped."""
    for item in _items(body):
        if isinstance(item.get("content"), list):
            item["content"] = [part for part in item["content"] if part.get("type") != "input_image"]


@request(RESPONSES)
def thoughts_refused_as_input(body: dict[str, Any], _call: Call) -> None:
    """Reasoning cannot be sent back."""
    if any(item.get("type") == "reasoning" for item in _items(body)):
        raise ApiError("Unknown item type 'reasoning'.", param="input")


@request(RESPONSES)
def output_refused_as_input(body: dict[str, Any], _call: Call) -> None:
    """Earlier output cannot be sent back: items with an id are rejected."""
    if any("id" in item for item in _items(body)):
        raise ApiError("Unknown parameter: 'input[0].id'.", param="input")


@request(RESPONSES)
def response_result_parts_dropped(body: dict[str, Any], _call: Call) -> None:
    """Results that are arrays of parts are empty to the model."""
    for item in _items(body):
        if isinstance(item.get("output"), list):
            item["output"] = ""


@request(RESPONSES)
def response_results_ignored(body: dict[str, Any], _call: Call) -> None:
    """Results of calls do not reach the model."""
    for item in _items(body):
        if item.get("type") == "function_call_output":
            item["output"] = "null"


def _items(body: dict[str, Any]) -> list[dict[str, Any]]:
    found = body.get("input")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


@answer(RESPONSES, when=lambda call: call.path.endswith("/input_items"))
def input_items_empty(body: dict[str, Any], _call: Call) -> None:
    """The list of a response's input is empty."""
    body["data"] = []


@answer(RESPONSES, when=lambda call: call.method == "DELETE")
def deletion_not_said(body: dict[str, Any], _call: Call) -> None:
    """The response to a deletion does not say that the stored response is deleted."""
    body.pop("deleted", None)


@payload(RESPONSES, stream=True)
def response_id_changes_in_the_stream(body: dict[str, Any], _call: Call) -> None:
    """The last event has another response id."""
    if body["type"] in ("response.completed", "response.incomplete"):
        body["response"]["id"] += "x"


@payload(RESPONSES, stream=True)
def response_item_ids_change(body: dict[str, Any], _call: Call) -> None:
    """The item_id of events is not the id of the item."""
    if "item_id" in body:
        body["item_id"] = "msg_1"


@payload(RESPONSES, stream=True)
def response_output_index_from_one(body: dict[str, Any], _call: Call) -> None:
    """output_index begins at 1."""
    if "output_index" in body:
        body["output_index"] += 1


@payload(RESPONSES, stream=True, legal=True)
def sequence_numbers_from_one(body: dict[str, Any], _call: Call) -> None:
    """sequence_number begins at 1."""
    body["sequence_number"] += 1


@payload(RESPONSES, stream=True)
def sequence_numbers_constant(body: dict[str, Any], _call: Call) -> None:
    """sequence_number is always 0."""
    body["sequence_number"] = 0


@events(RESPONSES)
def in_progress_missing(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """There is no response.in_progress."""
    return (event for event in stream if event["type"] != "response.in_progress")


@events(RESPONSES)
def in_progress_twice(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """response.in_progress comes twice."""
    for event in stream:
        yield event
        if event["type"] == "response.in_progress":
            yield event


@events(RESPONSES)
def item_done_missing(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Items do not end: there is no response.output_item.done."""
    return (event for event in stream if event["type"] != "response.output_item.done")


@events(RESPONSES)
def item_added_missing(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Items do not begin: there is no response.output_item.added."""
    return (event for event in stream if event["type"] != "response.output_item.added")


@events(RESPONSES)
def response_text_done_empty(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """response.output_text.done has no text."""
    for event in stream:
        yield {**event, "text": ""} if event["type"] == "response.output_text.done" else event


@wire(RESPONSES, stream=True)
def response_events_unnamed(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """Events have no `event:` line."""
    return (chunk[chunk.index(b"data:") :] if b"data:" in chunk else chunk for chunk in chunks)


@events(RESPONSES)
def response_deltas_twice(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Text deltas come twice."""
    for event in stream:
        yield event
        if event["type"] == "response.output_text.delta":
            yield event


ignored("background", "reasoning", "include", on=RESPONSES)
_wrong("response-model-empty", "`model` is empty.", _set(model=""))


@request(RESPONSES)
def response_without_input(body: dict[str, Any], _call: Call) -> None:
    """A request without input gets a response to an empty one."""
    body.setdefault("input", "")


@request(RESPONSES)
def response_input_made_text(body: dict[str, Any], _call: Call) -> None:
    """A number as the input is converted to text."""
    if isinstance(body.get("input"), int):
        body["input"] = str(body["input"])


@request(RESPONSES)
def unknown_items_dropped(body: dict[str, Any], _call: Call) -> None:
    """Items of an unknown type are dropped."""
    known = ("message", "function_call", "function_call_output", "reasoning")
    if isinstance(body.get("input"), list):
        body["input"] = [item for item in _items(body) if item.get("type", "message") in known]


@request(RESPONSES)
def unknown_role_of_item_is_users(body: dict[str, Any], _call: Call) -> None:
    """An unknown role is treated as user."""
    for item in _items(body):
        if "role" in item and item["role"] not in ("system", "developer", "user", "assistant"):
            item["role"] = "user"


@request(RESPONSES)
def unknown_role_of_item_dropped(body: dict[str, Any], _call: Call) -> None:
    """A message with a role that does not exist is left out."""
    if isinstance(body.get("input"), list):
        known = ("system", "developer", "user", "assistant")
        body["input"] = [item for item in body["input"] if item.get("role", "user") in known] or "Hello"


@request(RESPONSES)
def response_temperature_capped(body: dict[str, Any], _call: Call) -> None:
    """A temperature above 2 is treated as 2."""
    if isinstance(body.get("temperature"), int | float):
        body["temperature"] = min(body["temperature"], 2)


@request(RESPONSES)
def nested_tools_accepted(body: dict[str, Any], _call: Call) -> None:
    """Tools in the form of chat are accepted."""
    for tool in body.get("tools") or []:
        if isinstance(tool, dict) and isinstance(tool.get("function"), dict):
            tool.update(tool.pop("function"))


@request(RESPONSES)
def results_without_call_accepted(body: dict[str, Any], _call: Call) -> None:
    """The call_id of a result is not checked."""
    for item, other in itertools.pairwise(_items(body)):
        if item.get("type") == "function_call" and other.get("type") == "function_call_output":
            other["call_id"] = item.get("call_id")


@wire(RESPONSES, stream=True)
def response_streams_say_bye(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """A stream ends with a line that is neither an event nor a comment."""
    yield from chunks
    yield b"stream closed\n\n"


@payload(RESPONSES, stream=True)
def created_as_completed(body: dict[str, Any], _call: Call) -> None:
    """The response in the first event is already completed."""
    if body["type"] == "response.created":
        body["response"]["status"] = "completed"


@answer(RESPONSES)
def response_of_the_user(body: dict[str, Any], _call: Call) -> None:
    """The output is a user message."""
    for item in _whole(body).get("output") or []:
        if item.get("type") == "message":
            item["role"] = "user"


@request(RESPONSES)
def response_has_a_prompt_of_its_own(body: dict[str, Any], _call: Call) -> None:
    """The server puts its own system prompt before every input."""
    if isinstance(body.get("input"), str | list) and not body.get("instructions"):
        asked = body["input"]
        asked = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        body["input"] = [{"role": "system", "content": "Always answer with the word Sorry."}, *asked]


@request(RESPONSES)
def response_reads_the_last_message(body: dict[str, Any], _call: Call) -> None:
    """Of the messages in the input, only the last is read."""
    if len(_items(body)) > 1 and _items(body)[-1].get("role") == "user":
        body["input"] = _items(body)[-1:]


@answer(RESPONSES)
def response_thoughts_in_text(body: dict[str, Any], _call: Call) -> None:
    """Reasoning is part of the text, in <think> tags."""
    thoughts = [item for item in body.get("output") or [] if item["type"] == "reasoning"]
    for part in body["output"][-1].get("content", ()) if thoughts else ():
        part["text"] = f"<think>\n{thoughts[0]['content'][0]['text']}\n</think>\n\n{part['text']}"
        body["output"].remove(thoughts[0])


@request(RESPONSES)
def response_none_is_auto(body: dict[str, Any], _call: Call) -> None:
    """tool_choice none is treated as auto."""
    if body.get("tool_choice") == "none":
        body["tool_choice"] = "auto"


@answer(RESPONSES, when=lambda call: call.body.get("tool_choice") == "none")
def response_markup_with_none(body: dict[str, Any], _call: Call) -> None:
    """With tool_choice none, the text is a call in the model's own notation."""
    body["output"][-1]["content"][0]["text"] = '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>'


@request(RESPONSES)
def response_named_choice_is_auto(body: dict[str, Any], _call: Call) -> None:
    """A named tool_choice is treated as auto."""
    if isinstance(body.get("tool_choice"), dict) and body["tool_choice"].get("type") == "function":
        body["tool_choice"] = "auto"


@answer(RESPONSES)
def response_with_calls_incomplete(body: dict[str, Any], _call: Call) -> None:
    """A response with calls has the status incomplete, because it waits for their results."""
    if any(item["type"] == "function_call" for item in body.get("output") or []):
        body["status"] = "incomplete"


@script(RESPONSES)
def response_calls_in_capitals(plan: Script, _call: Call) -> None:
    """Names of functions are in capitals."""
    plan.calls = [name.upper() for name in plan.calls]


@payload(RESPONSES)
def response_arguments_padded(body: dict[str, Any], _call: Call) -> None:
    """The last string in the arguments of a call ends with a space, unlike in chat."""
    for item in [*(_whole(body).get("output") or []), body.get("item") or {}, body]:
        if isinstance(item.get("arguments"), str):
            item["arguments"] = item["arguments"].replace('"}', ' "}')


@request(RESPONSES)
def response_reads_the_first_message(body: dict[str, Any], _call: Call) -> None:
    """Of several messages in the input, only the first is read."""
    if len(_items(body)) > 1 and all("role" in item for item in _items(body)):
        body["input"] = _items(body)[:1]


@request(RESPONSES)
def response_messages_are_json(body: dict[str, Any], _call: Call) -> None:
    """The content of a message in parts reaches the model as JSON."""
    for item in _items(body):
        if item.get("role") == "user" and isinstance(item.get("content"), list):
            item["content"] = json.dumps(item["content"])


@request(RESPONSES)
def response_books_refused(body: dict[str, Any], _call: Call) -> None:
    """Fields that replace `user` are rejected as unknown."""
    for name in ("safety_identifier", "prompt_cache_key"):
        if name in body:
            raise ApiError(f"Unknown parameter: '{name}'.", param=name)


_wrong("response-stream-uncounted", "The usage at the end of a stream is null.", _set(usage=None), stream=True)


@answer(RESPONSES)
def response_calls_cost_no_tokens(body: dict[str, Any], _call: Call) -> None:
    """Calls cost no tokens."""
    if any(item["type"] == "function_call" for item in body.get("output") or []):
        body["usage"].update(output_tokens=0, total_tokens=body["usage"]["input_tokens"])


@answer(RESPONSES)
def response_arguments_run_together(body: dict[str, Any], _call: Call) -> None:
    """The arguments of a second call begin with those of the first."""
    calls = [item for item in body.get("output") or [] if item["type"] == "function_call"]
    for item in calls[1:]:
        item["arguments"] = calls[0]["arguments"] + item["arguments"]


@events(RESPONSES)
def thoughts_not_streamed(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Reasoning has no events of its own, and is only in the last event."""
    return (event for event in stream if not event["type"].startswith("response.reasoning_text"))


@request(RESPONSES)
def response_calls_no_history(body: dict[str, Any], _call: Call) -> None:
    """Only messages of the input reach the model, but no calls and results."""
    if any(item.get("type") == "function_call_output" for item in _items(body)):
        body["input"] = [item for item in _items(body) if "role" in item]


@answer("responses")
def response_arguments_lose_their_end(body: dict[str, Any], _call: Call) -> None:
    """The arguments of a call lack their last brace."""
    for item in body.get("output") or []:
        if item["type"] == "function_call":
            item["arguments"] = item["arguments"][:-1]
