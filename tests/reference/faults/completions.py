"""Faults of legacy completions."""

from __future__ import annotations

from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import answer, ignored, payload, request

LEGACY = "completions"
ignored("suffix", "best_of", on=LEGACY)


@request(LEGACY)
def echo_ignored(body: dict[str, Any], _call: Call) -> None:
    """echo is accepted and ignored; max_tokens 0 is taken for 1."""
    if body.pop("echo", None) and body.get("max_tokens") == 0:
        body["max_tokens"] = 1


@request(LEGACY)
def completions_default_max_tokens_unlimited(body: dict[str, Any], _call: Call) -> None:
    """Without max_tokens generation goes on to the end instead of to 16 tokens."""
    body.setdefault("max_tokens", 512)


@answer(LEGACY)
def completion_choices_reversed(body: dict[str, Any], _call: Call) -> None:
    """Texts come in the wrong order of prompts."""
    texts = [choice["text"] for choice in body["choices"]][::-1]
    for choice, text in zip(body["choices"], texts, strict=True):
        choice["text"] = text


@answer(LEGACY)
def completion_logprobs_in_chat_shape(body: dict[str, Any], _call: Call) -> None:
    """logprobs are a list of objects, as in chat."""
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
    """Of a list of prompts only the first is completed."""
    if isinstance(body.get("prompt"), list) and body["prompt"] and not isinstance(body["prompt"][0], int):
        body["prompt"] = body["prompt"][:1]
