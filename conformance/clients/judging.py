"""Whether a client did its task with a server, by its requests and responses, and then by its output.

Every function is pure: exchanges and output in, a verdict out. A failure for which the model may be the reason never
counts against the server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from conformance.clients.running import PROMPTS, WORDS, Did
from conformance.clients.turns import Call, Turn, turns
from conformance.kit.schema import validate_against
from conformance.outcomes import Outcome
from conformance.outcomes.comparisons import shown

BUSY = (408, 425, 429, 503)
"""Statuses that do not show what the server supports."""

TOOLS = "tools"

IGNORED_BY = {
    ("response_format", False): "json_schema.the_answer_fits_the_schema",
    ("text.format", True): "responses_format.the_text_fits_the_schema",
    (TOOLS, False): "tool_choice.a_name_forces_that_function",
    (TOOLS, True): "responses_tools.a_named_function_is_called",
}
"""The check that finds what was accepted without effect: by the parameter, and whether it is the Responses API."""

TRUNCATED_BY = "context.prompt_is_never_cut"
"""The check that finds a prompt of which the server read only a part."""

WORD = PROMPTS["overflow"].split()[0]

_TOO_LONG = re.compile(
    r"context.{0,20}(length|limit|size|window)|(prompt|input|messages?).{0,20} too (long|large)", re.IGNORECASE
)
"""How a client says in its own words that the prompt is too long."""

COMPARED = 500
"""Characters of a response's end that the client's output must have; of a long output only the end is kept."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A verdict: outcome, and a sentence that says what was expected and what came.

    `forceable`: the model called no tool, or none that a client can carry out, so that the relay may force a call.
    `checks` are the ids of those that find the same.
    """

    outcome: Outcome
    message: str = ""
    forceable: bool = False
    checks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """A document that a request asks for: its schema, the parameter that has it, and whether it must match."""

    schema: dict[str, Any]
    where: str
    strict: bool


def judge(task: str, did: Did, tool: str = "") -> Judged:
    """The verdict of a task. `tool` is the one that is to be called, of a client with several."""
    had = turns(did.exchanges)
    lost = next((t.exchange for t in had if t.exchange.error in ("unreachable", "timeout") or t.status in BUSY), None)
    if lost is not None and lost.error == "timeout":
        return Judged(
            outcome=Outcome.TIMEOUT, message=f"expected a complete response in time, got none ({lost.error_detail})"
        )
    if lost is not None:
        return Judged(
            outcome=Outcome.BLOCKED,
            message=f"the server did not serve the request ({lost.status or lost.error_detail})",
        )
    if not had:
        said = _last_line(did) or "it printed nothing"
        return Judged(outcome=Outcome.FAIL, message=f"expected a request of the client, got none ({said})")
    return _tools(had, did, tool) if task == "tools" else _TASKS[task](had, did)


def settle(on_server: Judged, on_reference: Judged | None, why_none: str = "") -> Judged:
    """A failure counts against the server only if the same client does the same task on the reference."""
    if on_server.outcome.good or on_server.outcome in (Outcome.INCONCLUSIVE, Outcome.BLOCKED):
        return on_server
    if on_reference is None:
        why = f"whether the server is the reason is unknown, because the reference was not asked: {why_none}"
    elif on_reference.outcome.good:
        return on_server
    else:
        why = f"the client does not do this on the reference either ({on_reference.message})"
    return Judged(outcome=Outcome.BLOCKED, message=f"{why}; on this server: {on_server.message}")


# The tasks


def _text(had: list[Turn], did: Did) -> Judged:
    if refused := _refused(had):
        unasked = any(turn.calls for turn in had)
        return (
            _inconclusive(f"the model calls tools without being asked; then {refused.message}") if unasked else refused
        )
    if not any(turn.text.strip() for turn in had):
        return _inconclusive("the model wrote nothing")
    if ended := _ended(did):
        return ended
    if not any(_shows(did.ended.output, turn.text) for turn in had):
        return _fail(
            f"expected the client to show {shown(_last_text(had))}, got {shown(did.ended.output.strip())} (its output)"
        )
    return Judged(outcome=Outcome.PASS)


def _streamed(had: list[Turn], did: Did) -> Judged:
    if not any(turn.sent.get("stream") is True for turn in had):
        return _fail("expected a request with `stream: true`, got none")
    return _text(had, did)


def _tools(had: list[Turn], did: Did, tool: str) -> Judged:
    if not any(turn.tools for turn in had):
        return _fail("expected a request with `tools`, got none")
    wanted = [[one for one in turn.calls if turn.tools and tool in ("", one.name)] for turn in had]
    calling = next((at for at, calls in enumerate(wanted) if calls), None)
    if refused := _refused(had[: len(had) if calling is None else calling + 1]):
        return refused
    if calling is None:
        cut = ", and its response was truncated at a limit of tokens" if had[-1].truncated else ""
        others = ", ".join(f"`{one.name}`" for turn in had for one in turn.calls)
        called = f"the model called {others}, not `{tool}`" if others else f"the model called no tool{cut}"
        return Judged(outcome=Outcome.INCONCLUSIVE, message=called, forceable=True)
    turn, call = had[calling], wanted[calling][0]
    judged = _after_call(had, did, calling, call)
    if judged.outcome is not Outcome.PASS and (why := _of_the_model(turn, call)):
        return Judged(outcome=Outcome.INCONCLUSIVE, message=why, forceable=True)
    return judged


def _after_call(had: list[Turn], did: Did, calling: int, call: Call) -> Judged:
    """Whether the result of a call came back, and the loop ended. `calling` is the turn that has the call."""
    answering = next((at for at, later in enumerate(had) if at > calling and call.id in later.results), None)
    if answering is None:
        later = [id for one in had[calling + 1 :] for id in one.results]
        got = f"results of {', '.join(map(shown, later))}" if later else "no tool result"
        end = f"; the client ended with exit code {did.ended.exit_code}" if not did.stopped else ""
        said = f": {line}" if (line := _last_line(did)) else ""
        return _fail(
            f"the server called `{call.name}`; expected a request with the result of {shown(call.id)}, "
            f"got {got}{end}{said}"
        )
    after = had[answering:]
    if refused := _refused(after[:1]):
        return refused
    if after[-1].calls or not after[-1].accepted:
        return _inconclusive("the model calls tools again and again")
    if ended := _ended(did):
        return ended
    text = after[-1].text
    if text.strip() and not _shows(did.ended.output, text):
        return _fail(f"expected the client to show {shown(text)}, got {shown(did.ended.output.strip())} (its output)")
    return Judged(outcome=Outcome.PASS)


def _structured(had: list[Turn], did: Did) -> Judged:
    """The last document counts: a client may call tools before it, and ask again for one that does not fit."""
    asked = [(turn, found) for turn in had if (found := _asked(turn))]
    if not asked:
        return _fail("expected a request with a schema, got none")
    ending = [(turn, found) for turn, found in asked if found.where == TOOLS or not turn.calls] or asked
    problems = [_document_problem(*one) for one in ending]
    if last := problems[-1]:
        return problems[0] or last
    if ended := _ended(did):
        return ended
    document = _document(*ending[-1])
    if _json(did.ended.output) != _json(document):
        return _fail(
            f"expected the client to show {shown(document)}, got {shown(did.ended.output.strip())} (its output)"
        )
    if first := next((problem for problem in problems if problem), None):
        why = f"the client asked {len(asked)} times; at first: {first.message}"
        return Judged(outcome=Outcome.LENIENT, message=why, checks=first.checks)
    return Judged(outcome=Outcome.PASS)


def _document(turn: Turn, asked: Asked) -> str:
    return turn.calls[0].arguments if turn.calls and asked.where == TOOLS else turn.text


def _document_problem(turn: Turn, asked: Asked) -> Judged | None:
    """The verdict if a response is not the document that was asked for."""
    if refused := _refused([turn]):
        return refused
    if turn.truncated:
        return _inconclusive("the response was truncated at a limit of tokens")
    checks = (IGNORED_BY[asked.where, turn.exchange.request.path.endswith("/responses")],)
    if asked.where == TOOLS and not turn.calls:
        why = "accepted, but no tool is called, although `tool_choice` names one"
        return Judged(outcome=Outcome.IGNORED, message=why, checks=checks)
    document = _document(turn, asked)
    if not document.strip():
        return _inconclusive("the model wrote nothing")
    problem = _unfit(document, asked.schema)
    if problem and not asked.strict:
        return _inconclusive(f"{problem} (`{asked.where}` is not `strict`, so the model may be the reason)")
    if problem:
        why = f"accepted, but {problem} (`{asked.where}` with `strict: true`)"
        return Judged(outcome=Outcome.IGNORED, message=why, checks=checks)
    return None


def _errors(had: list[Turn], did: Did) -> Judged:
    """An unknown model is rejected, and the user soon sees why; or the server accepts any name."""
    if had[0].accepted:
        return Judged(
            outcome=Outcome.LENIENT, message="the server accepts an unknown `model`, so there is no error to show"
        )
    return _rejection_seen(had, did, seen_by_user(did, had[0].error))


def _overflow(had: list[Turn], did: Did) -> Judged:
    """A prompt that is too long is rejected, and the user sees why, soon, in whichever words; or it fits."""
    first = had[0]
    if not first.accepted and not did.stopped and any(turn.accepted for turn in had[1:]):
        return Judged(outcome=Outcome.LENIENT, message="the client left out parts of the prompt, and asked again")
    if not first.accepted:
        return _rejection_seen(had, did, seen_by_user(did, first.error) or bool(_TOO_LONG.search(_printed(did))))
    words = min(WORDS, json.dumps(first.sent).count(f"{WORD} "))
    read = first.prompt_tokens
    if read is not None and read < words and first.sent.get("truncation") != "auto":
        why = f"accepted, but the server has read {read:,} tokens of {words:,} words, and the user is not told"
        return Judged(outcome=Outcome.IGNORED, message=why, checks=(TRUNCATED_BY,))
    if words < WORDS:
        why = f"the client itself shortened the prompt of {WORDS:,} words to {words:,}"
        return _inconclusive(f"{why}, and the user is not told" if not _TOO_LONG.search(_printed(did)) else why)
    return _inconclusive(f"the server accepts {words:,} words, so its context is longer")


def _rejection_seen(had: list[Turn], did: Did, shown_to_user: bool) -> Judged:
    """The verdict of a task whose first request is rejected: the user sees why, and the client ends."""
    refused = had[0]
    if did.stopped:
        return _fail(
            f"the server answered {refused.status}; expected the client to end, but it was stopped {did.stopped}, "
            f"with {len(had)} requests; the user {'sees' if shown_to_user else 'does not see'} why"
        )
    if not refused.error:
        return _fail(
            f"expected an error object with a message, got none ({refused.status}); "
            f"the user sees {shown(_last_line(did))}"
        )
    if not shown_to_user:
        return _fail(f"expected the client to show {shown(refused.error)}, got {shown(_last_line(did))} (its output)")
    return Judged(outcome=Outcome.PASS, message=f"{len(had)} request{'s' * (len(had) > 1)}, then the user sees why")


_TASKS: dict[str, Callable[[list[Turn], Did], Judged]] = {
    "plain": _text,
    "streamed": _streamed,
    "structured": _structured,
    "errors": _errors,
    "overflow": _overflow,
}


# Parts of verdicts


def _fail(message: str) -> Judged:
    return Judged(outcome=Outcome.FAIL, message=message)


def _inconclusive(message: str) -> Judged:
    return Judged(outcome=Outcome.INCONCLUSIVE, message=message)


def _refused(had: list[Turn]) -> Judged | None:
    """The verdict if a response is a rejection, or cannot be read."""
    for number, turn in enumerate(had, start=1):
        where = f"request {number} to {turn.exchange.request.path}"
        if not turn.accepted and turn.status:
            clean = 400 <= turn.status < 500 or turn.status == 501
            outcome = Outcome.REJECTED if clean and turn.error else Outcome.FAIL
            return Judged(
                outcome=outcome, message=f"expected 2xx, got {turn.status}: {turn.error or 'no error object'} ({where})"
            )
        if turn.unreadable and turn.exchange.request.hangs_up:
            return _fail(
                f"expected the client to read the response, but it closed the connection before its end ({where})"
            )
        if turn.unreadable:
            return _fail(f"{turn.unreadable} ({where})")
    return None


def _ended(did: Did) -> Judged | None:
    """The verdict if the client did not end by itself and well."""
    if did.stopped:
        return _fail(
            f"expected the client to end, but it was stopped {did.stopped}, with {len(did.exchanges)} requests"
        )
    if did.ended.exit_code:
        return _fail(f"expected exit code 0, got {did.ended.exit_code}: {_last_line(did)}")
    return None


def _of_the_model(turn: Turn, call: Call) -> str:
    """Why a call is one that a client need not carry out; empty if it must."""
    if turn.truncated:
        return "the response was truncated at a limit of tokens"
    if call.name not in turn.tools:
        return f"the model calls {shown(call.name)}, which the request does not offer"
    if not call.id:
        return ""
    schema = turn.tools[call.name]
    problem = _unfit(call.arguments, schema if isinstance(schema, dict) else {})
    return f"the model's arguments do not match the schema: {problem}" if problem else ""


def _unfit(document: str, schema: dict[str, Any]) -> str:
    """Why a document does not match a schema; empty if it does."""
    try:
        value = json.loads(document)
    except ValueError:
        return f"expected JSON, got {shown(document)}"
    problems = validate_against(value, {k: v for k, v in schema.items() if k != "$schema"})
    return f"the document does not match the schema: {problems[0]}" if problems else ""


def _asked(turn: Turn) -> Asked | None:
    """The document that a request asks for; None if it asks for none."""
    sent = turn.sent
    if turn.tools and sent.get("tool_choice") not in (None, "auto", "none"):
        choice = sent["tool_choice"]
        named = choice.get("function", choice).get("name") if isinstance(choice, dict) else None
        name = named if named in turn.tools else next(iter(turn.tools))
        return Asked(turn.tools[name] or {}, TOOLS, False)
    for where, form in (("response_format", sent.get("response_format")), ("text.format", sent.get("text"))):
        form = form.get("format") if where == "text.format" and isinstance(form, dict) else form
        if isinstance(form, dict) and form.get("type") == "json_schema":
            inner = form.get("json_schema") or form
            return Asked(inner.get("schema") or {}, where, inner.get("strict") is True)
    return None


def seen_by_user(did: Did, message: str) -> bool:
    """Whether the client printed a message."""
    return _shows(_printed(did), message)


def _printed(did: Did) -> str:
    return f"{did.ended.output}\n{did.ended.errors}"


def _shows(output: str, text: str) -> bool:
    """Whether the client's output has the text, apart from white space and quotes."""
    return _bare(text)[-COMPARED:] in _bare(output)


def _bare(text: str) -> str:
    return re.sub(r"[\s\"'`\\]+", "", text)


def _last_text(had: list[Turn]) -> str:
    return next((turn.text for turn in reversed(had) if turn.text.strip()), "")


def _last_line(did: Did) -> str:
    """The line in which a user sees an error: one that names it, or the last line of the output."""
    lines = [line.strip() for line in (did.ended.errors or did.ended.output).splitlines() if line.strip(" {}[]|,\t")]
    named = [line for line in lines if re.search(r"\b\w*(?:error|exception)\b.*:", line, re.IGNORECASE)]
    return (named or lines or [""])[-1][:300]


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.strip()
