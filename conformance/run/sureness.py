"""How sure a model is: if one token has nearly all probability, random responses do not vary on any server."""

from __future__ import annotations

import math
from collections.abc import Iterable

from conformance.answers import Answer, Chat, Completion, Generated, Response
from conformance.answers.recording import Source, answers
from conformance.kit.certainty import entries
from conformance.outcomes import Verdict
from conformance.run.excuses import completion_tokens

LIKELY = {
    "/chat/completions": "things_likely",
    "/responses": "things_likely",
    "/completions": "continuation_logprobs",
}
"""The scenario that shows, for the prompt from which an endpoint's responses are drawn, how likely other tokens are."""

ENOUGH = 4.0
"""Other tokens that must be expected in all draws together, by their least probability: none comes in e^-4 of runs."""

ROUNDED = 1e-5
"""A remaining probability this small may come from the rounding of log probabilities."""

FEW = 8
"""Tokens of a response that is too short to vary, where a server shows no log probabilities."""


def too_sure(drawn: Iterable[Answer], source: Source) -> tuple[str | None, list[str]]:
    """Why responses that were drawn at a `temperature` may all be the same: one sentence if the model is too sure to
    vary, else None; and the scenario that shows it. The alternatives that the server shows are the least that other
    tokens can weigh.
    """
    hot = [a for a in drawn if isinstance(a, Generated | Response) and a.readable and a.sent.get("temperature")]
    if not hot:
        return None, []
    name = LIKELY[hot[0].exchange.request.path]
    control = answers(source, name)
    shown = _alternatives(control) if isinstance(control, Chat | Completion) and control.readable else []
    if not shown:
        short = all(_tokens(answer) < FEW for answer in hot)
        return f"responses have fewer than {FEW} tokens, and may not vary" if short else None, []
    expected = sum(
        _tokens(answer) * sum(_others(place, answer.sent["temperature"]) for place in shown) / len(shown)
        for answer in hot
    )
    if expected >= ENOUGH:
        return None, [name]
    why = (
        f"the model is so sure of its tokens that {len(hot)} random responses may be the same "
        f"({expected:.1g} other tokens are expected in all of them, by `top_logprobs` of {name})"
    )
    return why, [name]


def _others(logprobs: list[float], temperature: float) -> float:
    """The least probability that another token than the likeliest is drawn at this place.

    The tokens that are not shown have the rest of the probability. Above temperature 1 they weigh least if they are
    few, each as likely as the last one that is shown.
    """
    best, last = max(logprobs), min(logprobs)
    rest = max(0.0, 1 - sum(map(math.exp, logprobs)))
    weight = sum(math.exp((one - best) / temperature) for one in logprobs)
    if temperature > 1 and rest > ROUNDED:
        weight += rest / math.exp(last) * math.exp((last - best) / temperature)
    return 1 - 1 / weight


def _alternatives(control: Chat | Completion) -> list[list[float]]:
    """For each token, the log probabilities of the likeliest ones; empty if the server shows none that can be read."""
    try:
        if isinstance(control, Chat):
            places = [[token["logprob"] for token in entry["top_logprobs"]] for entry in entries(control)]
        else:
            places = [list(place.values()) for place in control.legacy("top_logprobs", dict)]
    except Verdict:
        return []
    return [place for place in places if place and all(isinstance(one, int | float) for one in place)]


def _tokens(answer: Generated | Response) -> int:
    """Without `usage`, each token counts as at least one character."""
    return completion_tokens(answer) or len(answer.said)
