"""Agents: every type of tool is used or rejected, items can be sent back, and nothing is left out silently."""

import re
from collections.abc import Sequence
from typing import Any

from conformance.answers import Answer, Chat, Response
from conformance.kit import (
    MAY,
    SHOULD,
    Every,
    assert_at_least,
    assert_equal,
    assert_in,
    assert_more,
    assert_none_of,
    assert_same_calls,
    assert_same_text,
    check,
    expect_rejection,
    ignored_unless,
    inconclusive_unless,
    shown,
)
from fixtures.scenarios.agents import GRAMMAR
from fixtures.scenarios.chat import TEN_WORDS

TOOLS = "openapi:CreateResponse.tools"
CUSTOM = "openapi:CustomToolCall"
CHAT_CUSTOM = "openapi:CustomToolChatCompletions"
ENCRYPTED = "openapi:ReasoningItem.encrypted_content"
PAGES = "docs:api-reference/responses"
WORDS = len(TEN_WORDS.split())
INPUT = "`usage.input_tokens`"
NO_CALL = "expected a tool call, got none (`output`)"
UNREAD = "functions do not reach the model either: its template may leave tools out"
ENDLESS = "expected the model to end by itself, got a truncated response"
EMPTY = "expected a string with text, got an empty one (`output_text`)"


def told_of_functions(plain: Response | Chat, described: Response | Chat) -> None:
    """End the check as inconclusive unless what is declared of a function is part of the prompt."""
    kind = "input" if isinstance(plain, Response) else "prompt"
    inconclusive_unless(described.tokens(kind) > plain.tokens(kind), UNREAD)


def assert_not_dropped(answers: Sequence[Response | Chat], control: Response | Chat, names: Sequence[str]) -> None:
    """Each request must be rejected, or have more tokens than the control, or output of a kind of its own."""
    kind = "input" if isinstance(control, Response) else "prompt"
    dropped = [
        name
        for name, answer in zip(names, answers, strict=True)
        if not answer.cleanly_refused and answer.tokens(kind) <= control.tokens(kind) and not _used(answer)
    ]
    ignored_unless(
        not dropped, f"expected more {kind} tokens with {', '.join(dropped)}, got no more: dropped silently (`usage`)"
    )


def _used(answer: Response | Chat) -> bool:
    """Whether a hosted tool was used: the output has an item that is neither text, reasoning nor a function call."""
    usual = ("message", "reasoning", "function_call")
    return isinstance(answer, Response) and any(item.get("type") not in usual for item in answer.output)


def more_tokens(longer: Response, shorter: Response) -> bool:
    """Whether ten more words in the input are ten more tokens, or more."""
    return longer.tokens("input") - shorter.tokens("input") >= WORDS


# Tools that are declared


@check("responses_tools", SHOULD, "openapi:NamespaceToolParam")
def test_a_namespace_is_offered_or_rejected(
    respond_weather: Response, respond_weather_described: Response, respond_namespace_tool: Response
) -> None:
    """The functions of a tool of type `namespace` are offered to the model, or the request is rejected."""
    told_of_functions(respond_weather, respond_weather_described)
    assert_not_dropped([respond_namespace_tool], respond_weather, ["a tool of type `namespace`"])


@check("responses_tools", SHOULD, TOOLS)
def test_hosted_tools_are_offered_or_rejected(
    respond_weather: Response, respond_weather_described: Response, respond_hosted_tools: list[Response]
) -> None:
    """A hosted tool (`web_search`, `code_interpreter`, …) is offered to the model, or the request is rejected."""
    told_of_functions(respond_weather, respond_weather_described)
    names = [f"`{answer.sent['tools'][-1]['type']}`" for answer in respond_hosted_tools]
    assert_not_dropped(respond_hosted_tools, respond_weather, names)


@check("responses_tools", SHOULD, TOOLS)
def test_an_unknown_type_of_tool_is_refused(respond_weather: Response, bad_respond_tool_type: Response) -> None:
    """A tool of an unknown `type` is rejected with 400, not silently dropped."""
    respond_weather.assert_accepted()
    expect_rejection(bad_respond_tool_type)


@check("responses_tools", SHOULD, "openapi:FunctionToolCall.namespace")
def test_a_function_of_a_namespace_is_called(respond_namespace_required: Response) -> None:
    """A `function_call` of a function in a namespace has the function's `name` and its `namespace`."""
    inconclusive_unless(respond_namespace_required.state != "incomplete", ENDLESS)
    ignored_unless(respond_namespace_required.tool_calls, NO_CALL)
    item = respond_namespace_required.items("function_call")[0]
    assert_equal(item.get("name"), "find_customer", "`name` of the `function_call`")
    assert_equal(item.get("namespace"), "crm", "`namespace` of the `function_call`")


@check("responses_tools", SHOULD, CUSTOM)
def test_a_custom_tool_is_called(respond_custom_required: Response) -> None:
    """A call of a custom tool is a `custom_tool_call` item with `name`, `call_id`, and a string as `input`."""
    inconclusive_unless(respond_custom_required.state != "incomplete", ENDLESS)
    calls = _custom_calls(respond_custom_required)
    assert_equal(calls[0].get("name"), "apply_patch", "`name` of the `custom_tool_call`")
    for key in ("call_id", "input"):
        value = calls[0].get(key)
        assert isinstance(value, str), f"expected a string, got {shown(value)} (`{key}` of the `custom_tool_call`)"
    assert calls[0]["call_id"], "expected a string with text, got an empty one (`call_id` of the `custom_tool_call`)"


def _custom_calls(answer: Response) -> list[dict[str, Any]]:
    """The calls of custom tools; ends the check if there is none."""
    kinds = [item.get("type") for item in answer.output]
    ignored_unless({*kinds} - {"message", "reasoning"}, "expected a `custom_tool_call`, got no call (`output`)")
    assert_in("custom_tool_call", kinds, "`type` of the items of `output`")
    return answer.items("custom_tool_call")


@check("responses_tools", SHOULD, "openapi:CustomGrammarFormatParam")
def test_a_grammar_is_followed(respond_custom_grammar: Response) -> None:
    """`input` of a custom tool matches the grammar (`syntax: regex`) of its `format`."""
    inconclusive_unless(respond_custom_grammar.state != "incomplete", ENDLESS)
    got = str(_custom_calls(respond_custom_grammar)[0].get("input"))
    ignored_unless(re.fullmatch(GRAMMAR, got), f"expected a string that matches {GRAMMAR}, got {shown(got)} (`input`)")


@check("responses_tools", SHOULD, "openapi:ResponseCustomToolCallInputDeltaEvent")
def test_streamed_input_is_whole(respond_custom_required_streamed: Response) -> None:
    """`response.custom_tool_call_input.delta`s concatenate to `input` of the `done` event and of the final item."""
    answer = respond_custom_required_streamed
    inconclusive_unless(answer.state != "incomplete", ENDLESS)
    final = [item.get("input") for item in _custom_calls(answer)]
    ended = [event.get("input") for event in answer.typed("response.custom_tool_call_input.done")]
    assert_equal(ended, final, "`input` of the `response.custom_tool_call_input.done` events")
    joined = answer.joined("response.custom_tool_call_input.delta")
    assert_equal(joined, "".join(map(str, final)), "`response.custom_tool_call_input.delta`, joined")


@check("responses_tools", SHOULD, "openapi:CustomToolCallOutput")
def test_the_own_custom_call_can_be_sent_back(respond_custom_back: Response) -> None:
    """The server accepts its own `custom_tool_call`, unchanged, in `input`, together with its result."""
    inconclusive_unless("custom_tool_call" in str(respond_custom_back.sent["input"]), NO_CALL)
    inconclusive_unless(not respond_custom_back.truncated, ENDLESS)
    assert respond_custom_back.output, "expected a message or a call, got nothing (`output`)"


@check("responses_tools", SHOULD, "openapi:CustomToolCallOutput.output")
def test_parts_of_a_custom_result_are_read(respond_custom_result_parts: list[Response]) -> None:
    """`output` of a `custom_tool_call_output` may have parts: ten extra words add at least ten `usage.input_tokens`."""
    short, longer = respond_custom_result_parts
    ignored_unless(more_tokens(longer, short), f"a longer part adds no tokens ({INPUT})")


@check("tools", SHOULD, CHAT_CUSTOM)
def test_a_custom_tool_is_offered_or_rejected_in_chat(
    weather: Chat, weather_described: Chat, weather_custom_tool: Chat
) -> None:
    """In chat, a tool of type `custom` is offered to the model, or the request is rejected."""
    told_of_functions(weather, weather_described)
    assert_not_dropped([weather_custom_tool], weather, ["a tool of type `custom`"])


@check("tools", SHOULD, "openapi:ChatCompletionMessageCustomToolCall")
def test_a_custom_tool_is_called_in_chat(capital_custom_required: Chat) -> None:
    """In chat, a call of a custom tool has `type: custom`, and `custom` with `name` and `input`."""
    inconclusive_unless(capital_custom_required.finish_reason != "length", ENDLESS)
    ignored_unless(capital_custom_required.tool_calls, "expected a tool call, got none (`tool_calls`)")
    called = capital_custom_required.tool_calls[0]
    assert_equal(called.type, "custom", "`tool_calls[0].type`")
    assert_equal(called.name, "apply_patch", "`tool_calls[0].custom.name`")


# Items that are sent back


@check("responses", SHOULD, "openapi:IncludeEnum")
def test_the_state_may_be_the_clients(respond_think: Response, respond_encrypted: Response) -> None:
    """`store: false` with `include: ["reasoning.encrypted_content"]` is accepted, and does not change the text."""
    respond_encrypted.assert_accepted()
    inconclusive_unless(not (respond_think.truncated or respond_encrypted.truncated), ENDLESS)
    assert_same_text(respond_encrypted.text, respond_think.text, "`output_text`")


@check("responses", SHOULD, ENCRYPTED)
def test_reasoning_is_encrypted(respond_encrypted: Response) -> None:
    """With `include: ["reasoning.encrypted_content"]`, each `reasoning` item has a non-empty `encrypted_content`."""
    items = respond_encrypted.items("reasoning")
    inconclusive_unless(items, "expected the model to reason, got no reasoning (`output`)")
    empty = [shown(item.get("encrypted_content")) for item in items if not item.get("encrypted_content")]
    ignored_unless(not empty, f"expected a string with text, got {', '.join(empty)} (`encrypted_content`)")


@check("responses", SHOULD, "docs:guides/conversation-state")
def test_unstored_output_can_be_sent_back(respond_encrypted: Response, respond_encrypted_back: Response) -> None:
    """With `store: false`, the server accepts its own items of `output`, unchanged, in `input`."""
    assert_more(respond_encrypted_back.tokens("input"), respond_encrypted.tokens("input"), INPUT)
    inconclusive_unless(not respond_encrypted_back.truncated, ENDLESS)
    assert respond_encrypted_back.text.strip(), EMPTY


@check("responses", SHOULD, ENCRYPTED)
def test_encrypted_reasoning_needs_no_content(respond_encrypted: Response, respond_encrypted_alone: Response) -> None:
    """The server's own `reasoning` item is accepted with `encrypted_content` and without `content`."""
    inconclusive_unless(respond_encrypted.items("reasoning"), "expected the model to reason, got no reasoning")
    respond_encrypted_alone.assert_accepted()
    inconclusive_unless(not respond_encrypted_alone.truncated, ENDLESS)
    assert respond_encrypted_alone.text.strip(), EMPTY


@check("responses", SHOULD, ENCRYPTED)
def test_foreign_reasoning_breaks_nothing(respond_two_turns: Response, respond_foreign_reasoning: Response) -> None:
    """A `reasoning` item that another server encrypted is rejected, or dropped without dropping other items."""
    respond_two_turns.assert_accepted()
    if not respond_foreign_reasoning.cleanly_refused:
        assert_at_least(respond_foreign_reasoning.tokens("input"), respond_two_turns.tokens("input"), INPUT)


@check("responses", SHOULD, "openapi:MessagePhase")
def test_a_phase_is_accepted(respond_two_turns: Response, respond_phases: list[Response]) -> None:
    """An assistant message with a `phase` is accepted, and still reaches the model."""
    for answer in respond_phases:
        assert_at_least(answer.tokens("input"), respond_two_turns.tokens("input"), f"{INPUT} of {answer.name}")


@check("responses_state", SHOULD, "openapi:ItemReferenceParam")
def test_a_reference_is_read_or_rejected(respond_two_questions: Response, respond_reference: list[Response]) -> None:
    """An `item_reference` stands for the item of the stored response, or the request is rejected."""
    by_reference, whole = respond_reference
    assert_not_dropped([by_reference], respond_two_questions, ["an `item_reference`"])
    if by_reference.ok and whole.ok:
        assert_equal(by_reference.tokens("input"), whole.tokens("input"), f"{INPUT} of {by_reference.name}")


@check("responses_state", SHOULD, f"{PAGES}/get")
def test_items_keep_their_ids(respond_name: Response, retrieved: Response) -> None:
    """`GET /responses/{id}` returns the same `output[].id` as the original response."""
    if retrieved.id == respond_name.id:
        ids = [item.get("id") for item in respond_name.output]
        assert_equal([item.get("id") for item in retrieved.output], ids, "`output[].id` of the retrieved response")


@check("responses_stream", SHOULD, "openapi:ResponseOutputItemDoneEvent.item")
def test_done_items_are_final(every: Every) -> None:
    """The items of `response.output_item.done`, which agents send back, equal those in the last event."""
    for answer in every.accepted(Response, streamed=True):
        ended = answer.held("response.output_item.done", "item")
        for at, (item, final) in enumerate(zip(ended, answer.output, strict=False)):
            for key in ("id", "call_id", "name", "arguments", "input"):
                assert_equal(item.get(key), final.get(key), f"`{key}` of item {at} in `response.output_item.done`")
            assert_equal(_text(item), _text(final), f"text of item {at} in `response.output_item.done`")


def _text(item: dict[str, Any]) -> str:
    """The texts of an item's parts, joined."""
    parts = item.get("content")
    found = [part.get("text") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return "".join(text for text in found if isinstance(text, str))


@check("responses_tools", SHOULD, "docs:guides/function-calling")
def test_streamed_items_can_be_sent_back(
    respond_cities_streamed: Response, respond_streamed_items_back: list[Response]
) -> None:
    """Calls of `response.output_item.done` are accepted unchanged in `input`, and the model reads their results."""
    inconclusive_unless(len(respond_cities_streamed.tool_calls) > 1, "expected several tool calls, got at most one")
    short, longer = respond_streamed_items_back
    ignored_unless(more_tokens(longer, short), f"a longer result of the last call adds no tokens ({INPUT})")


@check("responses", SHOULD, "openapi:CreateResponse.input")
def test_the_first_of_forty_items_is_read(respond_forty_items: list[Response]) -> None:
    """The first result in forty items reaches the model: ten extra words add at least ten `usage.input_tokens`."""
    short, longer = respond_forty_items
    ignored_unless(more_tokens(longer, short), f"a longer first result adds no tokens ({INPUT})")


@check("responses", SHOULD, "openapi:EasyInputMessage.role")
def test_developers_and_systems_are_read(respond_capital: Response, respond_developer: list[Response]) -> None:
    """A message with the role `developer` or `system` in `input` reaches the model."""
    for answer in respond_developer:
        # It may take the place of a prompt that the model's template has, and then there may be fewer tokens.
        read = answer.tokens("input") != respond_capital.tokens("input") or answer.text != respond_capital.text
        role = answer.sent["input"][0]["role"]
        ignored_unless(read, f"a message with the role `{role}` changes neither {INPUT} nor the text")


@check("responses_tools", SHOULD, "openapi:FunctionCallOutputItemParam.output input_file")
def test_a_file_in_a_result_is_read_or_rejected(respond_result_part: Response, respond_result_file: Response) -> None:
    """An `input_file` part of a tool result reaches the model, or the request is rejected."""
    assert_not_dropped([respond_result_file], respond_result_part, ["an `input_file` part"])


@check("responses", SHOULD, "openapi:CompactionSummaryItemParam")
def test_a_compaction_is_read_or_rejected(respond_two_questions: Response, respond_compaction: Response) -> None:
    """A `compaction` item in `input` reaches the model, or the request is rejected."""
    assert_not_dropped([respond_compaction], respond_two_questions, ["a `compaction` item"])


# Parameters


@check("responses_tools", SHOULD, "openapi:CreateResponse")
def test_an_agents_parameters_are_accepted(respond_weather: Response, respond_as_agent: Response) -> None:
    """Parameters of agents (`include`, `prompt_cache_key`, `reasoning.summary`, …) change neither prompt nor call."""
    assert_equal(respond_as_agent.tokens("input"), respond_weather.tokens("input"), INPUT)
    inconclusive_unless(respond_weather.tool_calls and not respond_as_agent.truncated, NO_CALL)
    assert_same_calls(respond_as_agent, respond_weather)


@check("responses", MAY, "de-facto:Codex sends `client_metadata`, which OpenAI's document does not have")
def test_unknown_members_change_nothing(respond_capital: Response, respond_unknown_members: Response) -> None:
    """An unknown parameter, such as `client_metadata`, is accepted without effect, or rejected with 400."""
    if not respond_unknown_members.cleanly_refused:
        assert_equal(respond_unknown_members.tokens("input"), respond_capital.tokens("input"), INPUT)


@check("max_tokens", SHOULD, "openapi:CreateChatCompletionRequest.max_tokens")
def test_a_limit_above_the_context_is_accepted_or_refused(capital: Chat, capital_large_limit: Chat) -> None:
    """`max_tokens` larger than the context is accepted without effect on a short response, or rejected with 400."""
    inconclusive_unless(capital.finish_reason == "stop", ENDLESS)
    if not capital_large_limit.cleanly_refused:
        assert_same_text(capital_large_limit.text, capital.text)


@check("responses", SHOULD, "openapi:CreateResponse.max_output_tokens")
def test_an_output_limit_above_the_context_is_accepted_or_refused(
    respond_capital: Response, respond_large_limit: Response
) -> None:
    """`max_output_tokens` larger than the context has no effect on a short response, or is rejected with 400."""
    inconclusive_unless(not respond_capital.truncated, ENDLESS)
    if not respond_large_limit.cleanly_refused:
        assert_same_text(respond_large_limit.text, respond_capital.text, "`output_text`")


# Operations


@check("responses_state", MAY, f"{PAGES}/input-tokens")
def test_input_tokens_are_counted(
    respond_banana: Response, respond_weather: Response, input_tokens_counted: list[Answer]
) -> None:
    """`POST /responses/input_tokens` returns the `usage.input_tokens` that a response to the same request has."""
    for counted, used in zip(input_tokens_counted, (respond_banana, respond_weather), strict=True):
        assert_equal(counted.body.get("input_tokens"), used.tokens("input"), f"`input_tokens` of {counted.name}")


@check("responses_state", MAY, f"{PAGES}/compact")
def test_a_conversation_is_compacted(compacted: Answer) -> None:
    """`POST /responses/compact` returns an `output` with a `compaction` item that has `encrypted_content`."""
    output = compacted.body.get("output")
    items = [item for item in output if isinstance(item, dict)] if isinstance(output, list) else []
    assert_in("compaction", [item.get("type") for item in items], "`type` of the items of `output`")
    found = [item for item in items if item.get("type") == "compaction" and item.get("encrypted_content")]
    assert found, "expected a string with text, got none (`encrypted_content` of the `compaction` item)"


@check("responses_state", MAY, f"{PAGES}/compact")
def test_a_compacted_conversation_goes_on(
    compacted: Answer, respond_name_unknown: Response, respond_compacted: Response
) -> None:
    """The `output` of `POST /responses/compact`, sent back in `input`, gives the model the earlier conversation."""
    compacted.assert_accepted()
    more = respond_compacted.tokens("input") > respond_name_unknown.tokens("input")
    ignored_unless(more, f"the compacted conversation adds no tokens ({INPUT})")


@check("responses_state", MAY, f"{PAGES}/cancel")
def test_an_unknown_response_is_not_cancelled(respond_capital: Response, bad_cancelled: Response) -> None:
    """`POST /responses/{id}/cancel` with an unknown id is rejected with 404."""
    respond_capital.assert_accepted()
    expect_rejection(bad_cancelled, 404, or_leniently=(400,))


@check("responses_state", MAY, f"{PAGES}/cancel")
def test_a_finished_response_is_not_cancelled(retrieved: Response, bad_cancelled_finished: Response) -> None:
    """`POST /responses/{id}/cancel` of a response without `background: true` is rejected with 400."""
    inconclusive_unless(retrieved.ok, "expected a stored response, got none (`GET /responses/{id}`)")
    expect_rejection(bad_cancelled_finished, 400, or_leniently=(404, 409))


# HTTP


@check("connections", SHOULD, "rfc:6455#4.2.2 a server that takes no WebSocket says so with an HTTP status")
def test_a_websocket_is_opened_or_refused(capital: Chat, bad_websocket: Response) -> None:
    """A request to open a WebSocket at `/responses` gets 101, or is rejected with 4xx or 501 at once."""
    capital.assert_accepted()
    status = bad_websocket.exchange.status
    if status != 101:
        refused = 400 <= bad_websocket.status < 500 or bad_websocket.status == 501
        assert refused, f"expected 101, 4xx or 501, got {status} (HTTP status)"


@check("connections", SHOULD, "rfc:9110#7.8 a server may ignore Upgrade")
def test_a_wish_for_http_2_changes_nothing(capital: Chat, capital_http_2: Chat) -> None:
    """A request with `Upgrade: h2c`, which Java's client sends, gets the same response as without this header."""
    capital_http_2.assert_accepted()
    assert_same_text(capital_http_2.text, capital.text)
    assert_none_of([one for one in [capital_http_2.status] if one == 101], "HTTP status")
