"""The markers with which models write tool calls and reasoning: a server parses them, and clients never see them.

Markers of turns are left out: a model that was not trained with its template's turns writes them as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_MARKS = re.compile(
    r"</?(?:tool_call|tool_response|think)\b[^>]*>"  # Hermes, Qwen, Granite
    r"|<function=[\w-]+>|</function>|<parameter=[\w-]+>|</parameter>"  # Functionary v3.1, Qwen3-Coder
    r"|</?arg_(?:key|value)>"  # GLM
    r"|</?minimax:tool_call>|<invoke name="  # MiniMax
    r"|<\|(?:tool_call|channel)>|<(?:tool_call|channel)\|>|<\|\"\|>"  # Gemma
    r"|functools\[\{"  # Firefunction
    r"|<\|(?!(?:im_|eo[tm]_|end|begin|start|user|assistant|system))[\w▁ ]{2,40}\|>"  # Llama, Phi, Harmony
    r"|<｜[\w▁ ]{2,40}｜>"  # DeepSeek
    r"|\[/?(?:TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS|CALL_ID|ARGS|THINK)\]"  # Mistral
)


def markup_in(text: str) -> list[str]:
    """The markers in a string, in order; empty for content that clients may see."""
    return _MARKS.findall(text)


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
