"""The markers with which models write tool calls and reasoning: a server parses them, and clients never see them.

Markers of turns are left out: a model that was not trained with its template's turns writes them as plain text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from conformance.answers import Chat, Choice, Response
from conformance.outcomes import Marked
from conformance.outcomes.comparisons import assert_none_of, shown

_MARKS = re.compile(
    r"</?(?:tool_call|tool_response|think)\b[^<>]*>"  # Hermes, Qwen, Granite
    r"|<function=[\w-]+>|</function>|<parameter=[\w-]+>|</parameter>"  # Functionary v3.1, Qwen3-Coder
    r"|</?arg_(?:key|value)>"  # GLM
    r"|</?minimax:tool_call>|<invoke name="  # MiniMax
    r"|<\|(?:tool_call|channel)>|<(?:tool_call|channel)\|>|<\|\"\|>"  # Gemma
    r"|functools\[\{"  # Firefunction
    r"|<\|(?!(?:im_|eo[tm]_|end|begin|start|user|assistant|system))[\w▁ ]{2,40}\|>"  # Llama, Phi, Harmony
    r"|<｜[\w▁ ]{2,40}｜>"  # DeepSeek
    r"|\[/?(?:TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS|CALL_ID|ARGS|THINK)\]"  # Mistral
)


_BARE = re.compile(r'^\s*\{\s*"name":|(?:^|>>>)[\w-]+\n\{')
"""The beginning of a call in a notation without markers: of Llama 3, of Functionary v3.2."""

_JSON = re.compile(r"\{(?=\s*[\"'}])")
"""The beginning of an object in JSON, or in what a model takes for it; other notations have names without quotes."""

_OF_REASONING = re.compile(r"</?think\b[^<>]*>|\[/?THINK\]")


def markup_in(text: str) -> list[str]:
    """The markers in a string, in order; empty for content that clients may see."""
    return _MARKS.findall(text)


def call_markup_in(text: str) -> list[str]:
    """The markers in a string, without those of reasoning, which have checks of their own."""
    return [mark for mark in markup_in(text) if not _OF_REASONING.fullmatch(mark)]


def assert_unmarked(said: Chat | Response | Choice, where: str) -> None:
    """The text of a response or choice must have no markers; `where` names them.

    If the server took reasoning out of it, marks that begin another one are text: the model wrote them once more. If
    the model writes marks of reasoning into everything, the check is `inconclusive`.
    """
    assert_none_of(call_markup_in(said.text), where)
    found = [mark for mark in markup_in(said.text) if _OF_REASONING.fullmatch(mark)]
    if found and not (said.reasoning and "/" not in found[0]):
        raise Marked(f"expected none, got {shown(found)} ({where})", expected="none", actual=shown(found))


def begins_as_reasoning(text: str) -> bool:
    """Whether a text begins with a mark of reasoning."""
    return bool(_OF_REASONING.match(text.lstrip()))


def has_unreadable_call(text: str) -> bool:
    """Whether a string has a tool call, marked or not, in JSON that no server can read.

    It is broken, or its arguments are no object. The model wrote it so, and a server may leave it where it is.
    """
    mark = _MARKS.search(text) or _BARE.search(text)
    begun = _JSON.search(text, mark.start()) if mark else None
    if begun is None:
        return False
    try:
        call, _ = json.JSONDecoder().raw_decode(text, begun.start())
    except (ValueError, RecursionError):
        return True
    return any(not isinstance(call.get(key, {}), dict) for key in ("arguments", "parameters"))


def calls_in(text: str, names: Iterable[str]) -> list[str]:
    """The calls of these functions that a string contains, in a notation without markers: JSON, Python, after `>>>`."""
    found = []
    for name in map(re.escape, names):
        forms = (
            rf'\{{\s*"name":\s*"{name}",\s*"(?:parameters|arguments)":',  # Llama 3
            rf"\[\s*{name}\([\w]*=",  # pythonic
            rf"(?:^|>>>){name}\n\{{",  # Functionary v3.2
            rf"call:{name}\{{",  # Gemma
        )
        found += [match[0] for form in forms for match in re.finditer(form, text)]
    return found
