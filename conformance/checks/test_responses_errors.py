"""Invalid requests to the Responses API, each rejected with 400 and an error object."""

from conformance.kit import MAY, MUST, SHOULD, Response, assert_at_least, check, expect_rejection

REQUEST = "openapi:CreateResponse"


@check("responses", SHOULD, f"{REQUEST}.input")
def test_missing_input_is_refused(respond_capital: Response, bad_respond_no_input: Response) -> None:
    """A request without `input` is rejected with 400."""
    expect_rejection(bad_respond_no_input)


@check("responses", SHOULD, f"{REQUEST}.input")
def test_number_as_input_is_refused(respond_capital: Response, bad_respond_input_number: Response) -> None:
    """A number as `input` is rejected with 400."""
    expect_rejection(bad_respond_input_number)


@check("responses", MUST, "openapi:InputItem")
def test_unknown_item_is_refused(respond_capital: Response, bad_respond_item: Response) -> None:
    """An item of an unknown `type` in `input` is rejected with 400, not ignored."""
    expect_rejection(bad_respond_item)


@check("responses", SHOULD, "openapi:EasyInputMessage.role")
def test_unknown_role_is_refused(respond_capital: Response, bad_respond_role: Response) -> None:
    """A message with an unknown `role` in `input` is rejected with 400."""
    expect_rejection(bad_respond_role)


@check("responses", MUST, "openapi:EasyInputMessage.role")
def test_unknown_role_is_read_or_refused(respond_capital: Response, bad_respond_role_lengths: list[Response]) -> None:
    """A message with an unknown `role` in `input` is read or rejected; it is not left out."""
    short, longer = bad_respond_role_lengths
    if short.ok or not short.error_message:
        where = "`usage.input_tokens` with ten words more in a message with an unknown `role`"
        assert_at_least(longer.tokens("input"), short.tokens("input") + 10, where)


@check("errors", MAY, "docs:guides/error-codes model not found")
def test_unknown_model_is_refused(respond_capital: Response, bad_respond_model: Response) -> None:
    """An unknown `model` is rejected with 404, or 400."""
    expect_rejection(bad_respond_model, 404, or_leniently=(400,))


@check("responses", SHOULD, "openapi:CreateModelResponseProperties.temperature")
def test_temperature_out_of_range_is_refused(respond_capital: Response, bad_respond_temperature: Response) -> None:
    """`temperature` above 2 is rejected with 400."""
    expect_rejection(bad_respond_temperature)


@check("responses_format", SHOULD, "openapi:TextResponseFormatConfiguration")
def test_unknown_format_is_refused(respond_capital: Response, bad_respond_format: Response) -> None:
    """An unknown `text.format.type` is rejected with 400."""
    expect_rejection(bad_respond_format)


@check("responses_tools", SHOULD, "openapi:FunctionTool.name")
def test_tool_without_name_is_refused(respond_weather: Response, bad_respond_tool: Response) -> None:
    """A tool in the form of `/chat/completions`, without `name` at its top level, is rejected with 400."""
    expect_rejection(bad_respond_tool)


@check("responses_tools", MAY, "docs:guides/function-calling")
def test_result_without_call_is_refused(respond_weather: Response, bad_respond_result: Response) -> None:
    """A `function_call_output` without its `function_call` is rejected with 400."""
    expect_rejection(bad_respond_result)
