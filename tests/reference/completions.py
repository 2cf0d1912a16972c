"""POST /v1/completions, the legacy endpoint (openapi CreateCompletionRequest)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.reference import brain, model, params, script
from tests.reference.call import DONE, Call, Reply, find_model, new_id
from tests.reference.chat import FINGERPRINT, usage
from tests.reference.errors import ApiError, context_exceeded
from tests.reference.generator import Choice, Sampling, TokenLogprob, interleave
from tests.reference.tokens import END_OF_TEXT, TOKEN_BYTES, VOCABULARY, decode, encode, shown
from tests.reference.validate import (
    MOST_TOKENS,
    boolean,
    check,
    integer,
    invalid,
    missing,
    sampling_rules,
    stream_options,
    string,
    wrong_type,
)

_RULES = sampling_rules(VOCABULARY) | {
    "max_tokens": integer(0, MOST_TOKENS),
    "logprobs": integer(0, 5),
    "echo": boolean,
    "suffix": string,
    "best_of": integer(1, 20),
}


@dataclass
class _Prompt:
    """One prompt of the request with its candidates; the best of them are shown."""

    ids: list[int]
    suffix: int  # tokens of the text that follows, which are part of the prompt
    state: int
    choices: list[Choice]


def prompts(raw: Any, param: str = "prompt") -> list[list[int]]:
    """Token ids of each prompt: a string, a list of strings, token ids, or lists of token ids."""
    if isinstance(raw, str):
        return [encode(raw)]
    if not isinstance(raw, list):
        raise wrong_type(param, "a string or an array", raw)
    if not raw:
        raise invalid(param, "expected at least 1 item.", "empty_array")
    if all(isinstance(item, str) for item in raw):
        return [encode(item) for item in raw]
    if all(isinstance(item, int) and not isinstance(item, bool) for item in raw):
        return [_ids(raw, param)]
    if all(isinstance(item, list) for item in raw):
        return [_ids(item, f"{param}[{at}]") for at, item in enumerate(raw)]
    raise ApiError(f"'{param}' mixes types.", param=param, code="invalid_type")


def _ids(raw: list[Any], param: str) -> list[int]:
    if not raw:
        raise invalid(param, "expected at least 1 token.", "empty_array")
    for at, item in enumerate(raw):
        if isinstance(item, bool) or not isinstance(item, int):
            raise wrong_type(f"{param}[{at}]", "a token id", item)
        if not 0 <= item < VOCABULARY:
            raise invalid(f"{param}[{at}]", f"{item} is not the id of a token.")
    return raw


def create(call: Call) -> Reply:
    """Validate, then respond, plain or as a stream; choices come in the order of the prompts."""
    body = call.body
    known = find_model(body)
    check(body, _RULES)
    stream_options(body)
    n, best = body.get("n") or 1, body.get("best_of")
    best = n if best is None else best
    if best < n:
        raise invalid("best_of", "it must be at least n.")
    if best > n and call.stream:
        raise invalid("best_of", "it cannot be streamed.")
    limit = 16 if body.get("max_tokens") is None else body["max_tokens"]
    if limit == 0 and not body.get("echo"):
        raise invalid("max_tokens", "0 is only of use with echo.", "integer_below_min_value")
    if "prompt" not in body:
        raise missing("prompt")
    given = [[END_OF_TEXT]] if body["prompt"] is None else prompts(body["prompt"])
    made = [_prepare(call, ids, limit, best, n) for ids in given]
    head = {"id": new_id("cmpl-"), "object": "text_completion", "created": call.created, "model": known.id}
    head["system_fingerprint"] = FINGERPRINT
    if call.stream:
        return Reply(events=_stream(call, made, head, n), pace=n * len(made))
    choices = [entry for number, prompt in enumerate(made) for entry in _whole(call, prompt, number, n)]
    return Reply({**head, "choices": choices, "usage": _usage(made)})


def _prepare(call: Call, ids: list[int], limit: int, best: int, n: int) -> _Prompt:
    body = call.body
    context = call.state.context
    if len(ids) >= context:
        raise context_exceeded(context, len(ids), "prompt")
    state = model.absorb(0, [*ids, *encode(body.get("suffix") or "")])
    how: Sampling = params.sampling({**body, "top_logprobs": body.get("logprobs")}, context - len(ids))
    how.max_tokens = min(limit, context - len(ids))
    how.logprobs = body.get("logprobs") is not None or best > n
    how = call.faults.apply("sampling", how, call)
    plan = script.raw(brain.continuation(decode(ids), body.get("suffix")))
    plan = call.faults.apply("script", plan, call)
    suffix = len(encode(body.get("suffix") or ""))
    return _Prompt(ids, suffix, state, [Choice(plan, state, how, index, call.chance) for index in range(best)])


def _usage(made: list[_Prompt]) -> dict[str, Any]:
    """Counts every prompt once, and all candidates of best_of."""
    completion = sum(choice.completion_tokens for prompt in made for choice in prompt.choices)
    return usage(sum(len(prompt.ids) + prompt.suffix for prompt in made), completion)


def _whole(call: Call, prompt: _Prompt, number: int, n: int) -> list[dict[str, Any]]:
    done = [(choice, list(choice.pieces())) for choice in prompt.choices]
    if len(done) > n:  # the highest log probability a token, as best_of has it
        done.sort(key=lambda entry: entry[0].logprob_sum / max(entry[0].completion_tokens, 1), reverse=True)
    shown_choices = []
    for place, (choice, pieces) in enumerate(done[:n]):
        echo = decode(prompt.ids) if call.body.get("echo") else ""
        entries = [entry for piece in pieces for entry in piece.logprobs]
        offset = len(echo) if echo else len(decode(prompt.ids))
        shown_choices.append(
            {
                "text": echo + "".join(piece.text for piece in pieces),
                "index": number * n + place,
                "logprobs": _logprobs(call, prompt if echo else None, entries, offset),
                "finish_reason": choice.finish,
            }
        )
    return shown_choices


def _prompt_entries(prompt: _Prompt, k: int) -> Iterator[TokenLogprob | None]:
    """Log probabilities of an echoed prompt's tokens; the first has none."""
    state = 0
    for at, token in enumerate(prompt.ids):
        if at == 0:
            yield None
        else:
            row = model.logits(state)
            total = model.log_sum(row)
            yield TokenLogprob(token, row[token] - total, [(t, row[t] - total) for t in model.top(row, k)])
        state = model.advance(state, token)


def _logprobs(call: Call, echoed: _Prompt | None, entries: list[TokenLogprob], offset: int) -> dict[str, Any] | None:
    """The legacy shape: four lists of one length. top_logprobs always has the chosen token too."""
    k = call.body.get("logprobs")
    if k is None:
        return None
    rows: list[tuple[int, TokenLogprob | None]] = []
    if echoed:
        rows = list(zip(echoed.ids, _prompt_entries(echoed, k), strict=True))
        offset = 0
    rows += [(entry.token, entry) for entry in entries]
    offsets = []
    raw = b""
    for token, _ in rows:
        offsets.append(offset + len(raw.decode("utf-8", "ignore")))
        raw += TOKEN_BYTES[token]
    named = "bytes:"
    return {
        "tokens": [shown(token, named) for token, _ in rows],
        "token_logprobs": [entry.logprob if entry else None for _, entry in rows],
        "top_logprobs": [
            {shown(t, named): value for t, value in [*entry.top, (entry.token, entry.logprob)]} if entry else None
            for _, entry in rows
        ],
        "text_offset": offsets,
    }


def _stream(call: Call, made: list[_Prompt], head: dict[str, Any], n: int) -> Iterator[Any]:
    include = bool((call.body.get("stream_options") or {}).get("include_usage"))

    def chunk(index: int, text: str, finish: str | None = None, entries: Any = None) -> dict[str, Any]:
        choice = {"text": text, "index": index, "logprobs": entries, "finish_reason": finish}
        return {**head, "choices": [choice], **({"usage": None} if include else {})}

    choices = [choice for prompt in made for choice in prompt.choices]
    where = {id(choice): (number, made[number // n]) for number, choice in enumerate(choices)}
    offsets = {number: len(decode(prompt.ids)) for number, prompt in where.values()}
    if call.body.get("echo"):
        for number, prompt in where.values():
            yield chunk(number, decode(prompt.ids), None, _logprobs(call, prompt, [], 0))
    for choice, piece in interleave(choices):
        number, _ = where[id(choice)]
        if piece is None:
            yield chunk(number, "", choice.finish)
        else:
            yield chunk(number, piece.text, None, _logprobs(call, None, list(piece.logprobs), offsets[number]))
            offsets[number] += len(piece.text)
    if include:
        yield {**head, "choices": [], "usage": _usage(made)}
    yield DONE
