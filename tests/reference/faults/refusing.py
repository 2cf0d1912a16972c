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


def _refused(name: str, why: str, status: int = 400) -> ApiError:
    return ApiError(f"{name}: {why}", status=status, param=name, code="unsupported_parameter")


@request("chat")
def as_groq(body: Any, _call: Call) -> None:
    """As Groq documents it: logprobs, `logit_bias`, the `name` of messages and `n` above 1 are rejected."""
    sent = body if isinstance(body, dict) else {}
    for name in ("logprobs", "top_logprobs", "logit_bias"):
        if sent.get(name):
            raise _refused(name, "this is not supported by this model")
    if (sent.get("n") or 1) != 1:
        raise _refused("n", "number must be at most 1")
    for at, one in enumerate(_messages(body)):
        if "name" in one:
            raise _refused(f"messages.{at}.name", "property is unsupported")


@request("chat")
def as_cerebras(body: Any, _call: Call) -> None:
    """As Cerebras documents it: penalties, `logit_bias` and `service_tier` are rejected, with `param` null."""
    for name in ("frequency_penalty", "presence_penalty", "logit_bias", "service_tier"):
        if isinstance(body, dict) and body.get(name) is not None:
            raise ApiError(f"{name} is not supported.", code="wrong_api_format")


@request("chat")
def forbids_what_it_does_not_know(body: Any, _call: Call) -> None:
    """As Mistral's models: parameters that its schema does not have get 422, whatever their value."""
    unknown = ("logprobs", "top_logprobs", "logit_bias", "user", "store", "service_tier", "max_completion_tokens")
    for name in (*unknown, "modalities", "prediction", "verbosity", "safety_identifier", "functions", "function_call"):
        if isinstance(body, dict) and name in body:
            raise _refused(name, "Extra inputs are not permitted", 422)


@request(("chat", "responses"))
def wants_temperatures_up_to_1(body: Any, _call: Call) -> None:
    """As Anthropic's models: a `temperature` above 1 is rejected."""
    heat = body.get("temperature") if isinstance(body, dict) else None
    if isinstance(heat, int | float) and 1 < heat <= 2:
        raise _refused("temperature", "range: 0..1", 400)


@request("chat")
def wants_few_alternatives(body: Any, _call: Call) -> None:
    """A `top_logprobs` above 5 is rejected, as with some of Azure's models."""
    most = body.get("top_logprobs") if isinstance(body, dict) else None
    if isinstance(most, int) and 5 < most <= 20:
        raise _refused("top_logprobs", "must be at most 5")
