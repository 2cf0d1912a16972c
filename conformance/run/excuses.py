"""What a model did that explains why a check failed: it refused, wrote nothing, only reasoned, or was truncated."""

from __future__ import annotations

import re
from collections.abc import Iterable

from backends.wire import limit_of
from conformance.answers import Answer, Chat, Generated, Response
from conformance.answers.generated import ToolCall
from conformance.answers.recording import Source, answers
from conformance.kit.every import is_bad
from conformance.kit.markup import begins_as_reasoning, has_unreadable_call
from conformance.kit.steadiness import STRICT
from conformance.outcomes import Marked, Unreadable, Verdict

UNLIMITED = ("/chat/completions", "/responses")
"""Endpoints where a response to a request without a limit may fill the context."""

MARKS = 4
"""Tokens around the reasoning that a server may also count."""

FRAME = 8
"""The most tokens that any notation has around a text."""

CONTROLS = ("capital", "count")
"""A question with a short answer, and one with a longer one."""

JUDGED_APART = (
    *("tools", "tool_choice", "response_format", "n", "logprobs", "stop", "seed", "logit_bias", "top_p", "stream"),
    *("temperature", "frequency_penalty", "presence_penalty", "reasoning_effort", "max_tokens", "stream_options"),
)
"""Parameters that have rows of their own, where it counts that they are rejected."""

LONG = 1000
"""Tokens after which a response without a limit counts as endless."""


def frame(source: Source) -> int:
    """The most tokens that a chat response without text may have: those that a notation has around an empty one.

    A response to a short question has more of them, if it has a text. If it has none, and neither has one to a long
    question, which has as many tokens, there are only such tokens in both. A server that loses texts counts them.
    """
    short, long = (answers(source, name) for name in CONTROLS)
    if not (isinstance(short, Chat) and isinstance(long, Chat) and short.readable and long.readable):
        return 1
    if short.reasoning or short.tool_calls or long.reasoning or long.tool_calls:
        return 1
    tokens = completion_tokens(short) or 1
    if short.text:
        return max(1, min(tokens - 1, FRAME))
    return min(tokens, FRAME) if not long.text and tokens == completion_tokens(long) else 1


def of_the_model(problem: BaseException | None, source: Source) -> str:
    """Why the model may be the reason for a problem that the target's controls tell apart; empty if it is not."""
    if isinstance(problem, Marked) and _begins_all_as_reasoning(source):
        return "the model begins all its texts so"
    if isinstance(problem, Unreadable) and not _loses_strict_arguments(source):
        return "without `strict`, the model may write what is not JSON"
    return ""


def _begins_all_as_reasoning(source: Source) -> bool:
    """Whether the model begins its responses to plain questions with marks of reasoning, and the server leaves them."""
    controls = [answers(source, name) for name in CONTROLS]
    return all(isinstance(one, Chat) and one.readable and begins_as_reasoning(one.text) for one in controls)


def _loses_strict_arguments(source: Source) -> bool:
    """Whether arguments cannot be read although their function is `strict`: then it is the server that breaks them."""
    strict = [answers(source, name) for name in STRICT]
    listed = [answer for one in strict for answer in (one if isinstance(one, list) else [one])]
    made = [answer for answer in listed if isinstance(answer, Chat | Response) and answer.readable]
    return any(_is_broken(call) for answer in made if not answer.truncated for call in answer.tool_calls)


def _is_broken(call: ToolCall) -> bool:
    try:
        return not isinstance(call.args, dict)
    except Verdict:
        return True


def excuse(read: Iterable[Answer], frame: int = 1) -> str | None:
    """One sentence about the first response in which the model's behaviour explains the outcome; None if there is none.

    A chat response of up to `frame` tokens may be empty. A model never explains that a server accepted an invalid
    request.
    """
    made = [a for a in read if isinstance(a, Generated | Response) and a.readable and not is_bad(a)]
    for answer in made:
        try:
            why = _excuse(answer, frame)
        except Verdict:
            continue  # The server sent what cannot be read.
        if why:
            return f"{answer.name}: {why}"
    if made and all(_says_nothing(answer) and not _forces(answer) for answer in made):
        return "the model wrote nothing"
    return None


def refused_for(refused: Answer) -> str | None:
    """The parameter for which a request was cleanly rejected, as its error says; None if that is not clear.

    `error.param` names it. Where there is no `param`, the message may name a parameter that the request has only to be
    repeatable and short.
    """
    request = refused.exchange.request
    defaults = {"temperature": 0, "parallel_tool_calls": False}
    names = [name for name, value in defaults.items() if name in refused.sent and refused.sent[name] == value]
    names += [limit_of(refused.sent)] if request.room is not None else []
    try:
        named = refused.error.get("param")
    except Verdict:
        return None
    if named is not None:
        return named if isinstance(named, str) and named in refused.sent and named in {*names, *JUDGED_APART} else None
    words = re.findall(r"\w+", refused.error_message)
    return next((name for name in names if name in words), None)


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


def _excuse(answer: Generated | Response, frame: int) -> str | None:
    if answer.refusal:
        return f"the model refused ({answer.refusal[:80]!r})"
    if answer.truncated and not _has_answer(answer) and _was_long(answer):
        # Also a text, where the request forces a call: the model talks before it calls.
        return "the model did not reach its answer within the token limit"
    if isinstance(answer, Chat | Response) and answer.truncated and answer.tool_calls and _was_long(answer):
        return "the model's tool calls did not end within the token limit"
    most = frame if isinstance(answer, Chat | Response) else 1
    wrote_none = _says_nothing(answer, most) and completion_tokens(answer) is not None
    if wrote_none and not ("stop" in answer.sent or _forces(answer)):
        return "the model wrote nothing"
    if isinstance(answer, Chat | Response) and _has_unreadable_call(answer):
        return "the model wrote a tool call that cannot be read"
    if isinstance(answer, Chat | Response) and _is_all_reasoning(answer, frame):
        return "the model wrote only reasoning"
    return None


def _has_unreadable_call(answer: Chat | Response) -> bool:
    """Whether a complete response that need not be a call has such a call in its text, and no other. One that a stop
    string ended is the server's."""
    unread = answer.sent.get("tools") and not (answer.tool_calls or _forces_a_call(answer) or answer.sent.get("stop"))
    return bool(unread and not answer.truncated and has_unreadable_call(answer.text))


def _is_all_reasoning(answer: Chat | Response, frame: int) -> bool:
    """Whether the model ended after its reasoning, or wrote its answer without the markers that end reasoning.

    `usage` must confirm this where it counts both, because text that a server drops from `content` was generated. The
    server is responsible for forced output, and for responses that end in the middle.
    """
    if answer.truncated or not answer.reasoning or _has_answer(answer) or _ends_or_forces(answer):
        return False
    details = answer.usage.get(f"{'output' if isinstance(answer, Response) else 'completion'}_tokens_details")
    reasoning = details.get("reasoning_tokens") if isinstance(details, dict) else None
    written = completion_tokens(answer)
    return not isinstance(reasoning, int) or written is None or written - reasoning <= MARKS + frame


def _ends_or_forces(answer: Chat | Response) -> bool:
    """Whether a request has a stop string or a limit that a check judges, or forces a document or a call."""
    return bool(_forces(answer) or answer.sent.get("stop") or _has_judged_limit(answer))


def _forces(answer: Answer) -> bool:
    """Whether a request forces a document or a call, so that no model may write nothing."""
    sent = answer.sent
    text = sent.get("text")
    forces = sent.get("response_format") or (isinstance(text, dict) and text.get("format"))
    return bool(forces or (isinstance(answer, Generated | Response) and _forces_a_call(answer)))


def _forces_a_call(answer: Generated | Response) -> bool:
    return answer.sent.get("tool_choice") not in (None, "auto", "none")


def _has_judged_limit(answer: Generated | Response) -> bool:
    """Whether a request has a limit that is not only there to keep its response short."""
    return answer.exchange.request.room is None and any(name.startswith("max_") for name in answer.sent)


def _has_answer(answer: Generated | Response) -> bool:
    """Whether a response has what was asked for: a call where the request forces one, else a text or a call."""
    called = isinstance(answer, Chat | Response) and answer.tool_calls
    wrote = answer.text or (isinstance(answer, Response) and answer.written)  # Its deltas may be lost.
    return bool(called or (wrote and not _forces_a_call(answer)))


def _was_long(answer: Generated | Response) -> bool:
    """Whether a truncated response has about as many tokens as its limit, which is only there to keep it short.

    A limit that a check judges explains nothing. Without `usage`, each token counts as at least one character.
    """
    request = answer.exchange.request
    if _has_judged_limit(answer):
        return False
    limit = LONG if request.room is None else int(answer.sent[limit_of(answer.sent)]) - 1
    return (completion_tokens(answer) or len(answer.said)) >= limit


def _says_nothing(answer: Generated | Response, most: int = 1) -> bool:
    """Whether the model ended at once; `usage` must confirm it if there is one, with at `most` so many tokens."""
    if answer.said or answer.truncated or (isinstance(answer, Chat | Response) and answer.tool_calls):
        return False
    return (completion_tokens(answer) or 0) <= most


def completion_tokens(answer: Generated | Response) -> int | None:
    """The tokens that were generated, as `usage` says; None without one that can be read."""
    try:
        return answer.tokens("output" if isinstance(answer, Response) else "completion")
    except Verdict:
        return None
