"""Endpoints that a server lacks: told from every other 404, and one fact instead of hundreds of failures."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from backends.absent import looks_absent
from backends.attach import attach
from backends.target import Wanted
from backends.wire import Exchange, Request
from conformance.answers import Absent
from conformance.answers.absence import ENDPOINTS, absent, given
from conformance.answers.recording import Recording
from conformance.outcomes import EndpointAbsent, Outcome
from conformance.requirements import matrix
from conformance.results.causes import causes
from conformance.run.judge import UNKNOWN_PATHS
from fixtures import scenario
from tests.fake import Reply, as_json, serving
from tests.reference import gate_of_absence

if TYPE_CHECKING:
    from tests.reference.bench import Bench

NO_PATH = b'{"detail":"Not Found"}'
NO_MODEL = b'{"error":{"message":"The model `m` does not exist.","type":"NotFoundError","param":"model","code":404}}'


def got(
    body: bytes, status: int = 404, path: str = "/embeddings", method: str = "POST", model: str = "org/m:1"
) -> Exchange:
    asked = Request(method=method, path=path, body={"model": model} if method == "POST" else None)
    return Exchange(request=asked, url=f"http://localhost/v1{path}", status=status, body=body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, NO_PATH),
        (404, b""),
        (404, b"404 page not found"),
        (404, b'{"error":{"message":"Invalid URL (POST /v1/embeddings)","type":"invalid_request_error"}}'),
        (404, b'{"status":404,"error":"Not Found","path":"\\/v1\\/embeddings"}'),
        (404, b"<html><body>Not here. See our models.</body></html>"),
        (404, b'{"message":"no Route matched with those values"}'),
        (405, b'{"detail":"Method Not Allowed"}'),
        (501, b'{"error":{"message":"This server does not support embeddings.","code":501}}'),
        (404, b"\xff\xfe"),
    ],
)
def test_an_absent_endpoint_is_recognised_whatever_its_body(status: int, body: bytes) -> None:
    assert looks_absent(got(body, status))


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, NO_MODEL),
        (404, b'{"error":{"message":"no such thing: org/m:1"}}'),
        (404, b'{"detail":"Model not found"}'),
        (404, b"model not found"),
        (501, b'{"error":{"message":"This model does not embed."}}'),
        (400, NO_PATH),
        (500, b""),
        (200, NO_PATH),
        (401, b""),
    ],
)
def test_other_refusals_come_from_an_endpoint_that_is_there(status: int, body: bytes) -> None:
    assert not looks_absent(got(body, status))


def test_a_models_name_is_a_word() -> None:
    assert looks_absent(got(b'{"detail":"Method Not Allowed"}', 405, model="m"))
    assert not looks_absent(got(b'{"detail":"m: not found"}', model="m"))


def test_the_answer_to_an_unknown_path_is_that_of_an_absent_endpoint() -> None:
    said = b'{"error":"No route /v1/embeddings on this model server, see log 17"}'
    unknown = got(said.replace(b"embeddings", b"no/such/path").replace(b"17", b"18"), path="/no/such/path")
    assert not looks_absent(got(said))
    assert looks_absent(got(said), unknown)
    assert not looks_absent(got(said, 501), unknown)
    assert not looks_absent(got(NO_MODEL), unknown)


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("body", ['{"detail":"Not Found"}', "<html>Not Found</html>", "Not Found", ""])
def test_a_server_without_chats_is_attached_to(status: int, body: str) -> None:
    def reply(method: str, path: str, sent: bytes, headers: dict[str, str]) -> Reply:
        if path == "/v1/models":
            return as_json({"object": "list", "data": [{"id": "m", "object": "model"}]})
        if path == "/v1/embeddings":
            texts = json.loads(sent)["input"]
            some = enumerate(texts if isinstance(texts, list) else [texts])
            return as_json({"data": [{"index": at, "embedding": [1.0, float(len(text))]} for at, text in some]})
        return status, {"Content-Type": "text/html" if "<" in body else "application/json"}, body.encode()

    with serving(reply) as origin:
        target = attach(Wanted(backend="url"), f"{origin}/v1", {})
    assert [(one.role, one.model) for one in target.deployments] == [("chat", "m"), ("embedding", "m"), ("vision", "m")]


@pytest.mark.parametrize(
    ("path", "body", "is_absent"),
    [
        ("/models/org/m:1", NO_PATH, True),
        ("/models/org%2Fm%3A1", b'{"error":"GET /v1/models/org/m:1 is no route"}', True),
        ("/models/org/m:1", b'{"error":"org/m:1 is not loaded"}', False),
        ("/responses/resp_1", NO_PATH, True),
        ("/responses/resp_1", b'{"error":{"message":"Response with id \'resp_1\' not found."}}', False),
        ("/responses/resp_1", b'{"detail":"resp_1 is unknown"}', False),
    ],
)
def test_an_unknown_id_is_no_absent_path(path: str, body: bytes, is_absent: bool) -> None:
    assert looks_absent(got(body, path=path, method="GET")) is is_absent


@pytest.mark.parametrize("path", ["/models/org/m:1", "/responses/resp_1", "/responses/resp_1/input_items"])
def test_what_is_not_implemented_is_absent_whatever_it_says(path: str) -> None:
    for said in (b"responses api not yet implemented in gateway mode", b"no models here: resp_1, org/m:1"):
        assert looks_absent(got(said, 501, path, method="GET"))
        assert looks_absent(got(said, 501, path, method="DELETE"))
        assert looks_absent(got(said, 405, path))


class Recorded:
    """A source with the same answer for each witness of POST /embeddings."""

    def __init__(self, **answers: tuple[int, bytes]) -> None:
        scenario.load()
        self._answers = answers

    def recording(self, name: str) -> Recording:
        if name not in self._answers:
            return Recording(unsent=f"no {name}", blocked=True, single=True)
        status, body = self._answers[name]
        return Recording(exchanges=[got(body, status).to_json()], single=True)


EMBEDDINGS = next(one for one in ENDPOINTS if one.path == "/embeddings")


def test_one_accepted_witness_shows_that_an_endpoint_is_there() -> None:
    assert absent(Recorded(embedding=(404, NO_PATH), embedding_many=(404, b"")), EMBEDDINGS) == (
        "POST /v1/embeddings is absent (404)"
    )
    assert absent(Recorded(embedding=(404, NO_PATH), embedding_many=(405, b"")), EMBEDDINGS) == (
        "POST /v1/embeddings is absent (404, 405)"
    )
    assert absent(Recorded(embedding=(404, NO_PATH), embedding_many=(200, b"{}")), EMBEDDINGS) is None
    assert absent(Recorded(embedding=(404, NO_MODEL), embedding_many=(404, NO_PATH)), EMBEDDINGS) is None
    assert absent(Recorded(), EMBEDDINGS) is None


def test_what_was_sent_can_be_read_of_an_absent_answer_and_nothing_else() -> None:
    source = Recorded(embedding=(404, NO_PATH), embedding_many=(404, NO_PATH), bad_embedding_empty=(400, b"{}"))
    for name in ("embedding", "bad_embedding_empty"):  # Whatever was sent there.
        found = given(source, name)
        assert isinstance(found, Absent)
        assert found.sent == {"model": "org/m:1"}
        with pytest.raises(EndpointAbsent, match="POST /v1/embeddings is absent"):
            found.status  # noqa: B018


def test_endpoints_name_rows_and_scenarios_that_exist() -> None:
    known = scenario.load()
    for endpoint in ENDPOINTS:
        assert set(endpoint.rows) <= set(matrix.features())
        assert set(endpoint.witnesses) <= set(known)


def test_witnesses_are_accepted_by_a_server_that_has_the_endpoint(on: Bench) -> None:
    for endpoint in ENDPOINTS:
        if not endpoint.witnesses:
            continue  # Its parent decides.
        sent = [e for name in endpoint.witnesses for e in on.recorded[name].exchanges if endpoint.is_at(e.request.path)]
        assert [e.status for e in sent if e.request.method == endpoint.method] != []
        assert {e.status for e in sent if e.request.method == endpoint.method} == {200}


def test_every_endpoint_that_scenarios_ask_is_listed(on: Bench) -> None:
    asked = [e.request for recording in on.recorded.values() for e in recording.exchanges]
    usual = [one for one in asked if one.method != "OPTIONS" and one.path != "/no/such/path"]
    paths = {(one.method, one.path.partition("?")[0]) for one in usual}
    others = {path for method, path in paths if not any(e.method == method and e.is_at(path) for e in ENDPOINTS)}
    elsewhere = {e.request.path for e in on.recorded["generating_without_key"].exchanges}  # Paths of other APIs.
    assert others - elsewhere == {"/chat/completions", "/responses"}  # With GET.


@pytest.mark.parametrize("style", ["fastapi", "empty"])
def test_errors_of_unknown_paths_are_one_cause_of_few_failures(on: Bench, style: str) -> None:
    results = on.without(f"none-but-unknown {style}")
    bad = {r.id for r in results.values() if not r.outcome.good}
    assert bad - {"wire.errors_are_json"} == {"wire.error_shape", "wire.full_error_shape"}
    assert [cause.sentence for cause in causes(results.values())] == [UNKNOWN_PATHS]


@pytest.mark.parametrize("asked", ["only-chat fastapi", "no-models html"])
def test_a_server_without_an_endpoint_is_accused_of_nothing(on: Bench, asked: str) -> None:
    gate_of_absence.assert_one_fact_each(on, asked)


def test_only_embeddings_is_three_causes_and_three_rows(on: Bench) -> None:
    results = on.without("only-embeddings fastapi")
    found = causes(results.values())
    assert [cause.sentence for cause in found if len(cause.checks) > 20] == [
        "POST /v1/chat/completions is absent (404)",
        "POST /v1/responses is absent (404)",
        "POST /v1/completions is absent (404)",
    ]
    judged = {r.feature for r in results.values() if r.outcome is Outcome.PASS and r.core}
    assert judged >= {"embeddings", "models", "retrieve_model"}
