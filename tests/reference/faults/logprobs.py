"""Faults of log probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import answer, having, ignored, payload, request

ignored("top_logprobs", on="chat")


def _entries(body: Any) -> list[dict[str, Any]]:
    found = [choice.get("logprobs") for choice in choices(body)]
    return [entry for logprobs in found if isinstance(logprobs, dict) for entry in logprobs.get("content") or []]


def _each(change: Callable[[dict[str, Any]], None]) -> Callable[[Any, Call], None]:
    def apply(body: Any, _call: Call) -> None:
        for entry in _entries(body):
            change(entry)
            for other in entry["top_logprobs"]:
                change(other)

    return apply


@request(("chat", "completions"))
def logprobs_ignored(body: dict[str, Any], _call: Call) -> None:
    """logprobs is accepted, and the response has none."""
    for name in ("logprobs", "top_logprobs"):
        body.pop(name, None)


@payload("chat")
def logprobs_positive(body: Any, call: Call) -> None:
    """Log probabilities have the wrong sign."""
    _each(lambda entry: entry.update(logprob=-entry["logprob"]))(body, call)


@payload("chat")
def logprobs_are_probabilities(body: Any, call: Call) -> None:
    """Probabilities from 0 to 1 stand where their logarithms belong."""
    _each(lambda entry: entry.update(logprob=2.718281828 ** entry["logprob"]))(body, call)


@payload("chat", when=having("top_logprobs"))
def least_likely_is_minus_infinity(body: Any, call: Call) -> None:
    """The last of several alternatives has the logprob -Infinity, which is not JSON."""

    def change(entry: dict[str, Any]) -> None:
        for other in (entry.get("top_logprobs") or [])[3:]:
            other["logprob"] = -math.inf

    _each(change)(body, call)


@payload("chat")
def logprobs_constant(body: Any, call: Call) -> None:
    """Every log probability is 0."""
    _each(lambda entry: entry.update(logprob=0.0))(body, call)


@payload("chat")
def logprob_bytes_missing(body: Any, call: Call) -> None:
    """Entries have no bytes."""
    _each(lambda entry: entry.pop("bytes"))(body, call)


@payload("chat")
def logprob_tokens_are_ids(body: Any, call: Call) -> None:
    """Tokens are numbers."""
    _each(lambda entry: entry.update(token=str(len(entry["token"]))))(body, call)


@payload("chat")
def top_logprobs_reversed(body: Any, _call: Call) -> None:
    """top_logprobs has the least likely first."""
    for entry in _entries(body):
        entry["top_logprobs"].reverse()


@payload("chat")
def top_logprobs_one_more(body: Any, _call: Call) -> None:
    """`top_logprobs` has one entry more than asked for."""
    for entry in _entries(body):
        if entry["top_logprobs"]:
            entry["top_logprobs"].append({"token": "\x00", "logprob": -99.0, "bytes": [0]})


@payload("chat")
def logprobs_unasked(body: Any, _call: Call) -> None:
    """logprobs come although the request does not ask for them."""
    for choice in choices(body):
        choice["logprobs"] = choice["logprobs"] or {"content": [], "refusal": None}


@payload("chat", stream=True)
def logprobs_missing_in_streams(body: Any, _call: Call) -> None:
    """Streams have no logprobs."""
    for choice in choices(body):
        choice["logprobs"] = None


@answer("chat")
def logprobs_null(body: Any, _call: Call) -> None:
    """logprobs are null in plain responses."""
    for choice in choices(body):
        choice["logprobs"] = None


@answer("chat")
def logprobs_one_token_short(body: Any, _call: Call) -> None:
    """The last token has no logprobs."""
    for choice in choices(body):
        if choice["logprobs"]:
            del choice["logprobs"]["content"][-1:]


@answer("chat")
def logprobs_in_legacy_shape(body: Any, _call: Call) -> None:
    """Chat has the arrays of legacy completions."""
    for choice in choices(body):
        if choice["logprobs"]:
            entries = choice["logprobs"]["content"]
            choice["logprobs"] = {"tokens": [e["token"] for e in entries], "token_logprobs": []}


@payload("chat")
def top_logprobs_an_object(body: Any, _call: Call) -> None:
    """top_logprobs is an object from token to number."""
    for entry in _entries(body):
        entry["top_logprobs"] = {other["token"]: other["logprob"] for other in entry["top_logprobs"]}


@payload("chat", stream=True)
def logprobs_of_streams_differ(body: Any, call: Call) -> None:
    """In streams log probabilities are half as large."""
    _each(lambda entry: entry.update(logprob=entry["logprob"] / 2 - 1))(body, call)


@answer("chat")
def logprobs_have_the_end(body: Any, _call: Call) -> None:
    """The end token also has an entry, with an empty token."""
    for choice in choices(body):
        if choice["logprobs"] and choice["finish_reason"] == "stop":
            choice["logprobs"]["content"].append({"token": "", "logprob": -0.1, "bytes": [], "top_logprobs": []})


@request("chat")
def alternatives_unasked(body: dict[str, Any], _call: Call) -> None:
    """Entries have an alternative although the request does not ask for any."""
    if body.get("logprobs") is True:
        body["top_logprobs"] = body.get("top_logprobs") or 1
