"""Legal fields, ids and counts: what hosted APIs and servers add to responses, and values that the API leaves free."""

from __future__ import annotations

import math
import random
import string
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call
from tests.reference.fault import Fault
from tests.reference.faults.chat import choices
from tests.reference.faults.kit import add, answer, error, payload

TEXT = ("chat", "completions", "responses")
LETTERS = string.ascii_letters + string.digits


def messages_of(body: Any) -> Iterator[dict[str, Any]]:
    """The messages of a response, or the deltas of a chunk."""
    for choice in choices(body):
        for name in ("message", "delta"):
            if isinstance(choice.get(name), dict):
                yield choice[name]


def calls_of(body: Any) -> Iterator[dict[str, Any]]:
    """The tool calls of a response, or their pieces in a chunk."""
    for message in messages_of(body):
        yield from message.get("tool_calls") or []


def usage_of(body: Any) -> dict[str, Any]:
    """The usage of a response, an event or a chunk; empty if there is none."""
    whole = body.get("response", body) if isinstance(body, dict) else {}
    found = whole.get("usage") if isinstance(whole, dict) else None
    return found if isinstance(found, dict) else {}


def renamed(call: Call, kind: str, old: str, new: str) -> str:
    """The new name of an id: the same each time."""
    kept: dict[str, str] = call.state.kept.setdefault(kind, {})
    return kept.setdefault(old, new)


# What hosted APIs add


@payload(TEXT, stream=True, legal=True)
def obfuscated_chunks(body: Any, call: Call) -> None:
    """Chunks and deltas have `obfuscation`, a string of any length, which OpenAI adds by default."""
    if "delta" in body or choices(body):
        body["obfuscation"] = "".join(call.chance.choices(LETTERS, k=call.chance.randrange(16)))


@payload("chat", legal=True)
def moderation_null(body: Any, _call: Call) -> None:
    """Responses have `moderation`, `audio` and `service_tier`, all null."""
    body |= {"moderation": None, "service_tier": None}
    for choice in choices(body):
        if "message" in choice:
            choice["message"]["audio"] = None


_SAFE = {
    "hate": {"filtered": False, "severity": "safe"},
    "protected_material_code": {"filtered": False, "detected": False},
}


@payload(("chat", "completions"), legal=True)
def filter_results(body: Any, _call: Call) -> None:
    """The response and its choices have results of content filters, as Azure adds them."""
    if "chunk" not in body["object"]:
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _SAFE}]
    for choice in choices(body):
        choice["content_filter_results"] = _SAFE if choice.get("finish_reason") is None else {}
        choice["content_filter_offsets"] = {"check_offset": 44, "start_offset": 44, "end_offset": 198}


@payload(("chat", "completions"), legal=True)
def times_in_usage(body: Any, _call: Call) -> None:
    """`usage` has times, and the response `x_groq`, as Groq sends them."""
    if usage := usage_of(body):
        usage |= {"queue_time": 0.0123, "prompt_time": 1.5e-05, "completion_time": 0.25, "total_time": 0.250015}
        body["usage_breakdown"] = None
    first = any("role" in message for message in messages_of(body))
    if "chunk" not in body.get("object", "") or first:
        body["x_groq"] = {"id": "req_01jbd6g2qdfw2adyrt2az8hz4w", "seed": 12}
    if any(choice.get("finish_reason") for choice in choices(body)) and "chunk" in body["object"]:
        body["x_groq"] = {"id": "req_01jbd6g2qdfw2adyrt2az8hz4w", "usage": {"completion_tokens": 4, "total_time": 1.5}}


@payload(("chat", "completions"), legal=True)
def provider_of_the_model(body: Any, _call: Call) -> None:
    """The response names its provider, and choices have `native_finish_reason`, as OpenRouter sends them."""
    body["provider"] = "Reference"
    for choice in choices(body):
        choice["native_finish_reason"] = {"stop": "end_turn"}.get(choice["finish_reason"], choice["finish_reason"])
        choice["error"] = None
    if usage := usage_of(body):
        usage |= {"cost": 0.00014, "is_byok": False, "cost_details": {"upstream_inference_cost": None}}


@payload("chat", legal=True)
def reasoning_with_details(body: Any, _call: Call) -> None:
    """Reasoning is in `reasoning`, and in `reasoning_details` once more, as OpenRouter sends it."""
    for message in messages_of(body):
        if text := message.pop("reasoning_content", None):
            message["reasoning"] = text
            detail = {"type": "reasoning.text", "text": text, "format": "unknown", "index": 0, "signature": None}
            message["reasoning_details"] = [detail]


def _hide(body: Any, _call: Call) -> None:
    for message in messages_of(body):
        message.pop("reasoning_content", None)


def _shown(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    for event in stream:
        found = choices(event)
        if not found or any(choice["finish_reason"] or choice.get("delta") for choice in found):
            yield event


add(
    Fault(
        name="reasoning-is-hidden-in-chat",
        sentence="The text of reasoning is not shown in chat; `usage` counts its tokens, as with OpenAI's models.",
        area="legal_fields",
        hooks={"payload": _hide, "events": _shown},
        on=frozenset(["chat"]),
        legal=True,
    )
)


@payload("chat", legal=True)
def reasoning_null(body: Any, _call: Call) -> None:
    """Where there is no reasoning, `reasoning_content` is null and `reasoning` an empty string."""
    for message in messages_of(body):
        message.setdefault("reasoning_content", None)
        message.setdefault("reasoning", "")


@payload("chat", legal=True)
def cache_hits_in_usage(body: Any, _call: Call) -> None:
    """`usage` counts the cache in fields of its own, as DeepSeek's does, and has no details of the completion."""
    if usage := usage_of(body):
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        usage["prompt_cache_hit_tokens"] = cached
        usage["prompt_cache_miss_tokens"] = usage["prompt_tokens"] - cached
        if not usage["completion_tokens_details"]["reasoning_tokens"]:
            del usage["completion_tokens_details"]


@payload(("chat", "completions"), legal=True)
def tokens_beside_texts(body: Any, _call: Call) -> None:
    """Choices have `stop_reason`, `matched_stop` and token ids, and responses have times, as with vLLM and SGLang."""
    more = {"prompt_logprobs": None, "kv_transfer_params": None, "prompt_token_ids": [1, 2, 3], "prompt": []}
    body |= {"timings": {"predicted_per_second": 65.1}, "stats": {}, "time_info": {"created": 1723733419}, **more}
    for choice in choices(body):
        choice |= {"stop_reason": None, "matched_stop": 151645, "token_ids": None, "seed": 18446744073709551615}
        choice["weight_version"] = "default"


@payload("chat", legal=True)
def sources_of_the_text(body: Any, _call: Call) -> None:
    """Responses have citations, search results and images, like Perplexity's."""
    body["citations"] = ["https://example.com/a?b=<c>"]
    body["search_results"] = [{"title": "T", "url": "https://example.com", "date": None, "snippet": "😀 …"}]
    body["num_sources_used"] = 0
    for message in messages_of(body):
        message["images"] = []
        message["executed_tools"] = None
        message["provider_specific_fields"] = {"citations": None}
    for choice in choices(body):
        choice.setdefault("delta", {"role": "assistant", "content": ""})  # Plain responses have it, too.


@payload(("chat", "completions"), legal=True)
def ids_have_any_letters(body: Any, call: Call) -> None:
    """Ids are 150 characters long, with dots, slashes, colons and equals signs."""
    if isinstance(body.get("id"), str):
        body["id"] = renamed(call, "long", body["id"], f"{body['id'].partition('-')[0]}-2026/11:30.x+{_random(120)}==~")
    for made in calls_of(body):
        if made.get("id"):
            made["id"] = renamed(call, "long", made["id"], f"call:{_random(30)}/{_random(30)}|fc_{_random(50)}=")


def _random(length: int) -> str:
    return "".join(random.choices(LETTERS, k=length))


@payload("chat", legal=True)
def call_ids_of_nine_letters(body: Any, call: Call) -> None:
    """Ids of calls have nine letters and digits, like Mistral's."""
    for made in calls_of(body):
        if made.get("id"):
            made["id"] = renamed(call, "nine", made["id"], _random(9))


@payload("chat", legal=True)
def call_ids_name_the_function(body: Any, call: Call) -> None:
    """Ids of calls are the function's name and a number that counts the conversation's calls, like Kimi K2's."""
    earlier = call.body.get("messages")
    said = (
        [one.get("tool_calls") or [] for one in earlier if isinstance(one, dict)] if isinstance(earlier, list) else []
    )
    begun = sum(len(calls) for calls in said if isinstance(calls, list))
    for message in messages_of(body):
        for place, made in enumerate(message.get("tool_calls") or []):
            if made.get("id"):
                kind = made.get("function") or made.get("custom") or {}
                made["id"] = f"functions.{kind.get('name')}:{begun + made.get('index', place)}"


@payload("chat", stream=False, legal=True)
def plain_calls_are_numbered(body: Any, _call: Call) -> None:
    """Calls of plain responses have an `index`, like those of streams, and signatures, like Gemini's."""
    for place, made in enumerate(calls_of(body)):
        made["index"] = place
        made["extra_content"] = {"google": {"thought_signature": "EjQKMgEM" * 40}}


@payload(TEXT, legal=True)
def model_with_an_owner(body: Any, _call: Call) -> None:
    """The response names the model with its owner."""
    whole = body.get("response", body)
    if whole.get("model"):
        whole["model"] = f"accounts/fireworks/models/{whole['model']}"


@payload(("chat", "completions"), legal=True)
def fingerprints_of_a_fleet(body: Any, call: Call) -> None:
    """Three machines have a fingerprint each (`system_fingerprint`), which streams have in their first chunk."""
    if "system_fingerprint" not in body:
        return
    known: set[str] = call.state.kept.setdefault("begun", set())
    body["system_fingerprint"] = f"fp_{random.Random(body['id']).randrange(3)}feb633d1f5_prod0820_fp8_kvcache"
    if body["id"] in known:
        del body["system_fingerprint"]
    known.add(body["id"])


@payload(("chat", "completions"), legal=True)
def created_before(body: Any, call: Call) -> None:
    """`created` is half a minute before the request."""
    body["created"] = call.created - 30


# Counts


@payload(TEXT, legal=True)
def cached_tokens_in_steps(body: Any, _call: Call) -> None:
    """Only prompts of 1,024 tokens come from the cache, in steps of 128, and `usage` counts other kinds too."""
    if usage := usage_of(body):
        kind = "input" if "input_tokens" in usage else "prompt"
        count, details = usage[f"{kind}_tokens"], usage[f"{kind}_tokens_details"]
        details["cached_tokens"] = 0 if count < 1024 else details["cached_tokens"] // 128 * 128
        details |= {"cache_write_tokens": 0, "text_tokens": count, "image_tokens": 0}


def _add(body: Any, kind: str, more: int) -> None:
    """More tokens of a kind in usage, and in the total."""
    usage = usage_of(body) or (body if body.get("object") == "response.input_tokens" else {})
    names = {"prompt": "input", "completion": "output"}
    for name in (f"{kind}_tokens" if "prompt_tokens" in usage else f"{names[kind]}_tokens", "total_tokens"):
        if name in usage:
            usage[name] += more


@payload(("chat", "responses"), legal=True)
def marks_of_prompts_are_counted(body: Any, _call: Call) -> None:
    """Each prompt has 31 more tokens: the template's markers and its own system prompt."""
    _add(body, "prompt", 31)


def _asked(body: Any, call: Call) -> dict[str, Any]:
    """The parameters of a request; those of a stored response are in the response."""
    whole = body.get("response", body)
    return whole if isinstance(whole, dict) and "tool_choice" in whole else call.body


@payload(("chat", "responses"), legal=True)
def tools_cost_a_prompt(body: Any, call: Call) -> None:
    """With `tools`, a prompt of 346 tokens is added, of 313 if a call is forced, as Anthropic documents it."""
    asked = _asked(body, call)
    if asked.get("tools") and asked.get("tool_choice") != "none":
        _add(body, "prompt", 346 if asked.get("tool_choice") in (None, "auto") else 313)


@payload(("chat", "responses"), legal=True)
def formats_cost_a_prompt(body: Any, call: Call) -> None:
    """A format is part of the prompt, with its schema, and so is an effort."""
    asked = _asked(body, call)
    schema = asked.get("response_format") or (asked.get("text") or {}).get("format") or {}
    if schema.get("type") in ("json_object", "json_schema"):
        _add(body, "prompt", len(str(schema.get("json_schema") or schema.get("schema"))) // 4)
    effort = asked.get("reasoning_effort") or (asked.get("reasoning") or {}).get("effort")
    if isinstance(effort, str):
        _add(body, "prompt", len(effort))


@payload(TEXT, legal=True)
def ends_are_counted(body: Any, call: Call) -> None:
    """The end token of a choice that ends by itself counts as a completion token."""
    whole = body.get("response", body)
    kept: Counter[str] = call.state.kept.setdefault("ended", Counter())
    if "choices" in whole:
        kept[whole["id"]] += sum(choice["finish_reason"] not in (None, "length") for choice in choices(whole))
        _add(body, "completion", kept[whole["id"]])
    elif whole.get("status") == "completed":
        _add(body, "completion", 1)


# Log probabilities


def _entries(value: Any) -> Iterator[dict[str, Any]]:
    """All entries of logprobs in a response or an event, alternatives too."""
    if isinstance(value, dict):
        if "logprob" in value:
            yield value
        for one in value.values():
            yield from _entries(one)
    elif isinstance(value, list):
        for one in value:
            yield from _entries(one)


@payload(("chat", "responses"), legal=True)
def logprobs_are_rounded(body: Any, _call: Call) -> None:
    """Log probabilities have three digits."""
    for entry in _entries(body):
        entry["logprob"] = round(entry["logprob"], 3)


@payload(("chat", "responses"), legal=True)
def unlikely_tokens_are_not_told_apart(body: Any, _call: Call) -> None:
    """A token that is not among the twenty likeliest has the log probability -9999."""
    for entry in _entries(body):
        if entry["logprob"] < math.log(1e-4):
            entry["logprob"] = -9999.0


@payload(("chat", "responses"), legal=True)
def fewer_alternatives(body: Any, _call: Call) -> None:
    """`top_logprobs` has only alternatives with a probability of 1 % or more, so it may have fewer than asked for."""
    for entry in _entries(body):
        if entry.get("top_logprobs"):
            likely = [one for one in entry["top_logprobs"] if one["logprob"] > math.log(0.01)]
            entry["top_logprobs"] = likely or entry["top_logprobs"][:1]


@payload("chat", legal=True)
def no_entries_where_no_text(body: Any, call: Call) -> None:
    """With `logprobs`, chunks without text have an object whose `content` is an empty array or null."""
    if call.body.get("logprobs") and "chunk" in body["object"]:
        for choice in choices(body):
            if choice.get("logprobs") is None:
                choice["logprobs"] = {"content": None if choice["finish_reason"] else [], "refusal": None}


# Embeddings and models


@answer("embeddings", legal=True)
def usage_of_embeddings_has_more(body: Any, call: Call) -> None:
    """The response to an embeddings request has an id, and `usage` counts no completion tokens, like vLLM's."""
    body |= {"id": f"embd-{_random(32)}", "created": call.created}
    body["usage"] |= {"completion_tokens": 0, "prompt_tokens_details": None, "cost": 0.0}
    for one in body["data"]:
        one["truncated"] = False


@answer("embeddings", legal=True)
def vectors_are_rounded(body: Any, _call: Call) -> None:
    """Numbers of vectors have four digits, and zero is 0."""
    for one in body["data"]:
        if isinstance(one["embedding"], list):
            rounded = [round(number, 4) for number in one["embedding"]]
            one["embedding"] = [int(number) if number.is_integer() else number for number in rounded]


@answer("models", legal=True)
def models_of_a_gateway(body: Any, _call: Call) -> None:
    """The list has four hundred more models, with slashes, capitals, colons and spaces, and says that it is whole."""
    if "data" in body:
        names = (f"Vendor-{at % 7}/Model {at}.5B-Instruct:free@{at}" for at in range(400))
        owner = {"object": "model", "created": 0, "owned_by": ""}
        body["data"] += [{"id": name, **owner} for name in names]
        body |= {"has_more": False, "first_id": body["data"][0]["id"], "last_id": body["data"][-1]["id"]}


@answer("models", legal=True)
def models_with_all_their_data(body: Any, _call: Call) -> None:
    """Models have prices, limits, permissions, aliases and what they can do."""
    for model in body.get("data", [body]):
        model |= {
            "root": model["id"],
            "parent": None,
            "max_model_len": 65536,
            "permission": [{"id": "modelperm-1", "object": "model_permission", "allow_sampling": True}],
            "aliases": [],
            "name": "A model",
            "capabilities": {"completion_chat": True, "vision": False},
            "pricing": {"prompt": "0.0000001", "image": None},
            "type": "model",
            "meta": {"n_params": 15_000_000},
        }


# Errors


@error(legal=True)
def errors_with_advice(body: Any, _call: Call) -> None:
    """Messages of errors end with advice about models, limits, lengths and paths."""
    body["error"]["message"] += (
        " See https://docs.example.com/v1/errors for supported models, endpoints that were not found, the maximum "
        "context length, max_tokens, temperature, tool_choice, safety policies and rate limits. Request id: req_1."
    )


@error(legal=True)
def errors_with_long_messages(body: Any, call: Call) -> None:
    """Messages of errors have several lines, and repeat the request without its secrets."""
    sent = "\n".join(f"  {name} = {value!r}" for name, value in call.body.items())[:3000]
    body["error"]["message"] = f"1 validation error:\n\n{body['error']['message']}\n\tinput:\n{sent} 😀"
    body["error"] |= {"status": "INVALID_ARGUMENT", "details": [{"@type": "BadRequest", "loc": ["body", 0]}]}
    body |= {"object": "error", "detail": "see error", "message": "see error", "user_id": None, "timestamp": 1.5}
