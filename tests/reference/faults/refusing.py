"""Servers that reject a parameter of chat, or a form of conversation, cleanly: no other row of the matrix may fall."""

from __future__ import annotations

import itertools
import json
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.faults.kit import request

REFUSABLE = (
    *("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "logit_bias", "stop", "n"),
    *("logprobs", "top_logprobs", "max_tokens", "max_completion_tokens", "tools", "tool_choice"),
    *("parallel_tool_calls", "response_format", "stream", "stream_options", "user", "store", "metadata"),
    *("reasoning_effort", "functions", "function_call", "service_tier", "modalities", "prediction", "verbosity"),
    *("safety_identifier", "prompt_cache_key", "web_search_options"),
)


def _refuse(name: str) -> None:
    def refuse(body: Any, _call: Call) -> None:
        if isinstance(body, dict) and body.get(name) is not None:
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            raise ApiError(message, param=name, code="unsupported_parameter")

    refuse.__name__ = f"refuses_{name}"
    refuse.__doc__ = f"The server rejects `{name}` in chat."
    request("chat")(refuse)


for _name in REFUSABLE:
    _refuse(_name)


@request("chat")
def refuses_system_messages(body: Any, _call: Call) -> None:
    """The model has no system prompt, and its template rejects one."""
    if any(one.get("role") in ("system", "developer") for one in _messages(body)):
        raise ApiError("System role not supported.", param="messages", code="unsupported_value")


@request("chat")
def refuses_developer_messages(body: Any, _call: Call) -> None:
    """The server rejects the role `developer`."""
    if any(one.get("role") == "developer" for one in _messages(body)):
        raise ApiError("Unsupported value: 'developer' is not a role of this model.", param="messages")


@request("chat")
def wants_turns_that_alternate(body: Any, _call: Call) -> None:
    """The template rejects two messages of the user, or of the assistant, in a row."""
    roles = [one.get("role") for one in _messages(body) if one.get("role") in ("user", "assistant")]
    if any(one == other for one, other in itertools.pairwise(roles)):
        raise ApiError("Conversation roles must alternate user/assistant.", param="messages")


def _messages(body: Any) -> list[dict[str, Any]]:
    found = body.get("messages") if isinstance(body, dict) else None
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


@request("chat")
def refuses_values_at_the_edge(body: Any, _call: Call) -> None:
    """A limit beyond the context, a `top_p` of 0, and `name: null` in a message are rejected, as vLLM does."""
    sent = body if isinstance(body, dict) else {}
    for name in ("max_tokens", "max_completion_tokens"):
        limit = sent.get(name)
        if isinstance(limit, int) and limit > 100_000:
            raise ApiError(f"{name}={limit} cannot be greater than max_model_len=65536.", param=name)
    if sent.get("top_p") == 0 and not isinstance(sent["top_p"], bool):
        raise ApiError("top_p must be in (0, 1], got 0.0.", param="top_p")
    if any("name" in one and one["name"] is None for one in _messages(body)):
        raise ApiError("Input should be a valid string", param="messages")


@request("chat")
def as_a_reasoning_model_of_openai(body: Any, _call: Call) -> None:
    """As o-series models: `max_tokens`, sampling parameters other than their defaults, `stop` and logprobs rejected."""
    if not isinstance(body, dict):
        return
    for name in ("max_tokens", "logprobs", "top_logprobs", "logit_bias", "stop"):
        if body.get(name):
            message = f"Unsupported parameter: '{name}' is not supported with this model."
            raise ApiError(message, param=name, code="unsupported_parameter")
    defaults = {"temperature": 1, "top_p": 1, "presence_penalty": 0, "frequency_penalty": 0}
    for name, value in defaults.items():
        if body.get(name) is not None and body[name] != value:
            message = f"Unsupported value: '{name}' does not support {json.dumps(body[name])} with this model."
            raise ApiError(message, param=name, code="unsupported_value")
