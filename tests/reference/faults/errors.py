"""Faults of refusals: envelope, status, and what is not refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.errors import ApiError
from tests.reference.fault import Fault
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import add, answer, authorised, error, headers, request, status, timing


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
    """Every refusal is a 500."""
    return 500 if value >= 400 else value


@status()
def refusals_with_status_422(value: int, _call: Call) -> int:
    """Invalid requests are refused with 422."""
    return 422 if value == 400 else value


@headers(when=lambda call: call.status >= 400)
def error_content_type_text(head: dict[str, str], call: Call) -> None:
    """Errors are sent as text/plain."""
    head["content-type"] = "text/plain"


@headers(stream=False, when=lambda call: call.status == 200)
def plain_content_type_text(head: dict[str, str], call: Call) -> None:
    """Plain answers are sent as text/plain."""
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
    """Numbers that come as strings are read, or dropped where they are none."""
    for name in ("temperature", "top_p", "max_tokens", "n", "seed"):
        if isinstance(body.get(name), str):
            text = body.pop(name)
            if text.isdigit():
                body[name] = int(text)


@request("chat")
def long_prompt_truncated(body: dict[str, Any], _call: Call) -> None:
    """A prompt longer than the context is cut silently."""
    for message in messages(body):
        if isinstance(message.get("content"), str):
            message["content"] = message["content"][:4000]


@request("chat")
def unknown_roles_dropped(body: dict[str, Any], _call: Call) -> None:
    """Messages with an unknown role are dropped."""
    known = ("system", "developer", "user", "assistant", "tool")
    if isinstance(body.get("messages"), list):
        kept = [m for m in body["messages"] if not isinstance(m, dict) or m.get("role", "user") in known]
        body["messages"] = kept or [{"role": "user", "content": "Hello"}]


@request()
def crashes_on_bad_input(body: dict[str, Any], _call: Call) -> None:
    """Wrong types end in a 500."""
    if not isinstance(body.get("messages", []), list) or isinstance(body.get("temperature"), str):
        raise TypeError("unsupported operand")


@timing(stream=False, when=lambda call: "stop" in call.body)
def stop_hangs(_seconds: float, _call: Call) -> float:
    """A request with `stop` is answered after an hour."""
    return 3600.0


def _page(_chunks: Iterator[bytes], _call: Call) -> Iterator[bytes]:
    yield b"<html><body><h1>404 Not Found</h1></body></html>"


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
    """Under concurrency a request gets the answer to another one."""
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
    """The API key is not asked for."""
    return True


@authorised()
def key_guards_chat_only(right: bool, call: Call) -> bool:
    """Endpoints other than chat need no API key."""
    return right or call.area != "chat"


@status()
def refusals_of_keys_with_403(value: int, _call: Call) -> int:
    """A wrong API key is refused with 403."""
    return 403 if value == 401 else value


@status(stream=True)
def streams_refused_with_422(value: int, _call: Call) -> int:
    """Invalid requests for streams are refused with 422, those for plain answers with 400."""
    return 422 if value == 400 else value


@status()
def not_found_with_400(value: int, _call: Call) -> int:
    """What is not found has status 400."""
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
    """Errors come in a list, as some gateways have it."""
    return [body]


@error()
def error_flat(body: dict[str, Any], _call: Call) -> Any:
    """Errors have no envelope."""
    return {"object": "error", **body["error"]}


@request("chat")
def no_messages_answered(body: dict[str, Any], _call: Call) -> None:
    """A request without messages is answered."""
    if not body.get("messages"):
        body["messages"] = [{"role": "user", "content": "Hello"}]


@request("chat")
def bad_tools_dropped(body: dict[str, Any], _call: Call) -> None:
    """Tools that are no tools are dropped silently."""
    tools = body.get("tools")
    listed = tools if isinstance(tools, list) else [None]
    functions = [tool.get("function") if isinstance(tool, dict) else None for tool in listed]
    if not all(isinstance(one, dict) and one.get("name") for one in functions):
        body.pop("tools", None)
        body.pop("tool_choice", None)


@request("chat")
def bad_tool_choice_is_auto(body: dict[str, Any], _call: Call) -> None:
    """A tool_choice that is unknown is taken for auto."""
    choice = body.get("tool_choice")
    if isinstance(choice, str) and choice not in ("none", "auto", "required"):
        body["tool_choice"] = "auto"


@request(("chat", "completions"), concurrent=True)
def busy_under_load(_body: dict[str, Any], call: Call) -> None:
    """A second request at the same time is refused with 503."""
    if call.state.active > 1:
        raise ApiError("Service unavailable.", status=503)


_LAST: dict[str, Any] = {}


@answer("chat", concurrent=True)
def answers_of_the_one_before(body: dict[str, Any], call: Call) -> Any:
    """Under concurrency a client gets the answer that was made for another one before it."""
    before = _LAST.get("answer") if call.state.active > 1 else None
    _LAST["answer"] = body
    return before
