"""The marks with which models write calls and thoughts: a server reads them, and clients never see them.

Those of turns are left out: a model that was not trained with the turns of its template writes them as plain text.
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
    """The marks that a text holds, in order; empty for an answer as clients may see it."""
    return _MARKS.findall(text)
