"""Parameters that are ignored only beside something else: one fault for each pair. `tests.reference.pairs` tries them.

No entry of kills.toml declares which checks notice them: what counts is how many of all pairs are noticed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.reference.fault import Fault
from tests.reference.faults.kit import having, several_choices, with_tools

Body = dict[str, Any]
Beside = Callable[[Any], bool]

SAMPLING = ("temperature", "top_p", "seed", "frequency_penalty", "presence_penalty", "logit_bias")

DROPPED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "chat": {
        **{name: (name,) for name in ("n", "stop", *SAMPLING)},
        "max_tokens": ("max_tokens", "max_completion_tokens"),
        "logprobs": ("logprobs", "top_logprobs"),
        "response_format": ("response_format",),
        "tools": ("tools", "tool_choice", "parallel_tool_calls"),
        **{name: (name,) for name in ("tool_choice", "parallel_tool_calls", "reasoning_effort", "stream_options")},
    },
    "completions": {
        **{name: (name,) for name in ("n", "stop", *SAMPLING)},
        **{name: (name,) for name in ("max_tokens", "logprobs", "echo", "suffix", "stream_options")},
    },
    "responses": {
        "tools": ("tools", "tool_choice", "parallel_tool_calls"),
        **{name: (name,) for name in ("temperature", "top_p", "max_output_tokens", "text", "reasoning")},
        **{name: (name,) for name in ("tool_choice", "parallel_tool_calls", "instructions")},
        **{name: (name,) for name in ("previous_response_id", "include")},
    },
    "embeddings": {name: (name,) for name in ("dimensions", "encoding_format")},
}
"""What is ignored, by endpoint: the parameters that a server does not see."""


def _items(call: Any) -> list[Body]:
    found = call.body.get("messages") or call.body.get("input")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _from(*roles: str) -> Beside:
    return lambda call: any(one.get("role") in roles for one in _items(call))


def _part(kind: str) -> Beside:
    return lambda call: any(kind in json.dumps(one.get("content")) for one in _items(call))


def _said(call: Any) -> str:
    return json.dumps([call.body.get(name) for name in ("messages", "input", "prompt")], ensure_ascii=False)


HISTORY: Mapping[str, Beside] = {
    "a system message": _from("system", "developer"),
    "an earlier response": _from("assistant"),
    "a tool result": lambda call: any(
        one.get("role") == "tool" or one.get("type") == "function_call_output" for one in _items(call)
    ),
    "an image": _part("image"),
    "content in parts": _part('"type"'),
}
TEXTS: Mapping[str, Beside] = {
    "a stream": lambda call: call.stream,
    "text that is not ASCII": lambda call: not _said(call).isascii(),
    "a long prompt": lambda call: len(_said(call)) > 1500,
}


def _kind(kind: str) -> Beside:
    return lambda call: f'"type": "{kind}"' in json.dumps(call.body.get("response_format"))


BESIDE: Mapping[str, Mapping[str, Beside]] = {
    "chat": {
        **{name: having(name) for name in ("stop", *SAMPLING, "max_tokens", "reasoning_effort", "stream_options")},
        "n": several_choices,
        "logprobs": lambda call: call.body.get("logprobs") is True,
        "json_object": _kind("json_object"),
        "json_schema": _kind("json_schema"),
        "tools": with_tools,
        **{name: having(name) for name in ("tool_choice", "parallel_tool_calls")},
        **HISTORY,
        **TEXTS,
    },
    "completions": {
        **{name: having(name) for name in DROPPED["completions"]},
        "n": several_choices,
        "several prompts": lambda call: isinstance(call.body.get("prompt"), list) and len(call.body["prompt"]) > 1,
        **TEXTS,
    },
    "responses": {**{name: having(name) for name in DROPPED["responses"]}, **HISTORY, **TEXTS},
    "embeddings": {
        **{name: having(name) for name in DROPPED["embeddings"]},
        "several texts": lambda call: isinstance(call.body.get("input"), list) and len(call.body["input"]) > 1,
    },
}
"""What a request has, too, by endpoint."""


def _without(names: tuple[str, ...]) -> Callable[[Body, Any], None]:
    def drop(body: Body, _call: Any) -> None:
        for name in names:
            body.pop(name, None)

    return drop


def _fault(endpoint: str, parameter: str, what: str) -> Fault:
    names = DROPPED[endpoint][parameter]
    return Fault(
        name=f"{endpoint} {parameter} ignored beside {what}".lower().replace("_", "-").replace(" ", "-"),
        sentence=f"{parameter} of /{endpoint} is ignored beside {what}.",
        area="pairs",
        hooks={"request": _without(names)},
        on=frozenset([endpoint]),
        when=BESIDE[endpoint][what],
        parameter=names[0],
    )


PAIRS = {
    fault.name: fault
    for endpoint, dropped in DROPPED.items()
    for parameter, names in dropped.items()
    for what in BESIDE[endpoint]
    if what not in names and (parameter, what) != ("stream_options", "a stream")
    for fault in [_fault(endpoint, parameter, what)]
}
