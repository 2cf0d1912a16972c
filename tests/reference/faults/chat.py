"""Faults of a chat answer's shape and of what the model is told."""

from __future__ import annotations

import itertools
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.kit import answer, ignored, later_turn, payload, request, with_tools

ignored("max_tokens", "max_completion_tokens", on=("chat", "completions"))
ignored("stop", "n", on=("chat", "completions"))
ignored("reasoning_effort", on="chat")
ignored("functions", "function_call", on="chat")
ignored("max_tokens", "stop", on=("chat", "completions"), where="in streams", stream=True)
ignored("max_tokens", on="chat", where="with tools", when=with_tools)


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
    """finish_reason is null in plain responses, and missing in streams."""
    for choice in choices(body):
        choice["finish_reason"] = None


@payload("chat")
def finish_reason_stop_on_length(body: Any, _call: Call) -> None:
    """A text truncated by max_tokens has finish_reason stop."""
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
    """A plain response has no `object`."""
    body.pop("object", None)


@answer("chat")
def object_is_the_chunks(body: dict[str, Any], _call: Call) -> None:
    """A plain response says that it is a chunk."""
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
    """All responses have the same id."""
    body["id"] = "chatcmpl-1"


@payload("chat")
def model_not_echoed(body: dict[str, Any], _call: Call) -> None:
    """`model` names a different model than the request."""
    body["model"] = "gpt-4"


@answer("chat")
def role_is_user(body: dict[str, Any], _call: Call) -> None:
    """The message's role is user."""
    for choice in choices(body):
        choice["message"]["role"] = "user"


@answer("chat")
def content_as_parts(body: dict[str, Any], _call: Call) -> None:
    """The message's content is an array of parts instead of a string."""
    for choice in choices(body):
        message = choice["message"]
        message["content"] = message["content"] and [{"type": "text", "text": message["content"]}]


@answer("chat")
def refusal_missing(body: dict[str, Any], _call: Call) -> None:
    """The message has no `refusal`."""
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
    """Of a message's text parts, only the first is read."""
    for message in messages(body):
        if isinstance(message.get("content"), list):
            message["content"] = message["content"][:1]


@request("chat")
def only_the_last_text_part(body: dict[str, Any], _call: Call) -> None:
    """Of a user message's text parts, only the last is read, with the server's own words around it."""
    for message in messages(body):
        parts = message.get("content")
        if message.get("role") == "user" and isinstance(parts, list) and all("text" in part for part in parts):
            message["content"] = parts[-1:] and [{**parts[-1], "text": f"{' '.join(['text'] * 9)} {parts[-1]['text']}"}]


@request("chat")
def parts_of_other_roles_cut(body: dict[str, Any], _call: Call) -> None:
    """Of the text parts of system, assistant and tool messages, only the first is read."""
    for message in messages(body):
        if message.get("role") != "user" and isinstance(message.get("content"), list):
            message["content"] = message["content"][:1]


@answer("chat")
def reasoning_in_content(body: dict[str, Any], _call: Call) -> None:
    """Reasoning is part of the content, in <think> tags."""
    for choice in choices(body):
        message = choice["message"]
        if thought := message.pop("reasoning_content", None):
            message["content"] = f"<think>\n{thought}\n</think>\n\n{message['content']}"


@answer("chat", when=lambda call: not with_tools(call) and not later_turn(call))
def reasoning_in_content_without_tools(body: dict[str, Any], call: Call) -> None:
    """On a first turn without tools, reasoning is part of the content, in <think> tags."""
    reasoning_in_content(body, call)


@answer("chat")
def leading_space(body: dict[str, Any], call: Call) -> None:
    """Plain responses begin with a space that streams do not have."""
    for choice in choices(body):
        if choice["message"]["content"]:
            choice["message"]["content"] = " " + choice["message"]["content"]


@answer("chat")
def chat_id_of_another_kind(body: dict[str, Any], _call: Call) -> None:
    """Ids of chat completions begin with cmpl-, as those of legacy completions."""
    body["id"] = body["id"].removeprefix("chat")


@payload("chat")
def model_empty(body: dict[str, Any], _call: Call) -> None:
    """`model` is empty."""
    body["model"] = ""


@answer("chat")
def id_null(body: dict[str, Any], _call: Call) -> None:
    """A plain response's id is null."""
    body["id"] = None


@answer("chat")
def content_missing(body: dict[str, Any], _call: Call) -> None:
    """The message has no `content`."""
    for choice in choices(body):
        choice["message"].pop("content", None)


@answer("chat")
def choices_empty(body: dict[str, Any], _call: Call) -> None:
    """A response has no choices."""
    body["choices"] = []


@answer("chat", when=lambda call: (call.body.get("n") or 1) > 1)
def choices_share_an_index(body: dict[str, Any], _call: Call) -> None:
    """With n, all choices have index 0."""
    for choice in choices(body):
        choice["index"] = 0


@request("chat")
def named_messages_dropped(body: dict[str, Any], _call: Call) -> None:
    """Messages with a name are dropped, unless they are the last."""
    found = messages(body)
    if len(found) > 1 and len(found) == len(body["messages"]):
        body["messages"] = [m for m in found[:-1] if "name" not in m] + found[-1:]


@request("chat")
def refusals_are_no_history(body: dict[str, Any], _call: Call) -> None:
    """An earlier assistant message that is a refusal is rejected."""
    for message in messages(body):
        if message.get("refusal") or "'refusal'" in str(message.get("content")):
            raise ApiError("Unknown part 'refusal'.", param="messages")


@request("chat", when=later_turn)
def system_message_ignored_on_later_turns(body: dict[str, Any], _call: Call) -> None:
    """System messages have an effect only on the first turn."""
    without_role(body, "system")


@request("chat", when=later_turn)
def earlier_answers_ignored(body: dict[str, Any], _call: Call) -> None:
    """Earlier answers of the assistant are dropped."""
    if not any(m.get("role") in ("tool", "function") for m in messages(body)):
        without_role(body, "assistant")


@request("chat")
def roles_must_alternate(body: dict[str, Any], _call: Call) -> None:
    """Two user messages in a row are rejected, as strict chat templates do."""
    roles = [m.get("role") for m in messages(body)]
    if any(one == other == "user" for one, other in itertools.pairwise(roles)):
        raise ApiError("Conversation roles must alternate user/assistant/user/assistant.", param="messages")


@request("chat")
def system_message_must_be_first(body: dict[str, Any], _call: Call) -> None:
    """A system message later in the conversation is rejected, as strict chat templates do."""
    if any(m.get("role") == "system" for m in messages(body)[1:]):
        raise ApiError("System message must be at the beginning.", param="messages")


@request("chat")
def parts_are_refused(body: dict[str, Any], _call: Call) -> None:
    """Text in parts is rejected."""
    if any(isinstance(m.get("content"), list) and "image" not in str(m) for m in messages(body)):
        raise ApiError("'content' must be a string.", param="messages")


@request("chat")
def developer_role_refused(body: dict[str, Any], _call: Call) -> None:
    """The role developer is rejected as unknown."""
    if any(m.get("role") == "developer" for m in messages(body)):
        raise ApiError("Unexpected message role.", param="messages")


@request(("chat", "completions", "embeddings", "responses"))
def books_are_refused(body: dict[str, Any], _call: Call) -> None:
    """Bookkeeping fields are rejected: user, metadata, store, service_tier."""
    for name in ("user", "metadata", "store", "service_tier"):
        if name in body:
            raise ApiError(f"Unknown parameter: '{name}'.", param=name)


@request(("chat", "completions", "embeddings", "responses"))
def null_is_a_wrong_type(body: dict[str, Any], _call: Call) -> None:
    """A parameter that is null is rejected, instead of being the default."""
    for name, value in body.items():
        if value is None:
            raise ApiError(f"'{name}' must not be null.", param=name)


@payload("chat", stream=True)
def reasoning_in_streamed_content(body: Any, _call: Call) -> None:
    """In streams reasoning comes as content."""
    for choice in choices(body):
        if thought := choice["delta"].pop("reasoning_content", None):
            choice["delta"]["content"] = thought


KNOWN = {
    *(
        "model",
        "messages",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "n",
        "stop",
        "stream",
        "seed",
    ),
    *("stream_options", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call", "user", "store"),
    *(
        "response_format",
        "logprobs",
        "top_logprobs",
        "logit_bias",
        "frequency_penalty",
        "presence_penalty",
        "verbosity",
    ),
    *("reasoning_effort", "metadata", "service_tier", "modalities"),
}


@request("chat")
def extra_fields_refused(body: dict[str, Any], _call: Call) -> None:
    """A field that the server does not know is rejected."""
    for name in set(body) - KNOWN:
        raise ApiError(f"Extra inputs are not permitted: {name}", param=name)


@request("chat")
def modalities_refused(body: dict[str, Any], _call: Call) -> None:
    """`modalities` is rejected as unknown, even if it is text."""
    if "modalities" in body:
        raise ApiError("Unknown parameter: 'modalities'.", param="modalities")


_CACHED = {"What is the capital of France?": "Count from 1 to 10"}


@request("chat")
def cache_mixes_questions(body: dict[str, Any], _call: Call) -> None:
    """A cache of responses confuses two questions."""
    if len(messages(body)) == 1 and isinstance(messages(body)[0].get("content"), str):
        message = messages(body)[0]
        message["content"] = _CACHED.get(message["content"], message["content"])


@request("chat")
def name_instead_of_text(body: dict[str, Any], _call: Call) -> None:
    """If a user message has a name, the model reads only the name."""
    for message in messages(body):
        if message.get("role") == "user" and "name" in message:
            message["content"] = ""


@answer("chat")
def emoji_lost(body: dict[str, Any], _call: Call) -> None:
    """Characters of four bytes come back as replacement characters."""
    for choice in choices(body):
        if text := choice["message"]["content"]:
            choice["message"]["content"] = "".join(c if ord(c) < 0x10000 else "\ufffd" for c in text)


@payload("chat", when=with_tools)
def tool_calls_said_without_calls(body: Any, _call: Call) -> None:
    """With tools, finish_reason is tool_calls even if no tool was called."""
    for choice in choices(body):
        if choice["finish_reason"] == "stop":
            choice["finish_reason"] = "tool_calls"


@payload("chat", when=lambda call: call.body.get("temperature") == 2)
def hot_answers_filtered(body: Any, _call: Call) -> None:
    """Responses at the highest temperature end with content_filter, as if a guard took nonsense for harm."""
    for choice in choices(body):
        choice["finish_reason"] = choice["finish_reason"] and "content_filter"


@request("chat")
def default_limit_is_16(body: dict[str, Any], _call: Call) -> None:
    """Without a limit, a response has 16 tokens, as in legacy completions."""
    if body.get("max_tokens") is None and body.get("max_completion_tokens") is None:
        body["max_tokens"] = 16


@request("chat")
def high_limit_is_16(body: dict[str, Any], _call: Call) -> None:
    """A max_tokens above 300 is ignored, and the default of 16 applies."""
    high = isinstance(body.get("max_tokens"), int) and body["max_tokens"] > 300
    if high and "tools" not in body and "response_format" not in body:
        body["max_tokens"] = 16


@answer("chat")
def cut_text_ends_with_dots(body: dict[str, Any], _call: Call) -> None:
    """A text that max_tokens truncates ends with dots."""
    for choice in choices(body):
        if choice["finish_reason"] == "length" and choice["message"]["content"]:
            choice["message"]["content"] += "..."


@request("chat")
def control_characters_refused(body: dict[str, Any], _call: Call) -> None:
    """A text with control characters is rejected."""
    if any(c < " " and c not in "\t\n\r" for message in messages(body) for c in str(message.get("content"))):
        raise ApiError("Invalid character in 'messages'.", param="messages")


@request("chat")
def metadata_refused(body: dict[str, Any], _call: Call) -> None:
    """`metadata` is rejected as unknown."""
    if "metadata" in body:
        raise ApiError("Unknown parameter: 'metadata'.", param="metadata")


@request("chat")
def service_tier_refused(body: dict[str, Any], _call: Call) -> None:
    """`service_tier` is rejected as unknown."""
    if "service_tier" in body:
        raise ApiError("Unknown parameter: 'service_tier'.", param="service_tier")


@request("chat", when=later_turn)
def only_the_last_messages(body: dict[str, Any], _call: Call) -> None:
    """Of a long conversation, only the last ten messages are read."""
    if len(messages(body)) == len(body["messages"]):
        body["messages"] = body["messages"][-10:]


@request("chat", when=later_turn)
def first_of_three_turns_lost(body: dict[str, Any], _call: Call) -> None:
    """Where a user has written three messages or more, the first of all messages is not read."""
    if sum(message.get("role") == "user" for message in messages(body)) > 2:
        del body["messages"][0]


@request("chat", when=later_turn)
def earlier_questions_shortened(body: dict[str, Any], _call: Call) -> None:
    """Of an earlier question, only the first six words are read."""
    for message in messages(body)[:-1]:
        if message.get("role") == "user" and isinstance(message.get("content"), str):
            message["content"] = " ".join(message["content"].split()[:6])


@answer("chat")
def cut_thoughts_are_text(body: dict[str, Any], _call: Call) -> None:
    """Reasoning whose end is missing is treated as content."""
    for choice in choices(body):
        message = choice["message"]
        if choice["finish_reason"] == "length" and not message["content"] and "reasoning_content" in message:
            message["content"] = message.pop("reasoning_content")


@answer("chat")
def thoughts_have_marks(body: dict[str, Any], _call: Call) -> None:
    """The reasoning begins with the marker that the model writes before it."""
    for choice in choices(body):
        if thought := choice["message"].get("reasoning_content"):
            choice["message"]["reasoning_content"] = f"<think>\n{thought}"


@request("chat")
def stop_array_of_one_ignored(body: Any, _call: Call) -> None:
    """An array of one stop string is ignored."""
    if isinstance(body.get("stop"), list) and len(body["stop"]) == 1:
        del body["stop"]
