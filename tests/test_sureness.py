"""Random responses that do not vary accuse no server whose model is sure of its tokens."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.answers.recording import Recording
from conformance.run.sureness import too_sure
from fixtures import scenario
from tests.made import answer, chat_body, exchange, refusal

UNSURE = [-0.5, -1.5, -2.5]
SURE = [-1e-9, -40.0, -41.0]
AT_LAST = [-0.0005, -9.2, -9.9]
"""Little probability is left for the tokens that are not shown, but there are many of those."""


class Source:
    """A target whose model is as sure of each token as `logprobs` say; None: the server refuses to show them."""

    def __init__(self, logprobs: list[Any] | None) -> None:
        scenario.load()
        self._logprobs = logprobs

    def recording(self, name: str) -> Recording:
        if self._logprobs is None:
            return Recording(exchanges=[exchange(refusal(), status=400).to_json()], single=True)
        body = chat_body("a b c d")
        entries = [token(text, self._logprobs) for text in ("a", " b", " c", " d")]
        body["choices"][0]["logprobs"] = {"content": entries}
        return Recording(exchanges=[exchange(body).to_json()], single=True)


def token(text: str, logprobs: list[Any]) -> dict[str, Any]:
    likely = [{"token": text + str(at), "logprob": one, "bytes": None} for at, one in enumerate(logprobs)]
    return {"token": text, "logprob": next(iter(logprobs), 0), "bytes": None, "top_logprobs": likely}


def drawn(tokens: int = 32, temperature: float = 2) -> list[Any]:
    body = {**chat_body("a b c d"), "usage": {"prompt_tokens": 1, "completion_tokens": tokens, "total_tokens": tokens}}
    return [answer(body, sent={"temperature": temperature})] * 6


@pytest.mark.parametrize("logprobs", [UNSURE, AT_LAST])
def test_an_unsure_model_is_no_excuse(logprobs: list[float]) -> None:
    assert too_sure(drawn(), Source(logprobs)) == (None, ["things_likely"])


def test_a_sure_model_is() -> None:
    why, shows = too_sure(drawn(), Source(SURE))
    assert shows == ["things_likely"]
    assert why == (
        "the model is so sure of its tokens that 6 random responses may be the same "
        "(6e-07 other tokens are expected in all of them, by `top_logprobs` of things_likely)"
    )


def test_the_temperature_counts() -> None:
    assert too_sure(drawn(temperature=0.3), Source(AT_LAST))[0]
    assert not too_sure(drawn(temperature=0.3), Source(UNSURE))[0]


@pytest.mark.parametrize("unreadable", [None, ["much", "little"], []])
def test_without_logprobs_only_short_responses_are_excused(unreadable: list[Any] | None) -> None:
    assert too_sure(drawn(tokens=32), Source(unreadable)) == (None, [])
    assert too_sure(drawn(tokens=3), Source(unreadable)) == ("responses have fewer than 8 tokens, and may not vary", [])


def test_responses_at_temperature_0_are_not_random() -> None:
    assert too_sure(drawn(temperature=0), Source(SURE)) == (None, [])
