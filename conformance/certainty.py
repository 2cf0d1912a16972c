"""How sure the model was of a control's answer, which tells what a parameter can and cannot change."""

from __future__ import annotations

from conformance.answers import Chat
from conformance.outcomes import shown


def tokens(answer: Chat) -> list[str]:
    """The tokens of the first choice, as its logprobs name them; without logprobs, nothing can be judged."""
    shown(answer.choice.logprobs, f"{answer.name}: no logprobs came, which name the tokens")
    return [entry["token"] for entry in answer.logprobs]


def certainty(answer: Chat) -> float:
    """By how much every token, at least, was more likely than the next one, as a difference of logarithms."""
    shown(answer.choice.logprobs, f"{answer.name}: no logprobs came, which tell how sure the model is")
    both = [sorted((t["logprob"] for t in entry["top_logprobs"]), reverse=True)[:2] for entry in answer.logprobs]
    shown(all(len(pair) == 2 for pair in both), f"{answer.name}: some token has no alternative to compare it with")
    return float(min(first - second for first, second in both))
