"""`text.format` of the Responses API: JSON objects, and JSON that matches a schema."""

from conformance.kit import (
    MUST,
    SHOULD,
    Response,
    assert_equal,
    assert_matches_schema,
    check,
    ignored_unless,
    inconclusive_unless,
)
from fixtures import schemas

SCHEMA = "openapi:TextResponseFormatJsonSchema"
ENDLESS = "expected the model to end within `max_output_tokens`, got a truncated response (`status`)"
JSON_ANYWAY = "expected text that is not JSON without `text.format`, got a '{' in it (`output_text`)"
SAME = "expected other text than without `text.format`, got the same (`output_text`)"


@check("responses_format", MUST, SCHEMA, core=True)
def test_the_text_fits_the_schema(respond_no_json: Response, respond_person: Response) -> None:
    """With `text.format` of type `json_schema`, the text matches the schema, whatever the question is."""
    inconclusive_unless("{" not in respond_no_json.text, JSON_ANYWAY)
    ignored_unless(respond_person.text != respond_no_json.text, SAME)
    inconclusive_unless(respond_person.state != "incomplete", ENDLESS)
    assert_matches_schema(respond_person.document, schemas.PERSON, "`output_text`")


@check("responses_format", MUST, SCHEMA)
def test_a_stream_fits_the_schema(respond_no_json: Response, respond_person_streamed: Response) -> None:
    """With `text.format` of type `json_schema`, the concatenated deltas of a stream match the schema."""
    inconclusive_unless("{" not in respond_no_json.text, JSON_ANYWAY)
    ignored_unless(respond_person_streamed.text != respond_no_json.text, SAME)
    inconclusive_unless(respond_person_streamed.state != "incomplete", ENDLESS)
    assert_matches_schema(respond_person_streamed.document, schemas.PERSON, "`output_text`")


@check("responses_format", MUST, "openapi:ResponseFormatJsonObject", core=True)
def test_json_object_makes_an_object(respond_no_json: Response, respond_object: Response) -> None:
    """With `text.format` of type `json_object`, the text is a JSON object."""
    inconclusive_unless("{" not in respond_no_json.text, JSON_ANYWAY)
    ignored_unless(respond_object.text != respond_no_json.text, SAME)
    inconclusive_unless(respond_object.state != "incomplete", ENDLESS)
    assert_matches_schema(respond_object.document, {"type": "object"}, "`output_text`")


@check("responses_format", SHOULD, "openapi:Response.text.format")
def test_the_format_is_repeated(respond_person: Response) -> None:
    """The response repeats `text.format` of the request."""
    said = (respond_person.body.get("text") or {}).get("format") or {}
    assert_equal(said.get("type"), "json_schema", "`text.format.type` of the response")
