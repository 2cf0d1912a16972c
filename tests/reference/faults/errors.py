"""Faults of refusals: envelope, status, and what is not refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.fault import Fault
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import add, error, headers, request, status, timing


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
def no_allow_header(head: dict[str, str], _call: Call) -> None:
    """A 405 does not say what is allowed."""
    head.pop("allow", None)


@headers()
def no_cors(head: dict[str, str], _call: Call) -> None:
    """No CORS headers."""
    for name in [name for name in head if name.startswith("access-control")]:
        del head[name]


@headers()
def no_request_id(head: dict[str, str], _call: Call) -> None:
    """No x-request-id."""
    head.pop("x-request-id", None)


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


@request("chat", when=lambda call: call.state.active > 1)
def answers_crossed(body: dict[str, Any], _call: Call) -> None:
    """Under concurrency a request gets the answer to another one."""
    _held.append(body.get("messages"))
    if len(_held) > 1:
        body["messages"] = _held.pop(0)
