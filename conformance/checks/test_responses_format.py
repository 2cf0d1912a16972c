"""`text.format` of the Responses API: JSON documents, and documents that fit a schema."""

from conformance.kit import MUST, SHOULD, Response, check, ignored_unless, inconclusive_unless, validate_against
from fixtures import schemas

SCHEMA = "openapi:TextResponseFormatJsonSchema"
ENDLESS = "the model did not end within max_output_tokens"


@check("responses_format", MUST, SCHEMA, core=True)
def test_the_text_fits_the_schema(respond_no_json: Response, respond_person: Response) -> None:
    """The text fits the schema, even if the question has nothing to do with it."""
    inconclusive_unless("{" not in respond_no_json.text, "the model answers in JSON by itself")
    ignored_unless(respond_person.text != respond_no_json.text, "the text is the same as without text.format")
    inconclusive_unless(respond_person.state != "incomplete", ENDLESS)
    assert validate_against(respond_person.document, schemas.PERSON) == []


@check("responses_format", MUST, SCHEMA)
def test_a_stream_fits_the_schema(respond_no_json: Response, respond_person_streamed: Response) -> None:
    """The pieces of a streamed text join to a document that fits the schema."""
    inconclusive_unless("{" not in respond_no_json.text, "the model answers in JSON by itself")
    ignored_unless(respond_person_streamed.text != respond_no_json.text, "the text is the same as without text.format")
    inconclusive_unless(respond_person_streamed.state != "incomplete", ENDLESS)
    assert validate_against(respond_person_streamed.document, schemas.PERSON) == []


@check("responses_format", MUST, "openapi:ResponseFormatJsonObject", core=True)
def test_json_object_makes_an_object(respond_no_json: Response, respond_object: Response) -> None:
    """With `json_object` the text is a JSON object."""
    inconclusive_unless("{" not in respond_no_json.text, "the model answers in JSON by itself")
    ignored_unless(respond_object.text != respond_no_json.text, "the text is the same as without text.format")
    inconclusive_unless(respond_object.state != "incomplete", ENDLESS)
    assert isinstance(respond_object.document, dict)


@check("responses_format", SHOULD, "openapi:Response.text.format")
def test_the_format_is_repeated(respond_person: Response) -> None:
    """The response says in which format its text is."""
    said = (respond_person.body.get("text") or {}).get("format") or {}
    assert said.get("type") == "json_schema"
