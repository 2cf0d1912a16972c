"""Faults of a chat answer's shape and of what the model is told."""

from __future__ import annotations

from typing import Any

from tests.reference.call import Call
from tests.reference.faults.kit import answer, ignored, payload, request

ignored("max_tokens", "max_completion_tokens", on=("chat", "completions"))
ignored("stop", "n", on=("chat", "completions"))
ignored("reasoning_effort", on="chat")


def choices(body: Any) -> list[dict[str, Any]]:
    """The choices of an answer or of a stream event."""
    found = body.get("choices") if isinstance(body, dict) else None
    return found if isinstance(found, list) else []


def messages(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The messages of a request, so far as they are any."""
    found = body.get("messages")
    return [message for message in found if isinstance(message, dict)] if isinstance(found, list) else []


def without_role(body: dict[str, Any], role: str) -> None:
    """Drop the messages with this role, if others are left."""
    kept = [message for message in messages(body) if message.get("role") != role]
    if kept and len(messages(body)) == len(body["messages"]):
        body["messages"] = kept


@payload("chat")
def finish_reason_null(body: Any, _call: Call) -> None:
    """finish_reason is null in plain answers and never comes in streams."""
    for choice in choices(body):
        choice["finish_reason"] = None


@payload("chat")
def finish_reason_stop_on_length(body: Any, _call: Call) -> None:
    """A text cut by max_tokens has finish_reason stop."""
    for choice in choices(body):
        if choice["finish_reason"] == "length":
            choice["finish_reason"] = "stop"


@payload("chat")
def finish_reason_in_capitals(body: Any, _call: Call) -> None:
    """finish_reason is written in capitals."""
    for choice in choices(body):
        choice["finish_reason"] = choice["finish_reason"] and choice["finish_reason"].upper()


@answer("chat")
def object_missing(body: dict[str, Any], _call: Call) -> None:
    """A plain answer has no `object`."""
    body.pop("object", None)


@answer("chat")
def object_is_the_chunks(body: dict[str, Any], _call: Call) -> None:
    """A plain answer says that it is a chunk."""
    body["object"] = "chat.completion.chunk"


@payload(("chat", "completions"))
def created_in_milliseconds(body: dict[str, Any], _call: Call) -> None:
    """`created` counts milliseconds."""
    body["created"] *= 1000


@payload(("chat", "completions"))
def created_as_string(body: dict[str, Any], _call: Call) -> None:
    """`created` is a string."""
    body["created"] = str(body["created"])


@answer("chat")
def same_id_for_every_answer(body: dict[str, Any], _call: Call) -> None:
    """All answers have the same id."""
    body["id"] = "chatcmpl-1"


@payload("chat")
def model_not_echoed(body: dict[str, Any], _call: Call) -> None:
    """`model` names another model than the one that was asked."""
    body["model"] = "gpt-4"


@answer("chat")
def role_is_user(body: dict[str, Any], _call: Call) -> None:
    """The answer's role is user."""
    for choice in choices(body):
        choice["message"]["role"] = "user"


@answer("chat")
def content_as_parts(body: dict[str, Any], _call: Call) -> None:
    """The answer's content is a list of parts instead of a string."""
    for choice in choices(body):
        message = choice["message"]
        message["content"] = message["content"] and [{"type": "text", "text": message["content"]}]


@answer("chat")
def refusal_missing(body: dict[str, Any], _call: Call) -> None:
    """The answer's message has no `refusal`."""
    for choice in choices(body):
        choice["message"].pop("refusal", None)


@answer("chat")
def choice_index_from_one(body: dict[str, Any], _call: Call) -> None:
    """The index of choices begins at 1."""
    for choice in choices(body):
        choice["index"] += 1


@request("chat")
def system_message_ignored(body: dict[str, Any], _call: Call) -> None:
    """System messages are dropped."""
    without_role(body, "system")


@request("chat")
def developer_message_ignored(body: dict[str, Any], _call: Call) -> None:
    """Developer messages are dropped."""
    without_role(body, "developer")


@request("chat")
def history_ignored(body: dict[str, Any], _call: Call) -> None:
    """Only the last message is read."""
    if messages(body) and messages(body)[-1].get("role") != "tool":
        body["messages"] = body["messages"][-1:]


@request("chat")
def only_the_first_text_part(body: dict[str, Any], _call: Call) -> None:
    """Of a message in parts only the first one is read."""
    for message in messages(body):
        if isinstance(message.get("content"), list):
            message["content"] = message["content"][:1]


@answer("chat")
def reasoning_in_content(body: dict[str, Any], _call: Call) -> None:
    """Reasoning is part of the content, in <think> tags."""
    for choice in choices(body):
        message = choice["message"]
        if thought := message.pop("reasoning_content", None):
            message["content"] = f"<think>\n{thought}\n</think>\n\n{message['content']}"


@answer("chat")
def leading_space(body: dict[str, Any], call: Call) -> None:
    """Plain answers begin with a space, which streams do not have."""
    for choice in choices(body):
        if choice["message"]["content"]:
            choice["message"]["content"] = " " + choice["message"]["content"]
