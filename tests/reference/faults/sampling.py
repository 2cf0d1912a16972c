"""Faults of the generator: parameters that have no effect, or the wrong one."""

from __future__ import annotations

from typing import Any

from tests.reference.call import Call
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.kit import answer, having, ignored, payload, request, sampling
from tests.reference.generator import Sampling
from tests.reference.tokens import encode

TEXT = ("chat", "completions", "responses")
ignored("seed", "frequency_penalty", "presence_penalty", "logit_bias", on=TEXT)
ignored("logit_bias", on=TEXT, where="in streams", stream=True)
ignored("seed", on="chat", where="in streams", stream=True)


@sampling(TEXT)
def temperature_ignored(how: Sampling, _call: Call) -> None:
    """The parameter temperature is accepted and ignored."""
    how.temperature = 1.0


@sampling(TEXT)
def top_p_ignored(how: Sampling, _call: Call) -> None:
    """The parameter top_p is accepted and ignored."""
    how.top_p = 1.0


@sampling(TEXT)
def always_greedy(how: Sampling, _call: Call) -> None:
    """The likeliest token is taken at any temperature."""
    how.temperature = 0


@sampling(TEXT)
def never_greedy(how: Sampling, _call: Call) -> None:
    """Temperature 0 is treated as 1.5."""
    if how.temperature == 0:
        how.temperature = 1.5


@sampling(TEXT)
def penalties_with_wrong_sign(how: Sampling, _call: Call) -> None:
    """Positive penalties reward repetition."""
    how.frequency_penalty, how.presence_penalty = -how.frequency_penalty, -how.presence_penalty


@sampling(TEXT)
def frequency_penalty_is_a_repetition_penalty(how: Sampling, _call: Call) -> None:
    """frequency_penalty lowers the logit of a used token by much, however often the token was used."""
    how.presence_penalty, how.frequency_penalty = how.presence_penalty + 8 * how.frequency_penalty, 0


@sampling(TEXT)
def long_stop_strings_leave_a_character(how: Sampling, _call: Call) -> None:
    """The first character of a stop string of several words stays in the text, plain and streamed."""
    how.stop = [stop[1:] if " " in stop else stop for stop in how.stop]


@sampling(TEXT)
def logit_bias_shifted(how: Sampling, _call: Call) -> None:
    """logit_bias applies to the token after the named one."""
    how.logit_bias = {token + 1: bias for token, bias in how.logit_bias.items() if token < 1000}


@sampling(TEXT)
def max_tokens_off_by_one(how: Sampling, _call: Call) -> None:
    """One token more than max_tokens is generated."""
    how.max_tokens += 1


@request(TEXT)
def max_tokens_capped_at_four(body: dict[str, Any], _call: Call) -> None:
    """No response is longer than four tokens, whatever max_tokens is."""
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens"):
        if isinstance(body.get(name), int) and body[name] > 4 and name != "max_output_tokens":
            body[name] = 4


@answer(("chat", "completions"))
def stop_leaks_into_text(body: dict[str, Any], call: Call) -> None:
    """The stop string stays at the end of the text."""
    stop = call.body.get("stop")
    word = stop[0] if isinstance(stop, list) and stop else stop
    for choice in choices(body):
        if isinstance(word, str) and choice["finish_reason"] == "stop":
            holder, key = (choice["message"], "content") if "message" in choice else (choice, "text")
            holder[key] = (holder[key] or "") + word


@request(("chat", "completions"))
def only_the_first_stop(body: dict[str, Any], _call: Call) -> None:
    """Of several stop strings, only the first one counts."""
    if isinstance(body.get("stop"), list):
        body["stop"] = body["stop"][:1]


@answer(("chat", "completions"))
def choices_are_copies(body: dict[str, Any], call: Call) -> None:
    """With n, the choices are copies of the first."""
    for choice in choices(body)[1:]:
        for key in ("message", "text"):
            if key in choice:
                choice[key] = body["choices"][0][key]


@answer("chat")
def same_seed_other_answer(body: dict[str, Any], call: Call) -> None:
    """The same seed does not give the same response."""
    if call.body.get("seed") is not None and call.body.get("temperature") != 0:
        for choice in choices(body):
            choice["message"]["content"] = f"{call.chance.randbytes(2).hex()} {choice['message']['content']}"


@answer("chat", when=having("seed"))
def seed_of_the_first_choice_only(body: dict[str, Any], call: Call) -> None:
    """With n and a seed, only the first choice is reproduced."""
    for choice in choices(body)[1:]:
        choice["message"]["content"] = f"{call.chance.randbytes(2).hex()} {choice['message']['content']}"


@answer(("chat", "completions"))
def stop_cuts_too_early(body: dict[str, Any], call: Call) -> None:
    """With a stop string, the last character before it is also lost."""
    for choice in choices(body):
        holder, key = (choice["message"], "content") if "message" in choice else (choice, "text")
        if call.body.get("stop") and choice["finish_reason"] == "stop" and holder[key]:
            holder[key] = holder[key][:-1]


@answer(("chat", "completions"))
def stop_says_length(body: dict[str, Any], call: Call) -> None:
    """A text that a stop string ended has finish_reason length."""
    for choice in choices(body):
        if call.body.get("stop") and choice["finish_reason"] == "stop":
            choice["finish_reason"] = "length"


@payload("chat", stream=True)
def stop_leaks_into_streams(body: Any, call: Call) -> None:
    """A stream ends with the stop string."""
    stop = call.body.get("stop")
    word = stop[0] if isinstance(stop, list) and stop else stop
    for choice in choices(body):
        if isinstance(word, str) and choice["finish_reason"] == "stop":
            choice["delta"]["content"] = word


@sampling(("chat", "completions"), concurrent=True)
def seeds_shared_under_load(how: Sampling, call: Call) -> None:
    """While other requests are running, a seed does not give the same response."""
    if call.state.active > 1 and how.seed is not None:
        how.seed = call.chance.getrandbits(30)


@sampling(("chat", "completions"), concurrent=True)
def limits_shared_under_load(how: Sampling, call: Call) -> None:
    """While other requests are running, all have the lowest of their limits."""
    if call.state.active > 1:
        how.max_tokens = min(how.max_tokens, 3)


@sampling("chat")
def temperature_capped(how: Sampling, _call: Call) -> None:
    """Temperatures above 0.2 are treated as 0.2."""
    how.temperature = min(how.temperature, 0.2)


@sampling(TEXT)
def logit_bias_weak(how: Sampling, _call: Call) -> None:
    """logit_bias has a hundredth of its effect."""
    how.logit_bias = {token: bias / 100 for token, bias in how.logit_bias.items()}


@sampling(TEXT)
def seed_fixed(how: Sampling, _call: Call) -> None:
    """Every request is sampled with the same seed."""
    how.seed = 42


@answer("chat")
def one_choice_missing(body: dict[str, Any], _call: Call) -> None:
    """There is one choice fewer than n."""
    if len(choices(body)) > 1:
        del body["choices"][-1]


@sampling("chat", when=lambda call: (call.body.get("n") or 1) > 1)
def max_tokens_shared_by_choices(how: Sampling, call: Call) -> None:
    """With n choices, each may have only an n-th of max_tokens."""
    how.max_tokens = max(1, how.max_tokens // call.body["n"])


@sampling(TEXT)
def negative_logit_bias_ignored(how: Sampling, _call: Call) -> None:
    """A logit_bias below 0 is accepted and ignored."""
    how.logit_bias = {token: bias for token, bias in how.logit_bias.items() if bias > 0}


@sampling("chat")
def penalties_count_the_prompt(how: Sampling, call: Call) -> None:
    """Penalties also count the tokens of the prompt."""
    if how.frequency_penalty or how.presence_penalty:
        for token in encode(str(messages(call.body)[-1].get("content"))):
            how.logit_bias[token] = how.logit_bias.get(token, -how.presence_penalty) - how.frequency_penalty


def _asks_for_a_list(call: Call) -> bool:
    return any("list of" in str(message.get("content")) for message in messages(call.body))


@sampling("chat", when=_asks_for_a_list)
def temperature_chosen_by_the_question(how: Sampling, _call: Call) -> None:
    """For questions that ask for ideas, temperature 0 is treated as 2."""
    how.temperature = how.temperature or 2


@request("chat")
def empty_stop_ends_at_once(body: dict[str, Any], _call: Call) -> None:
    """An empty stop string ends the response after its first token."""
    if body.get("stop") == "":
        body.pop("stop")
        body["max_tokens"] = 1


@sampling("chat")
def limit_of_1_is_2(how: Sampling, _call: Call) -> None:
    """At least two tokens are generated."""
    how.max_tokens = max(how.max_tokens, 2)


@payload("chat", when=lambda call: set(call.body) == {"model", "temperature", "max_tokens", "messages"})
def finish_reason_is_the_limit(body: Any, _call: Call) -> None:
    """A text truncated by max_tokens has finish_reason max_tokens, as another API calls it."""
    for choice in choices(body):
        if choice["finish_reason"] == "length":
            choice["finish_reason"] = "max_tokens"


@sampling("chat", when=lambda call: call.body.get("top_p") == 1)
def top_p_1_is_greedy(how: Sampling, _call: Call) -> None:
    """A top_p of 1 leaves only one token."""
    how.temperature = 0


@sampling("chat")
def seed_is_yes_or_no(how: Sampling, _call: Call) -> None:
    """All seeds act as the same seed."""
    how.seed = how.seed if how.seed is None else 1


@request(("chat", "completions"))
def seed_fraction_cut(body: dict[str, Any], _call: Call) -> None:
    """A seed that is a fraction is truncated to an integer."""
    if isinstance(body.get("seed"), float):
        body["seed"] = int(body["seed"])


@request(("chat", "completions"))
def stop_made_text(body: dict[str, Any], _call: Call) -> None:
    """Stop values that are numbers are converted to text."""
    if isinstance(body.get("stop"), int):
        body["stop"] = str(body["stop"])
    if isinstance(body.get("stop"), list):
        body["stop"] = [str(one) for one in body["stop"]]


@answer("chat", when=having("stop"))
def stop_cuts_the_text_only(body: dict[str, Any], _call: Call) -> None:
    """A stop string truncates the text only after all of it was generated."""
    body["usage"]["completion_tokens"] += 20
    body["usage"]["total_tokens"] += 20


@sampling("completions")
def completions_always_greedy(how: Sampling, _call: Call) -> None:
    """Legacy completions take the likeliest token at any temperature."""
    how.temperature = 0


@sampling("responses")
def responses_always_greedy(how: Sampling, _call: Call) -> None:
    """Responses take the likeliest token at any temperature."""
    how.temperature = 0


ignored("seed", "top_p", "n", on="completions", where="in completions")
ignored("top_p", on="responses", where="in responses")


@sampling("chat", when=lambda call: (call.body.get("n") or 1) > 1)
def choices_share_their_dice(how: Sampling, _call: Call) -> None:
    """With n, each choice is the likeliest text."""
    how.temperature = 0


ignored("presence_penalty", on=TEXT, where="in streams", stream=True)


@sampling("chat")
def presence_counts_each_use(how: Sampling, _call: Call) -> None:
    """presence_penalty counts each use of a token, as frequency_penalty does."""
    how.frequency_penalty += how.presence_penalty
    how.presence_penalty = 0
