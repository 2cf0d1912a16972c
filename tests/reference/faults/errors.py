"""Faults of refusals: envelope, status, and what is not refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import (
    Predicate,
    add,
    answer,
    authorised,
    error,
    headers,
    request,
    sent,
    status,
    timing,
    wire,
)


def _posted(call: Call) -> bool:
    return call.method == "POST"


@sent(when=_posted)
def every_request_not_found(_body: bytes, _call: Call) -> None:
    """Every POST gets 404 and an error object."""
    raise ApiError("Not found.", status=404)


@sent(when=_posted)
def every_request_rejected(_body: bytes, _call: Call) -> None:
    """Every POST gets 400 and an error object."""
    raise ApiError("Bad request.")


@error()
def error_envelope_string(body: dict[str, Any], _call: Call) -> Any:
    """`error` is a string."""
    return {"error": body["error"]["message"]}


@error()
def error_envelope_detail(body: dict[str, Any], _call: Call) -> Any:
    """Errors are {"detail": ...}, as FastAPI makes them."""
    return {"detail": body["error"]["message"]}


@error()
def error_code_is_a_number(body: dict[str, Any], _call: Call) -> None:
    """`code` is the status as a number."""
    body["error"]["code"] = 400


@error()
def error_without_param(body: dict[str, Any], _call: Call) -> None:
    """Errors have no `param`."""
    body["error"].pop("param")


@error()
def error_message_empty(body: dict[str, Any], _call: Call) -> None:
    """Errors have no message."""
    body["error"]["message"] = ""


@status()
def errors_with_status_200(value: int, _call: Call) -> int:
    """Errors come with status 200."""
    return 200 if value >= 400 else value


@status()
def errors_with_status_500(value: int, _call: Call) -> int:
    """Every rejection has status 500."""
    return 500 if value >= 400 else value


@status()
def refusals_with_status_422(value: int, _call: Call) -> int:
    """Invalid requests are rejected with 422."""
    return 422 if value == 400 else value


@headers(when=lambda call: call.status >= 400)
def error_content_type_text(head: dict[str, str], call: Call) -> None:
    """Errors are sent as text/plain."""
    head["content-type"] = "text/plain"


@headers(stream=False, when=lambda call: call.status == 200)
def plain_content_type_text(head: dict[str, str], call: Call) -> None:
    """Plain responses are sent as text/plain."""
    head["content-type"] = "text/plain"


@headers()
def no_cors(head: dict[str, str], _call: Call) -> None:
    """No CORS headers."""
    for name in [name for name in head if name.startswith("access-control")]:
        del head[name]


@request(("chat", "completions"))
def ranges_unchecked(body: dict[str, Any], _call: Call) -> None:
    """Numbers out of range are clamped silently."""
    ranges = {"temperature": (0, 2), "top_p": (0, 1), "frequency_penalty": (-2, 2), "presence_penalty": (-2, 2)}
    ranges |= {"n": (1, 128), "top_logprobs": (0, 20)}
    for name, (low, high) in ranges.items():
        if isinstance(body.get(name), int | float):
            body[name] = type(body[name])(min(max(body[name], low), high))


@request(("chat", "completions"))
def strings_taken_for_numbers(body: dict[str, Any], _call: Call) -> None:
    """Strings are accepted as numbers; a string that is not a number is dropped."""
    for name in ("temperature", "top_p", "max_tokens", "n", "seed"):
        if isinstance(body.get(name), str):
            text = body.pop(name)
            if text.isdigit():
                body[name] = int(text)


@request("chat")
def long_prompt_truncated(body: dict[str, Any], _call: Call) -> None:
    """A prompt longer than the context is truncated silently."""
    for message in messages(body):
        if isinstance(message.get("content"), str):
            message["content"] = message["content"][:4000]


@request("chat")
def unknown_roles_are_users(body: dict[str, Any], _call: Call) -> None:
    """Messages with an unknown role are read as a user's."""
    for message in messages(body):
        if message.get("role") == "wizard":
            message["role"] = "user"


@request("chat")
def unknown_roles_dropped(body: dict[str, Any], _call: Call) -> None:
    """Messages with an unknown role are dropped."""
    known = ("system", "developer", "user", "assistant", "tool")
    if isinstance(body.get("messages"), list):
        kept = [m for m in body["messages"] if not isinstance(m, dict) or m.get("role", "user") in known]
        body["messages"] = kept or [{"role": "user", "content": "Hello"}]


@request()
def crashes_on_bad_input(body: dict[str, Any], _call: Call) -> None:
    """Wrong types get a 500."""
    if not isinstance(body.get("messages", []), list) or isinstance(body.get("temperature"), str):
        raise TypeError("unsupported operand")


@timing(stream=False, when=lambda call: "stop" in call.body)
def stop_hangs(_seconds: float, _call: Call) -> float:
    """A request with `stop` gets its response after an hour."""
    return 3600.0


def _page(_chunks: Iterator[bytes], call: Call) -> Iterator[bytes]:
    yield f"<html><body><h1>{call.status}</h1></body></html>".encode()


@wire(when=lambda call: call.status >= 400)
def errors_in_utf_16(chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    """Errors are JSON in UTF-16, which clients do not expect."""
    yield b"".join(chunks).decode().encode("utf-16")


def _about_an_unknown_model(body: dict[str, Any]) -> bool:
    return bool(body["error"].get("code") == "model_not_found")


@error("chat")
def unknown_models_with_nan(body: dict[str, Any], _call: Call) -> None:
    """The error about an unknown model has `NaN`, which is not JSON, although Python reads it."""
    if _about_an_unknown_model(body):
        body["error"]["param"] = float("nan")


@error("chat")
def unknown_models_with_deep_details(body: dict[str, Any], _call: Call) -> bytes | None:
    """The error about an unknown model is nested too deeply for most JSON readers, but not for JavaScript's."""
    if not _about_an_unknown_model(body):
        return None
    return json.dumps(body).encode()[:-1] + b', "details": ' + b"[" * 30_000 + b"]" * 30_000 + b"}"


def _as_html(head: dict[str, str], _call: Call) -> None:
    head["content-type"] = "text/html"


add(
    Fault(
        name="unknown-route-html",
        sentence="An unknown route answers with a page.",
        area="errors",
        hooks={"wire": _page, "headers": _as_html},
        on=frozenset(["other"]),
        when=lambda call: call.status == 404,
    )
)

_held: list[Any] = []


@request("chat", concurrent=True)
def answers_crossed(body: dict[str, Any], call: Call) -> None:
    """While several requests are running, a request gets the response to another one."""
    if call.state.active <= 1:
        _held.clear()
    _held.append(body.get("messages"))
    if len(_held) > 1:
        body["messages"] = _held.pop(0)


@authorised()
def any_key_is_right(_right: bool, call: Call) -> bool:
    """Any API key is accepted, but there must be one."""
    return bool(call.headers.get("authorization"))


@authorised()
def no_key_is_needed(_right: bool, _call: Call) -> bool:
    """No API key is required."""
    return True


@authorised()
def key_guards_chat_only(right: bool, call: Call) -> bool:
    """Endpoints other than chat need no API key."""
    return right or call.area != "chat"


@status()
def refusals_of_keys_with_403(value: int, _call: Call) -> int:
    """A wrong API key is rejected with 403."""
    return 403 if value == 401 else value


@status(stream=True)
def streams_refused_with_422(value: int, _call: Call) -> int:
    """Invalid requests for streams are rejected with 422, those for plain responses with 400."""
    return 422 if value == 400 else value


@status()
def not_found_with_400(value: int, _call: Call) -> int:
    """Responses with status 404 have status 400 instead."""
    return 400 if value == 404 else value


@error()
def error_type_missing(body: dict[str, Any], _call: Call) -> None:
    """Errors have no type."""
    body["error"].pop("type")


@error()
def error_message_an_object(body: dict[str, Any], _call: Call) -> None:
    """The message of an error is an object."""
    body["error"]["message"] = {"text": body["error"]["message"]}


@error()
def error_in_a_list(body: dict[str, Any], _call: Call) -> Any:
    """Errors are in an array, as from some gateways."""
    return [body]


@error()
def error_flat(body: dict[str, Any], _call: Call) -> Any:
    """Errors have no envelope."""
    return {"object": "error", **body["error"]}


@request("chat")
def no_messages_answered(body: dict[str, Any], _call: Call) -> None:
    """A request without messages gets a response."""
    if not body.get("messages"):
        body["messages"] = [{"role": "user", "content": "Hello"}]


@request("chat")
def bad_tools_dropped(body: dict[str, Any], _call: Call) -> None:
    """Entries of tools that are not tools are silently dropped."""
    tools = body.get("tools")
    listed = tools if isinstance(tools, list) else [None]
    functions = [tool.get("function") if isinstance(tool, dict) else None for tool in listed]
    if not all(isinstance(one, dict) and one.get("name") for one in functions):
        body.pop("tools", None)
        body.pop("tool_choice", None)


@request("chat")
def bad_tool_choice_is_auto(body: dict[str, Any], _call: Call) -> None:
    """A tool_choice that is unknown is treated as auto."""
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        body["tool_choice"] = "auto"


@request(("chat", "completions"), concurrent=True)
def busy_under_load(_body: dict[str, Any], call: Call) -> None:
    """A second request at the same time is rejected with 503."""
    if call.state.active > 1:
        raise ApiError("Service unavailable.", status=503)


_LAST: dict[str, Any] = {}


@answer("chat", concurrent=True)
def answers_of_the_one_before(body: dict[str, Any], call: Call) -> Any:
    """While several requests are running, a client gets the response to an earlier request."""
    before = _LAST.get("answer") if call.state.active > 1 else None
    _LAST["answer"] = body
    return before


# What is no good request, and taken for one

_SOME_REQUEST = json.dumps({"model": "reference-text", "messages": [{"role": "user", "content": "Hello"}]}).encode()
"""What a server makes of nothing when it has a default for everything."""


def _parsed(body: bytes) -> Any:
    """The body, or None if it is no JSON, as bytes that are no UTF-8 are not, and what is nested too deeply."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


@sent("chat", when=lambda call: call.method == "POST")
def broken_json_repaired(body: bytes, _call: Call) -> bytes | None:
    """JSON that ends too early is completed, and missing fields get their defaults."""
    broken = body and body.isascii() and b"[[" not in body and _parsed(body) is None
    return _SOME_REQUEST if broken else None


@sent("chat", when=lambda call: call.method == "POST")
def empty_body_has_defaults(body: bytes, _call: Call) -> bytes:
    """A request without a body gets a response to default values."""
    return body or _SOME_REQUEST


@sent("chat", when=lambda call: call.method == "POST")
def array_as_body_has_defaults(body: bytes, _call: Call) -> bytes | None:
    """A request whose body is an array gets a response to default values."""
    return _SOME_REQUEST if isinstance(_parsed(body), list) else None


@sent("chat")
def broken_utf8_replaced(body: bytes, _call: Call) -> bytes | None:
    """Bytes that are not UTF-8 become question marks, and any model is accepted."""
    text = body.decode(errors="replace")
    return text.replace('"probe"', '"reference-text"').encode() if text.encode() != body else None


@sent("chat")
def deep_json_crashes(body: bytes, _call: Call) -> None:
    """JSON of thousands of brackets gets a 500."""
    if b"[" * 1000 in body:
        raise RecursionError("maximum recursion depth exceeded while decoding a JSON array")


@sent("chat")
def half_a_character_crashes(body: bytes, _call: Call) -> None:
    """Half of a surrogate pair gets a 500, when its text is encoded in UTF-8."""
    if re.search(rb"\\ud[89ab][0-9a-f]{2}(?!\\u)", body):
        raise UnicodeError("surrogates not allowed")


@request("chat")
def crashed_for_good(body: dict[str, Any], call: Call) -> None:
    """A string as an entry of messages gets a 500, and so does every later request."""
    found = body.get("messages")
    if isinstance(found, list) and not all(isinstance(message, dict) for message in found):
        call.state.broken.add("crashed")
    if "crashed" in call.state.broken:
        raise TypeError("string indices must be integers")


def _is_long(call: Call) -> bool:
    return call.area == "chat" and len(json.dumps(call.body)) > 1_000_000


add(
    Fault(
        name="body-of-a-megabyte-refused",
        sentence="A proxy refuses bodies of a megabyte, with a page.",
        area="errors",
        hooks={"status": lambda _value, _call: 413, "wire": _page, "headers": _as_html},
        when=_is_long,
    )
)


@status("chat", when=lambda call: call.method == "GET")
def wrong_method_answered(_value: int, _call: Call) -> int:
    """GET on a path for POST gets status 200, as if every path had a web page."""
    return 200


@error("models")
def models_refused_without_envelope(body: dict[str, Any], _call: Call) -> Any:
    """Errors of /models are {"detail": ...}, unlike all others."""
    return {"detail": body["error"]["message"]}


def _sent_by(agent: str) -> Predicate:
    return lambda call: agent in call.headers.get("user-agent", "").lower()


for _client, _agent in (("curl", "curl/"), ("python", "openai/python"), ("javascript", "openai/js")):
    add(
        Fault(
            name=f"{_client}-refused-by-a-firewall",
            sentence=f"A firewall refuses what says that it is {_client}, with a page.",
            area="errors",
            hooks={"status": lambda _value, _call: 403, "wire": _page, "headers": _as_html},
            when=_sent_by(_agent),
        )
    )


# Parameters and messages that are wrong, and taken for something else


@request("chat")
def message_without_role_is_users(body: dict[str, Any], _call: Call) -> None:
    """A message without a role becomes a user message."""
    for message in messages(body):
        message.setdefault("role", "user")


@request("chat")
def missing_content_is_empty(body: dict[str, Any], _call: Call) -> None:
    """A user message without content becomes an empty one."""
    for message in messages(body):
        if message.get("role") == "user":
            message.setdefault("content", "")


@request("chat")
def content_made_text(body: dict[str, Any], _call: Call) -> None:
    """Content that is a number is converted to text."""
    for message in messages(body):
        if isinstance(message.get("content"), int):
            message["content"] = str(message["content"])


@request("chat")
def text_as_message_is_users(body: dict[str, Any], _call: Call) -> None:
    """A string as an entry of messages becomes a user message."""
    if isinstance(body.get("messages"), list):
        body["messages"] = [{"role": "user", "content": m} if isinstance(m, str) else m for m in body["messages"]]


@request("chat")
def unknown_parts_dropped(body: dict[str, Any], _call: Call) -> None:
    """Parts of an unknown type are dropped."""
    for message in messages(body):
        if isinstance(message.get("content"), list):
            known = [p for p in message["content"] if "text" in p or p.get("type") in ("text", "image_url", "refusal")]
            message["content"] = known or ""


@request("chat")
def part_without_text_is_empty(body: dict[str, Any], _call: Call) -> None:
    """A text part without text becomes an empty one."""
    for message in messages(body):
        for part in message["content"] if isinstance(message.get("content"), list) else []:
            if part.get("type") == "text":
                part.setdefault("text", "")


@request("chat")
def words_taken_for_booleans(body: dict[str, Any], _call: Call) -> None:
    """Any string counts as true where a boolean is expected."""
    for name in ("stream", "logprobs", "parallel_tool_calls", "store"):
        if isinstance(body.get(name), str):
            body[name] = True


@request("chat")
def stream_options_alone_dropped(body: dict[str, Any], _call: Call) -> None:
    """stream_options without stream is ignored."""
    if body.get("stream") is not True:
        body.pop("stream_options", None)


@request("chat")
def limit_below_1_is_none(body: dict[str, Any], _call: Call) -> None:
    """A max_tokens of 0 or -1 means no limit, as in the own APIs of several engines."""
    if isinstance(body.get("max_tokens"), int) and body["max_tokens"] < 1:
        del body["max_tokens"]


def _as_text(head: dict[str, str], _call: Call) -> None:
    head["content-type"] = "text/plain"


for _area in ("chat", "completions", "embeddings", "models", "responses"):
    add(
        Fault(
            name=f"{_area}-as-text",
            sentence=f"Plain answers of /{_area} are sent as text/plain.",
            area="errors",
            hooks={"headers": _as_text},
            on=frozenset([_area]),
            stream=False,
            when=lambda call: call.status == 200,
        )
    )


def _any_model(_body: dict[str, Any], call: Call) -> Any:
    return {"id": call.argument, "object": "model", "created": 0, "owned_by": "nobody"}


add(
    Fault(
        name="any-model-retrieved",
        sentence="An unknown model is returned as if it existed.",
        area="errors",
        hooks={"error": _any_model, "status": lambda _value, _call: 200},
        on=frozenset(["models"]),
        when=lambda call: bool(call.argument) and call.method == "GET",
    )
)

add(
    Fault(
        name="unknown-response-is-null",
        sentence="An unknown response is returned as null.",
        area="errors",
        hooks={"error": lambda _body, _call: "null", "status": lambda _value, _call: 200},
        on=frozenset(["responses"]),
        when=lambda call: bool(call.argument) and call.method == "GET",
    )
)


@request("chat")
def overflow_crashes(body: dict[str, Any], _call: Call) -> None:
    """A prompt longer than the context gets a 500."""
    if len(str(body.get("messages"))) > 8000 and "tool_calls" not in str(body.get("messages")):
        raise MemoryError("the prompt does not fit")
