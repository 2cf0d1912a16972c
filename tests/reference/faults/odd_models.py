"""Models further from what the suite expects: small, untrained, of another language, or with habits of their own."""

from __future__ import annotations

import json
import random
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.behaviours import (
    LONG_THOUGHT,
    _effort,
    _model,
    _reshaped,
    _retold,
    _rewritten,
    _thinking,
    _without_calls,
)
from tests.reference.faults.chat import choices
from tests.reference.generator import Sampling, Script
from tests.reference.script import written
from tests.reference.tokens import decode, encode

TEXT = ("chat", "completions", "responses")


def _not_strict(call: Call) -> bool:
    """Whether no tool is strict or has a grammar: then arguments are the model's, also of a call that is forced."""
    tools = [tool for tool in call.body.get("tools") or [] if isinstance(tool, dict)]
    return not any((tool.get("function") or tool).get("strict") or tool.get("type") == "custom" for tool in tools)


# Arguments that cannot be read. Only `strict` promises JSON that fits.


@_model("script", when=_not_strict)
def quotes_arguments_as_python(said: Script, _call: Call) -> Script:
    """Writes arguments with single quotes, as Python does."""
    return _rewritten(said, lambda text: text.replace('"', "'"))


@_model("script", when=_not_strict)
def null_for_arguments(said: Script, _call: Call) -> Script:
    """Writes `null` for the arguments of each call."""
    return _rewritten(said, lambda _: "null")


@_model("script", when=_not_strict)
def arguments_without_end(said: Script, _call: Call) -> Script:
    """Adds an argument of 3,000 characters to each call."""
    return _rewritten(
        said,
        lambda text: json.dumps({**json.loads(text), "notes": LONG_THOUGHT * 5}) if text.startswith("{") else text,
    )


@_model("script", when=lambda call: call.body.get("tool_choice") in (None, "auto"))
def calls_as_text(said: Script, _call: Call) -> Script:
    """Writes its calls as JSON in the text, in no notation that a server could read."""
    return _told(said, lambda name, text: f'{{"name": "{name}", "arguments": {text}}}')


def _told(said: Script, form: Any) -> Script:
    if not said.calls:
        return said
    texts = [
        decode([s.token for s in said.steps if s.channel == "arguments" and s.call == n])
        for n in range(len(said.calls))
    ]
    kept = [step for step in said.steps if step.channel == "reasoning" or step.call < 0]
    return Script([*kept, *written(encode("\n".join(map(form, said.calls, texts))))])


@_model("script")
def talks_between_calls(said: Script, _call: Call) -> Script:
    """Says something before each call, also between two."""
    steps = list(said.steps)
    for n in range(len(said.calls) - 1, -1, -1):
        at = next(i for i, s in enumerate(steps) if s.call == n and s.channel in ("hidden", "arguments"))
        steps[at:at] = written(encode("Next I look this up. "))
    return Script(steps, said.calls)


# Text


_SIGNS = [chr(n) for n in (*range(0x21, 0x7F), *range(0xC0, 0x250), *range(0x400, 0x460), *range(0x4E00, 0x4E80))]


@_model("script", TEXT)
def gibberish(said: Script, call: Call) -> Script:
    """Writes signs of many alphabets without end, others in place of each other text."""
    chance = random.Random(decode([step.token for step in said.steps]))
    return _retold(_without_calls(said, call), lambda _: "".join(chance.choices(_SIGNS, k=2500)))


@_model("script", TEXT)
def gibberish_by_chance(said: Script, call: Call) -> Script:
    """Writes other signs of many alphabets each time, and ends at a place of its own."""
    signs = call.chance.choices(_SIGNS, k=call.chance.randrange(1, 80))
    return _retold(_without_calls(said, call), lambda _: "".join(signs))


@_model("script", TEXT)
def always_emoji(said: Script, _call: Call) -> Script:
    """Answers in emoji, some of several code points."""
    signs = ["🦊", "👩‍👩‍👧‍👦", "🇫🇷", "✈️", "🤷🏽‍♀️", "1️⃣"]
    return _retold(said, lambda text: "".join(signs[ord(c) % len(signs)] for c in text))


@_model("script", TEXT)
def always_the_same(said: Script, _call: Call) -> Script:
    """Gives the same long answer to everything."""
    return _retold(
        said, lambda _: "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor. " * 2
    )


@_model("script", TEXT)
def thinks_in_its_text(said: Script, _call: Call) -> Script:
    """Writes its reasoning into its text, between marks that this model has no tokens for."""
    return _retold(said, lambda text: f"<think>\nOkay, the user asks something.\n</think>\n\n{text}")


@_model("script", TEXT)
def ends_now_and_then(said: Script, call: Call) -> Script:
    """Ends after one token in one answer of five."""
    short = call.chance.random() < 0.2
    return _retold(said, lambda text: decode(encode(text)[:1]) if short and text else text)


@_model("script", TEXT)
def numbers_its_tries(said: Script, call: Call) -> Script:
    """Begins each answer with a number that is another one each time, as a model that is told the time."""
    return _retold(said, lambda text: f"[{call.chance.randrange(10**9)}] {text}")


@_model("script")
def thinks_at_any_length(said: Script, call: Call) -> Script:
    """Reasons for up to 300 tokens, for another time in each response."""
    if _effort(call) == "none":
        return said
    return _thinking(said, LONG_THOUGHT[: call.chance.randrange(1, len(LONG_THOUGHT))])


# Refusals


def _wants_json(call: Call) -> bool:
    text = call.body.get("text")
    form = call.body.get("response_format") or (text.get("format") if isinstance(text, dict) else None)
    return isinstance(form, dict) and form.get("type") == "json_schema"


@_model("payload", "chat", when=_wants_json)
def refuses_schemas(body: Any, _call: Call) -> None:
    """Refuses whatever is asked with a JSON schema, in the field `refusal`."""
    for choice in choices(body):
        message = choice.get("message")
        if message and message.get("content"):
            message["refusal"], message["content"] = "I'm sorry, I cannot assist with that.", None
        delta = choice.get("delta")
        if delta and delta.get("content"):
            delta["refusal"] = delta.pop("content")


# Sampling


@_model("sampling", TEXT)
def is_unsure(how: Sampling, _call: Call) -> None:
    """Holds many tokens for almost as likely as its first."""
    how.sure = -3


# Images


# Embeddings


def _sized(size: int) -> Any:
    def reshape(body: Any, _call: Call) -> None:
        def change(floats: list[float]) -> list[float]:
            parts = [sum(floats[at::size]) for at in range(size)]
            length = sum(part * part for part in parts) ** 0.5 or 1.0
            return [part / length for part in parts]

        _reshaped(body, change)

    return reshape


@_model("payload", "embeddings", when=lambda call: call.body.get("dimensions") is None)
def embeds_in_one_number(body: Any, call: Call) -> None:
    """Vectors have one number."""
    _sized(1)(body, call)


@_model("payload", "embeddings")
def embeds_in_huge_numbers(body: Any, _call: Call) -> None:
    """Numbers of vectors are as large as float32 allows."""
    _reshaped(body, lambda floats: [value * 1e37 for value in floats])


@_model("payload", "embeddings")
def counts_marks_of_texts(body: Any, _call: Call) -> None:
    """Each text gets a prefix and two marks, which `usage` counts."""
    more = 7 * len(body.get("data") or [])
    if isinstance(body.get("usage"), dict):
        body["usage"] = {name: count + more for name, count in body["usage"].items()}
