"""What `GET /models` and the first chat may answer: one sentence and an exit code, or a measurement."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fake import Reply, as_json, error, serving
from tests.reference.app import create_app
from tests.reference.server import running
from tests.setups import HELLO, MODELS, attached, doctor_says, nginx, page, sentence

CHAT = "/v1/chat/completions"
NAMED = {"chat": "m"}
LOADING = error(503, "Loading model")
LIST = "http://HOST/v1/models"
TAKEN = "so the model was taken as named"


def server(routes: dict[str, Reply | Callable[..., Reply]], otherwise: Reply | None = None) -> Callable[..., Reply]:
    """Answers by path; a function is given the number of the request to its path, and the body."""
    seen: dict[str, int] = {}

    def reply(method: str, path: str, body: bytes, headers: dict[str, str]) -> Reply:
        found = routes.get(path, otherwise or error(404, "Not Found"))
        seen[path] = seen.get(path, 0) + 1
        return found(seen[path], body) if callable(found) else found

    return reply


def data(*entries: Any) -> Reply:
    return as_json({"object": "list", "data": list(entries)})


def moved(status: int, location: str) -> Reply:
    return status, {"Location": location}, b""


NO_LIST = f"{LIST} answers JSON without a list of models in `data`"
LISTINGS = {
    "404": (as_json({"detail": "Not Found"}, 404), 13, "/models answered 404, so no model is known: name one with"),
    "404 of nginx": (page(404, "404 Not Found"), 12, f"{LIST} answers 404 with an HTML page, not as an OpenAI"),
    "405": (error(405, "no"), 13, "/models answered 405, so no model is known: name one with --model"),
    "500": (error(500, "boom"), 13, "/models answered 500, so no model is known: name one with --model"),
    "501": (error(501, "no"), 13, "/models answered 501"),
    "204": ((204, {}, b""), 13, "/models answered 204"),
    "401": (error(401, "no key"), 14, "wants an API key (401): set OPENAI_API_KEY, or give the header that it wants"),
    "403": (page(403, "Forbidden"), 14, "wants an API key (403): set OPENAI_API_KEY, or give the header that it wants"),
    "429": (error(429, "slow down"), 11, "answers 429 (slow down), so it takes no more requests for now: run again"),
    "502": (page(502, "502 Bad Gateway"), 11, "is a gateway that answers 502: start the server behind it"),
    "503": (LOADING, 11, "answers 503 (Loading model), so it is not ready: run again later, or let pytest wait longer"),
    "504": (page(504, "504 Gateway Time-out"), 11, "is a gateway that answers 504: start the server behind it"),
    "302 to a login": (moved(302, "https://sso.example/in?next=canary"), 12, "redirects to https://sso.example/in: "),
    "301 to https": (moved(301, "https://other.example/v1/models"), 12, "redirects to https://other.example/v1: use"),
    "307 to itself": (moved(307, "/v1/models/"), 12, "redirects /models to /v1/models/ (307), which this suite"),
    "304": ((304, {}, b""), 12, "answers 304 but does not say where to go"),
    "a page": (page(200, "Open WebUI"), 12, "200 with an HTML page, not as an OpenAI API does (Open WebUI)"),
    "empty": ((200, {}, b""), 12, f"{LIST} answers 200 with an empty body"),
    "text": ((200, {}, b"ok"), 12, f"{LIST} answers 200 with no JSON object, not as an OpenAI API does"),
    "null": (as_json(None), 12, f"{LIST} answers 200 with no JSON object"),
    "array of nothing": (as_json([]), 12, f"{LIST} answers 200 with no JSON object, but an array"),
    "an error with 200": (as_json({"error": {"message": "quota"}}), 12, f"{NO_LIST} (quota); is this an OpenAI API?"),
    "data is a string": (as_json({"data": "m"}), 12, NO_LIST),
    "data is null": (as_json({"object": "list", "data": None}), 13, "lists no model: load one into the server, or"),
    "data is empty": (data(), 13, "lists no model: load one into the server, or name one with --model."),
    "no ids": (data({"name": "m"}, {"name": "n"}), 13, "lists models (2), but none has a string as its `id`: name one"),
    "ids are numbers": (data({"id": 7}), 13, "lists models (1), but none has a string as its `id`: name one"),
}  # fmt: skip


@pytest.mark.parametrize("case", LISTINGS)
def test_a_list_that_has_no_models(case: str) -> None:
    listing, code, expected = LISTINGS[case]
    with serving(server({"/v1/models": listing, CHAT: HELLO})) as origin:
        ended, said = sentence(origin + "/v1", timeout=1.5)
        doctor = doctor_says(origin + "/v1")
        named = sentence(origin + "/v1", models=NAMED, timeout=1.5)
    host = origin.removeprefix("http://")
    assert (ended, said[: len(origin)]) == (code, origin)
    assert expected.replace("HOST", host) in said
    assert "canary" not in said
    assert said in doctor[0]
    assert named[0] == 0, "with its name, the model is measured without a list"
    assert TAKEN in named[1]


@pytest.mark.parametrize(
    ("listing", "odd"),
    [
        (as_json([{"id": "m"}]), "it is an array, not an object with `data`"),
        (as_json(["m"]), "it is an array, not an object with `data`"),
        (as_json({"models": [{"id": "m"}]}), "it has `models`, not `data`"),
        (as_json({"data": {"m": {"owned_by": "x"}}}), "`data` is an object, not an array"),
        (as_json({"data": {"id": "m"}}), "`data` is an object, not an array"),
        (data({"id": None}, 3, {}, {"id": " "}, {"id": "\ud800"}, {"id": "m"}, {"id": "m"}), ""),
    ],
    ids=["array", "strings", "models", "by id", "one", "some without an id"],
)
def test_an_odd_list_with_a_model(listing: Reply, odd: str) -> None:
    with serving(server({"/v1/models": listing, CHAT: HELLO})) as origin:
        target = attached(origin + "/v1")
    assert {d.model for d in target.deployments} == {"m"}
    assert target.details.get("warning", "") == (f"GET /models: {odd}" if odd else "")


def test_how_a_model_is_loaded_is_said() -> None:
    """A fresh Ollama has `null` for its models."""
    with serving(server({"/v1/models": as_json({"object": "list", "data": None})})) as origin:
        code, said = sentence(origin + "/v1", backend="ollama")
    assert code == 13
    assert said.startswith(f"{origin}/v1 lists no model: ")
    assert "ollama pull" in said


def test_a_slow_start_is_waited_for() -> None:
    def after(reply: Reply, count: int) -> Callable[..., Reply]:
        return lambda number, _: reply if number > count else LOADING

    with serving(server({"/v1/models": after(MODELS, 1), CHAT: after(HELLO, 1)})) as origin:
        target = attached(origin + "/v1", timeout=60)
    assert target.deployment("chat")
    assert "the first asked" in target.details["roles"]


def test_a_time_to_wait_that_is_too_long_is_not_waited_for() -> None:
    with serving(server({}, (429, {"Retry-After": "3600"}, b""))) as origin:
        assert sentence(origin + "/v1", timeout=600)[0] == 11


CHATS = {
    "absent, as all is": (error(404, "Not Found"), 12, "/v1 answers 404 to /chat/completions (Not Found), and has"),
    "absent, with a page": (page(404, "Not Found"), 12, "chat/completions answers 404 with an HTML page"),
    "not allowed": (error(405, "no"), 12, "/v1 answers 405 to /chat/completions (no), and has none of /embeddings, "),
    "moved": (moved(308, "https://o.example" + CHAT), 12, "/v1 redirects to https://o.example/v1: use that address"),
    "gateway": (page(502, "Bad Gateway"), 11, "/v1 is a gateway that answers 502: start the server behind it"),
    "loading": (LOADING, 11, "/v1 answers 503 (Loading model), so it is not ready"),
    "refused": (error(403, "not yours"), 14, "/v1 wants an API key (403): set OPENAI_API_KEY"),
    "no such model": (error(404, "The model 'm' does not exist"), 13, "/v1 does not know the model 'm'; it lists none"),
}  # fmt: skip


@pytest.mark.parametrize("case", CHATS)
def test_a_chat_that_shows_that_nothing_can_be_measured(case: str) -> None:
    chat, code, expected = CHATS[case]
    with serving(server({CHAT: chat}, error(404, "Not Found"))) as origin:
        ended, said = sentence(origin + "/v1", models=NAMED, timeout=1.5)
    assert (ended, said[: len(origin)]) == (code, origin)
    assert expected in said


def test_a_model_that_is_not_listed() -> None:
    with serving(server({"/v1/models": MODELS, CHAT: error(404, "model not found")})) as origin:
        code, said = sentence(origin + "/v1", models={"chat": "n"})
    assert (code, said) == (13, f"{origin}/v1 does not know the model 'n'; it lists m.")


def test_a_server_for_embeddings_is_measured() -> None:
    def embed(_: int, body: bytes) -> Reply:
        return as_json({"data": [{"embedding": [float(len(body)), 1.0]}]})

    with serving(server({"/v1/models": MODELS, "/v1/embeddings": embed})) as origin:
        assert attached(origin + "/v1").details["roles"].startswith("chat: m, although the server answers 404 to it")


def only(model: str) -> Callable[..., Reply]:
    """A chat that one model can."""

    def reply(_: int, body: bytes) -> Reply:
        asked = json.loads(body)["model"]
        return HELLO if asked == model else error(400, f"{asked} is not for chats")

    return reply


def test_the_first_models_are_not_for_chats() -> None:
    listing = data(*({"id": f"m{number}"} for number in range(40)))
    with serving(server({"/v1/models": listing, CHAT: only("m33")})) as origin:
        assert attached(origin + "/v1").deployment("chat").model == "m33"  # type: ignore[union-attr]
    with serving(server({"/v1/models": listing, CHAT: only("another")})) as origin:
        code, said = sentence(origin + "/v1")
    assert code == 13
    assert said.endswith(
        "no model that was tried answers a chat ('m0': 400 m0 is not for chats); name one that does with --model."
    )


def test_a_model_that_refuses_the_limit_of_the_first_chat_is_measured() -> None:
    def chat(_: int, body: bytes) -> Reply:
        return error(400, "use max_completion_tokens") if b"max_tokens" in body else HELLO

    with serving(server({"/v1/models": MODELS, CHAT: chat})) as origin:
        assert attached(origin + "/v1").deployment("chat")


def test_a_model_that_is_forbidden_is_passed_over() -> None:
    def chat(_: int, body: bytes) -> Reply:
        return HELLO if json.loads(body)["model"] == "b" else error(403, "not yours")

    with serving(server({"/v1/models": data({"id": "a"}, {"id": "b"}), CHAT: chat})) as origin:
        assert attached(origin + "/v1").deployment("chat").model == "b"  # type: ignore[union-attr]


# Behind a real nginx


@pytest.mark.parametrize(
    ("directives", "url", "options", "code", "expected"),
    [
        ("location / { proxy_pass REFERENCE; }", "/v1", {}, 0, "attached to http://HOST/v1; "),
        ("location / { proxy_pass REFERENCE; }", "", {}, 0, "http://HOST/v1, since http://HOST has no /v1 at its end"),
        ("location /llm/ { proxy_pass REFERENCE/; }", "/llm/v1", {}, 0, "attached to http://HOST/llm/v1; "),
        ("location /llm/ { proxy_pass REFERENCE/; }", "/llm", {}, 0, "attached to http://HOST/llm/v1, since"),
        ("location /api/ { proxy_pass REFERENCE/v1/; }", "/api", {}, 0, "http://HOST/api, which does not end in /v1; "),
        ("location / { proxy_pass REFERENCE; }", "/v2", {}, 13, "try --base-url=http://HOST/v1."),
        ("location / { proxy_pass REFERENCE; }", "/v2", {"models": NAMED}, 13, "try --base-url=http://HOST/v1."),
        ("location / { proxy_pass http://127.0.0.1:9; }", "/v1", {}, 11, "is a gateway that answers 502: start"),
        ("location / { return 301 https://HOST$request_uri; }", "/v1", {}, 12, "redirects to https://HOST/v1: use"),
        ("location / { return 503; }", "/v1", {}, 11, "answers 503, so it is not ready"),
        ("location / { limit_req zone=one; proxy_pass REFERENCE; }", "/v1", {"timeout": 60}, 0, "attached to"),
        (
            "location = /v1/chat/completions { proxy_pass REFERENCE; }",
            "/v1", {"models": {"chat": "reference-text"}}, 0, "GET /models: it answers 404, so the model was taken as",
        ),
    ],
)  # fmt: skip
def test_behind_nginx(
    directives: str, url: str, options: dict[str, Any], code: int, expected: str, tmp_path: Path
) -> None:
    zone = "limit_req_zone $binary_remote_addr zone=one:1m rate=60r/m; limit_req_status 429;"
    with running(create_app()) as reference:
        directives = directives.replace("REFERENCE", reference).replace("HOST", "$http_host")
        with nginx(tmp_path, directives, http=zone) as host:
            ended, said = sentence(f"http://{host}{url}", **{"timeout": 1.5, **options})
    assert ended == code, said
    assert expected.replace("HOST", host) in said


def test_the_servers_own_endpoints_are_behind_the_same_prefix(tmp_path: Path) -> None:
    with (
        running(create_app()) as reference,
        nginx(tmp_path, f"location /llm/ {{ proxy_pass {reference}/; }} location / {{ return 404; }}") as host,
    ):
        assert attached(f"http://{host}/llm/v1", backend="reference").version == "1"
