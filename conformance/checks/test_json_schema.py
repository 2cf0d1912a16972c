"""`response_format` `json_schema`: `content` is a JSON document that matches the schema."""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    Choice,
    assert_equal,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    lenient,
    shown,
    validate_against,
)
from fixtures import schemas
from fixtures.schemas import Schema

SOURCE = "openapi:ResponseFormatJsonSchema"
STRICT = f"{SOURCE}.json_schema.strict"
GUIDE = "docs:guides/structured-outputs"
ENDLESS = "`max_tokens` truncated the document (`finish_reason` is `length`)"
CONTENT = "`choices[0].message.content`"
STREAMED = "`choices[0].delta.content`, joined"
REASON = "`choices[0].finish_reason`"
BY_ITSELF = f"the model also writes JSON without `response_format` ({CONTENT})"
NO_EFFECT = f"{CONTENT} is the same as without `response_format`"
NO_DOCUMENT = f"the model wrote no JSON object ({CONTENT})"


def misfits(answer: Chat | Choice, schema: Schema) -> list[str]:
    """Where the document breaks the schema, in sentences."""
    inconclusive_unless(answer.finish_reason != "length", ENDLESS)
    return [str(problem) for problem in validate_against(answer.document, schema)]


def assert_matches(answer: Chat, schema: Schema, where: str = CONTENT) -> None:
    """End the check unless the document matches the schema."""
    problems = misfits(answer, schema)
    assert not problems, mismatch(problems, where)


def mismatch(problems: list[str], where: str) -> str:
    """The message on a document that breaks its schema."""
    return f"expected a document that matches the schema, got: {told(problems)} ({where})"


def told(problems: list[str]) -> str:
    """The first problems in one line, and how many more there are."""
    more = [f"and {len(problems) - 2} more problems"] if len(problems) > 2 else []
    return "; ".join([*problems[:2], *more])


@check("json_schema", MUST, STRICT, core=True)
def test_the_answer_fits_the_schema(capital: Chat, capital_person: Chat) -> None:
    """`content` matches the schema of `response_format`, even if the question asks for something else."""
    inconclusive_unless("{" not in capital.text, BY_ITSELF)
    ignored_unless(capital_person.text != capital.text, NO_EFFECT)
    assert_matches(capital_person, schemas.PERSON)
    assert_equal(capital_person.finish_reason, "stop", REASON)


@check("json_schema", MUST, STRICT)
def test_a_prompt_for_json_fits_the_schema(person: Chat) -> None:
    """When the prompt asks for JSON, `content` is only the document, and matches the schema."""
    assert_matches(person, schemas.PERSON)


@check("json_schema", MUST, STRICT)
def test_a_stream_joins_to_the_document(person: Chat, person_streamed: Chat) -> None:
    """The concatenated `content` deltas of a stream are the same document as in the plain response."""
    assert_matches(person_streamed, schemas.PERSON, STREAMED)
    assert_same_text(person_streamed.text, person.text, STREAMED)


@check("json_schema", MUST, STRICT)
def test_a_stream_fits_the_schema(capital: Chat, capital_person_streamed: Chat) -> None:
    """The `content` of a stream matches the schema, even if the question asks for something else."""
    inconclusive_unless("{" not in capital.text, BY_ITSELF)
    ignored_unless(
        capital_person_streamed.text != capital.text, f"{STREAMED}, is the same as without `response_format`"
    )
    assert_matches(capital_person_streamed, schemas.PERSON, STREAMED)


@check("json_schema", SHOULD, SOURCE)
def test_without_strict_it_fits_as_well(capital: Chat, capital_person_lax: Chat) -> None:
    """`content` matches the schema even without `strict`."""
    inconclusive_unless("{" not in capital.text, BY_ITSELF)
    ignored_unless(capital_person_lax.text != capital.text, NO_EFFECT)
    assert_matches(capital_person_lax, schemas.PERSON)


@check("json_schema", SHOULD, f"{SOURCE}.json_schema.description")
def test_with_a_description_it_fits_as_well(capital: Chat, capital_person_described: Chat) -> None:
    """`json_schema.description` is accepted, and `content` matches the schema."""
    inconclusive_unless("{" not in capital.text, BY_ITSELF)
    assert_matches(capital_person_described, schemas.PERSON)


@check("json_schema", SHOULD, GUIDE)
def test_keys_come_in_the_order_of_the_schema(person: Chat) -> None:
    """The keys of the document come in the order of the schema's `properties`."""
    inconclusive_unless(person.finish_reason != "length", ENDLESS)
    document = person.document
    kind = type(document).__name__
    assert isinstance(document, dict), f"expected a JSON object, got a JSON value of type {kind} ({CONTENT})"
    assert_equal(list(document), ["name", "age"], f"keys of {CONTENT}")


# Schemas of every form


@check("json_schema", MUST, "docs:guides/structured-outputs#supported-schemas")
def test_plain_types(trip_document: Chat) -> None:
    """`content` matches a schema with strings, numbers, booleans, enums, arrays and objects."""
    assert_matches(trip_document, schemas.TRIP)


@check("json_schema", MUST, GUIDE)
def test_references(route_document: Chat) -> None:
    """`content` matches a schema with `$defs` and `$ref`."""
    assert_matches(route_document, schemas.ROUTE)


@check("json_schema", SHOULD, GUIDE)
def test_recursion(tree_document: Chat) -> None:
    """`content` matches a recursive schema (`$ref: "#"`)."""
    assert_matches(tree_document, schemas.TREE)


@check("json_schema", MUST, GUIDE)
def test_alternatives(shape_document: Chat) -> None:
    """`content` matches a schema with `anyOf`."""
    assert_matches(shape_document, schemas.SHAPE)


@check("json_schema", MUST, GUIDE)
def test_lists_of_types(note_document: Chat) -> None:
    """`content` matches a schema with an array as `type` (one of two types)."""
    assert_matches(note_document, schemas.NOTE)


@check("json_schema", MUST, STRICT)
def test_unicode(unicode_document: Chat, unicode_document_streamed: Chat) -> None:
    """`content` matches a schema whose keys and enums are not ASCII, plain and streamed."""
    assert_matches(unicode_document, schemas.UNICODE)
    assert_same_text(unicode_document_streamed.text, unicode_document.text, STREAMED)


@check("json_schema", MUST, GUIDE)
def test_deep_schemas(deep_document: Chat) -> None:
    """`content` matches a schema of eight nested objects."""
    assert_matches(deep_document, schemas.DEEP)


@check("json_schema", MUST, GUIDE)
def test_wide_schemas(flags_document: Chat) -> None:
    """`content` matches a schema with forty required keys."""
    assert_matches(flags_document, schemas.FLAGS)


# Keywords that a server may reject, but must not ignore


def assert_effect(answer: Chat, schema: Schema, keyword: str) -> None:
    """End the check as ignored unless the keyword holds for the document, or the request is rejected."""
    if answer.cleanly_refused:
        lenient(f"{keyword} is rejected with HTTP status {answer.status}")
        return
    problems = misfits(answer, schema)
    ignored_unless(not problems, f"{keyword} has no effect: {told(problems)} ({CONTENT})", actual=answer.text)


@check("json_schema", SHOULD, GUIDE)
def test_pattern(code_document: Chat) -> None:
    """`content` matches a schema with `pattern`, or the request is rejected."""
    assert_effect(code_document, schemas.CODE, "`pattern`")


@check("json_schema", SHOULD, GUIDE)
def test_minimum_and_maximum(range_document: Chat) -> None:
    """`content` matches a schema with `minimum` and `maximum`, or the request is rejected."""
    assert_effect(range_document, schemas.RANGE, "`minimum` or `maximum`")


@check("json_schema", SHOULD, GUIDE)
def test_min_items_and_max_items(words_document: Chat) -> None:
    """`content` matches a schema with `minItems` and `maxItems`, or the request is rejected."""
    assert_effect(words_document, schemas.WORDS, "`minItems` or `maxItems`")


@check("json_schema", SHOULD, GUIDE)
def test_format(day_document: Chat) -> None:
    """`content` matches a schema with `format: date`, or the request is rejected."""
    assert_effect(day_document, schemas.DAY, "`format`")
    if day_document.cleanly_refused:
        return
    day = day_document.document["day"]
    ignored_unless(
        _is_date(day), f"`format` has no effect: {shown(day)} is not a date ({CONTENT})", actual=day_document.text
    )


def _is_date(text: str) -> bool:
    return len(text) == 10 and [len(part) for part in text.split("-") if part.isdigit()] == [4, 2, 2]


# Together with other parameters


@check("json_schema", SHOULD, "openapi:CreateChatCompletionResponse.choices.finish_reason")
def test_a_cut_document_is_said_to_be_cut(person: Chat, person_cut: Chat, person_cut_streamed: Chat) -> None:
    """When `max_tokens` truncates a document, `content` is its beginning and `finish_reason` is `length`."""
    inconclusive_unless(person.text.lstrip().startswith("{"), NO_DOCUMENT)
    inconclusive_unless(
        person.tokens("completion") > 6,
        "the model's document is too short to be truncated (`usage.completion_tokens` is at most 6)",
    )
    inconclusive_unless(person_cut.said != person.said, "`max_tokens` has no effect")
    assert_equal(person_cut.finish_reason, "length", REASON)
    assert_same_text(person_cut.text, person.text[: len(person_cut.text)], f"{CONTENT} with `max_tokens: 6`")
    assert_same_text(person_cut_streamed.text, person_cut.text, f"{STREAMED}, with `max_tokens: 6`")
    assert_equal(person_cut_streamed.finish_reason, "length", f"{REASON} of the streamed response")


@check("json_schema", SHOULD, "openapi:CreateChatCompletionRequest.n")
def test_each_choice_fits_the_schema(person_twice: Chat) -> None:
    """With `n` and `stream`, the `content` of each choice matches the schema."""
    inconclusive_unless(len(person_twice.choices) > 1, "`n` has no effect: `choices` has one entry")
    assert_equal([choice.index for choice in person_twice.choices], [0, 1], "`choices[].index`")
    for index, problems in enumerate([misfits(choice, schemas.PERSON) for choice in person_twice.choices]):
        assert not problems, mismatch(problems, f"`choices[{index}].delta.content`, joined")


@check("json_schema", SHOULD, "openapi:CreateChatCompletionRequest.logprobs")
def test_logprobs_join_to_the_document(person: Chat, person_logprobs: Chat) -> None:
    """With `logprobs`, `content` is the same document, and the concatenated tokens of `logprobs` equal it."""
    inconclusive_unless(person.text.lstrip().startswith("{"), NO_DOCUMENT)
    inconclusive_unless(person_logprobs.choice.logprobs, "`choices[0].logprobs` is missing or empty")
    assert_same_text(person_logprobs.text, person.text, f"{CONTENT} with `logprobs`")
    spelled = "".join(str(entry.get("token")) for entry in person_logprobs.logprobs)
    assert_equal(spelled[: len(person.text)], person.text, "tokens of `choices[0].logprobs.content`, joined")


# What must be rejected


@check("json_schema", MUST, f"{SOURCE}.json_schema.schema")
def test_no_schema_is_refused(bad_schema: Chat) -> None:
    """A `json_schema.schema` that is not a JSON Schema is rejected with 400."""
    expect_rejection(bad_schema)


@check("json_schema", SHOULD, f"{SOURCE}.json_schema")
def test_a_missing_schema_is_refused(bad_schema_absent: Chat) -> None:
    """`response_format.type` `json_schema` without `json_schema` is rejected with 400."""
    expect_rejection(bad_schema_absent)


@check("json_schema", SHOULD, f"{SOURCE}.json_schema.name")
def test_a_schema_must_have_a_name(bad_schema_without_name: Chat) -> None:
    """`json_schema` without `name` is rejected with 400."""
    expect_rejection(bad_schema_without_name)


@check("json_schema", SHOULD, f"{SOURCE}.json_schema.name")
def test_a_name_has_only_certain_characters(bad_schema_name: Chat) -> None:
    """A `json_schema.name` with other characters than letters, digits, `_` and `-` is rejected with 400."""
    expect_rejection(bad_schema_name)
