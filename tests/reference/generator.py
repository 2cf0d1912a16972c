"""Sampling: turns a script into pieces of text, token by token, under the request's parameters."""

from __future__ import annotations

import codecs
import itertools
import random
from bisect import bisect, bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.reference import model
from tests.reference.tokens import END, TOKEN_BYTES, VOCABULARY, raw_bytes


class Step(NamedTuple):
    """One scripted token. `channel` says where its text goes: content, reasoning, arguments (of `call`), or hidden.
    `forced`: a grammar allows no other token here."""

    token: int
    channel: str = "content"
    call: int = 0
    forced: bool = False


@dataclass
class Script:
    """What the model wants to say, and the names of the calls in it."""

    steps: list[Step]
    calls: list[str] = field(default_factory=list)


@dataclass
class Sampling:
    """The parameters of generation, as far as the generator knows them. Faults may change any of them."""

    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: dict[int, float] = field(default_factory=dict)
    stop: list[str] = field(default_factory=list)
    max_tokens: int = model.CONTEXT
    logprobs: bool = False
    top_logprobs: int = 0
    sure: float = 0.0
    """How much more likely the scripted token is than usual: a model's, not a request's."""

    @property
    def follows(self) -> bool:
        """Whether nothing leads away from the script."""
        moved = self.logit_bias or self.frequency_penalty or self.presence_penalty
        return self.temperature <= 0.001 and not moved


class TokenLogprob(NamedTuple):
    """A generated token, its raw log probability, and the likeliest tokens at its place."""

    token: int
    logprob: float
    top: list[tuple[int, float]]


class Piece(NamedTuple):
    """Some whole characters for a channel, or (channel `call`) the name of call number `call`, which now begins.

    `id` is the one that the model gave the call; empty if it gave none.
    """

    channel: str
    text: str
    call: int = 0
    logprobs: tuple[TokenLogprob, ...] = ()
    id: str = ""


class Event(NamedTuple):
    """What a reader found in raw text: as a piece, but with the place `at` in the raw text; -1 if it is not there."""

    channel: str
    text: str
    call: int = 0
    id: str = ""
    at: int = -1


Read = Callable[[Iterator[str], Callable[[], bool]], Iterator[Event]]
"""A reader of raw text, given piece by piece, which asks at its end whether it was truncated."""


def choose(row: list[float], state: int, used: Counter[int], how: Sampling, chance: random.Random) -> int:
    """The next token of a state: bias, penalties, temperature and top_p act in this order, then chance."""
    row = row.copy()
    for token, bias in how.logit_bias.items():
        row[token] += bias
    if how.frequency_penalty or how.presence_penalty:
        for token, count in used.items():
            row[token] -= count * how.frequency_penalty + how.presence_penalty
    best = max(row)
    if how.temperature <= 0.001:
        return row.index(best)
    weights = model.weights(row, state, best, how.temperature)
    order: Sequence[int] = range(len(row))
    if how.top_p < 1:
        order = sorted(order, key=weights.__getitem__, reverse=True)
        enough = how.top_p * sum(weights)
        sums = itertools.accumulate(weights[token] for token in order)
        kept = next((n for n, total in enumerate(sums, 1) if total >= enough), len(order))
        order = order[:kept]
    sums_kept = list(itertools.accumulate(weights[token] for token in order))
    return order[min(bisect(sums_kept, chance.random() * sums_kept[-1]), len(order) - 1)]


class _Text:
    """Holds text back until its characters are whole and no stop string can begin in it; keeps logprobs beside it."""

    def __init__(self, stop: Sequence[str] = ()) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._stop = stop
        self._text = ""
        self._sent = 0
        self._tokens: list[tuple[int, int, TokenLogprob | None]] = []  # start, end in the text
        self._shown = 0
        self.stopped = False

    def add(self, token: int, logprob: TokenLogprob | None) -> None:
        text = self._decoder.decode(TOKEN_BYTES[token])
        self.append(text, logprob, part=self._decoder.getstate()[0] != b"")

    def append(self, text: str, logprob: TokenLogprob | None, *, part: bool = False) -> None:
        """Add a token's text; `part` if the last character is not whole."""
        start = len(self._text)
        self._text += text
        self._tokens.append((start, len(self._text) + part, logprob))
        cuts = [at for stop in self._stop if (at := self._text.find(stop)) >= 0]
        if cuts:
            self._text = self._text[: min(cuts)]
            self._tokens = [entry for entry in self._tokens if entry[0] < len(self._text)]
            self.stopped = True

    @property
    def tokens(self) -> int:
        """Tokens that the text so far is made of."""
        return len(self._tokens)

    def take(self, *, end: bool = False) -> tuple[str, tuple[TokenLogprob, ...]]:
        """What may be sent now; at the end, all of it (the bytes of a cut character are dropped)."""
        until = len(self._text) if end or self.stopped else len(self._text) - self._held()
        text = self._text[self._sent : until]
        self._sent = max(until, self._sent)
        ready: list[TokenLogprob] = []
        while self._shown < len(self._tokens) and (end or self._tokens[self._shown][1] <= until):
            entry = self._tokens[self._shown][2]
            self._shown += 1
            if entry:
                ready.append(entry)
        return text, tuple(ready)

    def _held(self) -> int:
        """Length of the longest end of the text that is the beginning of a stop string."""
        longest = max((len(stop) - 1 for stop in self._stop), default=0)
        tails = range(min(longest, len(self._text)), 0, -1)
        return next((n for n in tails if any(stop.startswith(self._text[-n:]) for stop in self._stop)), 0)


class Choice:
    """One answer. Iterate over `pieces()`; the other attributes are right once that has ended."""

    def __init__(
        self,
        script: Script,
        state: int,
        how: Sampling,
        index: int,
        chance: random.Random,
        read: Read | None = None,
    ) -> None:
        self.index = index
        self.finish = "stop"
        self.called = False
        self.completion_tokens = 0
        self.reasoning_tokens = 0
        self.logprob_sum = 0.0
        self._script, self._state, self._how = script, state, how
        self._chance = random.Random(chance.random() if how.seed is None else f"{how.seed}/{index}")
        self._used: Counter[int] = Counter()
        self._read = read

    def _next(self, step: Step, scored: bool) -> tuple[int, TokenLogprob | None]:
        how = self._how
        if step.token >= VOCABULARY or (not scored and (step.forced or how.follows)):
            # The likeliest token is the scripted one. A mark of another family's vocabulary has no logits.
            self._state = model.advance(self._state, step.token)
            return step.token, None
        row = model.logits(self._state, step.token, self._used)
        row[step.token] += how.sure
        token = step.token if step.forced or how.follows else choose(row, self._state, self._used, how, self._chance)
        self._state = model.advance(self._state, token)
        if not scored:
            return token, None
        total = model.log_sum(row)
        top = [(other, min(row[other] - total, 0.0)) for other in model.top(row, how.top_logprobs)]
        return token, TokenLogprob(token, min(row[token] - total, 0.0), top)

    def _tokens(self) -> Iterator[tuple[Step, int, TokenLogprob | None]]:
        """The tokens of the answer, each computed when it is asked for, with the step that it was to follow."""
        how, steps = self._how, self._script.steps
        for position in itertools.count():
            if self.completion_tokens >= how.max_tokens:
                self.finish = "length"
                return
            step = steps[position] if position < len(steps) else Step(END, forced=bool(steps) and steps[-1].forced)
            token, logprob = self._next(step, how.logprobs)
            if token == END:
                return
            self._used[token] += 1
            self.completion_tokens += 1
            self.logprob_sum += logprob.logprob if logprob else 0.0
            yield step, token, logprob

    def pieces(self) -> Iterator[Piece]:
        """The answer, a token at a time."""
        yield from self._channels() if self._read is None else self._raw(self._read)
        if self.called and self.finish == "stop":
            self.finish = "tool_calls"

    def _channels(self) -> Iterator[Piece]:
        """Of a script that says where each token goes."""
        content, other, opened, channel = _Text(self._how.stop), _Text(), 0, "content"
        hidden = 0
        for step, token, logprob in self._tokens():
            if step.channel != channel:
                other, channel = _Text(), step.channel
            if channel == "content":
                content.add(token, logprob)
                text, entries = content.take()
                if text or entries:
                    yield Piece("content", text, 0, entries)
                if content.stopped:
                    self.completion_tokens = hidden + content.tokens
                    break
                continue
            hidden += 1
            self.reasoning_tokens += channel == "reasoning" or step.call < 0
            if channel == "arguments" and opened <= step.call:
                opened, self.called = step.call + 1, True
                yield Piece("call", self._script.calls[step.call], step.call)
            if channel != "hidden":
                other.add(token, None)
                text, _ = other.take()
                if text:
                    yield Piece(channel, text, step.call)
        text, entries = content.take(end=True)
        if text or entries:
            yield Piece("content", text, 0, entries)

    def _raw(self, read: Read) -> Iterator[Piece]:
        """Of a model's raw text, in which a reader finds what goes where. Stop strings act on content."""
        content, spans, told = _Text(self._how.stop), [0], 0
        scores: list[TokenLogprob | None] = []

        def texts() -> Iterator[str]:
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            for _, token, logprob in self._tokens():
                text = decoder.decode(raw_bytes(token))
                spans.append(spans[-1] + len(text))
                scores.append(logprob)
                if text:
                    yield text

        for event in read(texts(), lambda: self.finish == "length"):
            if event.channel != "content":
                self.called = self.called or event.channel == "call"
                if event.channel == "reasoning":
                    self.reasoning_tokens = bisect_left(spans, event.at + len(event.text))
                yield Piece(event.channel, event.text, event.call, id=event.id)
                continue
            first = bisect_right(spans, event.at) - 1
            for number in range(max(first, 0), len(scores)):
                begin, end = max(spans[number] - event.at, 0), spans[number + 1] - event.at
                if event.at >= 0 and begin < len(event.text):
                    content.append(event.text[begin:end], scores[number] if number >= told else None)
                    told = number + 1
            if event.at < 0:
                content.append(event.text, None)
            text, entries = content.take()
            if text or entries:
                yield Piece("content", text, 0, entries)
            if content.stopped:
                break
        text, entries = content.take(end=True)
        if text or entries:
            yield Piece("content", text, 0, entries)


def interleave(choices: Sequence[Choice]) -> Iterator[tuple[Choice, Piece | None]]:
    """The pieces of several choices in turn; None when a choice has ended."""
    running = [(choice, choice.pieces()) for choice in choices]
    while running:
        for entry in list(running):
            piece = next(entry[1], None)
            yield entry[0], piece
            if piece is None:
                running.remove(entry)
