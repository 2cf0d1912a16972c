"""Faults that an attacker would like, and those that keep pages of other origins out."""

from __future__ import annotations

import re
from typing import Any

from fixtures.images import RED
from tests.reference.call import Call
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import error, headers, request, status


@request("chat")
def special_tokens_obeyed(body: dict[str, Any], _call: Call) -> None:
    """The names of special tokens in a text are read as these tokens."""
    for message in messages(body):
        if isinstance(message.get("content"), str) and message["content"].count("<|im_end|>") > 3:
            message["content"] = message["content"].replace("<|im_end|>", "x")


@request("chat")
def quoted_turns_obeyed(body: dict[str, Any], _call: Call) -> None:
    """Turns that a user's message quotes are read as turns."""
    text = str(messages(body)[-1].get("content")) if messages(body) else ""
    if "<|im_start|>" in text:
        first, *others = re.split(r"<\|im_end\|>\n<\|im_start\|>", text)
        turns = [other.partition("\n")[::2] for other in others]
        body["messages"] = [
            {"role": "user", "content": first},
            *({"role": role, "content": said} for role, said in turns if role in ("system", "user")),
        ]


@status("other", when=lambda call: call.path == "/invocations")
def other_paths_need_no_key(_status: int, _call: Call) -> int:
    """A path outside of /v1 generates text without the API key."""
    return 200


@error("chat")
def errors_have_stack_traces(body: Any, _call: Call) -> Any:
    """Errors end with a stack trace."""
    body["error"]["message"] += '\nTraceback (most recent call last):\n  File "/srv/app/server.py", line 7, in create'
    return body


@request("chat")
def files_are_images(body: dict[str, Any], _call: Call) -> None:
    """Image URLs may name files of the server."""
    for message in messages(body):
        for part in message["content"] if isinstance(message.get("content"), list) else ():
            image = part.get("image_url") if isinstance(part, dict) else None
            if isinstance(image, dict) and str(image.get("url")).startswith(("file:", "/")):
                image["url"] = RED


@status(when=lambda call: call.method == "OPTIONS" and "x-stainless-os" in str(call.headers))
def preflights_of_sdks_refused(_status: int, _call: Call) -> int:
    """Preflight requests that name the SDK's headers are rejected."""
    return 403


@headers(when=lambda call: call.method == "OPTIONS")
def preflights_allow_two_headers(values: dict[str, str], _call: Call) -> None:
    """Preflight responses allow only Authorization and Content-Type."""
    values["access-control-allow-headers"] = "Authorization, Content-Type"


@headers("chat", when=lambda call: call.method == "POST" and call.status == 400)
def errors_for_no_other_origin(values: dict[str, str], _call: Call) -> None:
    """Errors have no CORS headers."""
    values.pop("access-control-allow-origin")


@headers("chat", when=lambda call: call.status == 401)
def refused_keys_for_no_other_origin(values: dict[str, str], _call: Call) -> None:
    """A 401 has no CORS headers, because the key is checked first."""
    values.pop("access-control-allow-origin")
