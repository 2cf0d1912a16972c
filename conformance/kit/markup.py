"""The markers with which models write tool calls and reasoning: a server parses them, and clients never see them.

Markers of turns are left out: a model that was not trained with its template's turns writes them as plain text.
"""

from __future__ import annotations

import re

_MARKS = re.compile(
    r"</?(?:tool_call|tool_response|think)\b[^>]*>"  # Hermes, Qwen, Granite
    r"|<function=\w+>"  # Llama
    r"|<\|(?!(?:im_|eo[tm]_|end|begin|start|user|assistant|system))[\w▁ ]{2,40}\|>"  # Llama, Phi, Harmony
    r"|<｜[\w▁ ]{2,40}｜>"  # DeepSeek
    r"|\[/?(?:TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]"  # Mistral
)


def markup_in(text: str) -> list[str]:
    """The markers in a string, in order; empty for content that clients may see."""
    return _MARKS.findall(text)
