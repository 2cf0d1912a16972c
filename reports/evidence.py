"""What a page shows of an exchange: request, response, timed events, `curl`, and the difference from its control."""

from __future__ import annotations

import base64
import http
import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from backends.program import KEPT
from conformance.answers import sse
from conformance.results import CheckResult
from conformance.results.curl import curl, kept_bytes
from reports.hostile import cut
from reports.pretty import parsed, pretty
from reports.table import Column

EVENTS_OPEN = 8
"""Events of a stream that are shown before the rest is folded."""

EVENTS = 160
"""Events of a stream that are shown at all."""

DIFFERENCES = 6
"""Differences from a control that are named."""


class TimedEvent(NamedTuple):
    """A server-sent event: seconds after the request at which it was whole (None: unknown), its type, and its data.

    `same` names the members of a JSON object that are equal to the event before, and therefore left out of `data`.
    """

    at: float | None
    type: str
    data: str
    same: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shown:
    """One exchange of a scenario, ready to be shown. `number` counts from 1; `of` is how many the scenario has."""

    scenario: str
    number: int
    of: int
    control: bool
    data: dict[str, Any]
    target: str
    log: str = ""
    """What the server's log gained while the scenario was sent; the last of its exchanges has it."""

    @cached_property
    def request(self) -> dict[str, Any]:
        """What was sent."""
        found: dict[str, Any] = self.data["request"]
        return found

    @cached_property
    def response(self) -> dict[str, Any]:
        """What came back."""
        found: dict[str, Any] = self.data["response"]
        return found

    @property
    def name(self) -> str:
        """The scenario, numbered if it has several requests."""
        return self.scenario if self.of == 1 else f"{self.scenario}[{self.number}]"

    @cached_property
    def ending(self) -> str:
        """How it ended, in a few words: status and time, or why there is no complete response."""
        status, error = self.response["status"], self.response["error"]
        words = [f"{status} {_phrase(status)}".strip()] if status is not None else []
        if error:
            words.append({"closed": "connection closed early"}.get(error, error))
        if self.response.get("surplus", {"text": ""}) != {"text": ""}:
            words.append("bytes after its end")
        if self.seconds is not None:
            words.append(duration(self.seconds))
        return ", ".join(words) or "no answer"

    @cached_property
    def seconds(self) -> float | None:
        """Seconds from the request to the last byte."""
        reads = self.response["reads"]
        return float(reads[-1][0]) if reads else self.response["headers_at_s"]

    @cached_property
    def sent(self) -> str:
        """The body that was sent, for reading."""
        if "body_bytes" in self.request:
            return _text(self.request["body_bytes"])
        body = self.request.get("body")
        return "" if body is None else pretty(body)

    @property
    def sent_headers(self) -> str:
        """The request's own headers, a line each."""
        return _headers(self.request["headers"])

    @property
    def headers(self) -> str:
        """The response's headers, a line each."""
        return _headers(self.response["headers"])

    @cached_property
    def raw(self) -> bytes:
        """The body that came back."""
        return kept_bytes(self.response["body"])

    @cached_property
    def streamed(self) -> bool:
        """Whether the response is an event stream, by its `Content-Type`."""
        kinds = [value for name, value in self.response["headers"] if name.lower() == "content-type"]
        return any(kind.lower().startswith("text/event-stream") for kind in kinds)

    @cached_property
    def body(self) -> str:
        """The response's body, for reading: indented if it is JSON."""
        text = _text(self.response["body"])
        try:
            return pretty(parsed(text))
        except ValueError:
            return text

    @cached_property
    def _stream(self) -> sse.Parsed:
        return sse.parse(self.raw)

    @cached_property
    def events(self) -> list[TimedEvent]:
        """The first events of the stream, with their times."""
        reads = [(float(at), int(size)) for at, size in self.response["reads"]]
        shown: list[TimedEvent] = []
        before: Any = None
        first = self._stream.events[:EVENTS]
        for event, arrived in zip(first, sse.timed(first, reads), strict=True):
            value = _object(event.data)
            same = tuple(k for k, v in value.items() if before and k in before and before[k] == v) if value else ()
            if value and same:
                rest = {k: v for k, v in value.items() if k not in same}
                data = _compact(rest)
            else:
                data = event.data
            kind = "" if event.event == "message" else event.event
            shown.append(TimedEvent(arrived, kind, cut(data, 2_000), same))
            before = value
        return shown

    @property
    def more_events(self) -> int:
        """How many events are not in `events`."""
        return max(0, len(self._stream.events) - EVENTS)

    @cached_property
    def violations(self) -> list[str]:
        """What is wrong with the stream's framing."""
        return [f"byte {v.offset}: {v.rule}" for v in self._stream.violations[:DIFFERENCES]]

    @cached_property
    def curl(self) -> str:
        """The command that sends it again."""
        return curl(self.request, recorded_as=(self.target, self.scenario, self.number))


@dataclass(frozen=True)
class ShownProgram:
    """A program that was run in place of a request, and how it ended."""

    scenario: str
    requests: int
    data: dict[str, Any]

    @property
    def ending(self) -> str:
        """In words."""
        code = self.data["exit_code"]
        return "was stopped after its time" if code is None else f"ended with exit code {code}"

    @property
    def printed(self) -> str:
        """What its output is called."""
        return "Output" if len(self.data["output"]) < KEPT else f"Output, the last {KEPT:,} characters"


@dataclass(frozen=True)
class Evidence:
    """What a check was judged on: exchanges, programs, scenarios that were not sent, what differs from the control."""

    exchanges: list[Shown]
    programs: list[ShownProgram]
    unsent: list[tuple[str, str]]
    explanations: list[str]


def evidence(column: Column, check: CheckResult) -> Evidence:
    """The evidence of one check, its controls first."""
    found: list[Shown] = []
    programs: list[ShownProgram] = []
    unsent: list[tuple[str, str]] = []
    for name in sorted(check.exchanges, key=lambda n: n not in check.controls):
        recorded = column.exchanges(name) or {}
        several = recorded.get("exchanges", [])
        if "program" in recorded:
            programs.append(ShownProgram(name, len(several), recorded["program"]))
        elif not several:
            unsent.append((name, recorded.get("unsent", "the results file has no such exchange")))
        log, last = recorded.get("log", ""), len(several)
        found += [
            Shown(name, number, last, name in check.controls, one, column.name, log if number == last else "")
            for number, one in enumerate(several, start=1)
        ]
    return Evidence(found, programs, unsent, _explanations(found))


def differences(control: Any, judged: Any, where: str = "") -> list[str]:
    """What differs between two requests' bodies, as `path: before → after`; equal bodies give an empty list."""
    if isinstance(control, dict) and isinstance(judged, dict):
        keys = list(dict.fromkeys([*judged, *control]))
        return [
            difference
            for key in keys
            for difference in differences(
                control.get(key, _ABSENT), judged.get(key, _ABSENT), f"{where}.{key}" if where else str(key)
            )
        ]
    if isinstance(control, list) and isinstance(judged, list) and len(control) == len(judged):
        pairs = enumerate(zip(control, judged, strict=True))
        return [d for n, (before, after) in pairs for d in differences(before, after, f"{where}[{n}]")]
    if type(control) is type(judged) and control == judged:
        return []
    if control is _ABSENT:
        return [f"{where} = {_short(judged)}"]
    if judged is _ABSENT:
        return [f"no {where}"]
    return [f"{where} = {_short(judged)} (control: {_short(control)})"]


def duration(seconds: float) -> str:
    """Seconds for reading, with spaces that do not break."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}\N{NO-BREAK SPACE}ms"
    if seconds < 100:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    return f"{seconds // 60:.0f}\N{NO-BREAK SPACE}min {seconds % 60:.0f}\N{NO-BREAK SPACE}s"


_ABSENT = object()
_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _explanations(exchanges: list[Shown]) -> list[str]:
    """For each judged request, how it differs from the control that is most like it."""
    controls = [e for e in exchanges if e.control]
    said = []
    for judged in (e for e in exchanges if not e.control and controls):
        found = [(differences(_whole(c), _whole(judged)), c.name) for c in controls]
        differing, control = min(found, key=lambda pair: len(pair[0]))
        shown = "; ".join(differing[:DIFFERENCES]) + (
            f"; and {len(differing) - DIFFERENCES} more" * (len(differing) > DIFFERENCES)
        )
        said.append(
            f"{judged.name} differs from the control {control} in: {shown}"
            if differing
            else f"{judged.name} is the same request as the control {control}"
        )
    return said


def _whole(shown: Shown) -> dict[str, Any]:
    """The request as an object, for naming differences: the body's members, and the path if it differs."""
    body = shown.request.get("body")
    return {"path": shown.request["path"], **(body if isinstance(body, dict) else {"body": body or shown.sent})}


def _short(value: Any) -> str:
    flat = " ".join(pretty(value).split())
    return flat if len(flat) <= 100 else flat[:99] + "…"


def _object(data: str) -> dict[str, Any] | None:
    try:
        value = parsed(data)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _headers(headers: list[list[str]]) -> str:
    return "".join(f"{name}: {value}\n" for name, value in headers)


def _text(body: dict[str, str]) -> str:
    if "text" in body:
        return body["text"]
    return base64.b64decode(body["base64"]).decode("utf-8", "backslashreplace")


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return ""
