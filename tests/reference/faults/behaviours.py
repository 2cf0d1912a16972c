"""Models as they are: what a legal model behind a correct server writes. None of it may turn a check red."""

from __future__ import annotations

import base64
import json
import math
import random
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tests.reference import toolcalls
from tests.reference.call import Call
from tests.reference.embeddings import shape
from tests.reference.errors import ApiError
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import hook
from tests.reference.generator import Sampling, Script, Step
from tests.reference.messages import Message
from tests.reference.script import called, thought, written
from tests.reference.tokens import BYTES, TOKEN_BYTES, decode, encode

CHAT = ("chat", "responses")
LONG_THOUGHT = " ".join(f"Step {n}: I look at the question once more, and at what it asks for." for n in range(1, 9))
SHORT_THOUGHT = "The user asks something that I know, so I answer."
SMALL_TALK = (
    "Thank you for this question! I have thought about it carefully, and I am glad to help you with it today. "
    "Before I come to the answer, let me say that there are often several ways to look at such a thing. "
)


def _model(kind: str, on: str | tuple[str, ...] = CHAT, **options: Any) -> Callable[..., Any]:
    return hook(kind, on, model=True, **options)


def _retold(said: Script, change: Callable[[str], str]) -> Script:
    """The script with another text; what a grammar forces stays, and so do calls and reasoning."""
    free = [at for at, step in enumerate(said.steps) if step.channel == "content" and not step.forced]
    calls = any(step.channel == "arguments" for step in said.steps)
    if calls or (said.steps and any(step.channel == "content" and step.forced for step in said.steps)):
        return said
    text = change(decode([said.steps[at].token for at in free]))
    begin = free[0] if free else len(said.steps)
    return Script([*said.steps[:begin], *written(encode(text))], said.calls)


def _effort(call: Call) -> Any:
    reasoning = call.body.get("reasoning")
    return reasoning.get("effort") if isinstance(reasoning, dict) else call.body.get("reasoning_effort")


def _thinking(said: Script, text: str) -> Script:
    """The script with this thought in front, in the place of one that is there."""
    rest = [step for step in said.steps if not (step.channel == "reasoning" or step.call < 0)]
    return Script([*thought(text), *rest], said.calls)


# Reasoning


@_model("script")
def thinks_long(said: Script, call: Call) -> Script:
    """Reasons for about 300 tokens before each answer, unless `reasoning_effort` is `none`."""
    return said if _effort(call) == "none" else _thinking(said, LONG_THOUGHT)


@_model("script")
def thinks_short(said: Script, call: Call) -> Script:
    """Reasons for ten words before each answer, unless `reasoning_effort` is `none`."""
    return said if _effort(call) == "none" else _thinking(said, SHORT_THOUGHT)


@_model("script")
def always_thinks(said: Script, _call: Call) -> Script:
    """Reasons before each answer, whatever `reasoning_effort` says: its template cannot turn reasoning off."""
    return _thinking(said, SHORT_THOUGHT)


@_model("script")
def never_thinks(said: Script, _call: Call) -> Script:
    """Does not reason, whatever `reasoning_effort` says."""
    return Script([step for step in said.steps if not (step.channel == "reasoning" or step.call < 0)], said.calls)


@_model("script")
def thinks_without_end(said: Script, _call: Call) -> Script:
    """Reasons until the limit, and never reaches its answer."""
    return Script([*thought(" ".join([LONG_THOUGHT] * 20))])


@_model("payload", "chat")
def reasoning_field(body: Any, _call: Call) -> None:
    """Reasoning comes in `reasoning`, as with vLLM, instead of `reasoning_content`."""
    for choice in choices(body):
        for holder in (choice.get("message"), choice.get("delta")):
            if holder and "reasoning_content" in holder:
                holder["reasoning"] = holder.pop("reasoning_content")


@_model("request")
def refuses_effort_none(_body: Any, call: Call) -> None:
    """The server rejects `reasoning_effort: none`, and `minimal`: the model has no such effort."""
    if _effort(call) in ("none", "minimal", "xhigh"):
        message = f"Unsupported value: this model does not support the effort '{_effort(call)}'."
        raise ApiError(message, param="reasoning_effort", code="unsupported_value")


def _after_result(call: Call) -> bool:
    said = call.body.get("messages") or call.body.get("input")
    last = said[-1] if isinstance(said, list) and said else {}
    return isinstance(last, dict) and "tool" in (
        last.get("role"),
        str(last.get("type")).replace("function_call_output", "tool"),
    )


@_model("script", when=_after_result)
def reasons_after_results(said: Script, call: Call) -> Script:
    """After the result of a tool it writes its answer as reasoning, and ends."""
    free = [step.token for step in said.steps if step.channel == "content"]
    return said if _effort(call) == "none" or not free else Script(thought(decode(free)))


# What stands around the text


@_model("script")
def preamble_before_calls(said: Script, _call: Call) -> Script:
    """Says a short sentence before it calls a tool."""
    return _preamble(said, "I will look that up.")


@_model("script")
def long_preamble_before_calls(said: Script, _call: Call) -> Script:
    """Writes 50 tokens of text before it calls a tool."""
    return _preamble(said, SMALL_TALK)


def _preamble(said: Script, text: str) -> Script:
    at = next(
        (at for at, step in enumerate(said.steps) if step.call >= 0 and step.channel in ("hidden", "arguments")), None
    )
    if not said.calls or at is None:
        return said
    return Script([*said.steps[:at], *written(encode(text)), *said.steps[at:]], said.calls)


@_model("script")
def small_talk_first(said: Script, _call: Call) -> Script:
    """Writes 50 tokens of small talk before each answer."""
    return _retold(said, lambda text: SMALL_TALK + text)


@_model("script")
def sure_now_and_then(said: Script, call: Call) -> Script:
    """Begins one answer in five with "Sure! "."""
    return _retold(said, lambda text: "Sure! " + text) if call.chance.random() < 0.2 else said


@_model("script")
def chatter_after(said: Script, _call: Call) -> Script:
    """Continues after the answer, even after JSON that no grammar forces."""
    return _retold(said, lambda text: text + "\n\nI hope this helps! Is there anything else?")


@_model("script")
def code_fences(said: Script, _call: Call) -> Script:
    """Writes each answer in a code fence."""
    return _retold(said, lambda text: f"```\n{text}\n```")


@_model("script")
def space_first(said: Script, _call: Call) -> Script:
    """Begins each answer with a space."""
    return _retold(said, lambda text: " " + text)


@_model("script")
def line_breaks_around(said: Script, _call: Call) -> Script:
    """Begins each answer with two line breaks and ends it with one."""
    return _retold(said, lambda text: f"\n\n{text}\n")


@_model("script")
def capitals(said: Script, _call: Call) -> Script:
    """Writes in capital letters."""
    return _retold(said, str.upper)


@_model("script")
def letter_by_letter(said: Script, _call: Call) -> Script:
    """Has a tokenizer in which each byte of the text is a token."""
    text = decode([step.token for step in said.steps if step.channel == "content" and not step.forced])
    tokens = iter(BYTES[byte] for byte in text.encode())
    return _with_tokens(said, list(tokens)) if text else said


def _with_tokens(said: Script, tokens: list[int]) -> Script:
    at = next(at for at, step in enumerate(said.steps) if step.channel == "content" and not step.forced)
    if any(step.channel == "content" and step.forced for step in said.steps) or said.calls:
        return said
    return Script([*said.steps[:at], *written(tokens)], said.calls)


# Other answers


@_model("script")
def knows_nothing(said: Script, _call: Call) -> Script:
    """Gives the same wrong answer to everything."""
    return _retold(said, lambda _: "I do not know.")


@_model("script")
def refuses_politely(said: Script, _call: Call) -> Script:
    """Refuses everything, in its text, and calls no tool unless it is forced to."""
    return _retold(_without_calls(said, _call), lambda _: "I'm sorry, but I can't help with that.")


@_model("payload", "chat")
def refusal_field(body: Any, _call: Call) -> None:
    """Refuses everything in the field `refusal`, with `content` null."""
    for choice in choices(body):
        for holder in (choice.get("message"), choice.get("delta")):
            if holder and holder.get("content") and not holder.get("tool_calls"):
                holder["refusal"], holder["content"] = holder["content"], None


@_model("script")
def never_ends(said: Script, _call: Call) -> Script:
    """Continues its answer until the limit."""
    return _retold(said, lambda text: " ".join([text, *(f"And {n} more." for n in range(1, 900))]))


@_model("script")
def ends_at_once(said: Script, _call: Call) -> Script:
    """Writes nothing at all, unless a grammar forces it to."""
    return _retold(said, lambda _: "")


@_model("history")
def system_prompt_of_its_own(history: list[Message], _call: Call) -> list[Message]:
    """The template has its own system prompt, which a system message of the user replaces."""
    told = any(message.role in ("system", "developer") for message in history)
    return history if told else [Message("system", f"You are Probe. {SHORT_THOUGHT}"), *history]


# Templates leave things out, or write them in another place.


@_model("history")
def reads_no_names(history: list[Message], _call: Call) -> list[Message]:
    """The template does not write the `name` of messages."""
    return [replace(message, name=None) for message in history]


@_model("history")
def reads_no_text_beside_calls(history: list[Message], _call: Call) -> list[Message]:
    """The template writes the calls of a message without its `content`, as Llama 3's templates do."""
    return [replace(message, text="") if message.calls else message for message in history]


@_model("history")
def reads_no_earlier_reasoning(history: list[Message], _call: Call) -> list[Message]:
    """The template leaves out the reasoning of earlier messages."""
    return [replace(message, reasoning="") for message in history]


@_model("history")
def trims_messages(history: list[Message], _call: Call) -> list[Message]:
    """The template removes white space around each message, as Llama 3's templates do."""
    return [replace(message, text=message.text.strip()) for message in history]


@_model("history")
def has_no_system_role(history: list[Message], _call: Call) -> list[Message]:
    """The template writes system messages as user messages, as Gemma's templates do."""
    return [replace(one, role="user") if one.role in ("system", "developer") else one for one in history]


# Calls. Without `strict`, and with `tool_choice: auto`, names and arguments are the model's.


def _free(call: Call) -> bool:
    """Whether nothing forces the arguments of calls."""
    tools = call.body.get("tools")
    strict = any((tool.get("function") or tool).get("strict") for tool in tools or [] if isinstance(tool, dict))
    return call.body.get("tool_choice") in (None, "auto") and not strict


def _rewritten(said: Script, change: Callable[[str], str]) -> Script:
    """The script with other arguments, call by call."""
    steps: list[Step] = []
    done: set[int] = set()
    for step in said.steps:
        if step.channel != "arguments":
            steps.append(step)
        elif step.call not in done:
            done.add(step.call)
            text = decode([one.token for one in said.steps if one.channel == "arguments" and one.call == step.call])
            steps += [step._replace(token=token) for token in encode(change(text))]
    return Script(steps, said.calls)


@_model("script", when=_free)
def other_arguments(said: Script, _call: Call) -> Script:
    """Calls functions with an argument that the schema does not have."""
    return _rewritten(said, lambda _: '{"query": "something else"}')


@_model("script", when=_free)
def wrong_types(said: Script, _call: Call) -> Script:
    """Calls functions with a number where the schema requires a string, and vice versa."""

    def swap(text: str) -> str:
        found = json.loads(text)
        return json.dumps({k: 5 if isinstance(v, str) else str(v) for k, v in found.items()})

    return _rewritten(said, swap)


@_model("script", when=_free)
def more_arguments(said: Script, _call: Call) -> Script:
    """Adds an argument that the schema does not have."""
    return _rewritten(said, lambda text: json.dumps({**json.loads(text), "reason": "the user asked"}))


@_model("script", when=_free)
def no_arguments(said: Script, _call: Call) -> Script:
    """Calls functions without arguments."""
    return _rewritten(said, lambda _: "{}")


@_model("script", when=_free)
def another_name(said: Script, _call: Call) -> Script:
    """Calls a function that the request does not offer."""
    return Script(said.steps, ["lookup" for _ in said.calls])


@_model("script")
def packed_calls(said: Script, call: Call) -> Script:
    """Puts the arguments of several calls into one call."""
    if len(said.calls) < 2:
        return said
    found = [
        json.loads(decode([s.token for s in said.steps if s.channel == "arguments" and s.call == n])) for n in (0, 1)
    ]
    packed = {k: f"{v} and {found[1].get(k)}" if isinstance(v, str) else v for k, v in found[0].items()}
    kept = Script([step for step in said.steps if step.call == 0 or step.channel == "reasoning"], said.calls[:1])
    return _rewritten(kept, lambda _: json.dumps(packed))


@_model("script", when=lambda call: call.body.get("parallel_tool_calls") is not False)
def a_call_too_many(said: Script, _call: Call) -> Script:
    """Makes its last call twice."""
    if not said.calls:
        return said
    last = len(said.calls) - 1
    again = [step._replace(call=last + 1) for step in said.steps if step.call == last and step.channel != "content"]
    return Script([*said.steps, *again], [*said.calls, said.calls[last]])


@_model("script", when=lambda call: call.body.get("tool_choice") in (None, "auto"))
def calls_nothing(said: Script, _call: Call) -> Script:
    """Calls no tool unless it is forced to."""
    return _without_calls(said, _call)


@_model("script", when=_free)
def calls_always(said: Script, call: Call) -> Script:
    """Calls a tool whenever one is offered, whatever the question is, even after a tool result."""
    offered = [tool.get("function") or tool for tool in call.body.get("tools") or [] if isinstance(tool, dict)]
    if said.calls or not offered or not isinstance(offered[0].get("name"), str):
        return said
    kept = [step for step in said.steps if step.channel == "reasoning" or step.call < 0]
    made = called([toolcalls.Call(offered[0]["name"], "{}")])
    return Script([*kept, *made.steps], made.calls)


def _without_calls(said: Script, call: Call) -> Script:
    if not said.calls or call.body.get("tool_choice") not in (None, "auto"):
        return said
    kept = [step for step in said.steps if step.channel == "reasoning" or step.call < 0]
    return Script([*kept, *written(encode("I cannot look that up."))])


@_model("script")
def answers_in_json(said: Script, _call: Call) -> Script:
    """Writes each answer as a JSON object, although the request does not ask for it."""
    return _retold(said, lambda text: json.dumps({"answer": text}))


@_model("script")
def answers_in_markdown(said: Script, _call: Call) -> Script:
    """Writes each answer in bold type, below a heading."""
    return _retold(said, lambda text: f"## Answer\n\n**{text}**")


@_model("script", when=_free)
def breaks_characters(said: Script, _call: Call) -> Script:
    """Leaves out the last token of each character of four bytes, so its text is not UTF-8."""
    kept: list[Step] = []
    raw = b""
    for step in said.steps:
        piece = b"" if step.channel == "hidden" else TOKEN_BYTES[step.token]
        raw = raw[-4:] + piece
        free = step.channel == "arguments" or not step.forced
        if not (free and piece and piece[-1] & 0xC0 == 0x80 and raw.decode(errors="ignore")[-1:] > "\uffff"):
            kept.append(step)
    return Script(kept, said.calls)


# Drift: last bits of sums differ, and two tokens are almost as likely as each other


def _drifts(rate: float, after: int) -> Callable[[Script, Call], Script]:
    def drift(said: Script, call: Call) -> Script:
        free = [at for at, step in enumerate(said.steps) if step.channel == "content" and not step.forced]
        for at in free[after:]:
            if call.chance.random() < rate:
                other = encode(f" or {call.chance.randbytes(4).hex()} instead")
                return Script([*said.steps[:at], *written(other)], said.calls) if not said.calls else said
        return said

    return drift


@_model("sampling", ("chat", "completions", "responses"))
def is_sure(how: Sampling, _call: Call) -> None:
    """Gives one token nearly all probability, so it writes the same text at any temperature."""
    how.sure = 14


@_model("script")
def drifts(said: Script, call: Call) -> Script:
    """Replaces about one token in twenty at random, from the first token on."""
    return _drifts(0.05, 0)(said, call)


@_model("script")
def drifts_much(said: Script, call: Call) -> Script:
    """Replaces about one token in five at random, from the first token on."""
    return _drifts(0.2, 0)(said, call)


@_model("script")
def drifts_late(said: Script, call: Call) -> Script:
    """Replaces about one token in ten at random, after the first eight tokens."""
    return _drifts(0.1, 8)(said, call)


@_model("script")
def drifts_in_calls(said: Script, call: Call) -> Script:
    """Adds the country to a place in one call of three: "Tokyo", "Tokyo, Japan"."""

    def longer(text: str) -> str:
        if not text.startswith("{"):
            return text  # The input of a custom tool.
        found = json.loads(text)
        key = next((k for k, v in found.items() if k == "location" and isinstance(v, str)), None)
        return json.dumps({**found, key: f"{found[key]}, Japan"}) if key and call.chance.random() < 0.33 else text

    return _rewritten(said, longer)


@_model("script")
def drifts_in_reasoning(said: Script, call: Call) -> Script:
    """Reasons in different words each time."""
    if _effort(call) == "none":
        return said
    return _thinking(said, f"Well {call.chance.choice(['then', 'now', 'so'])}. {SHORT_THOUGHT}")


@_model("payload", ("chat", "completions", "responses"))
def drifts_in_logprobs(body: Any, call: Call) -> None:
    """Log probabilities of the same tokens differ by up to 2 %."""
    _shake(body, call.chance)


def _shake(value: Any, chance: random.Random) -> None:
    """Each place in the text has a factor of its own, which all logprobs at that place share."""
    if isinstance(value, dict) and "logprob" in value:
        factor = 1 + chance.uniform(-0.02, 0.02)
        for entry in (value, *(value.get("top_logprobs") or [])):
            entry["logprob"] *= factor
    else:
        for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
            _shake(inner, chance)


# Images and embeddings


def _sees(call: Call) -> bool:
    return "image_url" in json.dumps(call.body.get("messages") or "") or "input_image" in json.dumps(
        call.body.get("input") or ""
    )


@_model("script", when=_sees)
def sees_other_colours(said: Script, _call: Call) -> Script:
    """Mistakes one colour for another."""
    swaps = {"red": "orange", "blue": "purple", "green": "teal"}
    return _retold(said, lambda text: " ".join(swaps.get(word, word) for word in text.split(" ")))


@_model("script", when=_sees)
def sees_nothing(said: Script, _call: Call) -> Script:
    """Gives the same answer for each image."""
    return _retold(said, lambda _: "A picture.")


@_model("request", "embeddings")
def fixed_dimensions(body: Any, _call: Call) -> None:
    """The server rejects `dimensions`: the model was not trained for shorter vectors."""
    if isinstance(body, dict) and body.get("dimensions") is not None:
        raise ApiError("This model does not support specifying dimensions.", param="dimensions")


@_model("request", ("chat", "completions"))
def one_choice_only(body: Any, _call: Call) -> None:
    """The server rejects `n` above 1: it makes one choice at a time."""
    if isinstance(body, dict) and isinstance(body.get("n"), int) and body["n"] > 1:
        raise ApiError("Only one completion choice is supported.", param="n", code="unsupported_value")


def _reshaped(body: Any, change: Callable[[list[float]], list[float]]) -> None:
    """The vectors of a response, changed, in the form that was asked for."""
    for one in body.get("data") or []:
        vector = one["embedding"]
        packed = isinstance(vector, str)
        floats = (
            list(struct.unpack(f"<{len(raw) // 4}f", raw)) if packed and (raw := base64.b64decode(vector)) else vector
        )
        one["embedding"] = shape(change(floats), "base64" if packed else "float")


@_model("payload", "embeddings")
def embeds_all_alike(body: Any, _call: Call) -> None:
    """The vectors of all texts point in nearly the same direction."""

    def alike(floats: list[float]) -> list[float]:
        moved = [value + 1 for value in floats]
        length = math.hypot(*moved)
        return [value / length for value in moved]

    _reshaped(body, alike)


@_model("payload", "embeddings")
def embeds_coarsely(body: Any, _call: Call) -> None:
    """The vectors have few different numbers, as those of a quantised model."""
    _reshaped(body, lambda floats: [round(value * 32) / 32 for value in floats])


@_model("payload", "embeddings")
def embeds_at_any_length(body: Any, _call: Call) -> None:
    """The vectors do not have length 1."""
    _reshaped(body, lambda floats: [value * 23 for value in floats])
