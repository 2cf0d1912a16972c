"""One difference between the two sides of a gateway, as it was seen in one exchange."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any

import openai.types.chat
import openai.types.responses
import openai.types.shared_params
from openai.types import completion_create_params, embedding_create_params
from openai.types.chat import completion_create_params as chat_create_params
from openai.types.responses import response_create_params

from conformance.gateways.members import last_name
from conformance.results.gateways import Side

LONGEST = 400
"""Characters of a value that is shown."""


REASONING = frozenset({"reasoning", "reasoning_content"})
"""Fields that are not in OpenAI's document, but that servers read as reasoning of earlier messages."""


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
def known(path: str) -> bool:
    """Whether OpenAI's SDK knows a member of a request: a parameter, of a message, or of an object within one."""
    top, _, rest = path.partition(".")
    name = last_name(path)
    if not rest:
        return last_name(top) in parameters()
    if re.fullmatch(r"messages\[\]\.\w+", path):
        return name in _names_of(openai.types.chat, r"ChatCompletion\w+MessageParam") or name in REASONING
    within = openai.types.responses if last_name(top) in ("input", "text", "reasoning") else openai.types.chat
    return name in _names_of(within, r"\w+")


def _names_of(module: ModuleType, classes: str) -> set[str]:
    """The members of a module's classes of parameters."""
    found = [one for name, one in vars(module).items() if re.fullmatch(classes, name)]
    found += [one for name, one in vars(openai.types.shared_params).items() if classes == r"\w+" and name[0].isupper()]
    return {name for one in found for name in getattr(one, "__annotations__", {})}


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
