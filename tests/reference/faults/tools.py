"""Faults of tool calls, the class that users report most."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

from tests.reference.call import Call, new_id
from tests.reference.errors import ApiError
from tests.reference.faults.chat import choices, messages
from tests.reference.faults.kit import answer, events, having, ignored, later_turn, payload, request, script
from tests.reference.generator import Script

ignored("tool_choice", "parallel_tool_calls", on=("chat", "responses"))
for _other in ("response_format", "logprobs", "stop"):
    ignored("tools", on="chat", where=f"with {_other}", when=having(_other))


def _calls(body: Any) -> list[dict[str, Any]]:
    """The calls of functions in an answer, or in a stream event."""
    messages = [choice.get("message") or choice.get("delta") or {} for choice in choices(body)]
    return [call for message in messages for call in message.get("tool_calls") or [] if "function" in call]


def _functions(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The functions that a request offers, so far as they are any."""
    tools = body.get("tools")
    found = [tool for tool in tools if isinstance(tool, dict)] if isinstance(tools, list) else []
    return [one for tool in found if isinstance(one := tool.get("function", tool), dict)]


@request(("chat", "responses"))
def tools_ignored(body: dict[str, Any], _call: Call) -> None:
    """Tools are accepted and never called."""
    for name in ("tools", "tool_choice", "parallel_tool_calls"):
        body.pop(name, None)


@answer("chat")
def tool_arguments_as_object(body: dict[str, Any], _call: Call) -> None:
    """Arguments are an object instead of a JSON string."""
    for call in _calls(body):
        text = call["function"]["arguments"]
        call["function"]["arguments"] = json.loads(text) if text.endswith("}") else {}


@answer("chat")
def tool_arguments_encoded_twice(body: dict[str, Any], _call: Call) -> None:
    """Arguments are a JSON string inside a JSON string."""
    for call in _calls(body):
        call["function"]["arguments"] = json.dumps(call["function"]["arguments"])


@answer("chat")
def tool_arguments_cut(body: dict[str, Any], _call: Call) -> None:
    """Arguments lack their last character."""
    for call in _calls(body):
        call["function"]["arguments"] = call["function"]["arguments"][:-1]


@answer("chat")
def line_breaks_beside_calls(body: dict[str, Any], _call: Call) -> None:
    """The content beside a call is two line breaks, which the tool parser left over."""
    for choice in choices(body):
        if choice["message"].get("tool_calls") and not choice["message"].get("content"):
            choice["message"]["content"] = "\n\n"


@answer("chat", when=lambda call: len(_functions(call.body)) > 1)
def names_with_a_namespace(body: dict[str, Any], _call: Call) -> None:
    """With several functions, the name of a called one has a namespace in front."""
    for made in _calls(body):
        made["function"]["name"] = "functions." + made["function"]["name"]


@payload("chat", stream=True)
def index_missing_in_tool_delta(body: Any, _call: Call) -> None:
    """A streamed call has no index."""
    for call in _calls(body):
        call.pop("index")


@payload("chat", stream=True)
def index_always_zero_in_tool_delta(body: Any, _call: Call) -> None:
    """All streamed calls have index 0."""
    for call in _calls(body):
        call["index"] = 0


@payload("chat", stream=True)
def index_as_string_in_tool_delta(body: Any, _call: Call) -> None:
    """The index of a streamed call is a string."""
    for call in _calls(body):
        call["index"] = str(call["index"])


@payload("chat", stream=True)
def name_in_every_tool_delta(body: Any, _call: Call) -> None:
    """Each delta of a call has id and name, so clients that join them get nonsense."""
    for call in _calls(body):
        call.update(id=call.get("id") or "call_1", type="function")
        call["function"].setdefault("name", "get_weather")


@payload("chat")
def parallel_calls_share_id(body: Any, _call: Call) -> None:
    """All calls have the same id."""
    for call in _calls(body):
        if "id" in call:
            call["id"] = "call_1"


@payload("chat")
def tool_call_id_empty(body: Any, _call: Call) -> None:
    """The id of a call is empty."""
    for call in _calls(body):
        if "id" in call:
            call["id"] = ""


@payload("chat")
def tool_call_type_missing(body: Any, _call: Call) -> None:
    """A call has no type."""
    for call in _calls(body):
        call.pop("type", None)


@payload("chat")
def finish_reason_stop_on_tool_calls(body: Any, _call: Call) -> None:
    """A response with calls has finish_reason stop."""
    for choice in choices(body):
        if choice["finish_reason"] == "tool_calls":
            choice["finish_reason"] = "stop"


@answer("chat")
def tool_call_markup_in_content(body: dict[str, Any], _call: Call) -> None:
    """Calls stay in the content, in the model's own notation."""
    for choice in choices(body):
        calls = choice["message"].pop("tool_calls", None)
        if calls:
            asked = [call.get("function") or {"name": "custom", "arguments": "{}"} for call in calls]
            said = [{"name": one["name"], "arguments": json.loads(one["arguments"])} for one in asked]
            lines = [f"<tool_call>\n{json.dumps(call)}\n</tool_call>" for call in said]
            choice["message"]["content"], choice["finish_reason"] = "\n".join(lines), "stop"


@answer("chat")
def tool_call_markup_beside_calls(body: dict[str, Any], _call: Call) -> None:
    """Calls are right, but their markup is also in the content."""
    for choice in choices(body):
        if choice["message"].get("tool_calls"):
            choice["message"]["content"] = "<tool_call>"


@answer("chat", when=having("stop"))
def stopped_calls_stay_text(body: dict[str, Any], call: Call) -> None:
    """A call with a stop string in its arguments ends there, and stays in the content with its markup."""
    stops = call.body["stop"] if isinstance(call.body["stop"], list) else [call.body["stop"]]
    for choice in choices(body):
        for made in _calls({"choices": [choice]}):
            arguments = made["function"]["arguments"]
            if stop := next((one for one in stops if one in arguments), None):
                begun = f'<tool_call>\n{{"name": "{made["function"]["name"]}", "arguments": '
                choice["message"]["content"] = begun + arguments.partition(stop)[0]
                choice["message"].pop("tool_calls", None)
                choice["finish_reason"] = "stop"


@answer("chat")
def tool_calls_empty_list(body: dict[str, Any], _call: Call) -> None:
    """Responses without calls have `tool_calls: []`."""
    for choice in choices(body):
        choice["message"].setdefault("tool_calls", [])


@script(("chat", "responses"))
def only_the_first_call(plan: Script, _call: Call) -> None:
    """Of parallel calls, only the first is made."""
    if len(plan.calls) > 1:
        last = max(i for i, step in enumerate(plan.steps) if step.call == 0)
        del plan.steps[last + 1 :], plan.calls[1:]


@request(("chat", "responses"))
def required_is_auto(body: dict[str, Any], _call: Call) -> None:
    """tool_choice required is treated as auto."""
    if body.get("tool_choice") == "required":
        body["tool_choice"] = "auto"


@request("chat", stream=False)
def required_is_auto_where_nothing_else_is_asked(body: dict[str, Any], _call: Call) -> None:
    """tool_choice required is treated as auto in requests without parameters other than tools."""
    plain = {"model", "messages", "tools", "tool_choice", "max_tokens", "temperature"}
    if body.get("tool_choice") == "required" and not body.keys() - plain and len(_functions(body)) == 1:
        body["tool_choice"] = "auto"


@request("chat")
def named_choice_is_auto(body: dict[str, Any], _call: Call) -> None:
    """A named tool_choice is treated as auto."""
    if isinstance(body.get("tool_choice"), dict):
        body["tool_choice"] = "auto"


@request("chat")
def none_is_auto(body: dict[str, Any], _call: Call) -> None:
    """tool_choice none is treated as auto."""
    if body.get("tool_choice") == "none":
        body["tool_choice"] = "auto"


@request("chat")
def tool_results_ignored(body: dict[str, Any], _call: Call) -> None:
    """Tool messages and the calls before them are dropped."""
    kept = [m for m in messages(body) if not (m.get("role") == "tool" or m.get("tool_calls"))]
    if kept and len(kept) < len(messages(body)):
        body["messages"] = kept


@request("chat")
def wrong_tool_call_id_accepted(body: dict[str, Any], _call: Call) -> None:
    """The id of a tool message is not checked."""
    ids: list[Any] = []
    for message in messages(body):
        if isinstance(message.get("tool_calls"), list):
            ids = [call.get("id") for call in message["tool_calls"] if isinstance(call, dict)]
        elif message.get("role") == "tool" and ids:
            message["tool_call_id"] = ids.pop(0)


@request(("chat", "responses"))
def tool_descriptions_dropped(body: dict[str, Any], _call: Call) -> None:
    """Descriptions of functions do not reach the model."""
    for function in _functions(body):
        function.pop("description", None)


@request("chat")
def broken_arguments_crash(body: dict[str, Any], _call: Call) -> None:
    """Earlier arguments that are not JSON get a 500, as in chat templates that parse them."""
    for message in messages(body):
        for call in message.get("tool_calls") or []:
            if isinstance(call, dict) and isinstance(call.get("function"), dict):
                json.loads(call["function"].get("arguments") or "{}")


@request("chat")
def function_role_dropped(body: dict[str, Any], _call: Call) -> None:
    """Results of the deprecated role function are dropped."""
    if any(m.get("role") == "function" for m in messages(body)):
        body["messages"] = [m for m in messages(body) if m.get("role") == "user"]


@payload("chat", stream=True)
def streamed_arguments_in_lower_case(body: Any, _call: Call) -> None:
    """Streamed arguments are in lower case."""
    for call in _calls(body):
        call["function"]["arguments"] = call["function"]["arguments"].lower()


@events("chat")
def streamed_arguments_begin_with_braces(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """Streamed arguments begin with {} as if the call had none."""
    for event in stream:
        for call in _calls(event):
            if "id" in call:
                call["function"]["arguments"] = "{}"
        yield event


@events("chat")
def streamed_calls_lose_their_end(stream: Iterator[Any], _call: Call) -> Iterator[Any]:
    """The last delta of streamed arguments is lost."""
    held: Any = None
    for event in stream:
        done = any(choice.get("finish_reason") for choice in choices(event))
        if held and not (done and _calls(held)):
            yield held
        held = event
    yield held


@payload("chat", stream=True)
def streamed_id_changes(body: Any, _call: Call) -> None:
    """Each delta of a streamed call has a new id."""
    for call in _calls(body):
        call["id"] = new_id("call_", 24)


@payload("chat", stream=True)
def streamed_arguments_null(body: Any, _call: Call) -> None:
    """In the first delta of a streamed call, arguments is null."""
    for call in _calls(body):
        call["function"]["arguments"] = call["function"]["arguments"] or None


@payload("chat", stream=True)
def streamed_name_in_two_pieces(body: Any, _call: Call) -> None:
    """The name of a streamed call is truncated."""
    for call in _calls(body):
        if "name" in call["function"]:
            call["function"]["name"] = call["function"]["name"][:4]


@payload("chat", stream=True)
def finish_reason_stop_on_streamed_calls(body: Any, _call: Call) -> None:
    """Streams with calls end with finish_reason stop."""
    for choice in choices(body):
        if choice["finish_reason"] == "tool_calls":
            choice["finish_reason"] = "stop"


@answer("chat")
def tool_call_without_id(body: dict[str, Any], _call: Call) -> None:
    """A call has no id."""
    for call in _calls(body):
        call.pop("id")


@answer("chat")
def tool_call_flat(body: dict[str, Any], _call: Call) -> None:
    """Name and arguments are in the call itself, without `function`."""
    for call in _calls(body):
        call.update(call.pop("function"))


@answer("chat")
def tool_call_an_object(body: dict[str, Any], _call: Call) -> None:
    """tool_calls is one call instead of an array."""
    for choice in choices(body):
        if choice["message"].get("tool_calls"):
            choice["message"]["tool_calls"] = choice["message"]["tool_calls"][0]


@answer("chat")
def tool_arguments_null(body: dict[str, Any], _call: Call) -> None:
    """Empty arguments are null."""
    for call in _calls(body):
        if call["function"]["arguments"] in ("{}", ""):
            call["function"]["arguments"] = None


@answer("chat")
def content_empty_beside_calls(body: dict[str, Any], _call: Call) -> None:
    """The content beside calls is missing instead of null."""
    for choice in choices(body):
        if choice["message"].get("tool_calls"):
            choice["message"].pop("content", None)


@answer("chat")
def unknown_function_called(body: dict[str, Any], _call: Call) -> None:
    """A function is called that the request does not offer."""
    for call in _calls(body):
        call["function"]["name"] = "functions." + call["function"]["name"]


@request("chat", when=later_turn)
def tools_ignored_on_later_turns(body: dict[str, Any], _call: Call) -> None:
    """The model gets the tools only on the first turn."""
    if messages(body)[-1].get("role") == "user":
        for name in ("tools", "tool_choice", "parallel_tool_calls"):
            body.pop(name, None)


@request("chat")
def second_round_refused(body: dict[str, Any], _call: Call) -> None:
    """A conversation with two rounds of calls is rejected."""
    if sum(bool(message.get("tool_calls")) for message in messages(body)) > 1:
        raise ApiError("Only one round of tool calls is supported.", param="messages")


@request("chat")
def null_content_in_history_refused(body: dict[str, Any], _call: Call) -> None:
    """An assistant message without text is rejected, although it has calls."""
    for message in messages(body):
        if message.get("tool_calls") and message.get("content") is None:
            raise ApiError("'content' must be a string.", param="messages")


@request("chat")
def text_beside_calls_refused(body: dict[str, Any], _call: Call) -> None:
    """An assistant message with both calls and text is rejected."""
    for message in messages(body):
        if message.get("tool_calls") and message.get("content"):
            raise ApiError("'content' must be null beside 'tool_calls'.", param="messages")


@request("chat")
def only_the_last_tool_result(body: dict[str, Any], _call: Call) -> None:
    """Of several results, only the last reaches the model."""
    results = [message for message in messages(body) if message.get("role") == "tool"]
    for message in results[:-1]:
        message["content"] = ""


@request("chat")
def tool_results_swapped(body: dict[str, Any], _call: Call) -> None:
    """Results are assigned to calls by their order instead of their ids."""
    known: list[Any] = []
    for message in messages(body):
        if isinstance(message.get("tool_calls"), list):
            known = [call.get("id") for call in message["tool_calls"] if isinstance(call, dict)]
            left = iter(known)
        elif message.get("role") == "tool" and message.get("tool_call_id") in known:
            message["tool_call_id"] = next(left, message["tool_call_id"])


@request(("chat", "responses"))
def strict_parameters_unenforced(body: dict[str, Any], _call: Call) -> None:
    """Arguments of strict functions need not match the parameters."""
    for function in _functions(body):
        if function.get("strict") is True and isinstance(function.get("parameters"), dict):
            function["parameters"] = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}


@request("chat", stream=False)
def strict_parameters_unenforced_in_chat(body: dict[str, Any], _call: Call) -> None:
    """In chat, arguments of strict functions need not match the parameters, except for one function."""
    for function in _functions(body):
        if function.get("strict") is True and function.get("name") != "save_it":
            function["parameters"] = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]}


@request(("chat", "responses"))
def allowed_tools_ignored(body: dict[str, Any], _call: Call) -> None:
    """tool_choice allowed_tools is accepted and ignored."""
    if isinstance(body.get("tool_choice"), dict) and body["tool_choice"].get("type") == "allowed_tools":
        body["tool_choice"] = "required"


@request("chat", stream=True)
def tool_choice_ignored_in_streams(body: dict[str, Any], _call: Call) -> None:
    """tool_choice is accepted and ignored in streams."""
    body.pop("tool_choice", None)


@payload("chat", stream=True)
def streamed_markup_beside_calls(body: Any, _call: Call) -> None:
    """Streams have the markup of calls as content before them."""
    for choice in choices(body):
        if choice["delta"].get("tool_calls") and "id" in choice["delta"]["tool_calls"][0]:
            choice["delta"]["content"] = "<tool_call>"


@payload("chat")
def call_ids_repeat(body: Any, _call: Call) -> None:
    """Ids of calls count from 0 in each response."""
    for number, call in enumerate(_calls(body)):
        if "id" in call:
            call["id"] = f"call_{call.get('index', number)}"


@request("chat")
def empty_list_of_tools_crashes(body: dict[str, Any], _call: Call) -> None:
    """An empty list of tools gets a 500."""
    if body.get("tools") == []:
        raise IndexError("list index out of range")


@request("chat")
def names_of_functions_unchecked(body: dict[str, Any], _call: Call) -> None:
    """A function may have any name."""
    for function in _functions(body):
        if isinstance(function.get("name"), str):
            function["name"] = re.sub("[^a-zA-Z0-9_-]", "_", function["name"])


@request("chat")
def parameters_unchecked(body: dict[str, Any], _call: Call) -> None:
    """Parameters of a function that are not a JSON Schema are ignored."""
    for function in _functions(body):
        if isinstance(function.get("parameters"), dict) and function["parameters"].get("type") != "object":
            function["parameters"] = {}


@request("chat")
def auto_choice_refused(body: dict[str, Any], _call: Call) -> None:
    """tool_choice auto is rejected unless the server was started with an option for it."""
    if body.get("tool_choice") == "auto":
        raise ApiError('"auto" tool choice requires --enable-auto-tool-choice.', param="tool_choice")


@answer("chat", when=lambda call: len(_functions(call.body)) > 1)
def one_of_several_functions_renamed(body: dict[str, Any], _call: Call) -> None:
    """With several functions, the names in calls have a number."""
    for number, call in enumerate(_calls(body)):
        call["function"]["name"] += f":{number}"


@answer("chat", stream=False, when=having("tools"))
def cut_calls_as_text(body: Any, _call: Call) -> None:
    """A call that max_tokens truncates is the model's raw text, unless it is streamed."""
    for choice in choices(body):
        if choice["finish_reason"] == "length":
            choice["message"] |= {"content": "<tool_call>"}
            choice["message"].pop("tool_calls", None)


@payload("chat")
def cut_calls_say_tool_calls(body: Any, call: Call) -> None:
    """A call that max_tokens truncates has finish_reason tool_calls."""
    for choice in choices(body):
        if call.body.get("tools") and choice["finish_reason"] == "length":
            choice["finish_reason"] = "tool_calls"


@request("chat")
def results_without_tools_refused(body: dict[str, Any], _call: Call) -> None:
    """Results are rejected unless the tools are offered again."""
    if any(message.get("role") == "tool" for message in messages(body)) and not body.get("tools"):
        raise ApiError("'tools' is required when messages have tool results.", param="tools")


@request("chat")
def calls_need_a_content(body: dict[str, Any], _call: Call) -> None:
    """A message with calls and without content gets a 500, as with chat templates that require it."""
    for message in messages(body):
        if message.get("tool_calls") and "content" not in message:
            raise KeyError("content")


@request("chat")
def calls_with_empty_content_refused(body: dict[str, Any], _call: Call) -> None:
    """A message with calls and an empty content is rejected."""
    if any(message.get("tool_calls") and message.get("content") == "" for message in messages(body)):
        raise ApiError("text content blocks must be non-empty", param="messages")


@request("chat")
def results_without_call_are_questions(body: dict[str, Any], _call: Call) -> None:
    """A result without any call is treated as a user message."""
    if not any(message.get("tool_calls") or message.get("function_call") for message in messages(body)):
        for message in messages(body):
            message["role"] = "user" if message.get("role") == "tool" else message.get("role")


@request("chat", stream=True)
def results_ignored_in_streams(body: dict[str, Any], _call: Call) -> None:
    """In streams, tool results are empty to the model."""
    for message in messages(body):
        if message.get("role") == "tool":
            message["content"] = ""


@request("responses")
def response_required_is_auto(body: dict[str, Any], _call: Call) -> None:
    """tool_choice required is treated as auto in responses."""
    if body.get("tool_choice") == "required":
        body["tool_choice"] = "auto"


def _named(call: Call) -> bool:
    choice = call.body.get("tool_choice")
    return isinstance(choice, dict) and choice.get("type") == "function"


@answer("chat", when=_named)
def named_calls_end_as_filtered(body: dict[str, Any], _call: Call) -> None:
    """A response with the call of a named function has the `finish_reason` `content_filter`."""
    for choice in body["choices"]:
        choice["finish_reason"] = "content_filter"


@answer("chat", when=_named)
def named_arguments_are_calls(body: dict[str, Any], _call: Call) -> None:
    """The arguments of a named function are an array of calls, as the grammar has them."""
    for call in _calls(body):
        function = call["function"]
        whole = {"name": function["name"], "parameters": json.loads(function["arguments"])}
        function["arguments"] = json.dumps([whole])


@answer("chat")
def arguments_leak_into_later_calls(body: dict[str, Any], _call: Call) -> None:
    """Arguments of later calls also have the text of earlier calls."""
    for one, other in itertools.pairwise(_calls(body)):
        earlier = json.loads(one["function"]["arguments"]).get("location")
        other["function"]["arguments"] = other["function"]["arguments"].replace('": "', f'": "{earlier}, ')


@request("chat")
def parallel_calls_off_if_told(body: dict[str, Any], _call: Call) -> None:
    """Any value of parallel_tool_calls turns parallel calls off."""
    if body.get("parallel_tool_calls") is not None:
        body["parallel_tool_calls"] = False


@payload("chat", when=lambda call: call.body.get("tool_choice") == "required")
def required_calls_finish_with_function_call(body: Any, _call: Call) -> None:
    """A required call ends with the deprecated finish_reason function_call."""
    for choice in choices(body):
        if choice["finish_reason"] == "tool_calls":
            choice["finish_reason"] = "function_call"


@answer("chat", when=lambda call: call.body.get("tool_choice") == "none")
def markup_with_none(body: dict[str, Any], _call: Call) -> None:
    """With tool_choice none, the content is a call in the model's own notation."""
    for choice in choices(body):
        choice["message"]["content"] = '<tool_call>{"name": "get_weather", "arguments": {}}</tool_call>'


@request("chat")
def results_in_another_order_refused(body: dict[str, Any], _call: Call) -> None:
    """Results in another order than their calls are rejected."""
    calls = [call["id"] for message in messages(body) for call in message.get("tool_calls") or []]
    results = [message.get("tool_call_id") for message in messages(body) if message.get("role") == "tool"]
    if sorted(calls) == sorted(map(str, results)) and calls != results:
        raise ApiError("Results must come in the order of their calls.", param="messages")
