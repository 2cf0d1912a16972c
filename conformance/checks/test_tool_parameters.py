"""`tools`: the parameters of functions, in every form that JSON Schema gives them.

Each call is required, and each function is `strict`: the server must make the model call it and keep the schema.
"""

from conformance.kit import (
    MUST,
    SHOULD,
    Chat,
    assert_equal,
    assert_matches_schema,
    check,
    expect_rejection,
    inconclusive_unless,
    shown,
)
from fixtures import schemas

STRICT = "openapi:FunctionObject.strict"


NO_CALL = "expected a tool call, got none (`tool_calls`)"


def assert_arguments_match(answer: Chat, schema: schemas.Schema) -> None:
    """The arguments of the first call must match the schema."""
    inconclusive_unless(
        answer.finish_reason != "length" or len(answer.tool_calls) > 1,
        "expected the model to end its arguments, got truncated ones (`finish_reason`)",
    )
    inconclusive_unless(answer.tool_calls, NO_CALL)
    assert_matches_schema(answer.tool_calls[0].args, schema, "`tool_calls[0].function.arguments`")


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_plain_types(call_trip: Chat) -> None:
    """With `strict`, `arguments` match parameters with strings, numbers, booleans, enums, arrays and objects."""
    assert_arguments_match(call_trip, schemas.TRIP)


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_references(call_route: Chat) -> None:
    """With `strict`, `arguments` match parameters with `$defs` and `$ref`."""
    assert_arguments_match(call_route, schemas.ROUTE)


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_a_list_of_types(call_note: Chat) -> None:
    """With `strict`, `arguments` match a parameter of one of two types."""
    assert_arguments_match(call_note, schemas.NOTE)


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_deep_parameters(call_deep: Chat) -> None:
    """With `strict`, `arguments` match deeply nested parameters."""
    assert_arguments_match(call_deep, schemas.DEEP)


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_many_parameters(call_flags: Chat) -> None:
    """With `strict`, `arguments` match dozens of required parameters."""
    assert_arguments_match(call_flags, schemas.FLAGS)


@check("tools", MUST, "openapi:FunctionParameters")
def test_a_function_may_have_no_parameters(call_now: Chat) -> None:
    """A function without `parameters` can be called, with the `arguments` `{}`."""
    inconclusive_unless(call_now.tool_calls, NO_CALL)
    name, arguments = call_now.tool_calls[0].name, call_now.tool_calls[0].args
    inconclusive_unless(
        arguments == {},
        f"expected {{}}, got {shown(arguments)}, which is legal if the function is not `strict` (`arguments`)",
    )
    assert_equal(name, "get_time", "`tool_calls[0].function.name`")


@check("tools", MUST, "openapi:FunctionParameters")
def test_parameters_may_have_no_properties(call_empty: Chat) -> None:
    """A function whose `parameters` have no properties can be called, with a JSON object as `arguments`."""
    inconclusive_unless(call_empty.tool_calls, NO_CALL)
    assert_equal(call_empty.calls[0][0], "get_time", "`tool_calls[0].function.name`")


# What must be rejected


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.tools")
def test_tools_must_be_a_list(bad_tools_text: Chat) -> None:
    """`tools` that is not an array is rejected with 400."""
    expect_rejection(bad_tools_text)


@check("tools", SHOULD, "openapi:ChatCompletionTool.function")
def test_a_tool_must_have_a_function(bad_tool_without_function: Chat) -> None:
    """A tool without `function` is rejected with 400."""
    expect_rejection(bad_tool_without_function)


@check("tools", SHOULD, "openapi:FunctionObject.name")
def test_a_function_must_have_a_name(bad_tool_without_name: Chat) -> None:
    """A function without `name` is rejected with 400."""
    expect_rejection(bad_tool_without_name)


@check("tools", SHOULD, "openapi:FunctionObject.name")
def test_a_name_has_only_certain_characters(bad_tool_name: Chat) -> None:
    """A function's `name` with other characters than letters, digits, `_` and `-` is rejected with 400."""
    expect_rejection(bad_tool_name)


@check("tools", SHOULD, "openapi:FunctionParameters")
def test_parameters_must_be_a_schema(bad_tool_parameters: Chat) -> None:
    """`parameters` that is not a JSON Schema is rejected with 400."""
    expect_rejection(bad_tool_parameters)
