"""One difference between the two sides of a gateway, as it was seen in one exchange."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params

from conformance.results.gateways import Side

LONGEST = 400
"""Characters of a value that is shown."""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What `Change` says of many exchanges, with both sides of this one: the client's and the upstream's, as text."""

    side: Side
    what: str
    sentence: str
    legal: bool = False
    by_itself: bool = False
    named: str = ""
    """What the sentence is about in this exchange, if it is about several: the change lists all."""
    client: str = ""
    upstream: str = ""


def text(value: Any) -> str:
    """A value of a member for reading; nothing for one that is not there."""
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}… ({len(said)} characters)"


@cache
def parameters() -> frozenset[str]:
    """All parameters that OpenAI's SDK knows of the endpoints that ask a model."""
    declared = (
        chat_create_params.CompletionCreateParamsBase,
        completion_create_params.CompletionCreateParamsBase,
        embedding_create_params.EmbeddingCreateParams,
        response_create_params.ResponseCreateParamsBase,
    )
    names = {name for one in declared for base in one.__mro__ for name in getattr(base, "__annotations__", {})}
    return frozenset({*names, "stream"})
