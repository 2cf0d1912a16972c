"""Faults of legacy completions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import add, answer, headers, ignored, payload, request, wire

LEGACY = "completions"
ignored("suffix", "best_of", on=LEGACY)


def _take_the_suffix(body: dict[str, Any], call: Call) -> None:
    call.argument = str(body.pop("suffix", ""))


def _append_the_suffix(body: dict[str, Any], call: Call) -> None:
    for choice in choices(body):
        choice["text"] += call.argument


add(
    Fault(
        name="suffix-appended",
        sentence="suffix is not read, and stands at the end of the text.",
        area="completions",
        hooks={"request": _take_the_suffix, "answer": _append_the_suffix},
        on=frozenset({LEGACY}),
        parameter="suffix",
    )
)


@payload(LEGACY, stream=True)
def completion_chunks_count_nothing(body: dict[str, Any], _call: Call) -> None:
    """Each chunk but the last has a usage with zeros."""
    body["usage"] = body.get("usage") or dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), 0)


@request(LEGACY)
def echo_ignored(body: dict[str, Any], _call: Call) -> None:
    """echo is accepted and ignored; max_tokens 0 is treated as 1."""
    if body.pop("echo", None) and body.get("max_tokens") == 0:
        body["max_tokens"] = 1


@request(LEGACY)
def completions_default_max_tokens_unlimited(body: dict[str, Any], _call: Call) -> None:
    """Without max_tokens, generation continues to the end instead of 16 tokens."""
    body.setdefault("max_tokens", 512)


@answer(LEGACY)
def completion_choices_reversed(body: dict[str, Any], _call: Call) -> None:
    """Texts come in another order than their prompts."""
    texts = [choice["text"] for choice in body["choices"]][::-1]
    for choice, text in zip(body["choices"], texts, strict=True):
        choice["text"] = text


@answer(LEGACY)
def completion_logprobs_in_chat_shape(body: dict[str, Any], _call: Call) -> None:
    """logprobs are an array of objects, as in chat."""
    for choice in choices(body):
        if choice["logprobs"]:
            choice["logprobs"] = {"content": []}


@answer(LEGACY)
def text_offset_zero(body: dict[str, Any], _call: Call) -> None:
    """text_offset is always 0."""
    for choice in choices(body):
        if choice["logprobs"]:
            choice["logprobs"]["text_offset"] = [0] * len(choice["logprobs"]["text_offset"])


@payload(LEGACY)
def completion_id_of_chat(body: dict[str, Any], _call: Call) -> None:
    """Ids begin with chatcmpl-."""
    body["id"] = "chat" + body["id"]


@payload(LEGACY)
def completion_object_of_chat(body: dict[str, Any], _call: Call) -> None:
    """`object` is chat.completion."""
    body["object"] = "chat.completion"


@request(LEGACY)
def only_the_first_prompt(body: dict[str, Any], _call: Call) -> None:
    """Of an array of prompts, only the first is completed."""
    if isinstance(body.get("prompt"), list) and body["prompt"] and not isinstance(body["prompt"][0], int):
        body["prompt"] = body["prompt"][:1]


@answer(LEGACY)
def completion_text_empty(body: dict[str, Any], _call: Call) -> None:
    """Texts are empty."""
    for choice in choices(body):
        choice["text"] = ""


@answer(LEGACY)
def completion_text_in_message(body: dict[str, Any], _call: Call) -> None:
    """Choices have a message, as in chat, and no text."""
    for choice in choices(body):
        choice["message"] = {"role": "assistant", "content": choice.pop("text")}


@request(LEGACY)
def prompt_ignored(body: dict[str, Any], _call: Call) -> None:
    """Every prompt gets the same continuation."""
    if isinstance(body.get("prompt"), str) and not body.get("echo"):
        body["prompt"] = "1, 2, 3"


@payload(LEGACY)
def completion_model_of_another(body: dict[str, Any], _call: Call) -> None:
    """`model` names a different model than the request."""
    body["model"] = "gpt-3.5-turbo-instruct"


@request(LEGACY)
def best_of_gives_all(body: dict[str, Any], _call: Call) -> None:
    """All best_of candidates are returned."""
    if isinstance(body.get("best_of"), int) and not body.get("stream"):
        body["n"] = body["best_of"]


@answer(LEGACY)
def completion_logprobs_unasked(body: dict[str, Any], _call: Call) -> None:
    """logprobs come although the request does not ask for them."""
    for choice in choices(body):
        empty: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        choice["logprobs"] = choice["logprobs"] or empty


@request(LEGACY)
def token_prompts_refused(body: dict[str, Any], _call: Call) -> None:
    """Prompts of token ids are rejected."""
    prompt = body.get("prompt")
    if isinstance(prompt, list) and prompt and not isinstance(prompt[0], str):
        raise ApiError("'prompt' must be a string.", param="prompt")


@answer(LEGACY)
def echo_without_the_text(body: dict[str, Any], call: Call) -> None:
    """With echo, only the prompt is returned."""
    for choice in choices(body):
        if call.body.get("echo") and isinstance(call.body.get("prompt"), str):
            choice["text"] = call.body["prompt"]


@answer(LEGACY)
def completion_top_logprobs_a_list(body: dict[str, Any], _call: Call) -> None:
    """top_logprobs are arrays instead of objects."""
    for choice in choices(body):
        if choice["logprobs"]:
            choice["logprobs"]["top_logprobs"] = [list(one or {}) for one in choice["logprobs"]["top_logprobs"]]


@payload(LEGACY, stream=True)
def completion_chunks_have_deltas(body: dict[str, Any], _call: Call) -> None:
    """Chunks have a delta, as in chat, and no text."""
    for choice in choices(body):
        choice["delta"] = {"content": choice.pop("text")}


@request(LEGACY)
def object_prompt_made_text(body: dict[str, Any], _call: Call) -> None:
    """A prompt that is an object is converted to text."""
    if isinstance(body.get("prompt"), dict):
        body["prompt"] = str(body["prompt"])


@request(LEGACY)
def completion_logprobs_capped(body: dict[str, Any], _call: Call) -> None:
    """More than five logprobs are treated as five."""
    if isinstance(body.get("logprobs"), int):
        body["logprobs"] = min(body["logprobs"], 5)


@headers(LEGACY, stream=True, when=lambda call: call.status == 200)
def completion_streams_as_text(head: dict[str, str], _call: Call) -> None:
    """Streams of legacy completions are sent as text/plain."""
    head["content-type"] = "text/plain"


@wire(LEGACY, stream=True, when=lambda call: call.status == 200)
def completion_streams_say_bye(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """A stream of legacy completions ends with a line that is neither an event nor a comment."""
    yield from chunks
    yield b"stream closed\n\n"


@answer(LEGACY, when=lambda call: set(call.body) == {"model", "temperature", "max_tokens", "prompt"})
def completion_indices_from_one(body: dict[str, Any], _call: Call) -> None:
    """The index of a single choice is 1."""
    for choice in choices(body):
        choice["index"] += 1


@request(LEGACY)
def completion_user_refused(body: dict[str, Any], _call: Call) -> None:
    """`user` is rejected as unknown in legacy completions."""
    if "user" in body:
        raise ApiError("Unknown parameter: 'user'.", param="user")
