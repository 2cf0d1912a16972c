"""A replay judges only what was asked as it is asked today."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backends.program import Ended, Program
from backends.target import Deployment, Target
from backends.wire import MODEL, REDACTED, Exchange, Request
from conformance.answers.recording import Recording, Replay, answers
from fixtures.requests import chat, user
from fixtures.scenario import SCENARIOS, Built, Scenario
from tests.made import chat_body

TARGET = Target(
    name="t", backend="url", found="", deployments=(Deployment(role="chat", base_url="http://old/v1", model="mine"),)
)
OTHERWISE = "the suite has changed a request that the check needs since it was recorded"
ASKED = chat("Hello", tools=[{"a": 1, "b": 2}])


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def add(build: Callable[..., Built], name: str = "asked", *needs: str, draws: bool = False) -> None:
        kind = dict.fromkeys(("control", "together", "alone", "one_connection", "keyed"), False)
        made = Scenario(name=name, build=build, needs=needs, purpose="", draws=draws, **kind)  # type: ignore[arg-type]
        monkeypatch.setitem(SCENARIOS, name, made)

    return add


def kept(*sent: Request, single: bool = True, body: Any = None, **more: Any) -> Recording:
    """A recording as it comes out of a file: `sent` by an old suite to the model `mine`."""
    got = json.dumps(body or chat_body()).encode()
    exchanges = [Exchange(request=request.with_model("mine"), status=200, body=got).to_json() for request in sent]
    return Recording(json.loads(json.dumps({"exchanges": exchanges, "single": single, **more})))


def replayed(**recordings: Recording) -> Recording:
    return Replay(recordings, TARGET).recording("asked")


@pytest.mark.parametrize(
    ("today", "then"),
    [
        (ASKED, ASKED),
        (replace(ASKED, body=dict(reversed(ASKED.body.items()))), ASKED),
        (chat(user([{"type": "text", "text": "\ud800 ü"}]), stop=("a", "b")), None),
        (Request(method="GET", path=f"/models/{MODEL}"), None),
        (Request(body=b'{"model": "<model>", \xff}'), None),
        (replace(ASKED, headers=(("authorization", ""),)), replace(ASKED, headers=(("authorization", REDACTED),))),
    ],
)
def test_what_is_asked_as_today_is_judged(declare: Callable[..., None], today: Request, then: Request | None) -> None:
    declare(lambda: today)
    recording = kept(then or today)
    assert replayed(asked=recording) is recording


@pytest.mark.parametrize(("draws", "judged"), [(True, True), (False, False)])
def test_only_draws_may_have_another_seed(declare: Callable[..., None], draws: bool, judged: bool) -> None:
    declare(lambda: chat("Hello", seed=2), draws=draws)
    recording = kept(chat("Hello", seed=1))
    assert (replayed(asked=recording) is recording) == judged


@pytest.mark.parametrize(
    ("statuses", "left"),
    [((200, 500, 200), 2), ((200, 500, 500), 3), ((500, 500, 500), 3), ((200, 200, 200), 3)],
)
def test_a_draw_that_broke_is_left_out_where_two_others_came(
    declare: Callable[..., None], statuses: tuple[int, ...], left: int
) -> None:
    declare(lambda: [chat("Hello")] * 3, draws=True)
    recording = kept(*[chat("Hello")] * 3, single=False)
    for exchange, status in zip(recording["exchanges"], statuses, strict=True):
        exchange["response"]["status"] = status
    found = answers(Replay({"asked": recording}, TARGET), "asked")
    assert isinstance(found, list)
    assert len(found) == left


@pytest.mark.parametrize(
    "then",
    [
        replace(ASKED, method="PUT"),
        replace(ASKED, path="/completions"),
        replace(ASKED, headers=(("origin", "http://a"),)),
        replace(ASKED, hang_up_after=1),
        replace(ASKED, body=None),
        replace(ASKED, body=json.dumps(ASKED.body).encode()),
        replace(ASKED, body={**ASKED.body, "model": "another"}),
        replace(ASKED, body={**ASKED.body, "temperature": 0.0}),
        replace(ASKED, body={**ASKED.body, "stop": None}),
        replace(ASKED, body={**ASKED.body, "tools": [{"b": 2, "a": 1}]}),
    ],
)
def test_what_was_asked_otherwise_is_not(declare: Callable[..., None], then: Request) -> None:
    declare(lambda: ASKED)
    assert replayed(asked=kept(then)) == {"unsent": OTHERWISE}


@pytest.mark.parametrize("then", [kept(ASKED), kept(ASKED, single=False), kept(ASKED, ASKED, ASKED, single=False)])
def test_so_is_another_number_of_requests(declare: Callable[..., None], then: Recording) -> None:
    declare(lambda: [ASKED, ASKED])
    assert replayed(asked=then) == {"unsent": OTHERWISE}
    assert "exchanges" in replayed(asked=kept(ASKED, ASKED, single=False))


def test_what_is_made_of_an_answer_is_made_of_the_replayed_one(declare: Callable[..., None]) -> None:
    declare(lambda: chat("first"), "first")
    declare(lambda first: chat("and then", user=first.text), "asked", "first")
    of_paris, of_rome = (kept(chat("and then", user=city)) for city in ("Paris", "Rome"))
    assert replayed(first=kept(chat("first")), asked=of_paris) is of_paris
    assert replayed(first=kept(chat("first"), body=chat_body("Rome")), asked=of_rome) is of_rome
    assert replayed(first=kept(chat("first")), asked=of_rome) == {"unsent": OTHERWISE}


def test_what_is_made_of_an_answer_to_something_else_is_blocked(declare: Callable[..., None]) -> None:
    declare(lambda: chat("first"), "first")
    declare(lambda first: chat("and then", user=first.text), "asked", "first")
    recording = replayed(first=kept(chat("second")), asked=kept(chat("and then", user="Paris")))
    assert recording["blocked"]
    assert recording["unsent"].endswith(OTHERWISE)


def test_what_was_not_sent_stays_so(declare: Callable[..., None]) -> None:
    declare(lambda: 1 / 0)
    unsent = Recording(unsent="no vision model", blocked=True, single=True)
    assert replayed(asked=unsent) is unsent
    assert replayed() == {"unsent": "the recording lacks an exchange that the check needs"}
    assert replayed(asked=kept(ASKED))["broken"]


def test_programs_are_told_apart_by_file_text_and_changes(declare: Callable[..., None], tmp_path: Path) -> None:
    def ran(*changes: tuple[str, str], file: str = "chat.py") -> Recording:
        ended = Ended(exit_code=0, output="", errors="")
        return kept(single=False, program=ended.to_json(Program(file=tmp_path / file, changes=changes)))

    for name in ("chat.py", "tools.py"):
        (tmp_path / name).write_text("then")
    declare(lambda: Program(file=tmp_path / "chat.py", changes=(("gpt", MODEL),)))
    same = ran(("gpt", MODEL))
    assert replayed(asked=same) is same
    for other in (ran(), ran(("gpt", MODEL), file="tools.py"), kept(ASKED)):
        assert replayed(asked=other) == {"unsent": OTHERWISE}
    (tmp_path / "chat.py").write_text("today")
    assert replayed(asked=same) == {"unsent": OTHERWISE}
    of_an_earlier_suite = Recording({**same, "program": {**same["program"]}})
    del of_an_earlier_suite["program"]["sha256"]
    assert replayed(asked=of_an_earlier_suite) is of_an_earlier_suite
    declare(lambda: ASKED)
    assert replayed(asked=same) == {"unsent": OTHERWISE}
