"""`tools` and `response_format`: schemas as agents really declare them.

Each call is required and its function `strict`. A server keeps a keyword, or rejects the request; it never ignores one.
"""

from typing import Any

from conformance.kit import (
    SHOULD,
    Chat,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_none_of,
    assert_same_calls,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    lenient,
    shown,
    validate_against,
)

STRICT = "openapi:FunctionObject.strict"
PARAMETERS = "openapi:FunctionParameters"
SUBSET = "docs:guides/structured-outputs#supported-schemas"
FORMATS = {
    "day": r"^\d{4}-\d\d-\d\d$",
    "moment": r"^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$",
    "id": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
}


def parameters(answer: Chat) -> dict[str, Any]:
    """The schema that the request declares for its function."""
    found: dict[str, Any] = answer.sent["tools"][0]["function"]["parameters"]
    return found


def arguments(answer: Chat) -> dict[str, Any]:
    """The arguments of the first call."""
    answer.assert_accepted()
    inconclusive_unless(
        answer.finish_reason != "length" or len(answer.tool_calls) > 1, "the model's arguments were truncated"
    )
    inconclusive_unless(answer.tool_calls, "the model called no tool")
    return answer.tool_calls[0].args


def enforced_or_rejected(answer: Chat, keyword: str) -> None:
    """As `enforced`, of a keyword that a server may reject instead of enforcing it."""
    if answer.cleanly_refused:
        lenient(f"{keyword} of a strict function is rejected with HTTP status {answer.status}")
    else:
        enforced(answer, keyword)


def enforced(answer: Chat, keyword: str) -> None:
    """The arguments of the forced call must be valid against the parameters."""
    problems = validate_against(arguments(answer), parameters(answer))
    ignored_unless(
        not problems, f"{keyword} of a strict function is not enforced: {shown(problems[:1])}", actual=answer.calls
    )


def document_enforced(answer: Chat, keyword: str) -> None:
    """The document must be valid against the response format, or the request be rejected."""
    if answer.cleanly_refused:
        lenient(f"{keyword} of a strict schema is rejected with HTTP status {answer.status}")
        return
    inconclusive_unless(answer.finish_reason != "length", "the model's document was truncated")
    schema = answer.sent["response_format"]["json_schema"]["schema"]
    problems = validate_against(answer.document, schema)
    ignored_unless(
        not problems, f"{keyword} of a strict schema is not enforced: {shown(problems[:1])}", actual=answer.text
    )


# Keywords


@check("tools", SHOULD, SUBSET)
def test_items(call_with_items: Chat) -> None:
    """`items` of objects with `minItems` and `maxItems` are enforced in a strict function's arguments."""
    enforced(call_with_items, "`items`")


@check("tools", SHOULD, SUBSET)
def test_any_of(call_with_any_of: Chat) -> None:
    """`anyOf` of two objects and null is enforced in a strict function's arguments."""
    enforced(call_with_any_of, "`anyOf`")


@check("tools", SHOULD, STRICT)
def test_one_of(call_with_one_of: Chat) -> None:
    """`oneOf` is enforced in a strict function's arguments."""
    enforced(call_with_one_of, "`oneOf`")


@check("tools", SHOULD, STRICT)
def test_all_of(call_with_all_of: Chat) -> None:
    """`allOf` is enforced in a strict function's arguments."""
    enforced(call_with_all_of, "`allOf`")


@check("tools", SHOULD, SUBSET)
def test_defs(call_with_defs: Chat) -> None:
    """Definitions in `$defs` that refer to each other are enforced in a strict function's arguments."""
    enforced(call_with_defs, "`$ref`")


@check("tools", SHOULD, STRICT)
def test_definitions(call_with_definitions: Chat) -> None:
    """Definitions in `definitions`, as older drafts have them, are enforced in a strict function's arguments."""
    enforced(call_with_definitions, "`$ref`")


@check("tools", SHOULD, SUBSET)
def test_recursive(call_with_recursive: Chat) -> None:
    """A definition that refers to itself is enforced in a strict function's arguments."""
    enforced(call_with_recursive, "`$ref`")


@check("tools", SHOULD, SUBSET)
def test_const(call_with_const: Chat) -> None:
    """`const` is enforced in a strict function's arguments."""
    enforced(call_with_const, "`const`")


@check("tools", SHOULD, SUBSET)
def test_mixed_enum(call_with_mixed_enum: Chat) -> None:
    """An `enum` with values of several types is enforced in a strict function's arguments."""
    enforced(call_with_mixed_enum, "`enum`")


@check("tools", SHOULD, SUBSET)
def test_pattern(call_with_pattern: Chat) -> None:
    """`pattern` with `\\d` and `\\w` is enforced in a strict function's arguments."""
    enforced(call_with_pattern, "`pattern`")


@check("tools", SHOULD, STRICT)
def test_nested_pattern(call_with_nested_pattern: Chat) -> None:
    """`pattern` inside of `items` is enforced in a strict function's arguments."""
    enforced(call_with_nested_pattern, "`pattern` in `items`")


@check("tools", SHOULD, STRICT)
def test_loose_pattern(call_with_loose_pattern: Chat) -> None:
    """`pattern` without `^` and `$` matches any part of the string, and is enforced, or the request is rejected."""
    enforced_or_rejected(call_with_loose_pattern, "`pattern` without anchors")


@check("tools", SHOULD, STRICT)
def test_escaped_pattern(call_with_escaped_pattern: Chat) -> None:
    """`pattern` with escaped characters is enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_escaped_pattern, "`pattern` with escapes")


@check("tools", SHOULD, STRICT)
def test_nested_length(call_with_nested_length: Chat) -> None:
    """A `maxLength` of 2,000 inside of `items` does not stop the other keywords from being enforced."""
    enforced(call_with_nested_length, "the schema")


@check("tools", SHOULD, STRICT)
def test_length(call_with_length: Chat) -> None:
    """`minLength` and `maxLength` are enforced in a strict function's arguments."""
    enforced(call_with_length, "`minLength` or `maxLength`")


@check("tools", SHOULD, STRICT)
def test_large_length(call_with_large_length: Chat) -> None:
    """A `maxLength` of 20,000 does not stop the other keywords from being enforced."""
    enforced(call_with_large_length, "the schema")


@check("tools", SHOULD, STRICT)
def test_large_items(call_with_large_items: Chat) -> None:
    """A `maxItems` of 5,000 does not stop the other keywords from being enforced."""
    enforced(call_with_large_items, "the schema")


@check("tools", SHOULD, SUBSET)
def test_bounds(call_with_bounds: Chat) -> None:
    """`minimum` and `maximum` are enforced in a strict function's arguments."""
    enforced(call_with_bounds, "`minimum` or `maximum`")


@check("tools", SHOULD, SUBSET)
def test_exclusive_bounds(call_with_exclusive_bounds: Chat) -> None:
    """`exclusiveMinimum` and `exclusiveMaximum` are enforced in a strict function's arguments."""
    enforced(call_with_exclusive_bounds, "`exclusiveMinimum` or `exclusiveMaximum`")


@check("tools", SHOULD, SUBSET)
def test_multiple_of(call_with_multiple_of: Chat) -> None:
    """`multipleOf` is enforced in a strict function's arguments."""
    enforced(call_with_multiple_of, "`multipleOf`")


@check("tools", SHOULD, SUBSET)
def test_min_items(call_with_min_items: Chat) -> None:
    """`minItems` and `maxItems` are enforced in a strict function's arguments."""
    enforced(call_with_min_items, "`minItems`")


@check("tools", SHOULD, STRICT)
def test_unique_items(call_with_unique_items: Chat) -> None:
    """`uniqueItems` is enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_unique_items, "`uniqueItems`")


@check("tools", SHOULD, STRICT)
def test_prefix_items(call_with_prefix_items: Chat) -> None:
    """`prefixItems` is enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_prefix_items, "`prefixItems`")


@check("tools", SHOULD, STRICT)
def test_contains(call_with_contains: Chat) -> None:
    """`contains` is enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_contains, "`contains`")


@check("tools", SHOULD, STRICT)
def test_map(call_with_map: Chat) -> None:
    """`additionalProperties` with a schema is enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_map, "`additionalProperties`")


@check("tools", SHOULD, STRICT)
def test_keys_after_composites(call_with_composites: Chat) -> None:
    """Keys after maps, arrays, objects and `anyOf` are also enforced in a strict function's arguments."""
    enforced(call_with_composites, "`required`")


@check("tools", SHOULD, STRICT)
def test_pattern_properties(call_with_pattern_properties: Chat) -> None:
    """`patternProperties` is enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_pattern_properties, "`patternProperties`")


@check("tools", SHOULD, SUBSET)
def test_closed(call_with_closed: Chat) -> None:
    """`additionalProperties: false` is enforced in a strict function's arguments."""
    enforced(call_with_closed, "`additionalProperties`")


@check("tools", SHOULD, STRICT)
def test_not(call_with_not: Chat) -> None:
    """`not` is enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_not, "`not`")


@check("tools", SHOULD, STRICT)
def test_if_then(call_with_if_then: Chat) -> None:
    """`if` and `then` are enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_if_then, "`if` and `then`")


@check("tools", SHOULD, STRICT)
def test_dependent_required(call_with_dependent_required: Chat) -> None:
    """`dependentRequired` is enforced in a strict function's arguments, or the request is rejected."""
    enforced_or_rejected(call_with_dependent_required, "`dependentRequired`")


@check("tools", SHOULD, SUBSET)
def test_nullable(call_with_nullable: Chat) -> None:
    """Types in an array and an `enum` with null are enforced in a strict function's arguments."""
    enforced(call_with_nullable, "`type` or `enum`")


@check("tools", SHOULD, STRICT)
def test_annotations(call_with_annotations: Chat) -> None:
    """`title`, `default`, `$schema` and other annotations do not stop the schema from being enforced."""
    enforced(call_with_annotations, "the schema")


@check("tools", SHOULD, STRICT)
def test_keys(call_with_keys: Chat) -> None:
    """Keys with hyphens, dots, spaces, quotes and other scripts are enforced in a strict function's arguments."""
    enforced(call_with_keys, "the schema")


@check("tools", SHOULD, STRICT)
def test_optional(call_with_optional: Chat) -> None:
    """An optional property may be left out, and its type is enforced where it is there."""
    enforced(call_with_optional, "the schema")


@check("tools", SHOULD, STRICT)
def test_open(call_with_open: Chat) -> None:
    """`additionalProperties: true` does not stop the other keywords from being enforced."""
    enforced(call_with_open, "the schema")


@check("tools", SHOULD, STRICT)
def test_any_value(call_with_any_value: Chat) -> None:
    """A property with the schema `{}` may have any value, and the others are enforced."""
    enforced(call_with_any_value, "the schema")


@check("tools", SHOULD, STRICT)
def test_format(call_with_format: Chat) -> None:
    """`format` is enforced in a strict function's arguments, shown by `date`, `date-time` and `uuid`."""
    found = arguments(call_with_format)
    shape = {"required": list(FORMATS), "properties": {key: {"pattern": form} for key, form in FORMATS.items()}}
    problems = validate_against(found, shape)
    ignored_unless(not problems, f"`format` of a strict function is not enforced: {shown(problems[:1])}", actual=found)


# The same keywords in a response format


@check("json_schema", SHOULD, SUBSET)
def test_one_of_in_a_response_format(document_with_one_of: Chat) -> None:
    """`oneOf` is enforced in `response_format`, or the request is rejected."""
    document_enforced(document_with_one_of, "`oneOf`")


@check("json_schema", SHOULD, SUBSET)
def test_pattern_in_a_response_format(document_with_pattern: Chat) -> None:
    """`pattern` with `\\d` and `\\w` is enforced in `response_format`, or the request is rejected."""
    document_enforced(document_with_pattern, "`pattern`")


@check("json_schema", SHOULD, SUBSET)
def test_nested_pattern_in_a_response_format(document_with_nested_pattern: Chat) -> None:
    """`pattern` inside of `items` is enforced in `response_format`, or the request is rejected."""
    document_enforced(document_with_nested_pattern, "`pattern` in `items`")


@check("json_schema", SHOULD, SUBSET)
def test_length_in_a_response_format(document_with_length: Chat) -> None:
    """`minLength` and `maxLength` are enforced in `response_format`, or the request is rejected."""
    document_enforced(document_with_length, "`minLength` or `maxLength`")


@check("json_schema", SHOULD, SUBSET)
def test_exclusive_bounds_in_a_response_format(document_with_exclusive_bounds: Chat) -> None:
    """`exclusiveMinimum` and `exclusiveMaximum` are enforced in `response_format`, or the request is rejected."""
    document_enforced(document_with_exclusive_bounds, "`exclusiveMinimum` or `exclusiveMaximum`")


@check("json_schema", SHOULD, SUBSET)
def test_multiple_of_in_a_response_format(document_with_multiple_of: Chat) -> None:
    """`multipleOf` is enforced in `response_format`, or the request is rejected."""
    document_enforced(document_with_multiple_of, "`multipleOf`")


@check("json_schema", SHOULD, SUBSET)
def test_map_in_a_response_format(document_with_map: Chat) -> None:
    """`additionalProperties` with a schema is enforced in `response_format`, or the request is rejected."""
    document_enforced(document_with_map, "`additionalProperties`")


@check("json_schema", SHOULD, SUBSET)
def test_recursive_in_a_response_format(document_with_recursive: Chat) -> None:
    """A definition that refers to itself is enforced in `response_format`, or the request is rejected."""
    document_enforced(document_with_recursive, "`$ref`")


# Values that some layer may change


def unharmed(answer: Chat) -> None:
    """The arguments must be the only ones that the parameters allow."""
    problems = validate_against(arguments(answer), parameters(answer))
    assert_none_of([str(problem) for problem in problems], f"values changed in `arguments` of {answer.name}")


@check("tools", SHOULD, STRICT)
def test_values_escapes(call_of_escapes: Chat, call_of_escapes_streamed: Chat) -> None:
    """Quotes, backslashes, line breaks and control characters stay unchanged in `arguments`, plain and streamed."""
    unharmed(call_of_escapes)
    unharmed(call_of_escapes_streamed)


@check("tools", SHOULD, STRICT)
def test_values_characters(call_of_characters: Chat, call_of_characters_streamed: Chat) -> None:
    """Emoji, combining marks, line separators and characters beyond U+FFFF stay unchanged in `arguments`."""
    unharmed(call_of_characters)
    unharmed(call_of_characters_streamed)


@check("tools", SHOULD, STRICT)
def test_values_lookalikes(call_of_lookalikes: Chat, call_of_lookalikes_streamed: Chat) -> None:
    """Strings that look like numbers, `null`, JSON or markup stay strings in `arguments`."""
    unharmed(call_of_lookalikes)
    unharmed(call_of_lookalikes_streamed)


@check("tools", SHOULD, STRICT)
def test_values_numbers(call_of_numbers: Chat, call_of_numbers_streamed: Chat) -> None:
    """Integers above 2^53, fractions, `false` and `null` keep their value and type in `arguments`."""
    unharmed(call_of_numbers)
    unharmed(call_of_numbers_streamed)


@check("tools", SHOULD, STRICT)
def test_values_rows(call_of_rows: Chat, call_of_rows_streamed: Chat) -> None:
    """Arrays of objects stay unchanged in `arguments`, plain and streamed."""
    unharmed(call_of_rows)
    unharmed(call_of_rows_streamed)


@check("tools", SHOULD, STRICT)
def test_values_unions(call_of_unions: Chat, call_of_unions_streamed: Chat) -> None:
    """Values whose `type` is an array, such as `["array", "null"]`, keep their type in `arguments`."""
    unharmed(call_of_unions)
    unharmed(call_of_unions_streamed)


@check("tools", SHOULD, STRICT)
def test_values_nested(call_of_nested: Chat) -> None:
    """Empty arrays and objects inside arrays and objects stay unchanged in `arguments`."""
    unharmed(call_of_nested)


@check("tools", SHOULD, STRICT)
def test_values_long(call_of_long: Chat, call_of_long_streamed: Chat) -> None:
    """A string of 600 characters stays unchanged in `arguments`, plain and streamed."""
    unharmed(call_of_long)
    unharmed(call_of_long_streamed)


# Functions


@check("tools", SHOULD, "openapi:FunctionObject.name")
def test_a_name_has_up_to_64_characters(call_long_name: Chat) -> None:
    """A function's `name` may have 64 letters, digits, underscores and hyphens, and comes back unchanged."""
    enforced(call_long_name, "the schema")
    expected = call_long_name.sent["tools"][0]["function"]["name"]
    assert_equal(call_long_name.tool_calls[0].name, expected, "`function.name`")


@check("tools", SHOULD, "openapi:FunctionObject")
def test_null_is_as_if_absent(call_name_alone: Chat, call_null_parts: Chat) -> None:
    """`description`, `strict` and `parameters` of a function that are null are as if absent, or cleanly rejected."""
    if call_null_parts.cleanly_refused:  # The document lets only `strict` be null.
        lenient(f"null is rejected with HTTP status {call_null_parts.status}")
        return
    inconclusive_unless(call_name_alone.tool_calls, "expected a call of a function that has only a name, got none")
    assert_equal(
        call_null_parts.tokens("prompt"),
        call_name_alone.tokens("prompt"),
        "`usage.prompt_tokens`, compared with the request without them",
    )
    assert_same_calls(call_null_parts, call_name_alone)


@check("tools", SHOULD, PARAMETERS)
def test_parameters_may_be_an_empty_object(call_empty_schema: Chat) -> None:
    """`parameters` may be `{}`: the function is called with an object."""
    arguments(call_empty_schema)
    assert_equal(call_empty_schema.tool_calls[0].name, "save_it", "`function.name`")


@check("tools", SHOULD, "openapi:FunctionObject.description")
def test_any_characters_may_describe_a_function(weather: Chat, weather_described_oddly: Chat) -> None:
    """A `description` with quotes, line breaks, emoji and template syntax reaches the model."""
    ignored_unless(
        weather_described_oddly.tokens("prompt") > weather.tokens("prompt") + 8,
        "the longer `description` adds no tokens to the prompt (`usage.prompt_tokens`)",
    )


@check("tools", SHOULD, PARAMETERS)
def test_schemas_reach_the_model(weather_typed: list[Chat]) -> None:
    """`description` and `enum` of a property in `parameters` reach the model: each raises `usage.prompt_tokens`."""
    plain, described, enumerated = (answer.tokens("prompt") for answer in weather_typed)
    lost = [name for name, size in (("description", described), ("enum", enumerated)) if size <= plain]
    ignored_unless(
        not lost, f"a property with {' or '.join(lost)} adds no tokens to the prompt (`usage.prompt_tokens`)"
    )


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.tools")
def test_a_hundred_tools_may_be_offered(calls_of_many: list[Chat]) -> None:
    """A request may offer a hundred tools, all of which reach the model."""
    few, hundred = calls_of_many
    more = hundred.tokens("prompt") - few.tokens("prompt")
    ignored_unless(more >= 72, f"36 more tools add {more} tokens to the prompt (`usage.prompt_tokens`)")
    arguments(hundred)
    assert_in(hundred.tool_calls[0].name, [f"t{number}" for number in range(100)], "`function.name`")


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.tools")
def test_large_definitions_are_never_truncated(tools_of_30_kb: Chat) -> None:
    """Definitions of 30 kB reach the model in full, or the request is rejected."""
    if not tools_of_30_kb.cleanly_refused:
        assert_at_least(tools_of_30_kb.tokens("prompt"), 4000, "`usage.prompt_tokens` with 30 kB of tools")


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.tools")
def test_a_long_description_may_describe_a_function(
    weather_described_at_length: Chat, weather_described_at_length_streamed: Chat
) -> None:
    """A function with a description of 1 kB is called if `tool_choice` is `required`, or the request is rejected."""
    for answer in (weather_described_at_length, weather_described_at_length_streamed):
        if not answer.cleanly_refused:
            answer.assert_accepted()
            inconclusive_unless(answer.tool_calls or not answer.truncated, "the model's call was truncated")
            assert_at_least(len(answer.tool_calls), 1, f"{answer.name}: number of `tool_calls`")


@check("tools", SHOULD, PARAMETERS)
def test_no_keyword_keeps_the_model_from_answering(capital: Chat, capital_odd_tools: Chat) -> None:
    """A request gets a response even if a function that it need not call has a schema keyword that grammars lack."""
    capital_odd_tools.assert_accepted()
    ignored_unless(
        capital_odd_tools.tokens("prompt") > capital.tokens("prompt") + 100, "the tools are not in the prompt"
    )
    assert capital_odd_tools.text.strip() or capital_odd_tools.tool_calls, (
        "expected text or a tool call, got neither (`content`, `tool_calls`)"
    )


# What must be refused


@check("tools", SHOULD, "openapi:FunctionObject.name")
def test_a_dot_in_a_name_is_rejected(bad_tool_name_dot: Chat) -> None:
    """A function's `name` with a dot is rejected with 400."""
    expect_rejection(bad_tool_name_dot)


@check("tools", SHOULD, "openapi:FunctionObject.name")
def test_a_name_of_65_characters_is_rejected(bad_tool_name_long: Chat) -> None:
    """A function's `name` of 65 characters is rejected with 400."""
    expect_rejection(bad_tool_name_long)


@check("tools", SHOULD, PARAMETERS)
def test_parameters_in_a_string_are_rejected(bad_tool_parameters_text: Chat) -> None:
    """`parameters` that are a string are rejected with 400."""
    expect_rejection(bad_tool_parameters_text)


@check("tools", SHOULD, PARAMETERS)
def test_a_dangling_reference_is_rejected(bad_tool_reference: Chat) -> None:
    """A `$ref` to a definition that is not there is rejected with 400."""
    expect_rejection(bad_tool_reference)


@check("tools", SHOULD, PARAMETERS)
def test_keywords_of_the_wrong_type_are_rejected(bad_tool_keyword: list[Chat]) -> None:
    """Parameters whose `pattern`, `items` or `enum` is a number are rejected with 400."""
    for answer in bad_tool_keyword:
        expect_rejection(answer)
