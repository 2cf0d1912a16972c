"""Hosted APIs and servers as they are: each variation has all of the legal habits of one of them at once.

What they do against a published sentence is left out, such as the empty `choices` of Azure's first chunk.
"""

from __future__ import annotations

from typing import Any

from tests.reference.call import Call
from tests.reference.fault import Active, Fault
from tests.reference.faults import (  # noqa: F401 they add what is put together here
    legal,
    legal_chunks,
    legal_fields,
    legal_responses,
    legal_servers,
    legal_wire,
)
from tests.reference.faults.kit import FAULTS, add


def _like(host: str, *habits: str) -> None:
    active = Active(FAULTS[habit] for habit in habits)

    def through(kind: str) -> Any:
        def hook(value: Any, call: Call) -> Any:
            return active.apply(kind, value, call)

        return hook

    kinds = {kind for habit in active.faults for kind in habit.hooks}
    add(
        Fault(
            name=f"hosted-like-{host.lower().replace(' ', '-')}",
            sentence=f"Responses look like those of {host} in everything that the API leaves open.",
            area="legal_hosts",
            hooks={kind: through(kind) for kind in sorted(kinds)},
            legal=True,
        )
    )


_like(
    "OpenAI",
    *("obfuscated-chunks", "moderation-null", "keepalive-events", "settings-of-other-versions", "fewer-alternatives"),
    *("reasoning-is-hidden", "reasoning-is-hidden-in-chat", "limits-in-headers", "headers-of-a-proxy"),
    *("unlikely-tokens-are-not-told-apart", "cached-tokens-in-steps", "compressed-as-asked", "model-with-version"),
)
_like(
    "Azure",
    *("filter-results", "obfuscated-chunks", "limits-in-headers", "twelve-tokens-a-chunk", "comes-in-bursts"),
    *("model-with-version", "errors-with-more-fields", "reasoning-is-summarised", "no-entries-where-no-text"),
    "calls-begin-without-arguments",
)
_like(
    "Groq",
    *(
        "times-in-usage",
        "short-calls-in-one-chunk",
        "limits-in-headers",
        "fingerprints-of-a-fleet",
        "other-id-alphabet",
    ),
    *("role-with-the-first-text", "short-streams-at-once", "marks-of-prompts-are-counted"),
)
_like(
    "OpenRouter",
    *("provider-of-the-model", "reasoning-with-details", "comments-and-pings", "blank-lines-before-json"),
    *("model-with-an-owner", "cached-tokens-in-steps", "headers-of-a-proxy"),
    *("models-of-a-gateway", "errors-with-more-fields", "tools-cost-a-prompt", "null-where-no-text"),
)
_like(
    "DeepSeek",
    *(
        "cache-hits-in-usage",
        "blank-lines-before-json",
        "comments-and-pings",
        "other-id-alphabet",
        "null-where-no-text",
    ),
    *("reasoning-null", "fingerprints-of-a-fleet", "headers-of-a-proxy", "ends-are-counted", "a-gap-in-each-stream"),
)
_like(
    "Mistral",
    *("call-ids-of-nine-letters", "short-calls-in-one-chunk", "finish-with-the-last-text", "plain-calls-are-numbered"),
    *("obfuscated-chunks", "limits-in-headers", "marks-of-prompts-are-counted"),
    *("greedy-by-default", "models-with-all-their-data", "errors-with-long-messages"),
)
_like(
    "Gemini",
    *("short-calls-in-one-chunk", "plain-calls-are-numbered", "finish-with-the-last-text", "twelve-tokens-a-chunk"),
    *("reasoning-is-hidden-in-chat", "formats-cost-a-prompt", "content-types-with-parameters"),
    *("vectors-are-rounded", "finish-reason-tool-calls-for-named", "errors-with-long-messages"),
    "json-over-lines",  # It makes bytes, so it comes last.
)
_like(
    "Fireworks",
    *("model-with-an-owner", "tokens-beside-texts", "role-alone", "ids-have-any-letters", "logprobs-are-rounded"),
    *("cached-tokens-in-steps", "call-ids-name-the-function", "models-with-all-their-data", "header-names-in-capitals"),
    "empty-pieces-of-calls",
)
_like(
    "Perplexity",
    *("sources-of-the-text", "times-in-usage", "created-before", "connection-close", "line-separators-in-strings"),
    *("usage-without-details", "crlf", "long-headers"),
)
_like(
    "vLLM",
    *("tokens-beside-texts", "choices-one-after-the-other", "usage-of-embeddings-has-more", "ends-are-counted"),
    *("models-with-all-their-data", "text-lags-behind-logprobs", "calls-without-status", "reasoning-with-details"),
    "items-with-more-fields",
)
_like(
    "a gateway",
    *("models-of-a-gateway", "event-lines", "padding-first", "chunks-have-extensions", "choices-share-chunks"),
    *("events-of-other-kinds", "errors-with-advice", "extra-fields-everywhere", "key-order-reversed", "escaped-json"),
    "origins-are-repeated",
)
