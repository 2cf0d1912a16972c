"""Parameters that are ignored, or replaced, only beside other parameters."""

from __future__ import annotations

from typing import Any

from tests.reference.faults.kit import having, ignored, request, several_choices, with_tools

CHAT, RESPONSES = "chat", "responses"


def _accented(call: Any) -> bool:
    return not str(call.body.get("input")).isascii()


ignored("logit_bias", on=CHAT, where="beside n", when=several_choices)
ignored("frequency_penalty", on=CHAT, where="beside tools", when=with_tools)
ignored("seed", on=CHAT, where="beside tools", when=with_tools)
ignored("stop", on=CHAT, where="beside frequency_penalty", when=having("frequency_penalty"))
ignored("tool_choice", on=RESPONSES, where="beside other letters", when=_accented)


@request(CHAT, when=with_tools)
def sampling_replaced_beside_tools(body: dict[str, Any], _call: Any) -> None:
    """With tools, temperature and top_p are those of the server, the highest."""
    body["temperature"], body["top_p"] = 2, 1
