"""`tools`: the parameters of functions, in every form that JSON Schema gives them.

Each call is required, so that the server must write it and, the functions being `strict`, must keep the schema.
"""

from conformance.kit import MUST, SHOULD, Chat, check, expect_rejection, inconclusive_unless, validate_against
from fixtures import schemas

STRICT = "openapi:FunctionObject.strict"


def misfits(answer: Chat, schema: schemas.Schema) -> list[str]:
    """What is wrong with the arguments of the first call."""
    inconclusive_unless(
        answer.finish_reason != "length" or len(answer.tool_calls) > 1, "the model's arguments do not end"
    )
    inconclusive_unless(answer.tool_calls, "the model called no tool")
    return [str(problem) for problem in validate_against(answer.tool_calls[0].args, schema)]


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_plain_types(call_trip: Chat) -> None:
    """Arguments fit parameters with texts, numbers, booleans, enums, arrays and objects."""
    assert misfits(call_trip, schemas.TRIP) == []


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_references(call_route: Chat) -> None:
    """Arguments fit parameters with `$defs` and `$ref`."""
    assert misfits(call_route, schemas.ROUTE) == []


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_a_list_of_types(call_note: Chat) -> None:
    """Arguments fit a parameter of one of two types."""
    assert misfits(call_note, schemas.NOTE) == []


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_deep_parameters(call_deep: Chat) -> None:
    """Arguments fit deeply nested parameters."""
    assert misfits(call_deep, schemas.DEEP) == []


@check("tools", MUST, STRICT)
def test_strict_arguments_fit_many_parameters(call_flags: Chat) -> None:
    """Arguments fit dozens of parameters, each of them required."""
    assert misfits(call_flags, schemas.FLAGS) == []


@check("tools", MUST, "openapi:FunctionParameters")
def test_a_function_may_have_no_parameters(call_now: Chat) -> None:
    """A function without `parameters` is called with the arguments `{}`."""
    inconclusive_unless(call_now.tool_calls, "the model called no tool")
    name, arguments = call_now.calls[0]
    inconclusive_unless(
        arguments == {}, "the model made arguments up, which nothing forbids it unless the function is strict"
    )
    assert name == "get_time"


@check("tools", MUST, "openapi:FunctionParameters")
def test_parameters_may_have_no_properties(call_empty: Chat) -> None:
    """A function whose parameters have no properties is called with an object."""
    inconclusive_unless(call_empty.tool_calls, "the model called no tool")
    assert call_empty.calls[0][0] == "get_time"


# What must be refused


@check("tools", SHOULD, "openapi:CreateChatCompletionRequest.tools")
def test_tools_must_be_a_list(bad_tools_text: Chat) -> None:
    """Tools that are no list are refused."""
    expect_rejection(bad_tools_text)


@check("tools", SHOULD, "openapi:ChatCompletionTool.function")
def test_a_tool_must_have_a_function(bad_tool_without_function: Chat) -> None:
    """A tool without its function is refused."""
    expect_rejection(bad_tool_without_function)


@check("tools", SHOULD, "openapi:FunctionObject.name")
def test_a_function_must_have_a_name(bad_tool_without_name: Chat) -> None:
    """A function without a name is refused."""
    expect_rejection(bad_tool_without_name)


@check("tools", SHOULD, "openapi:FunctionObject.name")
def test_a_name_has_only_certain_characters(bad_tool_name: Chat) -> None:
    """A function's name with other characters than letters, digits, `_` and `-` is refused."""
    expect_rejection(bad_tool_name)


@check("tools", SHOULD, "openapi:FunctionParameters")
def test_parameters_must_be_a_schema(bad_tool_parameters: Chat) -> None:
    """Parameters that are no JSON Schema are refused."""
    expect_rejection(bad_tool_parameters)
