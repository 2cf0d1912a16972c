"""`response_format` json_schema: the answer is a document that fits the schema."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Choice,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    validate_against,
)
from fixtures import schemas
from fixtures.schemas import Schema

SOURCE = "openapi:ResponseFormatJsonSchema"
STRICT = f"{SOURCE}.json_schema.strict"
GUIDE = "docs:guides/structured-outputs"
ENDLESS = "the model did not end within max_tokens"


def misfits(answer: Chat | Choice, schema: Schema) -> list[str]:
    """What is wrong with the document."""
    inconclusive_unless(answer.finish_reason != "length", ENDLESS)
    return [str(problem) for problem in validate_against(answer.document, schema)]


@check("json_schema", MUST, STRICT, core=True)
def test_the_answer_fits_the_schema(capital: Chat, capital_person: Chat) -> None:
    """The answer fits the schema, even if the question has nothing to do with it."""
    inconclusive_unless("{" not in capital.text, "the model answers in JSON by itself")
    ignored_unless(capital_person.text != capital.text, "the text is the same as without response_format")
    assert misfits(capital_person, schemas.PERSON) == []
    assert capital_person.finish_reason == "stop"


@check("json_schema", MUST, STRICT)
def test_a_prompt_for_json_fits_the_schema(person: Chat) -> None:
    """A prompt that asks for JSON is answered with the document alone."""
    assert misfits(person, schemas.PERSON) == []


@check("json_schema", MUST, STRICT)
def test_a_stream_joins_to_the_document(person: Chat, person_streamed: Chat) -> None:
    """A stream joins to the same document as the plain answer."""
    assert misfits(person_streamed, schemas.PERSON) == []
    assert_same_text(person_streamed.text, person.text)


@check("json_schema", MUST, STRICT)
def test_a_stream_fits_the_schema(capital: Chat, capital_person_streamed: Chat) -> None:
    """A stream fits the schema, even if the question has nothing to do with it."""
    inconclusive_unless("{" not in capital.text, "the model answers in JSON by itself")
    ignored_unless(capital_person_streamed.text != capital.text, "the text is the same as without response_format")
    assert misfits(capital_person_streamed, schemas.PERSON) == []


@check("json_schema", SHOULD, SOURCE)
def test_without_strict_it_fits_as_well(capital: Chat, capital_person_lax: Chat) -> None:
    """The answer fits the schema without `strict`, too."""
    inconclusive_unless("{" not in capital.text, "the model answers in JSON by itself")
    ignored_unless(capital_person_lax.text != capital.text, "the text is the same as without response_format")
    assert misfits(capital_person_lax, schemas.PERSON) == []


@check("json_schema", SHOULD, f"{SOURCE}.json_schema.description")
def test_with_a_description_it_fits_as_well(capital: Chat, capital_person_described: Chat) -> None:
    """The schema may have a description, and the answer fits it."""
    inconclusive_unless("{" not in capital.text, "the model answers in JSON by itself")
    assert misfits(capital_person_described, schemas.PERSON) == []


@check("json_schema", SHOULD, GUIDE)
def test_keys_come_in_the_order_of_the_schema(person: Chat) -> None:
    """The keys come in the order in which the schema has them."""
    inconclusive_unless(person.finish_reason != "length", ENDLESS)
    assert isinstance(person.document, dict)
    assert list(person.document) == ["name", "age"]


# Schemas of every form


@check("json_schema", MUST, "docs:guides/structured-outputs#supported-schemas")
def test_plain_types(trip_document: Chat) -> None:
    """Texts, numbers, booleans, enums, arrays and objects are kept."""
    assert misfits(trip_document, schemas.TRIP) == []


@check("json_schema", MUST, GUIDE)
def test_references(route_document: Chat) -> None:
    """`$defs` and `$ref` are kept."""
    assert misfits(route_document, schemas.ROUTE) == []


@check("json_schema", SHOULD, GUIDE)
def test_recursion(tree_document: Chat) -> None:
    """A schema that refers to its own root is kept."""
    assert misfits(tree_document, schemas.TREE) == []


@check("json_schema", MUST, GUIDE)
def test_alternatives(shape_document: Chat) -> None:
    """`anyOf` is kept."""
    assert misfits(shape_document, schemas.SHAPE) == []


@check("json_schema", MUST, GUIDE)
def test_lists_of_types(note_document: Chat) -> None:
    """A value of one of two types is kept."""
    assert misfits(note_document, schemas.NOTE) == []


@check("json_schema", MUST, STRICT)
def test_unicode(unicode_document: Chat, unicode_document_streamed: Chat) -> None:
    """Keys and values with characters of several bytes are kept, in a stream as well."""
    assert misfits(unicode_document, schemas.UNICODE) == []
    assert_same_text(unicode_document_streamed.text, unicode_document.text)


@check("json_schema", MUST, GUIDE)
def test_deep_schemas(deep_document: Chat) -> None:
    """A schema eight objects deep is kept."""
    assert misfits(deep_document, schemas.DEEP) == []


@check("json_schema", MUST, GUIDE)
def test_wide_schemas(flags_document: Chat) -> None:
    """A schema with forty required keys is kept."""
    assert misfits(flags_document, schemas.FLAGS) == []


# Keywords that a server honours or refuses, but never ignores


def honoured(answer: Chat, schema: Schema, keyword: str) -> None:
    """The keyword must hold in the document."""
    problems = misfits(answer, schema)
    ignored_unless(not problems, f"{keyword} is ignored: {'; '.join(problems)}", actual=answer.text)


@check("json_schema", SHOULD, GUIDE)
def test_pattern(code_document: Chat) -> None:
    """`pattern` is honoured."""
    honoured(code_document, schemas.CODE, "pattern")


@check("json_schema", SHOULD, GUIDE)
def test_minimum_and_maximum(range_document: Chat) -> None:
    """`minimum` and `maximum` are honoured."""
    honoured(range_document, schemas.RANGE, "minimum or maximum")


@check("json_schema", SHOULD, GUIDE)
def test_min_items_and_max_items(words_document: Chat) -> None:
    """`minItems` and `maxItems` are honoured."""
    honoured(words_document, schemas.WORDS, "minItems or maxItems")


@check("json_schema", SHOULD, GUIDE)
def test_format(day_document: Chat) -> None:
    """`format` is honoured, shown by a date."""
    honoured(day_document, schemas.DAY, "format")
    ignored_unless(_is_date(day_document.document["day"]), "the date is none", actual=day_document.text)


def _is_date(text: str) -> bool:
    return len(text) == 10 and [len(part) for part in text.split("-") if part.isdigit()] == [4, 2, 2]


# Together with other parameters


@check("json_schema", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_document_is_said_to_be_cut(person: Chat, person_cut: Chat, person_cut_streamed: Chat) -> None:
    """A document that max_tokens cuts is its beginning, with finish_reason `length`, in a stream as well."""
    inconclusive_unless(person.text.lstrip().startswith("{"), "the model gave no document")
    inconclusive_unless(person.tokens("completion") > 6, "the model's document is too short to be cut")
    inconclusive_unless(person_cut.said != person.said, "`max_tokens` has no effect")
    assert person_cut.finish_reason == "length"
    assert_same_text(person.text[: len(person_cut.text)], person_cut.text)
    assert_same_text(person_cut_streamed.text, person_cut.text)
    assert person_cut_streamed.finish_reason == "length"


@check("json_schema", SHOULD, "openapi:CreateChatCompletionRequest.n")
def test_each_choice_fits_the_schema(person_twice: Chat) -> None:
    """With n and a stream, each choice is a document that fits."""
    inconclusive_unless(len(person_twice.choices) > 1, "there is one choice only")
    assert [choice.index for choice in person_twice.choices] == [0, 1]
    assert [misfits(choice, schemas.PERSON) for choice in person_twice.choices] == [[], []]


@check("json_schema", SHOULD, "openapi:CreateChatCompletionRequest.logprobs")
def test_logprobs_join_to_the_document(person: Chat, person_logprobs: Chat) -> None:
    """The tokens of logprobs join to the document, and do not change it."""
    inconclusive_unless(person.text.lstrip().startswith("{"), "the model gave no document")
    inconclusive_unless(person_logprobs.choice.logprobs, "no logprobs came")
    assert_same_text(person_logprobs.text, person.text)
    assert "".join(str(entry.get("token")) for entry in person_logprobs.logprobs).startswith(person.text)


# What must be refused


@check("json_schema", MUST, f"{SOURCE}.json_schema.schema")
def test_no_schema_is_refused(bad_schema: Chat) -> None:
    """A schema that is no JSON Schema is refused."""
    expect_rejection(bad_schema)


@check("json_schema", SHOULD, f"{SOURCE}.json_schema")
def test_a_missing_schema_is_refused(bad_schema_absent: Chat) -> None:
    """The type json_schema without a schema is refused."""
    expect_rejection(bad_schema_absent)


@check("json_schema", SHOULD, f"{SOURCE}.json_schema.name")
def test_a_schema_must_have_a_name(bad_schema_without_name: Chat) -> None:
    """A schema without a name is refused."""
    expect_rejection(bad_schema_without_name)


@check("json_schema", SHOULD, f"{SOURCE}.json_schema.name")
def test_a_name_has_only_certain_characters(bad_schema_name: Chat) -> None:
    """A name with other characters than letters, digits, `_` and `-` is refused."""
    expect_rejection(bad_schema_name)
