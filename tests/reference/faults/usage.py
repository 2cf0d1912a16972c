"""Faults of token counts."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import messages
from tests.reference.faults.kit import answer, events, later_turn, payload, with_tools

TEXT = ("chat", "completions")


@payload()
def usage_zero(body: Any, _call: Call) -> None:
    """All counts of usage are zero."""
    usage = (body.get("usage") if isinstance(body, dict) else None) or {}
    for key, value in usage.items():
        if isinstance(value, int):
            usage[key] = 0


@answer(TEXT)
def usage_missing(body: dict[str, Any], _call: Call) -> None:
    """Plain responses have no usage."""
    body.pop("usage", None)


@payload()
def usage_total_wrong(body: Any, _call: Call) -> None:
    """total_tokens is not the sum."""
    if isinstance(body, dict) and body.get("usage"):
        body["usage"]["total_tokens"] += 1


@payload(TEXT)
def usage_counts_characters(body: Any, _call: Call) -> None:
    """completion_tokens counts about four characters a token, as an estimate would."""
    usage = body.get("usage")
    if usage:
        usage["completion_tokens"] = usage["completion_tokens"] * 4 + 3
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]


@payload(TEXT, when=lambda call: (call.body.get("n") or 1) > 1)
def usage_counts_one_choice(body: Any, call: Call) -> None:
    """With n, only one choice is counted."""
    usage = body.get("usage")
    if usage:
        usage["completion_tokens"] //= call.body["n"]
        usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]


@payload(TEXT)
def prompt_tokens_constant(body: Any, _call: Call) -> None:
    """prompt_tokens is the same for every prompt."""
    usage = body.get("usage")
    if usage:
        usage["prompt_tokens"] = 10
        usage["total_tokens"] = 10 + usage["completion_tokens"]


@events(TEXT)
def usage_in_stream_missing(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """stream_options.include_usage has no effect."""
    for event in stream:
        if isinstance(event, dict):
            event.pop("usage", None)
        if event == "[DONE]" or event["choices"]:
            yield event


@events(TEXT)
def usage_in_stream_unasked(stream: Iterator[Any], call: Call) -> Iterator[Any]:
    """A stream ends with a usage chunk although the request does not ask for it."""
    asked = (call.body.get("stream_options") or {}).get("include_usage")
    last: Any = {}
    for event in stream:
        if event == "[DONE]" and not asked:
            counts = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}
            yield {**last, "choices": [], "usage": counts}
        last = event
        yield event


@events(TEXT)
def usage_on_the_finish_chunk(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Usage comes with the last choice, instead of in its own chunk with empty choices."""
    held: Any = None
    for event in stream:
        if isinstance(event, dict) and not event["choices"] and held:
            held["usage"] = event["usage"]
            continue
        if held:
            yield held
        held = event
    yield held


@payload(TEXT, stream=True)
def usage_beside_an_empty_choice(body: Any, call: Call) -> None:
    """The chunk with the usage has a choice without text, instead of none."""
    if body.get("choices") == []:
        empty = {"text": ""} if call.area == "completions" else {"delta": {}}
        body["choices"] = [{"index": 0, **empty, "logprobs": None, "finish_reason": None}]


@payload("chat", stream=True)
def usage_null_omitted(body: Any, _call: Call) -> None:
    """With include_usage, earlier chunks have no `usage: null`."""
    if body.get("choices") and "usage" in body:
        del body["usage"]


@payload("chat")
def reasoning_tokens_uncounted(body: Any, _call: Call) -> None:
    """completion_tokens_details.reasoning_tokens is always zero."""
    if body.get("usage"):
        body["usage"]["completion_tokens_details"]["reasoning_tokens"] = 0


@payload("chat", stream=True)
def usage_of_streams_differs(body: Any, _call: Call) -> None:
    """In streams completion_tokens counts chunks, one more than tokens."""
    usage = body.get("usage")
    if usage:
        usage["completion_tokens"] += 1
        usage["total_tokens"] += 1


@payload(when=lambda call: call.area != "models")
def usage_as_strings(body: Any, _call: Call) -> None:
    """Counts are strings."""
    usage = (body.get("usage") if isinstance(body, dict) else None) or {}
    for key, value in usage.items():
        if isinstance(value, int):
            usage[key] = str(value)


@payload("chat")
def usage_null(body: Any, _call: Call) -> None:
    """usage is null."""
    body["usage"] = None


@payload("chat", when=with_tools)
def tools_cost_no_tokens(body: Any, _call: Call) -> None:
    """prompt_tokens does not count tools."""
    usage = body.get("usage")
    if usage:
        usage["prompt_tokens"] = 5
        usage["total_tokens"] = 5 + usage["completion_tokens"]


@payload("chat", when=later_turn)
def only_the_last_message_counted(body: Any, _call: Call) -> None:
    """On later turns, prompt_tokens counts only the last message."""
    usage = body.get("usage")
    if usage:
        usage["prompt_tokens"] = 3
        usage["total_tokens"] = 3 + usage["completion_tokens"]


@payload(TEXT)
def end_token_counted(body: Any, _call: Call) -> None:
    """completion_tokens is larger than max_tokens by one."""
    usage = body.get("usage")
    if usage and isinstance(body.get("choices"), list):
        usage["completion_tokens"] += 1
        usage["total_tokens"] += 1


@payload("chat")
def cached_more_than_prompt(body: Any, _call: Call) -> None:
    """cached_tokens is more than prompt_tokens."""
    if body.get("usage"):
        body["usage"]["prompt_tokens_details"]["cached_tokens"] = body["usage"]["prompt_tokens"] + 1


@payload("embeddings")
def embedding_usage_counts_texts(body: Any, _call: Call) -> None:
    """Embeddings count texts instead of tokens."""
    if body.get("usage"):
        body["usage"] = {"prompt_tokens": len(body["data"]), "total_tokens": len(body["data"])}


@answer("chat")
def prompt_details_missing(body: Any, _call: Call) -> None:
    """Usage has no prompt_tokens_details."""
    body["usage"].pop("prompt_tokens_details")


@answer("chat", when=lambda call: (call.body.get("n") or 1) > 1)
def prompt_uncounted_with_n(body: Any, _call: Call) -> None:
    """With n, the prompt counts as 0 tokens."""
    body["usage"].update(prompt_tokens=0, total_tokens=body["usage"]["completion_tokens"])


@answer("chat")
def completion_counted_as_one(body: Any, _call: Call) -> None:
    """completion_tokens counts choices."""
    usage = body["usage"]
    usage["completion_tokens"] = len(body["choices"])
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]


_REQUESTS = itertools.count(100)


def _is_one_question(call: Call) -> bool:
    """Whether a request is nothing but a text: others stay as they are, and can be compared with it."""
    asked = messages(call.body)
    plain = set(call.body) == {"model", "temperature", "max_tokens", "messages"} and len(asked) == 1
    return plain and list(map(type, asked[0].values())) == [str, str]


@answer("chat", when=_is_one_question)
def prompt_count_grows(body: Any, _call: Call) -> None:
    """prompt_tokens also counts what earlier requests left in the cache."""
    body["usage"]["prompt_tokens"] += next(_REQUESTS)
    body["usage"]["total_tokens"] = body["usage"]["prompt_tokens"] + body["usage"]["completion_tokens"]


@answer("chat", when=with_tools)
def calls_cost_no_tokens(body: Any, _call: Call) -> None:
    """completion_tokens does not count calls."""
    if any(choice["message"].get("tool_calls") for choice in body["choices"]):
        body["usage"].update(completion_tokens=0, total_tokens=body["usage"]["prompt_tokens"])


@answer("chat", when=_is_one_question)
def completion_counts_the_prompt(body: Any, _call: Call) -> None:
    """completion_tokens also counts the prompt, as often as the model reads it."""
    usage = body["usage"]
    usage["completion_tokens"] += usage["completion_tokens"] * usage["prompt_tokens"]
    usage["total_tokens"] = usage["prompt_tokens"] + usage["completion_tokens"]
