"""What a model did that explains why a check failed: it refused, wrote nothing, only reasoned, or was truncated."""

from __future__ import annotations

from collections.abc import Iterable

from backends.wire import limit_of
from conformance.answers import Answer, Chat, Generated, Response
from conformance.kit.every import is_bad
from conformance.outcomes import Verdict

UNLIMITED = ("/chat/completions", "/responses")
"""Endpoints where a response to a request without a limit may fill the context."""

MARKS = 4
"""Tokens around the reasoning that a server may also count."""

LONG = 1000
"""Tokens after which a response without a limit counts as endless."""


def excuse(answers: Iterable[Answer]) -> str | None:
    """One sentence about the first response in which the model's behaviour explains the outcome; None if there is none.

    A model never explains that a server accepted an invalid request.
    """
    made = [a for a in answers if isinstance(a, Generated | Response) and a.readable and not is_bad(a)]
    for answer in made:
        try:
            why = _excuse(answer)
        except Verdict:
            continue  # The server sent what cannot be read.
        if why:
            return f"{answer.name}: {why}"
    if made and all(map(_says_nothing, made)):
        return "the model wrote nothing"
    return None


def no_end(late: Answer, control: object) -> str | None:
    """One sentence if a response was not complete in time because its request sets no limit and the model writes
    without end: the `control`, a short question, reached its limit, too."""
    asked = late.exchange.request
    if asked.path not in UNLIMITED or not isinstance(asked.body, dict):
        return None
    if any(value is not None for name, value in asked.body.items() if name.startswith("max_")):
        return None
    if isinstance(control, Generated) and control.readable and control.truncated:
        return f"{late.name}: the request sets no limit, and the model does not end its responses"
    return None


def _excuse(answer: Generated | Response) -> str | None:
    if answer.refusal:
        return f"the model refused ({answer.refusal[:80]!r})"
    if answer.truncated and not _has_answer(answer) and _was_long(answer):
        return "the model did not reach its answer within the token limit"
    if _says_nothing(answer) and completion_tokens(answer) in (0, 1) and "stop" not in answer.sent:
        return "the model wrote nothing"
    if isinstance(answer, Chat | Response) and _is_all_reasoning(answer):
        return "the model wrote only reasoning"
    return None


def _is_all_reasoning(answer: Chat | Response) -> bool:
    """Whether the model ended after its reasoning, or wrote its answer without the markers that end reasoning.

    `usage` must confirm this where it counts both, because text that a server drops from `content` was generated. The
    server is responsible for forced output, and for responses that end in the middle.
    """
    if answer.truncated or not answer.reasoning or _has_answer(answer) or _ends_or_forces(answer):
        return False
    details = answer.usage.get(f"{'output' if isinstance(answer, Response) else 'completion'}_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, dict) else None
    written = completion_tokens(answer)
    return not isinstance(reasoning, int) or written is None or written - reasoning <= MARKS


def _ends_or_forces(answer: Chat | Response) -> bool:
    """Whether a request has a stop string or a limit that a check judges, or forces a document or a call."""
    sent = answer.sent
    text = sent.get("text")
    forces = sent.get("response_format") or (isinstance(text, dict) and text.get("format"))
    forces = forces or sent.get("tool_choice") not in (None, "auto", "none")
    return bool(forces or sent.get("stop") or _has_judged_limit(answer))


def _has_judged_limit(answer: Generated | Response) -> bool:
    """Whether a request has a limit that is not only there to keep its response short."""
    return answer.exchange.request.room is None and any(name.startswith("max_") for name in answer.sent)


def _has_answer(answer: Generated | Response) -> bool:
    return bool(answer.text or (isinstance(answer, Chat | Response) and answer.tool_calls))


def _was_long(answer: Generated | Response) -> bool:
    """Whether a truncated response has about as many tokens as its limit, which is only there to keep it short.

    A limit that a check judges explains nothing. Without `usage`, each token counts as at least one character.
    """
    request = answer.exchange.request
    if _has_judged_limit(answer):
        return False
    limit = LONG if request.room is None else int(answer.sent[limit_of(answer.sent)]) - 1
    return (completion_tokens(answer) or len(answer.said)) >= limit


def _says_nothing(answer: Generated | Response) -> bool:
    """Whether the model ended at once; `usage` must confirm it if there is one."""
    if answer.said or answer.truncated or (isinstance(answer, Chat | Response) and answer.tool_calls):
        return False
    return completion_tokens(answer) in (None, 0, 1)


def completion_tokens(answer: Generated | Response) -> int | None:
    """The tokens that were generated, as `usage` says; None without one that can be read."""
    try:
        return answer.tokens("output" if isinstance(answer, Response) else "completion")
    except Verdict:
        return None
