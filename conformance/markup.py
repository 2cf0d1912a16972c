"""The marks with which models write calls, thoughts and turns: a server reads them, and clients never see them."""

from __future__ import annotations

import re

_MARKS = re.compile(
    r"</?(?:tool_call|tool_response|think)\b[^>]*>"  # Hermes, Qwen, Granite
    r"|<function=\w+>"  # Llama
    r"|<\|[\w▁ ]{2,40}\|>|<｜[\w▁ ]{2,40}｜>"  # ChatML, Llama, Phi, Harmony; DeepSeek
    r"|\[/?(?:TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS)\]"  # Mistral
)


def markup_in(text: str) -> list[str]:
    """The marks that a text holds, in order; empty for an answer as clients may see it."""
    return _MARKS.findall(text)
