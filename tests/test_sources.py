"""Every source of a requirement is a link that opens, as far as it is published; nothing is fetched here."""

from __future__ import annotations

import json
import re

import pytest

from backends import node
from conformance.requirements import sources
from conformance.requirements.musts import musts
from conformance.run import catalogue
from tests.openapi_lines import lines

COMMIT = json.loads(sources.LINES.read_bytes())["commit"]
FORMS = {
    "openapi": rf"https://github\.com/openai/openai-openapi/blob/{COMMIT}/openapi\.yaml#L\d+",
    "docs": r"https://(platform\.openai\.com/docs|developers\.openai\.com/api)/[a-z][\w/-]*(#[\w-]+)?",
    "sdk": r"https://github\.com/openai/openai-(python|node)/blob/v[\d.]+/[\w/.]+\.(md|py|ts)(#[\w-]+)?",
    "rfc": r"https://www\.rfc-editor\.org/rfc/rfc\d+\.html(#section-[\d.]+)?",
}
"""The form of a link, by the kind of its source. `guide` and `de-facto` have none."""


def all_sources() -> list[str]:
    return sorted({one.source for one in (*catalogue.load().values(), *musts())})


@pytest.mark.parametrize("source", all_sources())
def test_every_source_is_a_link_of_its_form(source: str) -> None:
    kind = source.partition(":")[0]
    found = sources.url(source)
    if kind in FORMS:
        assert re.fullmatch(FORMS[kind], found or ""), (
            f"{source} gives no link. Begin the source with a name of openapi_lines.json (openapi:), a page (docs:), a "
            f"number (rfc:), or a key of SDK in sources.py (sdk:), both in conformance/requirements/; got {found}"
        )
    else:
        assert found is None


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("openapi:CreateChatCompletionRequest.stop", "openapi.yaml#L33330"),
        ("openapi:CreateChatCompletionRequest.stop nullable", "openapi.yaml#L33330"),
        ("openapi:CreateChatCompletionRequest.no_such_field", "openapi.yaml#L33105"),
        ("openapi:GET /models responses.200.content", "openapi.yaml#L8732"),
        ("docs:guides/error-codes#401", "platform.openai.com/docs/guides/error-codes#401"),
        ("docs:guides/error-codes model not found", "platform.openai.com/docs/guides/error-codes"),
        ("docs:reference/resources/responses", "developers.openai.com/api/reference/resources/responses"),
        ("sdk:openai-python README#handling-errors", "/README.md#handling-errors"),
        ("sdk:openai-python lib/streaming/_deltas.py, line 33", "src/openai/lib/streaming/_deltas.py#L33"),
        ("sdk:openai-python lib/streaming/_deltas.py, lines 3 to 5", "src/openai/lib/streaming/_deltas.py#L3-L5"),
        ("rfc:9110#15.5.1 400 Bad Request", "rfc9110.html#section-15.5.1"),
        ("rfc:9110", "rfc9110.html"),
    ],
)
def test_links(source: str, end: str) -> None:
    assert (sources.url(source) or "").endswith(end)


@pytest.mark.parametrize(
    "source",
    ["openapi:Nothing.at_all", "openapi:", "docs:../x", "sdk:unknown", "rfc:none", "de-facto:x", "other:https://x", ""],
)
def test_what_is_not_published_has_no_link(source: str) -> None:
    assert sources.url(source) is None


def test_the_node_sdk_is_linked_at_the_version_that_is_installed() -> None:
    assert f"/v{node.SDK}/" in sources.NODE


DOCUMENT = """\
openapi: 3.1.0
paths:
  /chat/completions:
    post:
      $ref: "#/components/schemas/Request"
  /completions:
  /embeddings:
  /models:
  "/models/{model}":
    get:
  /responses:
  /responses/{response_id}:
components:
  schemas:
    Base:
      properties:
        top_p:
          description: >
            properties: of
            other: things
        choices:
          items:
            properties:
              index:
                type: integer
    ErrorResponse:
      type: object
    Request:
      allOf:
        - $ref: "#/components/schemas/Base"
        - properties:
            stop:
              type: string
    Unused:
      type: object
  securitySchemes:
    Nothing:
"""


def test_lines_are_found_in_the_document() -> None:
    found = lines(DOCUMENT)
    at = {name: DOCUMENT.splitlines()[line - 1].strip(' :"') for name, line in found.items()}
    assert at == {
        **{path: path for path in ("/chat/completions", "/completions", "/embeddings", "/models", "/models/{model}")},
        **{path: path for path in ("/responses", "/responses/{response_id}")},
        "POST /chat/completions": "post",
        "GET /models/{model}": "get",
        **{name: name for name in ("Base", "ErrorResponse", "Request")},
        **{f"{of}.{name}": name for of in ("Base", "Request") for name in ("top_p", "choices")},
        **{f"{of}.choices.index": "index" for of in ("Base", "Request")},
        "Request.stop": "stop",
    }
