"""What recordings show about a whole server: each finding is shown once, however many checks it affects."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

from backends.bounds import NO_ROOM
from backends.find import backends
from backends.patience import CAME_AGAIN
from backends.target import ONE_AT_A_TIME
from backends.wire import Exchange, read_bytes
from conformance.answers import Chat, Response, view
from conformance.kit.markup import call_markup_in, calls_in
from conformance.outcomes import Verdict
from conformance.results import Finding
from conformance.results.causes import STOPPED
from fixtures.scenario import SCENARIOS

_ENDS = re.compile(
    rb'"finish_reason"\s*:\s*"|^data:\s*\[DONE\]|"error"\s*:\s*[{"]|'
    rb'"type"\s*:\s*"(response\.(completed|incomplete|failed)|error)"',
    re.MULTILINE,
)
"""What tells a client that a stream is complete, or why it is not."""

FEW = 3
"""Responses with tool calls as text from which on they are a fact about the server."""

CALLED = "`tool_calls`"
"""A response in which clients find the model's calls."""


def told(recording: dict[str, Any]) -> dict[str, Any]:
    """The parts of a recording that `findings` reads: instead of bodies, which would fill the memory, whether each
    `ends_early`, and where its `calls` are.
    """
    wires = [
        {
            **wire,
            "response": {**wire["response"], "body": None, "reads": []},
            "ends_early": _ends_early(wire),
            "calls": _calls(wire),
        }
        for wire in recording.get("exchanges", [])
    ]
    return {**recording, "exchanges": wires, "log": ""}


def findings(target: dict[str, Any], recordings: Mapping[str, dict[str, Any]]) -> list[Finding]:
    """The findings about a target (as a header has it), from its recordings by scenario, worst first."""
    name = target["name"]
    found = [
        *_gone(name, recordings),
        *_too_large(name, recordings),
        *_early(name, recordings),
        *_calls_as_text(target, recordings),
        *_unasked(name, recordings),
    ]
    if shown := target["details"].get(ONE_AT_A_TIME):
        together = [s for s in recordings if s in SCENARIOS and SCENARIOS[s].together]
        found.append(
            Finding(target=name, sentence=f"The server handles one request at a time: {shown}", exchanges=together)
        )
    return [*found, *_sent_again(name, recordings)]


def _gone(name: str, recordings: Mapping[str, dict[str, Any]]) -> list[Finding]:
    lost = {s: r["lost"] for s, r in recordings.items() if "lost" in r and NO_ROOM not in r["lost"]}
    if not lost:
        return []
    had = sorted((s for s in lost if recordings[s].get("fatal")), key=lambda s: _begun(recordings[s]))
    why = next(iter(lost.values()))
    if not had:
        return [Finding(target=name, sentence=f"{len(lost)} requests got no response: {why}", exchanges=list(lost))]
    what = had[0] if len(had) == 1 else f"one of {', '.join(had)}"
    return [Finding(target=name, sentence=f"{STOPPED} while it handled {what}: {why}", exchanges=had)]


def _too_large(name: str, recordings: Mapping[str, dict[str, Any]]) -> list[Finding]:
    details = {
        (scenario, number): wire["response"]["error_detail"]
        for scenario, recording in recordings.items()
        for number, wire in enumerate(recording.get("exchanges", []))
        if wire["response"]["error"] == "too large"
    }
    if not details:
        return []
    number = f"{len(details)} responses are" if len(details) > 1 else "A response is"
    why = " or ".join(dict.fromkeys(details.values()))
    scenarios = list(dict.fromkeys(scenario for scenario, _ in details))
    return [Finding(target=name, sentence=f"{number} too large for the suite: {why}", exchanges=scenarios)]


def _early(name: str, recordings: Mapping[str, dict[str, Any]]) -> list[Finding]:
    """Endpoints with streams that are complete as HTTP, but not as a response."""
    streams: dict[tuple[str, str], list[tuple[str, bool]]] = {}
    for scenario, recording in recordings.items():
        for wire in filter(_is_stream, recording.get("exchanges", [])):
            asked = wire["request"]
            streams.setdefault((asked["method"], asked["path"]), []).append((scenario, wire["ends_early"]))
    found = []
    for (method, path), some in streams.items():
        if early := [scenario for scenario, is_early in some if is_early]:
            number = (
                f"{len(early)} of {len(some)} streams of {method} {path} {'end' if len(early) > 1 else 'ends'} early"
            )
            last = "`response.completed`" if path.startswith("/responses") else "`finish_reason`, no `[DONE]`"
            scenarios = list(dict.fromkeys(early))
            found.append(Finding(target=name, sentence=f"{number}: no {last} and no error", exchanges=scenarios))
    return found


def _ends_early(wire: dict[str, Any]) -> bool:
    """Whether a stream that was read to its end does not say that it is one."""
    whole = wire["response"]["error"] is None and wire["request"].get("hang_up_after") is None
    return whole and _is_stream(wire) and not _ENDS.search(read_bytes(wire["response"]["body"]))


def _calls_as_text(target: dict[str, Any], recordings: Mapping[str, dict[str, Any]]) -> list[Finding]:
    """Endpoints of which most responses, plain or streamed, have the model's tool calls as text."""
    seen: dict[str, dict[bool, list[tuple[str, str]]]] = {}
    for scenario, recording in recordings.items():
        for wire in recording.get("exchanges", []):
            if wire["calls"]:
                forms = seen.setdefault(wire["request"]["path"], {})
                forms.setdefault(_is_stream(wire), []).append((scenario, wire["calls"]))
    hint = backends().get(target["backend"], {}).get("doctor", {}).get("mend_tools")
    found = []
    for path, forms in seen.items():
        texts = {form: [one for one in some if one[1] != CALLED] for form, some in forms.items()}
        affected = [form for form, some in texts.items() if len(some) >= FEW and 2 * len(some) > len(forms[form])]
        if affected:
            shown = [one for form in affected for one in texts[form]]
            every = sum(len(forms[form]) for form in affected)
            kind = "" if len(affected) == len(forms) else "streamed " if affected[0] else "plain "
            mark = Counter(begins for _, begins in shown).most_common(1)[0][0]
            sentence = (
                f"{len(shown)} of {every} {kind}responses of POST {path} with tool calls have them as text "
                f"(`{mark}`): the server does not read the model's notation{f'; {hint}' if hint else ''}"
            )
            exchanges = list(dict.fromkeys(scenario for scenario, _ in shown))
            found.append(Finding(target=target["name"], sentence=sentence, exchanges=exchanges))
    return found


def _calls(wire: dict[str, Any]) -> str:
    """Where a complete response to a request with tools has calls: CALLED, or how they begin in its text."""
    asked = wire["request"].get("body")
    if not isinstance(asked, dict) or not isinstance(asked.get("tools"), list) or asked.get("tool_choice") == "none":
        return ""
    answer = view(wire["request"]["path"])("", Exchange.from_json(wire), False)
    try:
        if not isinstance(answer, Chat | Response) or answer.truncated:
            return ""
        if answer.tool_calls:
            return CALLED
        names = [tool.get("name") or tool.get("function", {}).get("name") for tool in asked["tools"]]
        return next(iter(call_markup_in(answer.text) or calls_in(answer.text, filter(None, names))), "")
    except (Verdict, AttributeError, TypeError):
        return ""  # The response cannot be read, or the request is invalid.


def _unasked(name: str, recordings: Mapping[str, dict[str, Any]]) -> list[Finding]:
    """Endpoints that stream although the request does not ask for it."""
    found: dict[str, list[str]] = {}
    said_false: set[str] = set()
    for scenario, recording in recordings.items():
        for wire in recording.get("exchanges", []):
            body, path = wire["request"].get("body"), wire["request"]["path"]
            if not isinstance(body, dict) or body.get("stream") not in (None, False) or not _is_stream(wire):
                continue
            found.setdefault(path, []).append(scenario)
            if body.get("stream") is False:
                said_false.add(path)
    return [
        Finding(
            target=name,
            sentence=f"POST {path} streams {'even if' if path in said_false else 'unless'} `stream` is `false`",
            exchanges=list(dict.fromkeys(scenarios)),
        )
        for path, scenarios in found.items()
    ]


def _sent_again(name: str, recordings: Mapping[str, dict[str, Any]]) -> list[Finding]:
    notes = [note.partition("; ") for r in recordings.values() if "lost" not in r for note in r.get("again", [])]
    counts = Counter(why for why, _, how in notes if how and how != CAME_AGAIN)
    if not counts:
        return []
    said = ", ".join(f"{why} {number} times" if number > 1 else why for why, number in counts.most_common())
    return [Finding(target=name, sentence=f"Requests were rejected temporarily and sent again: {said}")]


def _is_stream(wire: dict[str, Any]) -> bool:
    response = wire["response"]
    kind = next((value for key, value in response["headers"] if key.lower() == "content-type"), "")
    return 200 <= (response["status"] or 0) < 300 and kind.lower().startswith("text/event-stream")


def _begun(recording: Mapping[str, Any]) -> float:
    return min((float(wire["started_at"]) for wire in recording["exchanges"]), default=0.0)
